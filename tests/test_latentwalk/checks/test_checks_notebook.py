"""Notebooks that are run again: honest ones repeat, and each fault is told where it is."""

import json
import os
import sys

import nbformat.v4 as nb
import pytest

from latentwalk import paths
from latentwalk.assignment import ASSIGNMENT
from latentwalk.checks import contract
from latentwalk.checks import notebook as checks
from problemset import rubric
from problemset.grading.runner import rerun_notebook
from problemset.grading.runner.grade_submission import (
    grade_submission,
    open_server,
)
from problemset.grading.sandbox import isolation
from problemset.grading.sandbox.isolation import Limits
from problemset.grading.submission.intake import take_in
from problemset.grading.submission.layout import NOTEBOOK, NOTEBOOK_RUN
from problemset.grading.submission.opened import Submission, SubmissionError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are confined on Linux")

SETUP = "import os, pathlib, time\nnumbers = [3, 1, 4, 1, 5]"
CELLS = [  # heading, code, what it prints
    ("", SETUP, ""),
    ("## 2b. Ten images", "print('ten', sum(numbers))", "ten 14\n"),
    ("## 2c. Two of them", "pair = numbers[:2]", ""),
    ("## 2e. The images", "print('path', pair)", "path [3, 1]\n"),
    ("# Problem 3: autoencoder\n\n## 3c. Decoded", "print('strip', max(numbers))", "strip 5\n"),
    ("## 4d. Ten of each", "print('grid', min(numbers))", "grid 1\n"),
]
LIMITS = Limits(wall_seconds=100, cpu_seconds=60, memory_bytes=2 << 30, processes=200)
RUBRIC = [item for item in rubric.load() if item.id in ("2e", "3c", "4d")]
ALL = {"2", "3", "4"}
NOTHING = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}


def cell(code, prints="", count=None, **more):
    outputs = [nb.new_output("stream", name="stdout", text=prints)] if prints else []
    return nb.new_code_cell(code, outputs=outputs, execution_count=count, **more)


def cells():
    """The good notebook's cells: headings and code in turn."""
    found = []
    for number, (heading, code, prints) in enumerate(CELLS, start=1):
        found += [nb.new_markdown_cell(heading)] if heading else []
        found.append(cell(code, prints, number))
    return found


def code_of(found, item):
    """The code cell under an item's heading."""
    place = next(n for n, c in enumerate(found) if f"## {item}." in c.source)
    return found[place + 1]


@pytest.fixture(scope="module")
def server():
    with open_server(ASSIGNMENT) as opened:
        yield opened


@pytest.fixture
def submission(tmp_path):
    def make(listed):
        folder = tmp_path / "submission"
        folder.mkdir(exist_ok=True)
        written = nb.new_notebook(cells=listed)
        (folder / NOTEBOOK).write_text(json.dumps(written), "utf-8")
        return folder

    return make


def run_again(server, folder, tmp_path, limits=LIMITS, **more):
    """The private copy of a submission, with the notes of the run."""
    copy = take_in(folder, tmp_path / "scratch").folder
    arguments = {"reference": ASSIGNMENT.reference, "folder": str(copy), **more}
    ended = server.run(rerun_notebook.rerun, arguments, limits)
    if ended.state == "raised" and "cannot stop" in ended.says:
        pytest.skip(ended.says)
    assert ended.state == "returned", (ended.says, ended.output)
    (copy / NOTEBOOK_RUN).write_text(json.dumps(ended.value), "utf-8")
    return Submission(copy)


def failing(submission):
    """Problem to what is said, of those whose check does not pass."""
    said = {}
    for problem in sorted(ALL):
        try:
            verdict = checks.repeats(submission, problem)
        except SubmissionError as fault:
            said[problem] = str(fault)
        else:
            if not verdict.passed:
                said[problem] = verdict.says
    return said


def test_an_honest_notebook_repeats(server, submission, tmp_path):
    found = run_again(server, submission(cells()), tmp_path)
    assert failing(found) == {}
    verdict = checks.repeats(found, "2")
    assert verdict.says == "all 3 cells of Problem 2 give the saved outputs again"
    assert "files" in verdict.evidence["confined"] or "user" in verdict.evidence["confined"]


