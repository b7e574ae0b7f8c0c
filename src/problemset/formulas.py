"""Parse and evaluate submitted formulas without trusting them.

The notation is sympy's own, as `str(expression)` prints it: numbers, symbols, + - * / **, log, exp,
sqrt, pi, sequences `q[k]`, and the forms `Sum(f, (k, 1, K))`, `Integral(f, (z, -oo, oo))`,
`Derivative(f, t)`, `Derivative(f, (t, 2))` and `Subs(f, t, value)`. Python's parser reads the text,
and nothing in it is run: every kind of node that is not listed below is refused.
"""

import ast
import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import mpmath

from problemset.text import one_line

LONGEST, MOST_NODES, DEEPEST = 4000, 1000, 60
_DIGITS = 30
_WIDTH = mpmath.mpf("0.15")
_LINE = [_WIDTH * i for i in range(-200, 201)]  # -30 to 30: see `_whole`
_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_FUNCTIONS = {"log": mpmath.log, "exp": mpmath.exp, "sqrt": mpmath.sqrt}
_MOST_POWER = 64
_UNEVALUATED = ("Sum", "Integral", "Derivative", "Subs")
CLOSE = 1e-9
"""Largest difference, relative to the larger value or to 1, of values that count as equal."""


class FormulaError(ValueError):
    """A text is not a formula in this notation, or has no value at a point."""


