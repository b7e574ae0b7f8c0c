"""The figures of a small notebook and PDF against the arrays that they should show."""

import base64
import io
import json

import nbformat.v4 as nb
import numpy as np
import pytest
import typst
from PIL import Image, ImageOps

from latentwalk.checks import figures
from latentwalk.checks import networks as submission
from problemset.grading.submission.opened import Submission, SubmissionError


def strip(images):
    """The images side by side, four pixels to one, dark ink on a transparent ground."""
    ink = np.pad(images[:, 0], [(0, 0), (2, 2), (2, 2)]).transpose(1, 0, 2).reshape(32, -1)
    alpha = np.uint8(255 * ink.clip(0, 1)).repeat(4, 0).repeat(4, 1)
    levels = np.zeros((*alpha.shape, 4), np.uint8)
    levels[..., 3] = alpha
    return Image.fromarray(levels, "RGBA")


def png(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def drawing(picture):
    """An SVG that holds a picture, as Matplotlib's do."""
    code = base64.b64encode(png(picture)).decode()
    return f'<svg><text>ten</text><image xlink:href="data:image/png;base64,{code}"/></svg>'


@pytest.fixture
def made(tmp_path, digits):
    """Makes a submission whose notebook has drawings under 2e and whose PDF has pictures."""
    path = digits.images[:10].float().numpy() / 255

    def make(drawn, printed, kind="image/svg+xml"):
        submission.forget()
        content = [
            drawing(each) if "svg" in kind else base64.b64encode(png(each)).decode()
            for each in drawn
        ]
        outputs = [nb.new_output("display_data", data={kind: text}) for text in content]
        cells = [nb.new_markdown_cell("## 2e. Path"), nb.new_code_cell("draw()", outputs=outputs)]
        (tmp_path / "report.ipynb").write_text(json.dumps(nb.new_notebook(cells=cells)), "utf-8")
        source = "text " * 20
        for number, each in enumerate(printed):
            (tmp_path / f"{number}.png").write_bytes(png(each))
            source += f'#image("{number}.png")\n'
        (tmp_path / "report.typ").write_text(source, "utf-8")
        (tmp_path / "report.pdf").write_bytes(typst.compile(tmp_path / "report.typ"))
        (tmp_path / "results").mkdir(exist_ok=True)
        np.savez(tmp_path / "results/2e.npz", **{"strip.images": path})
        return Submission(tmp_path)

    return path, make


@pytest.mark.parametrize("kind", ["image/svg+xml", "image/png"])
def test_a_figure_that_shows_the_images_and_is_in_the_pdf_passes(made, kind):
    path, make = made
    other = strip(path[::-1])
    found = figures.figure_shows_2e(make([other, strip(path)], [other, strip(path)], kind), None)
    assert found.passed, found.says
    assert found.evidence["not found"] == []


def test_the_pdf_may_have_it_at_another_size(made):
    path, make = made
    drawn = strip(path)
    smaller = drawn.resize((drawn.width // 2, drawn.height // 2))
    assert figures.figure_shows_2e(make([drawn], [smaller]), None).passed


def test_another_order_or_a_repeated_image_fails(made):
    path, make = made
    for shown, count in ((path[::-1], 9), (path[[0, 1, 2, 3, 3, 5, 6, 7, 8, 9]], 1)):
        found = figures.figure_shows_2e(make([strip(shown)], [strip(shown)]), None)
        assert not found.passed
        assert found.says.startswith(f"{count} of 10 images of results/2e.npz are not in the fig")


def test_a_figure_that_the_pdf_does_not_have_fails(made):
    path, make = made
    white = Image.new("RGBA", strip(path).size, "white")
    white.alpha_composite(strip(path))
    negative = ImageOps.invert(white.convert("RGB"))
    for printed in ([], [negative], [strip(path).crop((0, 0, 500, 100))]):
        found = figures.figure_shows_2e(make([strip(path)], printed), None)
        assert not found.passed
        assert found.says == "report.pdf does not have the notebook's figure of 2e"


def test_a_notebook_without_a_picture_there_is_the_submission_s_fault(made):
    path, make = made
    with pytest.raises(
        SubmissionError, match=r"report\.ipynb has no picture under a heading of 2e"
    ):
        figures.figure_shows_2e(make([], [strip(path)]), None)


def test_only_so_many_pictures_are_searched(made, monkeypatch):
    _, make = made
    searched = []
    monkeypatch.setattr(
        figures.template_match, "missing", lambda *given: searched.append(given) or [0, 1]
    )
    many = [Image.new("RGBA", (300 + n, 40), "white") for n in range(20)]
    assert not figures.figure_shows_2e(make(many, []), None).passed
    assert len(searched) == figures.LOOKED_AT
    assert searched[0][0].width == 319
