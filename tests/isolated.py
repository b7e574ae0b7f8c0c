"""Functions of `isolation_targets.py` in processes of their own, and what must not stay behind."""

import sys
import tempfile
import time
from pathlib import Path

import isolation_targets
import psutil
import pytest

from problemset.grading.sandbox import isolation
from problemset.grading.sandbox.isolation import Limits

LINUX = sys.platform == "linux"
MIB = 1 << 20
# wide where a test does not wait for the limit: the machine may be busy
WIDE = Limits(wall_seconds=60, memory_bytes=1 << 30)
FOLDERS = (str(Path(isolation_targets.__file__).parent), *isolation.Server._folders)


class Targets(isolation.Server):
    _modules = "isolation_targets"
    _folders = FOLDERS


def on(server, function, limits=WIDE, environment=None, **arguments):
    target = f"isolation_targets:{function}"
    return server.run(target, arguments, limits, environment=environment)


def call(function, limits=WIDE, environment=None, **arguments):
    with Targets() as server:
        return on(server, function, limits, environment, **arguments)


def servers():
    """The servers that this process has; other tests, such as Dask's, leave their own helpers."""
    return [p for p in psutil.Process().children() if "server.main(setup)" in " ".join(p.cmdline())]


@pytest.fixture(autouse=True, name="nothing_stays_behind")
def look_for_leftovers(tmp_path, monkeypatch):
    """No process, no temporary folder, no open descriptor, whatever the test does."""
    own = tmp_path / "temporary"
    own.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    here = psutil.Process()
    before, others = here.num_fds(), here.children(recursive=True)  # of other tests, such as Dask's
    yield own
    assert [p for p in here.children(recursive=True) if p.is_running() and p not in others] == []
    assert here.num_fds() == before
    left = tmp_path / "pids"
    for pid in left.read_text("ascii").split() if left.exists() else []:
        assert gone(int(pid)), f"process {pid} is left"
    assert list(own.iterdir()) == []


def gone(pid):
    """Also true of a process that has ended and waits to be noticed by the system's first one."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False
