"""Run one function in a process of its own, so that its failure affects nothing else.

    isolation.run("problemset.module:function", {"argument": 1}, limits)
    with isolation.Server(prepare=["problemset.module:function"]) as server:
        server.run("problemset.module:function", {"argument": 1}, limits)

The process descends from a forkserver (`forkserver.py`): a fresh interpreter that has imported and
loaded in advance what all runs need, and has run no check. A watcher process (`worker.py`) between
the two ends every process that the function started.

A check reads files that somebody submitted, and these may be broken or malicious. A crash, an
endless loop, a huge allocation, a full pipe or a sudden exit costs that check and no other, and no
process remains. This is not a sandbox. The process runs as the same user, sees the same files and
may use the network; code that sets out to harm the grader's own processes needs a container around
all of it.

The function's answer carries a nonce, a random text that the parent made for this run. A process
that exits early, even with exit status 0, or that writes to every descriptor it finds, does not
know the nonce. The nonce does not protect against code inside the check's process that searches the
interpreter's memory or stack for it. A check must therefore never import submitted code. It may
only read it, or run it in yet another process.
"""

import contextlib
import dataclasses
import json
import math
import os
import re
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, cast, get_args

from problemset.grading.sandbox.bounded_buffer import BoundedBuffer
from problemset.grading.sandbox.forkserver_client import (
    Host,
    HostError,
    LostError,
    surroundings,
    temporary_folder,
)
from problemset.grading.sandbox.pipes import Received, exchange
from problemset.grading.score.outcome import JSON
from problemset.text import one_line

RunStatus = Literal["returned", "raised", "crashed", "timed out", "out of memory", "too large"]

_PACKAGE_FOLDER = str(Path(__file__).resolve().parents[3])  # of the running copy, installed or not
_HEAD_BYTES = 16_384  # limit for an answer, not counting its value
_LONGEST_LINE = 300


@dataclass(frozen=True)
class Limits:
    """Resource limits for one check."""

    wall_seconds: float = 60.0
    """Wall-clock time from the worker's start to its end, without preparing the forkserver."""
    cpu_seconds: float = 120.0
    """CPU seconds per process, summed over its threads; rounded to whole seconds, minimum 1."""
    memory_bytes: int = 4 << 30
    """Limit on private writable memory in each process, and on the memory held by all processes
    together. Memory that the forkserver prepared counts as far as it has been touched: libraries
    map more than they use."""
    file_bytes: int = 256 << 20
    """Maximum size of each file that is written."""
    open_files: int = 512
    """Number of files open at a time, per process."""
    processes: int = 64
    """Number of processes at a time in total, the check's own included."""
    value_bytes: int = 1 << 20
    """Maximum size of the returned value as JSON."""
    output_bytes: int = 4096
    """How much of standard output and error together is kept: the last bytes."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, whole = getattr(self, field.name), field.type is int
            kind = int if whole else (int, float)
            if not isinstance(value, kind) or isinstance(value, bool) or not 0 < value < math.inf:
                expected = "a whole number above 0" if whole else "a number above 0"
                raise ValueError(f"{field.name} is {value!r}, expected {expected}")


@dataclass(frozen=True)
class Ended:
    """Outcome of one function call."""

    state: RunStatus
    """Returned: the value came from the function, as the nonce proves. Raised: the function ended
    with an exception, or its value is not JSON. Crashed: the process ended before the function did.
    Timed out: wall-clock or CPU time. Too large: the value, a file, or the number of processes."""
    value: JSON
    """The returned value after a round trip through JSON (tuples become lists, keys become text);
    otherwise None."""
    says: str
    """One line: exception and message, signal, or limit; empty if the function returned."""
    output: str
    """The end of the printed output, the traceback included."""
    seconds: float
    """Wall-clock time from the worker's start to its end; 0 if unknown."""
    peak_bytes: int
    """Largest memory held by any one of its processes, what was prepared for it included; 0 if
    unknown."""


