"""The forkserver behind `isolation.Server`: a prepared interpreter that forks a watcher per run.

Importing large libraries and loading data takes seconds; forking a process that has done so takes
milliseconds. The forkserver is a fresh interpreter. It runs the preparation functions once and then
waits for requests on its control socket. It runs no check's code and sees no request, nonce or
answer, because these go through descriptors that it only passes on. Every run therefore starts from
the same state (including Python's hash seed and NumPy's global random generator), with nothing of
any other run in it.

    control socket   to the forkserver: "start" with the four descriptors of `worker.watch`, or
                     "reap" with a watcher's pid; end of file means that the parent is gone and
                     the forkserver must exit
                     to the parent, one per line: "ready", a pid, "reaped", or an error message
"""

import gc
import os
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from problemset.grading.sandbox import worker

_ENDS = 4
_REAPING_SECONDS = 5.0


def main(setup: dict[str, Any]) -> None:
    """Run the forkserver; its control socket is standard input.

    Args:
        setup: `prepare`, functions to call without arguments; `seconds`, allowed for all of them.
    """
    with socket.socket(fileno=os.dup(0)) as control:
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        wrong = _prepare(setup)
        control.sendall(f"{wrong or 'ready'}\n".encode("utf-8", "replace"))
        if wrong:
            return
        reserved = _reserved_bytes() if setup["prepare"] else 0
        while True:
            question, ends, _, _ = socket.recv_fds(control, 64, _ENDS)
            if not question:
                return
            word, _, pid = question.decode("ascii").partition(" ")
            answer = _reap(int(pid)) if word == "reap" else _start(control, ends, reserved)
            control.sendall(f"{answer}\n".encode())


def _prepare(setup: dict[str, Any]) -> str:
    """Call the preparation functions; return an error in one line, or an empty string."""
    signal.setitimer(signal.ITIMER_REAL, setup["seconds"])  # works without the parent, too
    try:
        for target in setup["prepare"]:
            worker.function(target)()
    except BaseException as error:
        sys.stdout.flush()
        traceback.print_exc()
        return " ".join(f"{type(error).__name__}: {error}".split())
    signal.setitimer(signal.ITIMER_REAL, 0)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # otherwise each watcher would print the buffered text again
    gc.collect()
    gc.freeze()  # a later collection would write to shared pages and so copy them
    return ""


def _reserved_bytes() -> int:
    """Private writable memory that the preparation mapped but never touched."""
    status = Path("/proc/self/status").read_text("ascii")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    mapped, touched = (int(fields[name].split()[0]) for name in ("VmData", "RssAnon"))
    return max(0, mapped - touched) * 1024


def _start(control: socket.socket, ends: list[int], reserved: int) -> str:
    try:
        if len(ends) != _ENDS:  # the others could not be received
            return "too many open files"
        pid = os.fork()
        if pid == 0:
            control.close()
            worker.watch(ends, reserved)
        return str(pid)
    except OSError as error:
        return str(error)
    finally:
        for end in ends:
            os.close(end)


def _reap(pid: int) -> str:
    """Wait for a watcher to end, and kill it if it does not; until then its pid is not reused."""
    for _ in range(2):
        give_up = time.monotonic() + _REAPING_SECONDS
        while time.monotonic() < give_up:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return "reaped"
            time.sleep(0.001)
        worker.kill([*worker.descendants(pid), pid])
    return "cannot be ended"
