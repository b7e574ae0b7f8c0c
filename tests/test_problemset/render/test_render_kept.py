"""Outputs are used again if and only if nothing that they depend on has changed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from problemset import inputs
from problemset.render.engine import render_notebook, render_report
from problemset.render.execution import kernel
from problemset.render.execution.kept import Kept
from problemset.render.source.document import read_document
from problemset.render.source.settings import read_settings

TEXT = """---
title: T
---

Some prose.

```{python}
#| output: false
import sys
sys.path.insert(0, ".")
import helper
from pathlib import Path
from problemset import file_io
numbers = Path("data/numbers.txt").read_text()
file_io.write(Path("result.txt"), "made")
print(helper.double(int(numbers)), sorted(path.name for path in Path("data").glob("*")))
```

It is `{python} helper.double(4)`.
"""
HELPER = (
    '"""A helper."""\n\n\ndef double(number):\n    """Twice the number."""\n    return 2 * number\n'
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a document whose code has been run, and what it gave."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "data").mkdir()
    (folder / "data" / "numbers.txt").write_text("21")
    (folder / "helper.py").write_text(HELPER)
    (folder / "doc.qmd").write_text(TEXT)
    for path in folder.rglob("*.*"):
        os.utime(path, (time.time() - 60, time.time() - 60))
    render(folder)
    return folder


def kept_in(folder: Path) -> Kept:
    return Kept(folder / "build" / "kept", ("PROBLEMSET_",))


def render(folder: Path) -> int:
    """Render, and count how often the cells were run."""
    runs: list[int] = []
    qmd, build = folder / "doc.qmd", folder / "build"
    render_report(qmd, build, "embedded", kept=kept_in(folder), prepare=lambda: runs.append(1))
    return len(runs)


def is_reused(folder: Path) -> bool:
    document = read_document(folder / "doc.qmd")
    evaluated = read_settings(document, "typst").shown.eval
    return kept_in(folder).outcome(document, evaluated) is not None


def edit(folder: Path, name: str, change: Callable[[str], str]) -> Callable[[], object]:
    """Change a file; returns what undoes it."""
    path = folder / name
    before = path.read_text()
    path.write_text(change(before))
    return lambda: path.write_text(before)


def add(folder: Path, name: str, text: str = "x") -> Callable[[], object]:
    (folder / name).write_text(text)
    return (folder / name).unlink


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("doc.qmd", lambda text: text.replace("Some prose", "Other prose")),
        ("doc.qmd", lambda text: text.replace("title: T", "title: U")),
        ("doc.qmd", lambda text: text.replace("#| output: false", "#| output: true")),
        ("helper.py", lambda text: text.replace("2 * number", "2 *   number  # twice")),
        ("data/numbers.txt", lambda text: text),
    ],
)
def test_prose_comments_and_options_of_the_look_use_the_outputs_again(
    ran: Path, name: str, change: Callable[[str], str]
) -> None:
    undo = edit(ran, name, change)
    try:
        assert is_reused(ran)
    finally:
        undo()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("doc.qmd", lambda text: text.replace("double(4)", "double(5)")),
        ("doc.qmd", lambda text: text.replace("int(numbers)", "-int(numbers)")),
        ("doc.qmd", lambda text: text.replace("#| output", "#| eval: false\n#| output")),
        ("doc.qmd", lambda text: text.replace("title: T", "title: T\nexecute: {eval: false}")),
        ("helper.py", lambda text: text.replace("2 *", "3 *")),
        ("helper.py", lambda text: text.replace("(number):", "(number=1):")),
        ("helper.py", lambda text: text.replace("Twice", "Two times")),
        ("data/numbers.txt", lambda text: "22"),
        ("result.txt", lambda text: "altered"),
        ("build/kept/doc.json", lambda text: text[:-3]),
    ],
)
def test_any_change_of_what_was_used_runs_the_code_again(
    ran: Path, name: str, change: Callable[[str], str]
) -> None:
    assert is_reused(ran)
    undo = edit(ran, name, change)
    try:
        assert not is_reused(ran)
    finally:
        undo()
    assert is_reused(ran)


def test_a_file_that_appears_or_vanishes_runs_the_code_again(ran: Path) -> None:
    for name in ("data/more.txt", "beside.txt"):
        undo = add(ran, name)
        assert not is_reused(ran), name
        undo()
    (ran / "result.txt").unlink()
    assert not is_reused(ran)
    (ran / "result.txt").write_text("made")
    assert is_reused(ran)


def test_a_folder_beside_the_document_changes_nothing_unless_it_was_listed(ran: Path) -> None:
    for parent, reused in ((ran, True), (ran / "data", False)):
        (parent / "submission").mkdir()
        assert is_reused(ran) == reused
        (parent / "submission").rmdir()
    assert is_reused(ran)


def test_code_in_a_cell_is_not_taken_for_the_same_code_in_the_text(ran: Path) -> None:
    undo = edit(ran, "doc.qmd", lambda text: text.replace("`{python} helper.double(4)`", "8"))
    inline = kernel.code_of(read_document(ran / "doc.qmd"), True)
    undo()
    cell = "```{python}\nhelper.double(4)\n```"
    undo = edit(
        ran, "doc.qmd", lambda text: text.replace("It is `{python} helper.double(4)`.", cell)
    )
    assert kernel.code_of(read_document(ran / "doc.qmd"), True)[:-1] == inline
    assert not is_reused(ran)
    undo()
    assert is_reused(ran)


def test_another_library_or_variable_runs_the_code_again(
    ran: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PROBLEMSET_WEIGHTS", "mine")
        assert not is_reused(ran)
    with monkeypatch.context() as patch:
        patch.setenv("OTHER_WEIGHTS", "mine")
        assert is_reused(ran)
    known = inputs.surroundings(())
    with monkeypatch.context() as patch:
        newer = [["numpy-99.dist-info", 0], *known["libraries"]]
        patch.setattr(inputs, "surroundings", lambda _: {**known, "libraries": newer})
        assert not is_reused(ran)


def test_rendering_again_runs_nothing_and_gives_the_same(
    ran: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [(ran / "build" / "doc.html").read_bytes()]
    with monkeypatch.context() as patch:
        patch.delattr(kernel, "running_kernel")  # none is started
        assert render(ran) == 0
    pages.append((ran / "build" / "doc.html").read_bytes())
    assert pages[0] == pages[1]
    undo = edit(ran, "helper.py", lambda text: text.replace("2 *", "5 *"))
    os.utime(ran / "helper.py", (time.time() - 30, time.time() - 30))
    assert render(ran) == 1
    assert "It is 20." in (ran / "build" / "doc.html").read_text()
    undo()
    os.utime(ran / "helper.py", (time.time() - 30, time.time() - 30))
    assert render(ran) == 1
    assert (ran / "build" / "doc.html").read_bytes() == pages[0]


def test_the_notebook_alone_is_made_from_what_is_kept(ran: Path) -> None:
    whole = (ran / "build" / "doc.ipynb").read_bytes()
    alone = render_notebook(ran / "doc.qmd", ran / "alone", kept_in(ran))
    assert alone.read_bytes() == whole
    assert list((ran / "alone").iterdir()) == [alone]
    (alone).unlink()
    (ran / "alone").rmdir()


WATCHED = """
import sys, os, time
from pathlib import Path
from problemset import inputs
inputs.start()
Path("read.txt").read_text()
if "edit" in sys.argv:
    os.system("echo other > read.txt")
