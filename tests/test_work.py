"""One submission of a class: its result files, or the reason why there are none."""

import functools
import json
from dataclasses import replace

import class_targets
import pytest

from latentwalk.grading import finished, work
from latentwalk.grading.work import GraderError, carry_out
from problemset import file_io
from problemset.grading.results.formats import from_json
from problemset.grading.submission.intake import IntakeError, take_in


@pytest.fixture(autouse=True)
def _grader(monkeypatch):
    monkeypatch.setattr(finished, "grader", lambda: "the grader")


@pytest.fixture
def task(tmp_path):
    folder = tmp_path / "alice"
    (folder / "results").mkdir(parents=True)
    (folder / "results/2b.npz").write_bytes(b"no archive")
    return class_targets.task(folder)


def passing(folder, out, items, *, intake, notebook):
    return class_targets.scored()


def test_a_submission_gives_all_its_files(task):
    done = carry_out(task, passing)
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


def test_the_grader_gets_the_copy_whose_digest_counts(task, monkeypatch):
    seen, taken = [], []

    def once(folder, scratch):
        taken.append(take_in(folder, scratch))
        return taken[-1]

    monkeypatch.setattr(work, "take_in", once)

    def grade(folder, out, items, *, intake, notebook):
        seen.append((folder, items, intake))
        (intake.folder / "results/2b.npz").write_bytes(b"changed too late")
        return class_targets.scored()

    digest = carry_out(task, grade).digest
    ((folder, items, intake),) = seen
    assert taken == [intake]
    assert (folder, items) == (task.folder, class_targets.ITEMS)
    assert intake.files == ("results/2b.npz",)
    assert not intake.folder.exists(), "the copy is gone afterwards"
    assert carry_out(task, passing).digest == digest


def test_what_has_not_changed_is_not_graded_again(task):
    digest = carry_out(task, passing).digest

    def never(*arguments, **more):
        raise AssertionError

    done = carry_out(replace(task, known=digest), never)
    assert (done.says, done.digest, done.results) == ("", digest, {})
    for changed in (replace(task, rubric="other"), replace(task, known="other")):
        assert carry_out(changed, never).says.startswith("AssertionError")


def test_the_score_so_far_goes_where_the_task_says(task, tmp_path):
    outs = []

    def grade(folder, out, items, *, intake, notebook):
        outs.append(out)
        return class_targets.scored()

    carry_out(replace(task, out=tmp_path / "out"), grade)
    carry_out(task, grade)
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
def test_a_fault_is_the_reason_in_one_line(error, says, task):
    def grade(folder, out, items, *, intake, notebook):
        raise error

    done = carry_out(task, grade)
    assert done.says.startswith(says)
    assert "\n" not in done.says
    assert done.results == {}


def test_no_folder_is_a_reason(tmp_path):
    done = carry_out(class_targets.task(tmp_path / "nobody"), passing)
    assert done.says.startswith(f"submission {tmp_path / 'nobody'}: cannot be opened")


def test_a_disk_that_is_full_is_nobody_s_fault(task):
    def grade(folder, out, items, *, intake, notebook):
        raise file_io.WriteError("no room")

    with pytest.raises(file_io.WriteError):
        carry_out(task, grade)


def test_another_grader_refuses(task):
    with pytest.raises(GraderError, match="install the same on both"):
        carry_out(replace(task, grader="another"), passing)


def test_the_project_s_own_grader_is_the_default_on_one_server_for_all(task, monkeypatch):
    opened = []

    class Server:
        def run(self, *arguments):
            opened.append(self)

        close = run

    def grade(folder, out, items, *, run, intake, notebook):
        run()
        return class_targets.scored()

    monkeypatch.setattr(work, "open_server", Server)
    monkeypatch.setattr(work, "grade", grade)
    monkeypatch.setattr(work, "_server", functools.cache(work._server.__wrapped__))
    assert [carry_out(task).says, carry_out(task).says] == ["", ""]
    assert len(opened) == 2
    assert opened[0] is opened[1]
