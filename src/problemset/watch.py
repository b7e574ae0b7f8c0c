"""Render again whenever a file of the report changes, and let the page in the browser reload."""

import contextlib
import functools
import http.server
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_LOG = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.3
# Added to the page that is served, not to the file: it asks for the file's date.
_RELOAD = b"""<script>
let seen;
setInterval(async () => {
  const answer = await fetch(location.href, {method: "HEAD", cache: "no-store"}).catch(() => null);
  const date = answer && answer.headers.get("X-Changed");
  if (date && seen && date !== seen) location.reload();
  seen = date || seen;
}, 500);
</script>
"""


def watch(page: Path, watched: Callable[[], Iterable[Path]]) -> None:
    """Render in a new process at every change, which sees changed code as well; until Ctrl-C.

    Args:
        page: the web page that rendering makes.
        watched: returns the files whose changes count.
    """
    server = http.server.ThreadingHTTPServer(("localhost", 0), functools.partial(_Page, page))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    words = [word for word in sys.orig_argv[1:] if word not in ("--watch", "--fresh")]
    before: dict[Path, int] = {}
    try:
        while True:
            if (now := _dates(watched())) != before:
                subprocess.run([sys.executable, *words], check=False)
                # what rendering itself writes does not count as a change
                before = {**_dates(watched()), **now}
                _LOG.info(
                    "http://localhost:%d shows the page; waiting for changes", server.server_port
                )
            time.sleep(_PAUSE_SECONDS)
    finally:
        server.shutdown()


def _dates(paths: Iterable[Path]) -> dict[Path, int]:
    dates = {}
    for path in paths:
        with contextlib.suppress(OSError):  # an editor's temporary file may be gone by now
            if path.is_file():
                dates[path] = path.stat().st_mtime_ns
    return dates


class _Page(http.server.BaseHTTPRequestHandler):
    """Serves one page, with a script that reloads it."""

    def __init__(self, page: Path, *arguments: Any) -> None:
        self._page = page
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Send the page."""
        self.do_HEAD()
        if self._page.is_file():
            self.wfile.write(self._page.read_bytes() + _RELOAD)

    def do_HEAD(self) -> None:
        """Say when the page was written."""
        there = self._page.is_file()
        self.send_response(200 if there else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        if there:
            self.send_header("X-Changed", str(self._page.stat().st_mtime_ns))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing about each request."""
