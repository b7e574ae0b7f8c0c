"""The student's name, hours and pledge, read from `student.yml`.

The file looks like YAML, but is read line by line. A name is then the text that was written, where
YAML would make a number, a date, a truth value or a reference of it, and each mistake has its line.
"""

import logging
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from problemset import rubric, workspace

_LOG = logging.getLogger(__name__)

MAX_HOURS = 10_000.0
_FIELDS = ("name", "hours", "pledge")
_EXPECTED = "expected lines such as `hours: 7.5`, one for each of " + ", ".join(_FIELDS)
_FIELD_LINE = re.compile(r"\s*[\"']?(name|hours|pledge)[\"']?\s*[:：](.*)", re.IGNORECASE)
_OTHER_FIELD = re.compile(r"\s*[\"']?([\w-]+)[\"']?\s*:(\s.*)?")
_NEARLY = re.compile(r"\W*(name|hours|pledge)\b\W*([^:]*?)[\]},\s]*", re.IGNORECASE)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_BLOCK = re.compile(r"[|>][+-]?")
_NOTHING = ("", "~", "null")


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
    """The pledge, word for word; empty if nobody has given it."""


def load(path: Path | None = None, pledge: str | None = None) -> Student:
    """Read the student's file.

    Args:
        path: the file; defaults to `student.yml` in the project.
        pledge: the sentence that the file must have if it names somebody; defaults to the rubric's.

    Raises:
        StudentFileError: a line that is none of the three fields, or an invalid field.
    """
    path = path or workspace.student_file()
    if pledge is None:
        pledge = rubric.settings().pledge if workspace.rubric_file().is_file() else ""
    text = _read(path)
    if text is None:
        _LOG.warning("%s is missing: the report names nobody and states the computer's hours", path)
        return Student(None, None, "")
    fields = _fields(path, text)
    name, hours = fields["name"].as_name(), fields["hours"].as_hours()
    if name is None and fields["pledge"].written in _NOTHING:
        return Student(None, hours, "")
    if pledge:
        fields["pledge"].check_pledge(pledge)
    return Student(name, hours, pledge)


@dataclass(frozen=True)
class _Field:
    """One field with its position in the file, for error messages."""

    path: Path
    name: str
    line: int
    lines: list[str] = field(default_factory=list)
    """What is written after the colon and on indented lines below, without space around it."""

    @property
    def written(self) -> str:
        """The lines as one; without the sign of a block of lines, such as `>`."""
        block = self.lines and _BLOCK.fullmatch(self.lines[0])
        return " ".join(self.lines[1:] if block else self.lines).strip()

    def error(self, expected: str) -> StudentFileError:
        """Build an error that says what was read and what was expected."""
        found = repr(self.written[:60]) if self.written else "not given"
        return StudentFileError(self.path, self.line, f"{self.name} is {found}, {expected}")

    def as_name(self) -> str | None:
        """Return the name as written; refuse what may be meant in two ways."""
        name = self.written.replace("\t", " ")
        if name in _NOTHING:
            return None
        quoted = _unquoted(name)
        if quoted is None:
            self._check_plain(name)
        name = (name if quoted is None else quoted).strip()
        if any(unicodedata.category(letter) == "Cc" for letter in name):
            raise self._unclear(name, "has a character that cannot be printed")
        return name or None

    def _check_plain(self, name: str) -> None:
        """Refuse a name without quotes that may be something else."""
        if _COMMENT.search(name):
            raise self.error(
                "in which # starts a comment: put the whole name in single quotes, "
                "or the comment on a line of its own"
            )
        if name[:1] in ("[", "{") or re.match(r"-(\s|$)", name):
            raise self._unclear(name, "is a list or a mapping")
        if name[:1] in ("'", '"') or name.endswith("'") or name.count('"') % 2:
            raise self._unclear(name, "has a quote without its partner")
        if not any(letter.isalpha() for letter in name):
            raise self._unclear(name, "has no letter")

    def _unclear(self, name: str, problem: str) -> StudentFileError:
        """Build an error that says what to write for the name that is likely meant."""
        plain = "".join(letter for letter in name if unicodedata.category(letter) != "Cc")
        meant = plain.strip("'\"[]{}- ") or "Ada Lovelace"
        quoted = "'" + meant[:60].replace("'", "''") + "'"
        return self.error(f"which {problem}; write the name in single quotes: name: {quoted}")

    def as_hours(self) -> float | None:
        """Return the number exactly as written; YAML itself would read 1:30 as 90."""
        number = _COMMENT.sub("", self.written).strip()
        if number in _NOTHING:
            return None
        hours = float(number) if re.fullmatch(r"\d+\.?\d*|\.\d+", number) else -1
        if not 0 <= hours <= MAX_HOURS:
            allowed = f"a number from 0 to {MAX_HOURS:.0f}, such as 7.5, without quotes"
            raise self.error(f"expected {allowed}, or nothing")
        return hours

    def check_pledge(self, wanted: str) -> None:
        """Accept only the exact text of the pledge."""
        quoted = _unquoted(self.written)
        text = _COMMENT.sub("", self.written) if quoted is None else quoted
        if " ".join(text.split()) != wanted:
            raise self.error(f'expected word for word "{wanted}"')


def _unquoted(text: str) -> str | None:
    """The text within quotes, as YAML reads it; None if it is not wholly in quotes."""
    if not _QUOTED.fullmatch(text):
        return None
    try:
        return str(yaml.safe_load(text))
    except yaml.YAMLError:  # such as an unknown escape sequence
        return None


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
    """Return the three fields by their names; one that is not there has no text."""
    found: dict[str, _Field] = {}
    for number, line in enumerate(text.split("\n"), 1):
        content = line.strip()
        if not content or content.startswith("#") or (content == "---" and not found):
            continue
        if match := _FIELD_LINE.fullmatch(line):
            name = match[1].lower()
            if name in found:
                before = f"{name} is there twice, here and in line {found[name].line}; keep one"
                raise StudentFileError(path, number, before)
            found[name] = _Field(path, name, number, [match[2].strip()])
        elif match := _OTHER_FIELD.fullmatch(line):
            problem = f"unknown field {match[1][:60]!r}, {_EXPECTED}"
            raise StudentFileError(path, number, problem)
        elif found and line[0].isspace():  # the field goes on
            [*found.values()][-1].lines.append(content)
        else:
            near = _NEARLY.fullmatch(content)
            wanted = f"write `{near[1].lower()}: {near[2][:60]}`" if near else _EXPECTED
            raise StudentFileError(path, number, f"the line is {content[:60]!r}, {wanted}")
    if not found:
        raise StudentFileError(path, 1, f"the file is empty, {_EXPECTED}")
    first = min(entry.line for entry in found.values())
    return {name: found.get(name) or _Field(path, name, first) for name in _FIELDS}
