"""Grade one submission of a class, from its folder to the content of its result files.

The input is a job and the result is data, so it does not matter on which machine this runs.
"""

import atexit
import functools
import json
import tempfile
import time
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from problemset import assignment, file_io
from problemset.assignment import Assignment
from problemset.grading.batch import graded_results
from problemset.grading.batch.job import Job, JobResult
from problemset.grading.results import formats
from problemset.grading.results.page import page
from problemset.grading.runner.grade_submission import grade_submission, open_server
from problemset.grading.sandbox.isolation import Server
from problemset.grading.score.outcome import Score
from problemset.grading.submission.intake import Intake, take_in
from problemset.grading.submission.opened import Submission
from problemset.grading.submission.safe_files import shown

Grade = Callable[..., Score]
"""A function like `grade_submission`: takes assignment, folder, out, items and `intake`."""


class GraderError(RuntimeError):
    """The grader in this process differs from the one that the job requires."""


@functools.cache
def _server(reference: str) -> Server:
    """One server for all submissions graded by this process, because preparing it takes seconds."""
    server = open_server(assignment.load(reference))
    atexit.register(server.close)
    return server


def grade_here(homework: Assignment, *submission: Any, **more: Any) -> Score:
    """Grade with this process's server; arguments as in `grade_submission`."""
    return grade_submission(homework, *submission, run=_server(homework.reference).run, **more)


def grade_job(job: Job, grade: Grade = grade_here) -> JobResult:
    """Grade a submission, unless its results exist and still hold.

    If grading the submission fails for any reason, that reason is returned in `says`.

    Args:
        job: the submission; its folder is read once.
        grade: grades a submission that was taken in.

    Raises:
        GraderError: this is not the grader that the job requires.
        WriteError: the job's `out`, or the folder for temporary files, cannot be written.
    """
    homework = assignment.load(job.assignment)
    if graded_results.grader(job.assignment) != job.grader:
        raise GraderError(
            f"{homework.program} or what it grades with has another version here than on the "
            "machine that gave the command; install the same version on both"
        )
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="problemset-class-") as scratch:
            intake = take_in(job.folder, Path(scratch), names=homework.names)
            digest = graded_results.digest(job.grader, job.rubric, intake, job.notebook)
            # nothing has changed, so the existing results hold
            if digest == job.previous:
                return JobResult(digest=digest)
            out = job.out or Path(scratch) / "out"
            score = grade(
                homework, job.folder, out, job.items, intake=intake, notebook=job.notebook
            )
            seconds = time.monotonic() - started
            return JobResult("", digest, seconds, _results(homework, job, score, seconds, intake))
    except file_io.WriteError:
        raise
    except Exception as error:  # a failure must not affect other submissions
        return JobResult(_reason(error, homework.packages), seconds=time.monotonic() - started)


def _reason(error: Exception, packages: Collection[str]) -> str:
    """One line; an error that no submission should cause also names its place in the code."""
    text = str(error)
    if type(error).__module__.partition(".")[0] not in packages:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = (
            f"{type(error).__name__}: {text} (line {place.lineno} of {Path(place.filename).name})"
        )
    return shown(" ".join(text.split()), 500)


def _results(
    homework: Assignment, job: Job, score: Score, seconds: float, intake: Intake
) -> dict[str, bytes]:
    """The content of each result file."""
    drawn = homework.thumbnails(Submission(intake.folder), score)
    texts = {
        "score.json": formats.to_json(score),
        "results.json": json.dumps(formats.gradescope(score, seconds), indent=1) + "\n",
        "junit.xml": formats.junit(score, homework.program),
        "score.txt": formats.text_table(score),
        "page.html": page(job.name, score, job.items, drawn, intake),
    }
    return {name: text.encode("utf-8", "backslashreplace") for name, text in texts.items()}
