"""How long a class takes, with what goes wrong in one: a hanging submission, a memory bomb, a
worker that is killed half-way.

    python bench/class.py submission --copies 200 --workers 8

The copies hold the same files under other names, so each is graded in full. The hanging one is
played: it sleeps on its worker until the limit, since nothing that is only read can hang. Run it
with nothing else on the machine. Three numbers are printed beside the wall time:

    alone   seconds of one copy on an idle worker, measured first
    busy    seconds that all submissions spent on workers, the lost tries not counted
    ideal   alone times the copies, the hanging one's limit added, shared by the workers;
            ratio is the wall time over it
"""

import argparse
import functools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from latentwalk.assignment import ASSIGNMENT
from latentwalk.training import provenance
from problemset import rubric, workspace
from problemset.grading.batch import cluster, grade_class, roster
from problemset.grading.batch.grade_job import grade_job
from problemset.grading.batch.job import Grader, Job, JobResult
from problemset.grading.batch.roster import Row

HANGING, BOMB, COPY = "hanging", "bomb", "copy"
BOMB_ENTRIES = 1 << 28  # float32 zeros: 1 GiB, packed into a megabyte


@dataclass(frozen=True)
class Timing:
    """How one class went."""

    rows: Sequence[Row]
    wall_seconds: float
    alone_seconds: float
    limit_seconds: float
    workers: int

    @property
    def ideal_seconds(self) -> float:
        """What it would take if nothing but the grading took time."""
        hanging = sum(row.place.name == HANGING for row in self.rows)
        work = self.alone_seconds * (len(self.rows) - hanging) + self.limit_seconds * hanging
        return work / self.workers

    def lines(self) -> list[str]:
        """The numbers."""
        busy, count = sum(row.seconds for row in self.rows), len(self.rows)
        broken = [row.place.name for row in self.rows if row.score is None]
        return [
            f"{count} submissions, {self.workers} workers, not graded: {', '.join(broken) or '-'}",
            f"wall {self.wall_seconds:.1f} s, {self.wall_seconds / count:.2f} s a submission",
            f"alone {self.alone_seconds:.1f} s, busy {busy:.1f} s",
            f"ideal {self.ideal_seconds:.1f} s, ratio {self.wall_seconds / self.ideal_seconds:.2f}",
        ]


def hand_in(good: Path, folder: Path, copies: int) -> list[Path]:
    """Make the class: copies by another name, the hanging one first, the bomb in the middle."""
    names = [f"{COPY}-{n:03}" for n in range(copies)]
    for name in (HANGING, BOMB, *names):
        shutil.copytree(good, folder / name)
    plant_bomb(folder / BOMB / "results/4d.npz", BOMB_ENTRIES)
    middle = copies // 2
    return [folder / name for name in (HANGING, *names[:middle], BOMB, *names[middle:])]


def plant_bomb(archive: Path, entries: int) -> None:
    """Let an archive unpack to far more than it is."""
    np.savez_compressed(archive, images=np.zeros(entries, np.float32))


def grade_or_hang(job: Job, grader: Grader = grade_job) -> JobResult:
    """Grade, except for the one that hangs."""
    if job.name == HANGING:
        while True:
            time.sleep(60)
    return grader(job)


@dataclass
class Disturbed:
    """A cluster of whose workers one is killed when half of the class is done."""

    dispatch: cluster.Dispatch

    def __call__(self, jobs: Sequence[Job], grader: Grader) -> Iterator[tuple[int, JobResult]]:
        """Carry out jobs."""
        for done, outcome in enumerate(self.dispatch(jobs, grader)):
            if done == len(jobs) // 2:
                self.kill_one()
            yield outcome

    def kill_one(self) -> None:
        """Kill a worker that grades, not the one that hangs."""
        pids = self.dispatch.client.run(os.getpid)
        busy = [a for a, s in self.dispatch.running.items() if s.job.name != HANGING]
        if busy:
            os.kill(pids[busy[0]], signal.SIGKILL)


def measure(good: Path, folder: Path, copies: int, workers: int, limit_seconds: float) -> Timing:
    """Grade one copy alone, then the class."""
    items, text = rubric.load(known=ASSIGNMENT.checks()), workspace.rubric_file().read_text("utf-8")
    class_ = hand_in(good, folder / "in", copies)
    grade = functools.partial(
        grade_class.grade_class,
        ASSIGNMENT.reference,
        items=items,
        rubric=text,
        grader=grade_or_hang,
        notebook=False,
    )
    with cluster.local(workers) as client:
        dispatch = functools.partial(cluster.Dispatch, client, limit_seconds)
        places = roster.places(class_, folder / "out")
        copy = next(place for place in places if place.name.startswith(COPY))
        (alone,) = grade([copy], folder / "out", grade_all=dispatch())
        if alone.score is None:
            raise SystemExit(f"{good} cannot be graded: {alone.says}")
        started = time.monotonic()
        rows = grade(places, folder / "out", grade_all=Disturbed(dispatch()), again=True)
        wall_seconds = time.monotonic() - started
    return Timing(rows, wall_seconds, alone.seconds, limit_seconds, workers)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("submission", type=Path, help="a good one, from `latentwalk pack`")
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2, help="2 or more: one of them hangs")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds until one hangs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="latentwalk-class-") as folder:
        timing = measure(
            options.submission, Path(folder), options.copies, options.workers, options.limit
        )
    processor = provenance.device_name(torch.device("cpu"))
    print("\n".join([f"{processor}, {os.cpu_count()} cores", *timing.lines()]))


if __name__ == "__main__":
    main()
