"""The student's name, hours and pledge, read from `student.yml`."""

import contextlib
import logging
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from problemset import rubric, workspace

_LOG = logging.getLogger(__name__)

MAX_HOURS = 10_000.0
_FIELDS = ("name", "hours", "pledge")
_TAG = "tag:yaml.org,2002:"
_COMMENT = re.compile(r"(?<!\n)[ \t]*#")  # on the same line as what is before it


class StudentFileError(ValueError):
    """An invalid entry in student.yml; the message names the line and the field."""

    def __init__(self, path: Path, line: int, problem: str) -> None:
        super().__init__(f"{path.name}:{line}: {problem}")


@dataclass(frozen=True)
class Student:
    """The author of the report."""

    name: str | None
    """As written, with any characters; None if not filled in."""
    hours: float | None
    """Hours spent; None for the reference run, which has a computing time instead."""
    pledge: str = ""
    """The pledge, word for word."""


def load(path: Path | None = None, pledge: str | None = None) -> Student:
    """Read the student's file.

    Args:
        path: the file; defaults to `student.yml` in the project.
        pledge: the sentence that the file must have; defaults to the rubric's.

    Raises:
        StudentFileError: the file is not YAML or not a mapping, or a field is invalid.
    """
    path = path or workspace.student_file()
    if pledge is None:
        pledge = rubric.settings().pledge if workspace.rubric_file().is_file() else ""
    text = _read(path)
    if text is None:
        _LOG.warning("%s is missing: the report names nobody and states the computer's hours", path)
        return Student(None, None, pledge)
    fields = _fields(path, text)
    if pledge:
        fields["pledge"].check_pledge(pledge)
    return Student(fields["name"].as_name(), fields["hours"].as_hours(), pledge)


@dataclass(frozen=True)
class _Field:
    """One field with its position in the file, for error messages."""

    path: Path
    text: str
    name: str
    line: int
    value: Any
    """YAML's node."""

    def error(self, expected: str) -> StudentFileError:
        """Build an error that says what was found and what was expected."""
        found = {"sequence": "a list", "mapping": "a mapping", "null": "not given"}.get(self.kind)
        found = found or repr(self.value.value[:60])
        return StudentFileError(self.path, self.line, f"{self.name} is {found}, {expected}")

    @property
    def kind(self) -> str:
        """What YAML takes the value for: str, int, float, bool, null, sequence, mapping ..."""
        node = self.value
        return node.tag.removeprefix(_TAG) if node.id == "scalar" else node.id

    def as_name(self) -> str | None:
        """Return the text; refuse anything that YAML would silently drop or convert."""
        if _COMMENT.match(self.text, self.value.end_mark.index):
            raise self.error(
                "and # starts a comment after it: put the whole name in single quotes, "
                "or the comment on a line of its own"
            )
        if self.kind not in ("str", "null"):
            raise self.error("expected text: put it in single quotes")
        return (self.kind == "str" and self.value.value.strip()) or None

    def as_hours(self) -> float | None:
        """Return the number exactly as written; YAML itself would read 1:30 as 90."""
        if self.kind == "null":
            return None
        hours = math.nan
        if self.kind in ("int", "float"):
            with contextlib.suppress(ValueError):
                hours = float(self.value.value)
        if not 0 <= hours <= MAX_HOURS:  # NaN fails both comparisons
            number = f"a number from 0 to {MAX_HOURS:.0f}, such as 7.5, without quotes"
            raise self.error(f"expected {number}, or nothing")
        return hours

    def check_pledge(self, wanted: str) -> None:
        """Accept only the exact text of the pledge."""
        if self.kind != "str" or " ".join(self.value.value.split()) != wanted:
            raise self.error(f'expected word for word "{wanted}"')


def _read(path: Path) -> str | None:
    """Return the file's text, or None if it does not exist."""
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StudentFileError(path, 1, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise StudentFileError(path, line, "is not UTF-8 text; save it as UTF-8") from error


def _fields(path: Path, text: str) -> dict[str, _Field]:
    """Return the three fields by their names; one that is not there is null."""
    try:
        root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise _not_yaml(path, text, error) from error
    expected = "expected lines such as `hours: 7.5`, one for each of " + ", ".join(_FIELDS)
    if not isinstance(root, yaml.MappingNode):
        got = "empty" if root is None else {"sequence": "a list"}.get(root.id, "one value")
        raise StudentFileError(path, 1, f"the file is {got}, {expected}")
    found: dict[str, _Field] = {}
    for key, value in root.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name not in _FIELDS:
            raise StudentFileError(path, line, f"unknown field {name[:60]!r}, {expected}")
        if name in found:
            raise StudentFileError(path, line, f"{name} is there twice, {expected}")
        found[name] = _Field(path, text, name, line, value)
    null = yaml.ScalarNode(f"{_TAG}null", "", root.start_mark, root.start_mark)
    absent = {name: _Field(path, text, name, null.start_mark.line + 1, null) for name in _FIELDS}
    return absent | found


def _not_yaml(path: Path, text: str, error: Exception) -> StudentFileError:
    mark = getattr(error, "problem_mark", None)
    position = getattr(error, "position", 0)  # set when YAML's reader refuses a character
    line = mark.line if mark else text[:position].count("\n")
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "nested too deep"
    field = "".join(text.splitlines()[line : line + 1]).partition(":")[0].strip()
    named = f"{field}: " if field in _FIELDS else ""
    hint = "put text with special characters in single quotes"
    return StudentFileError(path, line + 1, f"{named}not YAML, {problem}; {hint}")
