"""A score in several formats: Gradescope, JUnit, a text table, and JSON that can be read back."""

import json
import re
import textwrap
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:  # reading a rubric needs YAML
    from problemset.rubric import Item

VERSION = 1  # version of the JSON format
_COLUMNS = 100
_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_IN_A_LINE = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


def gradescope(score: Score, seconds: float) -> dict[str, JSON]:
    """The content of Gradescope's results.json.

    The top-level score overrides the sum over the tests. A test that awaits a reader gets neither
    points nor status: Gradescope would show 0 of 4 as failed and 0 of 0 as passed, and neither is
    true of it.

    Args:
        score: the outcomes of the checks.
        seconds: wall-clock time that grading took.

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
    says = _for_xml(outcome.says)  # the characters that XML forbids are of no use here either
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


def junit(score: Score, suite_name: str) -> str:
    """JUnit's XML: a broken check is an error, and one that awaits a reader is skipped.

    Control characters that XML forbids are omitted.
    """
    states = Counter(outcome.state for outcome in score.outcomes)
    suite = ET.Element(
        "testsuite",
        name=suite_name,
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
    """A text table, at most 100 columns wide: one row per check, and the sums in the last line."""
    heads = ("item", "state", "points", "what was found (claim: what was expected)")
    rows = [(line(o.item), o.state, _of(o), _finding(o)) for o in score.outcomes]
    first, second, third = (max(len(row[n]) for row in [heads, *rows]) for n in range(3))
    indent = " " * (first + second + third + 6)
    lines = []
    for item, state, of, says in [heads, *rows]:
        start = f"{item:<{first}}  {state:<{second}}  {of:>{third}}  "
        room = max(20, _COLUMNS - len(indent))
        wrapped = textwrap.wrap(says, room) or [""]
        lines += [before + part for before, part in zip([start] + [indent] * len(wrapped), wrapped)]
    return "\n".join([*lines, _sums(score)]) + "\n"


def item_table(score: Score, items: Sequence["Item"]) -> str:
    """One line per item of the rubric, then each check that did not pass, then the sums."""
    lines = ["item  result   points  reader  title"]
    for item in items:
        own = Score(tuple(outcome for outcome in score.outcomes if outcome.item == item.id))
        checked = [outcome for outcome in own.outcomes if outcome.state != TO_BE_READ]
        whole = all(outcome.state == PASSED for outcome in checked)
        result = "-" if not checked else "passed" if whole else "failed"
        of = f"{points(own.reached)} of {points(own.possible)}" if checked else ""
        awaits = points(own.awaiting) if own.awaiting else ""
        lines.append(f"{item.id:<4}  {result:<7}  {of:>6}  {awaits:>6}  {line(item.title)}")
    lines += [
        f"{outcome.state}: {outcome.item} {_finding(outcome)}"
        for outcome in score.outcomes
        if outcome.state in (FAILED, BROKEN)
    ]
    return "\n".join([*lines, _sums(score)]) + "\n"


def to_json(score: Score) -> str:
    """The whole score as JSON, including the sums for readers without this program."""
    sums = {name: getattr(score, name) for name in ("reached", "possible", "awaiting")}
    outcomes = [asdict(outcome) for outcome in score.outcomes]
    content = {"version": VERSION, **sums, "outcomes": outcomes}
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def from_json(text: str) -> Score:
    """Read the output of `to_json`.

    Raises:
        ValueError: another format, or sums that do not match the outcomes.
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
    """Keep a file up to date, so that a grader that is killed leaves its results so far.

    The file is first written without any outcome, so that an older one is never mistaken for the
    result of this run.

    Args:
        path: the JSON file; replaced as a whole each time.

    Returns:
        A function that takes the next outcome, writes the file and returns the score so far.

    Raises:
        WriteError: the folder is read-only or full; the previous file stays.
    """

    def write(score: Score) -> Score:
        file_io.write(path, to_json(score))
        return score

    score = write(Score())

    def record(outcome: CheckOutcome) -> Score:
        nonlocal score
        score = write(Score((*score.outcomes, outcome)))
        return score

    return record


def _sums(score: Score) -> str:
    reached = f"{points(score.reached)} of {points(score.possible)} points reached"
    return f"{reached}, {points(score.awaiting)} await a reader"


def points(number: float) -> str:
    """Points as text, without trailing zeros: 4, 2.5, 1.33."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _of(outcome: CheckOutcome) -> str:
    reached = "?" if outcome.state == TO_BE_READ else points(outcome.reached)
    return f"{reached} of {points(outcome.points)}"


def _finding(outcome: CheckOutcome) -> str:
    """What a check found, then what it expected; what a reader has to judge, then how."""
    if outcome.state == TO_BE_READ:
        return line(f"{outcome.title}: {outcome.says}")
    return line(f"{outcome.says} (claim: {outcome.title})")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _for_xml(text: str) -> str:
    return _NOT_IN_XML.sub("", text)


def line(text: str) -> str:
    """Text on one line, without control characters that could move a terminal's cursor."""
    return " ".join(_NOT_IN_A_LINE.sub(" ", text).split())
