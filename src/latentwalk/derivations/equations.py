"""All displayed steps of Problem 1, each as two sides whose difference sympy reduces to 0."""

from collections.abc import Iterable
from itertools import groupby

import sympy as sp

from latentwalk.derivations.symbolic import (
    FULL_SUPPORT,
    Q_SUMS_TO_ONE,
    Step,
    b,
    evidence,
    gaussian_kl_expression,
    integral_over_line,
    joint,
    k,
    linear_gaussian_terms,
    logvar,
    m,
    m_1,
    m_2,
    mu,
    noise,
    normal_density,
    p_z,
    posterior,
    q,
    q_z,
    sum_over_support,
    t,
    tangent_gap,
    v,
    v_1,
    v_2,
    vae_kl_expression,
    w,
    x,
    z,
)


def tangent_steps() -> list[Step]:
    """Inequality log t <= t - 1: equality only at t = 1, where f has its minimum and only zero."""
    f, at_one = tangent_gap(t), (t, sp.S.One)
    slope, curvature = sp.Derivative(f, t), sp.Derivative(f, (t, 2))
    rows = [
        ("value at 1", "f(1) = 0", sp.Subs(f, *at_one), sp.S.Zero),
        ("slope at 1", "f'(1) = 0", sp.Subs(slope, *at_one), sp.S.Zero),
        ("sign of the slope", r"f'(t) = (t - 1)/t", slope, (t - 1) / t),
        ("strict convexity", r"f''(t) = 1/t^2", curvature, t**-2),
    ]
    return [Step("eq-tangent", *row) for row in rows]


def divergence_steps() -> list[Step]:
    """1a: the divergence as a sum of two non-negative terms."""
    kl = sum_over_support(q[k] * sp.log(q[k] / posterior))
    return [
        Step(
            "eq-pointwise",
            "integrand, at every point",
            r"q\log(q/p) = q\,f(p/q) + q - p",
            q_z * sp.log(q_z / p_z),
            q_z * tangent_gap(p_z / q_z) + q_z - p_z,
        ),
        Step(
            "eq-split",
            "sum over the support, any K",
            r"D = \sum_k q_k\,f(p_k/q_k) + 1 - \sum_k p_k",
            kl,
            sum_over_support(q[k] * tangent_gap(posterior / q[k]))
            + 1
            - sum_over_support(posterior),
            (Q_SUMS_TO_ONE,),
        ),
    ]


def gaussian_steps() -> list[Step]:
    """1a for two normal distributions, and for the special case used in the VAE's loss."""
    first, second = normal_density(z, m_1, v_1), normal_density(z, m_2, v_2)
    encoder = normal_density(z, mu, sp.exp(logvar))
    split = tangent_gap(v_1 / v_2) / 2 + (m_1 - m_2) ** 2 / (2 * v_2)
    return [
        Step(
            "eq-gauss-kl",
            "integral of the definition",
            r"D = \frac{1}{2}\log\frac{v_2}{v_1} + \frac{v_1 + (m_1 - m_2)^2}{2 v_2} - \frac{1}{2}",
            integral_over_line(first * sp.log(first / second)),
            gaussian_kl_expression(),
        ),
        Step(
            "eq-gauss-kl",
            "two terms, neither negative",
            r"D = \frac{1}{2} f(v_1/v_2) + (m_1 - m_2)^2 / (2 v_2)",
            gaussian_kl_expression(),
            split,
        ),
        Step(
            "eq-vae-kl",
            "integral, standard normal prior",
            r"D = -\frac{1}{2}(1 + \ell - \mu^2 - e^{\ell})",
            integral_over_line(encoder * sp.log(encoder / normal_density(z, 0, 1))),
            vae_kl_expression(),
        ),
    ]


def decomposition_steps() -> list[Step]:
    """1b: the identity holds with the intended bound, for any K and any support of q."""
    kl, bound = (
        sum_over_support(q[k] * sp.log(ratio)) for ratio in (q[k] / posterior, joint[k] / q[k])
    )
    log_evidence = sp.log(evidence)
    return [
        Step(
            "eq-bayes",
            "Bayes, at every point",
            r"\log(p(z \mid x)\,p(x)/q) = \log p(x) - \log(q/p(z \mid x))",
            sp.log(p_z * evidence / q_z),
            log_evidence - sp.log(q_z / p_z),
        ),
        Step(
            "eq-decomposition",
            "mean of a constant, any K",
            r"\sum_k q_k \log p(x) = \log p(x)",
            sum_over_support(q[k] * log_evidence),
            log_evidence,
            (Q_SUMS_TO_ONE,),
        ),
        Step(
            "eq-decomposition",
            "identity, any K",
            r"D + L = \log p(x)",
            kl + bound,
            log_evidence,
            (Q_SUMS_TO_ONE,),
        ),
    ]


