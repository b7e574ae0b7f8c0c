"""`check-submission FOLDER`: report what a submission lacks, before the deadline."""

from collections.abc import Sequence
from pathlib import Path

from problemset.assignment import Assignment
from problemset.commands.parsing import Outcome, Parser
from problemset.grading.hand_in import preflight

_HELP = """Say what a submission lacks, before the deadline and in seconds.

One line for each file that the assignment asks for, and for whatever else is there:
    ok       it is there, can be read, and has the shapes that are asked for
    missing  it is not there, or an array of it is not
    damaged  it cannot be read
    misfit   it can be read, and is not what is asked for (shape, range, pledge ...)
    refused  it is not opened: a link, a pipe, too large, an unusual name
    ignored  nothing reads it

What to do comes after the arrow. The exit code is 0 if all is there and 1 if something is not.
Complete is not correct: nothing is generated again here. Points come from `{program} grade`.

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
    found = preflight.examine(assignment, options.folder)
    return Outcome(str(found), exit_code=1 if found.lacking else 0)
