"""The student's name, hours and pledge, read from `student.yml`."""

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from problemset import rubric, workspace

_LOG = logging.getLogger(__name__)

MAX_HOURS = 10_000.0
_FIELDS = ("name", "hours", "pledge")
_TAG = "tag:yaml.org,2002:"


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


def load(
    path: Path | None = None,
    pledge: str | None = None,
) -> Student:
    """Read the student's file.

    Args:
        path: the file; defaults to `student.yml` in the project.
        pledge: the sentence that the file must have; defaults to the rubric's.

    Raises:
        StudentFileError: the file is not YAML or not a mapping, or a field is invalid.
    """
    path = path or workspace.student_file()
    wanted = _pledge_of_rubric() if pledge is None else pledge
    text = _read(path)
    if text is None:
        _LOG.warning("%s is missing: the report names nobody and states the computer's hours", path)
        return Student(None, None, wanted)
    values = {name: _Field(path, text, name, *nodes) for name, nodes in _fields(path, text).items()}
    name, hours, given = (values.get(field) for field in _FIELDS)
    if given is None and wanted:
        raise StudentFileError(path, 1, f'pledge is missing, expected "{wanted}"')
    if given is not None and wanted:
        given.check_pledge(wanted)
    return Student(name.as_name() if name else None, hours.as_hours() if hours else None, wanted)


def _pledge_of_rubric() -> str:
    return rubric.settings().pledge if workspace.rubric_file().is_file() else ""


@dataclass(frozen=True)
class _Field:
    """One field with its position in the file, for error messages."""

    path: Path
    text: str
    name: str
    key: yaml.Node
    value: yaml.Node

    def error(self, expected: str, got: str | None = None) -> StudentFileError:
        """Build an error that says what was found and what was expected."""
        line = self.key.start_mark.line + 1
        return StudentFileError(self.path, line, f"{self.name} is {got or self}, {expected}")

    def __str__(self) -> str:
        kinds: dict[type, str] = {yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping"}
        return kinds.get(type(self.value)) or repr(self.value.value[:60])

    @property
    def tag(self) -> str:
        """YAML's type of the value: str, int, float, bool, null, seq, map ..."""
        return self.value.tag.removeprefix(_TAG)

    def as_name(self) -> str | None:
        """Return the text; refuse anything that YAML would silently drop or convert."""
        if self._rest_of_line().startswith("#"):
            raise self.error(
                "and # starts a comment after it: put the whole name in single quotes, "
                "or the comment on a line of its own"
            )
        if self.tag == "null":
            return None
        if self.tag != "str":
            raise self.error("expected text: put it in single quotes")
        return self.value.value.strip() or None

    def _rest_of_line(self) -> str:
        """The rest of the line on which the value ends; empty for a block (`|` or `>`)."""
        mark = self.value.end_mark
        rest = self.text.splitlines()[mark.line :][:1]
        is_block = getattr(self.value, "style", None) in ("|", ">")
        return rest[0][mark.column :].strip() if rest and not is_block else ""

    def as_hours(self) -> float | None:
        """Return the number exactly as written; YAML itself would read 1:30 as 90."""
        if self.tag == "null":
            return None
        expected = f"expected a number from 0 to {MAX_HOURS:.0f}, such as 7.5, or nothing"
        try:
            hours = float(self.value.value) if self.tag in ("int", "float") else math.nan
        except ValueError:
            hours = math.nan
        if not 0 <= hours <= MAX_HOURS:  # NaN fails both comparisons
            quoted = getattr(self.value, "style", None) in ("'", '"')
            raise self.error(f"{expected}{'; without quotes' if quoted else ''}")
        return hours

    def check_pledge(self, wanted: str) -> None:
        """Accept only the exact text of the pledge."""
        if self.tag != "str" or " ".join(self.value.value.split()) != wanted:
            got = "empty" if self.tag == "null" else None
            raise self.error(f'expected word for word "{wanted}"', got)


def _read(path: Path) -> str | None:
    """Return the file's text, or None if it does not exist."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StudentFileError(path, 1, f"cannot be read: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise StudentFileError(path, line, "is not UTF-8 text; save it as UTF-8") from error


def _fields(path: Path, text: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """Return the key and value nodes of each field, by name."""
    try:
        root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise _not_yaml(path, text, error) from error
    expected = "expected lines such as `hours: 7.5`, one for each of " + ", ".join(_FIELDS)
    if not isinstance(root, yaml.MappingNode):
        got = "empty" if root is None else {"sequence": "a list"}.get(root.id, "one value")
        raise StudentFileError(path, 1, f"the file is {got}, {expected}")
    found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key, value in root.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name not in _FIELDS:
            raise StudentFileError(path, line, f"unknown field {name[:60]!r}, {expected}")
        if name in found:
            raise StudentFileError(path, line, f"{name} is there twice, {expected}")
        found[name] = (key, value)
    return found


def _not_yaml(path: Path, text: str, error: Exception) -> StudentFileError:
    mark = getattr(error, "problem_mark", None)
    position = getattr(error, "position", 0)  # set when YAML's reader refuses a character
    line = mark.line if mark else text[:position].count("\n")
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "nested too deep"
    written = text.splitlines()[line : line + 1]
    field = written[0].partition(":")[0].strip() if written else ""
    named = f"{field}: " if field in _FIELDS else ""
    hint = "put text with special characters in single quotes"
    return StudentFileError(path, line + 1, f"{named}not YAML, {problem}; {hint}")
