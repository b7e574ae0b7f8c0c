"""The options of one cell (its leading `#|` lines), and their defaults for a document."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from problemset.render.errors import DocumentError


@dataclass(frozen=True)
class CellOptions:
    """Options from a cell's `#|` lines; None means the document's default applies."""

    label: str | None = None
    fig_cap: str | None = None
    fig_alt: str | None = None
    tbl_cap: str | None = None
    echo: bool | None = None
    eval: bool | None = None
    output: bool | str | None = None
    """True, False, or "asis", which treats printed text as markdown."""
    include: bool | None = None
    """False runs the cell but shows nothing of it in the PDF or on the page."""
    warning: bool | None = None
    """False hides output to stderr in the PDF and on the page."""
    code_fold: bool | str | None = None
    """True folds the code on the page; "show" makes it foldable but leaves it open."""
    fig_pos: str | None = None
    """Placement of the figure in the PDF: H for here (the default), or t, b or tb for a page's
    edge."""
    tags: tuple[str, ...] = ()
    """Cell tags for the notebook, such as nbval-ignore-output."""

    @property
    def float_kind(self) -> str | None:
        """Either "fig" or "tbl" if the label makes the output a numbered float, else None."""
        kind = (self.label or "").partition("-")[0]
        return kind if kind in ("fig", "tbl") else None


@dataclass(frozen=True)
class Shown:
    """A cell's options for one output format, with all defaults filled in."""

    echo: bool = True
    eval: bool = True
    output: bool | str = True
    include: bool = True
    warning: bool = True
    code_fold: bool | str = False
    fig_pos: str = "H"


EXECUTE_KEYS = ("echo", "eval", "output", "include", "warning")
_FIELDS = {field.name.replace("_", "-"): field.name for field in dataclasses.fields(CellOptions)}
FIGURE_PLACES = ("H", "t", "b", "tb")
_STRINGS = ("label", "fig-cap", "fig-alt", "tbl-cap")
_ALSO = {"output": "asis", "code-fold": "show"}  # the one word allowed besides true and false


def read_cell_options(
    path: Path, given: dict[str, Any], lines: list[str], first_line: int
) -> CellOptions:
    """Validate the options in a cell's `#|` lines.

    Args:
        path: the document, for messages.
        given: the lines parsed as YAML.
        lines: the lines as written, to find the invalid one.
        first_line: line of the document on which they start.

    Raises:
        DocumentError: for an unknown option, or a value of the wrong kind.
    """
    values: dict[str, Any] = {}
    for key, value in given.items():
        # YAML gives no line for a single key, so look for it in the text
        starts = [i for i, text in enumerate(lines) if text.strip().startswith(f"{key}:")]
        line = first_line + (starts[0] if starts else 0)
        if key not in _FIELDS:
            known = ", ".join(_FIELDS)
            raise DocumentError(path, line, f"unknown cell option {key}, expected one of {known}")
        problem = _problem(key, value)
        if problem:
            raise DocumentError(path, line, f"{key} is {value!r}, expected {problem}")
        values[_FIELDS[key]] = _tags(value) if key == "tags" else value
    options = CellOptions(**values)
    _check_float(path, options, first_line)
    return options


def _tags(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _problem(key: str, value: Any) -> str | None:
    """Return what was expected if the value is invalid, else None."""
    if key in _STRINGS:
        return None if isinstance(value, str) and value.strip() else "some text"
    if key == "fig-pos":
        return None if value in FIGURE_PLACES else f"one of {', '.join(FIGURE_PLACES)}"
    if key == "tags":
        items = value if isinstance(value, list) else [value]
        return None if all(isinstance(item, str) for item in items) else "a list of words"
    if isinstance(value, bool) or value == _ALSO.get(key, True):
        return None
    return "true or false" + (f" or {_ALSO[key]}" if key in _ALSO else "")


def _check_float(path: Path, options: CellOptions, line: int) -> None:
    """Require a label and a caption to come together, and a fig-alt with every figure."""
    kind = options.float_kind
    for prefix, caption in (("fig", options.fig_cap), ("tbl", options.tbl_cap)):
        if caption and kind != prefix:
            raise DocumentError(
                path, line, f"{prefix}-cap needs a label that starts with {prefix}-; add one"
            )
        if kind == prefix and not caption:
            raise DocumentError(path, line, f"{options.label} has no {prefix}-cap; add one")
    if kind == "fig" and not options.fig_alt:
        raise DocumentError(
            path, line, f"{options.label} has no fig-alt; describe what the figure shows"
        )


def shown(options: CellOptions, preset: Shown) -> Shown:
    """Combine the cell's own options with the document's defaults."""
    own = {
        field.name: getattr(options, field.name)
        for field in dataclasses.fields(Shown)
        if getattr(options, field.name) is not None
    }
    return dataclasses.replace(preset, **own)
