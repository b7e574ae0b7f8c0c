import json
import math
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from isolated import FOLDERS, LINUX, MIB, WIDE, call, gone, look_for_leftovers  # noqa: F401

from problemset.grading.sandbox import forkserver_client, isolation, pipes
from problemset.grading.sandbox.isolation import Limits


def test_a_value_comes_back():
    sent = {
        "none": None,
        "yes": True,
        "whole": -3,
        "real": 0.1,
        "text": "é\n\x00\u2028😀",
        "list": [1, [2.5, {}]],
        "object": {"": {"b": []}},
    }
    started = time.monotonic()
    ended = call("echo", **sent)
    assert time.monotonic() - started < WIDE.wall_seconds, "nobody waited for a limit"
    assert (ended.state, ended.value, ended.says, ended.output) == ("returned", sent, "", "")
    assert ended.seconds > 0
    assert ended.peak_bytes > MIB


@pytest.mark.parametrize("size", [70_000, 900_000])
def test_large_arguments_and_values_pass_the_pipes(size):
    text = "0123456789" * (size // 10)
    assert call("echo", text=text).value == {"text": text}


def test_the_package_itself_is_found_with_no_help_from_the_environment(tmp_path):
    ended = isolation.run("problemset.render.escape:plain", {"text": " a\x00\nb"}, WIDE)
    assert (ended.state, ended.value) == ("returned", "a\ufffd b")
    path = str(tmp_path / "student.yml")
    ended = isolation.run("problemset.student:load", {"path": path}, WIDE)
    # a text is not a Path: the function was found and called, and its own error comes back
    assert (ended.state, ended.says.split(":")[0]) == ("raised", "AttributeError")
    assert str(Path(isolation.__file__).parents[2] / "student.py") in ended.output, "this copy"


@pytest.mark.parametrize(
    "target",
    [
        "os:getcwd",
        "problemset:run",
        "problemsetx.a:b",
        "problemset.student",
        "problemset.student:a.b",
        "problemset..student:a",
        "problemset.student:",
        "problemset.student:a\n",
        "problemset.student:a:b",
        "x.problemset.student:a",
        "isolation_targets:echo",
        "latentwalk.paths:a",
        "",
    ],
)
def test_other_modules_are_refused(target):
    with pytest.raises(ValueError, match=r"expected problemset\.module:function") as caught:
        isolation.run(target, {}, WIDE)
    assert repr(target) in str(caught.value)


@pytest.mark.parametrize("value", [{1}, b"x", math.nan, object(), Path()])
def test_arguments_that_are_not_json_are_refused(value):
    with pytest.raises(ValueError, match="arguments of isolation_targets:echo are not JSON"):
        call("echo", value=[value])


@pytest.mark.parametrize("name", Limits.__dataclass_fields__)
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "1", None])
def test_limits_are_checked(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value!r}, expected a"):
        Limits(**{name: value})


def test_bytes_are_whole_and_seconds_need_not_be():
    assert Limits(wall_seconds=1, cpu_seconds=0.5).wall_seconds == 1
    with pytest.raises(ValueError, match=r"open_files is 1\.5, expected a whole number above 0"):
        Limits(open_files=1.5)


@pytest.mark.parametrize(
    ("function", "arguments", "says"),
    [
        (
            "raises",
            {"kind": "ValueError", "message": "two\n lines\x1b[31m"},
            "ValueError: two lines?[31m",
        ),
        ("raises", {"kind": "RuntimeError", "message": ""}, "RuntimeError"),
        ("raises", {"kind": "Exit", "message": 0}, "SystemExit: 0"),
        ("raises", {"kind": "Interrupt", "message": "now"}, "KeyboardInterrupt: now"),
        ("raises_unreadable", {}, "UnreadableError: its message cannot be shown"),
        ("raises_with_note", {}, "ValueError: the message"),
        ("recurses", {}, "RecursionError: maximum recursion depth exceeded"),
        ("allocates", {}, "TypeError: allocates() missing 1 required positional argument: 'size'"),
        ("absent", {}, "AttributeError: module 'isolation_targets' has no attribute 'absent'"),
        ("LONG", {}, "TypeError: 'int' object is not callable"),
        ("unusual", {"kind": "nan"}, "ValueError: Out of range float values"),
        ("unusual", {"kind": "infinite"}, "ValueError: Out of range float values"),
        ("unusual", {"kind": "set"}, "TypeError: Object of type set is not JSON serializable"),
        ("unusual", {"kind": "bytes"}, "TypeError: Object of type bytes is not JSON serializable"),
        ("unusual", {"kind": "object"}, "TypeError: Object of type object is not JSON"),
        ("unusual", {"kind": "circle"}, "ValueError: Circular reference detected"),
        ("unusual", {"kind": "nested"}, "RecursionError: maximum recursion depth exceeded"),
    ],
)
def test_an_exception_is_told_in_one_line(function, arguments, says):
    ended = call(function, **arguments)
    assert (ended.state, ended.value) == ("raised", None)
    assert ended.says.startswith(says)
    assert "Traceback" in ended.output


