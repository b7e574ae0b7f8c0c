"""The rubric, `rubric.yml`: its items and their points, awarded by checks or by a person."""

import contextlib
import dataclasses
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml

from problemset import workspace

# A field's type, then what YAML must give: its type, a pattern of it as text, and the words for it.
_Text = Annotated[str, str, r"(?s).*\S.*", "text"]
_Id = Annotated[str, str, r"[1-9][a-z]", "problem and letter, such as 2a"]
_Points = Annotated[int, int, r"[1-9]\d*", "1 or more"]
_PointsOrNone = Annotated[int, int, r"\d+", "0 or more"]
_Checks = Annotated[tuple["ItemCheck", ...], list, r"(?s).*", "a list"]
_Items = Annotated[list[Any], list, r"(?s).*", "a list"]


@dataclass(frozen=True)
class Settings:
    """What a rubric says besides its items."""

    assignment: _Text = ""
    """Reference of the assignment, such as `checks:ASSIGNMENT`."""
    pledge: _Text = ""
    """The sentence that student.yml must have, word for word; empty: none."""
    total: _Points = 100
    """Points of all items together."""


@dataclass(frozen=True, kw_only=True)
class _Rubric(Settings):
    """All of a rubric, with its items as YAML gives them."""

    items: _Items


class RubricError(ValueError):
    """The rubric is missing or unreadable, or its points do not add up."""


@dataclass(frozen=True)
class ItemCheck:
    """One automatic check of an item."""

    check: _Text
    """Name of the check."""
    points: _Points
    """At least 1."""
    shows: _Text
    """What a passing submission demonstrates."""


@dataclass(frozen=True)
class Item:
    """One graded item."""

    id: _Id
    """Problem and letter, such as `2a`."""
    points: _Points
    """At least 1; the points of all items sum to 100."""
    title: _Text
    """A few words."""
    asks: _Text
    """What a complete answer contains."""
    checks: _Checks
    """The automatic checks of the item."""
    reader: _PointsOrNone
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
        items = tuple(_item(entry) for entry in content.items)
        _check_together(items, content.total, known)
    return items


def settings(path: Path | None = None) -> Settings:
    """Read what a rubric says besides its items; see `load`."""
    path = path or workspace.rubric_file()
    with _in_one_line(path):
        return _content(path)


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


class _Mapping(dict[Any, Any]):
    """A mapping of the file."""

    line: int
    """Number of its first line in the file."""


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which also gives each mapping its line number."""

    def construct_mapping(self, node: Any, deep: bool = False) -> _Mapping:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        found = _Mapping(super().construct_mapping(node, deep=True))
        found.line = node.start_mark.line + 1
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise RubricError(f"line {found.line}: {twice[0]!r} is given twice")
        return found


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_mapping)


def _content(path: Path) -> _Rubric:
    return _made(_Rubric, yaml.load(path.read_text("utf-8"), _Loader), "rubric")


def _made(kind: type, entry: Any, what: str) -> Any:
    """Make a dataclass of a mapping; each value must be what the field's annotation says."""
    fields: dict[str, Any] = {field.name: field for field in dataclasses.fields(kind)}
    names = ", ".join(sorted(fields))
    if not isinstance(entry, _Mapping):
        raise RubricError(f"{what} is {entry!r}, expected the fields {names}")
    needed = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    if wrong := (needed - entry.keys()) | (entry.keys() - fields):
        raise RubricError(
            f"line {entry.line}: {what} has too many or too few fields "
            f"({', '.join(sorted(map(str, wrong)))}), expected {names}"
        )
    for name, value in entry.items():
        wanted, pattern, expected = fields[name].type.__metadata__
        if type(value) is not wanted or not re.fullmatch(pattern, str(value)):
            raise RubricError(f"line {entry.line}: {name} is {value!r}, expected {expected}")
    return kind(**entry)


def _item(entry: Any) -> Item:
    item = _made(Item, entry, "item")
    checks = tuple(_made(ItemCheck, each, "check") for each in item.checks)
    together = sum(check.points for check in checks) + item.reader
    if together != item.points:
        raise RubricError(
            f"line {entry.line}: the checks and the reader of {item.id} give {together} points, "
            f"expected its {item.points}"
        )
    return dataclasses.replace(item, checks=checks)


def _check_together(items: tuple[Item, ...], wanted: int, known: Collection[str] | None) -> None:
    ids = [item.id for item in items]
    if ids != sorted(set(ids)):
        raise RubricError(f"items are {', '.join(ids)}, expected each once and in order")
    if (total := sum(item.points for item in items)) != wanted:
        raise RubricError(f"points add up to {total}, expected {wanted}")
    used = [check.check for item in items for check in item.checks]
    if twice := [name for name in used if used.count(name) > 1]:
        raise RubricError(f"the check {twice[0]} is used twice, expected once")
    if unknown := [name for name in used if known is not None and name not in known]:
        names = ", ".join(known or ())
        raise RubricError(f"there is no check {unknown[0]!r}, expected one of {names}")
