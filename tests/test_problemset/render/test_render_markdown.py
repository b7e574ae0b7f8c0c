"""What pandoc is given for a cell and its outputs."""

from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_output

from problemset.render.errors import CellError, DocumentError
from problemset.render.execution.kernel import Executed, RanCell, execute
from problemset.render.formats import pandoc
from problemset.render.formats.markdown import fenced, to_markdown
from problemset.render.source.document import Cell, Document, Prose, read_document
from problemset.render.source.options import CellOptions, Shown
from problemset.render.source.settings import read_settings

SVG = "<svg/>"
PNG = "iVBORw0KGgo="


def shown_as(folder: Path, outputs: list[Any], preset: Shown | None = None, **options: Any) -> str:
    cell = Cell("x", "x", CellOptions(**options), 7)
    document = Document(folder / "doc.qmd", {}, (cell,))
    executed = Executed(document, (RanCell(cell, tuple(outputs), 1),))
    return to_markdown(executed, preset or Shown(echo=False), folder)


def display(**data: Any) -> Any:
    named = {kind.replace("__", "/").replace("svg_xml", "svg+xml"): v for kind, v in data.items()}
    return new_output("display_data", data=named)


FIGURE = {"label": "fig-a", "fig_cap": "A caption", "fig_alt": 'Say "a" & \\ b'}


def test_a_figure_carries_its_label_caption_and_alternative_text(tmp_path: Path) -> None:
    text = shown_as(tmp_path, [display(image__svg_xml=SVG, text__plain="<Figure>")], **FIGURE)
    alternative = r'fig-alt="Say \"a\" &amp; \\ b"'
    image = f"![]({tmp_path / 'fig-a.svg'}){{{alternative}}}"
    assert text == f"::: {{#fig-a}}\n\n{image}\n\nA caption\n\n:::\n"
    assert (tmp_path / "fig-a.svg").read_text() == SVG


def test_a_figure_may_go_to_the_edge_of_a_page(tmp_path: Path) -> None:
    output = display(image__svg_xml=SVG)
    assert '{#fig-a fig-pos="tb"}' in shown_as(tmp_path, [output], **FIGURE, fig_pos="tb")
    assert '{#fig-a fig-pos="t"}' in shown_as(tmp_path, [output], Shown(fig_pos="t"), **FIGURE)


def test_vector_wins_over_raster_and_markdown_over_both(tmp_path: Path) -> None:
    both = display(image__png=PNG, image__svg_xml=SVG)
    assert ".svg" in shown_as(tmp_path, [both], **FIGURE)
    assert "*m*" in shown_as(tmp_path, [display(image__svg_xml=SVG, text__markdown="*m*")])


def test_a_raster_image_keeps_its_size(tmp_path: Path) -> None:
    output = new_output(
        "display_data", data={"image/png": PNG}, metadata={"image/png": {"width": 300}}
    )
    assert "width=300px" in shown_as(tmp_path, [output], **FIGURE)
    assert (tmp_path / "fig-a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("outputs", [[], [SVG, SVG]])
def test_a_figure_is_one_image(tmp_path: Path, outputs: list[str]) -> None:
    with pytest.raises(CellError, match=rf"doc\.qmd:7: fig-a made {len(outputs)} images"):
        shown_as(tmp_path, [display(image__svg_xml=svg) for svg in outputs], **FIGURE)


@pytest.mark.parametrize("kind", ["text__html", "text__latex"])
def test_html_and_latex_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(CellError, match=r"doc\.qmd:7: this cell shows HTML or LaTeX only"):
        shown_as(tmp_path, [display(**{kind: "x", "text__plain": "x"})])


def test_a_table_is_wrapped_with_its_caption(tmp_path: Path) -> None:
    table = display(text__markdown="| a |\n|---|\n| b |")
    text = shown_as(tmp_path, [table], label="tbl-a", tbl_cap="C")
    assert text == "::: {#tbl-a}\n\n| a |\n|---|\n| b |\n\nC\n\n:::\n"


def test_streams_are_shown_as_asked(tmp_path: Path) -> None:
    out = new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m\n")
    err = new_output("stream", name="stderr", text="careful\n")
    both = shown_as(tmp_path, [out, err])
    assert "``` {.text}\nred\n```" in both
    assert "careful" in both
    assert "careful" not in shown_as(tmp_path, [out, err], warning=False)
    assert shown_as(tmp_path, [out], output=False).strip() == ""
    assert shown_as(tmp_path, [out], include=False).strip() == ""
    raw = new_output("stream", name="stdout", text="**bold**\n")
    assert shown_as(tmp_path, [raw], output="asis") == "**bold**\n"


def test_code_is_shown_folded_or_not_at_all(tmp_path: Path) -> None:
    assert shown_as(tmp_path, [], Shown()) == "``` {.python .cell-code}\nx\n```\n"
    assert 'code-fold="true"' in shown_as(tmp_path, [], Shown(code_fold=True))
    assert 'code-fold="show"' in shown_as(tmp_path, [], Shown(), code_fold="show")
    assert shown_as(tmp_path, [], Shown(), echo=False).strip() == ""


def test_a_fence_is_longer_than_what_it_holds() -> None:
    assert fenced("a ```` b", ".text") == "````` {.text}\na ```` b\n`````"


def test_prose_alone_needs_no_kernel(tmp_path: Path) -> None:
    document = Document(tmp_path / "doc.qmd", {}, (Prose("Text", 1),))
    assert execute(document).chunks == (Prose("Text", 1),)


def test_raw_html_of_a_cell_is_for_the_page_alone(tmp_path: Path) -> None:
    text = shown_as(tmp_path, [display(text__markdown="```{=html}\n<b>live</b>\n```")])
    path = tmp_path / "doc.qmd"
    path.write_text("---\ntitle: T\n---\n", encoding="utf-8")
    document = read_document(path)
    convert = {"html": pandoc.to_html, "typst": pandoc.to_typst}
    found = {
        name: convert[name](document, text, read_settings(document, name), tmp_path)
        for name in ("html", "typst")
    }
    assert "<b>live</b>" in found["html"]
    assert "live" not in found["typst"]
    prose = "```{=html}\n<b>live</b>\n```"
    with pytest.raises(DocumentError, match="raw html"):  # written by hand, it is refused
        pandoc.to_html(document, prose, read_settings(document, "html"), tmp_path)
