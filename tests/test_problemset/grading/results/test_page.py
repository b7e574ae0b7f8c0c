"""The page for the reader: what it shows, and that no text of a submission becomes markup."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import class_targets
import pytest

from problemset.grading.results.page import page
from problemset.grading.results.thumbnails import Thumbnail
from problemset.grading.score.outcome import CheckOutcome, Score
from problemset.grading.submission.intake import Intake

PNG = b"\x89PNG bytes"
HOSTILE = [
    "<script>alert(1)</script>",
    "</style></title></details><script src=//example.org></script>",
    "\"><img src=x onerror='alert(1)'>",
    "' onmouseover='alert(1)",
    "<!-- ]]> --> <![CDATA[",
    "&lt;b&gt; &amp; &#x3c;script&#x3e;",
    "javascript:alert(1)",
    "\0\x01\x1b[31m\x7f\x9b\r\n\t",
    "\ud800 \udfff \ufffe",
    "\u202egpj.exe \u2066 \u200b \ufeff",
    "<" * 5000,
]


class Parsed(HTMLParser):
    """The structure of a page, and its text."""

    def __init__(self, text):
        super().__init__()
        self.structure, self.attributes, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.structure.append((tag, *(name for name, _ in attrs)))
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        self.structure.append(f"/{tag}")

    def handle_comment(self, data):
        self.structure.append("comment")

    def handle_decl(self, decl):
        self.structure.append(decl)

    unknown_decl = handle_pi = handle_comment

    def handle_data(self, data):
        self.text += data


def made(text="plain", name="alice", score=None):
    """A page on which a text stands wherever a submission, or the rubric, can bring one."""
    evidence = {f"key {text}": {text: [text]}, "wrong": [1, 2]}
    score = score or class_targets.scored("failed", f"says {text}", evidence)
    outcomes = [replace(o, title=f"{o.title} {text}") for o in score.outcomes]
    items = [replace(i, title=f"{i.title} {text}") for i in class_targets.ITEMS]
    shown = [
        Thumbnail("2d", f"The path {text}", PNG, wrong=(1, 2)),
        Thumbnail("2d", f"caption {text}", b"", f"fault {text}"),
    ]
    intake = Intake(
        Path("/private/copy"), ("report.pdf",), {f"weights/{text}": f"is {text}"}, (f"{text}/x",)
    )
    return page(f"{name} {text}", Score(tuple(outcomes)), items, shown, intake)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text):
    found, plain = Parsed(made(text)), Parsed(made())
    assert found.structure == plain.structure
    values = {(tag, name) for tag, name, value in found.attributes if value and text in value}
    assert values <= {("img", "alt")}, "no other attribute holds a text of the submission"


@pytest.mark.parametrize("text", HOSTILE[:5])
def test_every_text_is_there_to_be_read(text):
    found = Parsed(made(text))
    for said in (
        f"alice {text}",
        f"says {text}",
        f"Ten steps {text}",
        f"Ten points {text}",
        f"fault {text}",
        f"weights/{text}: is {text}",
        f"{text}/x",
    ):
        assert said in found.text


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_hidden_moves_the_text(text):
    written = made(text)
    written.encode("utf-8")
    assert not re.search(
        "[\0-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", written
    )


def test_the_page_needs_nothing_and_runs_nothing():
    found = Parsed(made())
    tags = {entry[0] for entry in found.structure if isinstance(entry, tuple)}
    assert tags <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "main",
        "footer",
        "section",
        "article",
        "h1",
        "h2",
        "h3",
        "p",
        "ul",
        "li",
        "div",
        "span",
        "strong",
        "table",
        "tr",
        "th",
        "td",
        "details",
        "summary",
        "code",
        "figure",
        "figcaption",
        "img",
        "input",
    }
    names = {name for _, name, _ in found.attributes}
    assert not any(name.startswith("on") or name in ("href", "action", "style") for name in names)
    sources = [value for _, name, value in found.attributes if name == "src"]
    assert [s.partition(",")[0] for s in sources] == ["data:image/png;base64"]
    assert base64.b64decode(sources[0].partition(",")[2]) == PNG
    policy = [value for tag, name, value in found.attributes if (tag, name) == ("meta", "content")]
    assert policy[0].startswith("default-src 'none'; ")
    style = made().partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_the_score_stands_on_top():
    top = Parsed(made("")).text.partition("Problem")[0]
    for said in ("1 of 4 points by the checks", " of 4 points await a reader", " of 8 together"):
        assert said in " ".join(top.split())
    assert "not carried out" not in top


def test_broken_checks_are_told_apart():
    found = Parsed(made("", score=class_targets.scored("broken", "could not be carried out")))
    text = " ".join(found.text.split())
    assert "1 check was not carried out" in text
    assert "! broken" in text
    assert ("td", "class", "state broken") in found.attributes
    assert "1 of 4 points by the checks" in text


def test_each_item_has_its_checks_in_the_rubric_s_order():
    whole = " ".join(Parsed(made("")).text.split())
    assert "Problem 2 1 of 4 2d Ten steps 1 of 4 ✓" in whole
    assert "Problem 3 4 to be read 3e Smoothness 4 to be read to be read of 4" in whole
    assert whole.count("✓ passed") == whole.count("✗ failed") == 1
    text = whole.partition("Problem 2")[2]
    order = [
        "1 of 4",
        "2d",
        "Ten steps",
        "✓ passed",
        "1 of 1",
        "Ten points",
        "ten",
        "✗ failed",
        "0 of 3",
        "A line",
        "says",
        "Problem 3",
        "4 to be read",
        "3e",
        "to be read",
        " of 4",
        "An answer.",
    ]
    places = [text.index(word) for word in order[:1]]
    for word in order[1:]:
        places.append(text.index(word, places[-1]))
    assert places == sorted(places)


def test_the_reader_has_an_empty_field_for_each_item_and_the_sums():
    found = Parsed(made())
    fields = [
        value for tag, name, value in found.attributes if (tag, name) == ("input", "aria-label")
    ]
    assert fields == ["points, sum", "points, total", "points, 3e"]
    inputs = [entry for entry in found.structure if entry[0] == "input"]
    assert len(inputs) == 3
    assert not any("value" in entry for entry in inputs)


def test_evidence_is_folded_and_bounded():
    found = Parsed(
        made(score=class_targets.scored("failed", "x" * 10**6, {"y" * 10**6: "z" * 10**6}))
    )
    assert found.structure.count(("details",)) == 2
    assert ("details", "open") not in found.structure
    assert len(found.text) < 20_000
    assert "more characters)" in found.text


def test_long_lists_of_files_are_cut():
    intake = Intake(Path("/private/copy"), (), {}, tuple(f"name {n}" for n in range(100)))
    written = page("alice", class_targets.scored(), class_targets.ITEMS, (), intake)
    assert "name 39" in written
    assert "name 40" not in written
    assert "... and 60 more" in written


def test_where_the_private_copy_lay_is_not_told():
    says = "/private/copy/results/2e.npz is damaged"
    found = Parsed(made(score=class_targets.scored("failed", says)))
    assert "results/2e.npz is damaged" in found.text
    assert "/private/copy" not in found.text


def test_wrong_images_are_named_beside_the_picture():
    found = Parsed(made(""))
    assert "The path , numbered from 0; framed in red, not as they should be: 1, 2" in found.text


def test_a_check_without_evidence_has_nothing_to_unfold():
    outcome = CheckOutcome("path_is_straight", "2d", "A line", 3, "passed", "fine", {})
    written = page("a", Score((outcome,)), class_targets.ITEMS, (), Intake(Path("/x"), (), {}, ()))
    assert "<details>" not in written
