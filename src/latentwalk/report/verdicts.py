"""Verdicts in words, tied to the numbers that carry them.

A sentence that says which of two is larger begins with `mark(...)` and the comparisons on which it
rests. While they hold, nothing is printed. With other weights they may not, and then the sentence
is marked as not borne out.
"""

from dataclasses import dataclass

from latentwalk.evaluation.intervals import Estimate
from latentwalk.report.tables import number


@dataclass(frozen=True)
class Comparison:
    """Whether the data support a comparison, and the numbers compared."""

    holds: bool
    numbers: str


def less(first: Estimate | float, second: Estimate | float) -> Comparison:
    """Check that the whole interval of the first estimate lies below that of the second."""
    one, other = _estimate(first), _estimate(second)
    return Comparison(one.high < other.low, _against(one, other))


def more(first: Estimate | float, second: Estimate | float) -> Comparison:
    """Check that the whole interval of the first estimate lies above that of the second."""
    one, other = _estimate(first), _estimate(second)
    return Comparison(one.low > other.high, _against(one, other))


def not_more(first: Estimate, second: Estimate) -> Comparison:
    """Check that the interval of the first estimate does not lie above that of the second."""
    return Comparison(first.low <= second.high, _against(first, second))


def overlap(first: Estimate, second: Estimate) -> Comparison:
    """Check that the intervals of two estimates have values in common."""
    common = first.low <= second.high and second.low <= first.high
    return Comparison(common, _against(first, second))


def alike(first: Estimate, second: Estimate, within: float) -> Comparison:
    """Check that the values of two estimates differ by at most `within`."""
    return Comparison(abs(first.value - second.value) <= within, _against(first, second))


def above(difference: Estimate) -> Comparison:
    """Check that all of the interval of a difference lies above 0."""
    return Comparison(difference.low > 0, f"difference {number(difference)}")


def below(difference: Estimate) -> Comparison:
    """Check that all of the interval of a difference lies below 0."""
    return Comparison(difference.high < 0, f"difference {number(difference)}")


def unclear(difference: Estimate) -> Comparison:
    """Check that the interval of a difference includes 0."""
    return Comparison(difference.low <= 0 <= difference.high, f"difference {number(difference)}")


def mark(*comparisons: Comparison) -> str:
    """Return nothing if all comparisons hold, otherwise the numbers of those that do not."""
    failing = [each.numbers for each in comparisons if not each.holds]
    return f"[Not borne out by these weights: {'; '.join(failing)}.] " if failing else ""


def _against(first: Estimate, second: Estimate) -> str:
    return f"{number(first)} against {number(second)}"


def _estimate(value: Estimate | float) -> Estimate:
    return value if isinstance(value, Estimate) else Estimate(value, value, value)
