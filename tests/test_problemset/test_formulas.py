"""Formulas from a submission: evaluated rightly, and never run."""

import mpmath
import pytest

from latentwalk.checks import problem1
from latentwalk.checks.problem1 import random_point
from latentwalk.derivations import equations, export, symbolic
from problemset.formulas import LONGEST, FormulaError, Point, chain_fault, is_same, parse, value

POINT = Point(
    {"t": mpmath.mpf(2), "z": mpmath.mpf(-1), "p_x": mpmath.mpf("0.5"), "K": 2, "pi": mpmath.pi},
    {
        "q": (mpmath.mpf("0.25"), mpmath.mpf("0.75")),
        "j": (mpmath.mpf("0.125"), mpmath.mpf("0.375")),
    },
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/2 + 0.25*t", 1.0),
        ("-z**3 - (+t)", -1.0),
        ("log(exp(t)) + sqrt(4)", 4.0),
        ("2*pi", 6.283185307179586),
        ("t**(1/2)", 1.4142135623730951),
        ("Sum(q[k], (k, 1, K))", 1.0),
        ("Sum(q[k]*(j[k]/q[k]), (k, 1, K))", 0.5),
        ("Sum(k, (k, 1, K))", 3.0),
        ("Integral(exp(-z**2/2)/sqrt(2*pi), (z, -oo, oo))", 1.0),
        ("Integral(z**2*exp(-z**2/2)/sqrt(2*pi), (z, -oo, oo))", 1.0),
        ("Derivative(t**3, t)", 12.0),
        ("Derivative(t**3, (t, 2))", 12.0),
        ("Subs(t - 1 - log(t), t, 1)", 0.0),
        ("Subs(Derivative(t - 1 - log(t), t), t, 1)", 0.0),
    ],
)
def test_values(text, expected):
    assert float(value(parse(text), POINT)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__",
        "lambda: 1",
        "[t for t in (1,)]",
        "t if t else 1",
        "open('x')",
        "exp(t, t)",
        "exp(x=t)",
        "log",
        "q",
        "q[1]",
        "q[k]",
        "unknown + 1",
        "True",
        "'text'",
        "1j",
        "t == 2",
        "t; t",
        "",
        "   ",
        "t.real",
        "f'{t}'",
        "Sum(q[k], (k, 1, 3))",
        "Sum(q[k], (k, 1, K), 1)",
        "Integral(t, (t, 0, 1))",
        "Sum(Sum(q[k], (k, 1, K)), (k, 1, K))",
        "Derivative(t, 2)",
        "Derivative(t, (t, 9))",
        "Derivative(1, unknown)",
        "9**9**9**9",
        "t**1000",
        "exp(exp(exp(exp(exp(9)))))",
        "1/0",
        "log(0)",
        "log(-1)",
        "sqrt(-2)",
        "(-8)**(1/3)",
        "t @ t",
        "t // 2",
        "t % 2",
        "not t",
        "~t",
        "(" * 300 + "t" + ")" * 300,
        "-" * 200 + "t",
        "+".join(["t"] * 900),
        "1" * LONGEST + "1",
    ],
)
def test_what_is_not_of_the_notation_is_refused_in_one_line(text):
    with pytest.raises(FormulaError) as caught:
        value(parse(text), POINT)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_point_is_a_distribution_and_decided_by_its_seed():
    for seed in range(20):
        point, full = random_point(seed), random_point(seed, full_support=True)
        assert mpmath.almosteq(sum(point.sequences["q"]), 1)
        assert min(point.sequences["q"]) > 0
        assert point.symbols["p_x"] > sum(point.sequences["j"])
        assert mpmath.almosteq(full.symbols["p_x"], sum(full.sequences["j"]))
        assert all(full.symbols[name] == point.symbols[name] for name in ("t", "v_1", "mu"))
        assert random_point(seed) == point


def test_the_same_text_is_no_comparison():
    assert is_same(parse("t + 1"), parse(" (t+1) "))
    assert not is_same(parse("t + 1"), parse("1 + t"))


def test_every_step_of_the_report_holds_by_this_route_and_its_negative_does_not():
    for step in export.as_text(equations.all_steps())["steps"]:
        point = random_point(7, full_support=step["full_support"])
        left, right = (value(parse(step[side]), point) for side in ("left", "right"))
        assert left == pytest.approx(right, abs=1e-12), step["says"]
        if abs(right) > 1e-6:
            assert abs(left + right) > 1e-6, step["says"]


def test_definitions_are_those_that_sympy_integrates():
    """The grader's own integrals against closed forms that sympy found by another way."""
    terms = symbolic.linear_gaussian_terms()
    closed = {
        "gaussian_divergence": symbolic.gaussian_kl_expression(),
        "divergence_from_prior": symbolic.vae_kl_expression(),
        "bound": terms.bound,
        "log_evidence": terms.log_evidence,
    }
    assert closed.keys() == problem1.DEFINITIONS.keys()
    for name, expression in closed.items():
        point = random_point(8)
        integral = value(parse(problem1.DEFINITIONS[name]), point)
        assert integral == pytest.approx(value(parse(str(expression)), point), abs=1e-12)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["Derivative(t**2, t)", "t + t", "2*t"], ""),
        (["2*t", "t + t", "2 * t"], "line 2 repeats an earlier one"),
        (["2*t", "3*t - t", "t**2"], "line 2 does not equal the one before"),
        (["2*t", "Derivative(t**2, t)"], "the last line is not a closed form: it has Derivative"),
        (["1", "Sum(q[k], (k, 1, K))"], "the last line is not a closed form: it has Sum"),
        (["Derivative(t**2, t)", "Derivative(t**2, t)", "t + t", "2*t"], ""),
        (["2*t", "2*t", "2*t"], "line 2 repeats an earlier one"),
    ],
)
def test_a_chain_of_formulas_holds_from_line_to_line(lines, says):
    points = [POINT, POINT.at(t=mpmath.mpf("0.7"))]
    assert chain_fault(lines, points) == says


def test_a_closed_form_has_only_the_symbols_that_it_may_have():
    lines = ["Derivative(t**2, t)", "t + t", "2*t*exp(0)"]
    assert chain_fault(lines, [POINT], ("t",)) == ""
    assert chain_fault(lines, [POINT], ("p", "n")) == "the last line has t, expected only p, n"


@pytest.mark.parametrize("line", [7, None, "2*", "u", "__import__('os')", ["t"]])
def test_a_chain_of_something_else_is_no_chain(line):
    with pytest.raises(FormulaError):
        chain_fault(["2*t", line], [POINT])
