"""A class: where each submission's results go, and the table of all of them."""

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
_LONGEST_NAME = 40  # characters of a folder for results
_WIDEST_NAME = 24  # columns in the table
# what a spreadsheet takes for the start of a formula, in full width as well
_FORMULA = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")


@dataclass(frozen=True)
class Place:
    """A submission and where its results go."""

    folder: Path
    """The submission, by its full path."""
    name: str
    """As a reader knows it, in one printable line."""
    out: Path
    """Its own folder for results."""


@dataclass(frozen=True)
class Row:
    """What is known of a submission when it is done."""

    place: Place
    score: Score | None
    """None when it could not be graded."""
    seconds: float
    """That grading took."""
    says: str = ""
    """Why it could not be graded."""
    kept: bool = False
    """Its results are those of an earlier command, and still hold."""


def places(folders: Iterable[Path], out: Path) -> list[Place]:
    """Give each submission a folder of its own, the same one whenever the same class is named.

    It is called as the submission is. Where two share a name, or a name is not plain, a short
    digest of the full path follows.

    Args:
        folders: in any order; one that is named twice is there once.
        out: the folder of them all.
    """
    full = list(dict.fromkeys(_full(folder) for folder in folders))
    plain = {path: _plain(path.name) for path in full}
    often = Counter(map(_same, plain.values()))
    names = {}
    for path, name in plain.items():
        alone = often[_same(name)] == 1 and name == path.name and name not in (CSV, TEXT)
        names[path] = name if alone else f"{name}-{_digest(path)[:8]}"
    often = Counter(map(_same, names.values()))
    for path, name in names.items():
        if often[_same(name)] > 1:  # a submission that is called as if it had a digest
            names[path] = f"{plain[path]}-{_digest(path)}"
    return [Place(path, shown(path.name or str(path), 200), out / names[path]) for path in full]


def _full(folder: Path) -> Path:
    """The full path; a link at its end stays one, since such a submission is refused."""
    if folder.name in ("", ".."):
        return folder.resolve()
    return folder.parent.resolve() / folder.name


def _plain(name: str) -> str:
    return re.sub(r"[^\w .,@+=()-]+", "_", name)[:_LONGEST_NAME].strip(" .") or "submission"


def _same(name: str) -> str:
    """Equal for names that some file systems take for the same."""
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
    with file_io.atomic_path(out / CSV) as temporary:
        temporary.write_text(as_csv(rows, items), "utf-8", newline="")
    with file_io.atomic_path(out / TEXT) as temporary:
        temporary.write_text(text, "utf-8")
    return text


def as_csv(rows: Sequence[Row], items: Sequence[Item]) -> str:
    """A line a submission, after one of heads.

    An item has the points that its checks gave; an item without checks has none, since an
    automatic 0 would look like a judgement. Text that a spreadsheet would take for a formula gets
    an apostrophe before it.
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
    """Points that the checks of each item gave; nothing for an item without checks."""
    found: dict[str, list[float]] = {}
    for outcome in row.score.outcomes if row.score else ():
        if outcome.check != "reader":
            found.setdefault(outcome.item, []).append(outcome.reached)
    return [points(sum(found[item.id])) if item.id in found else "" for item in items]


def _sums(row: Row) -> list[str]:
    """Reached, possible, awaiting and broken checks."""
    if row.score is None:
        return [""] * 4
    sums = (row.score.reached, row.score.possible, row.score.awaiting)
    return [*map(points, sums), str(_broken(row.score))]


def _broken(score: Score) -> int:
    return sum(outcome.state == BROKEN for outcome in score.outcomes)


def _harmless(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def as_text(rows: Sequence[Row], items: Sequence[Item]) -> str:
    """The table for a terminal: a line a submission, and one about all of them.

    `?` stands for an item that only a person marks.
    """
    heads = ["submission", *(item.id for item in items), "reached", "reader", "broken", "seconds"]
    lines = [_cells(row, items) for row in rows]
    often = Counter(cells[0] for cells in lines)
    full = [heads, *(cells for cells in lines if len(cells) > 2)]
    widths = [max(len(cells[n]) for cells in full) for n in range(len(heads))]
    widths[0] = max(len(cells[0]) for cells in [heads, *lines])
    text = [_aligned(cells, widths) for cells in [heads, *lines]]
    alike = [(c[0], row) for c, row in zip(lines, rows, strict=True) if often[c[0]] > 1]
    text += [f"{name}: {shown(row.place.folder)}, results in {shown(row.place.out)}"
             for name, row in alike]  # fmt: skip
    return "\n".join([*text, "", *_summary(rows)]) + "\n"


def _cells(row: Row, items: Sequence[Item]) -> list[str]:
    """The cells of a line; two, name and reason, for what could not be graded."""
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
    """How many were graded, what they reached, and what to look at."""
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