def printed_steps() -> list[Step]:
    """1b: without the logarithm, L' is a mass, and D + L' exceeds log p(x) by at least 1 nat."""
    kl = sum_over_support(q[k] * sp.log(q[k] / posterior))
    printed = sum_over_support(sp.Mul(q[k], joint[k] / q[k], evaluate=False))
    gap = sum_over_support(q[k] * tangent_gap(joint[k] / q[k]))
    return [
        Step(
            "eq-printed",
            "printed sum, any support",
            r"\sum_k q_k\,p(x, z_k)/q_k = p(x) \sum_k p_k",
            printed,
            evidence * sum_over_support(posterior),
        ),
        Step(
            "eq-printed",
            "printed sum, full support",
            r"\sum_k q_k\,p(x, z_k)/q_k = p(x)",
            printed,
            evidence,
            (FULL_SUPPORT,),
        ),
        Step(
            "eq-gap",
            "error of the printed identity",
            r"D + L' - \log p(x) = 1 + \sum_k q_k\,f(p(x, z_k)/q_k)",
            kl + printed - sp.log(evidence),
            1 + gap,
            (Q_SUMS_TO_ONE,),
        ),
    ]


def linear_gaussian_steps() -> list[Step]:
    """1b in a model with known evidence and posterior: every term is integrated and compared."""
    terms = linear_gaussian_terms()
    both = normal_density(z, 0, 1) * normal_density(x, w * z + b, noise)  # p(x, z)
    marginal = normal_density(x, b, w**2 + noise)
    exact = normal_density(z, terms.posterior_mean, terms.posterior_variance)
    return [*_exact_steps(both, marginal, exact), *_bound_steps(both, marginal, exact)]


def _exact_steps(both: sp.Expr, marginal: sp.Expr, exact: sp.Expr) -> list[Step]:
    return [
        Step(
            "eq-lg-exact",
            "evidence by integration",
            r"\int p(x, z)\,dz = \mathcal{N}(x; b, w^2 + s^2)",
            integral_over_line(both),
            marginal,
        ),
        Step(
            "eq-lg-exact",
            "posterior by Bayes",
            r"\log p(x, z) - \log p(x) = \log \mathcal{N}(z; m_*, v_*)",
            sp.log(both) - sp.log(marginal),
            sp.log(exact),
        ),
    ]


def _bound_steps(both: sp.Expr, marginal: sp.Expr, exact: sp.Expr) -> list[Step]:
    terms = linear_gaussian_terms()
    guess = normal_density(z, m, v)
    bound = integral_over_line(guess * sp.log(both / guess))
    shift = (m - terms.posterior_mean) ** 2 / terms.posterior_variance
    return [
        Step(
            "eq-lg-bound",
            "bound by integration",
            r"L = \mathrm{E}_q \log p(x \mid z) - D_{\mathrm{KL}}(q \parallel p(z))",
            bound,
            terms.bound,
        ),
        Step(
            "eq-lg-maximum",
            "both integrals together",
            r"D + L = \log \mathcal{N}(x; b, w^2 + s^2)",
            integral_over_line(guess * sp.log(guess / exact)) + bound,
            sp.log(marginal),
        ),
        Step(
            "eq-lg-maximum",
            "maximum at the posterior",
            r"L = \log p(x) - \frac{1}{2} f(v/v_*) - (m - m_*)^2/(2 v_*)",
            terms.bound,
            terms.log_evidence - tangent_gap(v / terms.posterior_variance) / 2 - shift / 2,
        ),
    ]


def all_steps() -> list[Step]:
    """All steps, in the report's order."""
    parts = (tangent_steps, divergence_steps, gaussian_steps, decomposition_steps, printed_steps)
    return [step for part in (*parts, linear_gaussian_steps) for step in part()]


def residual_table(steps: Iterable[Step]) -> str:
    """Format the residuals as a markdown pipe table with one row per equation."""
    lines = ["| equation | what is compared | residuals |"]
    # the lengths of the dashes set the column widths
    lines.append(f"|:{'-' * 14}|:{'-' * 68}|{'-' * 12}:|")
    for label, group in groupby(steps, key=lambda step: step.label):
        names, residuals = zip(*((step.name, str(step.residual)) for step in group), strict=True)
        lines.append(f"| @{label} | {'; '.join(names)} | {', '.join(residuals)} |")
    return "\n".join(lines)