def altered(change):
    listed = cells()
    change(listed)
    return listed


def _outputs_gone(listed):
    for each in listed:
        if each.cell_type == "code":
            each.outputs = []


def _says_skip(listed):
    for each in listed:
        each.metadata["tags"] = ["nbval-skip"]


def _swapped(listed):
    first, second = code_of(listed, "2b"), code_of(listed, "2e")
    first.execution_count, second.execution_count = 4, 2


def _no_setup(listed):
    del listed[0]
    for number, each in enumerate((c for c in listed if c.cell_type == "code"), start=1):
        each.execution_count = number


def _training(count):
    """A training that takes long and shows what never comes again."""

    def change(listed):
        long = cell("time.sleep(1000)", "loss 0.123\n", count, metadata={"tags": ["training"]})
        listed[1:1] = [nb.new_markdown_cell("## 2a. Training"), long]
        if count:
            for each in listed[listed.index(long) + 1 :]:
                if each.cell_type == "code":
                    each.execution_count += 1

    return change


def put(item, code, prints=None):
    def change(listed):
        changed = code_of(listed, item)
        changed.source = code
        if prints is not None:
            changed.outputs = cell("", prints).outputs

    return change


STALE = "print('grid', min(numbers))\n"
CASES = {
    "an output altered": (put("3c", CELLS[4][1], "strip 6\n"), {"3": "5 was saved|6 was saved"}),
    "a text altered": (put("4d", CELLS[5][1], "grids 1\n"), {"4": "a text differs"}),
    "code altered": (
        put("2b", "print('ten', sum(numbers) + 1)"),
        {"2": "14 was saved, but now it is 15"},
    ),
    "code that breaks": (put("4d", "1 / 0"), {"4": "exception"}),
    "outputs removed": (_outputs_gone, {"2": "", "3": "", "4": ""}),
    "all cells tagged to be skipped, which has no influence": (_says_skip, {}),
    "a training that was run": (_training(2), {}),
    "a training that was not run": (_training(None), {}),
    "called a training where none is asked for, and altered": (
        lambda listed: (
            put("4d", CELLS[5][1], "grid 2\n")(listed),
            code_of(listed, "4d").metadata.update(tags=["training"]),
        ),
        {"4": "2 was saved, but now it is 1"},
    ),
    "run out of order": (_swapped, {"2": "from top to bottom"}),
    "set-up left out": (_no_setup, {"2": "exception", "3": "exception", "4": "exception"}),
    "the kernel exits": (put("3c", "os._exit(0)"), {"3": "", "4": ""}),
    "heading missing": (lambda listed: listed.pop(-2), {"4": "no output to compare"}),
}


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_told_where_it_is(name, server, submission, tmp_path):
    change, expected = CASES[name]
    found = failing(run_again(server, submission(altered(change)), tmp_path))
    assert found.keys() == expected.keys()
    for problem, words in expected.items():
        assert any(word in found[problem] for word in words.split("|")), found[problem]


def test_a_cell_that_hangs_costs_its_own_problem(server, submission, tmp_path):
    listed = altered(put("4d", "time.sleep(1000)"))
    found = failing(run_again(server, submission(listed), tmp_path, cell_seconds=3.0))
    assert list(found) == ["4"]
    assert "Timeout: more than 3 seconds" in found["4"]


def test_attacks_change_nothing_outside(server, submission, tmp_path):
    target = tmp_path / "target"
    target.mkdir(mode=0o777)
    (target / "kept").write_text("kept")
    listed = cells()
    attack = f"""
import socket
for act in (
    lambda: pathlib.Path({str(target)!r}, "new").write_text("x"),
    lambda: pathlib.Path({str(target)!r}, "kept").unlink(),
    lambda: pathlib.Path(os.__file__).with_name("sitecustomize.py").write_text("x"),
    lambda: os.kill({os.getpid()}, 9),
    lambda: os.kill(os.getppid(), 9),
    lambda: socket.create_connection(("127.0.0.1", 9), 2),
    lambda: pathlib.Path("conftest.py").write_text("raise SystemExit"),
    lambda: pathlib.Path("report.ipynb").write_text("{{}}"),
):
    try:
        act()
    except OSError:
        pass
"""
    listed.insert(1, cell(attack, count=2))
    for each in listed[2:]:
        if each.cell_type == "code":
            each.execution_count += 1
    found = run_again(server, submission(listed), tmp_path)
    assert failing(found) == {}, "they had no effect"
    assert [path.name for path in target.iterdir()] == ["kept"]


