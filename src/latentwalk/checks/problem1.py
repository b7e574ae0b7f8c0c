"""Problem 1: evaluate the submitted formulas at random points.

A person decides whether the proofs are valid. Here, formulas are compared with their definitions,
which are stated below and integrated numerically, and the two sides of each step with each other.
"""

import ast
import random
from typing import Any

import mpmath

from latentwalk.checks.shared import Staff
from problemset.formulas import FormulaError, Point, is_same, parse, value
from problemset.grading.score.verdict import Verdict
from problemset.grading.submission.opened import Submission, SubmissionError

FILE = "1"  # results/1.json
POINTS = (101, 102, 103)  # seeds
CLOSE = 1e-9  # relative to the larger side, or to 1: float64 apart from the last few digits
MOST_STEPS, LEAST_STEPS = 100, 3
REAL = ("z", "x", "w", "b", "m", "m_1", "m_2", "mu", "logvar")
POSITIVE = ("t", "q_z", "p_z", "v", "v_1", "v_2", "s2")
"""Further symbols: `q[k]` sums to 1 over k = 1..K, `j[k]` is p(x, z_k), and `p_x` is p(x)."""


def _normal(at: str, mean: str, variance: str) -> str:
    return f"exp(-({at} - ({mean}))**2/(2*({variance})))/sqrt(2*pi*({variance}))"


def _integral(weight: str, logarithm_of: str) -> str:
    return f"Integral({weight}*log(({logarithm_of})/({weight})), (z, -oo, oo))"


_FIRST, _SECOND = _normal("z", "m_1", "v_1"), _normal("z", "m_2", "v_2")
_ENCODER = _normal("z", "mu", "exp(logvar)")
_BOTH = f"{_normal('z', '0', '1')}*{_normal('x', 'w*z + b', 's2')}"
DEFINITIONS = {
    "gaussian_divergence": f"-{_integral(_FIRST, _SECOND)}",
    "divergence_from_prior": f"-{_integral(_ENCODER, _normal('z', '0', '1'))}",
    "bound": _integral(_normal("z", "m", "v"), _BOTH),
    "log_evidence": f"log(Integral({_BOTH}, (z, -oo, oo)))",
}
"""What each formula must equal: its definition, in the notation of `problemset.formulas`."""


def steps_of_1a_hold(submission: Submission, staff: Staff) -> Verdict:
    """1a: both sides of every step are equal."""
    return _steps_hold(submission, "1a")


def steps_of_1b_hold(submission: Submission, staff: Staff) -> Verdict:
    """1b: both sides of every step are equal."""
    return _steps_hold(submission, "1b")


def divergence_is_right(submission: Submission, staff: Staff) -> Verdict:
    """1a: the divergence of two normal distributions equals its defining integral."""
    return _formulas_are_right(submission, ("gaussian_divergence", "divergence_from_prior"))


def bound_is_right(submission: Submission, staff: Staff) -> Verdict:
    """1b: bound and evidence of the linear model equal their defining integrals."""
    return _formulas_are_right(submission, ("bound", "log_evidence"))


def counterexample_refutes(submission: Submission, staff: Staff) -> Verdict:
    """1b: for the given numbers, the printed formula misses log p(x) by the stated amount."""
    given = _part(submission, "counterexample", dict)
    q, joint = (_numbers(given, name) for name in ("q", "joint"))
    if len(q) != len(joint) or min(q) < 0 or min(joint) <= 0:
        return Verdict(
            False, "the counter-example needs q and joint of equal length, without negatives"
        )
    if not mpmath.almosteq(sum(q), 1) or sum(joint) > 1 + CLOSE:
        return Verdict(False, "the counter-example's q must sum to 1, and joint to at most 1")
    evidence = sum(joint)
    # 0 log 0 counts as 0, its limit
    pairs = [(a, b) for a, b in zip(q, joint, strict=True) if a > 0]
    divergence = sum(a * mpmath.log(a * evidence / b) for a, b in pairs)
    gap = divergence + sum(b for _, b in pairs) - mpmath.log(evidence)
    said = _evaluate(_text(given, "printed_gap"), random_point(POINTS[0]), "printed_gap")
    passed = _close(gap, said)
    says = f"with its q and joint the printed formula misses log p(x) by {float(gap):.6g} nats"
    if not passed:
        says += f", but printed_gap is {float(said):.6g}"
    return Verdict(passed, says, {"gap": float(gap), "printed_gap": float(said)})


def look_through(submission: Submission) -> int:
    """Parse everything without evaluating it; return the number of steps.

    Raises:
        SubmissionError: something that the checks require is missing or not a formula.
    """
    steps = _part(submission, "steps", list)
    for step in steps:
        if _of_item(step, "1a") or _of_item(step, "1b"):
            _sides(step)
    formulas = _part(submission, "formulas", dict)
    for name in DEFINITIONS:
        parse_formula(_text(formulas, name))
    given = _part(submission, "counterexample", dict)
    parse_formula(_text(given, "printed_gap"))
    _numbers(given, "q"), _numbers(given, "joint")
    return len(steps)


