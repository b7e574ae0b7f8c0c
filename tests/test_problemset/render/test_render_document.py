"""Taking a document apart, and refusing with its line what cannot be rendered."""

from pathlib import Path

import places
import pytest

from problemset.render.errors import DocumentError
from problemset.render.formats.reading import readable
from problemset.render.source.document import Cell, Prose, read_document
from problemset.render.source.look import STYLE, Look
from problemset.render.source.options import CellOptions, Shown, shown
from problemset.render.source.settings import merge, read_settings

HEAD = "---\ntitle: T\n---\n"


def write(folder: Path, text: str, name: str = "doc.qmd") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, body: str) -> str:
    with pytest.raises(DocumentError) as caught:
        read_document(write(folder, HEAD + body))
    return str(caught.value)


def test_cells_and_prose_keep_their_lines(tmp_path: Path) -> None:
    text = HEAD + "Before\n\n```{python}\n#| label: one\n#| echo: false\nx = 1\n```\nAfter\n"
    before, cell, after = read_document(write(tmp_path, text)).chunks
    assert isinstance(before, Prose)
    assert (before.text, before.line) == ("Before\n", 4)
    assert isinstance(cell, Cell)
    assert cell.line == 7
    assert cell.code == "x = 1"
    assert cell.source == "#| label: one\n#| echo: false\nx = 1"
    assert cell.options == CellOptions(label="one", echo=False)
    assert isinstance(after, Prose)
    assert after.line == 11


def test_an_option_over_several_lines_is_one_text(tmp_path: Path) -> None:
    options = (
        "#| label: fig-a\n#| fig-alt: Words\n#| fig-cap: >\n#|   A caption\n#|   over two lines\n"
    )
    document = read_document(write(tmp_path, HEAD + "```{python}\n" + options + "1\n```\n"))
    cell = document.chunks[0]
    assert isinstance(cell, Cell)
    assert cell.options.fig_cap == "A caption over two lines"


def test_a_cell_inside_a_longer_fence_is_text(tmp_path: Path) -> None:
    document = read_document(write(tmp_path, HEAD + "````\n```{python}\n1\n```\n````\n"))
    assert len(document.chunks) == 1


@pytest.mark.parametrize(
    ("body", "line", "words"),
    [
        ("text\n\n{{< video x >}}\n", 6, "shortcodes"),
        ("::: {.panel-tabset}\n:::\n", 4, "tabsets"),
        ("::: {#fig-a layout-ncol=2}\n:::\n", 4, "layouts"),
        ("::: {.column-margin}\n:::\n", 4, "margin"),
        ('::: {.content-visible when-format="html"}\n:::\n', 4, "conditional"),
        ("See @lst-code.\n", 4, "listings"),
        ("![a](https://example.org/a.png)\n", 4, "network"),
        ("x\n\n```{mermaid}\ngraph\n```\n", 6, "{mermaid}"),
        ("```{r}\n1\n```\n", 4, "{r}"),
        ("```{=html}\n<b>\n```\n", 4, "{=html}"),
        ("- item\n\n  ```{python}\n  1\n  ```\n", 6, "left margin"),
        ("```{python}\n1\n", 4, "not closed"),
        ("```{python}\n#| label: a\n#| fig-width: 3\n1\n```\n", 6, "unknown cell option fig-width"),
        ("```{python}\n#| fig-pos: here\n1\n```\n", 5, "fig-pos is 'here'"),
        ("```{python}\n#| echo: maybe\n1\n```\n", 5, "echo is 'maybe'"),
        ("```{python}\n#| label: [a\n1\n```\n", 5, "not valid YAML"),
        ("```{python}\n#| label: fig-a\n1\n```\n", 5, "no fig-cap"),
        ("```{python}\n#| label: fig-a\n#| fig-cap: c\n1\n```\n", 5, "no fig-alt"),
        ("```{python}\n#| fig-cap: c\n1\n```\n", 5, "label that starts with fig-"),
        ("```{python}\n#| label: a\n```\n```{python}\n#| label: a\n```\n", 8, "used twice"),
    ],
)
def test_what_is_not_supported_is_refused_with_its_line(
    tmp_path: Path, body: str, line: int, words: str
) -> None:
    message = refusal(tmp_path, body)
    assert message.startswith(f"doc.qmd:{line}: ")
    assert words in message
    assert "\n" not in message


