"""Which results are complete, and that any change of what they rest on is seen."""

import functools
import json
from types import SimpleNamespace

import class_targets
import pytest

from problemset import assignment
from problemset.grading.batch import graded_results
from problemset.grading.results import formats
from problemset.grading.score.outcome import Score
from problemset.grading.submission.intake import take_in


def results(score=None):
    score = score or class_targets.scored()
    return {"score.json": formats.to_json(score).encode(), "page.html": b"<p>"}


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    graded_results.write(folder, "digest", 12.5, results())
    return folder


def test_complete_results_are_read_again(out):
    found = graded_results.read(out)
    assert (found.digest, found.seconds) == ("digest", 12.5)
    assert found.score == class_targets.scored()
    assert sorted(path.name for path in out.iterdir()) == ["graded.json", "page.html", "score.json"]


@pytest.mark.parametrize("name", ["graded.json", "page.html", "score.json"])
def test_results_with_a_file_missing_or_changed_are_not_complete(out, name):
    content = (out / name).read_bytes()
    (out / name).write_bytes(content[:-2])
    assert graded_results.read(out) is None
    (out / name).unlink()
    assert graded_results.read(out) is None
    (out / name).symlink_to("/dev/zero")
    assert graded_results.read(out) is None


@pytest.mark.parametrize(
    "record",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"version": 2}',
        '{"version": 1, "files": 3}',
        '{"version": 1, "files": ["score.json"]}',
        '{"version": 1, "files": {}}',
    ],
)
def test_another_record_is_not_believed(out, record):
    (out / "graded.json").write_text(record, "utf-8")
    assert graded_results.read(out) is None


def test_nothing_is_complete_in_a_folder_that_is_not_there(tmp_path):
    assert graded_results.read(tmp_path / "nowhere") is None


def test_an_interruption_leaves_nothing_that_looks_complete(out, monkeypatch):
    written = []

    def interrupt(target, content):
        written.append(target.name)
        if len(written) == 2:
            raise KeyboardInterrupt
        target.write_bytes(content)

    monkeypatch.setattr(graded_results.file_io, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        graded_results.write(out, "digest", 1.0, results(class_targets.scored("failed")))
    assert graded_results.read(out) is None


def test_results_of_which_no_check_was_carried_out_are_not_complete(out):
    broken = tuple(o for o in class_targets.scored("broken").outcomes if o.state != "passed")
    graded_results.write(out, "digest", 1.0, results(Score(broken)))
    assert (out / "score.json").is_file()
    assert not (out / "graded.json").exists(), "that of before said something else"
    assert graded_results.read(out) is None
    graded_results.write(out, "digest", 1.0, results(class_targets.scored("broken")))
    assert graded_results.read(out) is not None, "one check was carried out"


def test_results_for_a_reader_alone_are_complete(out):
    to_be_read = Score(class_targets.scored().outcomes[2:])
    graded_results.write(out, "digest", 1.0, results(to_be_read))
    assert graded_results.read(out).score == to_be_read


def test_a_score_that_is_none_is_not_written(out):
    with pytest.raises(ValueError, match="score"):
        graded_results.write(out, "new", 1.0, {"score.json": b'{"version": 9}'})
    assert graded_results.read(out).digest == "digest"


@pytest.fixture
def submission(tmp_path):
    folder = tmp_path / "submission"
    (folder / "results").mkdir(parents=True)
    (folder / "report.pdf").write_bytes(b"report")
    (folder / "results/2b.npz").write_bytes(b"arrays")
    return folder


def digest(submission, tmp_path, grader="grader", rubric="rubric"):
    return graded_results.digest(grader, rubric, take_in(submission, tmp_path / "scratch"))


CHANGES = {
    "content": lambda folder: (folder / "report.pdf").write_bytes(b"Report"),
    "a file more": lambda folder: (folder / "results/2c.npz").write_bytes(b""),
    "a file less": lambda folder: (folder / "results/2b.npz").unlink(),
    "another name": lambda folder: (folder / "results/2b.npz").rename(folder / "results/2e.npz"),
    "a file refused": lambda folder: (folder / "results/2c.npz").symlink_to("2b.npz"),
    "a file not looked at": lambda folder: (folder / "notes.txt").touch(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_digest_changes_with_what_is_graded(change, submission, tmp_path):
    before = digest(submission, tmp_path)
    assert digest(submission, tmp_path) == before, "where the private copy lies has no part in it"
    change(submission)
    assert digest(submission, tmp_path) != before


def test_the_digest_changes_with_rubric_and_grader(submission, tmp_path):
    found = {
        digest(submission, tmp_path),
        digest(submission, tmp_path, rubric="other"),
        digest(submission, tmp_path, grader="other"),
    }
    assert len(found) == 3


def test_another_source_version_or_judge_is_another_grader(tmp_path, monkeypatch):
    weights = ["weights"]
    homework = SimpleNamespace(packages=("toygrader",), identity=lambda: weights[0])
    monkeypatch.setattr(assignment, "load", lambda reference: homework)
    monkeypatch.setattr(graded_results, "version", lambda name: "1.0")
    package = tmp_path / "toygrader"
    (package / "grading").mkdir(parents=True)
    for name in ("__init__.py", "grading/page.css"):
        (package / name).write_text("1", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    grader = functools.partial(graded_results.grader.__wrapped__, "toygrader:ASSIGNMENT")
    found = [grader()]
    assert grader() == found[0]
    (package / "grading/page.css").write_text("2", "utf-8")
    found.append(grader())
    (package / "grading/new.py").touch()
    found.append(grader())
    weights[0] = "others"
    found.append(grader())
    monkeypatch.setattr(graded_results, "version", lambda name: "9.9")
    found.append(grader())
    weights[0] = ""
    found.append(grader())
    assert len(set(found)) == 6
    assert all(len(bytes.fromhex(each)) == 32 for each in found)


def test_the_record_is_readable_by_others(out):
    record = json.loads((out / "graded.json").read_text("ascii"))
    assert record.keys() == {"version", "digest", "seconds", "files"}
    assert record["files"].keys() == {"score.json", "page.html"}
