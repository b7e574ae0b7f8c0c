"""The server that `isolation.Server` starts: a prepared interpreter that forks a watcher a run.

Importing PyTorch and reading the judge takes seconds, forking a process that has done so takes
milliseconds. The server is a fresh interpreter. It prepares what it is told to, once, and then
waits at its control socket. It runs no check's code, and sees no request, nonce or answer: these
go through descriptors that it passes on. So each run begins with the same state (Python's hashes
and NumPy's global random generator included), in which nothing of another run is.

    control socket   to the server: "start" with the four descriptors of `child.watch`, or "reap"
                     with a watcher's pid; its end means: the parent is gone, end as well
                     to the parent, a line each: "ready", a pid, "reaped", or what is wrong
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
    """Be the server; the control socket is standard input.

    Args:
        setup: `prepare`, functions of no arguments to be called; `seconds` for all of them.
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
    """Call the functions; say in one line what is wrong."""
    signal.setitimer(signal.ITIMER_REAL, setup["seconds"])  # the parent may be gone by then
    try:
        for target in setup["prepare"]:
            worker.function(target)()
    except BaseException as error:
        sys.stdout.flush()
        traceback.print_exc()
        return " ".join(f"{type(error).__name__}: {error}".split())
    signal.setitimer(signal.ITIMER_REAL, 0)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # else each watcher would print it again
    gc.collect()
    gc.freeze()  # a collection writes to what it looks at, which would copy those pages
    return ""


def _reserved_bytes() -> int:
    """Private writable memory that what was prepared has mapped and never touched."""
    status = Path("/proc/self/status").read_text("ascii")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    mapped, touched = (int(fields[name].split()[0]) for name in ("VmData", "RssAnon"))
    return max(0, mapped - touched) * 1024


def _start(control: socket.socket, ends: list[int], reserved: int) -> str:
    try:
        if len(ends) != _ENDS:  # there was no room for the others
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
    """Wait for a watcher that ends, or make it; its pid belongs to nobody else before that."""
    for _ in range(2):
        give_up = time.monotonic() + _REAPING_SECONDS
        while time.monotonic() < give_up:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return "reaped"
            time.sleep(0.001)
        worker.kill([*worker.descendants(pid), pid])
    return "cannot be ended"
