"""Report what a submission lacks before it is graded: files, arrays and shapes.

It uses the grader's own code. Complete is not correct: nothing is generated again here, and no
points are awarded.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from latentwalk.grading import contract
from latentwalk.grading.checks import answers, figures, problem1, problem5, shared
from latentwalk.grading.contract import ArrayRule, FileRule
from latentwalk.grading.submission import Fault, Submission
from problemset.grading.submission import safe_files
from problemset.grading.submission.intake import Intake, inner_submission, take_in

State = Literal["ok", "missing", "damaged", "misfit", "refused", "ignored"]
CORRECTNESS = (
    "Complete is not correct: points come from `latentwalk grade`, which makes everything again."
)
_LONGEST_NAME, _LONGEST_LINE = 120, 300  # characters of text from a submission
_MOST_BESIDES = 50  # lines about files that the contract does not name
_NAME_COLUMNS = max(len(file.name) for file in contract.FILES)
_MENDS = {  # a word in a refusal, and the remedy
    "bytes": "make it smaller",
    "names": "leave out what the contract does not name",
    "too many": "leave out what the contract does not name",
    "Permission": "make it readable",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report: a file, its state, and what to do."""

    state: State
    """Misfit: readable, but not what the contract asks for. Refused: not even opened. Ignored:
    never read."""
    name: str
    """Name of the file, as one printable line."""
    says: str
    """What was found and, if that differs, what was expected."""
    mend: str = ""
    """What to do; empty if nothing."""
    asked: bool = True
    """Whether the contract asks for this file; if not, no points depend on it."""

    def __str__(self) -> str:
        name = _short(self.name, _LONGEST_NAME)
        line = f"{self.state:<8} {name:<{_NAME_COLUMNS}}  {self.says}"
        return f"{line} -> {self.mend}" if self.mend else line


@dataclass(frozen=True)
class Completeness:
    """All findings about a submission."""

    findings: tuple[Finding, ...]
    inner: Path | None = None
    """A subfolder that appears to be the actual submission."""

    @property
    def lacking(self) -> tuple[str, ...]:
        """Files of the contract that are not as it requires, in its order."""
        wrong = [found.name for found in self.findings if found.asked and found.state != "ok"]
        return tuple(dict.fromkeys(wrong))

    def __str__(self) -> str:
        whole, lacking = len(contract.FILES), len(self.lacking)
        lines = [*map(str, self.findings), f"{whole - lacking} of {whole} files are complete"]
        if self.inner is not None:
            lines.append(
                f"The submission seems to be {safe_files.shown(self.inner)}: name that folder."
            )
        return "\n".join([*lines, CORRECTNESS])


def examine(folder: Path) -> Completeness:
    """Inspect a submission as the grader will: take it in, open its files, compare shapes.

    Args:
        folder: the submission; it is only read.

    Raises:
        IntakeError: it is missing, a link, or not a folder.
        WriteError: there is no room for a private copy.
    """
    with tempfile.TemporaryDirectory(prefix="latentwalk-check-") as scratch:
        intake = take_in(folder, Path(scratch))
        submission = Submission(intake.folder)
        sizes: dict[str, int] = {}  # the values of d, z and 10 d + 10, as far as known
        findings: list[Finding] = []
        for file in contract.FILES:  # networks first: they decide the sizes
            findings += _file(file, intake, submission, sizes)
    return Completeness(
        (*findings, *_besides(intake)), inner_submission(folder, contract.TOP_LEVEL)
    )


def _file(
    file: FileRule, intake: Intake, submission: Submission, sizes: dict[str, int]
) -> list[Finding]:
    if file.name not in intake.files:
        return [_absent(file, intake)]
    if file.network is not None:
        return [_network(file, submission, sizes)]
    if file.arrays:
        return _archive(file, submission, sizes)
    if file.name.endswith(".json"):
        return [_document(file, submission)]
    return [_paper(submission) if file.name == contract.PAPER else _notebook(submission)]


def _absent(file: FileRule, intake: Intake) -> Finding:
    """Explain why a file was not taken in: it or its folder was refused, or it is missing."""
    folder, _, last = file.name.rpartition("/")
    for place in (file.name, folder, "."):
        if why := intake.refused.get(place):
            plain = "put a plain file there" if place == file.name else "put a folder there"
            mend = next((m for word, m in _MENDS.items() if word in why), plain)
            of = "" if place == file.name else f"{'the submission' if place == '.' else place} "
            return Finding("refused", file.name, f"{of}{why}", mend)
    mend = "`make report` makes it"
    if file.arrays:
        mend = f"save {file.holds} in it with numpy.savez"
    if file.network is not None:
        mend = f"`latentwalk train {file.network.name}` makes it"
    for name in _unread(intake):
        if name.rpartition("/")[2].casefold() == last.casefold():
            mend = f"is it {_short(name, _LONGEST_NAME)}? move that to {file.name}"
        elif folder and name.casefold() == folder:
            mend = f"is it in {name}? call that folder {folder}"
    return Finding("missing", file.name, f"is read for {', '.join(file.items)}", mend)


