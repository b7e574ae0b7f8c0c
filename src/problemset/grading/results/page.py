"""A submission's result as one web page for the person who marks it: offline, no script, printable.

Text from a submission is untrusted. All markup is made by `_tag`, which escapes everything that it
did not make itself. The page's security policy forbids everything except its own style and
pictures.
"""

import base64
import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from problemset.grading.results.formats import points
from problemset.grading.results.thumbnails import Thumbnail
from problemset.grading.score.outcome import (
    BROKEN,
    FAILED,
    JSON,
    PASSED,
    TO_BE_READ,
    CheckOutcome,
    Score,
)
from problemset.grading.submission.intake import Intake
from problemset.rubric import Item

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
_MARKS = {PASSED: "✓ passed", FAILED: "✗ failed", BROKEN: "! broken", TO_BE_READ: "to be read"}
_CLASSES = {PASSED: "passed", FAILED: "failed", BROKEN: "broken", TO_BE_READ: "reader"}
_LONGEST = 1000  # characters per text
_LONGEST_LIST = 40  # file names per kind
# control characters, surrogates, and invisible characters that move, hide or reverse other text
_HIDDEN = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)


class _Markup(str):
    """Text made by `_tag`; anything else is escaped."""

    __slots__ = ()


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
        HTML; whatever the texts contain, the only markup is the page's own.
    """
    score = _without(f"{intake.folder}/", score)
    style = Path(__file__).with_name("page.css").read_text("utf-8")
    sums = f"{points(score.reached)} of {points(score.possible)}"
    policy = {"http-equiv": "Content-Security-Policy", "content": _POLICY}
    head = _tag(
        "head",
        _tag("meta", charset="utf-8"),
        _tag("meta", **policy),
        _tag("meta", name="viewport", content="width=device-width"),
        _tag("title", f"{_shortened(name)}: {sums}"),
        _tag("style", _Markup(style)),
    )
    problems = [
        _problem(number, list(group), score, pictures)
        for number, group in groupby(items, key=lambda item: item.id[0])
    ]
    body = _tag("body", _top(name, score), _tag("main", *problems), _files(intake))
    return "<!DOCTYPE html>\n" + _tag("html", head, body, lang="en") + "\n"


def _without(folder: str, score: Score) -> Score:
    """The same score, with the private copy's path removed from all messages."""
    said = ((outcome, outcome.says.replace(folder, "")) for outcome in score.outcomes)
    return Score(tuple(replace(o, says=says) if says.strip() else o for o, says in said))


def _tag(element: str, /, *content: str, **attributes: str) -> _Markup:
    """Make an element; contents and attributes are escaped unless they are elements."""
    given = "".join(
        f' {key.rstrip("_")}="{html.escape(_visible(value))}"' for key, value in attributes.items()
    )
    if element in ("meta", "img", "input"):
        return _Markup(f"<{element}{given}>")
    inside = "".join(
        part if isinstance(part, _Markup) else html.escape(_visible(part)) for part in content
    )
    end = "" if element in ("strong", "code", "title", "style") else "\n"
    return _Markup(f"<{element}{given}>{inside}</{element}>{end}")


def _visible(text: str) -> str:
    return _HIDDEN.sub("\ufffd", text)


def _shortened(text: str, most: int = _LONGEST) -> str:
    return text if len(text) <= most else f"{text[:most]} ... ({len(text) - most} more characters)"


def _top(name: str, score: Score) -> _Markup:
    """The header: name and sums."""
    broken = sum(outcome.state == BROKEN for outcome in score.outcomes)
    total = score.possible + score.awaiting
    reached = _tag("strong", points(score.reached))
    boxes = [
        _sum("", "points by the checks", reached, f" of {points(score.possible)}"),
        _sum("", "points await a reader", _field("sum"), f" of {points(score.awaiting)}"),
        _sum("", "together", _field("total"), f" of {points(total)}"),
    ]
    if broken:
        said = "check was" if broken == 1 else "checks were"
        says = f"{said} not carried out; look at the cause"
        boxes.append(_sum("alarm", says, _tag("strong", str(broken))))
    kind = _tag("p", "Submission", class_="kind")
    return _tag("header", kind, _tag("h1", _shortened(name)), _tag("ul", *boxes, class_="sums"))


def _sum(kind: str, name: str, *figure: str) -> _Markup:
    inside = (_tag("div", *figure, class_="figure"), _tag("div", name, class_="name"))
    return _tag("li", *inside, class_=kind)


