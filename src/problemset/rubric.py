"""The rubric, `rubric.yml`: its items and their points, awarded by checks or by a person."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from problemset import workspace

TOTAL_POINTS = 100
_LINE = "line"


class RubricError(ValueError):
    """The rubric is missing or unreadable, or its points do not add up."""


@dataclass(frozen=True)
class ItemCheck:
    """One automatic check of an item."""

    check: str
    """Name of the check."""
    points: int
    """At least 1."""
    shows: str
    """What a passing submission demonstrates."""


@dataclass(frozen=True)
class Item:
    """One graded item."""

    id: str
    """Problem and letter, such as `2a`."""
    points: int
    """At least 1; the points of all items sum to 100."""
    title: str
    """A few words."""
    asks: str
    """What a complete answer contains."""
    checks: tuple[ItemCheck, ...]
    """The automatic checks of the item."""
    reader: int
    """Points that only a person can award; with those of the checks they make up the item's
    points."""


def load(path: Path | None = None, known: Collection[str] | None = None) -> tuple[Item, ...]:
    """Read the items in order.

    Args:
        path: the file; defaults to `rubric.yml` in the project.
        known: names of the existing checks; any name is accepted if omitted.

    Raises:
        RubricError: names the file, the line and the problem.
    """
    path = path or workspace.rubric_file()
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
        items = tuple(_item(entry) for entry in _list(content, "items"))
        _check_together(items, known)
    except OSError as error:
        raise RubricError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise RubricError(f"{path}: {' '.join(str(error).split())}") from error
    return items


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which also stores each mapping's line number under `line`."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        line = node.start_mark.line + 1
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise RubricError(f"line {line}: {twice[0]!r} is given twice")
        return {**super().construct_mapping(node, deep=True), _LINE: line}


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_mapping)


def _list(content: Any, name: str) -> list[Any]:
    """Return the single list in a mapping."""
    found = content.get(name) if isinstance(content, dict) else None
    if not isinstance(found, list) or content.keys() - {_LINE} != {name}:
        raise RubricError(f"expected one entry, `{name}`, that is a list")
    return found


def _item(entry: Any) -> Item:
    fields = _fields(entry, {"id", "points", "title", "asks", "checks", "reader"}, "item")
    name, line = fields["id"], entry[_LINE]
    if not isinstance(name, str) or not re.fullmatch(r"[1-9][a-z]", name):
        raise RubricError(f"line {line}: id is {name!r}, expected problem and letter, such as 2a")
    _text(fields, ("title", "asks"), line)
    _count(fields, "points", 1, line)
    _count(fields, "reader", 0, line)
    if not isinstance(fields["checks"], list):
        raise RubricError(f"line {line}: checks is {fields['checks']!r}, expected a list")
    checks = tuple(_check(each) for each in fields["checks"])
    together = sum(check.points for check in checks) + fields["reader"]
    if together != fields["points"]:
        raise RubricError(
            f"line {line}: the checks and the reader of {name} give {together} points, "
            f"expected its {fields['points']}"
        )
    return Item(**fields | {"checks": checks})


def _check(entry: Any) -> ItemCheck:
    fields = _fields(entry, {"check", "points", "shows"}, "check")
    _text(fields, ("check", "shows"), entry[_LINE])
    _count(fields, "points", 1, entry[_LINE])
    return ItemCheck(**fields)


def _fields(entry: Any, names: set[str], what: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise RubricError(f"{what} is {entry!r}, expected the fields {', '.join(sorted(names))}")
    got = entry.keys() - {_LINE}
    if got != names:
        wrong = sorted(map(str, got ^ names))
        raise RubricError(
            f"line {entry[_LINE]}: {what} has too many or too few fields ({', '.join(wrong)}), "
            f"expected {', '.join(sorted(names))}"
        )
    return {name: entry[name] for name in names}


def _text(fields: dict[str, Any], names: tuple[str, ...], line: int) -> None:
    for name in names:
        if not isinstance(fields[name], str) or not fields[name].strip():
            raise RubricError(f"line {line}: {name} is {fields[name]!r}, expected text")


def _count(fields: dict[str, Any], name: str, least: int, line: int) -> None:
    value = fields[name]
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise RubricError(f"line {line}: {name} is {value!r}, expected {least} or more")


def _check_together(items: tuple[Item, ...], known: Collection[str] | None) -> None:
    ids = [item.id for item in items]
    if ids != sorted(set(ids)):
        raise RubricError(f"items are {', '.join(ids)}, expected each once and in order")
    total = sum(item.points for item in items)
    if total != TOTAL_POINTS:
        raise RubricError(f"points add up to {total}, expected {TOTAL_POINTS}")
    used = [check.check for item in items for check in item.checks]
    twice = [name for name in used if used.count(name) > 1]
    if twice:
        raise RubricError(f"the check {twice[0]} is used twice, expected once")
    unknown = [name for name in used if known is not None and name not in known]
    if unknown:
        names = ", ".join(known or ())
        raise RubricError(f"there is no check {unknown[0]!r}, expected one of {names}")
