import ast
import itertools
import math
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import sympy as sp

from latentwalk.derivations import counterexample, equations, symbolic
from latentwalk.derivations.symbolic import Step, evaluate_at, m_1, m_2, p_z, q_z, t, v, v_1, v_2

STEPS = equations.all_steps()
IDS = [f"{step.label}: {step.name}" for step in STEPS]
CASES = counterexample.counterexamples()


def step_named(name: str) -> Step:
    (found,) = (step for step in STEPS if step.name == name)
    return found


def agrees(step: Step, seed: int) -> bool:
    left, right = evaluate_at(step, seed)
    return math.isclose(left, right, rel_tol=1e-11, abs_tol=1e-11)


@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_residual_is_exactly_zero(step):
    assert step.residual is sp.S.Zero


@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_sides_are_not_the_same_expression(step):
    assert step.left != step.right
    assert sp.srepr(step.left) != sp.srepr(step.right)


@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_sides_agree_at_random_points_without_simplifying(step):
    has_integral = step.left.has(sp.Integral)
    assert all(agrees(step, seed) for seed in range(1 if has_integral else 2))


def test_steps_name_every_part_once_and_carry_clean_labels():
    assert len({(step.label, step.name) for step in STEPS}) == len(STEPS)
    assert all(re.fullmatch(r"eq-[a-z0-9-]+", step.label) for step in STEPS)
    banned = ("$", "|", r"\!", r"\;", r"\big", r"\operatorname", "`")  # they break the report
    assert not [step.claim for step in STEPS for mark in banned if mark in step.claim]


def test_steps_keep_the_reports_order():
    order = [label for label, _ in itertools.groupby(step.label for step in STEPS)]
    assert len(order) == len(set(order))
    assert order[0] == "eq-tangent"
    assert order.index("eq-split") < order.index("eq-decomposition") < order.index("eq-gap")


def test_all_residuals_take_less_than_ten_seconds():
    start = time.process_time()
    assert all(step.residual == 0 for step in equations.all_steps())
    assert time.process_time() - start < 10


SABOTAGE = {
    "wrong sign of the logarithm": ("integral of the definition", sp.log(v_1 / v_2)),
    "dropped half": ("integral of the definition", sp.Rational(1, 2)),
    "dropped distance": ("integral of the definition", -((m_1 - m_2) ** 2) / (2 * v_2)),
    "variances swapped": ("two terms, neither negative", v_1 / v_2 - v_2 / v_1),
    "bound without prior": ("bound by integration", symbolic.linear_gaussian_terms().prior_kl),
    "posterior mass forgotten": ("sum over the support, any K", sp.S.NegativeOne),
    "Bayes the wrong way": ("Bayes, at every point", 2 * sp.log(q_z / p_z)),
    "one nat forgotten": ("error of the printed identity", sp.S.NegativeOne),
    "curvature of another sign": ("strict convexity", -2 / t**2),
    "logvar taken for the scale": ("integral, standard normal prior", sp.exp(symbolic.logvar)),
    "maximum elsewhere": ("maximum at the posterior", v),
}


@pytest.mark.parametrize(("name", "error"), SABOTAGE.values(), ids=SABOTAGE)
def test_a_wrong_term_leaves_a_residual(name, error):
    step = step_named(name)
    wrong = replace(step, right=step.right + error)
    assert wrong.residual != 0
    assert not agrees(wrong, seed=0)


@pytest.mark.parametrize("name", ["identity, any K", "printed sum, full support"])
def test_the_constraint_is_needed(name):
    assert replace(step_named(name), given=()).residual != 0


def test_logarithm_left_out_of_the_bound_leaves_a_residual():
    step, printed = step_named("identity, any K"), step_named("printed sum, any support").left
    wrong = replace(step, left=step.left + printed - symbolic_bound(step))
    assert wrong.residual != 0
    assert not agrees(wrong, seed=0)


def symbolic_bound(step: Step) -> sp.Sum:
    (bound,) = (part for part in step.left.args if not part.has(symbolic.evidence))
    return bound


def test_slope_vanishes_at_one_only():
    slope = sp.diff(symbolic.tangent_gap(t), t)
    assert sp.solveset(slope, t, sp.Interval.open(0, sp.oo)) == sp.FiniteSet(1)


@pytest.mark.parametrize(("mean", "variance"), [(0, 1), (2, 1), (0, 3), (-1, sp.Rational(1, 2))])
def test_gaussian_divergence_is_zero_only_at_equal_parameters(mean, variance):
    kl = symbolic.gaussian_kl_expression().subs({m_1: mean, v_1: variance, m_2: 0, v_2: 1})
    assert (kl == 0) == ((mean, variance) == (0, 1))
    assert kl >= 0


