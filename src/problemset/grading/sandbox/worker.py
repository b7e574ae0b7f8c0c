"""The two processes of each run: a watcher, and the worker process that runs one check.

The forkserver (`forkserver.py`) forks the watcher, which needs only the standard library. The
watcher reads the request, forks the worker and never runs a check's code itself. Every process that
the worker starts, directly or indirectly, becomes a child of the watcher when it is orphaned
(Linux: PR_SET_CHILD_SUBREAPER). The watcher kills these at the end.

    standard input   request, one line of JSON; end of file means that the parent is gone and
                     everything must stop
    answer           descriptor, worker to parent: a line of JSON with the nonce, then the value
    report           descriptor, watcher to parent: how the worker ended and what it used; end of
                     file means that the watcher has ended
    output, errors   printed by the check, sent to the parent; never trusted
"""

import contextlib
import ctypes
import errno
import faulthandler
import importlib
import json
import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

resource: Any
try:
    import resource
except ImportError:
    resource = None

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_RESERVE_BYTES = 64 << 20  # granted after an allocation failed, so that the failure can be reported
_LONGEST_PAUSE_SECONDS, _KILLING_SECONDS = 0.1, 5.0
_NO_MEMORY_WORDS = ("can't allocate memory", "out of memory", "not enough memory")  # in PyTorch


def descendants(pid: int) -> list[int]:
    """All processes below a given one: its children, their children and so on.

    Args:
        pid: the process at the top, not included in the result.

    Returns:
        Process ids according to /proc; empty on a system without it.
    """
    found: list[int] = []
    waiting = [pid]
    while waiting:
        # a process may end while its entry is being read
        with contextlib.suppress(OSError):
            for thread in list(Path(f"/proc/{waiting.pop()}/task").iterdir()):
                with contextlib.suppress(OSError):
                    children = (thread / "children").read_text("ascii").split()
                    found += map(int, children)
                    waiting += map(int, children)
    return found


def kill(pids: Iterable[int]) -> None:
    """Kill processes at once; processes that have already ended are ignored."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def function(target: str) -> Callable[..., Any]:
    """Import the function named by `module:function`."""
    module, _, name = target.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def watch(ends: Sequence[int], reserved: int) -> NoReturn:
    """Run the watcher, in a process that was just forked.

    Args:
        ends: four descriptors. The request becomes standard input, the output becomes standard
            output and error, the answer is for the worker, and the report is for the watcher alone.
        reserved: bytes of memory that are mapped but never touched, added to the worker's limit.
    """
    status = 1
    try:
        os.setsid()
        requests, output, answer, report = ends
        for end, place in ((requests, 0), (output, 1), (output, 2)):
            os.dup2(end, place)
        os.close(requests)
        os.close(output)
        with os.fdopen(0, "rb", closefd=False) as stream:
            line = stream.readline()
        if line.endswith(b"\n"):  # otherwise the parent was gone before the run began
            _run(json.loads(line) | {"reserved": reserved}, answer, report)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _run(request: dict[str, Any], answer: int, report: int) -> None:
    """Start the worker, wait for it, end all that remains of it, and report."""
    _move_in(request)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    started = time.monotonic()
    worker = os.fork()
    if worker == 0:
        os.close(report)
        _work(request, answer)
    os.close(answer)
    ended: dict[int, int] = {}
    state, says = _watch(worker, request["limits"], ended)
    seconds = time.monotonic() - started
    _end_everything(worker, ended)
    used = resource and resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    peak_bytes = used.ru_maxrss * unit if used else 0
    if peak_bytes > request["limits"]["memory_bytes"] and not state:  # a peak between two checks
        state, says = _too_much(request["limits"])
    found = {
        "state": state,
        "says": says,
        "status": ended.get(worker),
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime if used else 0.0,
        "peak_bytes": peak_bytes,
    }
    with contextlib.suppress(BrokenPipeError):
        os.write(report, json.dumps(found).encode("ascii"))


def _move_in(request: dict[str, Any]) -> None:
    """Switch to the request's folder and environment; the forkserver has its own."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    tempfile.tempdir = None  # it may be cached from the forkserver's environment