def test_a_long_message_is_cut():
    ended = call("raises", kind="ValueError", message="\U0001f600" * 100_000)
    assert ended.state == "raised"
    assert len(ended.says) == 300
    assert ended.says.endswith("...")


def test_values_come_back_as_json_gives_them():
    assert call("unusual", kind="tuple").value == [1, 2]
    assert call("unusual", kind="surrogate").value == "\ud800"


@pytest.mark.parametrize("function", ["hangs", "hangs_ignoring_sigterm"])
def test_a_hang_times_out(function):
    ended = call(function, Limits(wall_seconds=1.5))
    assert (ended.state, ended.says) == ("timed out", "took longer than 1.5 s")
    assert ended.seconds >= 1.5
    assert ended.output in ("", "before the hang\n")


@pytest.mark.parametrize("ignoring", [False, True])
def test_processor_time_is_limited(ignoring):
    limits = Limits(wall_seconds=120, cpu_seconds=1)
    ended = call("computes_forever", limits, ignoring=ignoring)
    assert (ended.state, ended.says) == ("timed out", "used more than 1 s of processor time")


@pytest.mark.parametrize("code", [0, 1, 3])
def test_an_exit_is_no_answer(code):
    ended = call("exits", code=code)
    assert (ended.state, ended.value) == ("crashed", None)
    assert ended.says == f"ended with exit status {code} without the function's answer"
    assert ended.output == "on the way out\n"


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGABRT", "SIGTERM", "SIGRTMIN"])
def test_a_signal_is_named(name):
    ended = call("dies", number=signal.Signals[name])
    assert (ended.state, ended.says) == ("crashed", f"ended by {name}")


def test_a_real_segmentation_fault_shows_where():
    ended = call("follows_null")
    assert (ended.state, ended.says) == ("crashed", "ended by SIGSEGV")
    assert "in follows_null" in ended.output


@pytest.mark.skipif(not LINUX, reason="memory is limited on Linux only")
@pytest.mark.parametrize(
    ("function", "arguments", "says"),
    [
        ("allocates", {"size": 10 << 30}, "MemoryError"),
        # whichever notices first
        ("allocates_little_by_little", {}, ("MemoryError", "held more than 200 MiB")),
        ("shares_memory", {"size": 300 * MIB}, "held more than 200 MiB"),
        ("fails_like_torch", {}, "RuntimeError: [enforce fail] DefaultCPUAllocator: can't"),
    ],
)
def test_memory_is_limited(function, arguments, says):
    ended = call(function, Limits(memory_bytes=200 * MIB), **arguments)
    assert (ended.state, ended.value) == ("out of memory", None)
    assert ended.says.startswith(says)
    assert ended.peak_bytes < 290 * MIB or function == "shares_memory"


def test_memory_within_the_limit_is_given_and_measured():
    size = 100 * MIB
    ended = call("long_text", Limits(memory_bytes=1 << 30, value_bytes=10), size=size)
    assert ended.state == "too large"
    assert size < ended.peak_bytes < 10 * size


def test_peak_memory_is_the_check_s_and_not_the_caller_s():
    ballast = bytearray(os.urandom(MIB)) * 150
    assert call("echo").peak_bytes < 100 * MIB
    assert len(ballast) == 150 * MIB


def test_files_are_limited():
    limits = Limits(file_bytes=3 * MIB)
    ended = call("writes_file", limits, size=20 * MIB)
    assert (ended.state, ended.says) == ("too large", "OSError: [Errno 27] File too large")
    assert call("writes_file", limits, size=3 * MIB).value == 3 * MIB


def test_a_large_value_is_refused_in_either_process():
    ended = call("long_text", Limits(value_bytes=1000), size=999)  # two quotation marks
    assert (ended.state, ended.says) == ("too large", "value of 1001 bytes, at most 1000")
    assert call("long_text", Limits(value_bytes=1000), size=998).value == "x" * 998


def test_only_the_end_of_the_output_is_kept():
    ended = call("prints", Limits(output_bytes=1000, wall_seconds=120), size=100 * MIB)
    assert (ended.state, ended.value) == ("returned", "printed")
    first, rest = ended.output.split("\n", 1)
    assert first == f"[{100 * MIB + 8 - 1000} bytes left out]"
    assert len(rest) == 1000
    assert rest.endswith("xxx\nthe end\n")


def test_output_of_any_bytes_and_both_streams_is_text():
    assert sorted(call("prints_bytes").output.splitlines()) == [
        "to standard error",
        "\ufffd\ufffd and a \x00 zero",
    ]


