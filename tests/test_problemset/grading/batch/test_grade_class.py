"""A class in one process: each graded once, the table kept up to date, a command that goes on."""

import contextlib
import csv
import functools
import sys

import class_targets
import pytest
from listening import listening

from latentwalk import cli
from problemset import file_io
from problemset.assignment import PackError
from problemset.commands import grade as command
from problemset.grading.batch import grade_class, graded_results, roster
from problemset.grading.batch.grade_job import grade_job
from problemset.grading.batch.job import JobResult
from problemset.grading.hand_in import packing


class Grader:
    """Does with each submission what its report says, and notes whom it has seen."""

    def __init__(self):
        self.seen = []

    def __call__(self, homework, folder, out, items, *, intake, notebook):
        self.seen.append(folder.name)
        report = intake.folder / "report.ipynb"
        does = report.read_text("utf-8") if report.exists() else ""
        if does == "raise":
            raise ZeroDivisionError("here")
        if does == "interrupt":
            raise KeyboardInterrupt
        return class_targets.scored("failed" if does == "bent" else "passed")


@pytest.fixture
def grader(monkeypatch):
    monkeypatch.setattr(graded_results, "grader", lambda reference: "the grader")
    return Grader()


@pytest.fixture
def handed_in(tmp_path):
    """Makes submissions, each with what its report says."""

    def make(**reports):
        for name, report in reports.items():
            folder = tmp_path / "in" / name
            (folder / "results").mkdir(parents=True, exist_ok=True)
            (folder / "report.ipynb").write_text(report, "utf-8")
        return sorted((tmp_path / "in").iterdir())

    return make


@pytest.fixture
def grade(grader, tmp_path):
    """Grades folders; gives the rows and all that was said."""

    def run(folders, rubric="the rubric", **more):
        out = tmp_path / "out"
        with listening() as said:
            rows = grade_class.grade_class(
                class_targets.REFERENCE,
                roster.places(folders, out),
                out,
                class_targets.ITEMS,
                rubric,
                grader=functools.partial(grade_job, grade=grader),
                **more,
            )
        return rows, said

    return run


