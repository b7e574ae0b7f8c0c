"""What the tests of a class hand out: a small rubric, quick graders, and jobs that do harm.

Dask's workers import this, so it is free of PyTorch.
"""

import os
import signal
import time

from problemset.grading.batch.job import Job, JobResult
from problemset.grading.score.outcome import CheckOutcome, Score
from problemset.rubric import Item, ItemCheck

REFERENCE = "latentwalk.assignment:ASSIGNMENT"
LONG = 600  # seconds; longer than any test waits
ITEMS = (
    Item(
        "2d",
        4,
        "Ten steps",
        "Ten points.",
        (
            ItemCheck("path_has_ten_inputs", 1, "Ten points."),
            ItemCheck("path_is_straight", 3, "A straight line."),
        ),
        0,
    ),
    Item("3e", 4, "Smoothness", "An answer that\nrests on measurements.", (), 4),
)


def scored(straight="passed", says="as it should be", evidence=None):
    """What the checks of `ITEMS` found."""
    return Score(
        (
            CheckOutcome(
                "path_has_ten_inputs", "2d", "Ten points", 1, "passed", "ten", {"points": 10}
            ),
            CheckOutcome("path_is_straight", "2d", "A line", 3, straight, says, evidence or {}),
            CheckOutcome("reader", "3e", "Smoothness", 4, "to be read", "An answer.", {}),
        )
    )


def job(folder, **more):
    return Job(REFERENCE, folder, folder.name, ITEMS, "the rubric", "the grader", **more)


def harm(given):
    """Run a job as its name says; folders are not looked at."""
    name = given.folder.name.partition(" ")[0]
    if name == "killer" or (name == "once" and first_time(given.folder)):
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "hang":
        time.sleep(LONG)
    return JobResult(digest=given.folder.name, results={"worker": str(os.getpid()).encode("ascii")})


def first_time(folder):
    """Whether nobody was here before; leaves a mark beside the folder."""
    try:
        folder.with_suffix(".tried").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
