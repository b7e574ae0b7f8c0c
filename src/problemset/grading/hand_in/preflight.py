"""Report what a submission lacks before it is graded: files, arrays and shapes.

It uses the grader's own code. Complete is not correct: nothing is generated again here, and no
points are awarded.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from problemset.assignment import ArrayRule, Assignment, FileRule, Look, Sizes
from problemset.grading.hand_in import wheels
from problemset.grading.submission import safe_files
from problemset.grading.submission.intake import Intake, inner_submission, take_in
from problemset.grading.submission.layout import NOTEBOOK, PAPER
from problemset.grading.submission.opened import Submission, SubmissionError
from problemset.text import one_line

FileStatus = Literal["ok", "missing", "damaged", "misfit", "refused", "ignored"]
WORKPLACE = (
    "A report is made here, and this is no submission: `{program} pack submission` makes one of it."
)
CORRECTNESS = "Complete does not mean correct: points come from `{program} grade`."
_LONGEST_NAME, _LONGEST_LINE = 120, 300  # characters of text from a submission
_MOST_BESIDES = 50  # lines about files that the contract does not name
_MENDS = {  # a word in a refusal, and the remedy
    "bytes": "make it smaller",
    "names": "leave out what the contract does not name",
    "too many": "leave out what the contract does not name",
    "Permission": "make it readable",
}


@dataclass(frozen=True)
class FileReport:
    """One line of the report: a file, its state, and what to do."""

    state: FileStatus
    """Misfit: readable, but not what the contract asks for. Refused: not even opened. Ignored:
    never read."""
    name: str
    """Name of the file, as one printable line."""
    says: str
    """What was found and, if that differs, what was expected."""
    mend: str = ""
    """What to do; an empty string if there is nothing to do."""
    asked: bool = True
    """Whether the contract asks for this file; if not, no points depend on it."""

    def line(self, width: int) -> str:
        """One line for a terminal, with the name in a column of some width."""
        name = one_line(self.name, _LONGEST_NAME)
        line = f"{self.state:<8} {name:<{width}}  {self.says}"
        return f"{line} -> {self.mend}" if self.mend else line


@dataclass(frozen=True)
class Completeness:
    """All findings about a submission."""

    assignment: Assignment
    findings: tuple[FileReport, ...]
    inner: Path | None = None
    """A subfolder that appears to be the actual submission."""
    is_workplace: bool = False
    """Whether the folder is where a report is written or made."""

    @property
    def lacking(self) -> tuple[str, ...]:
        """Files of the contract that are not as it requires, in its order."""
        wrong = [found.name for found in self.findings if found.asked and found.state != "ok"]
        # each file once, even if several of its arrays are wrong
        return tuple(dict.fromkeys(wrong))

    def __str__(self) -> str:
        files = [file.name for file in self.assignment.files if not file.optional]
        width, lacking = max(map(len, files)), len(self.lacking)
        lines = [found.line(width) for found in self.findings]
        lines.append(f"{len(files) - lacking} of {len(files)} files are complete")
        if self.inner is not None:
            lines.append(
                f"The submission seems to be {safe_files.shown(self.inner)}: name that folder."
            )
        elif self.is_workplace:
            lines.append(WORKPLACE.format(program=self.assignment.program))
        return "\n".join([*lines, CORRECTNESS.format(program=self.assignment.program)])


def examine(assignment: Assignment, folder: Path) -> Completeness:
    """Inspect a submission as the grader will: take it in, open its files, compare shapes.

    Args:
        assignment: says what a submission holds.
        folder: the submission; it is only read.

    Raises:
        IntakeError: it is missing, a link, or not a folder.
        WriteError: there is no room for a private copy.
    """
    with tempfile.TemporaryDirectory(prefix="problemset-check-") as scratch:
        intake = take_in(folder, Path(scratch), names=assignment.names)
        submission = Submission(intake.folder)
        sizes: Sizes = {}
        findings: list[FileReport] = []
        asked = [file for file in assignment.files if not file.optional]
        for file in asked:  # in this order: the first may decide the sizes of later ones
            findings += _file(file, assignment, intake, submission, sizes)
    return Completeness(
        assignment,
        (*findings, *_besides(assignment, intake)),
        inner_submission(folder, assignment.top_level),
        is_workplace(folder, assignment),
    )


def is_workplace(folder: Path, assignment: Assignment) -> bool:
    """Whether a folder holds a report's source or web page, which no submission holds."""
    names = {f"{Path(PAPER).stem}{end}" for end in (".qmd", ".html")} - assignment.names
    return any((folder / name).is_file() for name in names)


def _file(
    file: FileRule, assignment: Assignment, intake: Intake, submission: Submission, sizes: Sizes
) -> list[FileReport]:
    if file.name not in intake.files:
        return [_absent(file, assignment, intake)]
    if file.arrays and file.look is None:
        return _archive(file, submission, sizes)
    try:
        seen = file.look(submission, sizes) if file.look else _opens(file.name, submission)
    except SubmissionError as error:
        says = _reason(error, submission, file.name)
        mend = file.mend or f"`{assignment.makes_report}` makes it again"
        return [FileReport("damaged", file.name, says, mend)]
    says = _reason(seen.says, submission, file.name)
    return [FileReport(seen.state, file.name, says, seen.mend)]