def _field(what: str) -> _Markup:
    """An empty input field for the reader's mark; on paper it is a box."""
    name = {"type": "text", "inputmode": "decimal", "autocomplete": "off"}
    return _tag("input", **name, **{"aria-label": f"points, {what}"})


def _problem(
    number: str, items: Sequence[Item], score: Score, pictures: Sequence[Thumbnail]
) -> _Markup:
    ids = {item.id for item in items}
    own = Score(tuple(o for o in score.outcomes if o.item in ids))
    title = _tag("h2", _tag("span", f"Problem {number}"), _tag("span", _of(own), class_="points"))
    rows = [_item(item, own, [p for p in pictures if p.item == item.id]) for item in items]
    return _tag("section", title, *rows)


def _of(score: Score) -> str:
    """Points reached and points awaiting a reader, in words."""
    words = []
    if score.possible:
        words.append(f"{points(score.reached)} of {points(score.possible)}")
    if score.awaiting:
        words.append(f"{points(score.awaiting)} to be read")
    return ", ".join(words)


def _item(item: Item, score: Score, pictures: Sequence[Thumbnail]) -> _Markup:
    own = [outcome for outcome in score.outcomes if outcome.item == item.id]
    title = _tag(
        "h3",
        _tag("span", item.id, class_="id"),
        _tag("span", item.title, class_="title"),
        _tag("span", _of(Score(tuple(own))), class_="points"),
    )
    checks = _tag("table", *(_check(outcome) for outcome in own), class_="checks")
    return _tag("article", title, checks, *map(_figure, pictures), class_="item", id=item.id)


def _check(outcome: CheckOutcome) -> _Markup:
    state = _tag("td", _MARKS[outcome.state], class_=f"state {_CLASSES[outcome.state]}")
    worth, says = points(outcome.points), _shortened(outcome.says)
    if outcome.state == TO_BE_READ:
        mark = _tag("td", _field(outcome.item), f" of {worth}", class_="points")
        return _tag("tr", state, mark, _tag("td", says))
    mark = _tag("td", f"{points(outcome.reached)} of {worth}", class_="points")
    title = _tag("div", _shortened(outcome.title))
    said = _tag("div", says, class_="says")
    return _tag("tr", state, mark, _tag("td", title, said, *_evidence(outcome.evidence)))


def _evidence(evidence: dict[str, JSON]) -> Iterator[_Markup]:
    """The evidence of a check, collapsed; nothing if there is none."""
    if evidence:
        rows = [
            _tag("tr", _tag("th", _shortened(name)), _tag("td", _tag("code", _json(value))))
            for name, value in evidence.items()
        ]
        inside = _tag("table", *rows, class_="evidence")
        yield _tag("details", _tag("summary", "evidence"), inside)


def _json(value: JSON) -> str:
    return _shortened(json.dumps(value))


def _figure(picture: Thumbnail) -> _Markup:
    if not picture.png:
        missing = f"{picture.caption}: no picture, {_shortened(picture.fault)}"
        return _tag("figure", _tag("figcaption", missing))
    data = base64.b64encode(picture.png).decode("ascii")
    image = _tag("img", src=f"data:image/png;base64,{data}", alt=picture.caption)
    caption = [f"{picture.caption}, numbered from 0"]
    if picture.wrong:
        numbers = _shortened(", ".join(map(str, picture.wrong)))
        caption.append(
            _tag("span", f"; framed in red, not as they should be: {numbers}", class_="wrong")
        )
    return _tag("figure", image, _tag("figcaption", *caption))


def _files(intake: Intake) -> _Markup:
    """Lists of the files that were graded, refused and ignored."""
    refused = [f"{name}: {why}" for name, why in intake.refused.items()]
    kinds = {"graded": intake.files, "refused": refused, "not looked at": intake.ignored}
    rows = [
        _tag("tr", _tag("th", kind), _tag("td", *(_tag("div", line) for line in _few(names))))
        for kind, names in kinds.items()
        if names
    ]
    return _tag("footer", _tag("h2", "Files"), _tag("table", *rows))


def _few(lines: Sequence[str]) -> list[str]:
    shown = [_shortened(line, 300) for line in lines[:_LONGEST_LIST]]
    more = len(lines) - len(shown)
    return [*shown, f"... and {more} more"] if more else shown
