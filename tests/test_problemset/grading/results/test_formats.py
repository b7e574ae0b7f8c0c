import functools
import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from gradescope_schema import GRADESCOPE_SCHEMA
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from problemset import file_io
from problemset.grading.results import formats
from problemset.grading.sandbox import isolation
from problemset.grading.score.outcome import STATES, CheckOutcome, Score

PASSED = CheckOutcome(
    "gan-samples",
    "2d",
    "Samples look like digits",
    2.5,
    "passed",
    "97 % are read as digits, expected at least 90 %.",
    {"share": 0.97, "counts": [1, 2]},
)
FAILED = replace(PASSED, check="gan-path", item="2e", state="failed", points=4, says="5 of 7.")
BROKEN = replace(PASSED, check="vae", item="3a", state="broken", points=8.0, says="timed out")
READ = replace(
    PASSED,
    check="reading",
    item="3e",
    state="to be read",
    points=4,
    evidence={},
    title="Comparison in words",
    says="Compare the two walks.",
)
SCORE = Score((PASSED, FAILED, BROKEN, READ))
NASTY = "\x00\x1b[2J\ud800\ufffe bell\x07 <&\"'>\r\n]]> \u202e\u2028end\x85"


def outcomes():
    text = st.text(st.characters(), min_size=1, max_size=120).filter(str.strip)
    leaf = st.none() | st.booleans() | st.integers() | st.text()
    leaf |= st.floats(allow_nan=False, allow_infinity=False)
    json_values = st.recursive(
        leaf, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
    )
    return st.builds(
        CheckOutcome,
        check=text,
        item=text,
        title=text,
        points=st.floats(0, 1000),
        state=st.sampled_from(STATES),
        says=text,
        evidence=st.dictionaries(st.text(), json_values, max_size=3),
    )


def scores():
    unique = st.lists(outcomes(), max_size=5, unique_by=lambda o: (o.item, o.check))
    return unique.map(tuple).map(Score)


many = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": "ok"}, "state is 'ok'"),
        ({"points": -1}, "points is -1, expected 0 or more"),
        ({"points": float("nan")}, "points is nan"),
        ({"points": float("inf")}, "points is inf"),
        ({"points": True}, "points is True"),
        ({"points": "4"}, "points is '4'"),
        ({"says": ""}, "says is '', expected text"),
        ({"title": " "}, "title is ' ', expected text"),
        ({"item": 2}, "item is 2, expected text"),
        ({"check": None}, "check None: check is None"),
        ({"evidence": {"x": float("nan")}}, "evidence is not JSON: Out of range"),
        ({"evidence": {"x": {1}}}, "evidence is not JSON: Object of type set"),
        ({"evidence": {"x": (1, 2)}}, "evidence is not a dict that JSON keeps as it is"),
        ({"evidence": {1: 2}}, "evidence is not a dict that JSON keeps as it is"),
        ({"evidence": [1]}, "evidence is not a dict that JSON keeps as it is"),
    ],
)
def test_an_outcome_that_cannot_be_is_refused(change, words):
    with pytest.raises(ValueError, match="check ") as caught:
        replace(PASSED, **change)
    assert words in str(caught.value)


def test_a_check_counts_once_for_an_item():
    with pytest.raises(ValueError, match="occur twice: 2d gan-samples; expected each once"):
        Score((PASSED, FAILED, replace(PASSED, points=1)))
    assert Score((PASSED, replace(PASSED, item="2e"))).reached == 5.0


def test_only_passed_checks_earn_points_and_readers_have_their_own():
    assert (SCORE.reached, SCORE.possible, SCORE.awaiting) == (2.5, 14.5, 4.0)
    assert (Score().reached, Score().possible, Score().awaiting) == (0, 0, 0)
    tenths = Score(tuple(replace(PASSED, check=str(n), points=0.1) for n in range(10)))
    assert tenths.reached == 1.0