@dataclass(frozen=True)
class Point:
    """Values of all symbols."""

    symbols: Mapping[str, Any]
    """Name to number. Where there are sequences, `K` is their length."""
    sequences: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Name to the numbers that `name[k]` stands for, k = 1..K."""

    def at(self, **symbols: Any) -> "Point":
        """The same point with other values for some symbols."""
        return Point({**self.symbols, **symbols}, self.sequences)


def parse(text: str) -> ast.expr:
    """Parse a formula.

    Raises:
        FormulaError: too long, too deep, or not in the notation.
    """
    if not isinstance(text, str) or len(text) > LONGEST:
        raise FormulaError(f"expected a formula of at most {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise FormulaError(f"{_shown(text)} is not a formula") from error
    if sum(1 for _ in ast.walk(tree)) > MOST_NODES or _depth(tree) > DEEPEST:
        raise FormulaError(f"{_shown(text)} is too large, expected at most {MOST_NODES} parts")
    return tree


def value(tree: ast.expr, point: Point) -> Any:
    """Evaluate a formula to 30 digits.

    Raises:
        FormulaError: a name or form is not in the notation, or the value is not finite and real.
    """
    try:
        # many more digits than are compared, so that cancellation does no harm
        with mpmath.workdps(_DIGITS):
            found = _value(tree, point, nested=False)
            if not isinstance(found, mpmath.mpf | int) or not mpmath.isfinite(found):
                raise FormulaError(f"{_shown(ast.unparse(tree))} has no finite real value")
            return mpmath.mpf(found)
    except (ArithmeticError, TypeError, mpmath.libmp.ComplexResult) as error:
        raise FormulaError(f"{_shown(ast.unparse(tree))} has no value: {error}") from error


def is_same(left: ast.expr, right: ast.expr) -> bool:
    """Whether two formulas have the same syntax tree, so that comparing them proves nothing."""
    return ast.dump(left) == ast.dump(right)


def chain_fault(lines: Sequence[str], points: Sequence[Point], names: Sequence[str] = ()) -> str:
    """Find the first mistake in a derivation that leads from a definition to a closed form.

    Args:
        lines: the definition, then formulas, each of which must equal the one before, and be
            another; the first of them may repeat the definition.
        points: where they are compared. Derive them from the lines, so that no false formula can be
            built that holds at these points alone.
        names: symbols that the closed form may use; any if empty.

    Returns:
        The mistake in words, or an empty string.

    Raises:
        FormulaError: a line is not a formula, or has no value at a point.
    """
    trees = [parse(line) for line in lines]
    for number, (before, line) in enumerate(itertools.pairwise(trees), start=1):
        if number > 1 and any(is_same(line, earlier) for earlier in trees[:number]):
            return f"line {number} repeats an earlier one"
        for point in points:
            if not mpmath.almosteq(value(before, point), value(line, point), CLOSE):
                return f"line {number} does not equal the one before"
    used = {node.id for node in ast.walk(trees[-1]) if isinstance(node, ast.Name)}
    if found := sorted(used.intersection(_UNEVALUATED)):
        return f"the last line is not a closed form: it has {found[0]}"
    if names and (found := sorted(used - {*names, *_FUNCTIONS})):
        return f"the last line has {found[0]}, expected only {', '.join(names)}"
    return ""


def _value(tree: ast.AST, point: Point, *, nested: bool) -> Any:
    go = partial(_value, point=point, nested=nested)
    match tree:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return mpmath.mpf(number)
        case ast.Name(id=name) if name in point.symbols:
            return point.symbols[name]
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(go(left), go(right))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](go(left), go(right))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](go(operand))
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Name(id="k")) if (
            name in point.sequences
        ):
            return _term(name, point)
        case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in _FUNCTIONS:
            return _real(_FUNCTIONS[name](go(inner)))
        case ast.Call(func=ast.Name(id="Sum" | "Integral"), args=[inner, over], keywords=[]):
            return _whole(tree, inner, ast.unparse(over), point, nested)
        case ast.Call(func=ast.Name(id="Derivative"), args=[inner, over], keywords=[]):
            return _derivative(inner, over, point)
        case ast.Call(func=ast.Name(id="Subs"), args=[inner, ast.Name(id=name), new], keywords=[]):
            return _value(inner, point.at(**{name: go(new)}), nested=nested)
    raise FormulaError(f"{_shown(ast.unparse(tree))} is not in the notation")


def _term(name: str, point: Point) -> Any:
    if "k" not in point.symbols:
        raise FormulaError(f"{name}[k] has a value only inside Sum(..., (k, 1, K))")
    return point.sequences[name][point.symbols["k"] - 1]


def _whole(tree: ast.AST, inner: ast.expr, over: str, point: Point, nested: bool) -> Any:
    """A sum over all outcomes, or an integral over the whole real line."""
    if nested:
        raise FormulaError("a sum or an integral inside another is not in the notation")
    assert isinstance(tree, ast.Call)
    assert isinstance(tree.func, ast.Name)
    if (tree.func.id, over) == ("Sum", "(k, 1, K)"):
        places = range(1, int(point.symbols.get("K", 0)) + 1)
        return mpmath.fsum(_value(inner, point.at(k=place), nested=True) for place in places)
    if (tree.func.id, over) == ("Integral", "(z, -oo, oo)"):
        # At random points every bell curve has a width of 0.2 to 2.8 and a centre within 5 of zero.
        # For these the rectangle rule is exact up to rounding.
        return (
            mpmath.fsum(_value(inner, point.at(z=place), nested=True) for place in _LINE) * _WIDTH
        )
    raise FormulaError(f"{tree.func.id} over {_shown(over)} is not in the notation")


def _derivative(inner: ast.expr, over: ast.expr, point: Point) -> Any:
    match over:
        case ast.Name(id=name):
            order = 1
        case ast.Tuple(elts=[ast.Name(id=name), ast.Constant(value=1 | 2 as order)]):
            pass
        case _:
            raise FormulaError(f"Derivative by {_shown(ast.unparse(over))} is not in the notation")
    if name not in point.symbols:
        raise FormulaError(f"{_shown(name)} is not a symbol")

    def along(place: Any) -> Any:
        return _value(inner, point.at(**{name: place}), nested=True)

    return mpmath.diff(along, point.symbols[name], order)


def _power(base: Any, exponent: Any) -> Any:
    if abs(exponent) > _MOST_POWER:
        raise FormulaError(f"a power of {mpmath.nstr(exponent, 5)}, expected at most {_MOST_POWER}")
    return _real(mpmath.power(base, exponent))


def _real(number: Any) -> Any:
    if isinstance(number, mpmath.mpc):
        raise FormulaError("a root or a logarithm of a negative number")
    return number


def _depth(tree: ast.AST) -> int:
    deepest, level = 0, [tree]
    while level:
        deepest, level = deepest + 1, [c for node in level for c in ast.iter_child_nodes(node)]
    return deepest


def _shown(text: str) -> str:
    return repr(one_line(text, 80))
