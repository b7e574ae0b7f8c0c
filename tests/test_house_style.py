"""The house style as far as it can be measured."""

import ast
import collections
import statistics
from pathlib import Path

import pytest

import latentwalk

ROOT = Path(__file__).parent.parent
SOURCE = Path(latentwalk.__file__).parents[1]
MODULES = {
    path.relative_to(SOURCE).as_posix(): path
    for package in ("latentwalk", "problemset")
    for path in sorted((SOURCE / package).rglob("*.py"))
}
LONGEST_MODULE = 250  # without docstrings, which explain and are not code
LONGEST_FUNCTION = 40
MODULES_A_FOLDER = 16  # with __init__.py
TRAINING_LOOP = 60  # the one exception: `training.fit`, read from top to bottom


def functions(tree):
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(function):
    """Lines from `def` to the end without the docstring, which explains and is not code."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


@pytest.fixture(scope="module")
def trees():
    return {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}


def docstring_lines(tree):
    """Lines of all docstrings, those that follow a field included."""
    alone = (node for node in ast.walk(tree) if isinstance(node, ast.Expr))
    texts = (n for n in alone if isinstance(getattr(n.value, "value", None), str))
    return sum(node.end_lineno - node.lineno + 1 for node in texts)


def test_modules_fit_on_a_few_pages(trees):
    lines = {
        name: len(path.read_text("utf-8").splitlines()) - docstring_lines(trees[name])
        for name, path in MODULES.items()
    }
    assert {n: count for n, count in lines.items() if count > LONGEST_MODULE} == {}


def test_folders_hold_few_modules():
    counts = collections.Counter(Path(name).parent.as_posix() for name in MODULES)
    assert {folder: count for folder, count in counts.items() if count > MODULES_A_FOLDER} == {}


def test_functions_are_short(trees):
    long = {}
    lengths = []
    for name, tree in trees.items():
        for function in functions(tree):
            count = body_lines(function)
            lengths.append(count)
            loop = (name, function.name) == ("latentwalk/training/loop.py", "fit")
            if count > (TRAINING_LOOP if loop else LONGEST_FUNCTION):
                long[f"{name}:{function.name}"] = count
    assert long == {}
    assert statistics.median(lengths) <= 12


def fields(tree):
    """Fields of the configuration classes, each with the statement after it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name.endswith("Config"):
            following = [*node.body[1:], None]
            for statement, after in zip(node.body, following, strict=True):
                if isinstance(statement, ast.AnnAssign):
                    yield f"{node.name}.{ast.unparse(statement.target)}", statement, after


def test_every_hyper_parameter_has_a_default_and_a_docstring(trees):
    found = [entry for tree in trees.values() for entry in fields(tree)]
    assert len(found) > 20
    for name, statement, after in found:
        assert statement.value is not None, f"{name} has no default"
        explained = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        assert explained, f"{name} has no docstring"


def test_there_is_enough_test_for_the_source():
    source = sum(len(path.read_text("utf-8").splitlines()) for path in MODULES.values())
    tests = sum(len(p.read_text("utf-8").splitlines()) for p in (ROOT / "tests").rglob("*.py"))
    assert tests >= 0.6 * source


def test_nothing_is_left_to_do():
    for path in [*MODULES.values(), ROOT / "Makefile", ROOT / "README.md", ROOT / "report.qmd"]:
        words = path.read_text("utf-8")
        for mark in ("TODO", "FIXME", "XXX", "NotImplementedError"):
            assert mark not in words, f"{path.name} says {mark}"
