"""Choosing between genuine Quarto and the embedded renderer; Quarto is played by a script."""

import json
from pathlib import Path

import pytest

from problemset.render import quarto
from problemset.render.engine import render_report
from problemset.render.errors import RenderError

PLAYED = """#!/bin/sh
if [ "$1" = --version ]; then echo "{version}"; exit 0; fi
echo "$@" > "{folder}/arguments"; pwd > "{folder}/cwd"; echo "$QUARTO_PYTHON" > "{folder}/python"
while [ $# -gt 0 ]; do
  if [ "$1" = --output-dir ]; then out="$2"; fi
  if [ "$1" = --metadata-file ]; then cp "$2" "{folder}/overrides"; fi
  shift
done
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


def test_quarto_is_used_when_there_is_one(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    play(tmp_path, monkeypatch)
    made = render_report(document, tmp_path / "build", metadata={"author": "A_b"})
    assert made.engine == "quarto"
    assert made.pdf.read_text() == "%PDF by quarto"
    assert made.html.read_text() == "page\n"
    assert '"cells"' in made.ipynb.read_text()
    assert said == []
    assert (tmp_path / "arguments").read_text().startswith("render doc.qmd --output-dir ")
    assert (tmp_path / "cwd").read_text().strip() == str(tmp_path)
    assert (tmp_path / "python").read_text().strip().endswith("python") or "python3" in (
        tmp_path / "python"
    ).read_text()
    assert json.loads((tmp_path / "overrides").read_text()) == {"author": "A\\_b"}


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
    assert len(said) == 1
    assert words in said[0]
    assert said[0].endswith("using the embedded renderer")
    with pytest.raises(RenderError, match=words):
        render_report(document, tmp_path / "build", "quarto")


def test_without_quarto_the_embedded_renderer_says_so(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert render_report(document, tmp_path / "build").engine == "embedded"
    assert said == ["no quarto on PATH; using the embedded renderer"]
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
