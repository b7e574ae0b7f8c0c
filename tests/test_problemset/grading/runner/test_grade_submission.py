"""Grading a submission: outcomes in the rubric's order, whatever happens to a check."""

import dataclasses
import shutil

import pytest
import torch
from class_targets import ITEMS
from isolated import FOLDERS, LINUX, servers

from latentwalk import paths
from latentwalk.assignment import ASSIGNMENT
from latentwalk.checks.registry import CHECKS
from problemset import assignment, rubric, workspace
from problemset.grading.results.formats import from_json
from problemset.grading.runner import run_check
from problemset.grading.runner.grade_submission import LIMITS, grade_submission, open_server
from problemset.grading.sandbox.isolation import Ended, Limits, Server
from problemset.grading.score.verdict import Verdict
from problemset.grading.submission.intake import IntakeError, take_in
from problemset.render.formats.pdf_reader import pdf_pages


def returned(passed, says="as it should be"):
    value = {"passed": passed, "says": says, "evidence": {"points": 10}}
    return Ended("returned", value, "", "", 1.0, 0)


@pytest.fixture
def submission(tmp_path):
    folder = tmp_path / "submission"
    (folder / "results").mkdir(parents=True)
    (folder / "results/2e.npz").write_bytes(b"no archive")
    return folder


def graded(submission, tmp_path, endings):
    """Grade with the checks' endings given; also what was asked of each check's process."""
    asked, waiting = [], list(endings)

    def run(target, arguments, limits):
        asked.append((target, arguments["check"]))
        return waiting.pop(0)

    return grade_submission(ASSIGNMENT, submission, tmp_path / "out", ITEMS, run=run), asked


def test_outcomes_follow_the_rubric(submission, tmp_path):
    score, asked = graded(submission, tmp_path, [returned(True), returned(False, "it is bent")])
    assert asked == [
        (run_check.run, "path_has_ten_inputs"),
        (run_check.run, "path_is_straight"),
    ]
    found = [(o.item, o.check, o.points, o.state) for o in score.outcomes]
    assert found == [
        ("2d", "path_has_ten_inputs", 1, "passed"),
        ("2d", "path_is_straight", 3, "failed"),
        ("3e", "reader", 4, "to be read"),
    ]
    assert score.outcomes[1].says == "it is bent"
    assert score.outcomes[0].evidence == {"points": 10}
    assert score.outcomes[2].says == "An answer that rests on measurements."
    assert (score.reached, score.possible) == (1, 4)


@pytest.mark.parametrize("state", ["crashed", "timed out", "out of memory", "raised", "too large"])
def test_a_check_that_could_not_be_carried_out_is_broken_and_costs_only_itself(
    state, submission, tmp_path
):
    broken = Ended(state, None, "no luck", "", 1.0, 0)
    score, _ = graded(submission, tmp_path, [broken, returned(True)])
    assert [o.state for o in score.outcomes] == ["broken", "passed", "to be read"]
    assert score.outcomes[0].says == f"could not be carried out ({state}): no luck"
    assert score.reached == 3


@pytest.mark.parametrize("threads", [1, 2])
def test_a_check_has_the_threads_that_are_told(threads, submission, monkeypatch):
    counts = {"counts": lambda _, __: Verdict(True, "", {"threads": torch.get_num_threads()})}
    homework = dataclasses.replace(ASSIGNMENT, checks=lambda: counts, prepare=lambda: None)
    monkeypatch.setattr(assignment, "load", lambda reference: homework)
    run_check.prepared.cache_clear()
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads))
    before = torch.get_num_threads()
    try:
        assert run_check.run("a:B", "counts", str(submission))["evidence"] == {"threads": threads}
    finally:
        torch.set_num_threads(before)
        run_check.prepared.cache_clear()


def test_the_reader_is_told_the_page(submission, tmp_path):
    shutil.copyfile(workspace.build_dir() / "report.pdf", submission / "report.pdf")
    score = grade_submission(ASSIGNMENT, submission, tmp_path / "out", ITEMS)
    says = score.outcomes[-1].says
    assert says.startswith("An answer that rests on measurements. (report.pdf, page ")
    number = int(says.removesuffix(")").rpartition(" ")[2])
    page = pdf_pages(submission / "report.pdf")[number - 1]
    assert "3e. Which path is smoother?" in page
    (submission / "report.pdf").write_bytes(b"no PDF")
    assert (
        "page"
        not in grade_submission(ASSIGNMENT, submission, tmp_path / "out", ITEMS).outcomes[-1].says
    )


