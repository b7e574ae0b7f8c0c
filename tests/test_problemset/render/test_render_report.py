"""One rendering of a document with every feature, and what must stop a rendering."""

import html
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import document_checks
import nbformat
import places
import pypdfium2
import pytest
from listening import listening
from nbformat import NotebookNode

from problemset.file_io import WriteError
from problemset.render.engine import Rendered, render_report
from problemset.render.errors import CellError, DocumentError, RenderError
from problemset.render.execution.kernel import RanCell, execute
from problemset.render.formats import pdf_reader
from problemset.render.source.document import read_document

SAMPLE = places.TESTS / "fixtures" / "sample"
NAME = 'Zoë <b>#1</b> $x_1$ *bold* "q" `code` 50% & 😀 C:\\dir -- ... -?'
KINDS = "Figure|Table|Equation|Section|Appendix|Theorem|Lemma|Definition"
REFERENCE = rf"(?:{KINDS})\s(?:[A-Z]|\d+)(?:\.\d+)*\b"


@dataclass(frozen=True)
class Made:
    files: Rendered
    said: list[str]
    pdf: str
    """The PDF's text."""
    page: str
    """The page's text, tags taken out."""
    html: str
    notebook: NotebookNode


def render_sample(folder: Path) -> Rendered:
    shutil.copytree(SAMPLE, folder / "source")
    return render_report(folder / "source" / "sample.qmd", folder / "build", "embedded")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("sample")
    shutil.copytree(SAMPLE, folder / "source")
    with listening() as said:
        files = render_report(folder / "source" / "sample.qmd", folder / "build", "embedded")
    page = files.html.read_text(encoding="utf-8")
    body = re.sub(r"(?s)<annotation.*?</annotation>|<style.*?</style>", "", page)
    text = html.unescape(re.sub(r"<[^>]+>", "", body))
    notebook = nbformat.read(files.ipynb, as_version=4)
    return Made(files, said, pdf_reader.pdf_text(files.pdf), text, page, notebook)


def words(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


def prose_cells(made: Made) -> str:
    return "\n".join(cell.source for cell in made.notebook.cells if cell.cell_type == "markdown")


def test_all_three_files_are_made_in_silence(made: Made) -> None:
    assert made.files.engine == "embedded"
    assert made.said == []
    assert made.files.pdf.read_bytes().startswith(b"%PDF")
    assert sorted(path.name for path in made.files.pdf.parent.iterdir()) == [
        "sample.html",
        "sample.ipynb",
        "sample.pdf",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Figure 1: Two curves,",
        "Figure 2: A grid of noise,",
        "Figure 3: A square from a file",
        "Table 1: Models and their sizes",
        "Table 2: What the command line takes",
        "as Equation 1 says; Section 2 shows it, and so do Figure 1 and Table 1",
        "Theorem 1 (Gibbs)",
        "Lemma 1 (Tangent)",
        "Definition 1",
        "By Lemma 1,",
        "see Theorem 1 and 2.",
        "See Figure 1, Figure 2 and Figure 3, Table 2, Definition 1, Appendix A.",
        "In Section A.1.",
        "A.1 Details",
        "1.1 Its gap",
        "Abstract",
        "two parts (Kingma and Welling 2014)",
        "References",
        "It needs a second network instead",
        "The printed formula",
        "Weights are verified.",
        "A paragraph with markdown that a cell printed.",
        "November 22, 2026",
        "Emmy Noether",
    ],
)
def test_both_outputs_say_it(made: Made, text: str) -> None:
    assert text in words(made.pdf)
    assert text in words(made.page)


def test_both_outputs_have_the_same_numbers(made: Made) -> None:
    def numbers(text: str) -> list[str]:
        return sorted(re.findall(REFERENCE, words(text)))

    assert len(numbers(made.pdf)) > 20
    assert numbers(made.pdf) == numbers(made.page)
    for number in ("(1)", "(2)"):  # beside the equations
        assert number in made.pdf
        assert number in made.page


