"""Saved outputs against those of another run: equal, close enough, or different."""

import base64
import io

import nbformat.v4 as nb
import numpy as np
import pytest
from PIL import Image

from problemset.grading.evidence import outputs


def printed(text, name="stdout"):
    return nb.new_output("stream", name=name, text=text)


def shown(kind, content, **more):
    return nb.new_output("display_data", data={kind: content, **more})


def png(levels):
    stream = io.BytesIO()
    Image.fromarray(np.asarray(levels, dtype=np.uint8)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def drawing(levels, at="12.5", mark="p0123456789"):
    return (
        f'<svg><defs id="{mark}"/><use href="#{mark}"/><path d="M {at} 3"/>'
        f'<image href="data:image/png;base64,{png(levels)}"/></svg>'
    )


DIGIT = np.linspace(0, 255, 784).reshape(28, 28)
OTHER = DIGIT[::-1]
NEAR = np.clip(DIGIT + 3, 0, 255)


@pytest.mark.parametrize(
    ("saved", "again"),
    [
        ("ratio 3.95, 10000 samples", "ratio 3.95, 10000 samples"),
        ("ratio 3.95", "ratio 3.96"),  # the last digit
        ("bound -84.40 nats", "bound \N{MINUS SIGN}84.10 nats"),  # the sign's look, and 0.4 %
        ("lost 1e-7", "lost 1.0e-7"),
        ("-0.01", "0.00"),
        ("at 0x7f12ab34cd", "at 0x7f99ab34ce"),
        ("took 1000 of 10000", "took 1010 of 10000"),
    ],
)
def test_texts_agree_but_for_what_another_processor_changes(saved, again):
    assert outputs.difference([printed(saved)], [printed(again)]) == ""


@pytest.mark.parametrize(
    ("saved", "again", "says"),
    [
        ("ratio 3.95", "ratio 4.95", "3.95 was saved, but now it is 4.95"),
        ("read as 3", "read as 8", "3 was saved, but now it is 8"),
        ("read as 3", "read as 4", "3 was saved, but now it is 4"),
        ("0.00 and 0.12", "0.00 and 0.15", "0.12 was saved, but now it is 0.15"),
        ("ratio 3.95", "rate 3.95", "a text differs"),
        ("3.95", "3.95 3.95", "a text differs"),
        ("1 2", "1", "a text differs"),
    ],
)
def test_other_texts_and_numbers_differ(saved, again, says):
    assert outputs.difference([printed(saved)], [printed(again)]) == says


def test_pictures_agree_when_they_look_the_same():
    for old, new in ((DIGIT, DIGIT), (DIGIT, NEAR)):
        assert (
            outputs.difference([shown("image/png", png(old))], [shown("image/png", png(new))]) == ""
        )
        svg = [[shown("image/svg+xml", each)] for each in (drawing(old), drawing(new))]
        assert outputs.difference(*svg) == ""


def test_other_pictures_differ():
    for new in (OTHER, DIGIT[:, :27], np.zeros((28, 28))):
        old = [shown("image/png", png(DIGIT))]
        assert outputs.difference(old, [shown("image/png", png(new))]) == "a picture differs"
        svg = [[shown("image/svg+xml", each)] for each in (drawing(DIGIT), drawing(new))]
        assert outputs.difference(*svg) == "a picture in a drawing differs"
    broken = [shown("image/png", "bm8gcGljdHVyZQ==")]
    assert outputs.difference(broken, [shown("image/png", png(DIGIT))]) == "a picture differs"


def test_one_wrong_digit_among_a_hundred_is_seen():
    grid = np.tile(DIGIT, (10, 10))
    changed = grid.copy()
    changed[28:56, 84:112] = 255 - DIGIT
    old, new = ([shown("image/png", png(each))] for each in (grid, changed))
    assert outputs.difference(old, new) == "a picture differs"


def test_drawings_may_move_by_less_than_a_point_and_have_other_names():
    old = [shown("image/svg+xml", drawing(DIGIT))]
    near = [shown("image/svg+xml", drawing(DIGIT, at="12.9", mark="pabcdef0123"))]
    far = [shown("image/svg+xml", drawing(DIGIT, at="14.5"))]
    assert outputs.difference(old, near) == ""
    assert outputs.difference(old, far) == "12.5 was saved, but now it is 14.5"


def test_number_and_kind_of_outputs_count():
    text, table = printed("one"), shown("text/markdown", "|a|")
    assert "1 outputs were saved, but now there are 0" in outputs.difference([text], [])
    assert outputs.difference([], [text])
    assert outputs.difference([text, table], [table, text])
    assert outputs.difference([text, table], [text, table]) == ""


def test_only_what_a_reader_sees_is_compared():
    table = shown("text/markdown", "|a|", **{"text/plain": "<object at 0x12345678>"})
    warning = printed("loading from /home/me\n", name="stderr")
    empty = printed("\n")
    assert outputs.compared([warning, table, empty]) == [("text/markdown", "|a|")]
    assert outputs.compared([shown("image/png", "x", **{"text/plain": "<Figure>"})]) == [
        ("image/png", "x")
    ]
    assert outputs.compared([nb.new_output("error", ename="ValueError")]) == []
    assert outputs.compared([{"output_type": "stream", "text": ["a", "b"]}]) == [
        ("text/plain", "ab")
    ]
