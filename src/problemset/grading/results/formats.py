"""A score in the forms that others read: Gradescope, JUnit, a table, and JSON to come back to."""

import json
import re
import textwrap
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

from problemset import file_io
from problemset.grading.score.outcome import (
    BROKEN,
    FAILED,
    JSON,
    PASSED,
    TO_BE_READ,
    CheckOutcome,
    Score,
)

VERSION = 1  # of the JSON form
_COLUMNS = 100
_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_IN_A_LINE = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")

_NUMBER = {"type": "number"}
_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}
_VISIBILITY = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
_FORMAT = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
_TEST = {
    "type": "object",
    "properties": {
        "score": _NUMBER,
        "max_score": _NUMBER,
        "status": {"enum": ["passed", "failed"]},
        "name": _TEXT,
        "name_format": _FORMAT,
        "number": _TEXT,
        "output": _TEXT,
        "output_format": _FORMAT,
        "tags": {"type": "array", "items": _TEXT},
        "visibility": _VISIBILITY,
        "extra_data": _OBJECT,
    },
    "additionalProperties": False,
}
_RANKED = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "value": {"type": ["number", "string"]},
        "order": {"enum": ["asc", "desc"]},
    },
    "required": ["name", "value"],
    "additionalProperties": False,
}
GRADESCOPE_SCHEMA: dict[str, JSON] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Gradescope's results.json",
    "type": "object",
    "properties": {
        "score": _NUMBER,
        "execution_time": {"type": "number", "minimum": 0},
        "output": _TEXT,
        "output_format": _FORMAT,
        "test_output_format": _FORMAT,
        "test_name_format": _FORMAT,
        "visibility": _VISIBILITY,
        "stdout_visibility": _VISIBILITY,
        "extra_data": _OBJECT,
        "tests": {"type": "array", "items": _TEST},
        "leaderboard": {"type": "array", "items": _RANKED},
    },
    "anyOf": [{"required": ["score"]}, {"required": ["tests"]}],
    "additionalProperties": False,
}
"""Each field that the specification names, and no other; only a score or tests have to be there.

Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/ ("Output format", "Test case
status", "Output String Formatting") and .../leaderboards/.
"""


def gradescope(score: Score, seconds: float) -> dict[str, JSON]:
    """The content of Gradescope's results.json.

    The top-level score stands in place of the tests' sum. What awaits a reader has neither points
    nor status: 0 of 4 would be shown as failed and 0 of 0 as passed, and neither was judged.

    Args:
        score: what the checks found.
        seconds: that grading took.

    Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/.
    """
    broken = sum(outcome.state == BROKEN for outcome in score.outcomes)
    output = f"{points(score.awaiting)} points await a reader."
    if broken:
        output += f" {_count(broken, 'check')} could not be carried out; please look at the cause."
    return {
        "score": score.reached,
        "execution_time": seconds,
        "output": output,
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [_gradescope_test(outcome) for outcome in score.outcomes],
    }


def _gradescope_test(outcome: CheckOutcome) -> dict[str, JSON]:
    says = _for_xml(outcome.says)  # what XML forbids is of no use there either
    test: dict[str, JSON] = {
        "name": line(f"{outcome.title} ({outcome.check})"),
        "number": line(outcome.item),
        "score": outcome.reached,
        "max_score": outcome.points,
        "status": "passed" if outcome.state == PASSED else "failed",
        "output": says,
        "output_format": "text",
        "visibility": "visible",
    }
    if outcome.state == BROKEN:
        test["output"] = f"The check could not be carried out: {says}"
    if outcome.state == TO_BE_READ:
        for judged in ("score", "max_score", "status"):
            del test[judged]
        test["output"] = f"{points(outcome.points)} points await a reader. {says}"
    return test


