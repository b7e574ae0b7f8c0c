"""Many runs on one prepared server: each as alone as if it were the only one."""

import os
import signal
import sys
import threading
import time

import psutil
import pytest
from isolated import (  # noqa: F401
    LINUX,
    MIB,
    WIDE,
    Targets,
    call,
    gone,
    look_for_leftovers,
    on,
    servers,
)

from problemset.grading.sandbox import forkserver_client, isolation, pipes
from problemset.grading.sandbox.isolation import Limits

PREPARES = "isolation_targets:prepares"
pytestmark = pytest.mark.skipif(not LINUX, reason="servers prepare on Linux only")


def prepared(environment=None):
    return Targets(prepare=[PREPARES], environment=environment)


def server_process():
    (process,) = servers()
    return process


PIDS = "pids"  # in the test's folder

NASTY = [
    ("leaves_marks", {}, {}, "returned"),
    ("raises", {"kind": "Exit", "message": 0}, {}, "raised"),
    ("recurses", {}, {}, "raised"),
    ("exits", {"code": 0}, {}, "crashed"),
    ("dies", {"number": signal.SIGABRT}, {}, "crashed"),
    ("follows_null", {}, {}, "crashed"),
    ("hangs_ignoring_sigterm", {}, {"wall_seconds": 1.0}, "timed out"),
    ("computes_forever", {"ignoring": True}, {"cpu_seconds": 1}, "timed out"),
    ("allocates", {"size": 10 << 30}, {}, "out of memory"),
    ("shares_memory", {"size": 300 * MIB}, {"memory_bytes": 200 * MIB}, "out of memory"),
    ("writes_file", {"size": 3 * MIB}, {"file_bytes": MIB}, "too large"),
    ("long_text", {"size": 10_000}, {"value_bytes": 1000}, "too large"),
    ("prints", {"size": 5 * MIB}, {}, "returned"),
    ("pretends", {"first": None}, {}, "crashed"),
    ("scribbles_and_returns", {}, {}, "crashed"),
    ("closes_everything", {}, {}, "crashed"),
    ("closes_output", {}, {}, "returned"),
    ("leaves", {"pids": PIDS, "how": "forks", "count": 2, "then": "dies"}, {}, "crashed"),
    (
        "leaves",
        {"pids": PIDS, "how": "forks", "count": 20, "then": "hangs"},
        {"processes": 10},
        "too large",
    ),
    ("leaves", {"pids": PIDS, "how": "session"}, {}, "returned"),
    ("leaves_a_daemon", {"pids": PIDS}, {}, "returned"),
    ("leaves_a_thread", {}, {}, "returned"),
    ("makes_a_mess", {}, {}, "returned"),
    ("ends_its_watcher", {"pids": PIDS, "number": signal.SIGKILL, "before": ""}, {}, "crashed"),
    ("limits_in_force", {}, {"open_files": 30, "cpu_seconds": 3}, "returned"),
]


def test_nothing_leaks_from_one_run_to_the_next(tmp_path):
    pids = tmp_path / PIDS
    pids.touch()
    with prepared({"GIVEN": "1"}) as server:
        clean = on(server, "traces")
        assert (clean.state, clean.says, clean.output) == ("returned", "", "")
        process = server_process()
        open_here = psutil.Process().num_fds()
        assert clean.value["prepared"] == [process.pid]
        assert clean.value["descriptors"] == ["/dev/null", "pipe", "pipe", "pipe"]
        assert (clean.value["marks"], clean.value["files"]) == ([], [])
        assert clean.value["temporary"]
        for function, arguments, limits, state in 2 * NASTY:
            given = arguments | ({"pids": str(pids)} if "pids" in arguments else {})
            ended = on(server, function, Limits(**{"wall_seconds": 60, **limits}), None, **given)
            assert ended.state == state, (function, ended)
            assert all(gone(int(pid)) for pid in pids.read_text("ascii").split())
            pids.write_text("", "ascii")
            assert on(server, "traces").value == clean.value, function
            assert process.children(recursive=True) == []
            assert psutil.Process().num_fds() == open_here
        assert server_process() == process, "one server did all of it"


def test_what_a_run_leaves_in_its_own_process_would_be_seen():
    with prepared() as server:
        clean, marked = on(server, "traces").value, on(server, "marked_traces").value
    assert {name for name in clean if clean[name] == marked[name]} == {"argv"}


