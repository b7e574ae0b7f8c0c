"""Text that must be printed as it is survives pandoc and Typst, whatever it holds."""

import html
import re
import subprocess
from pathlib import Path

import document_checks
import pypandoc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from problemset.render.escape import Literal, markdown_literal, plain
from problemset.render.formats import pandoc, pdf_reader
from problemset.render.formats.pdf import compile_pdf
from problemset.render.source.document import read_document
from problemset.render.source.settings import Settings, read_settings

NASTY = [
    "Robert'); DROP TABLE students;--",
    "<b>#1</b> & &amp; <!-- x -->",
    "$x_1$ and $$y$$",
    "*a* _b_ **c** ~d~ ^e^ `f` [g](h) ![i](j)",
    "# not a heading",
    "1. no list",
    "- no item",
    "+ no item",
    "= no heading",
    "/ no: term",
    "@fig-a [@key] {#id .class}",
    "\\newcommand{\\a}{b}",
    "a -- b --- c ... d -? e",
    'He said "it\'s"',
    "{{< pagebreak >}}",
    "http://example.org/a_b",
    "::: {.note}",
    "| a | b |",
    "`{python} 1/0`",
    "C:\\temp\\new",
    "#let x = 1; #x",
    "x" * 300,
]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("escape") / "doc.qmd"
    path.write_text("---\ntitle: T\n---\n", encoding="utf-8")
    return path


def through_pandoc(texts: list[str]) -> list[str]:
    """What a browser would show of each text in a paragraph of its own."""
    source = "\n\n".join(f"begin {markdown_literal(text)} end" for text in texts)
    page = subprocess.run(
        [pypandoc.get_pandoc_path(), "--from=markdown", "--to=html", "--wrap=none"],
        input=source.encode(),
        capture_output=True,
        check=True,
    ).stdout.decode()
    paragraphs = re.findall(r"<p>(.*?)</p>", page, re.DOTALL)
    assert not any(re.search(r"<\w", paragraph) for paragraph in paragraphs)
    return [" ".join(html.unescape(text).split()) for text in paragraphs]


@settings(max_examples=8, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=30, max_size=60))
def test_any_text_survives_pandoc(texts: list[str]) -> None:
    expected = [" ".join(f"begin {plain(text)} end".split()) for text in texts]
    assert through_pandoc(texts) == expected


def test_nasty_text_survives_pandoc() -> None:
    assert through_pandoc(NASTY) == [f"begin {text} end" for text in NASTY]


# Words behind each text: PDFium reads a hyphen at the end of a line as a broken word.
def through_typst(texts: list[str], path: Path, work: Path) -> str:
    document = read_document(path)
    wide = read_settings(document, "typst")
    wide = Settings(**{**vars(wide), "variables": {**wide.variables, "papersize": "a1"}})
    source = "\n\n".join(f"{markdown_literal(text)} ." for text in texts)
    pdf = work / "out.pdf"
    pdf.write_bytes(compile_pdf(pandoc.to_typst(document, source, wide, work), work))
    assert document_checks.says_accessible(pdf)
    return re.sub(r"\s", "", pdf_reader.pdf_text(pdf))


def test_nasty_text_survives_typst(empty: Path, tmp_path: Path) -> None:
    text = through_typst(NASTY, empty, tmp_path)
    for nasty in NASTY:
        assert re.sub(r"\s", "", nasty) in text, nasty


printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)


@settings(max_examples=2, deadline=None)
@given(st.lists(printable.filter(str.strip), min_size=40, max_size=60))
def test_any_ascii_survives_typst(
    empty: Path, tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    text = through_typst(texts, empty, tmp_path_factory.mktemp("typst"))
    for one in texts:
        assert re.sub(r"\s", "", one) in text, one


def test_a_character_without_a_glyph_is_said_and_kept(
    empty: Path, tmp_path: Path, said: list[str]
) -> None:
    document = read_document(empty)
    source = pandoc.to_typst(document, "To the moon 🚀", read_settings(document, "typst"), tmp_path)
    (tmp_path / "out.pdf").write_bytes(compile_pdf(source, tmp_path))
    assert "🚀" in pdf_reader.pdf_text(tmp_path / "out.pdf")
    assert len(said) == 1
    assert "🚀" in said[0]


def test_white_space_is_one_line_and_control_characters_are_marked() -> None:
    assert plain(" a\n\n b\tc\x00 ") == "a b c\ufffd"
    assert "\n" not in markdown_literal("a\n\n# b")


def test_a_literal_tells_jupyter_that_it_is_markdown() -> None:
    assert Literal("a*b")._repr_markdown_() == r"a\*b"
    assert f"{Literal('a*b')}" == "a*b"


@pytest.mark.parametrize(("room", "breaks"), [("wide " * 14, True), ("narrow", False)])
def test_names_of_columns_break_only_where_a_table_is_wide(
    room: str, breaks: bool, empty: Path, tmp_path: Path
) -> None:
    table = f"| row | label switches | third-digit steps |\n|:--|--:|--:|\n| {room} | 1 | 2 |"
    document = read_document(empty)
    source = pandoc.to_typst(document, table, read_settings(document, "typst"), tmp_path)
    header = re.search(r"table\.header\((.*?),\),", source, re.DOTALL)
    assert header is not None
    assert (re.search(r"label \\\s+switches", header[1]) is not None) == breaks
    assert ("[label switches]" in header[1]) == (not breaks)
