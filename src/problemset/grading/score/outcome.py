"""Results of checks, and the points of all checks together."""

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

JSON: TypeAlias = Any
"""Any JSON value: None, bool, int, finite float, str, lists and text-keyed dicts of these."""

CheckStatus = Literal["passed", "failed", "broken", "to be read"]
PASSED, FAILED, BROKEN, TO_BE_READ = STATES = get_args(CheckStatus)


@dataclass(frozen=True)
class CheckOutcome:
    """Result of one check."""

    check: str
    """Name of the check, unique within its item."""
    item: str
    """Item of the rubric, such as `2d`."""
    title: str
    """A few words."""
    points: float
    """Points possible, 0 or more; earned only if passed."""
    state: CheckStatus
    """Passed or failed: the check was carried out. Broken: it could not be (a crash, a time limit,
    an unreadable file), which earns nothing and may be the fault of either side. To be read: only a
    person can award these points."""
    says: str
    """One or two plain sentences: what was found and what was expected."""
    evidence: dict[str, JSON] = field(default_factory=dict)
    """Numbers and texts that support the result."""

    def __post_init__(self) -> None:
        for name in ("check", "item", "title", "says"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"check {self.check!r}: {name} is {value!r}, expected text")
        number = isinstance(self.points, int | float) and not isinstance(self.points, bool)
        if not number or not 0 <= self.points < math.inf:
            raise ValueError(f"check {self.check}: points is {self.points!r}, expected 0 or more")
        if self.state not in STATES:
            raise ValueError(f"check {self.check}: state is {self.state!r}, expected {STATES}")
        try:
            again = json.loads(json.dumps(self.evidence, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"check {self.check}: evidence is not JSON: {error}") from error
        # JSON would silently turn tuples into lists, and keys that are numbers into text
        if again != self.evidence or not isinstance(again, dict):
            raise ValueError(f"check {self.check}: evidence is not a dict that JSON keeps as it is")

    @property
    def reached(self) -> float:
        """Points earned."""
        return self.points if self.state == PASSED else 0.0


@dataclass(frozen=True)
class Score:
    """Outcomes, in the order of the checks."""

    outcomes: tuple[CheckOutcome, ...] = ()

    def __post_init__(self) -> None:
        names = [(outcome.item, outcome.check) for outcome in self.outcomes]
        twice = sorted({" ".join(name) for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"outcomes occur twice: {', '.join(twice)}; expected each once")

    @property
    def reached(self) -> float:
        """Points awarded by the checks."""
        return math.fsum(outcome.reached for outcome in self.outcomes)

    @property
    def possible(self) -> float:
        """Points that the checks could award, without those that await a reader."""
        return math.fsum(o.points for o in self.outcomes if o.state != TO_BE_READ)

    @property
    def awaiting(self) -> float:
        """Points that await a reader."""
        return math.fsum(o.points for o in self.outcomes if o.state == TO_BE_READ)