found = inputs.found()
print(inputs.unchanged(found))
"""


@pytest.mark.parametrize(("word", "same"), [("nothing", "True"), ("edit", "False")])
def test_what_someone_changed_while_it_was_read_is_not_trusted(
    tmp_path: Path, word: str, same: str
) -> None:
    (tmp_path / "read.txt").write_text("text")
    time.sleep(2 * inputs._CLOCK_SECONDS)  # so that it was there before
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, word], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == (same, "")


def test_a_preparation_is_repeated_only_after_a_change(tmp_path: Path) -> None:
    source = tmp_path / "source.txt"
    source.write_text("one")
    time.sleep(2 * inputs._CLOCK_SECONDS)  # so that it was there before
    seen: list[str] = []
    kept = kept_in(tmp_path)
    for _ in range(2):
        kept.call("prepared", lambda: seen.append(source.read_text()))
    assert seen == ["one"]
    source.write_text("two")
    kept.call("prepared", lambda: seen.append(source.read_text()))
    assert seen == ["one", "two"]


def test_what_is_kept_names_its_files(ran: Path) -> None:
    named = kept_in(ran).files("doc")
    assert {ran / "helper.py", ran / "data" / "numbers.txt"} <= set(named)
    assert kept_in(ran).files("other") == []
    content = json.loads((ran / "build" / "kept" / "doc.json").read_text())
    assert not [path for path in content["value"]["inputs"]["files"] if "ipython" in path]
