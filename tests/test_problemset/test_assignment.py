"""An assignment in a folder of its own: found by new processes, digested, laid out, packed."""

import subprocess
import sys

import pytest

from latentwalk.assignment import ASSIGNMENT
from problemset import assignment
from problemset.assignment import Assignment, FileRule, NotebookEnvironment, notebook_of
from problemset.grading.batch import graded_results
from problemset.grading.hand_in import made_from, packing, preflight
from problemset.grading.runner.grade_submission import open_server
from problemset.grading.sandbox.isolation import Limits

CODE = """
from problemset.assignment import Assignment, FileRule
from problemset.grading.score.verdict import Verdict
FILES = (FileRule("report.pdf", "text", ("1a",)), FileRule("results/1a.json", "list", ("1a",)),
         FileRule("data/mine.csv", "numbers", ("1a",)), FileRule("results/1b.json", "", ()),)
def passes(submission, staff): return Verdict(True, "fine")
TOY = Assignment("{module}:TOY", "A toy", FILES, lambda: {{"passes": passes}})
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the module toy_alone and the package toy_folder, each with an assignment."""
    (tmp_path / "toy_folder").mkdir()
    for module, file in (
        ("toy_alone", "toy_alone.py"),
        ("toy_folder", "toy_folder/__init__.py"),
        ("toy_folder.inner", "toy_folder/inner.py"),
    ):
        (tmp_path / file).write_text(CODE.format(module=module), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PROBLEMSET_ROOT", str(tmp_path))
    monkeypatch.setenv("PROBLEMSET_BUILD", str(tmp_path / "build"))
    for prefix in ("LATENTWALK_ROOT", "LATENTWALK_BUILD"):
        monkeypatch.delenv(prefix, raising=False)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0].startswith("toy_")]:
        del sys.modules[name]


@pytest.mark.parametrize("module", ["toy_alone", "toy_folder", "toy_folder.inner"])
def test_its_folder_is_what_a_new_process_must_search(project, module):
    toy = assignment.load(f"{module}:TOY")
    assert toy.folder == project
    code = "import sys, importlib; sys.path.insert(0, sys.argv[1])\n"
    code += "importlib.import_module(sys.argv[2])"
    command = [sys.executable, "-I", "-B", "-c", code, str(toy.folder), module]
    assert subprocess.run(command, check=False).returncode == 0


def test_a_check_beside_the_report_runs_in_a_process_of_its_own(project):
    arguments = {"reference": "toy_alone:TOY", "check": "passes", "folder": str(project)}
    with open_server(assignment.load("toy_alone:TOY")) as server:
        ended = server.run("problemset.grading.runner.run_check:run", arguments, Limits())
    assert (ended.state, ended.says) == ("returned", ""), ended.output
    assert ended.value == {"passed": True, "says": "fine", "evidence": {}}


def test_what_decides_results_is_its_own_package_and_problemset(project):
    assert assignment.load("toy_folder.inner:TOY").packages == ("toy_folder", "problemset")
    assert ASSIGNMENT.packages == ("latentwalk", "problemset")


def test_of_a_module_only_its_own_file_is_digested(project):
    grader = graded_results.grader.__wrapped__
    before = grader("toy_alone:TOY")
    (project / "other.py").write_text("1", "utf-8")
    assert grader("toy_alone:TOY") == before
    with (project / "toy_alone.py").open("a") as file:
        file.write("# changed\n")
    assert grader("toy_alone:TOY") != before


def test_a_package_s_other_files_are_digested_too(project):
    grader = graded_results.grader.__wrapped__
    before = grader("toy_folder:TOY")
    (project / "toy_folder" / "other.py").write_text("1", "utf-8")
    assert grader("toy_folder:TOY") != before


def test_a_notebook_finds_the_rubric_and_the_student_file(tmp_path):
    source, project, work = (tmp_path / name for name in ("source", "project", "work"))
    for folder in (source, project / "data", work):
        folder.mkdir(parents=True)
    for name in ("rubric.yml", "student.yml", "data/times.csv", "report.qmd"):
        (project / name).write_text("grader", "utf-8")
    (source / "student.yml").write_text("student", "utf-8")
    (source / "rubric.yml").write_text("student", "utf-8")
    needs = notebook_of(project, "data/times.csv")
    assert isinstance(needs, NotebookEnvironment)
    needs.lay_out(source, work)
    found = {path.relative_to(work).as_posix(): path.read_text() for path in work.rglob("*.*")}
    assert found == {"rubric.yml": "grader", "student.yml": "student", "data/times.csv": "grader"}
    variables = {"PROBLEMSET_ROOT": str(work), "PROBLEMSET_BUILD": str(work / "build")}
    assert needs.variables(work) == variables
    (source / "student.yml").unlink()
    needs.lay_out(source, tmp_path / "again")
    assert not (tmp_path / "again" / "student.yml").exists()


def test_a_file_is_packed_from_the_build_folder_or_else_from_the_project(project):
    toy = assignment.load("toy_alone:TOY")
    (project / "build" / "results").mkdir(parents=True)
    (project / "data").mkdir()
    for name in ("data/mine.csv", "build/results/1a.json", "report.pdf", "build/report.pdf"):
        (project / name).write_text(name, "utf-8")
    (project / "report.qmd").write_text("# A report\n", "utf-8")
    with made_from.recording(toy):
        pass
    packed = packing.pack(toy, project / "packed")
    assert packed.files == ("data/mine.csv", "report.pdf", "results/1a.json")
    assert packed.missing == ("results/1b.json",)
    assert (packed.folder / "report.pdf").read_text("utf-8") == "build/report.pdf"


def test_without_a_look_it_is_enough_that_a_file_opens(project, tmp_path):
    toy = assignment.load("toy_alone:TOY")
    for name, text in (("report.pdf", "?"), ("results/1a.json", "[1]"), ("data/mine.csv", "")):
        (tmp_path / "handed-in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "handed-in" / name).write_text(text, "utf-8")
    found = preflight.examine(toy, tmp_path / "handed-in")
    assert [(each.name, each.state) for each in found.findings] == [
        ("report.pdf", "damaged"),
        ("results/1a.json", "ok"),
        ("data/mine.csv", "ok"),
        ("results/1b.json", "missing"),
    ]
    assert found.findings[0].mend == "`problemset render` makes it again"
    assert found.findings[3].mend == "`problemset render` makes it"


def test_messages_name_the_command_that_makes_the_report(project):
    toy = assignment.load("toy_alone:TOY")
    with pytest.raises(assignment.PackError, match="make it first with `problemset render`"):
        packing.pack(toy, project / "packed")
    other = Assignment(
        "toy_alone:TOY", "", (FileRule("report.pdf", "", ()),), dict, makes_report="make report"
    )
    with pytest.raises(assignment.PackError, match="make it first with `make report`"):
        packing.pack(other, project / "packed")
