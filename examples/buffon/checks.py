"""Buffon's needle: what a submission holds, and the checks that award points for it."""

from functools import partial
from pathlib import Path

import numpy as np
from mpmath import mpf

from problemset import formulas
from problemset.assignment import ArrayRule, Assignment, FileRule, notebook_of
from problemset.grading.evidence import numbers, randomness
from problemset.grading.score.verdict import Verdict
from problemset.grading.submission import figures, reruns
from problemset.grading.submission.opened import Submission, SubmissionError

VARIANCE = "Subs(Derivative(2/t, t), t, p)**2 * Sum(q[k]*(h[k] - p)**2, (k, 1, K)) / n"


def steps_hold(submission: Submission, staff: None) -> Verdict:
    """1a: formulas lead from the slope of 2/t and the variance of one throw to a closed form."""
    lines = submission.document("1a")
    if not isinstance(lines, list) or not 3 <= len(lines) <= 20:
        return Verdict(False, "results/1a.json: expected a list of 3 to 20 formulas")
    rng = np.random.default_rng(list(repr(lines).encode()))
    points = [  # a needle crosses (h = 1) with probability p
        formulas.Point({"p": p, "n": n, "t": n, "K": 2}, {"q": (p, 1 - p), "h": (1, 0)})
        for p, n in ((mpf(rng.uniform(0.2, 0.9)), mpf(rng.uniform(2, 50))) for _ in range(3))
    ]
    fault = formulas.chain_fault([VARIANCE, *lines], points, ("p", "n"))
    return Verdict(not fault, fault or f"{len(lines)} lines hold at {len(points)} points")


def throws(submission: Submission) -> tuple[np.ndarray, float, float]:
    """Read which needles cross, the estimate and its standard error; refuse unlikely throws."""
    draws = submission.array("1b", "draws", (None, 3)).astype(float)
    count, (distance, along, across) = len(draws), draws.T
    crosses = distance * np.hypot(along, across) <= across
    share = crosses.mean()
    uniform = [distance, along**2 + across**2, np.arctan2(across, along) * 2 / np.pi]
    doubt = randomness.doubt(np.column_stack(uniform)) or randomness.arranged(crosses)
    if doubt or count < 10_000 or abs(share - 2 / np.pi) > 3 / count**0.5:
        raise SubmissionError(f"{count} throws, {share:.4f} of them crossing, {doubt or 'refused'}")
    return crosses, float(2 / share), float(2 / share**2 * (share * (1 - share) / count) ** 0.5)


def estimate_is_right(submission: Submission, staff: None) -> Verdict:
    """1b: estimate and standard error follow from the throws."""
    _, estimate, error = throws(submission)
    got = submission.array("1b", "numbers", (2,)).tolist()
    passed = abs(got[0] - estimate) < 0.02 * error and abs(got[1] - error) < 0.05 * error
    return Verdict(passed, f"the throws give {estimate:.5f} with {error:.5f}, handed in: {got}")


def estimate_is_quoted(submission: Submission, staff: None) -> Verdict:
    """1b: the PDF has the estimate."""
    estimate = throws(submission)[1]
    passed = numbers.quotes(submission.pdf_text(), estimate)
    return Verdict(passed, f"the PDF {'has' if passed else 'lacks'} the estimate {estimate:.4f}")


def errors_are_right(submission: Submission, staff: None) -> Verdict:
    """2a: the distances from pi after every hundred throws."""
    crosses = throws(submission)[0]
    counts = np.arange(100, len(crosses) + 1, 100)
    errors = submission.array("2a", "errors", counts.shape)
    off = np.abs(np.abs(2 * counts / crosses.cumsum()[counts - 1] - np.pi) - errors).max()
    return Verdict(bool(off < 1e-6), f"the {len(counts)} errors are off by {off:.2g} or less")


def figure_is_in_both(submission: Submission, staff: None) -> Verdict:
    """2a: the PDF has the notebook's figure; without throws there is nothing to show."""
    throws(submission)
    return figures.in_both(submission, "2a")


def notebook_repeats(submission: Submission, staff: None, item: str) -> Verdict:
    """Run again, the cells of an item's problem give what was saved."""
    throws(submission)
    return reruns.repeats(submission, item[0], [item])


KNOWN = (steps_hold, estimate_is_right, estimate_is_quoted, errors_are_right, figure_is_in_both)
REPEATS = {f"notebook_repeats_{n}": partial(notebook_repeats, item=n) for n in ("1b", "2a")}
DRAWS = ArrayRule("draws", ("n", 3), ("1b", "2a"), ": distance, and the direction's u and v")
NUMBERS = ArrayRule("numbers", (2,), ("1b",), ": estimate and standard error")
ERRORS = ArrayRule("errors", ("n / 100",), ("2a",))
ASSIGNMENT = Assignment(
    reference="checks:ASSIGNMENT",
    title="Buffon's needle",
    files=(
        FileRule("report.pdf", "the report", ("1a", "1b", "2a", "2b")),
        FileRule("report.ipynb", "the executed notebook", ("1b", "2a")),
        FileRule("student.yml", "name and hours", (), optional=True),
        FileRule("results/1a.json", "the derivation: 3 to 20 formulas in p and n", ("1a",)),
        FileRule("results/1b.npz", "", ("1b", "2a"), (DRAWS, NUMBERS)),
        FileRule("results/2a.npz", "", ("2a",), (ERRORS,)),
    ),
    checks=lambda: {check.__name__: check for check in KNOWN} | REPEATS,
    notebook_checks=frozenset(REPEATS),
    notebook=notebook_of(Path(__file__).parent),
)
