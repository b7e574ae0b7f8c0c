"""The look that both engines share, as Quarto would use it: its Typst writer and short lines."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import document_checks
import places
import pypandoc
import pytest
import typst

from problemset.render.formats import pdf_reader
from problemset.render.source.look import STYLE

SQUARE = places.TESTS / "fixtures" / "sample" / "square.svg"
# The order of Quarto's own template: the header of the document, then the page, then a function
# that sets paragraphs, text and links for all that follows.
TEMPLATE = """#let article(body) = {
  set document(title: "A title")
  set par(justify: true, leading: 0.65em)
  set text(size: 10.5pt, font: "Libertinus Serif")
  show link: it => text(it)
  body
}
#set table(inset: 6pt, stroke: none)
$for(header-includes)$
$header-includes$
$endfor$
#set page(paper: "a4", margin: (x: 2.4cm, y: 2.5cm), numbering: "1")
#show: body => article(body)
$body$
"""
NAMES = (
    "path",
    "steady",
    "realism",
    "labels",
    "thirds",
    "sharp",
    "certain",
    "nearest",
    "detours",
    "third-digit steps",
)
CELLS = " 0.123 |" * (len(NAMES) - 1)
TABLE = f"""| {" | ".join(NAMES)} |
|:----------------------|{"--:|" * (len(NAMES) - 1)}
| between random inputs, with the variance kept |{CELLS}
| between test images |{CELLS}
"""


def as_quarto(markdown: str, folder: Path, styled: bool = True) -> tuple[str, Path]:
    """Typst source and PDF of a text; without the style they are what plain Quarto would make."""
    template = folder / "quarto.typ"
    template.write_text(TEMPLATE, encoding="utf-8")
    command = [pypandoc.get_pandoc_path(), "--from=markdown", "--to=typst", "--standalone"]
    command += ["--columns=72", f"--template={template}"]
    command += [f"--lua-filter={STYLE / 'paper.lua'}"] if styled else []
    command += [f"--include-in-header={STYLE / 'paper.typ'}"] if styled else []
    source = subprocess.run(
        command, input=markdown.encode(), capture_output=True, check=True
    ).stdout
    pdf = folder / "out.pdf"
    pdf.write_bytes(typst.compile(source, root="/", ignore_system_fonts=True))
    return source.decode(), pdf


@pytest.mark.parametrize("styled", [True, False])
def test_only_plain_quarto_squeezes_a_table_with_long_lines(styled: bool, tmp_path: Path) -> None:
    source, pdf = as_quarto(TABLE, tmp_path, styled)
    percentages = re.findall(r"columns: \([^)]*%", source)
    overlapping = document_checks.overlapping_words(pdf)
    outside = document_checks.outside_margins(pdf, margin_points=68)
    assert (percentages == [], overlapping + outside == []) == (styled, styled)


def test_words_over_one_another_are_found(tmp_path: Path) -> None:
    pdf = tmp_path / "out.pdf"
    apart = "#set page(width: 200pt, height: 100pt)\n#place(dx: 0pt)[left] #place(dx: 90pt)[right]"
    over = apart.replace("90pt", "4pt")
    for source, found in ((apart, []), (over, ["page 1: left and right"])):
        pdf.write_bytes(typst.compile(source.encode()))
        assert document_checks.overlapping_words(pdf) == found


def test_the_look_survives_quarto_s_own_template(tmp_path: Path) -> None:
    body = "# One\n\nText\n\n::: {.proof}\nIt holds.\n:::\n\n::: {.remark}\nNote.\n:::\n"
    far = "\n```{=typst}\n#pagebreak()\n```\n\nSecond page\n"
    source, pdf = as_quarto(body + far, tmp_path)
    assert source.count("#sym.square.stroked") == 1
    second = pdf_reader.pdf_text(pdf).split("Second page")[0]
    assert second.count("A title") == 1, "the running head begins on the second page"
    assert "A title" not in pdf_reader.pdf_text(as_quarto(body + far, tmp_path, styled=False)[1])


@pytest.mark.parametrize(
    ("place", "stays"), [("", True), ('fig-pos="H"', True), ('fig-pos="b"', False)]
)
def test_a_figure_stands_where_it_is_written_unless_it_is_let_go(
    place: str, stays: bool, tmp_path: Path
) -> None:
    image = f"![Caption]({SQUARE}){{#fig-a width=2cm {place}}}"
    _, pdf = as_quarto(f"{image}\n\nText behind it.", tmp_path)
    (words,) = document_checks.word_boxes(pdf)
    height = {word: box[1] for word, box in words}
    assert (height["Caption"] > height["Text"]) == stays


def test_the_project_names_the_shared_files_to_quarto() -> None:
    named = re.findall(r"\S*/style/\S+", (places.ROOT / "_quarto.yml").read_text("utf-8"))
    assert {places.ROOT / name for name in named} == {
        path for path in places.ROOT.glob("src/problemset/render/style/*") if path.is_file()
    }


@pytest.mark.parametrize(("source", "made"), [("examples/buffon", True), ("docs", False)])
def test_quarto_ends_with_the_notebook_and_never_fails_for_it(
    source: str, made: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    shutil.copytree(places.ROOT / source, folder)
    environment = {**os.environ, "PYTHONPATH": str(places.ROOT / "src")}
    environment |= {"PROBLEMSET_ROOT": str(folder), "PROBLEMSET_BUILD": str(tmp_path / "built")}
    done = subprocess.run(
        [sys.executable, STYLE / "notebook.py"], cwd=folder, env=environment, capture_output=True
    )
    assert done.returncode == 0
    assert (tmp_path / "built" / "report.ipynb").is_file() == made
    assert not (tmp_path / "built" / "report.pdf").exists()
