"""Folders for results and the table of a class, whatever the submissions are called."""

import csv
import io
import os
from dataclasses import replace
from pathlib import Path

import class_targets
import pytest

from problemset import file_io
from problemset.grading.batch import roster
from problemset.grading.batch.roster import Place, Row, places

ITEMS = class_targets.ITEMS


def names(*folders, out="out"):
    return [
        place.out.relative_to(out).as_posix() for place in places(map(Path, folders), Path(out))
    ]


def row(name="alice", straight="passed", says="", **more):
    place = Place(Path("/in") / name, name, Path("/out") / name)
    return Row(place, None if says else class_targets.scored(straight), 61.26, says, **more)


def test_a_folder_for_results_is_called_as_the_submission():
    assert names("/in/alice", "/in/bob b.", "/in/Émile", "/in/x/../c") == [
        "alice",
        "bob b-" + names("/in/bob b.")[0][-8:],
        "Émile",
        "c",
    ]


def test_submissions_of_one_name_lie_apart_and_keep_their_place():
    first, second, third = names("/a/work", "/b/work", "/c/other")
    assert third == "other"
    assert first != second
    assert {first[:5], second[:5]} == {"work-"}
    assert names("/c/other", "/b/work", "/a/work") == [third, second, first]
    assert len(set(names("/a/work", "/b/WORK"))) == 2, "some file systems take them for one"
    assert "-" in names("/a/work", "/b/WORK")[0]


def test_a_submission_cannot_take_another_one_s_place():
    taken = names("/a/work", "/b/work")[0]
    found = names("/a/work", "/b/work", f"/c/{taken}")
    assert len({name.casefold() for name in found}) == 3


def test_long_names_leave_room_for_the_digest(tmp_path):
    for place in places([Path("/a") / ("é" * 127), Path("/b") / ("é" * 127)], tmp_path):
        file_io.make_folder(place.out)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_submission_that_is_named_twice_is_there_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    assert names("a", "./a", str(tmp_path / "a"), "a/../a") == ["a"]
    assert [p.folder for p in places([Path("a")], Path("out"))] == [tmp_path / "a"]


def test_the_folder_one_is_in_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert names(".") == names(str(tmp_path))
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    assert names("..") == names(str(tmp_path))
    assert names("/")[0].startswith("submission-")


def test_a_link_keeps_its_own_name(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    assert places([tmp_path / "link"], Path("out"))[0].folder == tmp_path / "link"


@pytest.mark.parametrize(
    "name",
    [
        "<script>",
        "a\nb",
        "\x1b[31m",
        "..hidden",
        "class.csv",
        "class.txt",
        "x" * 250,
        "*",
        "-" * 99,
        "\udcff",
        "\u202etxt",
    ],
)
def test_no_name_is_too_odd(name, tmp_path):
    (place,) = places([Path("/in") / name], tmp_path)
    assert place.out.parent == tmp_path
    file_io.make_folder(place.out)
    assert place.out.name not in ("class.csv", "class.txt")
    assert place.name.isprintable()
    assert os.fspath(place.folder) == f"/in/{name}"


def read_csv(rows):
    return list(csv.reader(io.StringIO(roster.as_csv(rows, ITEMS))))


def test_a_line_a_submission():
    heads, *lines = read_csv(
        [row(), row("bob", "failed"), row("carol", "broken"), row("dan", says="no folder")]
    )
    assert heads == [
        "submission",
        "2d",
        "3e",
        "reached",
        "possible",
        "awaiting",
        "broken checks",
        "seconds",
        "results",
        "not graded",
    ]
    assert lines == [
        ["alice", "4", "", "4", "4", "4", "0", "61.3", "/out/alice", ""],
        ["bob", "1", "", "1", "4", "4", "0", "61.3", "/out/bob", ""],
        ["carol", "1", "", "1", "4", "4", "1", "61.3", "/out/carol", ""],
        ["dan", "", "", "", "", "", "", "61.3", "", "no folder"],
    ]


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", " =", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_no_cell_is_a_formula(start):
    text = f'{start}cmd|" /C calc"!A0, x'
    _, line, other = read_csv([row(text), row("dan", says=text)])
    assert line[0] == other[-1] == f"'{text}"
    assert line[8] == f"/out/{text}"


def test_a_name_with_tabs_and_lines_stays_in_its_cell():
    (place,) = places([Path("/in/\t=1+1\r\nx")], Path("/out"))
    _, line = read_csv([replace(row(), place=place)])
    assert line[0] == r"\t=1+1\r\nx"


def test_the_table_aligns_and_sums_up():
    rows = [row(), row("bob", "broken", kept=True), row("dan", says="no folder")]
    lines = roster.as_text(rows, ITEMS).splitlines()
    assert lines[0].split() == ["submission", "2d", "3e", "reached", "reader", "broken", "seconds"]
    assert lines[1].split() == ["alice", "4", "?", "4", "of", "4", "4", "-", "61"]
    assert lines[2].split() == ["bob", "1", "?", "1", "of", "4", "4", "1", "61"]
    assert lines[3].split() == ["dan", "not", "graded:", "no", "folder"]
    assert len(lines[0]) == len(lines[1]) == len(lines[2])
    assert lines[5:] == [
        "2 of 3 graded, 1 of them before",
        "points by the checks: median 2.5, 1 to 4 of 4",
        "1 checks not carried out, in 1",
        "1 not graded",
    ]


def test_submissions_of_one_name_are_told_apart_in_the_table():
    same = [
        replace(row("work"), place=place)
        for place in places([Path("/a/work"), Path("/b/work")], Path("/out"))
    ]
    text = roster.as_text([*same, row()], ITEMS)
    for each in same:
        assert f"work: {each.place.folder}, results in {each.place.out}" in text
    assert "alice: " not in text


def test_a_long_name_is_cut_in_the_table():
    line = roster.as_text([row("x" * 60)], ITEMS).splitlines()[1]
    assert line.split()[0] == "x" * 21 + "..."


def test_nobody_graded_is_a_table_too():
    assert roster.as_text([row(says="gone")], ITEMS).splitlines()[-2:] == [
        "0 of 1 graded",
        "1 not graded",
    ]


def test_both_files_are_written(tmp_path):
    text = roster.write(tmp_path, [row("Émile")], ITEMS)
    assert (tmp_path / "class.txt").read_text("utf-8") == text
    assert (tmp_path / "class.csv").read_bytes().startswith(b"submission,2d,3e,")
    assert "Émile".encode() in (tmp_path / "class.csv").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["class.csv", "class.txt"]
