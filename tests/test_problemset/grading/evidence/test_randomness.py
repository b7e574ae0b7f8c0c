"""Honest draws are never doubted, other numbers are; and numbers found in a text."""

import re

import numpy as np
import pytest

from problemset.grading.evidence import numbers, randomness


def draws(count=2000, columns=3, seed=0):
    return np.random.default_rng(seed).random((count, columns))


@pytest.mark.parametrize("count", [100, 1000, 20_000])
def test_honest_draws_are_not_doubted(count):
    for columns in (1, 2, 4):
        said = {randomness.doubt(draws(count, columns, seed)) for seed in range(50)}
        assert said == {""}


def copied(made):
    made[1000:] = made[:1000]


def one_twice(made):
    made[-1] = made[0]


def outside(made):
    made[7, 1] = 1.5


def even(made):
    made[:, 2] = np.random.default_rng(1).permutation(np.linspace(0, 1, len(made)))


def related(made):
    made[:, 1] = (made[:, 0] + made[:, 1] / 5) % 1


def nearly_copied(made):
    made[1000:] = (made[:1000] + 1e-6) % 1


def copied_but_for_one_column(made):
    made[1000:, :2] = made[:1000, :2]


def mirrored(made):
    made[1000:] = 1 - made[:1000]


CASES = {
    "copied with a small change": (nearly_copied, "columns 0 and 1 of .* are copies of others"),
    "copied in two columns": (copied_but_for_one_column, "columns 0 and 1 of .* are copies"),
    "mirrored": (mirrored, "columns 0 and 1 of .* are copies of others or mirrored"),
    "all equal": (lambda made: np.full_like(made, 0.5), "column 0 is spread more unevenly"),
    "a point of a grid": (even, "column 2 is spread more evenly"),
    "of another distribution": (lambda made: made**1.2, "column 0 is spread more unevenly"),
    "outside": (outside, "numbers go from .* to 1.5, expected 0 to 1"),
    "in order": (lambda made: made[np.argsort(made[:, 0])], "numbers are correlated"),
    "column after column": (related, "numbers are correlated"),
    "copied": (copied, "1000 of 2000 draws repeat an earlier one"),
    "one twice": (one_twice, "1 of 2000 draws repeat an earlier one"),
    "too few": (lambda made: made[:99], "there are 99 draws, expected 100 or more"),
    "none": (lambda made: made[:0], "there are 0 draws"),
}


@pytest.mark.parametrize("case", CASES)
def test_others_are(case):
    change, says = CASES[case]
    made = draws()
    result = change(made)  # None: changed in place
    assert re.match(says, randomness.doubt(made if result is None else result))


def test_honest_events_are_in_no_order():
    for seed in range(300):
        assert randomness.arranged(draws(10_000, 1, seed)[:, 0] < 0.3 + seed / 1000) == ""


def test_events_put_into_another_order_are_noticed():
    events = draws(10_000, 1)[:, 0] < 0.6
    balanced = np.concatenate([np.repeat([True, False], [60, 40])] * 100)
    assert randomness.arranged(balanced).endswith("in a row vary less than by chance")
    assert randomness.arranged(np.sort(events)).endswith("in a row vary more than by chance")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("about 3.142, or so", True),
        ("is 3.1416.", True),
        ("3.14159265", True),
        ("+3.142", True),
        ("about 3.14", False),
        ("3.143", False),
        ("3.1415", False),
        ("13.142", False),
        ("3.1420", False),
        ("1.3.142", False),
        ("", False),
        ("22/7", False),
    ],
)
def test_a_number_is_found_if_it_is_rounded_rightly(text, found):
    assert numbers.quotes(text, 3.14159265) is found


def test_decimals_are_the_least_that_the_text_gives():
    assert numbers.quotes("3.14", 3.14159265, decimals=2)
    assert not numbers.quotes("3.14", 3.14159265, decimals=3)