def test_a_reference_leads_to_what_it_names(made: Made) -> None:
    targets = set(re.findall(r'href="#([^"]+)"', made.html))
    identifiers = re.findall(r'\bid="([^"]+)"', made.html)
    assert {"fig-lines", "tbl-models", "eq-evidence", "sec-more", "thm-gap"} <= targets
    assert targets <= set(identifiers)
    assert len(identifiers) == len(set(identifiers))


def test_inline_values_are_printed_literally(made: Made) -> None:
    for text in (made.pdf, made.page):
        assert words(text).count(NAME) == 2  # as Literal and as a plain string
        assert "Wolfe" * 60 in re.sub(r"\s", "", text)
        assert "draws is 0.5 and there are 100 of them" in words(text)
    assert "<em>two</em> words" in made.html


def test_no_tex_is_left_in_the_pdf(made: Made) -> None:
    assert document_checks.raw_tex_in_pdf(made.files.pdf, allowed=[NAME]) == []
    assert (
        len(document_checks.raw_tex_in_pdf(made.files.pdf)) >= 2
    )  # the name is, unless it is allowed


def test_no_line_leaves_the_page(made: Made) -> None:
    assert document_checks.outside_margins(made.files.pdf, margin_points=68) == []


def test_both_outputs_can_be_read_aloud(made: Made) -> None:
    assert document_checks.says_accessible(made.files.pdf)
    assert document_checks.images_without_alt(made.files.html) == []
    alternative = 'A sine & a cosine over one period; labelled "sin" and "cos" \\ both'
    assert f'alt="{html.escape(alternative)}"' in made.html
    assert '<html xmlns="http://www.w3.org/1999/xhtml" lang="en"' in made.html
    assert made.html.count("<h1") == 1


def test_the_page_needs_no_network(made: Made) -> None:
    assert document_checks.loads_from_network(made.files.html) == []
    assert "<math" in made.html
    assert "<script src" not in made.html


def test_every_page_has_the_paper_and_the_first_has_the_title(made: Made) -> None:
    with pypdfium2.PdfDocument(made.files.pdf) as document:
        assert {tuple(round(side) for side in page.get_size()) for page in document} == {(595, 842)}
        assert (
            document.get_metadata_value("Title")
            == "Walks between digits: a sample with every feature"
        )
        assert "Ada Lovelace" in document.get_metadata_value("Author")


def test_what_is_not_to_be_shown_is_not(made: Made) -> None:
    for text in (made.pdf, made.page):
        assert "svg.hashsalt" not in text  # include: false
        assert "\nnot shown\n" not in text  # stderr under warning: false, and the comment
        assert "printed\nlines ```" in text
    assert "ax.plot(" not in made.pdf  # echo: false for the paper
    assert made.html.count("<details") == 5  # code-fold for the page, but for the cell that says no
    assert "ax.plot(" in made.page


def test_the_notebook_is_valid_and_complete(made: Made) -> None:
    nbformat.validate(made.notebook)
    cells = [cell for cell in made.notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [1, 2, 3, 4, 5, None, 6]
    assert cells[1].source.startswith("#| label: fig-lines\n#| fig-cap:")
    assert "image/svg+xml" in cells[1].outputs[0].data
    assert cells[5].metadata.tags == ["nbval-skip"]
    assert cells[6].metadata.tags == ["nbval-ignore-output"]
    assert len({cell.id for cell in made.notebook.cells}) == len(made.notebook.cells)


def test_the_notebooks_prose_is_resolved(made: Made) -> None:
    prose = prose_cells(made)
    assert prose.startswith("# Walks between digits")
    assert "the draws is 0\\.5 and there are\n100 of them" in prose
    assert "`{python} " not in prose
    assert "as\nEquation 1 says; Section 2 shows it, and so do Figure 1 and Table 1." in prose
    assert not re.search(r"^:::|\{#|@(fig|tbl|eq|sec|thm)-", prose, re.MULTILINE)


def test_the_notebook_passes_nbval_strictly(made: Made) -> None:
    options = ["--nbval", "--nbval-current-env", "-q", "-c", "/dev/null", "-p", "no:cacheprovider"]
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(made.files.ipynb)],
        capture_output=True,
        text=True,
        cwd=made.files.ipynb.parent,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    assert "6 passed, 1 skipped" in finished.stdout


