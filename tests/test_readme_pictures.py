"""The README's pictures are small, and the one of the score shows what the rubric asks today."""

import io
import runpy
from pathlib import Path

import numpy as np
import pytest
import typst
from PIL import Image

from problemset import rubric
from problemset.grading.score.outcome import FAILED, PASSED, TO_BE_READ, CheckOutcome, Score

ROOT = Path(__file__).parent.parent
PICTURES = sorted((ROOT / "assets").glob("*.png"))
DRAW = runpy.run_path(str(ROOT / "tools" / "readme_pictures.py"))


def pixels(picture):
    with Image.open(picture) as opened:
        return np.asarray(opened.convert("L")).astype(float)


def whole_score(state=PASSED):
    """Every check of the rubric in one state."""
    outcomes = []
    for item in rubric.load():
        checks = [(check.check, check.points, state) for check in item.checks]
        if item.reader:
            checks.append(("reader", item.reader, TO_BE_READ))
        outcomes += [
            CheckOutcome(check=name, item=item.id, title="x", points=points, state=how, says="x")
            for name, points, how in checks
        ]
    return Score(tuple(outcomes))


def test_there_are_three_small_ones():
    assert [path.name for path in PICTURES] == ["first-page.png", "interpolation.png", "score.png"]
    for path in PICTURES:
        assert 0 < path.stat().st_size < 150_000
        assert pixels(path).std() > 10, "it is not blank"


@pytest.mark.parametrize(("state", "same"), [(PASSED, True), (FAILED, False)])
def test_the_score_is_that_of_today_s_rubric_with_all_checks_passed(state, same):
    drawn, kept = (
        pixels(source)
        for source in (
            io.BytesIO(DRAW["score_table"](whole_score(state))),
            ROOT / "assets" / "score.png",
        )
    )
    close = drawn.shape == kept.shape and bool(np.abs(drawn - kept).mean() < 1)
    assert close == same, "draw them again: `make grade`, then `python tools/readme_pictures.py`"


def test_the_same_page_gives_the_same_picture(tmp_path):
    pdf = tmp_path / "report.pdf"
    typst.compile(b"First #pagebreak() Second", output=str(pdf))
    first = DRAW["first_page"](pdf)
    assert first == DRAW["first_page"](pdf)
    typst.compile(b"First #pagebreak() Another", output=str(pdf))
    assert first == DRAW["first_page"](pdf)
    typst.compile(b"Other #pagebreak() Second", output=str(pdf))
    assert first != DRAW["first_page"](pdf)
