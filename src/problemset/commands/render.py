"""`render`: make the report."""

import logging
from collections.abc import Sequence
from pathlib import Path

from problemset import student, workspace
from problemset.assignment import Assignment
from problemset.commands.parsing import Outcome, Parser
from problemset.render.document import read_document

ENGINES = ("auto", "quarto", "embedded")
_LOG = logging.getLogger(__name__)

_HELP = """Make the report: build/report.pdf, build/report.html and build/report.ipynb.

{preparation}Name and hours come from student.yml.

Example:
    {program} render --engine embedded
"""


def run(assignment: Assignment, arguments: Sequence[str]) -> Outcome:
    """Make what the report needs, then render it.

    Raises:
        UsageError: no such option.
        StudentFileError: student.yml is malformed.
        DocumentError, RenderError: the report cannot be made.
    """
    preparation = f"{assignment.report_help}\n" if assignment.report_help else ""
    description = _HELP.format(program=assignment.program, preparation=preparation)
    parser = Parser(f"{assignment.program} render", description)
    says = "quarto insists on it, embedded never uses it, auto falls back from one to the other."
    parser.add_argument("--engine", type=str, choices=ENGINES, default="auto", help=says)
    options = parser.parse_args(arguments)
    report = workspace.report_file()
    if not report.is_file():
        raise workspace.ProjectNotFoundError(
            f"{report.name} is not in {report.parent}; {assignment.where_to_start}"
        )
    read_document(report)  # report mistakes before anything takes minutes
    student.load()
    with workspace.build_lock():
        assignment.prepare_report()
        # the libraries for notebooks and PDFs take half a second to import
        from problemset.grading.hand_in import made_from
        from problemset.render.engine import render_report

        _LOG.info("rendering the report")
        with made_from.recording(assignment):
            made = render_report(workspace.report_file(), workspace.build_dir(), options.engine)
    files = [_short(path) for path in (made.pdf, made.html, made.ipynb)]
    return Outcome("\n".join([*files, f"made by the {made.engine} renderer"]))


def _short(path: Path) -> str:
    """The path relative to the current folder, if it is inside."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
