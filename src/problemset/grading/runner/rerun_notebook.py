"""Run a submission's notebook again under nbval, with its kernel confined, and compare outputs.

The notebook's code is the only code of a submission that is ever run. It runs in its own Jupyter
kernel (`confine.py`) on a copy of what it needs. pytest and nbval stay outside and talk to the
kernel through sockets; whatever it sends is treated as data. Whether outputs agree is decided
outside, too.
"""

import json
import math
import os
import queue
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from problemset import assignment
from problemset.grading.sandbox import confine, forkserver_client
from problemset.grading.submission import cells
from problemset.grading.submission.cells import CodeCell
from problemset.grading.submission.layout import NOTEBOOK

CELL_SECONDS = 400.0
_KERNEL, _WORK = "confined", "notebook"
_MOST_SAYS = 300
_READABLE = (Path(sys.executable), Path(__file__), Path(os.__file__))  # outside the copy
_LOOK_SECONDS = 0.5  # interval for checking that the kernel is alive


class NotebookError(RuntimeError):
    """No notebook can be run on this machine, whatever its content."""


def rerun(reference: str, folder: str, cell_seconds: float = CELL_SECONDS) -> dict[str, Any]:
    """Run a notebook in the current folder, which is empty.

    Args:
        reference: of the assignment.
        folder: the submission's private copy.
        cell_seconds: time limit per cell; later cells are still run.

    Returns:
        `confined`, the restrictions reported by `confine`, and `cells`, one object per code cell:
        its `number` from 1, the `item` and `problem` whose heading is above it, the saved `count`,
        whether it `ran`, the number of saved outputs `compared`, and what `differs`, empty if
        nothing does.

    Raises:
        NotebookError: nbval is missing, or this system cannot confine the kernel.
        IntakeError: the file is not a notebook.
    """
    homework = assignment.load(reference)
    needs = homework.notebook
    if needs is None:
        raise NotebookError("this assignment does not run notebooks")
    work = Path.cwd() / _WORK
    source = Path(folder)
    found = cells.read(source / NOTEBOOK)
    work.mkdir()
    shutil.copyfile(source / NOTEBOOK, work / NOTEBOOK)
    needs.lay_out(source, work)
    Path.cwd().chmod(0o711)  # the kernel's user must be able to pass through
    words, uid = confine.possible(work, [work, *_READABLE, *needs.readable()])
    if "files" not in words and "user" not in words:
        raise NotebookError("this system cannot stop a notebook from writing to any folder")
    _give(work, uid)
    _write_kernel(work, uid, homework.folder, needs.variables(work))
    ran = _run(work, cell_seconds)
    return {"confined": words, "cells": _cells(found, ran)}


def _give(work: Path, uid: int) -> None:
    """Make the kernel's user the owner of the folder."""
    if uid == os.geteuid():
        return
    for path in (work, *work.rglob("*")):
        os.chown(path, uid, uid)


def _write_kernel(work: Path, uid: int, homework: Path, more: Mapping[str, str]) -> None:
    folder = Path("kernels") / _KERNEL
    folder.mkdir(parents=True)
    package = Path(__file__).resolve().parents[3]
    searched = os.pathsep.join(dict.fromkeys([str(package), str(homework)]))
    threads = str(forkserver_client.threads())
    command = [sys.executable, "-I", confine.__file__, str(work), str(uid), "--"]
    command += [sys.executable, "-s", "-B", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    variables = {
        "HOME": str(work), "TMPDIR": str(work), "USER": "notebook", "PYTHONPATH": searched,
        "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads,
        "PYTHONHASHSEED": "0", **more,
    }  # fmt: skip
    spec = {"argv": command, "display_name": _KERNEL, "language": "python", "env": variables}
    (folder / "kernel.json").write_text(json.dumps(spec), "utf-8")


@dataclass
class _Seen:
    """A pytest plugin that records the result of each cell."""

    cells: dict[int, tuple[bool, str, list[Any]]] = field(default_factory=dict)
    """By number from 0: whether it ran, if not why, and its outputs."""

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Suppress pytest's report, which would print the notebook's own text."""

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        """Store the outputs as soon as a cell has run."""
        if call.when != "call" and not call.excinfo:
            return
        again = getattr(item, "test_outputs", None)
        error = call.excinfo.value if call.excinfo else None
        differs = "outputs differ" in str(error)  # nbval's verdict; `outputs` refines it
        ran = again is not None and (error is None or differs)
        why = "" if ran else " ".join(str(error).split())[:_MOST_SAYS] or "was skipped"
        if ran or item.cell_num not in self.cells:
            self.cells[item.cell_num] = (ran, why, list(again or []))


def _run(work: Path, cell_seconds: float) -> dict[int, tuple[bool, str, list[Any]]]:
    """Run all cells; return nothing for a notebook that cannot be run at all."""
    os.environ |= {"JUPYTER_PATH": str(Path.cwd()), "JUPYTER_RUNTIME_DIR": str(Path.cwd() / "run")}
    os.environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    try:
        import pytest
        from jupyter_client.manager import KernelManager
        from nbval import kernel, plugin
        from traitlets import CaselessStrEnum, Unicode
    except ImportError as error:
        wanted = "install nbval with `pip install nbval`, or grade with --no-notebook"
        raise NotebookError(f"{error}; {wanted}") from error

    class SocketManager(KernelManager):
        """Uses socket files, which also reach a process without network."""

        transport = CaselessStrEnum(["tcp", "ipc"], default_value="ipc")
        ip = Unicode(str(work / "k"))

    class WatchedKernel(kernel.RunningKernel):
        """Stops waiting once the kernel has ended, unlike nbval's own class."""

        def get_message(self, stream: str, timeout: float | None = None) -> Any:
            """Raise `queue.Empty` after the timeout, or when no message can arrive any more."""
            give_up = time.monotonic() + (math.inf if timeout is None else timeout)
            while True:
                try:
                    return super().get_message(stream, timeout=_LOOK_SECONDS)
                except queue.Empty:
                    if not self.is_alive() or time.monotonic() > give_up:
                        raise

    kernel.KernelManager, plugin.RunningKernel = SocketManager, WatchedKernel
    seen = _Seen()
    options = ["-c", os.devnull, "--rootdir", str(work), "--noconftest", "-p", "no:cacheprovider"]
    options += ["-p", "nbval.plugin", "--nbval", "--nbval-kernel-name", _KERNEL, "-q", "--tb=no"]
    options += ["--nbval-cell-timeout", str(cell_seconds), "--color=no"]
    pytest.main([*options, str(work / NOTEBOOK)], plugins=[seen])
    return seen.cells


def _cells(
    found: list[CodeCell], ran: dict[int, tuple[bool, str, list[Any]]]
) -> list[dict[str, Any]]:
    """Combine the saved cells with the results of running them again."""
    from problemset.grading.evidence import outputs  # imports NumPy and Pillow

    noted: list[dict[str, Any]] = []
    for number, cell in enumerate(found):  # nbval numbers empty code cells, too
        whether, why, again = ran.get(number, (False, "it was not reached", []))
        if not cell.source.strip():
            continue
        noted.append({
            "number": len(noted) + 1, "problem": cell.problem, "item": cell.item,
            "count": cell.count, "ran": whether, "compared": len(outputs.compared(cell.outputs)),
            "differs": outputs.difference(cell.outputs, again) if whether else why,
        })  # fmt: skip
    return noted
