"""Draw the README's pictures from the released models, the rendered report and its grades.

Usage, after `make grade`: .venv/bin/python tools/readme_pictures.py
"""

import io
from pathlib import Path

import pypdfium2
import typst
from PIL import Image

from latentwalk import paths
from latentwalk.experiments import study
from latentwalk.figures import pictures
from problemset import file_io, rubric, workspace
from problemset.grading.results import formats
from problemset.grading.score.outcome import Score

COLOURS = 64  # of a palette, which keeps a page below 150 kB
PAGE_WIDTH = 800  # pixels


def strips() -> bytes:
    """Both interpolations and the blend, as a PNG."""
    work = study.open_study(seed=2017)
    pair = work.pick_pair(work.ten_samples())
    figure = pictures.fig_strips(work.generator_path(pair), work.vae_path(pair.labels))
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=160, metadata={"Software": None})
    return drawn.getvalue()


def first_page(pdf: Path) -> bytes:
    """The first page of a PDF, as a PNG."""
    with pypdfium2.PdfDocument(pdf) as document:
        page = document[0].render(scale=PAGE_WIDTH / document[0].get_width()).to_pil()
    return _png(page)


def score_table(score: Score) -> bytes:
    """The table that `make test` ends with, as a PNG."""
    table = formats.item_table(score, rubric.load())
    style = 'fill: rgb("#f6f8fa"), width: auto, height: auto, margin: 12pt'
    source = f"#set page({style})\n#set text(9pt)\n```\n{table}```\n".encode()
    drawn = typst.compile(source, format="png", ppi=120, ignore_system_fonts=True)
    return _png(Image.open(io.BytesIO(drawn)))


def _png(picture: Image.Image) -> bytes:
    small = io.BytesIO()
    picture.convert("RGB").quantize(COLOURS).save(small, "png", optimize=True)
    return small.getvalue()


def main() -> None:
    """Write the pictures."""
    build = workspace.build_dir()
    score = (build / "grades" / "submission" / "score.json").read_text("utf-8")
    drawn = {
        "interpolation.png": strips(),
        "first-page.png": first_page(build / "report.pdf"),
        "score.png": score_table(formats.from_json(score)),
    }
    for name, content in drawn.items():
        file_io.write(paths.released_weights_dir().parent / name, content)


if __name__ == "__main__":
    main()
