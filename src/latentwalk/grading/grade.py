"""Grade one submission: every check in a process of its own, results written after each."""

import contextlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from latentwalk import paths
from latentwalk.grading import formats, isolation
from latentwalk.grading.intake import Intake, take_in
from latentwalk.grading.isolation import Ended, Limits
from latentwalk.grading.outcome import CheckOutcome, Score, State
from latentwalk.rubric import Item, ItemCheck

LIMITS = Limits(wall_seconds=120, cpu_seconds=240, memory_bytes=768 << 20)
"""Of one check."""
Run = Callable[..., Ended]


def open_server() -> isolation.Server:
    """Give a server, to be used in a `with` block, whose checks find libraries and judge ready."""
    return isolation.Server(
        prepare=["latentwalk.grading.one:prepare"], environment=paths.as_environment()
    )


def grade(
    folder: Path,
    out: Path,
    items: Sequence[Item],
    *,
    limits: Limits = LIMITS,
    run: Run | None = None,
    intake: Intake | None = None,
) -> Score:
    """Grade a submission.

    Args:
        folder: the submission; it is read once, and nothing of it is run.
        out: folder for `score.json`, which is written anew after every check.
        items: the rubric.
        limits: of each check.
        run: carries out a function in isolation; that of a server of its own if left out.
        intake: the submission's private copy, when it was taken in already.

    Raises:
        IntakeError: the submission is no folder.
        WriteError: `out` cannot be written.
    """
    note = formats.write_after_each(paths.make_folder(out) / "score.json")
    score = Score()
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="latentwalk-grading-"))
        intake = intake or take_in(folder, Path(scratch))
        run = run or stack.enter_context(open_server()).run
        for item in items:
            for check in item.checks:
                arguments = {"check": check.check, "folder": str(intake.folder)}
                ended = run("latentwalk.grading.one:run", arguments, limits)
                score = note(_outcome(item, check, ended, intake))
            if item.reader:
                score = note(_for_the_reader(item))
    return score


def _outcome(item: Item, check: ItemCheck, ended: Ended, intake: Intake) -> CheckOutcome:
    title = check.shows.rstrip(".")
    value = ended.value if ended.state == "returned" else None
    if not isinstance(value, dict):
        says = f"could not be carried out ({ended.state}): {ended.says}"
        return CheckOutcome(check.check, item.id, title, check.points, "broken", says, {})
    says = str(value["says"])
    refused = [why for name, why in intake.refused.items() if name in says]
    if refused:
        says = f"{says} (refused: {refused[0]})"
    state: State = "passed" if value["passed"] else "failed"
    evidence = value["evidence"]
    return CheckOutcome(check.check, item.id, title, check.points, state, says, evidence)


def _for_the_reader(item: Item) -> CheckOutcome:
    return CheckOutcome(
        "reader", item.id, item.title, item.reader, "to be read", " ".join(item.asks.split()), {}
    )