def test_the_same_document_gives_the_same_bytes(made: Made, tmp_path: Path) -> None:
    again = render_sample(tmp_path)
    for name in ("pdf", "html", "ipynb"):
        first, second = getattr(made.files, name), getattr(again, name)
        assert first.read_bytes() == second.read_bytes(), name


FIGURE = """#| label: fig-{name}
#| fig-pos: {place}
#| fig-cap: "A caption."
#| fig-alt: "A square."
from IPython.display import SVG
SVG(filename={square!r})
"""


def test_a_figure_that_floats_out_of_its_section_is_found(tmp_path: Path) -> None:
    square, cells = str(SAMPLE / "square.svg"), []
    for name, place in (("one", "H"), ("two", "b")):
        cells.append("```{python}\n" + FIGURE.format(name=name, place=place, square=square) + "```")
    body = f"# A\n\n{cells[0]}\n\n# B\n\n{cells[1]}\n\n# C\n\nText\n"
    path = write(tmp_path, body)
    files = render_report(path, tmp_path / "build", "embedded")
    assert document_checks.strayed_figures(files.pdf, path) == ["fig-two"]
    path.write_text(path.read_text().replace("fig-pos: b", "fig-pos: H"), encoding="utf-8")
    files = render_report(path, tmp_path / "build", "embedded")
    assert document_checks.strayed_figures(files.pdf, path) == []


def write(folder: Path, body: str, head: str = "title: T") -> Path:
    path = folder / "doc.qmd"
    path.write_text(f"---\n{head}\n---\n{body}", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("body", "line", "say"),
    [
        ("x\n\nSee @fig-none.\n", 6, "@fig-none refers to nothing"),
        ("# A {#sec-a}\n\nSee @sec-a.\n", 6, "number-sections"),
        ("$$a$$ {#eq-a}\n\n$$b$$ {#eq-a}\n", 4, "used twice"),
        ("x {#eq-a}\n", 4, "no display equation"),
        ("![a](b.svg)\n", 4, "needs a label"),
        ("![a](b.svg){#fig-a}\n", 4, "no alternative text"),
        ("| a |\n|---|\n| b |\n\n: c\n", 8, "table with a caption needs a label"),
        ("::: {#fig-a}\ntext\n:::\n", 4, "has no caption"),
        ("::: {#tbl-a}\ntext\n\ncaption\n:::\n", 4, "holds no table"),
        ("$$\na \\; b\n$$\n", 5, "\\;"),
        ("So $\\|x\\|^2$.\n", 4, "\\lVert"),
        ("a <b>b</b>\n", 4, "raw html"),
        ("a \\emph{b}\n", 4, "raw tex"),
        ('::: {.callout-note collapse="true"}\nx\n:::\n', 4, "collapse"),
    ],
)
def test_what_would_go_wrong_in_silence_is_refused(
    tmp_path: Path, body: str, line: int, say: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        render_report(write(tmp_path, body), tmp_path / "build", "embedded")
    assert str(caught.value).startswith(f"doc.qmd:{line}: "), caught.value
    assert say in str(caught.value)
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    ("body", "head", "say"),
    [
        ("So $\\foo$ is.\n", "title: T", r"doc\.qmd:4: pandoc .*\\foo"),
        ("See [@nobody].\n", "title: T\nbibliography: refs.bib", "nobody"),
        ("x\n", "title: T\nbibliography: none.bib", r"none\.bib"),
        ("x\n", "title: T\nmainfont: No Such Font", "no such font"),
    ],
)
def test_a_warning_is_an_error(tmp_path: Path, body: str, head: str, say: str) -> None:
    (tmp_path / "refs.bib").write_text("", encoding="utf-8")
    with pytest.raises(RenderError, match=say) as caught:
        render_report(write(tmp_path, body, head), tmp_path / "build", "embedded")
    assert "\n" not in str(caught.value)


