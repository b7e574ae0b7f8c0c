"""Print the sabotage suite as a table: each broken submission, the points it must lose, and lost.

Run by `make sabotage`. Takes the report's own submission, breaks a copy for every case of
sabotage.py, and grades each copy as `latentwalk grade` does, every check in a process of its own.
Exit code 1: a case lost other points than it must.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

import sabotage

from latentwalk import rubric
from latentwalk.grading import packing
from latentwalk.grading.grade import grade, open_server
from latentwalk.grading.outcome import BROKEN, FAILED
from latentwalk.rubric import Item

CASES = [*sabotage.ARRAYS, *sabotage.WEIGHTS, *sabotage.FORMULAS, *sabotage.CLAIMS]
CASES += sabotage.NOTEBOOK  # the only ones whose notebook is run: it takes minutes
HONEST = (
    sabotage.Case("honest: the good submission itself", lambda folder: None, frozenset()),
    sabotage.Case("honest: a tenth of the steps, another seed", sabotage.train_again, frozenset()),
)


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


def main() -> int:
    """Grade every case and print its row as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    options = parser.parse_args()
    items = rubric.load()
    wrong = 0
    with (
        tempfile.TemporaryDirectory(prefix="latentwalk-sabotage-") as scratch,
        open_server() as server,
    ):
        good = Path(scratch) / "good"
        missing = packing.pack(good).missing
        if missing:
            print(f"no whole submission: {missing[0]} is missing; make it first with `make report`")
            return 1
        cases = [case for case in (*HONEST, *CASES) if options.only in case.name]
        print(f"{'case':<50} {'must lose':<44} lost")
        for number, case in enumerate(cases):
            copy = shutil.copytree(good, Path(scratch) / f"case-{number}")
            case.spoil(copy)
            notebook = case in HONEST or case in sabotage.NOTEBOOK
            out = Path(scratch) / f"out-{number}"
            score = grade(copy, out, items, notebook=notebook, run=server.run)
            shutil.rmtree(copy)
            failed = {o.check for o in score.outcomes if o.state in (FAILED, BROKEN)}
            found, must = lost(items, failed), lost(items, case.caught_by)
            wrong += failed != case.caught_by
            verdict = "" if failed == case.caught_by else "  WRONG"
            print(f"{case.name:<50} {words(must):<44} {words(found)}{verdict}", flush=True)
    print(f"{len(cases) - wrong} of {len(cases)} submissions lost exactly what they must")
    return 1 if wrong or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
