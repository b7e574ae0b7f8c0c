"""The parent's side of a forkserver process: start it, request watchers, end it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence

INHERITED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
)
_START = (
    "import json, sys; setup = json.loads(sys.argv.pop()); sys.path[:0] = setup['folders'];"
    "from problemset.grading.sandbox import forkserver; forkserver.main(setup)"
)
# isolated mode: the caller's environment and user packages have no part in a run
_COMMAND = [sys.executable, "-I", "-B", "-X", "utf8", "-c", _START]
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # pools do not survive a fork
_PREPARING_SECONDS = 300.0  # an idle machine needs a few seconds
_ANSWER_SECONDS = 20.0  # enough for a busy machine
_KEPT_BYTES = 4096


class HostError(RuntimeError):
    """The forkserver did not start, or its preparation failed."""

    def __init__(self, says: str, output: str) -> None:
        super().__init__(says)
        self.output = output
        """The end of its printed output."""


class LostError(HostError):
    """The forkserver ended or stopped after it had been ready."""


@contextlib.contextmanager
def temporary_folder() -> Iterator[str]:
    """Create an empty folder; at the end remove it with everything in it."""
    folder = tempfile.TemporaryDirectory(prefix="problemset-", ignore_cleanup_errors=True)
    try:
        yield folder.name
    finally:
        # Python before 3.13 cannot remove a thousand nested folders; those stay
        with contextlib.suppress(RecursionError):
            folder.cleanup()


def threads() -> int:
    """Number of threads that a run may use: OMP_NUM_THREADS if set, else one per core."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def surroundings(folder: str, more: Mapping[str, str]) -> dict[str, str]:
    """Environment for a process with its own home folder, plus additional variables."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {"LANG": "C.UTF-8", **inherited, "HOME": folder, "TMPDIR": folder, **more}


class Host:
    """One forkserver process, from its start to `close`; several threads may share it."""

    def __init__(
        self, folders: Sequence[str], prepare: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        """Start it without waiting for its preparation.

        Raises:
            OSError: it cannot be started.
        """
        setup = {"folders": folders, "prepare": prepare, "seconds": _PREPARING_SECONDS}
        self.closed = False
        self._verb = "prepared" if prepare else "started"
        self._ready = False
        self._lock = threading.RLock()
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(temporary_folder())
            self._printed = stack.enter_context(tempfile.TemporaryFile())
            self._control, theirs = socket.socketpair()
            stack.enter_context(self._control)
            with theirs:
                self._process = subprocess.Popen(
                    [*_COMMAND, json.dumps(setup)],
                    cwd=folder,
                    stdin=theirs.fileno(),
                    env=surroundings(folder, environment) | _ONE_THREAD,
                    stdout=self._printed,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            stack.callback(self._kill)
            self._stack = stack.pop_all()

    def wait_until_ready(self) -> None:
        """Wait until the preparation has finished.

        Raises:
            HostError: the preparation failed, ended the process, or took too long.
        """
        with self._lock, self._closing_on_error():
            if self._ready:
                return
            says = self._hear(_PREPARING_SECONDS + _ANSWER_SECONDS)
            self._ready = says == "ready"
            if not self._ready:
                if not says:
                    says = _too_long() if says is None else self._ending()
                raise HostError(f"could not be {self._verb}: {says}", self._output())

    def start(self, ends: Sequence[int]) -> int:
        """Have the forkserver fork a watcher.

        Args:
            ends: the descriptors of `worker.watch`; the caller's copies can be closed afterwards.

        Returns:
            The watcher's pid, which is not reused before `reap`.

        Raises:
            LostError: the forkserver ended or stopped; it is closed now.
            OSError: it cannot fork.
        """
        answer = self._ask(b"start", ends)
        if not answer.isdecimal():
            raise OSError(answer)
        return int(answer)

    def reap(self, pid: int) -> None:
        """Wait for a watcher to end, and kill it if it does not.

        Without the forkserver this does nothing.
        """
        with contextlib.suppress(LostError):
            self._ask(f"reap {pid}".encode(), [])

    def close(self) -> None:
        """End the forkserver; its watchers end when their input does."""
        with self._lock:
            self.closed = True
            self._stack.close()

    def _ask(self, question: bytes, ends: Sequence[int]) -> str:
        with self._lock, self._closing_on_error():
            with contextlib.suppress(OSError):
                self._control.settimeout(_ANSWER_SECONDS)
                socket.send_fds(self._control, [question], ends)
                if answer := self._hear(_ANSWER_SECONDS):
                    return answer
            raise LostError("could not be started: the server was lost twice", self._output())

    @contextlib.contextmanager
    def _closing_on_error(self) -> Iterator[None]:
        """Close on any error: the rest of an answer would be taken for the next one."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _hear(self, seconds: float) -> str | None:
        """Receive one line; an empty string at end of file, None on timeout."""
        self._control.settimeout(seconds)
        line = b""
        try:
            while not line.endswith(b"\n"):
                chunk = self._control.recv(4096)
                if not chunk:
                    return ""
                line += chunk
        except OSError:
            return None
        return line.decode("utf-8").strip()

    def _ending(self) -> str:
        """Describe how the forkserver, which has closed its socket, ended."""
        try:
            code = self._process.wait(_ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            return "does not answer"
        if code == -signal.SIGALRM:
            return _too_long()
        with contextlib.suppress(ValueError):
            return f"ended by {signal.Signals(-code).name}"
        return f"ended with exit status {code}"

    def _output(self) -> str:
        if self._printed.closed:
            return ""
        size = os.fstat(self._printed.fileno()).st_size
        last = os.pread(self._printed.fileno(), _KEPT_BYTES, max(0, size - _KEPT_BYTES))
        return last.decode("utf-8", "replace")

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()


def _too_long() -> str:
    return f"took longer than {_PREPARING_SECONDS:g} s"
