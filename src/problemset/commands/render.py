"""`render`: make the report."""

import functools
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from problemset import student, workspace
from problemset.assignment import Assignment
from problemset.commands.parsing import Outcome, Parser
from problemset.render.source.document import read_document

if TYPE_CHECKING:
    from problemset.render.execution.kept import Kept

ENGINES = ("auto", "quarto", "embedded")

_HELP = """Make the report: build/report.pdf, build/report.html and build/report.ipynb.

{preparation}Name and hours come from student.yml. Outputs of the cells are kept in build/kept and
used again until the code, or a file that it opened from Python, changes.

Example:
    {program} render --engine embedded --watch
"""


def run(assignment: Assignment, arguments: Sequence[str]) -> Outcome:
    """Make what the report needs, then render it.

    Raises:
        UsageError: no such option.
        StudentFileError: student.yml is malformed.
        DocumentError, RenderError: the report cannot be made.
    """
    options = _parser(assignment).parse_args(arguments)
    report = workspace.report_file()
    if not report.is_file():
        raise workspace.ProjectNotFoundError(
            f"{report.name} is not in {report.parent}; {assignment.where_to_start}"
        )
    # the libraries for notebooks and PDFs take half a second to import
    from problemset.grading.hand_in import made_from
    from problemset.progress import Progress
    from problemset.render.engine import render_notebook, render_report
    from problemset.render.execution.kept import Kept
    from problemset.watch import watch

    folder = workspace.build_dir() / "kept"
    prefixes = [f"{prefix}_" for prefix in workspace.ENVIRONMENT_PREFIXES]
    kept = Kept(folder, (*prefixes, "PYTHONPATH"))
    if options.watch:
        watch(workspace.build_dir() / f"{report.stem}.html", lambda: _watched(report, kept))
    read_document(report)  # report mistakes before anything takes minutes
    student.load()
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    out_dir, progress = workspace.build_dir(), Progress(folder / "seconds.json")
    prepare = functools.partial(kept.call, "prepared", assignment.prepare_report)
    with workspace.build_lock():
        if options.notebook:  # not recorded: the PDF beside it may be of other sources
            return Outcome(_short(render_notebook(report, out_dir, kept, prepare, progress)))
        with made_from.recording(assignment):
            made = render_report(report, out_dir, options.engine, None, kept, prepare, progress)
    files = [_short(path) for path in (made.pdf, made.html, made.ipynb)]
    return Outcome("\n".join([*files, f"made by the {made.engine} renderer"]))


def _parser(assignment: Assignment) -> Parser:
    preparation = f"{assignment.report_help}\n" if assignment.report_help else ""
    description = _HELP.format(program=assignment.program, preparation=preparation)
    parser = Parser(f"{assignment.program} render", description)
    says = "quarto insists on it, embedded never uses it, auto falls back from one to the other."
    parser.add_argument("--engine", type=str, choices=ENGINES, default="auto", help=says)
    says = "Run every cell, even if nothing has changed."
    parser.add_argument("--fresh", action="store_true", help=says)
    says = "Render whenever a file is saved, until Ctrl-C; the page in the browser reloads."
    parser.add_argument("--watch", action="store_true", help=says)
    says = "Make only the notebook; `quarto render` does this last."
    parser.add_argument("--notebook", action="store_true", help=says)
    return parser


def _watched(report: Path, kept: "Kept") -> list[Path]:
    """The report, the files beside it and those of its look, and what its cells read."""
    from problemset.render.source.look import STYLE

    styles = [*STYLE.iterdir(), *(report.parent / "style").glob("*")]
    beside = [path for path in report.parent.iterdir() if not path.name.startswith(".")]
    read = kept.files(report.stem)
    # rendering itself may write there
    outside = [path for path in read if workspace.build_dir() not in path.parents]
    return [*beside, *styles, *outside]


def _short(path: Path) -> str:
    """The path relative to the current folder, if it is inside."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
