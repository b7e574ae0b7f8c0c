"""Jobs: what a worker process is asked to grade, and what it returns.

This module is separate from the code that does the grading, because a worker unpickles these
classes before it knows what they are for.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from problemset.rubric import Item


@dataclass(frozen=True)
class Job:
    """One submission to grade."""

    assignment: str
    """Reference of the assignment."""
    folder: Path
    """Absolute path of the submission."""
    name: str
    """Name shown on the result page."""
    items: tuple[Item, ...]
    """The rubric."""
    rubric: str
    """The text that the items were read from."""
    grader: str
    """Digest of the grader that must do the work; a worker with another one refuses the job."""
    previous: str = ""
    """Digest of the complete results that already exist; empty if there are none to keep."""
    notebook: bool = True
    """Whether to run the notebook."""
    out: Path | None = None
    """Folder in which `score.json` is updated during grading; None for no such file."""


@dataclass(frozen=True)
class JobResult:
    """The result of a job."""

    says: str = ""
    """Why the submission could not be graded; empty if it was."""
    digest: str = ""
    """Digest of what was graded; the job's `previous` if the existing results hold."""
    seconds: float = 0.0
    """Wall-clock time that grading took."""
    results: dict[str, bytes] = field(default_factory=dict)
    """Content of each result file by name; empty if the existing results still hold."""


Grader = Callable[[Job], JobResult]
"""Grades the submission of a job; runs in a worker process."""