def test_code_may_speak_of_what_is_refused(tmp_path: Path) -> None:
    body = "Write `{{< pagebreak >}}` not.\n\n```\n{{< video >}}\n```\n"
    assert len(read_document(write(tmp_path, HEAD + body)).chunks) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("---\ntitle: T\n", "not closed"),
        ("---\ntitle: [T\n---\n", "not valid YAML"),
        ("---\n- T\n---\n", "key: value"),
    ],
)
def test_bad_front_matter_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DocumentError, match=words):
        read_document(write(tmp_path, text))


def test_a_missing_document_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"none\.qmd: cannot be read"):
        read_document(tmp_path / "none.qmd")


def test_merging_goes_key_by_key() -> None:
    assert merge({"a": {"x": 1, "y": 2}, "b": 1}, {"a": {"y": 3}, "b": {"z": 1}}) == {
        "a": {"x": 1, "y": 3},
        "b": {"z": 1},
    }
    assert merge({"a": [1, 2]}, {"a": [2, 3]}) == {"a": [1, 2, 3]}
    assert merge({"a": [1, 2]}, {"a": 3}) == {"a": 3}


def test_a_format_has_the_last_word(tmp_path: Path) -> None:
    write(
        tmp_path,
        "project: {type: default}\nnumber-sections: true\nexecute: {echo: false}\n"
        "format:\n  html: {toc: true, code-fold: true, execute: {echo: true}}\n  typst: default\n",
        "_quarto.yml",
    )
    document = read_document(write(tmp_path, "---\ntitle: T\ndate: 2026-11-02\nauthor: A\n---\n"))
    html = read_settings(document, "html")
    paper = read_settings(document, "typst", {"author": "B"})
    assert html.number_sections
    assert (html.toc, paper.toc) == (True, False)
    assert (html.shown.echo, paper.shown.echo) == (True, False)
    assert (html.shown.code_fold, paper.shown.code_fold) == (True, False)
    assert (html.metadata["author"], paper.metadata["author"]) == (["A"], ["B"])
    assert paper.metadata["date"] == "2026-11-02"
    assert paper.variables["document-date"] == "year: 2026, month: 11, day: 2"


def test_the_projects_own_options_are_understood(tmp_path: Path) -> None:
    text = (places.ROOT / "_quarto.yml").read_text(encoding="utf-8")
    write(tmp_path, text, "_quarto.yml")
    (tmp_path / "src").symlink_to(places.ROOT / "src")
    document = read_document(write(tmp_path, "---\ntitle: T\ndate: 2026-11-02\n---\n"))
    paper, page = read_settings(document, "typst"), read_settings(document, "html")
    assert (paper.number_sections, page.number_sections) == (True, True)
    assert (paper.shown.echo, page.shown.echo, page.shown.code_fold) == (False, True, True)
    assert paper.variables["papersize"] == "a4"
    assert paper.metadata["date"] == "November 2, 2026"
    style = tmp_path / "src/problemset/render/style"
    assert (paper.look.filters, paper.look.header) == (
        (style / "paper.lua",),
        (style / "paper.typ",),
    )
    assert (page.look.header, page.look.css) == ((), (style / "page.css",))


def looks_of(folder: Path, options: str) -> tuple[Look, Look]:
    document = read_document(write(folder, f"---\ntitle: T\n{options}\n---\n"))
    return read_settings(document, "typst").look, read_settings(document, "html").look


def test_the_shared_look_is_used_unless_the_document_brings_its_own(tmp_path: Path) -> None:
    for name in ("a.lua", "b.lua", "c.lua", "head.html", "mine.css", "page.css", "paper.typ"):
        write(tmp_path, "", name)
    paper, page = looks_of(tmp_path, "toc: true")
    assert page == Look((STYLE / "paper.lua",), (), (), (STYLE / "page.css",))
    assert paper.header == (STYLE / "paper.typ",)
    filters = "[a.lua, {path: b.lua, at: post-quarto}, quarto, c.lua]"
    paper, page = looks_of(
        tmp_path,
        f"filters: {filters}\nformat:\n  typst: {{include-in-header: {{file: paper.typ}}}}\n"
        "  html: {css: [mine.css, /page.css], include-in-header: [head.html, {text: <b>}]}",
    )
    assert page.filters == (STYLE / "paper.lua", tmp_path / "a.lua")
    assert page.late_filters == (tmp_path / "b.lua", tmp_path / "c.lua")
    assert page.header == (tmp_path / "head.html", "<b>")
    assert page.css == (tmp_path / "mine.css", tmp_path / "page.css")
    assert paper.header == (tmp_path / "paper.typ",)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("css: none.css", "css names none.css, and there is no such file"),
        ("css: [{path: a.css}]", "expected the path of a file"),
        ("include-in-header: {texts: x}", "expected the path of a file"),
        ("filters: lightbox", "filters names lightbox, and there is no such file"),
        ("filters: [{path: a.lua, at: once}]", "is not a filter, expected path, and at: pre-ast"),
        ("filters: script.py", "expected Lua filters"),
        ("date-format: YYYY", "date-format is not one of full, long, medium, short, iso"),
    ],
)
def test_an_option_of_the_look_that_cannot_be_used_is_refused(
    tmp_path: Path, option: str, words: str
) -> None:
    write(tmp_path, "", "script.py")
    with pytest.raises(DocumentError) as caught:
        looks_of(tmp_path, option)
    assert str(caught.value).startswith("doc.qmd:3: ")
    assert words in str(caught.value)


