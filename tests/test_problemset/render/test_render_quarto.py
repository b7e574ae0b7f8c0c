"""Choosing between genuine Quarto and the embedded renderer; Quarto is played by a script."""

import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from problemset.render.engine import render_report
from problemset.render.errors import RenderError
from problemset.render.formats import quarto

PLAYED = """#!/bin/sh
if [ "$1" = --version ]; then echo "{version}"; exit 0; fi
echo "$@" > "{folder}/arguments"; echo "$QUARTO_PYTHON" > "{folder}/python"
cp doc.ipynb _quarto.yml "{folder}"; ls > "{folder}/listed"
out=quarto-made; mkdir $out
{body}
"""
WORKS = 'printf "%%PDF by quarto" > "$out/doc.pdf"; echo page > "$out/doc.html"'


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "doc.qmd"
    path.write_text("---\ntitle: T\n---\n\n# A\n", encoding="utf-8")
    return path


def play(
    folder: Path, monkeypatch: pytest.MonkeyPatch, body: str = WORKS, version: str = "1.10.18"
) -> None:
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    script = bin_folder / "quarto"
    script.write_text(PLAYED.format(version=version, folder=folder, body=body), encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:/usr/bin:/bin")


def test_quarto_gets_the_executed_notebook_and_runs_no_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    document = folder / "doc.qmd"
    text = (
        "---\ntitle: T\nauthor: Nobody\n---\n\n# A {#sec-a}\n\nIt is `{python} 6 * 7`, see @sec-a."
    )
    document.write_text(f"{text}\n\n```{{python}}\n#| echo: true\n6 * 7\n```\n", encoding="utf-8")
    (folder / "_quarto.yml").write_text("project: {output-dir: build}\nnumber-sections: true\n")
    (folder / "references.bib").touch()
    play(tmp_path, monkeypatch, "echo 'Output created: doc.pdf'; " + WORKS)
    made = render_report(document, tmp_path / "build", metadata={"author": "A_b"})
    assert made.engine == "quarto"
    assert made.pdf.read_text() == "%PDF by quarto"
    assert made.html.read_text() == "page\n"
    assert '"cells"' in made.ipynb.read_text()
    assert "Output created: doc.pdf" in said, "what Quarto says passes through"
    assert (tmp_path / "arguments").read_text() == "render doc.ipynb\n"
    assert (tmp_path / "python").read_text().strip() == sys.executable
    assert set((tmp_path / "listed").read_text().split()) == {
        "_quarto.yml",
        "doc.ipynb",
        "references.bib",
    }
    project = yaml.safe_load((tmp_path / "_quarto.yml").read_text())
    assert project["number-sections"] is True
    assert project["project"]["render"] == ["doc.ipynb"]
    options, prose, code = nbformat.read(tmp_path / "doc.ipynb", as_version=4).cells
    assert options.cell_type == "raw"
    assert yaml.safe_load(options.source.strip("-")) == {"title": "T", "author": "A\\_b"}
    assert prose.source.strip() == "# A {#sec-a}\n\nIt is 42, see @sec-a."
    assert code.source == "#| echo: true\n6 * 7"
    assert code.outputs[0].data["text/plain"] == "42"


@pytest.mark.parametrize(
    ("body", "version", "words"),
    [
        ("echo 'ERROR: no such thing' >&2; exit 1", "1.10.18", "ERROR: no such thing"),
        ("echo 'WARN: Unable to resolve crossref @fig-a' >&2; " + WORKS, "1.10.18", "@fig-a"),
        ("true", "1.10.18", "quarto made no"),
        (WORKS, "1.8.25", "version 1.8.25, expected 1.9"),
    ],
)
def test_a_quarto_that_fails_is_said_and_replaced(
    document: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    version: str,
    words: str,
    said: list[str],
) -> None:
    play(tmp_path, monkeypatch, body, version)
    made = render_report(document, tmp_path / "build")
    assert made.engine == "embedded"
    (complaint,) = (line for line in said if line.endswith("using the embedded renderer"))
    assert words in complaint
    with pytest.raises(RenderError, match=words):
        render_report(document, tmp_path / "build", "quarto")


def test_without_quarto_the_embedded_renderer_says_so(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert render_report(document, tmp_path / "build").engine == "embedded"
    assert said[-1] == "no quarto on PATH; using the embedded renderer"
    with pytest.raises(RenderError, match="no quarto on PATH"):
        render_report(document, tmp_path / "build", "quarto")


def test_a_quarto_that_does_not_run_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(tmp_path, monkeypatch, version='"; exit 3; echo "')
    with pytest.raises(RenderError, match="--version does not run"):
        quarto.find_quarto()


def test_the_embedded_renderer_never_asks_for_quarto(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(tmp_path, monkeypatch)
    assert render_report(document, tmp_path / "build", "embedded").engine == "embedded"
    assert not (tmp_path / "arguments").exists()