def test_gradescope_s_form():
    content = formats.gradescope(SCORE, 12.5)
    assert content["score"] == 2.5
    assert content["execution_time"] == 12.5
    assert content["output"] == (
        "4 points await a reader. 1 check could not be carried out; please look at the cause."
    )
    passed, failed, broken, read = content["tests"]
    assert passed == {
        "name": "Samples look like digits (gan-samples)",
        "number": "2d",
        "score": 2.5,
        "max_score": 2.5,
        "status": "passed",
        "output": PASSED.says,
        "output_format": "text",
        "visibility": "visible",
    }
    assert (failed["score"], failed["max_score"], failed["status"]) == (0, 4, "failed")
    assert (broken["score"], broken["max_score"], broken["status"]) == (0, 8, "failed")
    assert broken["output"] == "The check could not be carried out: timed out"
    assert failed["output"] == "5 of 7."
    assert not {"score", "max_score", "status"} & read.keys(), "it would be shown as judged"
    assert read["output"] == "4 points await a reader. Compare the two walks."


@functools.cache
def validator():
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(GRADESCOPE_SCHEMA)
    return jsonschema.Draft202012Validator(GRADESCOPE_SCHEMA)


def validate(content):
    """Place and rule of each error."""
    return [(list(e.absolute_path), e.validator) for e in validator().iter_errors(content)]


@many
@given(scores(), st.floats(0, 1e6))
def test_gradescope_s_form_is_valid_and_adds_up(score, seconds):
    content = json.loads(json.dumps(formats.gradescope(score, seconds), allow_nan=False))
    assert validate(content) == []
    tests = [test for test in content["tests"] if "score" in test]
    assert content["score"] == pytest.approx(sum(test["score"] for test in tests))
    assert score.possible == pytest.approx(sum(test["max_score"] for test in tests))
    assert all(0 <= test["score"] <= test["max_score"] for test in tests)
    # without a status Gradescope would call what has all of 0 points passed
    assert all("status" in test for test in tests)
    always = {"name", "number", "output", "output_format", "visibility"}
    assert all(test.keys() >= always for test in content["tests"])
    texts = [text for test in content["tests"] for text in test.values() if isinstance(text, str)]
    "".join(texts).encode("utf-8")  # half a surrogate pair would raise
    assert not set("".join(texts)) & set("\x00\x1b\x07")


@pytest.mark.parametrize(
    ("change", "place", "rule"),
    [
        (lambda c: [c.pop(name) for name in ("score", "tests")], [], "anyOf"),
        (lambda c: c.update(score="2"), ["score"], "type"),
        (lambda c: c.update(score=True), ["score"], "type"),
        (lambda c: c.update(execution_time=-1), ["execution_time"], "minimum"),
        (lambda c: c.update(execution_time="1.0"), ["execution_time"], "type"),
        (lambda c: c.update(extra=1), [], "additionalProperties"),
        (lambda c: c.update(extra_data=[]), ["extra_data"], "type"),
        (lambda c: c.update(output=None), ["output"], "type"),
        (lambda c: c.update(output_format="markdown"), ["output_format"], "enum"),
        (lambda c: c.update(test_name_format=1), ["test_name_format"], "enum"),
        (lambda c: c.update(stdout_visibility="shown"), ["stdout_visibility"], "enum"),
        (lambda c: c.update(leaderboard=[{"name": "FID"}]), ["leaderboard", 0], "required"),
        (
            lambda c: c.update(leaderboard=[{"name": "FID", "value": 1, "order": "up"}]),
            ["leaderboard", 0, "order"],
            "enum",
        ),
        (lambda c: c["tests"][0].update(status="broken"), ["tests", 0, "status"], "enum"),
        (lambda c: c["tests"][0].update(number=1.1), ["tests", 0, "number"], "type"),
        (lambda c: c["tests"][0].update(tags="a"), ["tests", 0, "tags"], "type"),
        (lambda c: c["tests"][1].update(max_score=None), ["tests", 1, "max_score"], "type"),
        (lambda c: c["tests"][3].update(points=4), ["tests", 3], "additionalProperties"),
    ],
)
def test_the_schema_notices(change, place, rule):
    content = formats.gradescope(SCORE, 1.0)
    assert validate(content) == []
    change(content)
    assert validate(content) == [(place, rule)]