def test_a_cell_that_raises_is_named_and_nothing_is_replaced(tmp_path: Path) -> None:
    build = tmp_path / "build"
    build.mkdir()
    (build / "doc.pdf").write_text("as before")
    path = write(tmp_path, "```{python}\n#| label: bad\nx = 1\n1 / 0\n```\n")
    with pytest.raises(CellError) as caught:
        render_report(path, build, "embedded")
    assert str(caught.value) == "doc.qmd:7: cell bad raised ZeroDivisionError: division by zero"
    assert (build / "doc.pdf").read_text() == "as before"
    assert len(list(build.iterdir())) == 1


@pytest.mark.parametrize(
    ("body", "say"),
    [
        ("x\n\ny `{python} 1 / 0`\n", r"doc\.qmd:6: inline code raised ZeroDivisionError"),
        ("x\n\ny `{python} 1``{python} 2`\n", r"doc\.qmd:6: inline code begins where other code"),
        ("```{python}\nimport os\nos._exit(1)\n```\n", r"doc\.qmd:5: the kernel died"),
    ],
)
def test_what_a_kernel_cannot_do_is_named(tmp_path: Path, body: str, say: str) -> None:
    with pytest.raises(CellError, match=say):
        render_report(write(tmp_path, body), tmp_path / "build", "embedded")


def test_the_kernel_is_this_interpreter_whatever_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "jupyter" / "kernels" / "python3"
    other.mkdir(parents=True)
    spec = {"argv": ["/bin/false"], "display_name": "other", "language": "python"}
    (other / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    body = "```{python}\nimport os, sys\nprint(sys.executable, os.getcwd())\n```\n"
    document = read_document(write(tmp_path, body))
    (cell,) = execute(document).chunks
    assert isinstance(cell, RanCell)
    assert cell.outputs[0].text == f"{sys.executable} {tmp_path}\n"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "build").write_text("a file stands in the way")
    with pytest.raises(WriteError, match="build"):
        render_report(write(tmp_path, "x\n"), tmp_path / "build", "embedded")


def test_metadata_wins_and_is_literal(tmp_path: Path) -> None:
    files = render_report(
        write(tmp_path, "x\n", "title: T\nauthor: A"),
        tmp_path,
        "embedded",
        metadata={"author": NAME},
    )
    assert NAME in words(pdf_reader.pdf_text(files.pdf))
    assert NAME in words(html.unescape(files.html.read_text(encoding="utf-8")))


def test_the_checks_find_what_they_look_for(tmp_path: Path) -> None:
    body = "Text with \\$x\\$ and \\\\frac and ?\\@fig-a, but `\\code $x` may.\n"
    files = render_report(write(tmp_path, body), tmp_path, "embedded")
    found = document_checks.raw_tex_in_pdf(files.pdf)
    assert len(found) == 4
    assert all(one.startswith("page 1: ") for one in found)
    assert len(document_checks.outside_margins(files.pdf, margin_points=550)) > 10
    page = tmp_path / "page.html"
    page.write_text('<img src="a.png"><img src="http://b/c.png" alt="x">')
    assert document_checks.images_without_alt(page) == ["a.png"]
    assert document_checks.loads_from_network(page) == ["http://b/c.png"]


def test_a_prose_only_notebook_is_json(tmp_path: Path) -> None:
    files = render_report(write(tmp_path, "# A\n\nText\n"), tmp_path, "embedded")
    cells = json.loads(files.ipynb.read_text(encoding="utf-8"))["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "markdown"]
