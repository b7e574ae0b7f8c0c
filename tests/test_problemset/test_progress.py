"""What is said while a report is made."""

import json
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from problemset import progress
from problemset.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, which a test sets."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def run(file: Path | None, clock: list[float], cells: int = 4, seconds: float = 3.0) -> None:
    steps = Progress(file)
    for done in range(1, cells + 1):
        clock[0] += seconds
        steps.step("cells", done, cells)
    steps.step("PDF")
    clock[0] += seconds
    steps.finish()


def test_a_log_has_a_line_every_few_seconds_and_the_time_left_from_the_last_run(
    tmp_path: Path, clock: list[float], said: list[str]
) -> None:
    file = tmp_path / "seconds.json"
    run(file, clock)
    assert said == ["cells: 1 of 4", "cells: 3 of 4", "cells: 4 of 4", "PDF"]
    said.clear()
    run(file, clock)
    assert said == [
        "cells: 1 of 4, about 12 s left",
        "cells: 3 of 4, about 6 s left",
        "cells: 4 of 4, about 3 s left",
        "PDF, about 3 s left",
    ]


@pytest.mark.parametrize("content", ["", "{", "[1]", "3", '"x"'])
def test_a_damaged_record_of_times_is_no_obstacle(tmp_path: Path, content: str) -> None:
    record = tmp_path / "seconds.json"
    record.write_text(content)
    progress = Progress(record)
    progress.step("cells")
    progress.finish()
    assert list(json.loads(record.read_text())) == ["cells"]


def test_an_interrupted_run_leaves_the_times_of_the_last_whole_one(
    tmp_path: Path, clock: list[float], said: list[str]
) -> None:
    file = tmp_path / "seconds.json"
    run(file, clock)
    before = file.read_text()
    Progress(file).step("PDF")
    assert file.read_text() == before
    assert said[-1] == "PDF, about 3 s left"
    run(None, clock)
    assert said[-1] == "PDF", "without a file no time is told"


IN_A_TERMINAL = """
from problemset.progress import Progress
steps = Progress()
for done in (1, 2, 3):
    steps.step("cells", done, 3)
steps.finish()
"""


def test_in_a_terminal_the_count_stays_on_one_line_and_is_removed() -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    subprocess.run([sys.executable, "-c", IN_A_TERMINAL], stderr=slave, check=True)
    os.close(slave)
    shown = os.read(master, 10_000).decode()
    os.close(master)
    assert [count for count in ("1 of 3", "2 of 3", "3 of 3") if count in shown] == [
        "1 of 3",
        "2 of 3",
        "3 of 3",
    ]
    assert "\n" not in shown
    assert shown.rstrip(" \r") != shown, "the line is empty in the end"
