"""An assignment as data: the one object that connects `problemset` with a course's homework.

A homework package builds one `Assignment` at the top of a module. Processes that start afresh, such
as the forkserver and the workers of a cluster, find it again by its `reference`; everything else is
reached through the object.
"""

import importlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # the processes that only hand out checks do without NumPy and Pillow
    import numpy as np

    from problemset.grading.results.thumbnails import Thumbnail
    from problemset.grading.score.outcome import Score
    from problemset.grading.score.verdict import Verdict
    from problemset.grading.submission.opened import Submission

Check = Callable[["Submission", Any], "Verdict"]
"""Checks a submission, given the return value of the assignment's `prepare`.

It raises `SubmissionError` when a file that it needs is missing or damaged, and may leave a
`FormulaError` uncaught: both fail the check.
"""
Sizes = dict[str, int]
"""Symbol in the contract, such as `d`, to the size that it has in one submission."""


class PackError(ValueError):
    """There is nothing to pack or nowhere to put it, or the parts do not belong together."""


class AssignmentError(ValueError):
    """A reference that does not lead to an assignment."""


@dataclass(frozen=True)
class ArrayRule:
    """One array of an archive."""

    name: str
    """Such as `strip.images`."""
    shape: tuple[int | str, ...]
    """A text is a symbol for a size that another file or array decides."""
    items: tuple[str, ...]
    """Items of the rubric whose checks read it."""
    note: str = ""
    """Anything that the shape does not say."""
    problem: Callable[["np.ndarray", str], str] = lambda array, file: ""
    """Returns what is wrong with an array of the right shape, or an empty string."""

    def __str__(self) -> str:
        sizes = ", ".join(map(str, self.shape)) + ("," if len(self.shape) == 1 else "")
        return f"`{self.name}` ({sizes}){self.note}"


@dataclass(frozen=True)
class Look:
    """What a look at one file found."""

    state: Literal["ok", "damaged", "misfit"]
    says: str
    """What was found and, if that differs, what was expected."""
    mend: str = ""
    """What to do; an empty string if there is nothing to do."""


@dataclass(frozen=True)
class FileRule:
    """One file of a submission."""

    name: str
    """Its path in the submission."""
    says: str
    """What it holds, in words; an empty string if `arrays` already says it."""
    items: tuple[str, ...]
    """Items of the rubric for which a check or a person reads it."""
    arrays: tuple[ArrayRule, ...] = ()
    look: Callable[["Submission", Sizes], Look] | None = None
    """Looks at the file before the deadline, and notes sizes; raises `SubmissionError` if the file
    is damaged. Not needed where `arrays` says all, or where it is enough that the file opens."""
    made_by: str = ""
    """How a student gets the file; empty: with the assignment's `makes_report`."""
    mend: str = ""
    """What a student does when the file is damaged; empty: run `makes_report` again."""
    source: Callable[[], Path | None] | None = None
    """Where `pack` finds the file; if omitted, under its own name in the build folder, or else in
    the project's."""
    optional: bool = False
    """Packed if it exists, but not required."""

    @property
    def holds(self) -> str:
        """Description of the content: the words, or all arrays with their shapes."""
        return self.says or ", ".join(map(str, self.arrays))


@dataclass(frozen=True)
class NotebookEnvironment:
    """What a submission's notebook needs, apart from itself, when it is run again."""

    lay_out: Callable[[Path, Path], None]
    """Copies what the notebook reads, from the submission (first path) and from the grader, into
    the folder in which it runs (second path)."""
    variables: Callable[[Path], Mapping[str, str]]
    """Environment variables for a notebook that runs in a folder."""
    readable: Callable[[], tuple[Path, ...]] = tuple
    """Files outside the folder that it must be able to read, such as a library's."""


def notebook_of(project: Path, *files: str) -> NotebookEnvironment:
    """Environment of a notebook that reads only some files of its project, and builds in it.

    Args:
        project: the grader's copy of the project, from which its rubric is taken.
        files: what else is taken from there, such as `data.csv`.
    """

    def lay_out(source: Path, work: Path) -> None:
        for name in ("rubric.yml", *files):
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(project / name, work / name)
        if (source / "student.yml").is_file():
            shutil.copyfile(source / "student.yml", work / "student.yml")

    def variables(work: Path) -> Mapping[str, str]:
        return {"PROBLEMSET_ROOT": str(work), "PROBLEMSET_BUILD": str(work / "build")}

    return NotebookEnvironment(lay_out, variables)


