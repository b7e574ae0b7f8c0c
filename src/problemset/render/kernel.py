"""Run a document's cells once, in a kernel of the current Python interpreter."""

import ast
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from problemset.render.document import Cell, Document, Prose
from problemset.render.errors import CellError, RenderError
from problemset.render.escape import markdown_literal

_INLINE = re.compile(r"(?<!`)`\{python\}[ \t]([^`]+)`")
_ADJACENT = re.compile(r"(?<=[^`\s])``\{python\}[ \t]")
_LINE_IN_CELL = re.compile(r"Cell In\[\d+\], line (\d+)")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
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


def execute(document: Document, run_by_default: bool = True) -> Executed:
    """Run every cell once, in order, in the document's folder.

    Args:
        document: the document to run.
        run_by_default: whether to run a cell without an `eval` option.

    Raises:
        CellError: when a cell or an inline expression raises; names the line.
        RenderError: when no kernel can be started.
    """
    notebook = nbformat.v4.new_notebook()
    cells = [chunk for chunk in document.chunks if isinstance(chunk, Cell)]
    notebook.cells = [
        nbformat.v4.new_code_cell(cell.source, id=f"c{index}") for index, cell in enumerate(cells)
    ]
    chunks: list[Prose | RanCell] = []
    if not _needs_kernel(document):
        return Executed(document, tuple(c for c in document.chunks if isinstance(c, Prose)))
    with running_kernel(notebook, document.path.parent) as client:
        index, count = 0, 0
        for chunk in document.chunks:
            if isinstance(chunk, Prose):
                chunks.append(_resolve_inline(document, chunk, client))
                continue
            node, index = notebook.cells[index], index + 1
            if chunk.options.eval is False or (chunk.options.eval is None and not run_by_default):
                chunks.append(RanCell(chunk, (), None))
                continue
            _run_cell(document, chunk, node, client, index - 1)
            count += 1
            chunks.append(RanCell(chunk, tuple(node.outputs), count))
    return Executed(document, tuple(chunks))


def _needs_kernel(document: Document) -> bool:
    return any(isinstance(c, Cell) or _INLINE.search(c.text) for c in document.chunks)


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


def _resolve_inline(document: Document, prose: Prose, client: NotebookClient) -> Prose:
    """Replace each `{python} expression` by its value at this point of the document."""
    if adjacent := _ADJACENT.search(prose.text):  # markdown and Quarto would parse this differently
        raise CellError(
            document.path,
            prose.line + prose.text.count("\n", 0, adjacent.start()),
            "inline code begins where other code ends; put a space between them, or join them",
        )
    matches = list(_INLINE.finditer(prose.text))
    if not matches:
        return prose
    # all expressions of a text in one message, which saves a round trip for each
    expressions = {str(i): match.group(1).strip() for i, match in enumerate(matches)}
    assert client.kc is not None, "the kernel runs while the document is executed"
    message = client.kc.execute("", silent=True, store_history=False, user_expressions=expressions)
    try:
        reply: Any = client.wait_for_reply(message)
        values = reply["content"]["user_expressions"]
    except DeadKernelError as error:
        raise CellError(document.path, prose.line, "the kernel died in inline code") from error
    out, position = [], 0
    for i, match in enumerate(matches):
        line = prose.line + prose.text.count("\n", 0, match.start())
        out += [prose.text[position : match.start()], _value(document, line, values[str(i)])]
        position = match.end()
    return Prose("".join(out) + prose.text[position:], prose.line)


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
