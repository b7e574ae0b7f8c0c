"""Grading on a cluster: who gets what, and what a lost or hanging worker costs.

Most tests are with workers that are played; the last ones start two of Dask's own.
"""

import os
import sys
from pathlib import Path

import class_targets
import pytest

from problemset.grading.batch import cluster
from problemset.grading.batch.cluster import ClusterError, Dispatch
from problemset.grading.batch.job import JobResult


class Future:
    def __init__(self, outcome):
        self.outcome, self.cancelled = outcome, False

    def done(self):
        return self.outcome is not None

    def result(self, timeout):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def cancel(self):
        self.cancelled = True

    def release(self):
        pass


class Played:
    """Plays a cluster: a submission is called after what it does to its worker."""

    def __init__(self, *workers):
        self.workers, self.given, self.futures, self.restarted = list(workers), [], [], []
        self.fresh = 0
        self.can_restart = True

    def nthreads(self):
        return dict.fromkeys(self.workers, 1)

    def submit(self, grader, job, *, workers, allow_other_workers, pure, retries, key):
        (address,) = workers
        assert not allow_other_workers
        self.given.append((job.name, address))
        does = job.name.split()[0]
        tries = sum(name == job.name for name, _ in self.given)
        outcome = JobResult(digest=job.name)
        if does == "killer" or (does == "once" and tries == 1):
            self.replace(address)
            outcome = None
        elif does == "hang":
            outcome = None
        elif does == "raise" or (does == "stumble" and tries == 1):
            outcome = ValueError("cannot be\nunpacked")
        elif does == "odd":
            outcome = "no outcome"
        self.futures.append(Future(outcome))
        return self.futures[-1]

    def replace(self, address):
        self.fresh += 1
        self.workers[self.workers.index(address)] = f"{address}.{self.fresh}"

    def restart_workers(self, workers, *, timeout, raise_for_error):
        self.restarted += workers
        if self.can_restart:
            self.replace(workers[0])


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(cluster, "_PAUSE_SECONDS", 0.0)


def tasks(*names):
    return [class_targets.job(Path("/in") / name) for name in names]


def outcomes(client, *names, limit_seconds=600.0):
    found = dict(Dispatch(client, limit_seconds)(tasks(*names), class_targets.harm))
    assert sorted(found) == list(range(len(names)))
    return [found[n].says or found[n].digest for n in range(len(names))]


def test_each_worker_has_one_submission_at_a_time():
    client = Played("a", "b")
    names = [f"fine {n}" for n in range(7)]
    assert outcomes(client, *names) == names
    pairs = [client.given[n : n + 2] for n in range(0, 6, 2)]
    assert all({worker for _, worker in pair} == {"a", "b"} for pair in pairs)
    assert len(client.given) == 7


def test_a_lost_worker_costs_time_only():
    client = Played("a", "b")
    assert outcomes(client, "once", "fine 1", "fine 2") == ["once", "fine 1", "fine 2"]
    tried = [worker for name, worker in client.given if name == "once"]
    assert len(tried) == 2
    assert tried[0] != tried[1]
    assert client.futures[0].cancelled, "its first try must not come back"


def test_what_kills_three_workers_is_given_up_and_blamed_alone():
    client = Played("a", "b")
    names = ["killer", *(f"fine {n}" for n in range(6))]
    found = outcomes(client, *names)
    assert found[0] == "given up after 3 workers; the last: its process ended"
    assert found[1:] == names[1:]
    counts = [sum(name == given for given, _ in client.given) for name in names]
    assert counts == [3, 1, 1, 1, 1, 1, 1]


def test_what_a_worker_cannot_do_is_tried_elsewhere():
    client = Played("a", "b")
    assert outcomes(client, "stumble") == ["stumble"]
    assert client.given == [("stumble", "a"), ("stumble", "b")]
    client = Played("a")
    assert outcomes(client, "stumble") == ["stumble"], "there is nowhere else"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("raise", r"the last: ValueError: cannot be\nunpacked"),
        ("odd", "gave str, expected JobResult"),
    ],
)
def test_what_no_worker_can_do_is_given_up(name, says):
    found = outcomes(Played("a", "b"), name, "fine")
    assert found[0].startswith("given up after 3 workers; ")
    assert found[0].endswith(says)
    assert found[1] == "fine"


