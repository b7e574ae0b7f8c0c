"""Grade a class: each submission once, with results and table written as they arrive."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from latentwalk.grading import finished
from latentwalk.grading.finished import Finished
from problemset import workspace
from problemset.grading.batch import roster
from problemset.grading.batch.job import CarryOut, Done, Task
from problemset.grading.batch.roster import Place, Row
from problemset.grading.results.formats import points
from problemset.rubric import Item

CarryOutAll = Callable[[Sequence[Task], CarryOut], Iterator[tuple[int, Done]]]
"""Carries out all tasks; yields each one's index in the list and its result, in any order."""


def one_by_one(tasks: Sequence[Task], carry_out: CarryOut) -> Iterator[tuple[int, Done]]:
    """Carry out the tasks in this process, in order."""
    for n, task in enumerate(tasks):
        yield n, carry_out(task)


def grade_class(
    class_: Sequence[Place],
    out: Path,
    items: Sequence[Item],
    rubric: str,
    *,
    carry_out: CarryOut,
    carry_out_all: CarryOutAll = one_by_one,
    again: bool = False,
    notebook: bool = True,
    say: workspace.Say = lambda line: None,
) -> list[Row]:
    """Grade the submissions of a class.

    Args:
        class_: from `roster.places`.
        out: folder for the table, which is written if there are several submissions.
        items: the rubric.
        rubric: its text.
        carry_out: grades one submission.
        carry_out_all: runs `carry_out` for all of them.
        again: whether to regrade submissions whose results still hold.
        notebook: whether to run their notebooks.
        say: called with one line per submission, unless there is a progress bar.

    Returns:
        One row per submission, in their order.

    Raises:
        WriteError: the results cannot be written.
    """
    known = {} if again else {place: finished.read(place.out) for place in class_}
    here = carry_out_all is one_by_one
    tasks = [_task(place, items, rubric, known.get(place), notebook, here) for place in class_]
    rows: dict[int, Row] = {}
    with tqdm(total=len(tasks), unit="submission", disable=None, leave=False) as bar:
        if bar.disable:
            say(
                f"grading {len(class_)} submissions"
                if len(class_) > 1
                else f"grading {class_[0].name}"
            )
        for n, done in carry_out_all(tasks, carry_out):
            place = class_[n]
            rows[n] = _row(place, done, known.get(place))
            if len(class_) > 1:
                roster.write(out, [rows[k] for k in sorted(rows)], items)
            bar.update()
            bar.set_postfix_str(place.name[:30])
            if bar.disable:
                say(f"{len(rows)} of {len(tasks)}: {_brief(rows[n])}")
    return [rows[n] for n in range(len(class_))]


def _task(
    place: Place,
    items: Iterable[Item],
    rubric: str,
    known: Finished | None,
    notebook: bool,
    here: bool,
) -> Task:
    digest = known.digest if known else ""
    # with a cluster only the coordinator writes: a worker presumed dead may still be running
    live = place.out if here else None
    return Task(
        place.folder, place.name, tuple(items), rubric, finished.grader(), digest, notebook, live
    )


def _row(place: Place, done: Done, known: Finished | None) -> Row:
    """Write the results of a submission and return its row."""
    if done.says:
        return Row(place, None, done.seconds, done.says)
    if known is not None and done.digest == known.digest and not done.results:
        return Row(place, known.score, known.seconds, kept=True)
    try:
        score = finished.write(place.out, done.digest, done.seconds, done.results)
    except (KeyError, ValueError) as error:
        return Row(place, None, done.seconds, f"the results came back damaged: {error}")
    return Row(place, score, done.seconds)


def _brief(row: Row) -> str:
    if row.score is None:
        return f"{row.place.name}: not graded: {row.says}"
    sums = f"{points(row.score.reached)} of {points(row.score.possible)} points"
    kept = ", graded before" if row.kept else ""
    return f"{row.place.name}: {sums} ({row.seconds:.0f} s{kept}), results in {row.place.out}"
