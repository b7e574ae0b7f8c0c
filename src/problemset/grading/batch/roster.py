"""A class of submissions: where each one's results go, and the summary tables."""

import csv
import hashlib
import io
import os
import re
import statistics
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from problemset import file_io
from problemset.grading.results.formats import points
from problemset.grading.score.outcome import BROKEN, Score
from problemset.grading.submission.safe_files import shown
from problemset.rubric import Item

CSV, TEXT = "class.csv", "class.txt"
_LONGEST_NAME = 40  # characters in the name of a result folder
_WIDEST_NAME = 24  # columns in the text table
# characters that start a formula in a spreadsheet, full-width forms included
_FORMULA = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")


@dataclass(frozen=True)
class Place:
    """A submission and the folder for its results."""

    folder: Path
    """Absolute path of the submission."""
    name: str
    """Name shown to the reader, as one printable line."""
    out: Path
    """The submission's own folder for results."""


@dataclass(frozen=True)
class Row:
    """A finished submission's row in the tables."""

    place: Place
    score: Score | None
    """None if it could not be graded."""
    seconds: float
    """Wall-clock time that grading took."""
    says: str = ""
    """Why it could not be graded; empty if it was."""
    kept: bool = False
    """Whether the results come from an earlier command and still hold."""


def places(folders: Iterable[Path], out: Path) -> list[Place]:
    """Assign each submission a result folder, always the same one for the same class.

    The folder has the name of the submission. If two submissions share a name, or a name has
    unusual characters, a short digest of the full path is appended.

    Args:
        folders: the submissions, in any order; duplicates are dropped.
        out: parent of all result folders.
    """
    full = list(dict.fromkeys(_full(folder) for folder in folders))
    plain = {path: _plain(path.name) for path in full}
    # names that differ only in case are one folder on some file systems
    often = Counter(map(_same, plain.values()))
    names = {}
    for path, name in plain.items():
        alone = often[_same(name)] == 1 and name == path.name and name not in (CSV, TEXT)
        names[path] = name if alone else f"{name}-{_digest(path)[:8]}"
    often = Counter(map(_same, names.values()))
    for path, name in names.items():
        if often[_same(name)] > 1:  # a submission whose own name looks like one with a digest
            names[path] = f"{plain[path]}-{_digest(path)}"
    return [Place(path, shown(path.name or str(path), 200), out / names[path]) for path in full]


def _full(folder: Path) -> Path:
    """The absolute path; a link at its end is kept, because such a submission is refused."""
    if folder.name in ("", ".."):
        return folder.resolve()
    return folder.parent.resolve() / folder.name


def _plain(name: str) -> str:
    return re.sub(r"[^\w .,@+=()-]+", "_", name)[:_LONGEST_NAME].strip(" .") or "submission"


def _same(name: str) -> str:
    """A key that is equal for names that some file systems treat as the same."""
    return unicodedata.normalize("NFC", name).casefold()


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()


def write(out: Path, rows: Sequence[Row], items: Sequence[Item]) -> str:
    """Write `class.csv` and `class.txt`, each in full or not at all.

    Returns:
        The text of `class.txt`.

    Raises:
        WriteError: the folder is read-only or full.
    """
    text = as_text(rows, items)
    file_io.write(out / CSV, as_csv(rows, items))
    file_io.write(out / TEXT, text)
    return text


