"""Counter-examples to the bound as printed, without its logarithm, in a two-outcome model.

All values are exact: probabilities are rational, and logarithms are in lowest terms.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sympy as sp


@dataclass(frozen=True)
class Counterexample:
    """Exact values for one q; z is a fair coin, and the observed x = 1 has p = 1/4 or 3/4."""

    name: str
    q: tuple[sp.Rational, ...]
    """q(z_k|x), summing to 1; outcomes with q = 0 do not contribute to the integrals."""
    joint: tuple[sp.Rational, ...] = (sp.Rational(1, 8), sp.Rational(3, 8))
    """p(x, z_k) at the observed x."""

    def _mean(self, form: Callable[[sp.Rational, sp.Rational], sp.Expr]) -> sp.Expr:
        support = [pair for pair in zip(self.q, self.joint, strict=True) if pair[0] > 0]
        total = sum(weight * form(weight, mass) for weight, mass in support)
        return sp.expand_log(total, factor=True)

    @property
    def log_evidence(self) -> sp.Expr:
        """Exact log p(x)."""
        return sp.expand_log(sp.log(sum(self.joint)), factor=True)

    @property
    def divergence(self) -> sp.Expr:
        """KL(q(z|x) || p(z|x)), from its definition."""
        return self._mean(lambda weight, mass: sp.log(weight / (mass / sum(self.joint))))

    @property
    def intended(self) -> sp.Expr:
        """The intended bound, with the logarithm."""
        return self._mean(lambda weight, mass: sp.log(mass / weight))

    @property
    def printed(self) -> sp.Expr:
        """The formula as printed, without the logarithm."""
        return self._mean(lambda weight, mass: mass / weight)

    @property
    def intended_gap(self) -> sp.Expr:
        """KL + bound - log p(x), which must be 0."""
        return sp.expand(self.divergence + self.intended - self.log_evidence)

    @property
    def printed_gap(self) -> sp.Expr:
        """KL + printed integral - log p(x), which is never below 1, so it cannot be 0."""
        return sp.expand(self.divergence + self.printed - self.log_evidence)


def counterexamples() -> list[Counterexample]:
    """Three choices of q: a guess, the posterior itself, and one that misses an outcome."""
    half, quarter = sp.Rational(1, 2), sp.Rational(1, 4)
    return [
        Counterexample("guess", (half, half)),
        Counterexample("posterior", (quarter, 3 * quarter)),
        Counterexample("one outcome", (sp.S.One, sp.S.Zero)),
    ]


def _tex(value: sp.Expr) -> str:
    brackets = r"\\log\{\\left\((\w+) \\right\)\}"
    return "$" + re.sub(brackets, r"\\log \1", sp.latex(value, order="rev-lex")) + "$"


def counterexample_table(cases: Iterable[Counterexample]) -> str:
    """Format the exact values of the counter-examples as a markdown pipe table."""
    rows = (
        (
            f"{case.name}, $({', '.join(map(sp.latex, case.q))})$",
            *map(_tex, (case.divergence, case.intended, case.intended_gap)),
            *map(_tex, (case.printed, case.printed_gap)),
        )
        for case in cases
    )
    head = r"| $q$ | $D$ | $L$ | $D + L - \log p(x)$ | $L'$ | $D + L' - \log p(x)$ |"
    rule = "|:" + "-" * 23 + "".join(f"|:{'-' * width}:" for width in (16, 17, 20, 4, 24)) + "|"
    return "\n".join((head, rule, *("| " + " | ".join(row) + " |" for row in rows)))
