import re
from pathlib import Path

import pytest
from score_table import FAILED, NOT_TESTED, PASSED, ScoreTable

from problemset import rubric
from problemset.rubric import Item

pytest_plugins = ["pytester"]

TWO_ITEMS = """
import sys
sys.path.insert(0, {folder!r})
import score_table
from problemset.rubric import Item

def pytest_configure(config):
    rows = ("1a", 60, "First"), ("1b", 30, "Second"), ("2a", 10, "Third")
    score_table.register(config, [Item(*row, "x", (), row[1]) for row in rows])
"""


@pytest.fixture
def run(pytester):
    """Runs a test file under a rubric of three items and gives the result."""
    pytester.makeconftest(TWO_ITEMS.format(folder=str(Path(__file__).parent)))

    def start(content, *options):
        pytester.makepyfile("import pytest\nitem = pytest.mark.item\n" + content)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)

    return start


def table(result):
    """Item to the words after it, of the table that the run printed last."""
    lines = result.outlines
    start = max(i for i, line in enumerate(lines) if line.startswith("item  result"))
    return lines[start + 1 : start + 4], lines[start + 4], lines[start + 5 :]


def test_an_item_passes_when_all_its_tests_do(run):
    result = run(
        "@item('1a')\ndef test_one(): pass\n"
        "@item('1a')\n@pytest.mark.parametrize('n', [1, 2])\ndef test_two(n): pass\n"
        "@item('1b')\ndef test_three(): pass\n"
        "@item('1b')\ndef test_four(): assert False\n"
    )
    rows, score, after = table(result)
    assert rows[0].split() == ["1a", "passed", "60", "3", "First"]
    assert rows[1].split() == ["1b", "failed", "30", "2", "Second"]
    assert rows[2].split() == ["2a", "not", "tested", "10", "0", "Third"]
    assert score == "score 60 of 100 points"
    assert not any(after), "the table is the last thing printed"
    assert result.ret == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("def test_it(): pytest.skip('no data')", NOT_TESTED),
        ("@pytest.mark.skip\ndef test_it(): pass", NOT_TESTED),
        ("@pytest.mark.xfail\ndef test_it(): assert False", NOT_TESTED),
        ("@pytest.fixture\ndef broken(): raise ValueError\ndef test_it(broken): pass", FAILED),
        ("@pytest.fixture\ndef late():\n    yield\n    1 / 0\ndef test_it(late): pass", FAILED),
        ("def test_it(): pass\ndef test_other(): pytest.skip('no data')", NOT_TESTED),
        ("def test_it(): pass", PASSED),
    ],
)
def test_skipped_and_broken_tests_never_pass_an_item(run, body, expected):
    result = run("pytestmark = item('1b')\n" + body)
    assert " ".join(table(result)[0][1].split()[1:-3]) == expected


def test_one_test_may_cover_several_items(run):
    rows, score, _ = table(run("@item('1a', '2a')\ndef test_both(): pass"))
    assert [row.split()[1] for row in rows] == ["passed", "not", "passed"]
    assert score == "score 70 of 100 points"


def test_a_run_without_items_prints_no_table(run):
    result = run("def test_plain(): pass")
    assert not any(line.startswith("item  result") for line in result.outlines)


def test_an_unknown_item_stops_the_run(run):
    result = run("@item('9z')\ndef test_it(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "the rubric has no item '9z'" in "\n".join(result.errlines + result.outlines)


def test_the_mark_is_registered(run):
    assert run("@item('1a')\ndef test_it(): pass", "--strict-markers").ret == 0


def test_a_test_that_never_ran_leaves_its_item_open():
    plugin = ScoreTable([Item("1a", 100, "First", "x", (), 100)])
    plugin.items_of["tests/test_x.py::test_it"] = ["1a"]
    assert plugin.state("1a") == NOT_TESTED


def marked_items():
    """Every item named in a mark, anywhere in the tests."""
    found = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for arguments in re.findall(r"mark\.item\(([^)]*)\)", path.read_text("utf-8")):
            found |= set(re.findall(r"[\"'](\w+)[\"']", arguments))
    return found


def test_every_item_of_the_rubric_has_a_test():
    missing = [item.id for item in rubric.load() if item.id not in marked_items()]
    assert not missing, f"no test carries the mark of {', '.join(missing)}"
