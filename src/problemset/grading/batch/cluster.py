"""Distribute the submissions of a class over the worker processes of a Dask cluster.

Each submission is sent to a particular worker process, one at a time. The coordinating process
therefore knows which submission was on a worker that ended, and how long each one has been running,
whatever the scheduler's settings. When a worker ends, only the time of its current work is lost.
Results are returned as data, so a worker that was given up too early can do no harm.
"""

import contextlib
import importlib
import logging
import os
import secrets
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from problemset.grading.batch.job import Grader, Job, JobResult
from problemset.grading.submission.safe_files import shown

TRIES = 3
"""Number of workers that a submission may bring down before it is given up."""
_PAUSE_SECONDS = 0.1
_CONNECTING_SECONDS = 20
_WITHOUT_WORKERS_SECONDS = 90.0  # a killed worker is restarted within seconds
_FETCHING_SECONDS = 60
_RESTARTING_SECONDS = 20
_THREAD_COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class ClusterError(RuntimeError):
    """Dask is not installed, the scheduler does not answer, or there are no workers."""


@contextlib.contextmanager
def local(workers: int) -> Iterator[Any]:
    """Start worker processes on this machine; they end with the block.

    Each gets its share of the CPU cores. Dask sets no memory limit; the checks have their own.

    Yields:
        A Dask client.

    Raises:
        ClusterError: Dask is not installed.
    """
    distributed = _distributed()
    threads = max(1, (os.cpu_count() or 1) // workers)
    # in their environment, because the libraries read these once, when they start
    environment = {name: os.environ.get(name, str(threads)) for name in _THREAD_COUNTS}
    with (
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit=0,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
            env=environment,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@contextlib.contextmanager
def existing(scheduler: str) -> Iterator[Any]:
    """Connect to a running cluster.

    Args:
        scheduler: its address, such as `tcp://10.0.0.5:8786`.

    Yields:
        A Dask client.

    Raises:
        ClusterError: Dask is not installed, or nothing answers at the address.
    """
    distributed = _distributed()
    try:
        client = distributed.Client(scheduler, timeout=_CONNECTING_SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {shown(scheduler)}; start one with `dask scheduler`, "
            "and give the address that it prints"
        ) from error
    with client:
        yield client


def _distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise ClusterError(
            "several workers need Dask, which is not installed; install it with "
            "`.venv/bin/python -m pip install -c constraints.txt -e '.[class]'`"
        ) from error


@dataclass
class _Submission:
    """A job and the state of its execution."""

    number: int
    job: Job
    lost: int = 0
    """Number of workers that ended while they ran it."""
    tried: set[str] = field(default_factory=set)
    future: Any = None
    started: float = 0.0


@dataclass
class Dispatch:
    """Runs jobs on a cluster; use each instance for one call only."""

    client: Any
    """The Dask client."""
    limit_seconds: float
    """Wall-clock limit for one submission on one worker; longer than its own limits allow in
    total."""
    running: dict[str, _Submission] = field(default_factory=dict)
    """The submission that each worker is running, by the worker's address."""
    _waiting: deque[_Submission] = field(default_factory=deque)
    _stuck: set[str] = field(default_factory=set)
    """Addresses of workers that hang and cannot be restarted."""

    def __call__(self, jobs: Sequence[Job], grader: Grader) -> Iterator[tuple[int, JobResult]]:
        """Yield each job's index and result as they arrive.

        Raises:
            ClusterError: the scheduler is gone, or there has been no worker for a while.
        """
        self._waiting.extend(_Submission(n, job) for n, job in enumerate(jobs))
        seen = time.monotonic()
        try:
            while self._waiting or self.running:
                workers = self._workers()
                # the last time that there was a worker
                seen = time.monotonic() if workers else seen
                if time.monotonic() - seen > _WITHOUT_WORKERS_SECONDS:
                    raise ClusterError(
                        f"the cluster has had no worker for {_WITHOUT_WORKERS_SECONDS:.0f} s; "
                        "start some with `dask worker`, then run the same command again"
                    )
                self._hand_out(workers, grader)
                time.sleep(_PAUSE_SECONDS)
                yield from self._collect(workers)
        finally:
            for submission in self.running.values():
                submission.future.cancel()

    def _workers(self) -> set[str]:
        """Addresses of the currently available workers."""
        try:
            return set(self.client.nthreads()) - self._stuck
        except (OSError, TimeoutError) as error:
            raise ClusterError(
                f"the scheduler no longer answers ({shown(error, 200)}); "
                "run the same command again to resume"
            ) from error

    def _hand_out(self, workers: set[str], grader: Grader) -> None:
        """Give each idle worker a submission, preferably one that has not failed on it before."""
        for address in sorted(workers - self.running.keys()):
            if not self._waiting:
                return
            new = (s for s in self._waiting if address not in s.tried)
            # one that failed here waits for a worker that has not tried it, if there is one
            submission = next(new, None)
            if submission is None:
                submission = self._waiting[0]
                if workers - submission.tried:
                    continue
            self._waiting.remove(submission)
            submission.tried.add(address)
            submission.started = time.monotonic()
            # on this worker only and without Dask's retries, so that every loss is counted here
            submission.future = self.client.submit(
                grader,
                submission.job,
                workers=[address],
                allow_other_workers=False,
                pure=False,
                retries=0,
                key=f"problemset-grade-{secrets.token_hex(8)}",
            )
            self.running[address] = submission

    def _collect(self, workers: set[str]) -> Iterator[tuple[int, JobResult]]:
        """Yield finished results, requeue lost submissions, and give up those that hang."""
        for address, submission in list(self.running.items()):
            seconds = time.monotonic() - submission.started
            done: JobResult | None = None
            if submission.future.done():
                done, problem = _result(submission.future)
            elif address not in workers:
                problem = "its process ended"
            elif seconds > self.limit_seconds:
                problem = ""
                done = JobResult(f"took longer than {self.limit_seconds:.0f} s", seconds=seconds)
                self._restart(address)
            else:
                continue
            del self.running[address]
            if done is None:
                done = self._take_back(submission, problem, seconds)
            else:
                # lets the cluster forget the result
                submission.future.release()
            if done is not None:
                yield submission.number, done

    def _take_back(self, submission: _Submission, problem: str, seconds: float) -> JobResult | None:
        """Requeue a submission, unless too many workers have ended with it."""
        submission.future.cancel()
        submission.lost += 1
        if submission.lost < TRIES:
            self._waiting.append(submission)
            return None
        return JobResult(f"given up after {TRIES} workers; the last: {problem}", seconds=seconds)

    def _restart(self, address: str) -> None:
        """Restart a worker that hangs; one that cannot be restarted gets no more work."""
        try:
            self.client.restart_workers(
                [address], timeout=_RESTARTING_SECONDS, raise_for_error=False
            )
        except Exception as error:  # errors of many types can arrive from another machine
            logging.getLogger(__name__).debug("%s was not restarted: %s", address, error)
        # the same process is still there, so the restart failed
        if address in self._workers():
            self._stuck.add(address)


def _result(future: Any) -> tuple[JobResult | None, str]:
    """Return a worker's result, or None and what went wrong with the worker."""
    try:
        done = future.result(timeout=_FETCHING_SECONDS)
    except Exception as error:  # from Dask, from unpickling, or from a worker that is not a grader
        return None, shown(f"{type(error).__name__}: {error}", 300)
    if not isinstance(done, JobResult):
        return None, f"gave {type(done).__name__}, expected JobResult"
    return done, ""