@dataclass(frozen=True)
class Assignment:
    """Everything that `problemset` has to know about a homework."""

    reference: str
    """Where a new process finds this object, such as `latentwalk.assignment:ASSIGNMENT`."""
    title: str
    files: tuple[FileRule, ...]
    """What a submission holds, in the order in which a person reads about it."""
    checks: Callable[[], Mapping[str, Check]]
    """Returns the checks by their names in `rubric.yml`. It is a function, so that only processes
    that carry out checks import the libraries that the checks need."""
    program: str = "problemset"
    """Name of the homework's command line."""
    notebook_checks: frozenset[str] = frozenset()
    """Names of the checks that need the notebook to be run again."""
    prepare: Callable[[], Any] = lambda: None
    """Loads what all checks need, once, in the process from which the checks are forked."""
    before_check: Callable[[], None] = lambda: None
    """Called in each check's own process before the check."""
    identity: Callable[[], str] = lambda: ""
    """Identifies what decides results besides code and rubric, such as a classifier's weights."""
    prepare_report: Callable[[], None] = lambda: None
    """Makes what the report needs before it is rendered."""
    where_to_start: str = "change into the folder of the report"
    """What to do if there is no report, for messages."""
    report_help: str = ""
    """What `prepare_report` does, for the help of `render`."""
    makes_report: str = "problemset render"
    """The command by which a student makes the report, for messages."""
    notebook: NotebookEnvironment | None = None
    """None: notebooks are not run."""
    training_items: frozenset[str] = frozenset()
    """Items under whose headings a cell with the tag `training` is not run again."""
    thumbnails: Callable[["Submission", "Score"], tuple["Thumbnail", ...]] = lambda found, score: ()
    """Draws what a submission shows, for the page of its results."""
    check_pack: Callable[[Mapping[str, Path]], None] = lambda found: None
    """Refuses files that do not belong together, by raising `PackError`."""
    archive_files: Callable[[], Mapping[str, Path]] = dict
    """Further files of Gradescope's archive, by their name in it."""
    notebook_files: Callable[[], Mapping[str, Mapping[str, Path]]] = dict
    """For each package, files that its wheel beside a notebook holds besides the code, by their
    names in the wheel."""
    environment: Callable[[], Mapping[str, str]] = dict
    """Environment variables with which a process in any folder finds the project."""
    packages: tuple[str, ...] = ()
    """Python packages, or modules of one file, whose source decides the results; empty: the package
    of `reference`, and `problemset`."""

    def __post_init__(self) -> None:
        if not self.packages:
            own = self.reference.partition(":")[0].partition(".")[0]
            # the usual way to set a default in a frozen dataclass
            object.__setattr__(self, "packages", (own, "problemset"))

    @property
    def folder(self) -> Path:
        """The folder from which Python imports the assignment's module.

        It may be a project's own folder, which a new process does not search by itself.
        """
        name = self.reference.partition(":")[0]
        module = importlib.import_module(name)
        file = Path(str(module.__file__)).resolve()
        # one level for each dot, and one more for the __init__.py of a package
        return file.parents[name.count(".") + hasattr(module, "__path__")]

    @property
    def names(self) -> frozenset[str]:
        """The names of all files of a submission."""
        return frozenset(file.name for file in self.files)

    @property
    def top_level(self) -> frozenset[str]:
        """The files and folders at the top of a submission."""
        return frozenset(name.partition("/")[0] for name in self.names)

    def table(self) -> str:
        """The files as a table in Markdown."""
        asked = [file for file in self.files if not file.optional]
        rows = [f"| `{file.name}` | {file.holds} | {', '.join(file.items)} |" for file in asked]
        return "\n".join(["| file | what it holds | read for |", "|--|--|--|", *rows])


def load(reference: str) -> Assignment:
    """Find an assignment by its reference.

    Raises:
        AssignmentError: there is no such module, or it has no assignment of that name.
    """
    module, _, name = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise AssignmentError(f"{reference} cannot be imported: {error}") from error
    if not isinstance(found, Assignment):
        raise AssignmentError(f"{reference} is {type(found).__name__}, expected an Assignment")
    return found