def _steps_hold(submission: Submission, item: str) -> Verdict:
    steps = [step for step in _part(submission, "steps", list) if _of_item(step, item)]
    if len(steps) > MOST_STEPS:
        return Verdict(False, f"{item} has {len(steps)} steps, expected at most {MOST_STEPS}")
    wrong, telling = [], 0
    for number, step in enumerate(steps):
        sides = _sides(step)
        points = [
            random_point(seed, full_support=step.get("full_support") is True) for seed in POINTS
        ]
        values = [[_evaluate(side, point, f"step {number}") for side in sides] for point in points]
        if not all(_close(left, right) for left, right in values):
            wrong.append(number)
        # a constant, or the same expression on both sides, shows nothing
        varies = not all(_close(values[0][0], left) for left, _ in values[1:])
        telling += varies and not is_same(*sides)
    evidence = {"steps": len(steps), "telling": telling, "wrong": wrong}
    if wrong:
        numbers = ", ".join(map(str, wrong[:10]))
        says = f"the two sides of {len(wrong)} of {len(steps)} steps of {item} differ"
        return Verdict(False, f"{says} (numbers {numbers}, from 0)", evidence)
    says = f"{telling} of {len(steps)} steps of {item} compare two expressions that vary"
    if telling < LEAST_STEPS:
        return Verdict(False, f"{says}, expected {LEAST_STEPS} or more", evidence)
    return Verdict(True, f"{says}, and all hold at {len(POINTS)} random points", evidence)


def _formulas_are_right(submission: Submission, names: tuple[str, ...]) -> Verdict:
    formulas = _part(submission, "formulas", dict)
    largest, wrong = {}, []
    for name in names:
        tree, definition = parse_formula(_text(formulas, name)), parse(DEFINITIONS[name])
        pairs = [
            (_evaluate(tree, point, name), value(definition, point))
            for point in map(random_point, POINTS)
        ]
        largest[name] = max(float(abs(got - wanted)) for got, wanted in pairs)
        wrong += [] if all(_close(*pair) for pair in pairs) else [name]
    says = f"{' and '.join(names)} agree with the integrals that define them"
    if wrong:
        worst = max(largest[name] for name in wrong)
        says = f"{' and '.join(wrong)} differ from the defining integral by up to {worst:.3g} nats"
    return Verdict(not wrong, says, {"largest_difference": largest})


def _close(left: Any, right: Any) -> bool:
    return bool(abs(left - right) <= CLOSE * max(1, abs(left), abs(right)))


def _sides(step: dict[str, Any]) -> list[ast.expr]:
    return [parse_formula(_text(step, side)) for side in ("left", "right")]


def parse_formula(text: str) -> ast.expr:
    """Parse a formula of a submission.

    Raises:
        SubmissionError: it is not a formula.
    """
    try:
        return parse(text)
    except FormulaError as error:
        raise SubmissionError(f"results/{FILE}.json: {error}") from error


def _evaluate(formula: ast.expr | str, point: Any, what: str) -> Any:
    tree = parse_formula(formula) if isinstance(formula, str) else formula
    try:
        return value(tree, point)
    except FormulaError as error:
        raise SubmissionError(f"results/{FILE}.json, {what}: {error}") from error


def _part(submission: Submission, name: str, kind: type) -> Any:
    content = submission.document(FILE)
    found = content.get(name) if isinstance(content, dict) else None
    if not isinstance(found, kind):
        words = "a list" if kind is list else "an object"
        raise SubmissionError(f"results/{FILE}.json has no {name}, expected {words}")
    return found


def _of_item(step: Any, item: str) -> bool:
    if not isinstance(step, dict):
        raise SubmissionError(f"results/{FILE}.json: a step is not an object")
    return step.get("item") == item


def _text(content: dict[str, Any], name: str) -> str:
    found = content.get(name)
    if not isinstance(found, str):
        raise SubmissionError(
            f"results/{FILE}.json needs a text {name!r}, which is missing or no text"
        )
    return found


def _numbers(content: dict[str, Any], name: str) -> list[Any]:
    found = content.get(name)
    if not isinstance(found, list) or not 2 <= len(found) <= 10:
        raise SubmissionError(
            f"results/{FILE}.json: {name} of the counter-example is not a list of 2 to 10"
        )
    return [_evaluate(str(each), random_point(POINTS[0]), name) for each in found]


def random_point(seed: int, *, full_support: bool = False) -> Point:
    """Draw a rational point.

    Args:
        seed: determines the point.
        full_support: whether p(x) is the sum of p(x, z_k); otherwise it is larger, because q misses
            some outcomes.
    """
    rng = random.Random(seed)
    size = rng.randint(2, 4)
    weights = [rng.randint(1, 9) for _ in range(size)]
    q = tuple(mpmath.mpf(weight) / sum(weights) for weight in weights)
    joint = tuple(mpmath.mpf(rng.randint(1, 9)) / 40 for _ in range(size))
    missed = mpmath.mpf(rng.randint(1, 9)) / 40
    symbols = {name: mpmath.mpf(rng.randint(2, 20)) / 10 for name in POSITIVE}
    symbols |= {name: mpmath.mpf(rng.randint(-20, 20)) / 10 for name in REAL}
    symbols["p_x"] = sum(joint) if full_support else sum(joint) + missed
    return Point(symbols | {"K": size, "pi": mpmath.pi}, {"q": q, "j": joint})