def _opens(name: str, submission: Submission) -> Look:
    """Open a file about which the contract says no more."""
    folder, _, last = name.rpartition("/")
    if name == PAPER:
        submission.pdf_text()
    elif name == NOTEBOOK:
        submission.notebook_cells()
    elif folder == "results" and last.endswith(".json"):
        submission.document(Path(name).stem)
    else:
        return Look("ok", "is there")
    return Look("ok", "opens")


def _absent(file: FileRule, assignment: Assignment, intake: Intake) -> FileReport:
    """Explain why a file was not taken in: it or its folder was refused, or it is missing."""
    folder, _, last = file.name.rpartition("/")
    for place in (file.name, folder, "."):
        if why := intake.refused.get(place):
            plain = "put a plain file there" if place == file.name else "put a folder there"
            mend = next((m for word, m in _MENDS.items() if word in why), plain)
            of = "" if place == file.name else f"{'the submission' if place == '.' else place} "
            return FileReport("refused", file.name, f"{of}{why}", mend)
    mend = file.made_by or f"`{assignment.makes_report}` makes it"
    if file.arrays:
        mend = f"save {file.holds} in it with numpy.savez"
    for name in _unread(assignment, intake):
        if name.rpartition("/")[2].casefold() == last.casefold():
            mend = f"is it {one_line(name, _LONGEST_NAME)}? move that to {file.name}"
        elif folder and name.casefold() == folder:
            mend = f"is it in {name}? rename that folder to {folder}"
    return FileReport("missing", file.name, f"is read for {', '.join(file.items)}", mend)


def _archive(file: FileRule, submission: Submission, sizes: dict[str, int]) -> list[FileReport]:
    item = Path(file.name).stem
    try:
        there = submission.arrays(item)
    except SubmissionError as error:
        says = _reason(error, submission, file.name)
        return [FileReport("damaged", file.name, says, "save it again with numpy.savez")]
    found = []
    for rule in file.arrays:
        if says := _array(rule, item, submission, sizes):
            state: FileStatus = "misfit" if rule.name in there else "missing"
            says = _reason(says, submission, file.name)
            found.append(FileReport(state, file.name, says, f"save {rule} in it"))
    if found:
        return found
    says = ", ".join(f"{rule.name} {there[rule.name].shape}" for rule in file.arrays)
    more = len(there) - len(file.arrays)
    return [
        FileReport(
            "ok", file.name, says + (f"; further arrays ({more}) are ignored" if more else "")
        )
    ]


def _array(rule: ArrayRule, item: str, submission: Submission, sizes: Sizes) -> str:
    """Describe what is wrong with one array; empty if it conforms to the contract."""
    shape = [sizes.get(size) if isinstance(size, str) else size for size in rule.shape]
    try:
        got = submission.array(item, rule.name, shape)
    except SubmissionError as error:
        return str(error)
    if problem := rule.problem(got, f"results/{item}.npz"):
        return problem
    for size, entries in zip(rule.shape, got.shape, strict=True):
        if isinstance(size, str):
            sizes.setdefault(size, entries)  # without the network, arrays must at least agree
    return ""


def _unread(assignment: Assignment, intake: Intake) -> list[str]:
    """Names of files that are never read, because the contract does not name them."""
    asked = {file.name for file in assignment.files}
    unread = [*intake.ignored, *(name for name in intake.files if name not in asked)]
    return [name for name in unread if name.partition("/")[0] != wheels.FOLDER]


def _besides(assignment: Assignment, intake: Intake) -> list[FileReport]:
    """Lines about files that the contract does not ask for; no points depend on them."""
    asked = {
        place
        for file in assignment.files
        if not file.optional
        for place in (file.name, file.name.split("/")[0])
    }
    found = [
        FileReport("refused", name, why, "remove it, or give it a plain name", asked=False)
        for name, why in intake.refused.items()
        if name not in asked | {"."}
    ]
    says = "is not in the contract, so nothing reads it"
    found += [
        FileReport("ignored", name, says, asked=False) for name in _unread(assignment, intake)
    ]
    more = len(found) - _MOST_BESIDES
    rest = [FileReport("ignored", "...", f"and {more} more", asked=False)] if more > 0 else []
    return found[:_MOST_BESIDES] + rest


def _reason(error: object, submission: Submission, name: str) -> str:
    """An error's message without the file's name and the path of the private copy."""
    text = str(error).replace(f"{submission.folder}/", "").replace(f" of {name}", "")
    for lead in (f"{name} cannot be used: ", f"{name} cannot be read: ", f"{name}: ", f"{name} "):
        text = text.removeprefix(lead)
    return one_line(text, _LONGEST_LINE)