def test_what_hangs_is_given_up_and_its_worker_restarted():
    client = Played("a", "b")
    found = outcomes(client, "hang", "fine 1", "fine 2", limit_seconds=0.05)
    assert found == ["took longer than 0 s", "fine 1", "fine 2"]
    assert client.restarted == ["a"]


def test_a_worker_that_cannot_be_restarted_gets_nothing_more(monkeypatch):
    monkeypatch.setattr(cluster, "_WITHOUT_WORKERS_SECONDS", 0.05)
    client = Played("a", "b")
    client.can_restart = False
    with pytest.raises(ClusterError, match="no worker"):
        outcomes(client, "hang 1", "hang 2", "fine", limit_seconds=0.05)
    assert client.given == [("hang 1", "a"), ("hang 2", "b")]


def test_a_worker_that_joins_gets_its_share():
    client = Played("a")
    for n, _ in enumerate(Dispatch(client, 600.0)(tasks(*"123456"), class_targets.harm)):
        if n == 0:
            client.workers.append("b")
    assert "b" in {worker for _, worker in client.given}


def test_without_workers_one_line_says_so(monkeypatch):
    monkeypatch.setattr(cluster, "_WITHOUT_WORKERS_SECONDS", 0.05)
    with pytest.raises(ClusterError, match="has had no worker for 0 s; start some"):
        outcomes(Played(), "fine")


def test_a_scheduler_that_is_gone_ends_it_and_takes_everything_back():
    client = Played("a")
    grading = Dispatch(client, 600.0)(tasks("hang", "fine"), class_targets.harm)

    def gone():
        raise OSError("closed")

    def gone_after_one_look():
        client.nthreads = gone
        return {"a": 1}

    client.nthreads = gone_after_one_look
    with pytest.raises(ClusterError, match=r"no longer answers \(closed\)"):
        next(grading)
    assert client.futures[0].cancelled


# two workers of Dask's own


@pytest.fixture(scope="module")
def client():
    pytest.importorskip("distributed", reason="Dask is not installed; the extra [class] has it")
    with cluster.local(2) as client:
        yield client


def really(client, folder, *names, limit_seconds=class_targets.LONG):
    given = [class_targets.job(folder / name) for name in names]
    return dict(Dispatch(client, limit_seconds)(given, class_targets.harm))


def test_a_worker_killed_half_way_costs_nothing_else(client, tmp_path):
    names = ("once", "fine 1", "fine 2", "killer", "fine 3")
    found = really(client, tmp_path, *names)
    assert [found[n].digest for n in (0, 1, 2, 4)] == ["once", "fine 1", "fine 2", "fine 3"]
    assert found[3].says == "given up after 3 workers; the last: its process ended"
    workers = {int(found[n].results["worker"]) for n in (0, 1, 2, 4)}
    assert os.getpid() not in workers
    assert (tmp_path / "once.tried").exists()


def test_a_hanging_worker_is_ended_and_the_others_go_on(client, tmp_path):
    before = set(client.nthreads())
    found = really(client, tmp_path, "hang", limit_seconds=1)
    assert found[0].says == "took longer than 1 s"
    assert set(client.nthreads()) != before
    assert really(client, tmp_path, "fine")[0].digest == "fine"


def test_a_scheduler_that_runs_already_is_joined(client, tmp_path):
    with cluster.existing(client.scheduler.address) as other:
        assert really(other, tmp_path, "fine")[0].digest == "fine"


def test_no_scheduler_is_one_line(monkeypatch):
    pytest.importorskip("distributed", reason="Dask is not installed; the extra [class] has it")
    monkeypatch.setattr(cluster, "_CONNECTING_SECONDS", 0.5)
    with (
        pytest.raises(ClusterError, match="no Dask scheduler answers at tcp:"),
        cluster.existing("tcp://127.0.0.1:9"),
    ):
        pass


def test_dask_is_asked_for_by_name_only(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    for hold in (cluster.local(2), cluster.existing("tcp://127.0.0.1:9")):
        with pytest.raises(ClusterError, match="need Dask"), hold:
            pass