@pytest.mark.skipif(not LINUX, reason="finds open descriptors in /proc")
@pytest.mark.parametrize("first", ["", None, "\ud800", 7, {"nonce": ""}, "0" * 32])
def test_an_answer_cannot_be_guessed(first):
    ended = call("pretends", first=first)
    assert (ended.state, ended.value) == ("crashed", None)
    assert ended.says == "ended with exit status 0 without the function's answer"


@pytest.mark.skipif(not LINUX, reason="finds open descriptors in /proc")
def test_half_an_answer_is_none(monkeypatch):
    monkeypatch.setattr(secrets, "token_hex", lambda size: "known")
    ended = call("half_an_answer", nonce="known")
    assert (ended.state, ended.value) == ("crashed", None)


def test_the_nonce_is_new_each_time(monkeypatch):
    nonces = []
    judge = isolation._result_of
    monkeypatch.setattr(
        isolation, "_result_of", lambda *args: (nonces.append(args[2]), judge(*args))[1]
    )
    assert call("echo").state == call("echo").state == "returned"
    assert len(set(nonces)) == 2
    assert min(map(len, nonces)) == 32


@pytest.mark.skipif(not LINUX, reason="finds open descriptors in /proc")
@pytest.mark.parametrize("function", ["scribbles_and_returns", "closes_everything"])
def test_who_breaks_the_line_has_no_answer(function):
    ended = call(function)
    assert (ended.state, ended.value) == ("crashed", None)
    assert "without the function's answer" in ended.says


def test_output_may_be_closed():
    assert call("closes_output").value == "returned all the same"


@pytest.mark.parametrize(
    ("how", "count", "then", "state"),
    [
        ("forks", 1, "returns", "returned"),
        ("session", 1, "returns", "returned"),
        ("session", 1, "dies", "crashed"),
        ("forks", 2, "hangs", "timed out"),
        ("group", 20, "returns", "returned"),
        ("forks", 30, "hangs", "too large"),
    ],
)
def test_processes_left_behind_are_ended(tmp_path, how, count, then, state):
    pids = tmp_path / "pids"
    few = state == "too large"
    wall_seconds = 4 if state == "timed out" else 60
    limits = Limits(wall_seconds=wall_seconds, processes=10 if few else 64)
    ended = call("leaves", limits, pids=str(pids), how=how, count=count, then=then)
    assert ended.state == state
    assert few or len(pids.read_text("ascii").split()) == count
    if few:
        assert ended.says == "started more than 10 processes"


@pytest.mark.skipif(not LINUX, reason="orphans fall to the watcher on Linux only")
def test_a_daemon_is_ended(tmp_path):
    assert call("leaves_a_daemon", pids=str(tmp_path / "pids")).value == "daemon"
    assert (tmp_path / "pids").read_text("ascii")


def test_a_thread_left_behind_is_not_waited_for():
    ended = call("leaves_a_thread")
    assert ended.value == "not waited for"
    assert ended.seconds < WIDE.wall_seconds, "it was not the limit that ended it"


@pytest.mark.parametrize(
    ("number", "before", "state"),
    [(signal.SIGKILL, "", "crashed"), (signal.SIGSTOP, "forks", "timed out")],
)
def test_a_check_that_attacks_its_watcher(tmp_path, monkeypatch, number, before, state):
    monkeypatch.setattr(pipes, "_GRACE_SECONDS", 2.0)
    limits = Limits(wall_seconds=60 if state == "crashed" else 3)
    pids = str(tmp_path / "pids")
    ended = call("ends_its_watcher", limits, pids=pids, number=number, before=before)
    assert (ended.state, ended.value) == (state, None)
    assert ended.says == "the process that watches over the check was ended or stopped"
    assert (tmp_path / "pids").read_text("ascii")


@pytest.mark.parametrize(
    ("told", "cores", "expected"),
    [("3", 8, 3), (None, 2, 2), ("", 2, 2), ("0", 2, 2), ("many", 2, 2), ("4,2", 2, 2)],
)
def test_threads_are_those_told_or_one_a_core(told, cores, expected, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(cores), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    if told is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert forkserver_client.threads() == expected


def test_the_surroundings_are_the_same_everywhere(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text("print('customized')", "ascii")
    (tmp_path / "json.py").write_text("print('not json')", "ascii")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "json.py"))
    monkeypatch.setenv("SECRET_TOKEN", "secret")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    ended = call("surroundings", environment={"LATENTWALK_DATA": "given"})
    found = ended.value
    assert (ended.state, ended.output) == ("returned", "")
    assert set(found["environment"]) <= {
        *forkserver_client.INHERITED,
        "HOME",
        "TMPDIR",
        "LATENTWALK_DATA",
    }
    assert found["environment"]["OMP_NUM_THREADS"] == "3"
    assert found["environment"]["LATENTWALK_DATA"] == "given"
    assert found["environment"]["HOME"] == found["environment"]["TMPDIR"] == found["folder"]
    assert not Path(found["folder"]).exists()
    assert found["files"] == []
    assert str(tmp_path) not in found["path"]
    assert "" not in found["path"]
    assert (found["isolated"], found["input"], found["session"]) == (1, "", True)
    assert found["watcher's session"] != os.getsid(0)