def test_the_specification_s_own_examples_are_valid():
    """Every field that the page named in `formats` shows, with the values that it shows."""
    test = {
        "score": 2.0,
        "max_score": 2.0,
        "status": "passed",
        "name": "Your name here",
        "name_format": "text",
        "number": "1.1",
        "output": "many\nlines",
        "output_format": "text",
        "tags": ["tag1", "tag2"],
        "visibility": "visible",
        "extra_data": {},
    }
    whole = {
        "score": 44.0,
        "execution_time": 136,
        "output": "Text",
        "output_format": "simple_format",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "after_due_date",
        "stdout_visibility": "visible",
        "extra_data": {},
        "tests": [test],
        "leaderboard": [
            {"name": "Accuracy", "value": 0.926},
            {"name": "Time", "value": 15.1, "order": "asc"},
            {"name": "Stars", "value": "*****"},
        ],
    }
    schema = GRADESCOPE_SCHEMA
    assert schema["properties"].keys() == whole.keys()
    assert schema["properties"]["tests"]["items"]["properties"].keys() == test.keys()
    informational = {"tests": [{"name": "Compilation check", "status": "passed"}]}
    for content in (whole, informational, {"score": -1}, {"tests": [{"score": 5}]}):
        assert validate(content) == []


def test_junit_tells_failed_from_broken_from_unread():
    text = formats.junit(SCORE, "course")
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n')
    (suite,) = ET.fromstring(text.encode("utf-8"))
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert counts == ["4", "1", "1", "1"]
    cases = suite.findall("testcase")
    assert [(c.get("classname"), c.get("name")) for c in cases] == [
        (o.item, o.check) for o in SCORE.outcomes
    ]
    found = [[part.tag for part in case] for case in cases]
    kinds = ["failure", "error", "skipped"]
    assert found == [["system-out"], *([kind, "system-out"] for kind in kinds)]
    assert cases[1][0].get("message") == "Samples look like digits: 5 of 7."
    assert cases[0][0].text.startswith("2.5 of 2.5 points\nSamples")
    assert cases[3][1].text.startswith("0 of 4 points\n")


@many
@given(scores())
def test_junit_is_well_formed_whatever_the_texts(score):
    suites = ET.fromstring(formats.junit(score, "course").encode("utf-8"))
    assert len(suites[0]) == len(score.outcomes)


def test_texts_that_want_to_be_more_than_text():
    score = Score((replace(FAILED, says=NASTY, title=NASTY, check=NASTY),))
    (case,) = ET.fromstring(formats.junit(score, "course").encode("utf-8"))[0]
    assert case[0].get("message").startswith("[2J bell <&\"'>")
    assert case.get("name").endswith("end\x85"), "XML allows it"
    table = formats.text_table(score)
    assert len(table.splitlines()) == 3, table
    assert {c for c in table if not c.isprintable()} == {"\n", "\ufffe"}
    assert "[2J" in table
    assert "bell <&\"'> ]]> end" in table


def test_the_table():
    long = replace(FAILED, check="long", says="word " * 60 + "z" * 150)
    lines = formats.text_table(Score((*SCORE.outcomes, long))).splitlines()
    assert lines[:5] == [
        "item  state           points  what was found (claim: what was expected)",
        "2d    passed      2.5 of 2.5  97 % are read as digits, expected at least 90 %. (claim: "
        "Samples look",
        "                              like digits)",
        "2e    failed          0 of 4  5 of 7. (claim: Samples look like digits)",
        "3a    broken          0 of 8  timed out (claim: Samples look like digits)",
    ]
    assert lines[5] == "3e    to be read      ? of 4  Comparison in words: Compare the two walks."
    assert lines[-1] == "2.5 of 18.5 points reached, 4 await a reader"
    assert max(map(len, lines)) <= 100
    assert sum(line.count("word") for line in lines[6:]) == 60
    assert sum(line.count("z") for line in lines[6:-1]) == 150


def test_an_empty_table():
    assert formats.text_table(Score()) == (
        "item  state  points  what was found (claim: what was expected)\n"
        "0 of 0 points reached, 0 await a reader\n"
    )


