"""The archive for Gradescope: what is in it, and results whatever happens to its scripts."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import asdict

import places
import pytest
import yaml
from gradescope_schema import GRADESCOPE_SCHEMA
from test_imports import MODULES, PACKAGES, imported

from latentwalk.assignment import ASSIGNMENT
from latentwalk.checks import contract, grader
from latentwalk.data import mnist, mnist_files
from latentwalk.model_zoo import weights_files
from latentwalk.training import checkpoints
from latentwalk.training.tensor_file import WeightsError
from problemset import rubric
from problemset.grading.gradescope import archive as gradescope_archive
from problemset.grading.gradescope import entry
from problemset.grading.gradescope.archive import AutograderError
from problemset.grading.results import formats
from problemset.grading.sandbox import worker
from problemset.grading.score.outcome import CheckOutcome, Score

ROOT = places.ROOT
SCRIPTS = ROOT / "assets" / "gradescope"
STAFF = "course staff must look at"
ITEMS = rubric.load()
IN_RUBRIC = [
    *((item.id, check.check) for item in ITEMS for check in item.checks),
    *((item.id, "reader") for item in ITEMS if item.reader),
]
needs_timeout = pytest.mark.skipif(
    not shutil.which("timeout"), reason="run_autograder is for Linux, which has `timeout`"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    if not (ROOT / ".git").exists():
        pytest.skip("the archive can only be built in a git clone")
    return gradescope_archive.build(
        ASSIGNMENT, tmp_path_factory.mktemp("archive") / "gradescope.zip"
    )


@pytest.fixture
def machine(built, tmp_path):
    """A stand-in for /autograder after setup.sh, with the interpreter that runs the tests."""
    folder = tmp_path / "auto grader"
    with zipfile.ZipFile(built.path) as archive:
        archive.extractall(folder / "source")
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', "utf-8")
    shutil.copy(folder / "source" / "run_autograder", folder)
    for script in (python, folder / "run_autograder"):
        script.chmod(0o755)
    (folder / "submission").mkdir()
    return folder


def environment(**more):
    """As on a machine that knows nothing of this project."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LATENTWALK", "PYTHON"))}
    return kept | more


