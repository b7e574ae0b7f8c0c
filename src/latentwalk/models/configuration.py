"""Configurations of the models: their check, and reading one without importing PyTorch."""

import ast
import functools
import itertools
import math
from pathlib import Path
from typing import Any


def check_positive(config: Any, zero_allowed: tuple[str, ...] = ()) -> None:
    """Refuse a configuration with a number that is not finite or not positive.

    Args:
        config: the configuration to check.
        zero_allowed: names of the fields that may also be 0.

    Raises:
        ValueError: names the field, its value and the expected range.
    """
    for name, value in vars(config).items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        fits = value > 0 or (value == 0 and name in zero_allowed)
        if not (fits and math.isfinite(value)):
            wanted = "0 or more" if name in zero_allowed else "more than 0"
            raise ValueError(f"{type(config).__name__}.{name} is {value}, expected {wanted}")


@functools.cache
def config_class(model: str) -> type[Any]:
    """Define a model's configuration class alone, because PyTorch takes seconds to import.

    The class has the fields and checks of the one in the model's module, but is not the same one.

    Args:
        model: the model's module in this folder, such as `gan`.
    """
    node, tree = _class_node(model)
    used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    imports = []
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom):
            statement.names = [alias for alias in statement.names if alias.name in used]
            imports += [statement] if statement.names else []
    # a dataclass looks for the module in which it is defined
    scope: dict[str, Any] = {"__name__": __name__}
    exec(compile(ast.Module([*imports, node], []), f"{model}.py", "exec"), scope)
    return scope[node.name]


def field_docstrings(model: str) -> dict[str, str]:
    """Each field of a model's configuration, with the docstring below it on one line."""
    return {
        ast.unparse(field.target): " ".join(ast.literal_eval(below.value).split())
        for field, below in itertools.pairwise(_class_node(model)[0].body)
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr)
    }


def _class_node(model: str) -> tuple[ast.ClassDef, ast.Module]:
    tree = ast.parse(Path(__file__).with_name(f"{model}.py").read_text("utf-8"))
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return next(node for node in classes if node.name.endswith("Config")), tree
