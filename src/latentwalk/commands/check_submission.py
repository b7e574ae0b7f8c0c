"""`latentwalk check-submission FOLDER`: what a submission lacks, before the deadline."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentwalk.grading import complete
from problemset import workspace
from problemset.commands.parsing import Outcome, parse

PROGRAM = "latentwalk check-submission"
_HELP = """Say what a submission lacks, before the deadline and in seconds.

One line for each file that docs/submission.md asks for, and for whatever else is there:
    ok       it is there, can be read, and has the shapes that are asked for
    missing  it is not there, or an array of it is not
    damaged  it cannot be read
    misfit   it can be read, and is not what is asked for (shape, range, pledge ...)
    refused  it is not opened: a link, a pipe, too large, an unusual name
    ignored  nothing reads it

What to do comes after the arrow. The exit code is 0 if all is there and 1 if something is not.
Complete is not correct: nothing is generated again here. Points come from `latentwalk grade`.

Example:
    latentwalk check-submission submission
"""


@dataclass(frozen=True)
class CheckOptions:
    """Which submission."""

    folder: Annotated[Path, tyro.conf.Positional]
    """The submission's folder; it is only read."""


def run(arguments: Sequence[str], say: workspace.Say) -> Outcome:
    """Look, and say what is there and what is not.

    Raises:
        UsageError: no folder, or an unknown option.
        IntakeError: it is missing, a link, or no folder.
    """
    options = parse(CheckOptions, arguments, PROGRAM, _HELP)
    found = complete.examine(options.folder)
    return Outcome(str(found), exit_code=1 if found.lacking else 0)