def _prctl(option: int, value: int) -> None:
    """Call prctl on Linux; elsewhere orphans are found by their process group or not at all."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _watch(worker: int, limits: dict[str, Any], ended: dict[int, int]) -> tuple[str, str]:
    """Wait for the worker to end, or for the first reason to end it.

    Returns:
        State and reason in the second case, else two empty strings.
    """
    started, pause = time.monotonic(), 0.005
    while _reap(ended) and worker not in ended:
        if time.monotonic() - started > limits["wall_seconds"]:
            return "timed out", f"took longer than {limits['wall_seconds']:g} s"
        if exceeded := _exceeded(limits):
            return exceeded
        if select.select([0], [], [], pause)[0]:
            return "crashed", "stopped by the grader"
        pause = min(1.5 * pause, _LONGEST_PAUSE_SECONDS)
    return "", ""


def _exceeded(limits: dict[str, Any]) -> tuple[str, str] | None:
    """Check the totals over all processes, for which the system has no limit.

    Pages that processes share count once per process.
    """
    pids = descendants(os.getpid())
    if len(pids) > limits["processes"]:
        return "too large", f"started more than {limits['processes']} processes"
    held = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            held += int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    if held * os.sysconf("SC_PAGE_SIZE") > limits["memory_bytes"]:
        return _too_much(limits)
    return None


def _too_much(limits: dict[str, Any]) -> tuple[str, str]:
    return "out of memory", f"held more than {limits['memory_bytes'] / 2**20:.0f} MiB"


def _reap(ended: dict[int, int]) -> bool:
    """Record the status of each child that has ended; return False once there are none left."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return True
            ended[pid] = status
    return False


def _end_everything(worker: int, ended: dict[int, int]) -> None:
    """Kill until no process is left; what forks faster than one round needs several."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker, signal.SIGKILL)  # the only means on a system without /proc
    give_up = time.monotonic() + _KILLING_SECONDS  # one stuck in a system call cannot die
    while time.monotonic() < give_up:
        kill(descendants(os.getpid()))
        if not _reap(ended):
            return
        time.sleep(0.005)


def _work(request: dict[str, Any], answer: int) -> NoReturn:
    """Run the worker: call the check, send the answer, and exit without the interpreter's cleanup.

    That cleanup waits for threads, and it crashes in some libraries after the answer was sent.
    """
    status = 1
    try:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)  # the pipe from the parent is for the watcher only
        faulthandler.enable()
        head, value = _carry_out(request)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # closed or replaced by the check
                stream.flush()
        head |= {"nonce": request["nonce"], "bytes": len(value)}
        _send(answer, json.dumps(head).encode("ascii") + b"\n" + value)
        status = 0
    finally:
        os._exit(status)


def _carry_out(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Call the target; anything it raises, interrupts and exits included, becomes its result."""
    most = request["limits"]["value_bytes"]
    try:
        _set_limits(request["limits"], request["reserved"])
        value = function(request["target"])(**request["arguments"])
        text = json.dumps(value, allow_nan=False).encode("ascii")
    except BaseException as error:
        return _failure(error), b""
    if len(text) > most:
        return {"state": "too large", "says": f"value of {len(text)} bytes, at most {most}"}, b""
    return {"state": "returned", "says": ""}, text


def _set_limits(limits: dict[str, Any], reserved: int) -> None:
    if sys.platform != "linux":
        sys.stderr.write("memory is not limited: this system is not Linux\n")
    if resource is None:
        sys.stderr.write("processor time and files are not limited: no module resource\n")
        return
    processor = max(1, round(limits["cpu_seconds"]))
    bounds = {  # soft, hard
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_CPU: (processor, processor + 1),  # SIGXCPU, then SIGKILL
        resource.RLIMIT_FSIZE: (limits["file_bytes"],) * 2,
        resource.RLIMIT_NOFILE: (limits["open_files"],) * 2,
    }
    if sys.platform == "linux":
        # not RLIMIT_AS: CUDA and the heaps of many threads reserve address space they never use
        memory = limits["memory_bytes"] + reserved
        bounds[resource.RLIMIT_DATA] = (memory, memory + _RESERVE_BYTES)
    for kind, wanted in bounds.items():
        ceiling = resource.getrlimit(kind)[1]
        if ceiling != resource.RLIM_INFINITY:  # a stricter limit may already be in force
            wanted = tuple(min(value, ceiling) for value in wanted)
        resource.setrlimit(kind, wanted)


def _failure(error: BaseException) -> dict[str, Any]:
    if resource is not None:
        with contextlib.suppress(OSError, ValueError):
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
    with contextlib.suppress(Exception):
        traceback.print_exception(error)
    message = "its message cannot be shown"
    with contextlib.suppress(Exception):
        message = str(error)
    number = error.errno if isinstance(error, OSError) else None
    worded = isinstance(error, RuntimeError) and any(w in message for w in _NO_MEMORY_WORDS)
    state = "raised"
    if isinstance(error, MemoryError) or number == errno.ENOMEM or worded:
        state = "out of memory"
    elif number == errno.EFBIG:
        state = "too large"
    name = type(error).__name__
    return {"state": state, "says": f"{name}: {message[:1000]}" if message else name}


def _send(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