def as_csv(rows: Sequence[Row], items: Sequence[Item]) -> str:
    """The CSV table: a header line, then one line per submission.

    An item shows the points awarded by its checks. An item without checks is empty, because an
    automatic 0 would look like a judgement. Text that a spreadsheet would read as a formula is
    prefixed with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    sums = ("reached", "possible", "awaiting", "broken checks", "seconds")
    writer.writerow(["submission", *(item.id for item in items), *sums, "results", "not graded"])
    for row in rows:
        numbers = [*_by_item(row, items), *_sums(row), f"{row.seconds:.1f}"]
        where = shown(row.place.out) if row.score else ""
        texts = (row.place.name, *numbers, where, shown(row.says))
        writer.writerow([_harmless(cell) for cell in texts])
    return text.getvalue()


def _by_item(row: Row, items: Sequence[Item]) -> list[str]:
    """Points awarded by the checks of each item; an empty string for an item without checks."""
    found: dict[str, list[float]] = {}
    for outcome in row.score.outcomes if row.score else ():
        if outcome.check != "reader":
            found.setdefault(outcome.item, []).append(outcome.reached)
    return [points(sum(found[item.id])) if item.id in found else "" for item in items]


def _sums(row: Row) -> list[str]:
    """Points reached, possible and awaiting a reader, and the number of broken checks."""
    if row.score is None:
        return [""] * 4
    sums = (row.score.reached, row.score.possible, row.score.awaiting)
    return [*map(points, sums), str(_broken(row.score))]


def _broken(score: Score) -> int:
    return sum(outcome.state == BROKEN for outcome in score.outcomes)


def _harmless(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def as_text(rows: Sequence[Row], items: Sequence[Item]) -> str:
    """The table for a terminal: one line per submission, then a summary.

    `?` stands for an item that only a person marks.
    """
    heads = ["submission", *(item.id for item in items), "reached", "reader", "broken", "seconds"]
    lines = [_cells(row, items) for row in rows]
    often = Counter(cells[0] for cells in lines)
    full = [heads, *(cells for cells in lines if len(cells) > 2)]
    widths = [max(len(cells[n]) for cells in full) for n in range(len(heads))]
    widths[0] = max(len(cells[0]) for cells in [heads, *lines])
    text = [_aligned(cells, widths) for cells in [heads, *lines]]
    for cells, row in zip(lines, rows, strict=True):
        if often[cells[0]] > 1:
            place = f"{shown(row.place.folder)}, results in {shown(row.place.out)}"
            text.append(f"{cells[0]}: {place}")
    return "\n".join([*text, "", *_summary(rows)]) + "\n"


def _cells(row: Row, items: Sequence[Item]) -> list[str]:
    """The cells of a line; only name and reason for a submission that could not be graded."""
    if row.score is None:
        return [_shortened(row), f"not graded: {row.says}"]
    reached, possible, awaiting, broken = _sums(row)
    by_item = [cell or "?" for cell in _by_item(row, items)]
    sums = [f"{reached} of {possible}", awaiting, broken if broken != "0" else "-"]
    return [_shortened(row), *by_item, *sums, f"{row.seconds:.0f}"]


def _shortened(row: Row) -> str:
    name = row.place.name
    return name if len(name) <= _WIDEST_NAME else f"{name[: _WIDEST_NAME - 3]}..."


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = f"{cells[0]:<{widths[0]}}"
    if len(cells) == 2:
        return f"{first}  {cells[1]}"
    return "  ".join([first, *(f"{c:>{w}}" for c, w in zip(cells[1:], widths[1:], strict=True))])


def _summary(rows: Sequence[Row]) -> list[str]:
    """How many were graded, the points they reached, and what needs attention."""
    scores = [row.score for row in rows if row.score]
    kept, missing = sum(row.kept for row in rows), len(rows) - len(scores)
    words = [f"{len(scores)} of {len(rows)} graded" + (f", {kept} of them before" if kept else "")]
    if scores:
        reached = [score.reached for score in scores]
        words.append(
            f"points by the checks: median {points(statistics.median(reached))}, "
            f"{points(min(reached))} to {points(max(reached))} "
            f"of {points(max(score.possible for score in scores))}"
        )
    if broken := [score for score in scores if _broken(score)]:
        words.append(f"{sum(map(_broken, broken))} checks not carried out, in {len(broken)}")
    if missing:
        words.append(f"{missing} not graded")
    return words
