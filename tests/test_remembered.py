"""A check is carried out again exactly where a file that it reads has changed."""

import re
from pathlib import Path

import pytest
from remembered import remembered

from latentwalk.checks import networks as submissions
from problemset.grading.submission import opened
from problemset.grading.submission.opened import Submission, SubmissionError


@pytest.fixture
def folder(tmp_path):
    for name in ("first", "second", "third"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture
def calls():
    return []


@pytest.fixture
def check(calls):
    """Reads the first file, and the second where the first asks for it."""

    def reads(submission, staff):
        calls.append(submission.folder)
        text = submission.file("first").read_text()
        if text == "go on":
            text += submission.file("second").read_text()
        if not text:
            raise SubmissionError("the first is empty")
        return text

    return remembered(reads)


def test_a_file_that_is_not_read_changes_nothing(folder, check, calls):
    assert check(Submission(folder), None) == "first"
    (folder / "second").write_text("other")
    (folder / "third").unlink()
    assert check(Submission(folder), None) == "first"
    assert len(calls) == 1


def test_a_file_that_is_read_counts(folder, check, calls):
    check(Submission(folder), None)
    (folder / "first").write_text("go on")
    assert check(Submission(folder), None) == "go onsecond"
    (folder / "second").write_text(" and on")
    assert check(Submission(folder), None) == "go on and on"
    (folder / "first").write_text("first")
    assert check(Submission(folder), None) == "first"
    assert len(calls) == 3


def test_a_fault_is_remembered(folder, check, calls):
    (folder / "first").write_text("")
    for _ in range(2):
        with pytest.raises(SubmissionError, match="the first is empty"):
            check(Submission(folder), None)
    assert len(calls) == 1


def test_a_missing_file_is_another_than_an_empty_one(folder):
    check = remembered(lambda submission, staff: submission.file("first").exists())
    (folder / "first").write_text("")
    assert check(Submission(folder), None)
    (folder / "first").unlink()
    assert not check(Submission(folder), None)


def test_what_a_remembered_part_read_counts_for_the_whole(folder, check, calls):
    whole = remembered(lambda submission, staff: check(submission, staff).upper())
    assert check(Submission(folder), None) == "first"
    assert whole(Submission(folder), None) == "FIRST"
    assert len(calls) == 1
    (folder / "first").write_text("other")
    assert whole(Submission(folder), None) == "OTHER"


def test_a_submission_is_read_in_one_place():
    """Else a check could read what is not noted."""
    package = Path(submissions.__file__).parent
    code = [Path(opened.__file__), *(p for p in package.glob("*.py") if p.stem != "thumbnails")]
    uses = [
        line.strip()
        for file in code
        for line in file.read_text("utf-8").splitlines()
        if re.search(r"\.folder\b", line)
    ]
    assert uses == ["return self.folder / name"]
