"""How the parts of the rubric become outcomes, whoever or whatever judged them."""

from collections.abc import Mapping
from typing import Any

from problemset.grading.score.outcome import CheckOutcome, CheckStatus
from problemset.grading.submission.layout import PAPER
from problemset.rubric import Item, ItemCheck

NOT_RUN = "the notebook was not run again; run it, or read it beside the PDF"
"""What is said about a check of a notebook that was not run again."""


def of_check(
    item: Item,
    check: ItemCheck,
    state: CheckStatus,
    says: str,
    evidence: dict[str, Any] | None = None,
) -> CheckOutcome:
    """The outcome of a check."""
    title = check.shows.rstrip(".")
    return CheckOutcome(check.check, item.id, title, check.points, state, says, evidence or {})


def of_reader(item: Item, pages: Mapping[str, int]) -> CheckOutcome:
    """The part of an item that only a person can judge.

    Args:
        item: of the rubric.
        pages: page of the PDF on which an item begins, as far as it is known.
    """
    says = " ".join(item.asks.split())
    if item.id in pages:
        says += f" ({PAPER}, page {pages[item.id]})"
    return CheckOutcome("reader", item.id, item.title, item.reader, "to be read", says)
