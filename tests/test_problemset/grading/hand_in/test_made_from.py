"""A report belongs to its sources by their content: every kind of source, and file times."""

import os
import shutil
import sys

import pytest

from problemset import assignment
from problemset.assignment import PackError
from problemset.grading.hand_in import made_from

FILES = {
    "report.qmd": "---\nbibliography: books.bib\n---\n\n```{python}\nfrom toy_drawn import lines\n"
    "import toy_drawn.unused_by_nobody\n%matplotlib inline\n```\n\n![A square](pictures/a.svg)\n",
    "_quarto.yml": "format:\n  html:\n    css: styles/own.css\n",
    "student.yml": "name: Ada\n",
    "rubric.yml": "title: A toy\n",
    "books.bib": "@book{a}",
    "styles/own.css": "p {}",
    "pictures/a.svg": "<svg/>",
    "assets/runs.json": "[1]",
    "toy_drawn/__init__.py": "from problemset.assignment import Assignment\n"
    "TOY = Assignment('toy_drawn:TOY', 'A toy', (), dict)\n",
    "toy_drawn/lines.py": "from toy_drawn import colours\n",
    "toy_drawn/colours.py": "RED = 1\n",
    "toy_drawn/paper.typ": "#set page()",
    "toy_drawn/grading.py": "nothing in the report needs it\n",
    "notes.txt": "nor this",
}
MADE = {"report.pdf": "pdf", "report.html": "html", "report.ipynb": "{}", "results/1.json": "[]"}
NOT_READ = {"toy_drawn/grading.py", "notes.txt"}


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The assignment of a project whose report has just been made."""
    write(tmp_path, FILES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PROBLEMSET_ROOT", str(tmp_path))
    monkeypatch.setenv("PROBLEMSET_BUILD", str(tmp_path / "build"))
    for prefix in ("LATENTWALK_ROOT", "LATENTWALK_BUILD"):
        monkeypatch.delenv(prefix, raising=False)
    toy = assignment.load("toy_drawn:TOY")
    with made_from.recording(toy):
        write(tmp_path / "build", MADE)
    yield toy
    for name in [name for name in sys.modules if name.partition(".")[0] == "toy_drawn"]:
        del sys.modules[name]


def change(path):
    """Change a file and keep its time."""
    before = path.stat()
    path.write_text(path.read_text("utf-8") + " ", "utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def refusal(toy):
    with pytest.raises(PackError) as error:
        made_from.check(toy)
    return str(error.value)


@pytest.mark.parametrize("seconds", [0, 1, 4_000_000_000])
def test_the_times_of_files_do_not_matter(toy, tmp_path, seconds):
    for name in (*FILES, *(f"build/{name}" for name in MADE)):
        os.utime(tmp_path / name, (seconds, seconds))
    made_from.check(toy)


@pytest.mark.parametrize("name", FILES)
def test_a_change_matters_exactly_if_the_report_reads_the_file(toy, tmp_path, name):
    change(tmp_path / name)
    if name in NOT_READ:
        made_from.check(toy)
    else:
        says = f"{name} is not as it was when the report was made; run `problemset render` again"
        assert refusal(toy) == says


@pytest.mark.parametrize("name", MADE)
def test_what_was_made_must_be_as_it_was_made(toy, tmp_path, name):
    path = tmp_path / "build" / name
    change(path)
    says = f"{path} is not as `problemset render` made it; run `problemset render` again"
    assert refusal(toy) == says
    path.unlink()
    made_from.check(toy)  # packing says that it is missing


def test_results_and_sources_may_not_come_or_go(toy, tmp_path):
    write(tmp_path, {"build/results/2.json": "[]"})
    assert "results/2.json is not as" in refusal(toy)
    (tmp_path / "build" / "results" / "2.json").unlink()
    made_from.check(toy)
    (tmp_path / "student.yml").unlink()
    assert "student.yml is not as it was" in refusal(toy)


def test_another_folder_is_no_change(toy, tmp_path, monkeypatch, tmp_path_factory):
    moved = tmp_path_factory.mktemp("moved") / "project"
    shutil.copytree(tmp_path, moved)
    monkeypatch.setenv("PROBLEMSET_ROOT", str(moved))
    monkeypatch.setenv("PROBLEMSET_BUILD", str(moved / "build"))
    made_from.check(toy)
    change(moved / "books.bib")
    assert "books.bib is not as it was" in refusal(toy)


def test_a_change_while_the_report_is_made_counts(toy, tmp_path):
    with made_from.recording(toy):
        change(tmp_path / "report.qmd")
    assert "report.qmd is not as it was" in refusal(toy)


def test_a_report_that_failed_keeps_the_old_record(toy, tmp_path):
    change(tmp_path / "report.qmd")
    with pytest.raises(ValueError, match="cell"), made_from.recording(toy):
        raise ValueError("cell")
    assert "report.qmd is not as it was" in refusal(toy)


@pytest.mark.parametrize("record", [None, "", "{", "[]", '{"sources": 1}'])
def test_a_report_without_a_record_is_refused(toy, tmp_path, record):
    path = tmp_path / "build" / made_from.RECORD
    path.unlink() if record is None else path.write_text(record, "utf-8")
    assert "does not say what the report was made from" in refusal(toy)
