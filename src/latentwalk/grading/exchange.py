"""One run as the grader sees it: four pipes to a watcher and its worker, read until they end."""

import contextlib
import os
import selectors
import time
from dataclasses import dataclass
from typing import BinaryIO

from latentwalk.grading import child
from latentwalk.grading.host import Host
from latentwalk.grading.kept import Kept

_GRACE_SECONDS = 20.0  # for the watcher to start and to clear up, on a busy machine


@dataclass
class Heard:
    """What comes back from a run."""

    answer: Kept
    """From the worker."""
    report: Kept
    """From the watcher; its end is the watcher's."""
    output: Kept
    """From whoever prints."""


def exchange(host: Host, request: bytes, heard: Heard, seconds: float) -> bool:
    """Have a watcher forked, send it a request and listen until it has ended.

    Args:
        host: what forks it.
        request: one line, as `child.watch` expects it.
        heard: gets what comes back.
        seconds: how long the run may take.

    Returns:
        False when the watcher did not end in that time and a grace.

    Raises:
        LostError: there is no server any more; nothing has begun.
        OSError: no more processes or descriptors.
    """
    with contextlib.ExitStack() as stack:
        ends = [[stack.enter_context(end) for end in _pipe()] for _ in range(4)]
        (theirs, requests), (output, *their_output), (answer, *their_answer), (report, *last) = ends
        watcher = _Watcher(host, requests, report)
        stack.callback(watcher.see_off)
        with contextlib.ExitStack() as given:
            given_away = [theirs, *their_output, *their_answer, *last]
            for end in given_away:
                given.callback(end.close)
            watcher.pid = host.start([end.fileno() for end in given_away])
        with contextlib.suppress(BrokenPipeError):  # it ended already; its end says why
            requests.write(request)
            requests.flush()
        streams = {answer: heard.answer, report: heard.report, output: heard.output}
        return _collect(streams, report, time.monotonic() + seconds + _GRACE_SECONDS)


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    """Read end and write end."""
    read, write = os.pipe()
    return os.fdopen(read, "rb", 0), os.fdopen(write, "wb")


@dataclass
class _Watcher:
    host: Host
    requests: BinaryIO
    report: BinaryIO
    pid: int | None = None
    """None: unknown, when the server did not say it."""

    def see_off(self) -> None:
        """The end of its input tells it to stop, if it has not."""
        with contextlib.suppress(OSError):
            self.requests.close()
        deadline = time.monotonic() + _GRACE_SECONDS
        ended = _collect({self.report: Kept(0)}, self.report, deadline)
        if self.pid is not None:
            if not ended:  # somebody stopped it
                child.kill([*child.descendants(self.pid), self.pid])
            self.host.reap(self.pid)


def _collect(streams: dict[BinaryIO, Kept], report: BinaryIO, deadline: float) -> bool:
    """Read all streams until the report has ended and they are empty.

    Returns:
        False when the deadline came first.
    """
    ended = False
    with selectors.DefaultSelector() as selector:
        for stream, kept in streams.items():
            selector.register(stream, selectors.EVENT_READ, kept)
        while (left := deadline - time.monotonic()) > 0:
            ready = selector.select(0 if ended else left)
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                key.data.add(chunk)
                if not chunk:
                    selector.unregister(key.fileobj)
                    ended = ended or key.fileobj is report
            if ended and not ready:
                return True
    return False
