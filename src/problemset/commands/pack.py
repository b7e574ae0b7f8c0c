"""`pack FOLDER`: make a submission from the rendered report."""

import logging
from collections.abc import Sequence
from pathlib import Path

from problemset import student, workspace
from problemset.assignment import Assignment
from problemset.commands.parsing import Outcome, Parser

_LOG = logging.getLogger(__name__)

_HELP = """Make a submission from the output of `{makes_report}`: the report, and the files with its
results. The submission is then checked as with `{program} check-submission`; the exit code is 1 if
a file is not ok. If you set environment variables for `{makes_report}`, set them here, too.

Example:
    {program} pack submission
"""


def run(assignment: Assignment, arguments: Sequence[str]) -> Outcome:
    """Copy the submission's files into the folder and check them.

    Raises:
        UsageError: no folder given, or an unknown option.
        PackError: the folder is not empty, or the report is missing or outdated.
    """
    program = assignment.program
    description = _HELP.format(program=program, makes_report=assignment.makes_report)
    parser = Parser(f"{program} pack", description)
    says = "A folder that is new or empty."
    parser.add_argument("folder", type=Path, metavar="FOLDER", help=says)
    options = parser.parse_args(arguments)
    from problemset.grading.hand_in import packing, preflight  # imports NumPy, which is slow

    with workspace.build_lock():  # no report may be rendered meanwhile
        packed = packing.pack(assignment, options.folder)
    if student.load().name is None:
        _LOG.warning("student.yml has no name, so the report has none")
    found = preflight.examine(assignment, packed.folder)
    text = f"{found}\n{packed.folder}: {len(packed.files)} files"
    return Outcome(text, exit_code=1 if found.lacking else 0)
