"""Run a submission's notebook again, with its kernel confined, and compare outputs.

The notebook's code is the only code of a submission that is ever run. It runs in its own Jupyter
kernel (`confine.py`) on a copy of what it needs. nbclient stays outside and talks to the kernel
through sockets; whatever it sends is treated as data. Whether outputs agree is decided outside,
too. Of all tags only `training` has an influence, under the items for which the assignment allows
it: such a cell is not run, and shows nothing.
"""

import dataclasses
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from problemset import assignment
from problemset.grading.sandbox import confine, forkserver_client
from problemset.grading.submission import cells
from problemset.grading.submission.cells import CodeCell
from problemset.grading.submission.layout import NOTEBOOK
from problemset.text import one_line

CELL_SECONDS = 800.0
_WORK = "notebook"
_MOST_SAYS = 300
_READABLE = (Path(sys.executable), Path(__file__), Path(os.__file__))  # outside the copy


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
        NotebookError: this system cannot confine the kernel.
        RenderError: no kernel can be started.
        IntakeError: the file is not a notebook.
    """
    homework = assignment.load(reference)
    needs = homework.notebook
    if needs is None:
        raise NotebookError("this assignment does not run notebooks")
    work = Path.cwd() / _WORK
    source = Path(folder)
    found = [_as_allowed(cell, homework) for cell in cells.read(source / NOTEBOOK)]
    work.mkdir()
    shutil.copyfile(source / NOTEBOOK, work / NOTEBOOK)
    needs.lay_out(source, work)
    Path.cwd().chmod(0o711)  # the kernel's user must be able to pass through
    words, uid = confine.possible(work, [work, *_READABLE, *needs.readable()])
    if "files" not in words and "user" not in words:
        raise NotebookError("this system cannot stop a notebook from writing to any folder")
    _give(work, uid)
    python = [sys.executable, "-I", confine.__file__, str(work), str(uid), "--"]
    python += [sys.executable, "-s", "-B"]
    variables = {**_variables(work, homework.folder), **needs.variables(work)}
    ran = _run([cell for cell in found if not cell.training], work, python, variables, cell_seconds)
    return {"confined": words, "cells": _cells(found, ran)}


def _as_allowed(cell: CodeCell, homework: assignment.Assignment) -> CodeCell:
    """A cell whose tag `training` counts only where the assignment asks for a training."""
    allowed = cell.training and cell.item in homework.training_items
    return dataclasses.replace(cell, training=allowed)


def _give(work: Path, uid: int) -> None:
    """Make the kernel's user the owner of the folder."""
    if uid == os.geteuid():
        return
    for path in (work, *work.rglob("*")):
        os.chown(path, uid, uid)


def _variables(work: Path, homework: Path) -> dict[str, str]:
    package = Path(__file__).resolve().parents[3]
    threads = str(forkserver_client.threads())
    return {
        "HOME": str(work),
        "IPYTHONDIR": str(work / ".ipython"),
        "TMPDIR": str(work),
        "USER": "notebook",
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(package), str(homework)])),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "PYTHONHASHSEED": "0",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


@dataclass
class _Ran:
    """What came of running a cell."""

    fault: str = ""
    """Why it was not run to its end; empty if it was."""
    outputs: list[Any] = field(default_factory=list)


def _run(
    found: Sequence[CodeCell],
    work: Path,
    python: Sequence[str],
    variables: Mapping[str, str],
    cell_seconds: float,
) -> list[_Ran]:
    """Run the cells in order; a kernel that ends reaches no more of them."""
    import nbformat  # the process that only hands out checks does without these
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    from problemset.render.execution.kernel import running_kernel

    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(cell.source) for cell in found]
    late = {"ename": "Timeout", "evalue": f"more than {cell_seconds:g} seconds", "traceback": []}
    limits = {"timeout": int(cell_seconds), "interrupt_on_timeout": True, "error_on_timeout": late}
    ran: list[_Ran] = []
    with running_kernel(notebook, work, python, variables, work / "k", **limits) as client:
        for number, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, number)
                ran.append(_Ran(outputs=cell.outputs))
            except CellExecutionError as error:
                says = f"raised an exception, {error.ename}: {error.evalue}"
                ran.append(_Ran(one_line(says, _MOST_SAYS)))
            except DeadKernelError:
                ran.append(_Ran("the kernel ended"))
                break
            except Exception as error:  # whatever a kernel sends that Jupyter would not
                ran.append(_Ran(one_line(f"{type(error).__name__}: {error}", _MOST_SAYS)))
    return ran + [_Ran("it was not reached")] * (len(found) - len(ran))


def _cells(found: Sequence[CodeCell], ran: Sequence[_Ran]) -> list[dict[str, Any]]:
    """Combine the saved cells with the results of running them again; empty ones do not count.

    A training cell counts if it was run, and is not listed.
    """
    from problemset.grading.evidence import outputs  # imports NumPy and Pillow

    again, number, listed = iter(ran), 0, []
    for cell in found:
        if cell.training:
            number += cell.count is not None
            continue
        now = next(again)
        if not cell.source.strip():
            continue
        number += 1
        listed.append(
            {
                "number": number,
                "problem": cell.problem,
                "item": cell.item,
                "count": cell.count,
                "ran": not now.fault,
                "compared": len(outputs.compared(cell.outputs)),
                "differs": now.fault or outputs.difference(cell.outputs, now.outputs),
            }
        )
    return listed