def test_preparation_happens_once_and_is_not_printed_again(tmp_path):
    counted = tmp_path / "counted"
    with prepared({"COUNTED_IN": str(counted)}) as server:
        found = [on(server, "traces") for _ in range(3)]
        assert [ended.output for ended in found] == ["", "", ""]
        assert counted.read_text("ascii") == f"{server_process().pid}\n"
    assert [ended.value["prepared"] for ended in found] == 3 * [found[0].value["prepared"]]


def test_the_time_for_preparing_is_over_with_it(monkeypatch):
    monkeypatch.setattr(forkserver_client, "_PREPARING_SECONDS", 3.0)
    with prepared() as server:
        first = on(server, "traces")
        time.sleep(3.0)
        assert on(server, "traces").value["prepared"] == first.value["prepared"]


def test_a_run_may_add_variables_and_the_next_has_them_not(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")  # the preparation asserts that it has one
    with prepared({"GIVEN": "to all", "TZ": "ABC1"}) as server:
        own = {"GIVEN": "to one", "MORE": "1", "TZ": "XYZ2"}
        first = on(server, "surroundings", environment=own).value
        second = on(server, "surroundings").value
    names = ("GIVEN", "MORE", "OMP_NUM_THREADS")
    assert [first["environment"].get(name) for name in names] == ["to one", "1", "3"]
    assert [second["environment"].get(name) for name in names] == ["to all", None, "3"]
    assert [first["time zone"], second["time zone"]] == ["XYZ", "ABC"]
    assert first["folder"] != second["folder"]
    assert first["session"]
    assert os.getsid(0) != first["watcher's session"] != second["watcher's session"]


@pytest.mark.parametrize(
    ("prepare", "says", "output"),
    [
        ("fails_to_prepare", "ValueError: two lines", "ValueError: two\nlines\n"),
        ("absent", "AttributeError: module 'isolation_targets' has no attribute 'absent'", ""),
        ("exits_while_preparing", "ended with exit status 3", ""),
        ("follows_null", "ended by SIGSEGV", ""),
        ("hangs_while_preparing", "took longer than 1 s", ""),
        ("ignores_the_alarm_while_preparing", "took longer than 1 s", ""),
    ],
)
def test_what_cannot_be_prepared_is_said_by_each_run(tmp_path, monkeypatch, prepare, says, output):
    monkeypatch.setattr(forkserver_client, "_PREPARING_SECONDS", 1.0 if "1 s" in says else 60.0)
    monkeypatch.setattr(forkserver_client, "_ANSWER_SECONDS", 1.0)
    counted = tmp_path / "counted"
    with Targets([PREPARES, f"isolation_targets:{prepare}"], {"COUNTED_IN": str(counted)}) as own:
        first, second = on(own, "echo"), on(own, "echo")
        assert servers() == []
    assert (first.state, first.value) == ("crashed", None)
    assert first.says == f"could not be prepared: {says}"
    assert first.output.endswith(output)
    assert first == second
    tried = counted.read_text("ascii").split() if counted.exists() else []
    assert len(tried) <= 1 + (prepare == "fails_to_prepare"), "not again for the second run"


def test_another_module_is_not_prepared():
    with pytest.raises(ValueError, match="'os:getcwd', expected problemset"):
        isolation.Server(prepare=["os:getcwd"])


def test_nothing_is_prepared_where_libraries_do_not_survive_a_fork(monkeypatch):
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(sys, "platform", "darwin")
        server = prepared()
    with server:
        assert on(server, "traces").value["prepared"] == []


def test_a_closed_server_runs_nothing():
    with prepared() as server:
        assert on(server, "echo").state == "returned"
    with pytest.raises(ValueError, match="the server is closed, expected an open one"):
        on(server, "echo")
    server.close()


def test_a_server_without_a_block_starts_with_the_first_run():
    server = prepared()
    assert servers() == []
    assert len(on(server, "traces").value["prepared"]) == 1
    server.close()


@pytest.mark.parametrize(
    ("number", "then", "state"),
    [
        (signal.SIGKILL, "returns", "returned"),  # an answer that is proved stays one
        (signal.SIGSTOP, "returns", "returned"),
        (signal.SIGKILL, "kills the watcher", "crashed"),
        (signal.SIGSTOP, "kills the watcher", "crashed"),
    ],
)
def test_a_server_that_a_check_ends_is_replaced(monkeypatch, number, then, state):
    with prepared() as server:
        before = on(server, "traces").value
        with monkeypatch.context() as impatient:
            impatient.setattr(forkserver_client, "_ANSWER_SECONDS", 1.0)
            assert on(server, "attacks_the_server", number=number, then=then).state == state
        after = on(server, "traces").value
        assert after["prepared"] == [server_process().pid] != before["prepared"]
        own = {"prepared": [], "limits": {}}  # limits: by a page or two of what is reserved
        assert after | own == before | own
    assert all(map(gone, before["prepared"]))


def test_a_server_that_ends_costs_no_other_run():
    """Runs under way go on to their own end."""
    found = {}
    with prepared() as server:
        on(server, "echo")

        def one(name, function, **arguments):
            found[name] = on(server, function, **arguments)

        slow = threading.Thread(target=one, args=("slow", "echo_late"), kwargs={"seconds": 1.5})
        slow.start()
        time.sleep(0.5)
        one("attack", "attacks_the_server", number=signal.SIGKILL)
        one("next", "echo", number=1)
        slow.join()
    assert {name: ended.state for name, ended in found.items()} == dict.fromkeys(
        ("attack", "next", "slow"), "returned"
    )


def test_several_at_a_time_do_not_mix():
    found, here = {}, psutil.Process()
    others = here.children(recursive=True)
    with prepared() as server:

        def one(number):
            if number % 3 == 0:
                found[number] = on(server, "exits", code=number)
            else:
                found[number] = on(server, "echo", number=number)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len([p for p in here.children(recursive=True) if p not in others]) == 1
    for number, ended in found.items():
        crashed = f"ended with exit status {number} without the function's answer"
        expected = (None, crashed) if number % 3 == 0 else ({"number": number}, "")
        assert (ended.value, ended.says) == expected


@pytest.mark.parametrize("when", ["preparing", "forking", "running", "reaping"])
def test_an_interrupted_grader_leaves_nothing_and_may_go_on(tmp_path, monkeypatch, when):
    pids = tmp_path / "pids"
    hear, collect = forkserver_client.Host._hear, pipes._collect
    heard = []

    def interrupting(self, seconds):
        line = hear(self, seconds)
        heard.append(line)
        if len(heard) == {"preparing": 1, "forking": 2, "reaping": 3}.get(when):
            raise KeyboardInterrupt
        return line

    def interrupted(streams, report, deadline):
        monkeypatch.setattr(pipes, "_collect", collect)
        collect(streams, report, time.monotonic() + 0.3)
        raise KeyboardInterrupt

    monkeypatch.setattr(forkserver_client.Host, "_hear", interrupting)
    if when == "running":
        monkeypatch.setattr(pipes, "_collect", interrupted)
    with prepared() as server:
        then = "hangs" if when == "running" else "returns"
        with pytest.raises(KeyboardInterrupt):
            on(server, "leaves", pids=str(pids), how="session", then=then)
        assert on(server, "echo", number=1).value == {"number": 1}
        assert [p.children() for p in servers()] == [[]]


def test_a_server_ends_when_its_parent_is_gone_also_while_it_prepares(monkeypatch):
    monkeypatch.setattr(forkserver_client, "_PREPARING_SECONDS", 2.0)
    for function in ("prepares", "hangs_while_preparing"):
        started = forkserver_client.Host(Targets._folders, [f"isolation_targets:{function}"], {})
        process = psutil.Process(started._process.pid)
        started._control.close()  # as the system does for a parent that has died
        assert gone(process.pid)
        started.close()


def test_a_run_without_memory_for_a_process_is_told(monkeypatch):
    monkeypatch.setattr(
        forkserver_client.Host, "_hear", lambda self, seconds: "[Errno 11] no more processes"
    )
    ended = call("echo")
    assert ended.says == "could not be started: [Errno 11] no more processes"


def test_limits_hold_on_a_prepared_server():
    with prepared() as server:
        limits = Limits(cpu_seconds=7.4, memory_bytes=300 * MIB, file_bytes=5, open_files=60)
        found = on(server, "limits_in_force", limits).value
        assert 300 * MIB < found.pop("DATA") < 320 * MIB
        assert found == {"CORE": 0, "CPU": 7, "FSIZE": 5, "NOFILE": 60}
        assert on(server, "echo").state == "returned"


def test_what_is_prepared_and_held_counts_what_is_only_reserved_does_not():
    with Targets(prepare=["isolation_targets:holds_and_reserves"]) as server:
        ended = on(server, "echo", Limits(memory_bytes=100 * MIB))
        assert (ended.state, ended.says) == ("out of memory", "held more than 100 MiB")
        for size, state in ((50, "returned"), (200, "out of memory")):
            ended = on(server, "allocates", Limits(memory_bytes=300 * MIB), size=size * MIB)
            assert ended.state == state
        ended = on(server, "echo", Limits(memory_bytes=300 * MIB))
        assert 150 * MIB < ended.peak_bytes < 250 * MIB
