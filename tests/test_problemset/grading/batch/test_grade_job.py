"""One submission of a class: its result files, or the reason why there are none."""

import functools
import json
from dataclasses import replace

import class_targets
import pytest

from latentwalk.assignment import ASSIGNMENT
from problemset import file_io
from problemset.grading.batch import grade_job as module
from problemset.grading.batch import graded_results
from problemset.grading.batch.grade_job import GraderError, grade_job
from problemset.grading.results.formats import from_json
from problemset.grading.submission.intake import IntakeError, take_in


@pytest.fixture(autouse=True)
def _grader(monkeypatch):
    monkeypatch.setattr(graded_results, "grader", lambda reference: "the grader")


@pytest.fixture
def job(tmp_path):
    folder = tmp_path / "alice"
    (folder / "results").mkdir(parents=True)
    (folder / "results/2b.npz").write_bytes(b"no archive")
    return class_targets.job(folder)


def passing(homework, folder, out, items, *, intake, notebook):
    return class_targets.scored()


def test_a_submission_gives_all_its_files(job):
    done = grade_job(job, passing)
    assert done.says == ""
    assert set(done.results) == {
        "score.json",
        "results.json",
        "junit.xml",
        "score.txt",
        "page.html",
    }
    assert from_json(done.results["score.json"].decode()) == class_targets.scored()
    assert json.loads(done.results["results.json"])["score"] == 4
    assert done.results["junit.xml"].startswith(b"<?xml")
    assert b"4 of 4 points reached" in done.results["score.txt"]
    page = done.results["page.html"].decode()
    assert "<title>alice: 4 of 4</title>" in page
    assert done.seconds >= 0


def test_the_grader_gets_the_copy_whose_digest_counts(job, monkeypatch):
    seen, taken = [], []

    def once(folder, scratch, **options):
        taken.append(take_in(folder, scratch, **options))
        return taken[-1]

    monkeypatch.setattr(module, "take_in", once)

    def grade(homework, folder, out, items, *, intake, notebook):
        seen.append((folder, items, intake))
        (intake.folder / "results/2b.npz").write_bytes(b"changed too late")
        return class_targets.scored()

    digest = grade_job(job, grade).digest
    ((folder, items, intake),) = seen
    assert taken == [intake]
    assert (folder, items) == (job.folder, class_targets.ITEMS)
    assert intake.files == ("results/2b.npz",)
    assert not intake.folder.exists(), "the copy is gone afterwards"
    assert grade_job(job, passing).digest == digest


def test_what_has_not_changed_is_not_graded_again(job):
    digest = grade_job(job, passing).digest

    def never(*arguments, **more):
        raise AssertionError

    done = grade_job(replace(job, previous=digest), never)
    assert (done.says, done.digest, done.results) == ("", digest, {})
    for changed in (replace(job, rubric="other"), replace(job, previous="other")):
        assert grade_job(changed, never).says.startswith("AssertionError")


def test_the_score_so_far_goes_where_the_task_says(job, tmp_path):
    outs = []

    def grade(homework, folder, out, items, *, intake, notebook):
        outs.append(out)
        return class_targets.scored()

    grade_job(replace(job, out=tmp_path / "out"), grade)
    grade_job(job, grade)
    assert outs[0] == tmp_path / "out"
    assert not outs[1].is_relative_to(tmp_path / "out")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (IntakeError("submission x: is\na link"), "submission x: is a link"),
        (ZeroDivisionError("of\x1b[31m this"), "ZeroDivisionError: of\\x1b[31m this (line "),
        (MemoryError(), "MemoryError: (line "),
        (OSError(5, "Input/output error"), "OSError: [Errno 5] Input/output error (line "),
    ],
)
def test_a_fault_is_the_reason_in_one_line(error, says, job):
    def grade(homework, folder, out, items, *, intake, notebook):
        raise error

    done = grade_job(job, grade)
    assert done.says.startswith(says)
    assert "\n" not in done.says
    assert done.results == {}


def test_no_folder_is_a_reason(tmp_path):
    done = grade_job(class_targets.job(tmp_path / "nobody"), passing)
    assert done.says.startswith(f"submission {tmp_path / 'nobody'}: cannot be opened")


def test_a_disk_that_is_full_is_nobody_s_fault(job):
    def grade(homework, folder, out, items, *, intake, notebook):
        raise file_io.WriteError("no room")

    with pytest.raises(file_io.WriteError):
        grade_job(job, grade)


def test_another_grader_refuses(job):
    with pytest.raises(GraderError, match="install the same version on both"):
        grade_job(replace(job, grader="another"), passing)


def test_the_project_s_own_grader_is_the_default_on_one_server_for_all(job, monkeypatch):
    opened = []

    class Server:
        def __init__(self, homework):
            assert homework is ASSIGNMENT

        def run(self, *arguments):
            opened.append(self)

        close = run

    def grade(homework, folder, out, items, *, run, intake, notebook):
        run()
        return class_targets.scored()

    monkeypatch.setattr(module, "open_server", Server)
    monkeypatch.setattr(module, "grade_submission", grade)
    monkeypatch.setattr(module, "_server", functools.cache(module._server.__wrapped__))
    assert [grade_job(job).says, grade_job(job).says] == ["", ""]
    assert len(opened) == 2
    assert opened[0] is opened[1]
