"""One function in a process of its own: whatever happens to it happens to it alone.

What this is for: a check reads what somebody handed in, and what was handed in may be broken or
clever. A crash, an endless loop, a huge allocation, a full pipe or a sudden exit costs that check
and no other, and nothing stays behind. What this is not: a sandbox. The process runs as the same
user, sees the same files and may use the network; code that sets out to harm the grader's own
processes needs a container around all of it.

The function's answer carries a nonce, a random text that the parent made for this one run. A
process that ends early, even with exit status 0, or that writes to every descriptor it finds,
does not know it. It does not stop code inside the check's process that searches the interpreter's
memory or stack for it: so a check must not import what was handed in, only read it, or run it in
one more process.
"""

import contextlib
import dataclasses
import json
import math
import os
import re
import secrets
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from latentwalk.grading import child
from latentwalk.grading.kept import Kept
from latentwalk.grading.outcome import JSON

State = Literal["returned", "raised", "crashed", "timed out", "out of memory", "too large"]

_PACKAGE = r"latentwalk(\.[A-Za-z_]\w*)+"
_COMMAND = [sys.executable, "-I", "-B", "-X", "utf8", child.__file__]
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "OMP_NUM_THREADS",
              "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES")  # fmt: skip
_HEAD_BYTES = 16_384  # of an answer, without the value
_GRACE_SECONDS = 20.0  # for the watcher to start and to clear up, on a busy machine
_LONGEST_LINE = 300


@dataclass(frozen=True)
class Limits:
    """How much a check may use."""

    wall_seconds: float = 60.0
    """From the worker's start to its end, imports included."""
    cpu_seconds: float = 120.0
    """Of all threads together, in each process, rounded to whole seconds; at least 1."""
    memory_bytes: int = 4 << 30
    """Of private writable memory in each process, and of memory held by all together."""
    file_bytes: int = 256 << 20
    """Of each file that is written."""
    open_files: int = 512
    """At a time, in each process."""
    processes: int = 64
    """At a time, all together, the check's own included."""
    value_bytes: int = 1 << 20
    """Of the returned value as JSON."""
    output_bytes: int = 4096
    """Of standard output and error together that are kept: the last ones."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, whole = getattr(self, field.name), field.type is int
            kind = int if whole else (int, float)
            if not isinstance(value, kind) or isinstance(value, bool) or not 0 < value < math.inf:
                expected = "a whole number above 0" if whole else "a number above 0"
                raise ValueError(f"{field.name} is {value!r}, expected {expected}")


@dataclass(frozen=True)
class Ended:
    """How a function ended."""

    state: State
    """Returned: the value is what the function gave, and proved so. Raised: it ended with an
    exception, or its value is not JSON. Crashed: the process ended before the function did. Timed
    out: wall or processor time. Too large: the value, a file, or the number of processes."""
    value: JSON
    """What was returned, as JSON gives it back (tuples are lists, keys are text); else None."""
    says: str
    """One line: exception and message, signal, or limit; empty when the function returned."""
    output: str
    """The end of what was printed, the traceback included."""
    seconds: float
    """From the worker's start to its end; 0 if that is not known."""
    peak_bytes: int
    """Largest memory held by one of its processes; 0 if that is not known."""


