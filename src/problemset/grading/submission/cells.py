"""The code cells of a submitted notebook, each with the item whose heading it stands under."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from problemset.grading.submission.intake import IntakeError, read_json
from problemset.text import one_line

TRAINING = "training"
"""Tag of cells that train a model, beside the released weights."""
_MAGIC = ("%", "!")
_COMPUTING = (
    ast.FunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
    ast.For,
    ast.While,
    ast.With,
)
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(?:Problem\s+)?([1-9])([a-z])?\b[.):]?", re.MULTILINE)


@dataclass(frozen=True)
class CodeCell:
    """One code cell; it may be empty."""

    problem: str
    """1 to 9, from the last heading that names one; empty before the first."""
    item: str
    """Item such as `2e`; empty if the last such heading names only a problem."""
    source: str
    count: int | None
    """The saved execution count."""
    outputs: list[Mapping[str, Any]]
    """The outputs as saved."""
    training: bool = False
    """Whether it has the tag `training`: it takes long, nothing depends on it, and a grader neither
    runs it nor looks at its outputs."""

    @property
    def computes(self) -> bool:
        """Whether it does more than import, call and show: it defines, assigns or repeats."""
        lines = [line for line in self.source.splitlines() if not line.lstrip().startswith(_MAGIC)]
        try:
            tree = ast.parse("\n".join(lines))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return True  # a notebook's own syntax, such as `!pip install`, within other code
        return any(isinstance(node, _COMPUTING) for node in ast.walk(tree))


def read(path: Path) -> list[CodeCell]:
    """Read all code cells of a version 4 notebook, in order.

    Raises:
        IntakeError: the file is not such a notebook.
    """
    import nbformat

    content = read_json(path, max_bytes=64 << 20, max_depth=64)
    try:
        nbformat.validate(nbformat.from_dict(content), version=4)
    except (nbformat.ValidationError, ValueError, TypeError, KeyError, AttributeError) as error:
        why = one_line(str(error), 300)
        raise IntakeError(f"{path.name} is not a notebook of version 4: {why}") from error
    found: list[CodeCell] = []
    problem = item = ""
    for cell in content["cells"]:
        source = cell["source"]
        # nbformat allows text as a list of lines
        text = "".join(source) if isinstance(source, list) else source
        if cell["cell_type"] == "markdown":
            for number, letter in _HEADING.findall(text):
                # the last heading of a cell counts
                problem, item = number, number + letter if letter else ""
        elif cell["cell_type"] == "code":
            outputs, count = cell["outputs"], cell["execution_count"]
            training = TRAINING in cell["metadata"].get("tags", [])
            found.append(CodeCell(problem, item, text, count, outputs, training))
    return found
