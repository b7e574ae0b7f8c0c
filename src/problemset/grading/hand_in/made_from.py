"""Which sources the report in the build folder was made from, by their content.

The record `made_from.json` is written when the report has been made. File times say nothing: a
clone, a copy or an editor changes them without changing a letter, and keeps them otherwise.
"""

import ast
import contextlib
import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from problemset import file_io, workspace
from problemset.assignment import Assignment, PackError
from problemset.render.source.document import Cell, read_document

RECORD = "made_from.json"
_RENDERER = "problemset.render.engine"
_FILE_NAME = re.compile(r"[\w./-]+\.\w+")


@contextlib.contextmanager
def recording(assignment: Assignment) -> Iterator[None]:
    """Write the record of a report that is made meanwhile; none if making it fails.

    What changes while the report is made counts as changed afterwards.

    Raises:
        WriteError: the build folder cannot be written.
    """
    sources = _digests(_sources(assignment))
    yield
    record = {"sources": sources, "made": _digests(_made())}
    file_io.write(workspace.build_dir() / RECORD, json.dumps(record, indent=1) + "\n")


def check(assignment: Assignment) -> None:
    """Refuse a report that the current sources did not make.

    Raises:
        PackError: naming a file that has changed since, was added or was removed.
    """
    again = f"run `{assignment.makes_report}` again"
    build = workspace.build_dir()
    try:
        record = json.loads((build / RECORD).read_text("utf-8"))
        sources, made_then = dict(record["sources"]), dict(record["made"])
    except (OSError, ValueError, TypeError, KeyError):
        raise PackError(f"{build} does not say what the report was made from; {again}") from None
    if name := _first_change(sources, _digests(_sources(assignment))):
        raise PackError(f"{name} is not as it was when the report was made; {again}")
    made = _digests(_made())
    kept = {name: digest for name, digest in made_then.items() if name in made}
    if name := _first_change(kept, made):  # what is gone cannot be packed
        raise PackError(f"{build / name} is not as `{assignment.makes_report}` made it; {again}")


def _first_change(before: dict[str, str], now: dict[str, str]) -> str | None:
    changed = before.items() ^ now.items()
    return min((name for name, _ in changed), default=None)


def _digests(files: dict[str, Path]) -> dict[str, str]:
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def _made() -> dict[str, Path]:
    """The report in its three forms, and the results, by their names in the build folder."""
    build, report = workspace.build_dir(), workspace.report_file()
    forms = [build / f"{report.stem}{end}" for end in (".pdf", ".html", ".ipynb")]
    found = [*forms, *sorted(workspace.results_dir().glob("*"))]
    return {path.relative_to(build).as_posix(): path for path in found if path.is_file()}


def _sources(assignment: Assignment) -> dict[str, Path]:
    """The report's text, each file of the project that it names, and the code that it reaches."""
    root, report = workspace.project_root(), workspace.report_file()
    texts = [path for path in (report, root / "_quarto.yml") if path.is_file()]
    words = {word for path in texts for word in _FILE_NAME.findall(path.read_text("utf-8"))}
    built = workspace.build_dir().resolve()
    named = (root / word for word in words)
    texts += [path for path in named if not path.resolve().is_relative_to(built)]
    texts += [workspace.student_file(), workspace.rubric_file(), *root.glob("assets/**/*.json")]
    cells = (chunk for chunk in read_document(report).chunks if isinstance(chunk, Cell))
    code = _reached([*_imports(cell.code for cell in cells), _RENDERER], assignment.packages)
    return {os.path.relpath(path, root): path for path in texts if path.is_file()} | code


def _reached(modules: Iterable[str], packages: Collection[str]) -> dict[str, Path]:
    """Source files of modules and of what they import within some packages; nothing is imported.

    The files beside a module that are not Python code count, too.
    """
    found: dict[str, Path] = {}
    done: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in done or name.partition(".")[0] not in packages:
            continue
        done.add(name)
        top, *inner = name.split(".")
        spec = importlib.util.find_spec(top)
        if spec is None or spec.origin is None:
            continue
        first = Path(spec.origin)
        folder = first.parents[first.name == "__init__.py"]
        path = first.parent.joinpath(*inner)
        files = [path.with_suffix(".py"), path / "__init__.py"] if inner else [first]
        for file in filter(Path.is_file, files):  # none if the name is a function's
            waiting += _imports([file.read_text("utf-8")])
            beside = [each for each in file.parent.iterdir() if not each.suffix.startswith(".py")]
            kept = [file, *(each for each in beside if inner and each.is_file())]
            found |= {os.path.relpath(each, folder): each for each in kept}
    return found


def _imports(codes: Iterable[str]) -> list[str]:
    """Dotted names that code imports, those of functions and other values included."""
    names: list[str] = []
    for code in codes:
        with contextlib.suppress(SyntaxError):  # making the report fails, too
            # without IPython's commands
            for node in ast.walk(ast.parse(re.sub(r"(?m)^\s*[%!].*", "", code))):
                if isinstance(node, ast.Import):
                    names += [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names += [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
    return names