def results_of(machine):
    """The results, which must be of Gradescope's form."""
    jsonschema = pytest.importorskip("jsonschema")
    content = json.loads((machine / "results" / "results.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(GRADESCOPE_SCHEMA).validate(content)
    return content


def graded(machine):
    """Run the script as Gradescope does; the results, and what only staff see."""
    done = subprocess.run(
        [machine / "run_autograder", machine],
        cwd=machine,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return results_of(machine), done.stdout


def keep(machine, *checks):
    """Leave the rubric few checks: each takes a process that imports PyTorch."""
    items = []
    for item in ITEMS:
        kept = [asdict(check) for check in item.checks if check.check in checks]
        rest = item.points - sum(check["points"] for check in kept)
        items.append(asdict(item) | {"checks": kept, "reader": rest})
    (machine / "source" / "rubric.yml").write_text(yaml.safe_dump({"items": items}), "utf-8")


def edit(path, old, new):
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


def grader_that(machine, ends):
    """Put a grader in place that finds one check passed, and then ends in some way."""
    edit(
        machine / "source/src/problemset/grading/gradescope/entry.py",
        "from problemset.grading.runner.grade_submission import grade_submission\n",
        "from problemset.grading.score.outcome import CheckOutcome\n"
        "def grade_submission(assignment, folder, work, items, notebook):\n"
        "    import os, time\n"
        "    note = formats.write_after_each(work / 'score.json')\n"
        "    note(CheckOutcome('path_is_straight', '2d', 'Straight', 2, 'passed', 'It is.'))\n"
        f"    {ends}\n",
    )


# the archive


def test_the_archive_holds_what_grading_needs_and_no_more(built):
    tracked = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "src"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    others = {
        "setup.sh",
        "run_autograder",
        "LICENSE",
        "constraints.txt",
        "pyproject.toml",
        "rubric.yml",
        "assets/weights/classifier.safetensors",
        "mnist/t10k-images-idx3-ubyte",
        "mnist/t10k-labels-idx1-ubyte",
    }
    assert set(built.names) == {*tracked, *others}
    assert built.path.stat().st_size < 20e6


def test_entries_are_sorted_without_times_and_two_can_be_executed(built):
    with zipfile.ZipFile(built.path) as archive:
        entries = archive.infolist()
        assert archive.testzip() is None
        scripts = {name: archive.read(name) for name in gradescope_archive.SCRIPTS}
    assert [entry.filename for entry in entries] == sorted(built.names)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.create_system for entry in entries} == {3}
    modes = {entry.filename: entry.external_attr >> 16 for entry in entries}
    executable = {name for name, mode in modes.items() if mode == 0o100755}
    assert executable == {"setup.sh", "run_autograder"}
    assert {mode for name, mode in modes.items() if name not in executable} == {0o100644}
    for name, content in scripts.items():
        assert content.startswith(b"#!/usr/bin/env bash\n"), name
        assert b"\r" not in content
        assert os.access(SCRIPTS / name, os.X_OK)
        subprocess.run(["bash", "-n", SCRIPTS / name], check=True)


def test_the_same_clone_gives_the_same_bytes(built, tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTWALK_CACHE", str(tmp_path / "cache"))
    first = gradescope_archive.build(ASSIGNMENT, tmp_path / "a.zip", "https://index.example/cpu")
    assert set(built.names) - set(first.names) == {
        "mnist/t10k-images-idx3-ubyte",
        "mnist/t10k-labels-idx1-ubyte",
    }
    assert (
        gradescope_archive.build(ASSIGNMENT, tmp_path / "a.zip", "https://index.example/cpu")
        == first
    )
    content = first.path.read_bytes()
    gradescope_archive.build(ASSIGNMENT, tmp_path / "b.zip", "https://index.example/cpu")
    assert (tmp_path / "b.zip").read_bytes() == content
    with zipfile.ZipFile(first.path) as archive:
        assert archive.read("pytorch-index") == b"https://index.example/cpu\n"


def test_only_digits_that_verify_are_packed(tmp_path, monkeypatch):
    wanted = mnist.files_of("test")
    for file in wanted:
        (tmp_path / file.name).write_bytes((mnist.obtain(wanted) / file.name).read_bytes())
    monkeypatch.setenv("LATENTWALK_CACHE", str(tmp_path))
    assert grader._test_digits() == [tmp_path / file.name for file in wanted]
    (tmp_path / wanted[1].name).write_bytes(bytes(10_008))
    assert grader._test_digits() == []
    monkeypatch.setenv("LATENTWALK_DATA", str(tmp_path))
    with pytest.raises(mnist_files.DataError, match="LATENTWALK_DATA must name"):
        grader._test_digits()


def test_what_hinders_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(AutograderError, match="run this in a git clone"):
        list(gradescope_archive._tracked(tmp_path))
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with pytest.raises(AutograderError, match=r"git does not track src in .*, expected a complete"):
        list(gradescope_archive._tracked(tmp_path))
    with pytest.raises(AutograderError, match="cannot be read: No such file or directory"):
        gradescope_archive._read(tmp_path / "gone")
    stale = checkpoints.WeightsStatus("stale", "the code changed")
    monkeypatch.setattr(weights_files, "status", lambda name: [(tmp_path / "x", stale)] * 2)
    monkeypatch.setattr(weights_files, "valid_file", lambda name: None)
    with pytest.raises(WeightsError, match=r"no valid weights \(the code changed\)"):
        grader.archive_files()


def third_party(*modules):
    """What some modules of the package, and all that they import in turn, need besides it."""
    waiting, found = list(modules), set()
    seen = {"problemset.grading.runner.rerun_notebook"}  # notebooks are not run there
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        tree = MODULES.get(name) or MODULES.get(f"{name}.__init__")
        waiting += [name.rpartition(".")[0]] if "." in name else []
        for dotted in imported(tree):
            parent = dotted.rpartition(".")[0]
            if dotted.partition(".")[0] in ("latentwalk", "problemset"):
                waiting += [n for n in (dotted, parent) if n in MODULES or n in PACKAGES]
            else:
                found.add(dotted.partition(".")[0])
    return found - sys.stdlib_module_names


def test_setup_installs_what_grading_imports_in_tested_versions():
    script = (SCRIPTS / "setup.sh").read_text("utf-8")
    installed = re.search(r"^libraries=\((.*)\)$", script, re.MULTILINE)[1].split()
    modules = {"PyYAML": "yaml", "pillow": "PIL"}
    needed = third_party(
        "problemset.grading.gradescope.entry",
        "problemset.grading.runner.run_check",
        "latentwalk.assignment",
    )
    assert {modules.get(name, name) for name in installed} == needed
    pinned = (ROOT / "constraints.txt").read_text("utf-8").lower()
    assert all(re.search(rf"^{name.lower()}==", pinned, re.MULTILINE) for name in installed)


# setup.sh, with stand-ins for Python and pip

STAND_IN = """#!/bin/bash
echo "$@" >> "$LOG"
if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi
[[ "$*" != *"$FAILING"* ]]
"""


def set_up(tmp_path, failing="nothing", index=""):
    folder = tmp_path / "auto grader"
    (folder / "source" / "src").mkdir(parents=True)
    if index:
        (folder / "source" / "pytorch-index").write_text(f"{index}\n", "utf-8")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3.14").write_text(STAND_IN, "utf-8")
    (tmp_path / "bin" / "python3.14").chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", SCRIPTS / "setup.sh", folder],
        capture_output=True,
        text=True,
        check=False,
        env=environment(PATH=path, LOG=str(tmp_path / "log"), FAILING=failing),
    )
    return done, (tmp_path / "log").read_text("utf-8").splitlines(), folder


def test_setup_makes_an_environment_and_looks_whether_all_is_there(tmp_path):
    done, log, folder = set_up(tmp_path)
    assert done.returncode == 0, done.stderr
    assert log[1] == f"-m venv {folder}/venv"
    assert log[2].startswith("-m pip install")
    assert f"-c {folder}/source/constraints.txt torch torchvision " in log[2]
    assert "index" not in log[2]
    assert log[3] == f"-m compileall -q {folder}/source/src"
    assert "entry.ready(ASSIGNMENT)" in log[4]
    assert len(log) == 5


def test_setup_takes_the_smaller_pytorch_from_the_index_that_was_named(tmp_path):
    _, log, _ = set_up(tmp_path, index="https://index.example/cpu")
    assert " --extra-index-url https://index.example/cpu -c " in log[2]


@pytest.mark.parametrize(
    "step", ["-m venv", "pip install", "compileall", "entry.ready(ASSIGNMENT)"]
)
def test_a_step_that_fails_stops_the_setup_loudly(tmp_path, step):
    done, log, _ = set_up(tmp_path, failing=step)
    assert done.returncode != 0
    assert step in log[-1], "nothing is done after it"
    assert re.search(r"^setup.sh: line \d+ failed", done.stderr, re.MULTILINE)


def test_setup_without_python_is_one_line(tmp_path):
    bash = shutil.which("bash")
    done = subprocess.run(
        [bash, SCRIPTS / "setup.sh", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(tmp_path)},
    )
    assert done.returncode == 1
    assert done.stderr == "setup.sh: needs Python 3.11 or newer, and apt-get to install it\n"


def test_ready_looks_at_rubric_digits_and_judge(monkeypatch):
    checks = sum(len(item.checks) for item in ITEMS)
    words = f"ready: {checks} checks, 10000 test digits, and a classifier with valid weights"
    assert entry.ready(ASSIGNMENT) == words
    monkeypatch.setattr(weights_files, "valid_file", lambda name: None)
    with pytest.raises(ValueError, match="the classifier has no valid weights"):
        entry.ready(ASSIGNMENT)


# run_autograder


@needs_timeout
def test_a_good_submission_is_graded(machine, good):
    keep(machine, "pair_is_labelled", "codes_are_straight")
    shutil.copytree(good, machine / "submission", dirs_exist_ok=True)
    content, said = graded(machine)
    assert content["score"] == 3
    assert content["output"] == "97 points await a reader."
    judged = [test for test in content["tests"] if "status" in test]
    assert [(t["number"], t["status"], t["score"], t["max_score"]) for t in judged] == [
        ("2c", "passed", 2, 2),
        ("3c", "passed", 1, 1),
    ]
    assert 0 < content["execution_time"] < 540
    assert "3 of 3 points reached, 97 await a reader" in said
    assert content["stdout_visibility"] == "hidden"


@needs_timeout
def test_an_empty_submission_fails_and_is_no_failure_of_the_grader(machine):
    keep(machine, "codes_are_straight")
    content, _ = graded(machine)
    assert content["score"] == 0
    assert STAFF not in content["output"]
    (test,) = [test for test in content["tests"] if "status" in test]
    assert (test["status"], test["score"], test["max_score"]) == ("failed", 0, 1)
    assert test["output"] == "results/3c.npz is missing"


@needs_timeout
@pytest.mark.parametrize("lacks", ["a sound package", "an interpreter", "a sound rubric"])
def test_a_grader_that_cannot_start_leaves_a_call_for_staff(machine, lacks):
    source = machine / "source"
    if lacks == "a sound package":
        edit(source / "src/problemset/grading/gradescope/entry.py", "import json\n", "1 / 0\n")
    elif lacks == "an interpreter":
        (machine / "venv/bin/python").unlink()
    else:
        (source / "rubric.yml").write_text("items: []\n", "utf-8")
    content, said = graded(machine)
    assert content["score"] == 0
    assert STAFF in content["output"]
    assert "no judgement" in content["output"]
    assert [(t["status"], "score" in t) for t in content["tests"]] == [("failed", False)]
    assert "run_autograder: the grader failed (exit status" in said


@needs_timeout
def test_a_grader_that_fails_leaves_every_check_not_carried_out(machine):
    (machine / "submission").rmdir()
    (machine / "graded").mkdir()
    older = Score((CheckOutcome("path_is_straight", "2d", "Straight", 2, "passed", "It is."),))
    (machine / "graded" / "score.json").write_text(formats.to_json(older), "utf-8")
    content, said = graded(machine)
    assert content["score"] == 0, "an older score is not this submission's"
    start = "Grading did not come to its end: the grader failed (exit status 1)."
    assert content["output"].startswith(f"{start} 0 of {len(IN_RUBRIC)} parts were graded")
    assert STAFF in content["output"]
    assert len(content["tests"]) == len(IN_RUBRIC)
    assert "FileNotFoundError" in said, "staff see the reason"


@needs_timeout
def test_a_grader_that_is_killed_leaves_what_it_found(machine):
    grader_that(machine, "os.kill(os.getpid(), 9)")
    content, _ = graded(machine)
    assert content["score"] == 2
    assert "it was killed, as happens when memory runs out. 1 of" in content["output"]
    assert STAFF in content["output"]
    tests = {(t["number"], t["name"]): t for t in content["tests"]}
    assert tests["2d", "Straight (path_is_straight)"]["status"] == "passed"
    broken = [t for t in content["tests"] if "not reached: it was killed" in t["output"]]
    names = [check.check for item in ITEMS for check in item.checks]
    of_notebook = [name for name in names if name in contract.NOTEBOOK_CHECKS]
    assert len(broken) == len(names) - len(of_notebook) - 1
    assert {t["score"] for t in broken} == {0}


@needs_timeout
def test_a_grader_that_takes_too_long_is_stopped_in_time(machine):
    edit(machine / "run_autograder", "seconds=540 ", "seconds=4 ")
    grader_that(machine, "time.sleep(3600)")
    started = time.monotonic()
    content, _ = graded(machine)
    assert time.monotonic() - started < 120
    assert "no time was left after 4 s. " in content["output"]
    assert STAFF in content["output"]


@needs_timeout
def test_a_machine_that_stops_everything_finds_a_call_for_staff(machine):
    grader_that(machine, "(work / 'here').touch(); time.sleep(3600)")
    process = subprocess.Popen(
        [machine / "run_autograder", machine],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 300
        while not (machine / "graded" / "here").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        content = results_of(machine)
    finally:
        worker.kill([process.pid, *worker.descendants(process.pid)])
        process.wait()
    assert content["score"] == 0
    assert STAFF in content["output"]
    assert results_of(machine) == content


def test_time_for_grading_leaves_some_of_gradescope_s_ten_minutes():
    script = (SCRIPTS / "run_autograder").read_text("utf-8")
    grading = int(re.search(r"^seconds=(\d+) ", script, re.MULTILINE)[1])
    waits = [int(n) for n in re.findall(r"--kill-after=(\d+)", script)]
    after = int(re.search(r"timeout --kill-after=5 (\d+) ", script)[1])
    assert grading >= 500
    assert grading + after + sum(waits) <= 590


def test_the_inner_folder_of_an_upload_is_graded(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        entry,
        "grade_submission",
        lambda _, folder, *__, notebook: notebook or seen.append(folder) or Score(),
    )
    (tmp_path / "upload" / "mine" / "results").mkdir(parents=True)
    for folder in (tmp_path / "upload", tmp_path / "upload" / "mine"):
        entry.run(ASSIGNMENT, folder, tmp_path / "work", tmp_path / "results.json")
    assert seen == [tmp_path / "upload" / "mine"] * 2
    entry.run(ASSIGNMENT, tmp_path / "upload", tmp_path / "work", tmp_path / "results.json")
    output = json.loads((tmp_path / "results.json").read_text("utf-8"))["output"]
    assert output == "Graded: the one folder of the upload. 0 points await a reader."


def test_finishing_keeps_the_rubric_s_order(tmp_path):
    found = Score((CheckOutcome("path_is_straight", "2d", "Straight", 2, "passed", "It is."),))
    (tmp_path / "score.json").write_text(formats.to_json(found), "utf-8")
    entry.finish(ASSIGNMENT, tmp_path, tmp_path / "results.json", "it was stopped", 1.5)
    content = json.loads((tmp_path / "results.json").read_text("utf-8"))
    numbers = [test["number"] for test in content["tests"]]
    assert numbers == sorted(numbers)
    assert len(numbers) == len(IN_RUBRIC)
    assert content["execution_time"] == 1.5
    waiting = [t for t in content["tests"] if "status" not in t]
    of_notebook = [
        item.id
        for item in ITEMS
        for check in item.checks
        if check.check in contract.NOTEBOOK_CHECKS
    ]
    by_reader = [item.id for item in ITEMS if item.reader]
    assert [t["number"] for t in waiting] == sorted(by_reader + of_notebook)


def test_grading_s_own_process_stays_small():
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from problemset.grading.gradescope import entry\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, ROOT / "src"], check=True)


def test_the_document_s_points_are_the_rubric_s():
    text = " ".join((ROOT / "docs" / "gradescope.md").read_text("utf-8").split())
    checks = [check for item in ITEMS for check in item.checks]
    notebook = [c.points for c in checks if c.check in contract.NOTEBOOK_CHECKS]
    by_checks = sum(check.points for check in checks) - sum(notebook)
    assert f"Autograder points: {by_checks}," in text
    assert f"{100 - by_checks} points are for a person to give" in text
    assert f"{sum(notebook)} of them for the notebook" in text


def test_the_tool_says_what_it_built(tmp_path, monkeypatch, capsys):
    sys.path.insert(0, str(ROOT / "tools"))
    tool = importlib.import_module("gradescope")
    monkeypatch.setenv("LATENTWALK_BUILD", str(tmp_path))
    built = gradescope_archive.Built(tmp_path / "gradescope.zip", ("a", "b"))
    built.path.write_bytes(b"?")
    monkeypatch.setattr(gradescope_archive, "build", lambda homework, target, index: built)
    tool.main()
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == f"{tmp_path / 'gradescope.zip'}: 2 files, 0.0 MB"
    assert "`latentwalk data` first" in second
    assert "docs/gradescope.md" in third

    def refuse(homework, target, index):
        raise AutograderError("no\n  clone")

    monkeypatch.setattr(gradescope_archive, "build", refuse)
    with pytest.raises(SystemExit) as stop:
        tool.main("https://index.example")
    assert stop.value.code == "gradescope: error: no clone"