def test_results_are_there_after_every_check(submission, tmp_path):
    def run(target, arguments, limits):
        if arguments["check"] == "path_is_straight":
            raise KeyboardInterrupt
        return returned(True)

    with pytest.raises(KeyboardInterrupt):
        grade_submission(ASSIGNMENT, submission, tmp_path / "out", ITEMS, run=run)
    saved = from_json((tmp_path / "out/score.json").read_text("utf-8"))
    assert [(o.check, o.state) for o in saved.outcomes] == [("path_has_ten_inputs", "passed")]


def test_a_check_sees_a_copy_and_the_reason_why_a_file_was_refused(submission, tmp_path):
    (submission / "results/2e.npz").unlink()
    (submission / "results/2e.npz").symlink_to("/etc/passwd")
    seen = []

    def run(target, arguments, limits):
        seen.append(arguments["folder"])
        return returned(False, "results/2e.npz is missing")

    score = grade_submission(ASSIGNMENT, submission, tmp_path / "out", ITEMS, run=run)
    assert str(submission) not in seen
    assert "(refused: " in score.outcomes[0].says
    assert "link" in score.outcomes[0].says


def test_what_was_taken_in_already_is_graded_as_it_was_then(submission, tmp_path):
    (submission / "results/2c.npz").symlink_to("/etc/passwd")
    intake = take_in(submission, tmp_path / "scratch")
    (submission / "results/2e.npz").write_bytes(b"changed too late")
    seen = []

    def run(target, arguments, limits):
        seen.append(arguments["folder"])
        return returned(False, "results/2c.npz is missing")

    score = grade_submission(
        ASSIGNMENT, submission, tmp_path / "out", ITEMS, run=run, intake=intake
    )
    assert set(seen) == {str(intake.folder)}
    assert "(refused: " in score.outcomes[0].says
    assert (intake.folder / "results/2e.npz").read_bytes() == b"no archive"


def test_no_folder_is_refused_with_one_line(tmp_path):
    with pytest.raises(IntakeError) as caught:
        grade_submission(ASSIGNMENT, tmp_path / "nothing", tmp_path / "out", ITEMS)
    assert "\n" not in str(caught.value)


def test_real_checks_run_in_their_own_processes(submission, tmp_path):
    score = grade_submission(
        ASSIGNMENT, submission, tmp_path / "out", ITEMS, limits=Limits(wall_seconds=300)
    )
    assert [o.state for o in score.outcomes] == ["failed", "failed", "to be read"]
    assert score.outcomes[0].says.startswith("results/2e.npz cannot be used: ")
    assert score.outcomes[1].says == "results/2c.npz is missing"


def test_one_server_grades_several(submission, tmp_path):
    with open_server(ASSIGNMENT) as server:
        runs = []

        def run(*given):
            runs.append(server.run(*given))
            return runs[-1]

        for out in ("first", "second"):
            grade_submission(ASSIGNMENT, submission, tmp_path / out, ITEMS, run=run)
            (process,) = servers()
            runs.append(process.pid)
    first, second = runs[:3], runs[3:]
    assert first[2] == second[2]
    assert [e.value["passed"] for e in (*first[:2], *second[:2])] == 4 * [False]


def test_a_judge_that_cannot_be_had_is_told_by_each_check(submission, tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTWALK_ROOT", str(tmp_path))
    monkeypatch.setenv("LATENTWALK_BUILD", str(tmp_path))
    score = grade_submission(ASSIGNMENT, submission, tmp_path / "out", ITEMS)
    assert [o.state for o in score.outcomes] == ["broken", "broken", "to be read"]
    assert {o.says for o in score.outcomes[:2]} == {
        "could not be carried out (crashed): could not be prepared: WeightsError: the "
        "classifier has no valid weights; run `latentwalk train classifier` first"
    }


class Probing(Server):
    _modules = r"isolation_targets|problemset\.grading\.runner\.run_check"
    _folders = FOLDERS


@pytest.mark.skipif(not LINUX, reason="servers prepare on Linux only")
def test_checks_find_judge_and_libraries_ready_and_nothing_open():
    prepare = [run_check.prepare]
    variables = {**paths.as_environment(), run_check.ASSIGNMENT: ASSIGNMENT.reference}
    with Probing(prepare, variables) as server:
        ready = server.run("isolation_targets:staff_is_ready", {}, LIMITS)
        traces = server.run("isolation_targets:traces", {}, LIMITS)
        (process,) = servers()
        assert process.num_threads() == 1, "a fork copies one thread only"
        assert process.num_fds() == 4  # input, output, errors, control
    assert ready.value == [True, 1]
    assert traces.value["descriptors"] == ["/dev/null", "pipe", "pipe", "pipe"]
    assert traces.peak_bytes < 0.75 * LIMITS.memory_bytes


def test_the_rubric_names_checks_that_there_are():
    rubric.load(known=CHECKS)