def junit(score: Score) -> str:
    """JUnit's XML: a broken check is an error, one that awaits a reader is skipped.

    Control characters that XML forbids are left out.
    """
    states = Counter(outcome.state for outcome in score.outcomes)
    suite = ET.Element(
        "testsuite",
        name="latentwalk",
        tests=str(len(score.outcomes)),
        failures=str(states[FAILED]),
        errors=str(states[BROKEN]),
        skipped=str(states[TO_BE_READ]),
    )
    for outcome in score.outcomes:
        case = ET.SubElement(
            suite, "testcase", classname=_for_xml(outcome.item), name=_for_xml(outcome.check)
        )
        says = _for_xml(f"{outcome.title}: {outcome.says}")
        kind = {FAILED: "failure", BROKEN: "error", TO_BE_READ: "skipped"}.get(outcome.state)
        if kind:
            ET.SubElement(case, kind, message=says)
        earned = f"{points(outcome.reached)} of {points(outcome.points)} points\n"
        ET.SubElement(case, "system-out").text = earned + says
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    body = ET.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def text_table(score: Score) -> str:
    """One row a check, at most 100 columns wide; the sums are in the last line."""
    heads = ("item", "state", "points", "check")
    rows = [(line(o.item), o.state, _of(o), line(f"{o.title}: {o.says}")) for o in score.outcomes]
    first, second, third = (max(len(row[n]) for row in [heads, *rows]) for n in range(3))
    indent = " " * (first + second + third + 6)
    lines = []
    for item, state, of, says in [heads, *rows]:
        start = f"{item:<{first}}  {state:<{second}}  {of:>{third}}  "
        room = max(20, _COLUMNS - len(indent))
        wrapped = textwrap.wrap(says, room) or [""]
        lines += [before + part for before, part in zip([start] + [indent] * len(wrapped), wrapped)]
    lines.append(
        f"{points(score.reached)} of {points(score.possible)} points reached, "
        f"{points(score.awaiting)} await a reader"
    )
    return "\n".join(lines) + "\n"


def to_json(score: Score) -> str:
    """All of it, with the sums for whoever reads it without this program."""
    sums = {name: getattr(score, name) for name in ("reached", "possible", "awaiting")}
    outcomes = [asdict(outcome) for outcome in score.outcomes]
    content = {"version": VERSION, **sums, "outcomes": outcomes}
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def from_json(text: str) -> Score:
    """Read what `to_json` wrote.

    Raises:
        ValueError: something else, or sums that do not follow from the outcomes.
    """
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise ValueError("score is nested too deep") from error
    names = {field.name for field in fields(CheckOutcome)}
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ValueError(f"expected a score, an object of version {VERSION}")
    entries = content.get("outcomes")
    if not isinstance(entries, list) or any(
        not isinstance(entry, dict) or entry.keys() != names for entry in entries
    ):
        raise ValueError(f"outcomes: expected a list of objects with {', '.join(sorted(names))}")
    score = Score(tuple(CheckOutcome(**entry) for entry in entries))
    for name in ("reached", "possible", "awaiting"):
        if content.get(name) != getattr(score, name):
            got, expected = content.get(name), getattr(score, name)
            raise ValueError(f"{name} is {got!r}, but the outcomes add up to {expected!r}")
    return score


def write_after_each(path: Path) -> Callable[[CheckOutcome], Score]:
    """Keep a file up to date, so that a grader that is killed leaves what it has found.

    The file is written at once without any outcome: an older one is never taken for this run's.

    Args:
        path: of the JSON form; replaced as a whole each time.

    Returns:
        A function that takes the next outcome, writes the file and returns the score so far.

    Raises:
        WriteError: the folder is read-only or full; the file of before stays.
    """

    def write(score: Score) -> Score:
        with file_io.atomic_path(path) as temporary:
            temporary.write_text(to_json(score), "utf-8")
        return score

    score = write(Score())

    def record(outcome: CheckOutcome) -> Score:
        nonlocal score
        score = write(Score((*score.outcomes, outcome)))
        return score

    return record


def points(number: float) -> str:
    """Points as text, without zeros at the end: 4, 2.5, 1.33."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _of(outcome: CheckOutcome) -> str:
    reached = "?" if outcome.state == TO_BE_READ else points(outcome.reached)
    return f"{reached} of {points(outcome.points)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _for_xml(text: str) -> str:
    return _NOT_IN_XML.sub("", text)


def line(text: str) -> str:
    """One line that cannot move a terminal's cursor: no control characters, no line breaks."""
    return " ".join(_NOT_IN_A_LINE.sub(" ", text).split())
