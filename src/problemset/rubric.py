"""The rubric, `rubric.yml`: its items and their points, awarded by checks or by a person."""

import contextlib
import dataclasses
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from problemset import workspace

_LINE = "line"


@dataclass(frozen=True)
class Settings:
    """What a rubric says besides its items."""

    assignment: str = ""
    """Reference of the assignment, such as `checks:ASSIGNMENT`."""
    pledge: str = ""
    """The sentence that student.yml must have, word for word; empty: none."""
    total: int = 100
    """Points of all items together."""


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
    with _in_one_line(path):
        content = _content(path)
        items = tuple(_item(entry) for entry in _items(content))
        _check_together(items, _settings(content).total, known)
    return items


def settings(path: Path | None = None) -> Settings:
    """Read what a rubric says besides its items; see `load`."""
    path = path or workspace.rubric_file()
    with _in_one_line(path):
        return _settings(_content(path))


def assignment_reference() -> str:
    """Give the reference of the project's assignment.

    Raises:
        RubricError: the project's rubric names none.
    """
    found = settings().assignment
    if not found:
        raise RubricError(
            f"{workspace.rubric_file()} names no assignment, expected a line such as "
            "`assignment: checks:ASSIGNMENT`"
        )
    return found


@contextlib.contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RubricError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise RubricError(f"{path}: {' '.join(str(error).split())}") from error


def _content(path: Path) -> dict[Any, Any]:
    content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    names = {"items", *(field.name for field in dataclasses.fields(Settings))}
    if not isinstance(content, dict) or not {"items"} <= content.keys() - {_LINE} <= names:
        raise RubricError(
            f"expected entries {', '.join(sorted(names))}, of which `items` is a list"
        )
    return content


def _settings(content: dict[Any, Any]) -> Settings:
    fields = {name: value for name, value in content.items() if name not in ("items", _LINE)}
    line = content[_LINE]
    _text(fields, tuple(fields.keys() - {"total"}), line)
    if "total" in fields:
        _count(fields, "total", 1, line)
    return Settings(**fields)


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


def _items(content: dict[Any, Any]) -> list[Any]:
    if not isinstance(content["items"], list):
        raise RubricError("`items` is no list, expected entries of which `items` is a list")
    return content["items"]


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


def _check_together(items: tuple[Item, ...], wanted: int, known: Collection[str] | None) -> None:
    ids = [item.id for item in items]
    if ids != sorted(set(ids)):
        raise RubricError(f"items are {', '.join(ids)}, expected each once and in order")
    total = sum(item.points for item in items)
    if total != wanted:
        raise RubricError(f"points add up to {total}, expected {wanted}")
    used = [check.check for item in items for check in item.checks]
    twice = [name for name in used if used.count(name) > 1]
    if twice:
        raise RubricError(f"the check {twice[0]} is used twice, expected once")
    unknown = [name for name in used if known is not None and name not in known]
    if unknown:
        names = ", ".join(known or ())
        raise RubricError(f"there is no check {unknown[0]!r}, expected one of {names}")
