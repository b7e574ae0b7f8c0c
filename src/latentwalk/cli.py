"""Command line, `latentwalk COMMAND`."""

import sys
from collections.abc import Sequence

from problemset.commands import main as command_line
from problemset.commands.main import Program

PROGRAM = Program(
    name="latentwalk",
    summary="Train GANs and VAEs on MNIST, walk between images, make the homework report.",
    commands={
        "init": "write the report's sources into a folder",
        "data": "download MNIST and verify it",
        "train": "train a model of the report, or a variant of it",
        "sample": "write images that a trained model generates",
        "render": "make the report: PDF, web page and notebook",
        "pack": "make a submission from the rendered report in build/",
        "check-submission": "list what a submission lacks, before the deadline",
        "grade": "grade submissions by the rubric",
        "doctor": "say what this machine has and lacks, and how to fix it",
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
