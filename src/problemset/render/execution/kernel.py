"""Run a document's cells once, in a kernel of the current Python interpreter."""

import ast
import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from problemset import inputs
from problemset.render.errors import CellError, RenderError
from problemset.render.escape import markdown_literal
from problemset.render.source.document import Cell, Document, Prose

_INLINE = re.compile(r"(?<!`)`\{python\}[ \t]([^`]+)`")
_ADJACENT = re.compile(r"(?<=[^`\s])``\{python\}[ \t]")
_LINE_IN_CELL = re.compile(r"Cell In\[\d+\], line (\d+)")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_LISTEN = f"__import__({inputs.__name__!r}, fromlist=['start'])"  # binds no name of the document's
_SOCKET_PATH_LIMIT = 100  # bytes; the operating system's own limit is 104 to 108


@dataclass(frozen=True)
class RanCell:
    """A cell with its outputs."""

    cell: Cell
    outputs: tuple[Any, ...]
    """Notebook output nodes; empty for a cell that was not run."""
    count: int | None
    """The execution count; None for a cell that was not run."""


@dataclass(frozen=True)
class Executed:
    """A document with its cells run and its inline code replaced by values."""

    document: Document
    chunks: tuple[Prose | RanCell, ...]


class _OneKernel(KernelSpecManager):
    """Offers a single kernel, whatever is installed on the machine."""

    def __init__(self, python: Sequence[str], environment: Mapping[str, str]) -> None:
        super().__init__()
        launcher = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
        launcher += ["--log-level=CRITICAL"]  # otherwise an interrupted kernel logs errors
        argv, env = [*python, *launcher], dict(environment)
        self._spec = KernelSpec(argv=argv, display_name="Python 3", language="python", env=env)

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the same specification for every name."""
        return self._spec


@dataclass(frozen=True)
class Outcome:
    """What a document's code gave, without the document."""

    cells: list[tuple[list[Any], int | None]]
    """Outputs and execution count of each cell; the count is None if the cell was not run."""
    values: list[str]
    """Values of the inline code, as markdown."""
    inputs: inputs.Found
    """What the code depended on, besides itself."""


def execute(document: Document, run_by_default: bool = True) -> Executed:
    """Run every cell once, in order, and put in the values of inline code; see `run`."""
    return put_in(document, run(document, run_by_default))


def put_in(document: Document, outcome: Outcome) -> Executed:
    """Join a document with what its code gave; both must have the same code."""
    cells, values = iter(outcome.cells), iter(outcome.values)
    chunks: list[Prose | RanCell] = []
    for chunk in document.chunks:
        if isinstance(chunk, Cell):
            outputs, count = next(cells)
            chunks.append(RanCell(chunk, tuple(map(nbformat.from_dict, outputs)), count))
        else:
            text = _INLINE.sub(lambda _: next(values), chunk.text)
            chunks.append(Prose(text, chunk.line))
    return Executed(document, tuple(chunks))


def code_of(document: Document, run_by_default: bool) -> list[list[Any]]:
    """All code of a document in order, each piece with what it is and whether it is run."""
    code: list[list[Any]] = []
    for chunk in document.chunks:
        if isinstance(chunk, Cell):
            code.append(["cell", chunk.code, _is_run(chunk, run_by_default)])
        else:
            code += [["inline", match.group(1).strip()] for match in _INLINE.finditer(chunk.text)]
    return code


def _is_run(cell: Cell, run_by_default: bool) -> bool:
    return run_by_default if cell.options.eval is None else cell.options.eval


def run(
    document: Document,
    run_by_default: bool = True,
    progress: Callable[[int, int], None] = lambda done, cells: None,
) -> Outcome:
    """Run every cell once, in order, in the document's folder.

    Args:
        document: the document to run.
        run_by_default: whether to run a cell without an `eval` option.
        progress: called after each cell with the number of cells behind it and of all.

    Raises:
        CellError: when a cell or an inline expression raises; names the line.
        RenderError: when no kernel can be started.
    """
    cells = [chunk for chunk in document.chunks if isinstance(chunk, Cell)]
    outcome = Outcome([], [], {})
    if not code_of(document, run_by_default):
        return outcome
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(cell.source, id=f"c{index}") for index, cell in enumerate(cells)
    ]
    count = 0
    with running_kernel(notebook, document.path.parent) as client:
        _evaluate(client, {"": f"{_LISTEN}.start()"})
        for chunk in document.chunks:
            if isinstance(chunk, Prose):
                outcome.values.extend(_inline_values(document, chunk, client))
                continue
            index = len(outcome.cells)
            node = notebook.cells[index]
            if runs := _is_run(chunk, run_by_default):
                _run_cell(document, chunk, node, client, index)
                count += 1
            outcome.cells.append((node.outputs if runs else [], count if runs else None))
            progress(len(outcome.cells), len(cells))
        text = _evaluate(client, {"": f"__import__('json').dumps({_LISTEN}.found())"})[""]
        outcome.inputs.update(json.loads(ast.literal_eval(text["data"]["text/plain"])))
    return outcome


