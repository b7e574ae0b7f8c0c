"""What is asked, item by item, with the points of each: `rubric.yml`."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from latentwalk import paths

TOTAL_POINTS = 100


class RubricError(ValueError):
    """The rubric is missing, not readable, or does not add up."""


@dataclass(frozen=True)
class Item:
    """One graded item."""

    id: str
    """Problem and letter, such as `2a`."""
    points: int
    """At least 1; all together 100."""
    title: str
    """In a few words."""
    asks: str
    """What a complete answer has."""

    def __post_init__(self) -> None:
        for name in ("id", "title", "asks"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise RubricError(f"item {self.id!r}: {name} is {value!r}, expected text")
        if not re.fullmatch(r"[1-9][a-z]", self.id):
            raise RubricError(f"item id is {self.id!r}, expected problem and letter, such as 2a")
        if not isinstance(self.points, int) or isinstance(self.points, bool) or self.points < 1:
            raise RubricError(f"item {self.id}: points is {self.points!r}, expected 1 or more")


def load(path: Path | None = None) -> tuple[Item, ...]:
    """Read the items in order.

    Args:
        path: the file; `rubric.yml` in the project if left out.

    Raises:
        RubricError: names the file and what is wrong with it.
    """
    path = path or paths.rubric_file()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        items = tuple(_item(entry) for entry in _entries(content))
        _check_together(items)
    except OSError as error:
        raise RubricError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise RubricError(f"{path}: {' '.join(str(error).split())}") from error
    return items


def _entries(content: Any) -> list[Any]:
    entries = content.get("items") if isinstance(content, dict) else None
    if not isinstance(entries, list) or content.keys() != {"items"}:
        raise RubricError("expected one entry, `items`, that is a list")
    return entries


def _item(entry: Any) -> Item:
    fields = set(Item.__dataclass_fields__)
    if not isinstance(entry, dict) or entry.keys() != fields:
        raise RubricError(f"item is {entry!r}, expected the fields {', '.join(sorted(fields))}")
    return Item(**entry)


def _check_together(items: tuple[Item, ...]) -> None:
    ids = [item.id for item in items]
    if ids != sorted(set(ids)):
        raise RubricError(f"items are {', '.join(ids)}, expected each once and in order")
    total = sum(item.points for item in items)
    if total != TOTAL_POINTS:
        raise RubricError(f"points add up to {total}, expected {TOTAL_POINTS}")