@many
@given(scores())
def test_the_table_has_at_most_100_columns(score):
    short = tuple(replace(o, item=o.item[:5].strip() or "1a") for o in score.outcomes)
    once = {(o.item, o.check): o for o in short}.values()
    table = formats.text_table(Score(tuple(once)))
    assert max(map(len, table.splitlines())) <= 100
    table.encode("utf-8")


@many
@given(scores())
def test_json_comes_back_as_it_was(score):
    text = formats.to_json(score)
    text.encode("ascii")
    assert formats.from_json(text) == score


def damaged(change):
    content = json.loads(formats.to_json(SCORE))
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Expecting value"),
        ("[1]", "expected a score, an object of version 1"),
        (damaged(lambda c: c.update(version=2)), "expected a score"),
        (damaged(lambda c: c.pop("outcomes")), "outcomes: expected a list of objects with check"),
        (damaged(lambda c: c.update(outcomes={})), "outcomes: expected a list"),
        (damaged(lambda c: c["outcomes"].append(1)), "outcomes: expected a list"),
        (damaged(lambda c: c["outcomes"][0].pop("says")), "outcomes: expected a list"),
        (damaged(lambda c: c["outcomes"][0].update(more=1)), "outcomes: expected a list"),
        (damaged(lambda c: c["outcomes"][0].update(state="won")), "state is 'won'"),
        (damaged(lambda c: c["outcomes"].pop()), "awaiting is 4.0, but the outcomes add up to 0"),
        (damaged(lambda c: c.update(reached=14.5)), "reached is 14.5, but the outcomes add up"),
        (damaged(lambda c: c.pop("possible")), "possible is None, but the outcomes add up"),
        ("[" * 100_000, "score is nested too deep"),
    ],
)
def test_json_that_is_no_score_is_refused(text, words):
    with pytest.raises(ValueError, match=r".") as caught:
        formats.from_json(text)
    assert words in str(caught.value)


def test_the_file_is_up_to_date_after_each_check(tmp_path):
    path = tmp_path / "new" / "score.json"
    record = formats.write_after_each(path)
    assert formats.from_json(path.read_text("utf-8")) == Score(), "an older one is not this run's"
    for number, outcome in enumerate(SCORE.outcomes, 1):
        score = record(outcome)
        assert score == Score(SCORE.outcomes[:number])
        assert formats.from_json(path.read_text("utf-8")) == score
    assert [p.name for p in path.parent.iterdir()] == ["score.json"]


def test_a_refused_outcome_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "score.json"
    record = formats.write_after_each(path)
    record(PASSED)
    with pytest.raises(ValueError, match="occur twice"):
        record(PASSED)
    monkeypatch.setattr(os, "replace", lambda *names: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(file_io.WriteError, match="full"):
        record(FAILED)
    monkeypatch.undo()
    assert formats.from_json(path.read_text("utf-8")) == Score((PASSED,))
    assert record(BROKEN) == Score((PASSED, BROKEN)), "what was not written is not in the score"


def test_a_killed_grader_leaves_what_it_has_found(tmp_path):
    program = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from problemset.grading.results import formats\n"
        "from problemset.grading.score import outcome\n"
        "record = formats.write_after_each(Path(sys.argv[2]))\n"
        "record(outcome.CheckOutcome('one', '2a', 'One', 1, 'passed', 'It is.'))\n"
        "os.kill(os.getpid(), 9)"
    )
    path = tmp_path / "score.json"
    (folder,) = isolation.Server._folders
    ended = subprocess.run([sys.executable, "-c", program, folder, path], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert formats.from_json(path.read_text("utf-8")).reached == 1


def test_these_layers_are_quick_to_import():
    (folder,) = isolation.Server._folders
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from problemset.grading.results import formats\n"
        "from problemset.grading.sandbox import isolation\n"
        "assert not {'torch', 'numpy', 'yaml'} & set(sys.modules)"
    )
    assert Path(folder, "problemset").is_dir()
    subprocess.run([sys.executable, "-c", program, folder], check=True)