@pytest.mark.skipif(not LINUX, reason="memory is limited on Linux only")
def test_limits_are_in_force():
    limits = Limits(cpu_seconds=7.4, memory_bytes=300 * MIB, file_bytes=5, open_files=60)
    assert call("limits_in_force", limits).value == {
        "CORE": 0,
        "CPU": 7,
        "FSIZE": 5,
        "NOFILE": 60,
        "DATA": 300 * MIB,
    }


def test_a_check_may_leave_its_folder(tmp_path):
    assert call("walks_away", folder=str(tmp_path)).value == str(tmp_path)
    assert (tmp_path / "written").read_text("ascii") == "here"


def test_a_folder_is_removed_whatever_it_holds():
    assert not Path(call("makes_a_mess").value).exists()
    assert Path("/").exists()


def test_a_folder_too_deep_to_be_removed_does_no_harm(nothing_stays_behind):
    ended = call("digs")
    assert ended.state == "returned"
    subprocess.run(["rm", "-rf", *nothing_stays_behind.iterdir()], check=True)


def test_without_resource_there_are_no_limits_and_it_says_so(monkeypatch):
    start = f"import sys; sys.modules['resource'] = None; {forkserver_client._START}"
    monkeypatch.setattr(forkserver_client, "_COMMAND", [sys.executable, "-I", "-c", start])
    ended = call("writes_file", Limits(file_bytes=MIB), size=3 * MIB)
    assert (ended.state, ended.value, ended.peak_bytes) == ("returned", 3 * MIB, 0)
    expected = "processor time and files are not limited: no module resource\n"
    assert ended.output.endswith(expected)
    failed = call("raises", kind="ValueError", message="still told")
    assert (failed.state, failed.says) == ("raised", "ValueError: still told")


def test_a_python_that_does_not_start_costs_one_check(monkeypatch, tmp_path):
    monkeypatch.setattr(forkserver_client, "_COMMAND", [str(tmp_path / "absent")])
    ended = call("echo")
    assert (ended.state, ended.value) == ("crashed", None)
    assert ended.says.startswith("could not be started: [Errno 2] No such file")
    monkeypatch.setattr(
        forkserver_client, "_COMMAND", [sys.executable, "-c", "raise SystemExit('no')"]
    )
    ended = call("echo", text="x" * MIB)  # more than a pipe holds
    assert (ended.state, ended.output) == ("crashed", "no\n")
    assert ended.says == "could not be started: ended with exit status 1"


def test_an_interrupted_grader_leaves_nothing(tmp_path, monkeypatch):
    pids = tmp_path / "pids"
    collect = pipes._collect

    def interrupted(streams, report, deadline):
        monkeypatch.setattr(pipes, "_collect", collect)
        collect(streams, report, time.monotonic() + 0.1)
        while not (pids.exists() and pids.read_text("ascii")):
            time.sleep(0.02)
        raise KeyboardInterrupt

    monkeypatch.setattr(pipes, "_collect", interrupted)
    with pytest.raises(KeyboardInterrupt):
        call("leaves", pids=str(pids), how="session", then="hangs")


def test_a_killed_grader_leaves_nothing(tmp_path):
    pids = tmp_path / "pids"
    program = (
        "import sys; sys.path[:0] = sys.argv[1:3]; import isolated\n"
        "isolated.call('leaves', pids=sys.argv[3], how='session', then='hangs')"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # its folders stay: nobody is left
    grader = subprocess.Popen([sys.executable, "-c", program, *FOLDERS, pids], env=environment)
    end = time.monotonic() + 60
    while not (pids.exists() and pids.read_text("ascii")) and time.monotonic() < end:
        time.sleep(0.02)
    below = [p.pid for p in psutil.Process(grader.pid).children(recursive=True)]
    grader.kill()
    assert grader.wait() == -signal.SIGKILL
    assert len(below) == 4  # server, watcher, worker, what that left
    assert all(map(gone, below))


@pytest.mark.parametrize("report", [b"", b"{", b"[1]", b"null", b"\xff", b"[" * 100_000])
def test_an_object_or_nothing(report):
    assert isolation._object(report) is None
    assert isolation._object(json.dumps({"a": 1}).encode()) == {"a": 1}
