"""Grade one submission of a class, from its folder to the content of its result files.

The input is a task and the result is data, so it does not matter on which machine this runs.
"""

import atexit
import functools
import json
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from latentwalk.grading import finished
from latentwalk.grading.grade import grade, open_server
from latentwalk.grading.page import page
from latentwalk.grading.pictures import pictures
from latentwalk.grading.submission import Submission
from problemset import file_io
from problemset.grading.batch.job import Done, Task
from problemset.grading.results import formats
from problemset.grading.sandbox.isolation import Server
from problemset.grading.score.outcome import Score
from problemset.grading.submission.intake import Intake, take_in
from problemset.grading.submission.safe_files import shown

Grade = Callable[..., Score]
"""A function like `grading.grade.grade`: takes folder, out, items and `intake`."""


class GraderError(RuntimeError):
    """The grader in this process differs from the one that the task requires."""


@functools.cache
def _server() -> Server:
    """One server for all submissions graded by this process, because preparing it takes seconds."""
    server = open_server()
    atexit.register(server.close)
    return server


def grade_here(*submission: Any, **more: Any) -> Score:
    """Grade with this process's server; arguments as in `grade`."""
    return grade(*submission, run=_server().run, **more)


def carry_out(task: Task, grade: Grade = grade_here) -> Done:
    """Grade a submission, unless its results exist and still hold.

    If grading the submission fails for any reason, that reason is returned in `says`.

    Args:
        task: the submission; its folder is read once.
        grade: grades a submission that was taken in.

    Raises:
        GraderError: this is not the grader that the task requires.
        WriteError: the task's `out`, or the folder for temporary files, cannot be written.
    """
    if finished.grader() != task.grader:
        raise GraderError(
            "another version of latentwalk, or of the judge's weights, than where the command "
            "was given; install the same on both"
        )
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="latentwalk-class-") as scratch:
            intake = take_in(task.folder, Path(scratch))
            digest = finished.digest(task.grader, task.rubric, intake, task.notebook)
            if digest == task.known:
                return Done(digest=digest)
            out = task.out or Path(scratch) / "out"
            score = grade(task.folder, out, task.items, intake=intake, notebook=task.notebook)
            seconds = time.monotonic() - started
            return Done("", digest, seconds, _results(task, score, seconds, intake))
    except file_io.WriteError:
        raise
    except Exception as error:  # a failure must not affect other submissions
        return Done(_reason(error), seconds=time.monotonic() - started)


def _reason(error: Exception) -> str:
    """One line; an error that no submission should cause also names its place in the code."""
    text = str(error)
    if not type(error).__module__.startswith(("latentwalk.", "problemset.")):
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = (
            f"{type(error).__name__}: {text} (line {place.lineno} of {Path(place.filename).name})"
        )
    return shown(" ".join(text.split()), 500)


def _results(task: Task, score: Score, seconds: float, intake: Intake) -> dict[str, bytes]:
    """The content of each result file."""
    drawn = pictures(Submission(intake.folder), score)
    texts = {
        "score.json": formats.to_json(score),
        "results.json": json.dumps(formats.gradescope(score, seconds), indent=1) + "\n",
        "junit.xml": formats.junit(score),
        "score.txt": formats.text_table(score),
        "page.html": page(task.name, score, task.items, drawn, intake),
    }
    return {name: text.encode("utf-8", "backslashreplace") for name, text in texts.items()}