class Server:
    """A forkserver and the runs on it; use it in a `with` block, which ends it.

    Each run has its own process, forked from the forkserver. It starts with what the forkserver
    prepared and with nothing of any other run. If a function ends the forkserver, a new one is
    started before the next run. Several threads may run functions at the same time.

    POSIX only. On Linux every process that the function leaves behind is killed; however, a check
    that first kills its watcher, which is a process above it, can let its own children escape.
    Without Linux nothing is prepared (libraries there do not survive a fork) and memory is not
    limited. Without Python's module `resource` CPU time and file sizes are not limited, and memory
    is only measured ten times per second. `output` reports such gaps.
    """

    _modules = ""  # a pattern for allowed modules, in place of those of the packages
    _folders = (_PACKAGE_FOLDER,)

    def __init__(
        self,
        prepare: Sequence[str | Callable[[], None]] = (),
        environment: Mapping[str, str] | None = None,
        packages: Sequence[str] = ("problemset",),
        folders: Sequence[str] = (),
    ) -> None:
        """Set up the server; no process is started yet.

        Args:
            prepare: functions `module:function` of the packages, called once without arguments by a
                single thread (OMP_NUM_THREADS is 1). They must leave no thread running and no file
                open.
            environment: variables to add, both for these functions and for every run.
            packages: packages whose functions may be called.
            folders: where packages and modules are searched for, besides the folder of this one.

        Raises:
            ValueError: a function is in a module of another package.
        """
        self._packages = tuple(packages)
        self._searched = tuple(dict.fromkeys([*self._folders, *folders]))
        targets = tuple(map(target_of, prepare))
        for target in targets:
            self._check(target)
        self._prepare = targets if sys.platform == "linux" else ()
        self._environment = dict(environment or {})
        self._lock = threading.Lock()
        self._host: Host | None = None
        self._unfit: HostError | None = None
        self._closed = False

    def __enter__(self) -> Self:
        """Start the preparation; the first run waits for it."""
        with self._lock, contextlib.suppress(OSError):  # the first run will report it
            self._host = self._launch()
        return self

    def __exit__(self, *error: object) -> None:
        """Close the server, as `close` does."""
        self.close()

    def close(self) -> None:
        """End the forkserver; runs that other threads have started continue to their end."""
        with self._lock:
            self._closed = True
            if self._host:
                self._host.close()

    def run(
        self,
        target: str | Callable[..., JSON],
        arguments: Mapping[str, JSON],
        limits: Limits = Limits(),
        *,
        environment: Mapping[str, str] | None = None,
    ) -> Ended:
        """Call a function of one of the packages in its own process and wait for it to end.

        The process does not share the caller's Python variables, working folder or user packages.
        It works in an empty temporary folder, which is also its home and is removed afterwards.
        From the environment it inherits only search paths, language, and numbers of threads and
        devices.

        Args:
            target: a module's function, or `module:function`, in one of the packages.
            arguments: by name; JSON.
            limits: resource limits.
            environment: variables to add.

        Raises:
            ValueError: the target is not allowed, the arguments are not JSON, or the server is
                closed.
        """
        target = target_of(target)
        self._check(target)
        request = {"target": target, "arguments": dict(arguments)}
        request |= {"limits": dataclasses.asdict(limits)}
        try:
            json.dumps(request, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"arguments of {target} are not JSON: {error}") from error
        variables = {**self._environment, **(environment or {})}
        try:
            try:
                return self._run(request, variables, limits)
            except LostError:  # an earlier function ended the forkserver; this run has not begun
                return self._run(request, variables, limits)
        except HostError as error:
            says, output = str(error), error.output
        except OSError as error:  # out of processes, descriptors or disk space
            says, output = f"could not be started: {error}", ""
        return Ended("crashed", None, one_line(says, _LONGEST_LINE), output, 0.0, 0)

    def _check(self, target: str) -> None:
        modules = self._modules or rf"(?:{'|'.join(self._packages)})(?:\.[A-Za-z_]\w*)+"
        if not re.fullmatch(rf"(?:{modules}):[A-Za-z_]\w*", target, re.ASCII):
            expected = " or ".join(f"{package}.module:function" for package in self._packages)
            raise ValueError(f"target is {target!r}, expected {expected}")

    def _run(self, request: dict[str, JSON], variables: Mapping[str, str], limits: Limits) -> Ended:
        nonce = secrets.token_hex(16)
        received = Received(
            BoundedBuffer(limits.value_bytes + _HEAD_BYTES),
            BoundedBuffer(_HEAD_BYTES),
            BoundedBuffer(limits.output_bytes, last=True),
        )
        host = self._ready_host()
        with temporary_folder() as folder:
            own = {"nonce": nonce, "folder": folder, "environment": surroundings(folder, variables)}
            line = json.dumps(request | own).encode("ascii") + b"\n"
            in_time = exchange(host, line, received, limits.wall_seconds)
        report = _object(bytes(received.report.content))
        if report is None:
            says = "the process that watches over the check was ended or stopped"
            report = {"state": "crashed" if in_time else "timed out", "says": says}
        state, value, says = _result_of(bytes(received.answer.content), report, nonce, limits)
        seconds, peak_bytes = report.get("seconds", 0.0), report.get("peak_bytes", 0)
        says = one_line(says, _LONGEST_LINE)
        return Ended(state, value, says, received.output.text(), seconds, peak_bytes)

    def _ready_host(self) -> Host:
        with self._lock:
            if self._closed:
                raise ValueError("the server is closed, expected an open one; make another")
            if self._unfit:  # it would fail again, and take as long
                raise self._unfit.with_traceback(None)
            if self._host is None or self._host.closed:
                self._host = self._launch()
            try:
                self._host.wait_until_ready()
            except HostError as error:
                self._unfit = error
                raise
            return self._host

    def _launch(self) -> Host:
        return Host(self._searched, self._prepare, self._environment)


