"""Command line, `latentwalk COMMAND`."""

import sys
from collections.abc import Sequence

from problemset.commands import main as command_line
from problemset.commands.main import Program

PROGRAM = Program(
    name="latentwalk",
    summary="GANs and VAEs on MNIST, walked between images: the homework report and its models.",
    commands={
        "init": "write the report's sources into a folder",
        "data": "get MNIST and verify it",
        "train": "train a model of the report, or a variant of it",
        "sample": "write images that a trained model generates",
        "render": "make the report: PDF, web page and notebook",
        "pack": "make a submission from what the report has left in build/",
        "check-submission": "say what a submission lacks, before the deadline",
        "grade": "grade submissions by the rubric",
        "doctor": "say what this machine has, and how to mend what is missing",
    },
    examples={
        "latentwalk render": "build/report.pdf, .html and .ipynb",
        "latentwalk sample cgan --count 100 --seed 1 --out digits.npz": "ten of each digit",
        "latentwalk train gan --steps 500": "a variant; the report's weights stay",
    },
    assignment="latentwalk.assignment:ASSIGNMENT",
    own_commands="latentwalk.commands",
    packages=("latentwalk", "problemset"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `problemset.commands.main`."""
    return command_line.main(PROGRAM, arguments)


if __name__ == "__main__":
    sys.exit(main())