@contextlib.contextmanager
def running_kernel(
    notebook: nbformat.NotebookNode,
    folder: Path,
    python: Sequence[str] = (sys.executable, "-Xfrozen_modules=off"),
    environment: Mapping[str, str] | None = None,
    sockets: Path | None = None,
    **options: Any,
) -> Iterator[NotebookClient]:
    """Run a kernel for the cells of a notebook; it ends with the block.

    Args:
        notebook: its outputs are replaced when its cells are run.
        folder: the kernel's working folder.
        python: the command that starts Python.
        environment: variables to add.
        sockets: start of the paths of the kernel's socket files; in a temporary folder if omitted.
            Where that is too long a path, the kernel uses the network.
        options: further ones of nbclient.

    Raises:
        RenderError: no kernel can be started.
    """
    with tempfile.TemporaryDirectory(prefix="lw-") as scratch, contextlib.ExitStack() as stack:
        # the user's own IPython start-up files must not change the report
        variables = {"IPYTHONDIR": str(Path(scratch) / "ipython"), **(environment or {})}
        manager = AsyncKernelManager(
            kernel_name="python3",
            kernel_spec_manager=_OneKernel(python, variables),
            connection_file=str(Path(scratch) / "kernel.json"),
        )
        sockets = sockets or Path(scratch) / "s"
        if hasattr(os, "fork") and len(os.fsencode(sockets)) < _SOCKET_PATH_LIMIT:
            manager.transport, manager.ip = "ipc", str(sockets)
        options = {"timeout": None, "startup_timeout": 120, "record_timing": False, **options}
        place = {"metadata": {"path": str(folder)}}
        client = NotebookClient(
            notebook, km=manager, coalesce_streams=True, resources=place, **options
        )
        try:
            stack.enter_context(client.setup_kernel(cleanup_kc=True))
        except (RuntimeError, OSError) as error:
            raise RenderError(
                f"no Python kernel could be started: {error}; is ipykernel installed?"
            ) from error
        yield client


def _run_cell(
    document: Document, cell: Cell, node: nbformat.NotebookNode, client: NotebookClient, index: int
) -> None:
    name = f"cell {cell.options.label}" if cell.options.label else "this cell"
    try:
        client.execute_cell(node, index)
    except CellExecutionError as error:
        trace = _ANSI.sub("", error.traceback)
        # the traceback counts from the cell's first line, the message from the document's
        inside = _LINE_IN_CELL.search(trace)
        line = cell.line + (int(inside.group(1)) - 1 if inside else 0)
        reason = " ".join(f"{error.ename}: {error.evalue}".split())
        raise CellError(document.path, line, f"{name} raised {reason}") from error
    except DeadKernelError as error:
        raise CellError(
            document.path, cell.line, f"the kernel died in {name}; out of memory, or killed"
        ) from error


def _inline_values(document: Document, prose: Prose, client: NotebookClient) -> list[str]:
    """The value of each `{python} expression` at this point of the document."""
    if adjacent := _ADJACENT.search(prose.text):  # markdown and Quarto would parse this differently
        raise CellError(
            document.path,
            prose.line + prose.text.count("\n", 0, adjacent.start()),
            "inline code begins where other code ends; put a space between them, or join them",
        )
    matches = list(_INLINE.finditer(prose.text))
    if not matches:
        return []
    # all expressions of a text in one message, which saves a round trip for each
    try:
        values = _evaluate(client, {str(i): m.group(1).strip() for i, m in enumerate(matches)})
    except DeadKernelError as error:
        raise CellError(document.path, prose.line, "the kernel died in inline code") from error
    lines = [prose.line + prose.text.count("\n", 0, match.start()) for match in matches]
    return [_value(document, line, values[str(i)]) for i, line in enumerate(lines)]


def _evaluate(client: NotebookClient, expressions: dict[str, str]) -> dict[str, Any]:
    """What the kernel replies to expressions, by their names."""
    assert client.kc is not None, "the kernel runs while the document is executed"
    message = client.kc.execute("", silent=True, store_history=False, user_expressions=expressions)
    reply: Any = client.wait_for_reply(message)
    values: dict[str, Any] = reply["content"]["user_expressions"]
    return values


def _value(document: Document, line: int, result: dict[str, Any]) -> str:
    if result["status"] != "ok":
        reason = " ".join(f"{result['ename']}: {result['evalue']}".split())
        raise CellError(document.path, line, f"inline code raised {reason}")
    data = result["data"]
    if "text/markdown" in data:
        return str(data["text/markdown"])
    if "text/latex" in data or "text/html" in data:
        raise CellError(
            document.path,
            line,
            "inline code returned HTML or LaTeX; wrap it in Markdown(...) or str()",
        )
    shown = str(data["text/plain"])
    if shown[:1] in "'\"" and shown[-1:] == shown[:1]:
        with contextlib.suppress(ValueError, SyntaxError):
            shown = str(ast.literal_eval(shown))
    return markdown_literal(shown)