def table(tmp_path):
    with (tmp_path / "out/class.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_has_its_files_and_a_row(handed_in, grade, tmp_path):
    rows, said = grade(handed_in(alice="", bob="bent"))
    assert [(row.place.name, row.score.reached, row.kept) for row in rows] == [
        ("alice", 4, False),
        ("bob", 1, False),
    ]
    expected = {"graded.json", "junit.xml", "page.html", "results.json", "score.json", "score.txt"}
    for name in ("alice", "bob"):
        assert {path.name for path in (tmp_path / "out" / name).iterdir()} == expected
    assert [(row["submission"], row["reached"]) for row in table(tmp_path)] == [
        ("alice", "4"),
        ("bob", "1"),
    ]
    assert said[0] == "grading 2 submissions"
    assert said[1].startswith("1 of 2: alice: 4 of 4 points (0 s), results in ")


def test_one_alone_has_no_table(handed_in, grade, tmp_path):
    grade(handed_in(alice=""))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["alice"]


def test_a_broken_submission_costs_only_itself(handed_in, grade, tmp_path):
    folders = handed_in(alice="raise", carol="")
    (tmp_path / "in/bob").write_text("a file", "utf-8")
    folders = [folders[0], tmp_path / "in/bob", folders[1], tmp_path / "in/nobody"]
    rows, _ = grade(folders)
    assert [row.score is not None for row in rows] == [False, False, True, False]
    reasons = [row["not graded"] for row in table(tmp_path)]
    assert reasons[0].startswith("ZeroDivisionError: here (line ")
    assert "is a file, expected a folder" in reasons[1]
    assert reasons[2] == ""
    assert "No such file" in reasons[3]
    assert not (tmp_path / "out/alice").exists()


def test_what_has_not_changed_is_kept(handed_in, grade, grader):
    folders = handed_in(alice="", bob="")
    first, _ = grade(folders)
    handed_in(bob="bent")
    rows, said = grade(folders)
    assert grader.seen == ["alice", "bob", "bob"]
    assert [row.kept for row in rows] == [True, False]
    assert rows[0].seconds == pytest.approx(first[0].seconds)
    assert "graded before" in said[1]
    assert [row.score.reached for row in rows] == [4, 1]


def test_everything_is_graded_again_when_asked_or_by_another_rubric_or_grader(
    handed_in, grade, grader, monkeypatch
):
    folders = handed_in(alice="")
    for more in ({}, {"again": True}, {"rubric": "another"}, {"rubric": "another"}):
        grade(folders, **more)
    assert len(grader.seen) == 3
    monkeypatch.setattr(graded_results, "grader", lambda reference: "a newer grader")
    grade(folders, rubric="another")
    assert len(grader.seen) == 4


def test_what_is_half_finished_is_graded_anew(handed_in, grade, grader, tmp_path):
    folders = handed_in(alice="")
    grade(folders)
    (tmp_path / "out/alice/page.html").unlink()
    grade(folders)
    assert grader.seen == ["alice", "alice"]


def test_an_interrupted_class_goes_on(handed_in, grade, grader, tmp_path):
    folders = handed_in(alice="", bob="interrupt", carol="")
    with pytest.raises(KeyboardInterrupt):
        grade(folders)
    assert [row["submission"] for row in table(tmp_path)] == ["alice"]
    handed_in(bob="")
    rows, _ = grade(folders)
    assert grader.seen == ["alice", "bob", "bob", "carol"]
    assert [row.kept for row in rows] == [True, False, False]
    assert len(table(tmp_path)) == 3


def test_the_table_is_written_after_each_in_the_order_of_the_command(handed_in, grade, tmp_path):
    seen = []

    def backwards(jobs, grader):
        for n in reversed(range(len(jobs))):
            assert jobs[n].out is None, "only the process that coordinates writes"
            yield n, grader(jobs[n])
            seen.append([row["submission"] for row in table(tmp_path)])

    rows, _ = grade(handed_in(alice="", bob="", carol=""), grade_all=backwards)
    assert seen == [["carol"], ["bob", "carol"], ["alice", "bob", "carol"]]
    assert [row.place.name for row in rows] == ["alice", "bob", "carol"]


def test_results_that_cannot_be_written_end_it(handed_in, grade, tmp_path):
    (tmp_path / "out").write_text("no folder", "utf-8")
    with pytest.raises(file_io.WriteError):
        grade(handed_in(alice="", bob=""))


# the command


@pytest.fixture
def latentwalk(grader, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(command, "grader", lambda: functools.partial(grade_job, grade=grader))

    def run(*words):
        code = cli.main(["grade", *map(str, words), "--out", str(tmp_path / "out")])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_command_prints_the_table_of_a_class(handed_in, latentwalk, tmp_path):
    code, out, err = latentwalk(*handed_in(alice="", bob="bent"))
    assert code == 0
    assert (tmp_path / "out/class.txt").read_text("utf-8") in out
    assert out.endswith(f"the table in {tmp_path / 'out/class.csv'}\n")
    assert "2 of 2: bob: 1 of 4 points" in err


def test_the_command_prints_the_checks_of_one(handed_in, latentwalk, tmp_path):
    code, out, _ = latentwalk(*handed_in(alice="bent"))
    assert code == 0
    assert out.startswith(f"alice (0 s), results in {tmp_path / 'out/alice'}\nitem  state")
    assert "graded before" in latentwalk(*handed_in(alice="bent"))[1]
    assert "graded before" not in latentwalk(*handed_in(alice="bent"), "--again")[1]


def test_a_broken_submission_is_exit_code_1(handed_in, latentwalk, tmp_path):
    (alice,) = handed_in(alice="")
    code, out, _ = latentwalk(alice, tmp_path / "nobody")
    assert code == 1
    assert "1 of 2 graded" in out
    (tmp_path / "alice.zip").write_bytes(b"PK")
    code, out, _ = latentwalk(tmp_path / "alice.zip")
    assert code == 1
    assert out.startswith("alice.zip: not graded: submission ")


def test_a_name_of_nothing_is_refused_with_what_to_do(handed_in, latentwalk, tmp_path):
    (alice,) = handed_in(alice="")
    code, out, err = latentwalk(alice.with_name("alcie"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"there is no folder {alice.with_name('alcie')}; did you mean `alice`?" in err
    assert "`latentwalk grade` alone grades your own report" in err
    assert "there is no folder x/y; name a submission" in latentwalk("x/y")[2]
    assert latentwalk(alice)[0] == 0


def test_without_a_folder_the_own_report_is_packed_and_graded(latentwalk, tmp_path, monkeypatch):
    def pack(assignment, folder):
        folder.mkdir()
        (folder / "report.ipynb").write_text("mine", "utf-8")
        return packing.Packed(folder, ("report.ipynb",), ())

    monkeypatch.setenv("LATENTWALK_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(packing, "pack", pack)
    old = tmp_path / "build" / "submission" / "old"
    old.mkdir(parents=True)
    code, out, _ = latentwalk()
    assert code == 0
    assert out.startswith("submission (")
    assert not old.exists()
    assert (tmp_path / "build" / "submission" / "report.ipynb").read_text("utf-8") == "mine"

    def refuse(assignment, folder):
        raise PackError("build has no report")

    monkeypatch.setattr(packing, "pack", refuse)
    assert latentwalk()[0] == 2
    assert old.parent.is_dir(), "what was packed before stays"


def test_two_of_one_name_are_graded_apart(latentwalk, tmp_path):
    for term in ("fall", "spring"):
        (tmp_path / term / "work").mkdir(parents=True)
    code, _, _ = latentwalk(tmp_path / "fall/work", tmp_path / "spring/work")
    assert code == 0
    assert len({row["results"] for row in table(tmp_path)}) == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a", "--wrokers", "2"], "there is no option --wrokers; did you mean `--workers`?"),
        (["a", "--workers", "0"], "--workers is 0, expected 1 ... 256"),
        (["a", "--workers", "2", "--scheduler", "tcp://x"], "--workers is for this machine"),
        (["a", "--rubric", "nowhere.yml"], "nowhere.yml cannot be read"),
    ],
)
def test_a_mistake_is_one_line(latentwalk, words, says):
    code, out, err = latentwalk(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


@pytest.mark.parametrize("words", [["--workers", "2"], ["--scheduler", "tcp://localhost:1"]])
def test_without_dask_one_line_says_what_to_install(handed_in, latentwalk, monkeypatch, words):
    monkeypatch.setitem(sys.modules, "distributed", None)
    code, out, err = latentwalk(*handed_in(alice=""), *words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "pip install -c constraints.txt -e '.[class]'" in err


def test_the_options_say_who_works(monkeypatch):
    asked = []

    @contextlib.contextmanager
    def holding(what):
        asked.append(what)
        yield "client"

    monkeypatch.setattr(command.cluster, "local", holding)
    monkeypatch.setattr(command.cluster, "existing", holding)
    for workers, scheduler in ((3, ""), (1, "tcp://x:1"), (1, "")):
        with command.hold_workers(workers, scheduler, 7.0) as found:
            pass
    assert asked == [3, "tcp://x:1"]
    assert found is grade_class.one_by_one


def test_a_submission_that_takes_all_its_time_does_not_hang():
    checks = sum(len(item.checks) for item in class_targets.ITEMS)
    assert command.limit_seconds(class_targets.ITEMS) > 600 + checks * 120


@pytest.mark.parametrize("results", [{}, {"score.json": b"{}"}, {"score.json": b"\xff"}])
def test_what_comes_back_without_a_score_is_a_row_with_the_reason(handed_in, grade, results):
    def damaged(jobs, grader):
        yield 0, JobResult(digest="of something else", results=results)

    (row,), _ = grade(handed_in(alice=""), grade_all=damaged)
    assert row.score is None
    assert row.says.startswith("the results came back damaged: ")
