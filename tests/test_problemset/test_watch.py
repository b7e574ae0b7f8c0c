"""Rendering on save, as a person at the keyboard has it: a process, a browser, and Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

# Stands in for the renderer: it copies the report into the page, unless the report is broken.
RENDER = """
import sys
from pathlib import Path
text = Path("report.qmd").read_text()
Path("runs.txt").open("a").write("run\\n")
if text == "broken":
    sys.exit("error: broken")
Path("page.html").write_text(text)
"""
WATCH = """
import logging, sys
from pathlib import Path
from problemset import watch
logging.basicConfig(level=logging.INFO, format="%(message)s")
sys.orig_argv = [sys.executable, "render.py", "--watch"]
watch.watch(Path("page.html"), lambda: [Path("report.qmd"), Path("none.txt")])
"""
SECONDS = 30


@pytest.fixture
def watching(tmp_path: Path):
    (tmp_path / "render.py").write_text(RENDER)
    (tmp_path / "report.qmd").write_text("first")
    process = subprocess.Popen(
        [sys.executable, "-c", WATCH], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    yield tmp_path, process
    process.kill()
    process.wait()
    process.stderr.close()


def address(process: subprocess.Popen) -> str:
    """Where the page is shown, once it has been rendered."""
    for line in process.stderr:
        if found := re.search(r"http://localhost:\d+", line):
            return found[0]
    raise AssertionError("the watcher ended")


def save(folder: Path, text: str) -> None:
    (folder / "report.qmd").write_text(text)
    later = time.time() + 5
    os.utime(folder / "report.qmd", (later, later))


def fetched(url: str) -> tuple[str, str]:
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode(), answer.headers["X-Changed"]


def test_saving_renders_again_and_the_page_can_tell(watching) -> None:
    folder, process = watching
    url = address(process)
    first, date = fetched(url)
    assert first.startswith("first")
    assert "location.reload()" in first
    assert fetched(url)[1] == date, "nothing was saved"
    save(folder, "second")
    assert address(process) == url
    second, later = fetched(url)
    assert second.startswith("second")
    assert later != date
    assert (folder / "page.html").read_text() == "second", "the file itself has no script"
    assert (folder / "runs.txt").read_text().count("run") == 2


def test_a_mistake_is_shown_and_watching_goes_on(watching) -> None:
    folder, process = watching
    url = address(process)
    save(folder, "broken")
    assert address(process) == url
    assert fetched(url)[0].startswith("first"), "the last good page stays"
    (folder / "report.qmd").write_text("mended")
    assert address(process) == url
    assert fetched(url)[0].startswith("mended")


def test_ctrl_c_ends_it(watching) -> None:
    _, process = watching
    address(process)
    process.send_signal(signal.SIGINT)
    process.stderr.read()
    assert process.wait(SECONDS) != 0