def _network(file: FileRule, submission: Submission, sizes: dict[str, int]) -> Finding:
    """Open a network and record the size that it decides, or compare it with the known one."""
    rule = file.network
    assert rule is not None
    mend = f"`latentwalk train {rule.name}` makes it again"
    try:
        verdict = shared.opens(submission, rule.name, rule.labels)
        config = submission.network(rule.name).config
    except Fault as fault:
        return Finding("damaged", file.name, _reason(fault, submission, file.name), mend)
    if not verdict.passed:
        return Finding("misfit", file.name, _reason(verdict.says, submission, file.name), mend)
    entries = getattr(config, "input_size", config.latent_size)
    wanted = sizes.get(rule.size, entries)
    sizes[rule.size] = entries
    if rule.size == "d":
        sizes["10 d + 10"] = 10 * entries + 10
    says = f"takes {entries} entries"
    if entries == wanted:
        return Finding("ok", file.name, f"intact, {says}")
    return Finding(
        "misfit", file.name, f"{says}, expected {rule.size} = {wanted}",
        f"train it with --latent-size {wanted - 10}",
    )  # fmt: skip


def _archive(file: FileRule, submission: Submission, sizes: dict[str, int]) -> list[Finding]:
    item = Path(file.name).stem
    try:
        there = submission.arrays(item)
    except Fault as fault:
        says = _reason(fault, submission, file.name)
        return [Finding("damaged", file.name, says, "save it again with numpy.savez")]
    found = []
    for rule in file.arrays:
        if says := _array(rule, item, submission, sizes):
            state: State = "misfit" if rule.name in there else "missing"
            says = _reason(says, submission, file.name)
            found.append(Finding(state, file.name, says, f"save {rule} in it"))
    if found:
        return found
    says = ", ".join(f"{rule.name} {there[rule.name].shape}" for rule in file.arrays)
    more = len(there) - len(file.arrays)
    return [
        Finding("ok", file.name, says + (f"; further arrays ({more}) are ignored" if more else ""))
    ]


def _array(rule: ArrayRule, item: str, submission: Submission, sizes: dict[str, int]) -> str:
    """Describe what is wrong with one array; empty if it conforms to the contract."""
    shape = [sizes.get(size) if isinstance(size, str) else size for size in rule.shape]
    try:
        got = submission.array(item, rule.name, shape)
        if rule.holds == "images":
            submission.images(item, rule.name, got.shape[:-3])
    except Fault as fault:
        return str(fault)
    for size, entries in zip(rule.shape, got.shape, strict=True):
        if isinstance(size, str):
            sizes.setdefault(size, entries)  # without the network, arrays must at least agree
    if rule.holds == "labels" and not np.isin(got, range(10)).all():
        return f"{rule.name} is {got.tolist()}, expected whole numbers 0 to 9"
    return ""


def _document(file: FileRule, submission: Submission) -> Finding:
    try:
        if file.name == contract.FORMULAS:
            says = f"{problem1.look_through(submission)} steps; closed forms and counter-example"
        else:
            says = f"{len(answers.claims_of(submission))} claims"
    except Fault as fault:
        says = _reason(fault, submission, file.name)
        return Finding("damaged", file.name, says, "docs/submission.md says what belongs there")
    return Finding("ok", file.name, says)


def _paper(submission: Submission) -> Finding:
    name = contract.PAPER
    try:
        verdict = problem5.pledge(submission)
    except Fault as fault:
        says = _reason(fault, submission, name)
        return Finding("damaged", name, says, "`make report` makes it again")
    if not verdict.passed:
        return Finding("misfit", name, verdict.says, "put it into the report, word for word")
    return Finding("ok", name, "opens, and has the pledge")


def _notebook(submission: Submission) -> Finding:
    name = contract.NOTEBOOK
    mend = "`make report` makes it again"
    try:
        cells = submission.notebook_cells()
    except Fault as fault:
        return Finding("damaged", name, _reason(fault, submission, name), mend)
    if not any(cell.outputs for cell in cells):
        return Finding("misfit", name, "was not executed: no cell has an output", mend)
    for item in contract.FIGURES:
        try:
            figures.pictures_of(submission, item)
        except Fault as fault:
            says = _reason(fault, submission, name)
            return Finding("misfit", name, says, "draw there what the item asks for")
    return Finding("ok", name, f"executed, {len(cells)} cells with code")


def _unread(intake: Intake) -> list[str]:
    """Names of files that are never read, because the contract does not name them."""
    asked = {file.name for file in contract.FILES}
    asked |= {f"weights/{name}.safetensors" for name in contract.VARIANTS}
    return [*intake.ignored, *(name for name in intake.files if name not in asked)]


def _besides(intake: Intake) -> list[Finding]:
    """Lines about files that the contract does not ask for; no points depend on them."""
    asked = {place for file in contract.FILES for place in (file.name, file.name.split("/")[0])}
    found = [
        Finding("refused", name, why, "remove it, or give it a plain name", asked=False)
        for name, why in intake.refused.items()
        if name not in asked | {"."}
    ]
    says = "is not in the contract, so nothing reads it"
    found += [Finding("ignored", name, says, asked=False) for name in _unread(intake)]
    more = len(found) - _MOST_BESIDES
    rest = [Finding("ignored", "...", f"and {more} more", asked=False)] if more > 0 else []
    return found[:_MOST_BESIDES] + rest


def _reason(error: object, submission: Submission, name: str) -> str:
    """An error's message without the file's name and the path of the private copy."""
    text = str(error).replace(f"{submission.folder}/", "").replace(f" of {name}", "")
    for lead in (f"{name} cannot be used: ", f"{name} cannot be read: ", f"{name}: ", f"{name} "):
        text = text.removeprefix(lead)
    return _short(text, _LONGEST_LINE)


def _short(text: str, most: int) -> str:
    """One printable line of bounded length, whatever the submission contains."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line if len(line) <= most else line[: most - 3] + "..."
