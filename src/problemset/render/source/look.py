"""The files that decide how the outputs look, under the names and with the meaning of Quarto."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STYLE = Path(__file__).parents[1] / "style"
"""The shared look. A file here is used wherever the document names none of the same name, so a
document may replace it by a changed copy."""

_AFTER = ("post-quarto", "pre-render", "post-render", "pre-finalize", "post-finalize")
_PLACES = ("pre-ast", "post-ast", "pre-quarto", *_AFTER)
DATE_FORMATS: dict[str, Callable[[datetime.date], str]] = {
    "full": lambda day: f"{day:%A, %B} {day.day}, {day.year}",
    "long": lambda day: f"{day:%B} {day.day}, {day.year}",
    "medium": lambda day: f"{day:%b} {day.day}, {day.year}",
    "short": lambda day: f"{day.month}/{day.day}/{day:%y}",
    "iso": lambda day: day.isoformat(),
}
"""What `date-format` can be; without it a date is printed as in "iso"."""


@dataclass(frozen=True)
class Look:
    """What the options `filters`, `include-in-header` and `css` name, for one output format."""

    filters: tuple[Path, ...]
    """Lua filters that run before labels and citations are resolved."""
    late_filters: tuple[Path, ...]
    """Lua filters that run after it."""
    header: tuple[Path | str, ...]
    """Files and texts, in Typst or HTML, for the header of the output."""
    css: tuple[Path, ...]


class LookError(ValueError):
    """An option names no such file, or has another form than expected."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key = key


def read_look(folder: Path, options: dict[str, Any], format_name: str) -> Look:
    """Find the files that a document's options name, and add those of the shared look.

    Args:
        folder: the document's folder; paths in the options start there.
        options: the merged options of the document for this format.
        format_name: "typst" or "html".

    Raises:
        LookError: a file is missing, or an option has a form that is not supported.
    """
    early, late = _filters(folder, _listed(options, "filters"))
    header = [_header(folder, entry) for entry in _listed(options, "include-in-header")]
    css = [_file(folder, "css", entry) for entry in _listed(options, "css")]
    return Look(
        filters=tuple(_with_ours(early, "paper.lua")),
        late_filters=tuple(late),
        header=tuple(_with_ours(header, "paper.typ") if format_name == "typst" else header),
        css=tuple(_with_ours(css, "page.css")),
    )


def _listed(options: dict[str, Any], key: str) -> list[Any]:
    value = options.get(key) or []
    return value if isinstance(value, list) else [value]


def _with_ours(named: list[Any], name: str) -> list[Any]:
    replaced = any(isinstance(entry, Path) and entry.name == name for entry in named)
    return named if replaced else [STYLE / name, *named]


def _file(folder: Path, key: str, value: Any) -> Path:
    if not isinstance(value, str):
        raise LookError(key, f"{key} has {value!r}, expected the path of a file")
    # as in Quarto, a slash in front stands for the project's folder
    path = folder / value.lstrip("/")
    if not path.is_file():
        raise LookError(key, f"{key} names {value}, and there is no such file")
    return path


def _header(folder: Path, entry: Any) -> Path | str:
    if isinstance(entry, dict) and list(entry) == ["text"] and isinstance(entry["text"], str):
        return entry["text"]
    if isinstance(entry, dict) and list(entry) == ["file"]:
        entry = entry["file"]
    return _file(folder, "include-in-header", entry)


def _filters(folder: Path, entries: list[Any]) -> tuple[list[Path], list[Path]]:
    """Split the filters into those before and those behind Quarto's own."""
    early: list[Path] = []
    late: list[Path] = []
    behind = False
    for entry in entries:
        if entry == "quarto":
            behind = True
            continue
        given = entry if isinstance(entry, dict) else {"path": entry}
        place = given.get("at", "post-quarto" if behind else "pre-quarto")
        if not set(given) <= {"path", "at"} or place not in _PLACES:
            places = ", ".join(_PLACES)
            raise LookError("filters", f"{entry} is not a filter, expected path, and at: {places}")
        path = _file(folder, "filters", given.get("path"))
        if path.suffix != ".lua":
            raise LookError("filters", f"filters has {path.name}, expected Lua filters (.lua)")
        (late if place in _AFTER else early).append(path)
    return early, late