def target_of(function: str | Callable[..., JSON]) -> str:
    """Return `module:function`, from which a new process can import the function."""
    if isinstance(function, str):
        return function
    return f"{function.__module__}:{function.__qualname__}"


def run(
    target: str | Callable[..., JSON],
    arguments: Mapping[str, JSON],
    limits: Limits = Limits(),
    *,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Call one function as `Server.run` does, on a temporary server without preparation."""
    with Server() as server:
        return server.run(target, arguments, limits, environment=environment)


def _object(content: bytes) -> dict[str, JSON] | None:
    """Parse a JSON object; None for anything else."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _result_of(
    answer: bytes, report: dict[str, JSON], nonce: str, limits: Limits
) -> tuple[RunStatus, JSON, str]:
    """Return state, value and message; only a complete answer with the nonce is trusted."""
    if report["state"] == "out of memory":  # this may be detected only after the answer was sent
        return "out of memory", None, report["says"]
    first, _, rest = answer.partition(b"\n")
    head = _object(first) or {}
    state, whole = head.get("state"), head.get("bytes") == len(rest)
    if head.get("nonce") == nonce and whole and state in get_args(RunStatus):
        if state != "returned":
            return cast(RunStatus, state), None, str(head.get("says"))
        with contextlib.suppress(ValueError, RecursionError):
            return "returned", json.loads(rest), ""
    if report["state"]:
        return report["state"], None, report["says"]
    return _end_of_process(report, limits)


def _end_of_process(report: dict[str, JSON], limits: Limits) -> tuple[RunStatus, JSON, str]:
    """Interpret the exit status of a worker that sent no answer."""
    if report["status"] is None:
        return "crashed", None, "could not be ended"
    code = os.waitstatus_to_exitcode(report["status"])
    if code >= 0:
        return "crashed", None, f"ended with exit status {code} without the function's answer"
    used_up = report["cpu_seconds"] >= max(1, round(limits.cpu_seconds))
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and used_up):
        return "timed out", None, f"used more than {limits.cpu_seconds:g} s of processor time"
    if code == -signal.SIGXFSZ:
        return "too large", None, f"wrote a file of more than {limits.file_bytes} bytes"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return "crashed", None, f"ended by {name}"