def test_its_files_have_no_influence(server, submission, tmp_path):
    folder = submission(cells())
    for name in ("conftest.py", "sitecustomize.py", "os.py", "latentwalk.py"):
        (folder / name).write_text("raise SystemExit(3)")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n")
    assert failing(run_again(server, folder, tmp_path)) == {}


def test_it_finds_the_submitted_weights_that_are_intact_and_the_staff_s_judge(
    server, submission, tmp_path
):
    looks = (
        "print(sorted(p.stem for p in pathlib.Path(os.environ['LATENTWALK_WEIGHTS']).iterdir()))"
    )
    folder = submission(altered(put("4d", looks, "['gan']\n")))
    (folder / "weights").mkdir()
    intact = (paths.released_weights_dir() / "gan.safetensors").read_bytes()
    for name in ("gan", "classifier", "other"):
        (folder / "weights" / f"{name}.safetensors").write_bytes(intact)
    (folder / "weights" / "vae.safetensors").write_bytes(b"whatever")
    assert failing(run_again(server, folder, tmp_path)) == {}


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"cells": 3},
        NOTHING | {"nbformat": 3},
        NOTHING | {"cells": [5]},
        NOTHING | {"cells": [nb.new_code_cell("1") | {"outputs": 5}]},
        NOTHING | {"cells": [nb.new_code_cell("1") | {"outputs": [{"output_type": "stream"}]}]},
        NOTHING | {"cells": [nb.new_code_cell("1") | {"source": {"a": 1}}]},
    ],
)
def test_what_is_no_notebook_is_its_own_fault(content, server, submission, tmp_path):
    folder = submission([])
    (folder / NOTEBOOK).write_text(json.dumps(content), "utf-8")
    score = grade_submission(ASSIGNMENT, folder, tmp_path / "out", RUBRIC, run=server.run)
    own = [o for o in score.outcomes if o.check in contract.NOTEBOOK_CHECKS]
    assert [o.state for o in own] == 3 * ["failed"]
    assert all("report.ipynb is not a notebook of version 4" in o.says for o in own)


def test_no_notebook_and_no_json_are_faults_of_the_submission(server, tmp_path, submission):
    folder = submission(cells())
    (folder / NOTEBOOK).write_text("{")
    (folder / "empty").mkdir()
    for given, expected in (
        (folder, "did not run to its end: IntakeError"),
        (folder / "empty", "miss"),
    ):
        score = grade_submission(ASSIGNMENT, given, tmp_path / "out", RUBRIC, run=server.run)
        own = [o for o in score.outcomes if o.check in contract.NOTEBOOK_CHECKS]
        assert [o.state for o in own] == 3 * ["failed"]
        assert all(expected in o.says for o in own)


def test_what_this_machine_cannot_do_is_broken_not_failed(tmp_path, submission):
    def run(target, arguments, limits):
        return isolation.Ended("raised", None, "NotebookError: no nbval", "", 0.0, 0)

    score = grade_submission(ASSIGNMENT, submission(cells()), tmp_path / "out", RUBRIC, run=run)
    own = [o for o in score.outcomes if o.check in contract.NOTEBOOK_CHECKS]
    assert {o.state for o in own} == {"broken"}
    assert "no nbval" in own[0].says


def test_without_it_the_points_await_a_reader(tmp_path, submission):
    def run(target, arguments, limits):
        assert target is not rerun_notebook.rerun
        return isolation.Ended("crashed", None, "", "", 0.0, 0)

    score = grade_submission(
        ASSIGNMENT, submission(cells()), tmp_path / "out", RUBRIC, run=run, notebook=False
    )
    own = [o for o in score.outcomes if o.check in contract.NOTEBOOK_CHECKS]
    assert [(o.item, o.state, o.points) for o in own] == [
        ("2e", "to be read", 1),
        ("3c", "to be read", 1),
        ("4d", "to be read", 1),
    ]
    assert score.awaiting == 3
