"""Print the sabotage suite as a table: each broken submission, the points it must lose, and lost.

Run by `make sabotage`. Takes the report's own submission, breaks a copy for every case of
sabotage.py, and grades each copy as `latentwalk grade` does, every check in a process of its own.
Exit code 1: a case lost other points than it must.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sabotage

from latentwalk.assignment import ASSIGNMENT
from problemset import rubric
from problemset.grading.hand_in import packing
from problemset.grading.runner.grade_submission import Run, grade_submission, open_server
from problemset.grading.score.outcome import BROKEN, FAILED
from problemset.rubric import Item

WITH_NOTEBOOK = [*sabotage.HONEST, *sabotage.NOTEBOOK]  # it is run again, which takes minutes
CASES = [*sabotage.ARRAYS, *sabotage.WEIGHTS, *sabotage.FORMULAS, *sabotage.CLAIMS]


def lost(items: Collection[Item], failed: Collection[str]) -> dict[str, float]:
    """Points that failing checks cost, by item."""
    points = {
        item.id: sum(check.points for check in item.checks if check.check in failed)
        for item in items
    }
    return {item: cost for item, cost in points.items() if cost}


def words(points: dict[str, float]) -> str:
    """As in `2d -3, 2e -4`."""
    return ", ".join(f"{item} -{cost:g}" for item, cost in points.items()) or "nothing"


def failed(case: sabotage.Case, good: Path, items: Sequence[Item], run: Run) -> set[str]:
    """Grade a copy of the good submission after it was broken: the checks that fail."""
    with tempfile.TemporaryDirectory(prefix="latentwalk-case-") as scratch:
        copy = shutil.copytree(good, Path(scratch) / "submission")
        case.spoil(copy)
        score = grade_submission(
            ASSIGNMENT, copy, Path(scratch) / "out", items, notebook=case in WITH_NOTEBOOK, run=run
        )
    return {outcome.check for outcome in score.outcomes if outcome.state in (FAILED, BROKEN)}


def main() -> int:
    """Grade every case, as many at a time as there are cores, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--after", help="go on after this case, the last row of an earlier run")
    options = parser.parse_args()
    cases = [case for case in (*WITH_NOTEBOOK, *CASES) if options.only in case.name]
    if options.after is not None:
        order = [case.name for case in cases]
        if options.after not in order:
            parser.error(f"--after is {options.after!r}, expected the whole name of a case")
        cases = cases[order.index(options.after) + 1 :]
    os.environ["OMP_NUM_THREADS"] = "1"  # of each case; as many cases run as there are cores
    items = rubric.load()
    wrong = 0
    with (
        tempfile.TemporaryDirectory(prefix="latentwalk-sabotage-") as scratch,
        open_server(ASSIGNMENT) as server,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        good = Path(scratch) / "good"
        missing = packing.pack(ASSIGNMENT, good).missing
        if missing:
            print(f"no whole submission: {missing[0]} is missing; make it first with `make report`")
            return 1
        print(f"{'case':<50} {'must lose':<44} lost")
        found = pool.map(lambda case: failed(case, good, items, server.run), cases)
        for case, names in zip(cases, found, strict=True):
            must, really = (words(lost(items, each)) for each in (case.caught_by, names))
            right = case.caught_by <= names <= case.caught_by | case.perhaps
            wrong += not right
            verdict = "" if right else "  WRONG"
            print(f"{case.name:<50} {must:<44} {really}{verdict}", flush=True)
    print(f"{len(cases) - wrong} of {len(cases)} submissions lost what they must, and no more")
    return 1 if wrong or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
