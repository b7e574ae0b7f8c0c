r"""Vocabulary of Problem 1: symbols, closed forms, and steps that sympy can refute.

A step keeps its two sides as defined (sums, integrals, derivatives); only `Step.residual` evaluates
them. Sums run over the K outcomes with q > 0, for any K. Logarithms are natural; divergences and
bounds are in nats.

Source: Kingma & Welling 2014, "Auto-Encoding Variational Bayes", section 2.2 and appendix B;
Cover & Thomas 2006, "Elements of Information Theory", section 2.6.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import sympy as sp

K, k = sp.symbols("K k", integer=True, positive=True)
q, joint = (sp.IndexedBase(name, positive=True) for name in ("q", "j"))  # q(z_k|x), p(x, z_k)
evidence = sp.Symbol("p_x", positive=True)  # p(x)
posterior = joint[k] / evidence  # p(z_k|x), by Bayes
t, q_z, p_z = sp.symbols("t q_z p_z", positive=True)  # q(z|x) and p(z|x) at one point
u, z, x, w, b, m, m_1, m_2, mu, logvar = sp.symbols("u z x w b m m_1 m_2 mu logvar", real=True)
v, v_1, v_2, noise = sp.symbols("v v_1 v_2 s2", positive=True)  # variances


def sum_over_support(summand: sp.Expr) -> sp.Sum:
    """Sum over the outcomes k = 1..K, those with q > 0."""
    return sp.Sum(summand, (k, 1, K))


def integral_over_line(integrand: sp.Expr) -> sp.Integral:
    """Unevaluated integral over z from minus to plus infinity."""
    return sp.Integral(integrand, (z, -sp.oo, sp.oo))


Q_SUMS_TO_ONE = (sum_over_support(q[k]), sp.Integer(1))
FULL_SUPPORT = (sum_over_support(joint[k]), evidence)  # q > 0 wherever p(x, z) > 0


def tangent_gap(value: sp.Expr) -> sp.Expr:
    """f(t) = t - 1 - log t, the gap between the logarithm and its tangent at 1."""
    return value - 1 - sp.log(value)


def normal_density(value: sp.Expr, mean: sp.Expr, variance: sp.Expr) -> sp.Expr:
    """N(value; mean, variance)."""
    return sp.exp(-((value - mean) ** 2) / (2 * variance)) / sp.sqrt(2 * sp.pi * variance)


def gaussian_kl_expression() -> sp.Expr:
    """KL(N(m_1, v_1) || N(m_2, v_2)) in nats, closed form in the symbols m_1, v_1, m_2, v_2."""
    return sp.log(v_2 / v_1) / 2 + (v_1 + (m_1 - m_2) ** 2) / (2 * v_2) - sp.Rational(1, 2)


def vae_kl_expression() -> sp.Expr:
    """KL(N(mu, exp(logvar)) || N(0, 1)) in nats per dimension, in the symbols mu, logvar."""
    return -(1 + logvar - mu**2 - sp.exp(logvar)) / 2


@dataclass(frozen=True)
class LinearGaussian:
    """z ~ N(0, 1), x|z ~ N(w z + b, s2), q(z|x) = N(m, v): closed forms in x, w, b, s2, m, v."""

    log_evidence: sp.Expr
    posterior_mean: sp.Expr
    posterior_variance: sp.Expr
    reconstruction: sp.Expr
    """Expectation of log p(x|z) under q, nats."""
    prior_kl: sp.Expr
    """KL(q || prior), nats; the bound is `reconstruction - prior_kl`."""
    divergence: sp.Expr
    """KL(q || posterior), nats."""
    bound: sp.Expr


def linear_gaussian_terms() -> LinearGaussian:
    """Closed forms of the linear Gaussian model: evidence, posterior and bound are all exact."""
    total = w**2 + noise
    mean, variance = w * (x - b) / total, noise / total
    squares = (x - b - w * m) ** 2 + w**2 * v
    reconstruction = -sp.log(2 * sp.pi * noise) / 2 - squares / (2 * noise)
    kl_to = gaussian_kl_expression().subs({m_1: m, v_1: v})
    prior_kl = kl_to.subs({m_2: 0, v_2: 1})
    return LinearGaussian(
        log_evidence=sp.expand_log(sp.log(normal_density(x, b, total))),
        posterior_mean=mean,
        posterior_variance=variance,
        reconstruction=reconstruction,
        prior_kl=prior_kl,
        divergence=kl_to.subs({m_2: mean, v_2: variance}),
        bound=reconstruction - prior_kl,
    )


@dataclass(frozen=True)
class Step:
    """One displayed step: two unevaluated sides that must be equal."""

    label: str
    """Label of the equation in the report that the step belongs to, such as `eq-split`."""
    name: str
    """Short description of what is checked."""
    claim: str
    """The step in LaTeX, without dollar signs."""
    left: sp.Expr
    right: sp.Expr
    given: tuple[tuple[sp.Expr, sp.Expr], ...] = ()
    """Assumptions under which the sides are equal, as pairs (expression, its value), such as sum of
    q = 1."""

    @cached_property
    def residual(self) -> sp.Expr:
        """`left - right`, evaluated and simplified under `given`; 0 if the step holds."""
        difference = self.left - self.right
        difference = difference.replace(_is(sp.Subs, sp.Derivative), _work_out)
        difference = difference.replace(_is(sp.Integral), _integrate_gaussian)
        difference = sp.expand(sp.expand_log(difference))
        difference = difference.replace(_is(sp.Sum), sp.factor_terms)  # constants move out of sums
        return sp.simplify(difference.subs(self.given))


def _is(*kinds: type) -> Callable[[sp.Basic], bool]:
    return lambda part: isinstance(part, kinds)


def _work_out(part: sp.Expr) -> sp.Expr:
    return part.doit()


@lru_cache
def _moment(power: int) -> sp.Expr:
    weight = sp.exp(-(u**2) / 2)
    return sp.integrate(u**power * weight, (u, -sp.oo, sp.oo))


def _integrate_gaussian(integral: sp.Integral) -> sp.Expr:
    """Integrate exp(quadratic) * polynomial over the line, several times faster than `doit`.

    Completes the square, substitutes u with weight exp(-u^2/2), and uses sympy's moments of u.
    """
    variable, integrand = integral.limits[0][0], sp.expand_log(integral.function)
    exponent = sp.Add(*(part.exp for part in integrand.args if isinstance(part, sp.exp)))
    quadratic, linear, constant = sp.Poly(exponent, variable).all_coeffs()
    centre, scale = -linear / (2 * quadratic), sp.sqrt(sp.simplify(-1 / (2 * quadratic)))
    factor = sp.powsimp(integrand / sp.exp(exponent)).subs(variable, centre + scale * u)
    terms = sp.Poly(sp.expand(factor), u).terms()
    total = sum(coefficient * _moment(power) for (power,), coefficient in terms)
    return total * scale * sp.exp(sp.simplify(constant - linear**2 / (4 * quadratic)))


def _trapezoid(integral: sp.Integral) -> sp.Float:
    # At the points of `evaluate_at` every Gaussian has a width of 0.2 to 2.8 and a centre within 5
    # of zero, where the plain trapezoidal rule is exact up to rounding.
    height = sp.lambdify(z, integral.function, "mpmath")  # mpmath: exp(-3000) does not underflow
    return sp.Float(sum(height(i / 10) for i in range(-400, 401)) / 10)


def evaluate_at(step: Step, seed: int) -> tuple[float, float]:
    """Evaluate both sides at a random rational point that satisfies `step.given`.

    This check is independent of `Step.residual`. Nothing is simplified: sums are written out for
    K = 2 to 4, and integrals are computed numerically.

    Returns:
        left and right, which agree to about 12 digits if the step holds.
    """
    rng = random.Random(seed)
    size = rng.randint(2, 4)
    weights = [rng.randint(1, 9) for _ in range(size)]
    point = {q[i + 1]: sp.Rational(weight, sum(weights)) for i, weight in enumerate(weights)}
    point |= {joint[i + 1]: sp.Rational(rng.randint(1, 9), 40) for i in range(size)}
    for symbol in (evidence, t, q_z, p_z, v, v_1, v_2, noise):
        point[symbol] = sp.Rational(rng.randint(2, 20), 10)
    for symbol in (z, x, w, b, m, m_1, m_2, mu, logvar):
        point[symbol] = sp.Rational(rng.randint(-20, 20), 10)

    def value_of(side: sp.Expr) -> sp.Expr:
        written_out = side.subs(K, size).replace(_is(sp.Sum, sp.Subs, sp.Derivative), _work_out)
        return written_out.subs(point).replace(_is(sp.Integral), _trapezoid).evalf()

    given = ((value, pattern) for pattern, value in step.given if value.is_Symbol)
    point |= {value: pattern.subs(K, size).doit().subs(point) for value, pattern in given}
    return float(value_of(step.left)), float(value_of(step.right))
