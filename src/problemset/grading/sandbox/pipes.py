"""One run as the grader sees it: four pipes to a watcher and its worker, read until they end."""

import contextlib
import os
import selectors
import time
from dataclasses import dataclass
from typing import BinaryIO

from problemset.grading.sandbox import worker
from problemset.grading.sandbox.bounded_buffer import BoundedBuffer
from problemset.grading.sandbox.forkserver_client import Host

_GRACE_SECONDS = 20.0  # for the watcher to start and to clean up, on a busy machine


@dataclass
class Received:
    """Data received from a run."""

    answer: BoundedBuffer
    """Sent by the worker."""
    report: BoundedBuffer
    """Sent by the watcher; it ends when the watcher does."""
    output: BoundedBuffer
    """Printed by any process of the run."""


def exchange(host: Host, request: bytes, received: Received, seconds: float) -> bool:
    """Have a watcher forked, send it a request and read its pipes until it has ended.

    Args:
        host: the forkserver.
        request: one line, as `worker.watch` expects it.
        received: filled with the received data.
        seconds: how long the run may take.

    Returns:
        False if the watcher did not end within that time plus a grace period.

    Raises:
        LostError: the forkserver is gone; the run has not begun.
        OSError: no more processes or descriptors.
    """
    with contextlib.ExitStack() as stack:
        their_requests, requests = _pipe(stack)
        output, their_output = _pipe(stack)
        answer, their_answer = _pipe(stack)
        report, their_report = _pipe(stack)
        watcher = _Watcher(host, requests, report)
        stack.callback(watcher.see_off)
        theirs = (their_requests, their_output, their_answer, their_report)
        try:
            watcher.pid = host.start([end.fileno() for end in theirs])
        finally:
            for end in theirs:
                end.close()  # while this process holds them open, the streams cannot end
        with contextlib.suppress(BrokenPipeError):  # it has ended already, and its report says why
            requests.write(request)
            requests.flush()
        streams = {answer: received.answer, report: received.report, output: received.output}
        return _collect(streams, report, time.monotonic() + seconds + _GRACE_SECONDS)


def _pipe(stack: contextlib.ExitStack) -> tuple[BinaryIO, BinaryIO]:
    """Read end and write end, closed with the stack at the latest."""
    read, write = os.pipe()
    return (
        stack.enter_context(os.fdopen(read, "rb", 0)),
        stack.enter_context(os.fdopen(write, "wb")),
    )


@dataclass
class _Watcher:
    """A watcher, seen from the parent."""

    host: Host
    requests: BinaryIO
    report: BinaryIO
    pid: int | None = None
    """None if unknown because the forkserver did not answer."""

    def see_off(self) -> None:
        """Tell the watcher to stop, by closing its input, and wait until it has."""
        with contextlib.suppress(OSError):
            self.requests.close()
        deadline = time.monotonic() + _GRACE_SECONDS
        ended = _collect({self.report: BoundedBuffer(0)}, self.report, deadline)
        if self.pid is not None:
            if not ended:  # it may have been suspended
                worker.kill([*worker.descendants(self.pid), self.pid])
            self.host.reap(self.pid)


def _collect(streams: dict[BinaryIO, BoundedBuffer], report: BinaryIO, deadline: float) -> bool:
    """Read all streams until the report has ended and nothing more is available.

    Returns:
        False if the deadline came first.
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
