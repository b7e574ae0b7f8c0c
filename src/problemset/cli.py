"""Command line, `problemset COMMAND`, for the assignment that the project's rubric names."""

import sys
from collections.abc import Sequence

from problemset.commands import main as command_line
from problemset.commands.main import Program

PROGRAM = Program(
    name="problemset",
    summary="Reports with automatic checks: render one, hand it in, grade it.",
    commands={
        "render": "make the report: PDF, web page and notebook",
        "pack": "make a submission from the rendered report in build/",
        "check-submission": "list what a submission lacks, before the deadline",
        "grade": "grade submissions by the rubric",
    },
    examples={
        "problemset render": "build/report.pdf, .html and .ipynb",
        "problemset pack submission": "what a student hands in",
        "problemset grade handed-in/*": "points and a page for each submission, and a table",
    },
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `problemset.commands.main`."""
    return command_line.main(PROGRAM, arguments)


if __name__ == "__main__":
    sys.exit(main())
