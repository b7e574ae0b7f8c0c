"""Says what is being done, how far it is, and how long it still takes if it goes as last time."""

import contextlib
import json
import logging
import time
from pathlib import Path

from tqdm import tqdm

from problemset import file_io

_LOG = logging.getLogger(__name__)
_PAUSE_SECONDS = 5.0  # between the lines of a log that count something


class Progress:
    """The steps of one run. In a terminal what is counted stays on one line."""

    def __init__(self, file: Path | None = None) -> None:
        """Read what earlier runs took.

        Args:
            file: remembers for each step how many seconds were left; None: no estimate is shown.
        """
        self._file = file
        self._left: dict[str, float] = {}
        if file:
            with contextlib.suppress(OSError, ValueError, TypeError):  # then no estimate is shown
                self._left = dict(json.loads(file.read_text(encoding="utf-8")))
        self._reached: dict[str, float] = {}
        self._said = -_PAUSE_SECONDS
        self._line = tqdm(bar_format="{desc}", leave=False, disable=None)

    def step(self, name: str, done: int = 0, total: int = 0) -> None:
        """Begin a step, or go on with one whose parts are counted."""
        text = f"{name}: {done} of {total}" if total else name
        now = time.monotonic()
        self._reached[text] = now
        if text in self._left:
            text += f", about {max(1, round(self._left[text]))} s left"
        if total and not self._line.disable:
            self._line.set_description_str(text)
        elif not total or done == total or now - self._said >= _PAUSE_SECONDS:
            self._line.clear()
            _LOG.info("%s", text)
            self._said = now

    def finish(self) -> None:
        """End the last step, and remember how long each one came before the end.

        Raises:
            WriteError: the file cannot be written.
        """
        self._line.close()
        now = time.monotonic()
        self._left |= {text: round(now - then, 1) for text, then in self._reached.items()}
        if self._file:
            file_io.write(self._file, json.dumps(self._left, indent=1))
