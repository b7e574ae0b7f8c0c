"""A submission's result as one web page for the person who marks it: offline, no script, printable.

Text from a submission is untrusted. The template, page.html, holds all markup, and whatever is put
into it is escaped. The page's security policy forbids everything except its own style and pictures.
"""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from problemset.grading.results.formats import points
from problemset.grading.results.thumbnails import Thumbnail
from problemset.grading.score.outcome import BROKEN, FAILED, PASSED, TO_BE_READ, Score
from problemset.grading.submission.intake import Intake
from problemset.rubric import Item

_MARKS = {  # state to class and words
    PASSED: ("passed", "✓ passed"),
    FAILED: ("failed", "✗ failed"),
    BROKEN: ("broken", "! broken"),
    TO_BE_READ: ("reader", "to be read"),
}
_LONGEST = 1000  # characters per text
_LONGEST_LIST = 40  # file names per kind
# control characters, surrogates, and invisible characters that move, hide or reverse other text
_HIDDEN = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)


def page(
    name: str, score: Score, items: Sequence[Item], pictures: Sequence[Thumbnail], intake: Intake
) -> str:
    """Write the page.

    Args:
        name: name of the submission, as shown to the reader.
        score: the outcomes of the checks.
        items: the rubric, which determines the order.
        pictures: pictures of the submission's images.
        intake: the files that were submitted.

    Returns:
        HTML; whatever the texts contain, the only markup is that of the template.
    """
    score = _without(f"{intake.folder}/", score)
    problems = []
    for number, group in groupby(items, key=lambda item: item.id[0]):
        own = [
            {
                "rubric": item,
                "score": _part(score, item.id),
                "pictures": [picture for picture in pictures if picture.item == item.id],
            }
            for item in group
        ]
        problems.append({"number": number, "score": _part(score, number), "entries": own})
    return _template().render(
        name=name,
        score=score,
        broken=sum(outcome.state == BROKEN for outcome in score.outcomes),
        problems=problems,
        marks=_MARKS,
        files={
            "graded": intake.files,
            "refused": [f"{name}: {why}" for name, why in intake.refused.items()],
            "not looked at": intake.ignored,
        },
        most_files=_LONGEST_LIST,
    )


def _without(folder: str, score: Score) -> Score:
    """The same score, with the private copy's path removed from all messages."""
    said = ((outcome, outcome.says.replace(folder, "")) for outcome in score.outcomes)
    return Score(tuple(replace(o, says=says) if says.strip() else o for o, says in said))


def _part(score: Score, begins: str) -> Score:
    """The outcomes of an item, or of all items of a problem."""
    return Score(tuple(o for o in score.outcomes if o.item.startswith(begins)))


def _template() -> jinja2.Template:
    folder = Path(__file__).parent
    environment = jinja2.Environment(
        autoescape=True, finalize=_visible, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "base64": lambda content: base64.b64encode(content).decode("ascii"),
        "in_words": _in_words,
        "json": json.dumps,
        "of": _of,
        "points": points,
        "short": _shortened,
    }
    environment.globals["style"] = markupsafe.Markup((folder / "page.css").read_text("utf-8"))
    return environment.from_string((folder / "page.html").read_text("utf-8"))


def _visible(value: Any) -> Any:
    """Replace what is hidden in a text; what the template made itself stays as it is."""
    return value if hasattr(value, "__html__") else _HIDDEN.sub("\ufffd", str(value))


def _shortened(text: str, most: int = _LONGEST) -> str:
    return text if len(text) <= most else f"{text[:most]} ... ({len(text) - most} more characters)"


def _of(score: Score) -> str:
    return f"{points(score.reached)} of {points(score.possible)}"


def _in_words(score: Score) -> str:
    """Points reached and points awaiting a reader."""
    words = [_of(score)] if score.possible else []
    words += [f"{points(score.awaiting)} to be read"] if score.awaiting else []
    return ", ".join(words)
