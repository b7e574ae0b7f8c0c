"""What a process is asked to grade, and what it gives back.

Apart from what does it, because a worker unpacks these before it knows what they are for.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from problemset.rubric import Item


@dataclass(frozen=True)
class Task:
    """One submission of a class."""

    folder: Path
    """The submission, by its full path."""
    name: str
    """For the page."""
    items: tuple[Item, ...]
    """The rubric."""
    rubric: str
    """The text that the items come from."""
    grader: str
    """Digest of the grader that is meant, from `finished.grader()`."""
    known: str = ""
    """Digest of the complete results that are there; empty when there are none to keep."""
    notebook: bool = True
    """Whether to run the notebook."""
    out: Path | None = None
    """Where `score.json` is kept up to date while it is graded; nowhere if left out."""


@dataclass(frozen=True)
class Done:
    """What came of a task."""

    says: str = ""
    """Why the submission could not be graded; empty when it was."""
    digest: str = ""
    """Of what was graded; the task's `known` when the results that are there still hold."""
    seconds: float = 0.0
    """That it took."""
    results: dict[str, bytes] = field(default_factory=dict)
    """Name to content of each result file; none when those that are there still hold."""


CarryOut = Callable[[Task], Done]
"""As `work.carry_out`."""
