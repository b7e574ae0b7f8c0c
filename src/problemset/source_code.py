"""Digests of source code: one per function, class and constant that a result depends on.

Starting from given functions, every name in their code is looked up in their own module or in the
imports from the followed packages, recursively. A result can then be tied to the code that produced
it, and a change can be reported by the name of the function that changed. Files are only parsed;
nothing is imported.
"""

import ast
import functools
import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NO_EFFECT = (ast.Pass, ast.TypeIgnore)


@dataclass(frozen=True)
class _Module:
    """What a module defines at its top level, and where its imported names come from."""

    name: str
    definitions: dict[str, ast.stmt]
    """Functions, methods as `Class.method`, classes without their methods, and assigned names."""
    imports: dict[str, str]
    """Local name to dotted name, such as `F` to `torch.nn.functional`."""


def dependencies(*functions: Callable[..., Any], packages: Iterable[str] = ()) -> dict[str, str]:
    """Digest all code that the given functions depend on, within their own packages.

    Args:
        functions: module-level functions, or classes.
        packages: further packages within which imports are followed.

    Returns:
        Qualified name, without the module, to SHA-256. Comments, docstrings, formatting and the
        position of a definition do not affect it. Definitions with the same name in several modules
        share an entry.

    Raises:
        ValueError: a function is not defined in a module's source file.
    """
    followed = {function.__module__.partition(".")[0] for function in functions} | set(packages)
    waiting = [(function.__module__, function.__qualname__) for function in functions]
    for module, name in waiting:
        if name not in _module(module).definitions:
            raise ValueError(f"{module}.{name} has no source that can be followed")
    found: dict[tuple[str, str], str] = {}
    while waiting:
        place = waiting.pop()
        if place not in found:
            found[place] = _definition_digest(*place)
            waiting += _references(*place, frozenset(followed))
    digests: dict[str, list[str]] = {}
    for (_, name), digest in found.items():
        digests.setdefault(name, []).append(digest)
    return {
        name: several[0] if len(several) == 1 else sha256(sorted(several))
        for name, several in sorted(digests.items())
    }


def sha256(value: Any) -> str:
    """SHA-256 of a value's JSON representation."""
    text = json.dumps(value, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(node: Any) -> Any:
    """A syntax tree as nested lists, identical under every supported version of Python.

    `ast.dump` is not stable: it prints fields that later versions added (`type_params`), and since
    3.13 it omits empty ones. Here every empty field is omitted. A string that stands alone as a
    statement counts as a docstring, whether of a module, class, function or field.
    """
    if isinstance(node, ast.JoinedStr):  # 3.12 adds empty pieces to some f-strings
        node.values = [value for value in node.values if getattr(value, "value", None) != ""]
    if isinstance(node, ast.AST):
        fields = [(name, canonical(value)) for name, value in ast.iter_fields(node)]
        filled = [
            [name, value] for name, value in fields if value not in (None, []) and name != "kind"
        ]
        return [type(node).__name__, *filled]
    if isinstance(node, list):
        return [canonical(item) for item in node if not _has_no_effect(item)]
    return [type(node).__name__, ascii(node)] if node is not None else None


def _has_no_effect(node: Any) -> bool:
    """Whether a statement does nothing: a bare string, or a `pass` in its place."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return isinstance(node.value.value, str)
    return isinstance(node, _NO_EFFECT)


@functools.cache  # later edits do not affect the code that is already running
def _module(name: str) -> _Module:
    """Parse a module; one without a source file defines nothing."""
    try:
        spec = importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):  # `module.function`, or a notebook's __main__
        spec = None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return _Module(name, {}, {})
    try:
        tree = ast.parse(Path(spec.origin).read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{spec.origin} cannot be read as Python: {error}") from error
    imports: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return _Module(name, dict(_definitions(tree.body)), imports)


def _definitions(body: list[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for node in body:
        if isinstance(node, _FUNCTIONS):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            methods = [part for part in node.body if isinstance(part, _FUNCTIONS)]
            yield from ((f"{node.name}.{method.name}", method) for method in methods)
            node.body = [part for part in node.body if part not in methods]
            yield node.name, node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in (name for each in targets for name in ast.walk(each)):
                if isinstance(target, ast.Name):
                    yield target.id, node
        elif isinstance(node, ast.If | ast.Try):
            yield from _definitions([*node.body, *node.orelse])


@functools.cache
def _definition_digest(module: str, name: str) -> str:
    """Digest a definition, including the origin of the names it imports from other packages."""
    found = _module(module)
    node = found.definitions[name]
    package = module.partition(".")[0]
    used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    foreign = {n: d for n, d in found.imports.items() if n in used and not _inside(d, package)}
    return sha256([canonical(node), foreign])


@functools.cache
def _references(module: str, name: str, followed: frozenset[str]) -> list[tuple[str, str]]:
    """List the definitions that a definition refers to, and the methods of a class."""
    found = _module(module)
    node = found.definitions[name]
    places = [(module, each) for each in found.definitions if each.startswith(f"{name}.")]
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            places += _resolved(found, part.id, followed)
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            places += _resolved(found, f"{part.value.id}.{part.attr}", followed)
    return places


def _resolved(module: _Module, name: str, followed: frozenset[str]) -> list[tuple[str, str]]:
    """Find the definition of a name or of an imported module's attribute; empty if none."""
    if name in module.definitions:
        return [(module.name, name)]
    first, _, rest = name.partition(".")
    dotted = module.imports.get(first, "") + (f".{rest}" if rest else "")
    if not any(_inside(dotted, package) for package in followed):
        return []
    owner, _, attribute = dotted.rpartition(".")
    return [(owner, attribute)] if attribute in _module(owner).definitions else []


def _inside(dotted: str, package: str) -> bool:
    return dotted.startswith(f"{package}.")
