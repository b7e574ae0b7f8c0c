"""Render report.qmd to a PDF, a web page and a notebook, with or without Quarto installed."""

import concurrent.futures
import contextlib
import functools
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from problemset.file_io import atomic_path
from problemset.progress import Progress
from problemset.render.errors import RenderError
from problemset.render.escape import markdown_literal
from problemset.render.execution.kept import Kept
from problemset.render.execution.kernel import Executed, put_in, run
from problemset.render.formats import pandoc, quarto
from problemset.render.formats.markdown import to_markdown
from problemset.render.formats.notebook import to_notebook
from problemset.render.formats.pdf import compile_pdf
from problemset.render.source.document import read_document
from problemset.render.source.settings import Settings, read_settings

_LOG = logging.getLogger(__name__)

Engine = Literal["auto", "quarto", "embedded"]


@dataclass(frozen=True)
class Rendered:
    """The files that were written, and the engine that produced them."""

    pdf: Path
    html: Path
    ipynb: Path
    engine: Literal["quarto", "embedded"]


@dataclass(frozen=True)
class _Job:
    """An executed document, with the inputs of both conversions."""

    executed: Executed
    for_typst: Settings
    for_html: Settings
    overrides: dict[str, str]
    work: Path


def render_report(
    qmd: Path,
    out_dir: Path,
    engine: Engine = "auto",
    metadata: Mapping[str, str] | None = None,
    kept: Kept | None = None,
    prepare: Callable[[], None] = lambda: None,
    progress: Progress | None = None,
) -> Rendered:
    """Make the PDF, the web page and the executed notebook of a document.

    No file is put in place before all three are complete, so an error leaves the old files intact.

    Args:
        qmd: the document.
        out_dir: folder for `<name>.pdf`, `.html` and `.ipynb`; created if missing.
        engine: "quarto" requires it, "embedded" never uses it, "auto" falls back.
        metadata: plain text, such as the author's name, that overrides the front matter.
        kept: where the cells' outputs are kept; without it every cell is run.
        prepare: called before cells are run, if they are.
        progress: says each step; without it none is said.

    Raises:
        DocumentError: for a problem in the document, with its line; CellError when code raised.
        RenderError: when a tool fails.
        WriteError: when out_dir cannot be written.
    """
    with _executed(qmd, metadata, kept, prepare, progress) as job:
        # also before Quarto: this checks the document, and numbers the labels for the notebook
        made_here = _made_here(job)
        by_quarto = None if engine == "embedded" else _try_quarto(job, engine)
        pdf, html = by_quarto or made_here
        targets = _write(job, out_dir, {".pdf": pdf, ".html": html, ".ipynb": _notebook(job)})
    used: Literal["quarto", "embedded"] = "quarto" if by_quarto else "embedded"
    return Rendered(targets[0], targets[1], targets[2], used)


def render_notebook(
    qmd: Path,
    out_dir: Path,
    kept: Kept | None = None,
    prepare: Callable[[], None] = lambda: None,
    progress: Progress | None = None,
) -> Path:
    """Make the executed notebook alone, beside what Quarto has made; as `render_report`."""
    with _executed(qmd, None, kept, prepare, progress) as job:
        _to_typst(job)
        return _write(job, out_dir, {".ipynb": _notebook(job)})[0]


@contextlib.contextmanager
def _executed(
    qmd: Path,
    metadata: Mapping[str, str] | None,
    kept: Kept | None,
    prepare: Callable[[], None],
    progress: Progress | None,
) -> Iterator[_Job]:
    """Read the document, and run its cells unless what they gave is kept."""
    step = progress.step if progress else lambda name, done=0, total=0: None
    document = read_document(qmd.absolute())
    overrides = {key: markdown_literal(value) for key, value in (metadata or {}).items()}
    for_typst = read_settings(document, "typst", overrides)
    for_html = read_settings(document, "html", overrides)
    outcome = kept.outcome(document, for_typst.shown.eval) if kept else None
    if outcome is None:
        prepare()
        outcome = run(document, for_typst.shown.eval, functools.partial(step, "cells"))
        if kept:
            kept.keep(document, for_typst.shown.eval, outcome)
    step("writing the files")
    with tempfile.TemporaryDirectory(prefix="problemset-") as scratch:
        yield _Job(put_in(document, outcome), for_typst, for_html, overrides, Path(scratch))
    if progress:
        progress.finish()


def _write(job: _Job, out_dir: Path, files: dict[str, bytes]) -> list[Path]:
    """Write the files by their suffixes, and put them in place when all are complete."""
    targets = [out_dir / f"{job.executed.document.path.stem}{end}" for end in files]
    # the stack renames the files when it closes, after all of them have been written
    with contextlib.ExitStack() as stack:
        for target, content in zip(targets, files.values(), strict=True):
            stack.enter_context(atomic_path(target)).write_bytes(content)
    return targets


def _notebook(job: _Job) -> bytes:
    labels, folder = pandoc.labels(job.work), job.executed.document.path.parent
    return to_notebook(job.executed, labels, job.for_html.metadata, folder).encode()


def _made_here(job: _Job) -> tuple[bytes, bytes]:
    """PDF and page from the embedded renderer, at the same time."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        page = pool.submit(_to_html, job)
        pdf = compile_pdf(_to_typst(job), job.work)
        return pdf, page.result()


def _to_typst(job: _Job) -> str:
    text = to_markdown(job.executed, job.for_typst.shown, _new_folder(job.work / "typst-media"))
    return pandoc.to_typst(job.executed.document, text, job.for_typst, job.work)


def _to_html(job: _Job) -> bytes:
    work = _new_folder(job.work / "html")
    text = to_markdown(job.executed, job.for_html.shown, work)
    return pandoc.to_html(job.executed.document, text, job.for_html, work).encode()


def _new_folder(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _try_quarto(job: _Job, engine: Engine) -> tuple[bytes, bytes] | None:
    """PDF and page from Quarto; None if it fails and was not required."""
    try:
        return quarto.render(quarto.find_quarto(), job.executed, job.work, job.overrides)
    except RenderError as error:
        if engine == "quarto":
            raise
        _LOG.warning("%s; using the embedded renderer", error)
        return None