def run(
    target: str,
    arguments: Mapping[str, JSON],
    limits: Limits = Limits(),
    *,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Call one of the package's functions in a fresh process and wait for its end.

    The process has no part in the caller's Python variables, working folder or user packages. It
    works in an empty temporary folder, which is also its home and is removed afterwards; of the
    environment it gets search paths, language, and numbers of threads and devices. POSIX only.
    Without Linux memory is not limited, without Python's module `resource` processor time and
    files are not (and memory only by a look at it ten times a second); `output` says so.

    On Linux every process that the function leaves behind is killed. A check that first kills its
    watcher, a process above it, can let its own children escape.

    Args:
        target: `module:function`, the module one of `latentwalk`'s.
        arguments: by name; JSON.
        limits: how much it may use.
        environment: variables to add.

    Raises:
        ValueError: another target, or arguments that are not JSON.
    """
    return _run(target, arguments, limits, environment or {}, _PACKAGE, _package_folders())


def _package_folders() -> list[str]:
    """Where the worker finds the same copy of the package as runs here, installed or not."""
    return [str(Path(__file__).resolve().parents[2])]


def _run(
    target: str,
    arguments: Mapping[str, JSON],
    limits: Limits,
    environment: Mapping[str, str],
    modules: str,
    folders: list[str],
) -> Ended:
    """Do as `run` says, for modules whose name matches, imported from the folders."""
    if not re.fullmatch(rf"(?:{modules}):[A-Za-z_]\w*", target, re.ASCII):
        raise ValueError(f"target is {target!r}, expected latentwalk.module:function")
    request = {"target": target, "arguments": dict(arguments), "nonce": secrets.token_hex(16)}
    request |= {"folders": folders, "limits": dataclasses.asdict(limits)}
    try:
        json.dumps(request, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"arguments of {target} are not JSON: {error}") from error
    try:
        with _temporary_folder() as folder:
            return _in_folder(folder, request, limits, environment)
    except OSError as error:  # no more processes, descriptors or room on the disk
        says = _one_line(f"could not be started: {error}")
        return Ended("crashed", None, says, "", 0.0, 0)


@contextlib.contextmanager
def _temporary_folder() -> Iterator[str]:
    folder = tempfile.TemporaryDirectory(prefix="latentwalk-", ignore_cleanup_errors=True)
    try:
        yield folder.name
    finally:
        # Python before 3.13 cannot remove a thousand folders inside one another; those stay
        with contextlib.suppress(RecursionError):
            folder.cleanup()


def _in_folder(
    folder: str, request: dict[str, JSON], limits: Limits, environment: Mapping[str, str]
) -> Ended:
    with contextlib.ExitStack() as stack:
        answer, request["answer"] = _pipe(stack)
        report, request["report"] = _pipe(stack)
        theirs = (request["answer"], request["report"])
        process = subprocess.Popen(
            _COMMAND, cwd=folder, env=_environment(folder, environment), pass_fds=theirs,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        stack.enter_context(process.stdout)
        stack.callback(_stop, process)
        with contextlib.suppress(BrokenPipeError):  # it ended already; its end says why
            process.stdin.write(json.dumps(request).encode("ascii") + b"\n")
            process.stdin.flush()
        output = process.stdout.fileno()
        kept = {
            answer: Kept(limits.value_bytes + _HEAD_BYTES),
            report: Kept(_HEAD_BYTES),
            output: Kept(limits.output_bytes, last=True),
        }
        in_time = _collect(process, kept, time.monotonic() + limits.wall_seconds + _GRACE_SECONDS)
    details = _object(bytes(kept[report].content))
    if details is None:
        says = "the process that watches over the check was ended or stopped"
        details = {"state": "crashed" if in_time else "timed out", "says": says}
    state, value, says = _judge(bytes(kept[answer].content), details, request["nonce"], limits)
    seconds, peak_bytes = details.get("seconds", 0.0), details.get("peak_bytes", 0)
    return Ended(state, value, _one_line(says), kept[output].text(), seconds, peak_bytes)


def _pipe(stack: contextlib.ExitStack) -> tuple[int, int]:
    """Read end and write end, closed with the stack."""
    ends = os.pipe()
    for end in ends:
        stack.callback(os.close, end)
    return ends


def _environment(folder: str, more: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {"LANG": "C.UTF-8", **inherited, "HOME": folder, "TMPDIR": folder, **more}


def _collect(process: subprocess.Popen[bytes], kept: dict[int, Kept], deadline: float) -> bool:
    """Read all streams until the watcher has ended and they are empty.

    Returns:
        False when the deadline came first.
    """
    with selectors.DefaultSelector() as selector:
        for end in kept:
            selector.register(end, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            ended = process.poll() is not None
            ready = selector.select(0 if ended else 0.05)
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                kept[key.fd].add(chunk)
                if not chunk:
                    selector.unregister(key.fd)
            if ended and not ready:
                return True
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """See the watcher off: the end of its input tells it to stop, if it has not."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:  # somebody stopped it
        child.kill([*child.descendants(process.pid), process.pid])
        process.wait()


def _object(content: bytes) -> dict[str, JSON] | None:
    """One JSON object, or None for anything else."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _judge(
    answer: bytes, report: dict[str, JSON], nonce: str, limits: Limits
) -> tuple[State, JSON, str]:
    """State, value and what it says; only a complete answer with the nonce is believed."""
    first, _, rest = answer.partition(b"\n")
    head = _object(first) or {}
    state, whole = head.get("state"), head.get("bytes") == len(rest)
    if head.get("nonce") == nonce and whole and state in get_args(State):
        if state != "returned":
            return cast(State, state), None, str(head.get("says"))
        with contextlib.suppress(ValueError, RecursionError):
            return "returned", json.loads(rest), ""
    if report["state"]:
        return report["state"], None, report["says"]
    return _end_of_process(report, limits)


def _end_of_process(report: dict[str, JSON], limits: Limits) -> tuple[State, JSON, str]:
    """What the exit status of a worker without an answer says."""
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


def _one_line(text: str) -> str:
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 3] + "..."