def test_vae_divergence_is_the_general_one_at_the_standard_normal():
    special = {m_1: symbolic.mu, v_1: sp.exp(symbolic.logvar), m_2: 0, v_2: 1}
    general = symbolic.gaussian_kl_expression().subs(special)
    assert sp.simplify(sp.expand_log(general) - symbolic.vae_kl_expression()) == 0


def test_closed_forms_become_numeric_functions():
    kl = sp.lambdify((symbolic.mu, symbolic.logvar), symbolic.vae_kl_expression(), "math")
    assert kl(0.0, 0.0) == 0.0
    assert kl(1.0, 0.0) == 0.5
    terms = symbolic.linear_gaussian_terms()
    names = (*sp.symbols("x w b", real=True), symbolic.noise, symbolic.m, v)
    assert terms.bound.free_symbols == set(names)
    bound = sp.lambdify(names, terms.bound, "math")
    evidence = sp.lambdify(names, terms.log_evidence, "math")
    # x = 1, w = 1, b = 0, s2 = 1: the posterior is N(1/2, 1/2)
    assert bound(1, 1, 0, 1, 0.5, 0.5) == pytest.approx(-0.5 * math.log(4 * math.pi) - 0.25)
    assert evidence(1, 1, 0, 1, 0.5, 0.5) == pytest.approx(bound(1, 1, 0, 1, 0.5, 0.5))
    assert bound(1, 1, 0, 1, 0.6, 0.5) < bound(1, 1, 0, 1, 0.5, 0.5) > bound(1, 1, 0, 1, 0.5, 0.4)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_counterexample_closes_with_the_logarithm_only(case):
    assert sum(case.q) == 1
    assert case.intended_gap is sp.S.Zero
    assert case.printed_gap != 0
    assert case.printed_gap.is_comparable
    assert not case.printed_gap.has(sp.Float)
    assert case.printed_gap > 1


def test_counterexample_has_the_values_worked_by_hand():
    guess, exact, single = CASES
    log = sp.log
    assert guess.log_evidence == -log(2)
    assert guess.divergence == log(2) - log(3) / 2
    assert guess.intended == log(3) / 2 - 2 * log(2)
    assert guess.printed_gap == sp.Rational(1, 2) + 2 * log(2) - log(3) / 2
    assert (exact.divergence, exact.intended, exact.printed) == (0, -log(2), sp.Rational(1, 2))
    assert (single.divergence, single.printed) == (2 * log(2), sp.Rational(1, 8))


def test_printed_integral_is_the_joint_mass_on_the_support_of_q():
    guess, exact, single = CASES
    assert guess.printed == exact.printed == sum(guess.joint)
    assert single.printed == single.joint[0] < sum(single.joint)


def test_error_of_one_nat_is_reached_exactly_where_q_is_the_joint():
    tight = counterexample.Counterexample(
        "q equals p(x, z)", (sp.Rational(1, 4), sp.Rational(3, 4)), CASES[0].q
    )
    assert tight.printed_gap > 1
    touching = replace(tight, q=tight.joint)
    assert touching.printed_gap == 1


def test_residual_table_shows_every_residual_under_its_equation():
    table = equations.residual_table(STEPS).splitlines()
    assert len(table) == len({step.label for step in STEPS}) + 2
    shown = [cell for row in table[2:] for cell in row.split("|")[3].split(",")]
    assert [cell.strip() for cell in shown] == ["0"] * len(STEPS)
    wrong = replace(STEPS[0], right=sp.Integer(7))
    assert equations.residual_table([wrong]).endswith("| -7 |")


def test_counterexample_table_has_a_row_for_each_case():
    exhibit = counterexample.counterexample_table(CASES).splitlines()
    assert len(exhibit) == len(CASES) + 2
    assert {row.count("|") for row in exhibit} == {7}
    assert r"$2 \log 2 + \frac{1}{2} - \frac{\log 3}{2}$ |" in exhibit[2]


@pytest.mark.parametrize("module", [symbolic, equations, counterexample])
def test_imports_are_sympy_and_the_standard_library(module):
    allowed = {*sys.stdlib_module_names, "sympy", "latentwalk"}
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    froms = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    plain = {n.name for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names}
    assert {name.split(".")[0] for name in froms | plain} <= allowed
    assert {name for name in froms if name.startswith("latentwalk")} <= {
        "latentwalk.derivations.symbolic"
    }
