"""`check-submission FOLDER`: report what a submission lacks, before the deadline."""

from collections.abc import Sequence
from pathlib import Path

from problemset.assignment import Assignment
from problemset.commands.parsing import Outcome, Parser

_HELP = """List what a submission lacks, within seconds and before the deadline.

There is one line for each file that the assignment asks for, and for each other file:
    ok       the file is there, can be read, and has the right shapes
    missing  the file is not there, or one of its arrays is not
    damaged  the file cannot be read
    misfit   the file can be read, but is not what is asked for (shape, range, pledge ...)
    refused  the file is not opened: a link, a pipe, too large, an unusual name
    ignored  nothing reads the file

The arrow is followed by what to do. The exit code is 0 if every required file is ok, otherwise 1.
Nothing is recomputed here, so a complete submission can still be wrong; `{program} grade` gives the
points.

Example:
    {program} check-submission submission
"""


def run(assignment: Assignment, arguments: Sequence[str]) -> Outcome:
    """Check a submission's files and report which are present, missing or unusable.

    Raises:
        UsageError: no folder given, or an unknown option.
        IntakeError: the path is missing, a link, or not a folder.
    """
    program = assignment.program
    parser = Parser(f"{program} check-submission", _HELP.format(program=program))
    says = "The submission's folder; it is only read."
    parser.add_argument("folder", type=Path, metavar="FOLDER", help=says)
    options = parser.parse_args(arguments)
    from problemset.grading.hand_in import preflight  # imports NumPy, which is slow

    found = preflight.examine(assignment, options.folder)
    return Outcome(str(found), exit_code=1 if found.lacking else 0)
