"""Cells that show what a report imports: the imports are replaced by the definitions themselves.

A cell with the tag `definitions` consists of lines such as `from package.module import Name`. In
the notebook and on the page its place is taken by the source of these names, drawn from the
package, and later cells use what the notebook defines. Quarto, which knows nothing of this, runs
the imports, so the names are the same there. Modules are parsed, not imported.
"""

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TAG = "definitions"


class DefinitionsError(ValueError):
    """A cell with the tag `definitions` that asks for something other than definitions."""


@dataclass
class Definitions:
    """Replaces imports cell by cell, and remembers what the cells before have defined."""

    _known: set[str] = field(default_factory=set)
    """What cells above define or import, as `module.name`."""

    def replace(self, code: str) -> str:
        """Replace a cell's imports by the source of what they import, after what that needs.

        Args:
            code: lines of the form `from package.module import Name, other`.

        Raises:
            DefinitionsError: another statement, or a name that the module does not define.
        """
        wanted = [(str(n.module), {each.name for each in n.names}) for n in _imports_of(code)]
        self._known |= {f"{module}.{name}" for module, names in wanted for name in names}
        needed: dict[str, dict[str, None]] = {}  # module to names, in order; "" for whole modules
        sources: list[str] = []
        for module, names in wanted:
            lines, tree = _read(module)
            chosen = [node for node in tree.body if names & _bound(node)]
            if missing := names.difference(*map(_bound, chosen)):
                raise DefinitionsError(f"{module} does not define {sorted(missing)[0]}")
            used = set().union(*map(_names, chosen)) - names
            for origin, name in _needed(module, tree, used):
                if f"{origin}.{name}" not in self._known:
                    self._known.add(f"{origin}.{name}")
                    needed.setdefault(origin, {})[name] = None
            sources += [_source(lines, tree, node) for node in chosen]
        imports = [f"import {name}" for name in needed.pop("", {})]
        imports += [f"from {origin} import {', '.join(names)}" for origin, names in needed.items()]
        return "\n\n\n".join([*filter(None, ["\n".join(imports)]), *sources])


def _imports_of(code: str) -> list[ast.ImportFrom]:
    try:
        statements = ast.parse(code).body
    except SyntaxError as error:
        raise DefinitionsError(f"not Python: {error.msg}") from error
    found = [node for node in statements if isinstance(node, ast.ImportFrom) and not node.level]
    if len(found) < len(statements) or any(
        a.asname or a.name == "*" for n in found for a in n.names
    ):
        raise DefinitionsError("expected only lines of the form `from package.module import Name`")
    return found


def _read(module: str) -> tuple[list[str], ast.Module]:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise DefinitionsError(f"there is no source of a module {module}")
    text = Path(spec.origin).read_text("utf-8")
    return text.splitlines(), ast.parse(text)


def _bound(node: ast.stmt) -> set[str]:
    """Names that a statement at the top of a module defines; imports do not count."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return set().union(*map(_names, targets))
    return set()


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _needed(module: str, tree: ast.Module, used: set[str]) -> Iterator[tuple[str, str]]:
    """Module and name, or nothing and a module, of the imports that bring the used names."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for each in node.names:
                if (each.asname or each.name).partition(".")[0] in used:
                    origin = node.module or "" if isinstance(node, ast.ImportFrom) else ""
                    yield origin, f"{each.name} as {each.asname}" if each.asname else each.name
        else:
            yield from ((module, name) for name in sorted(_bound(node) & used))


def _source(lines: list[str], tree: ast.Module, node: ast.stmt) -> str:
    """The lines of a definition, with decorators and, for a value, the text that explains it."""
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    last = node
    if isinstance(node, ast.Assign | ast.AnnAssign):
        after = tree.body[tree.body.index(node) + 1 :]
        if after and isinstance(after[0], ast.Expr) and isinstance(after[0].value, ast.Constant):
            last = after[0]
    return "\n".join(lines[first - 1 : last.end_lineno])