def test_a_mistake_in_the_project_file_is_named_there(tmp_path: Path) -> None:
    write(tmp_path, "lang: en\nformat:\n  html:\n    css: none.css\n", "_quarto.yml")
    with pytest.raises(DocumentError, match=r"_quarto\.yml:4: css names none\.css"):
        looks_of(tmp_path, "toc: true")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("full", "Monday, November 2, 2026"),
        ("long", "November 2, 2026"),
        ("medium", "Nov 2, 2026"),
        ("short", "11/2/26"),
        ("iso", "2026-11-02"),
    ],
)
def test_a_date_is_written_as_quarto_writes_it(tmp_path: Path, name: str, words: str) -> None:
    text = f"---\ntitle: T\ndate: 2026-11-02\ndate-format: {name}\n---\n"
    document = read_document(write(tmp_path, text))
    assert read_settings(document, "typst").metadata["date"] == words


@pytest.mark.parametrize(
    ("yaml", "line", "words"),
    [
        ("title: T\nfoo: 1", 3, "unknown option foo"),
        ("title: T\nexecute:\n  cache: true", 4, "unknown option cache under execute"),
        ("title: T\nformat:\n  docx: default", 4, "format docx is not supported"),
        ("title: T\nformat:\n  typst:\n    fig-pos: x", 5, "fig-pos is not one of"),
        ("title: T\nformat: pdf", 3, "format pdf is not supported"),
        ("title: T\nformat:\n  html:\n    embed-resources: false", 5, "embed-resources is False"),
        ("title: T\nauthor:\n  name: A", 3, "author must be"),
        ("subtitle: T", 1, "no title"),
    ],
)
def test_an_unknown_option_of_the_document_is_refused(
    tmp_path: Path, yaml: str, line: int, words: str
) -> None:
    document = read_document(write(tmp_path, f"---\n{yaml}\n---\n"))
    with pytest.raises(DocumentError) as caught:
        read_settings(document, "html")
    assert str(caught.value).startswith(f"doc.qmd:{line}: ")
    assert words in str(caught.value)


def test_a_cell_has_the_last_word_on_what_it_shows() -> None:
    preset = Shown(echo=False, warning=False)
    assert shown(CellOptions(echo=True), preset) == Shown(echo=True, warning=False)
    assert shown(CellOptions(output=False), preset).output is False


LABELS = {
    "fig-a": ("Figure", "1"),
    "fig-b": ("Figure", "2"),
    "eq-a": ("Equation", "3"),
    "thm-a": ("Theorem", "1"),
    "tbl-a": ("Table", "4"),
}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("See @fig-a and [@fig-a; @fig-b].", "See Figure 1 and Figure 1, Figure 2."),
        ("By [-@eq-a] and [@kingma2014].", "By 3 and [@kingma2014]."),
        ("# Title {#sec-a .appendix}", "# Title"),
        ("$$a = b$$ {#eq-a}", r"$$a = b \tag{3}$$"),
        ('::: {#thm-a name="Gibbs"}', "**Theorem 1 (Gibbs).**"),
        ("::: {.callout-note}\nText\n:::", "**Note.**\nText\n"),
        (": A table {#tbl-a}", "**Table 4:** A table"),
        (r"\newcommand{\E}{\mathbb{E}}", r"$\newcommand{\E}{\mathbb{E}}$"),
        ("```\n@fig-a {#sec-a}\n```", "```\n@fig-a {#sec-a}\n```"),
    ],
)
def test_a_notebook_reads_in_words(text: str, read: str) -> None:
    assert readable(text, LABELS) == read
