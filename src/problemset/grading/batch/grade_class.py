"""Grade a class: each submission once, with results and table written as they arrive."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from problemset.grading.batch import graded_results, roster
from problemset.grading.batch.graded_results import CachedGrade
from problemset.grading.batch.job import Grader, Job, JobResult
from problemset.grading.batch.roster import Place, Row
from problemset.grading.results.formats import points
from problemset.rubric import Item

_LOG = logging.getLogger(__name__)

GradeAll = Callable[[Sequence[Job], Grader], Iterator[tuple[int, JobResult]]]
"""Runs all jobs; yields each one's index in the list and its result, in any order."""


def one_by_one(jobs: Sequence[Job], grader: Grader) -> Iterator[tuple[int, JobResult]]:
    """Run the jobs in this process, in order."""
    for n, job in enumerate(jobs):
        yield n, grader(job)


def grade_class(
    assignment: str,
    submissions: Sequence[Place],
    out: Path,
    items: Sequence[Item],
    rubric: str,
    *,
    grader: Grader,
    grade_all: GradeAll = one_by_one,
    again: bool = False,
    notebook: bool = True,
) -> list[Row]:
    """Grade the submissions of a class.

    Args:
        assignment: reference of the assignment.
        submissions: from `roster.places`.
        out: folder for the table, which is written if there are several submissions.
        items: the rubric.
        rubric: its text.
        grader: grades one submission.
        grade_all: runs `grader` for all of them.
        again: whether to regrade submissions whose results still hold.
        notebook: whether to run their notebooks.

    Returns:
        One row per submission, in their order.

    Raises:
        WriteError: the results cannot be written.
    """
    previous = {} if again else {place: graded_results.read(place.out) for place in submissions}
    here = grade_all is one_by_one
    jobs = [
        _job(assignment, place, items, rubric, previous.get(place), notebook, here)
        for place in submissions
    ]
    rows: dict[int, Row] = {}
    with tqdm(total=len(jobs), unit="submission", disable=None, leave=False) as bar:
        if bar.disable:
            one = len(submissions) == 1
            _LOG.info("grading %s", submissions[0].name if one else f"{len(jobs)} submissions")
        for n, done in grade_all(jobs, grader):
            place = submissions[n]
            rows[n] = _row(place, done, previous.get(place))
            if len(submissions) > 1:
                roster.write(out, [rows[k] for k in sorted(rows)], items)
            bar.update()
            bar.set_postfix_str(place.name[:30])
            if bar.disable:
                _LOG.info("%d of %d: %s", len(rows), len(jobs), _brief(rows[n]))
    return [rows[n] for n in range(len(submissions))]


def _job(
    assignment: str,
    place: Place,
    items: Iterable[Item],
    rubric: str,
    previous: CachedGrade | None,
    notebook: bool,
    here: bool,
) -> Job:
    digest = previous.digest if previous else ""
    # with a cluster only the coordinator writes: a worker presumed dead may still be running
    live = place.out if here else None
    grader = graded_results.grader(assignment)
    return Job(
        assignment, place.folder, place.name, tuple(items), rubric, grader, digest, notebook, live
    )


def _row(place: Place, done: JobResult, previous: CachedGrade | None) -> Row:
    """Write the results of a submission and return its row."""
    if done.says:
        return Row(place, None, done.seconds, done.says)
    if previous is not None and done.digest == previous.digest and not done.results:
        return Row(place, previous.score, previous.seconds, kept=True)
    try:
        score = graded_results.write(place.out, done.digest, done.seconds, done.results)
    except (KeyError, ValueError) as error:
        return Row(place, None, done.seconds, f"the results came back damaged: {error}")
    return Row(place, score, done.seconds)


def _brief(row: Row) -> str:
    if row.score is None:
        return f"{row.place.name}: not graded: {row.says}"
    sums = f"{points(row.score.reached)} of {points(row.score.possible)} points"
    kept = ", graded before" if row.kept else ""
    return f"{row.place.name}: {sums} ({row.seconds:.0f} s{kept}), results in {row.place.out}"
