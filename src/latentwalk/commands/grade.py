"""`latentwalk grade FOLDER...`: grade submissions by the rubric."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentwalk import paths, rubric
from latentwalk.commands.parsing import Outcome, parse
from latentwalk.grading import formats
from latentwalk.grading.grade import grade, open_server
from latentwalk.grading.outcome import Score

PROGRAM = "latentwalk grade"
_HELP = """Grade submissions: everything is made again from their weights and inputs, and compared.

Each check runs in a process of its own. Proofs and discussions are for a person to read; the
score says how many points await one. docs/submission.md says what a submission holds, rubric.yml
what is checked. Beside each other in --out, one folder a submission:
    score.json    every outcome with its evidence, written after each check
    results.json  for Gradescope
    junit.xml     for anything that reads JUnit
    score.txt     the table

Example:
    latentwalk grade submission
"""


@dataclass(frozen=True)
class GradeOptions:
    """Which submissions, and where the results go."""

    folders: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """The submissions."""
    out: Path | None = None
    """Folder for the results; build/grades if left out."""
    rubric: Path | None = None
    """Another rubric than the project's."""

    def __post_init__(self) -> None:
        if not self.folders:
            raise ValueError("there is no submission to grade; name its folder")
        names = [_name(folder) for folder in self.folders]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two submissions are called {twice[0]}; grade them one by one")


def run(arguments: Sequence[str], say: paths.Say) -> Outcome:
    """Grade each submission and write its results.

    Raises:
        UsageError: an unknown option.
        RubricError: a rubric that does not add up, or names a check that there is not.
        IntakeError: a submission is no folder.
        WriteError: the results cannot be written.
    """
    options = parse(GradeOptions, arguments, PROGRAM, _HELP)
    out = options.out or paths.build_dir() / "grades"
    tables = []
    with open_server() as server:
        # 2 s to import, while the server does the same
        from latentwalk.grading.checks.known import CHECKS

        items = rubric.load(options.rubric, known=CHECKS)
        for folder in options.folders:
            say(f"grading {folder}")
            started = time.monotonic()
            own = out / _name(folder)
            score = grade(folder, own, items, run=server.run)
            seconds = time.monotonic() - started
            table = _write(score, own, seconds)
            tables.append(f"{folder} ({seconds:.0f} s), results in {own}\n{table}")
    return Outcome("\n\n".join(tables))


def _write(score: Score, folder: Path, seconds: float) -> str:
    """Write what is there beside score.json; give the table."""
    table = formats.text_table(score)
    for name, text in (
        ("results.json", json.dumps(formats.gradescope(score, seconds), indent=1) + "\n"),
        ("junit.xml", formats.junit(score)),
        ("score.txt", table + "\n"),
    ):
        with paths.atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return table


def _name(folder: Path) -> str:
    return folder.resolve().name or "submission"
