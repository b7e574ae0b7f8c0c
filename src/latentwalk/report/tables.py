"""Tables and text of the report, as markdown, formatted from results computed elsewhere."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from latentwalk.evaluation.intervals import Estimate
from latentwalk.experiments.problem4 import InputReadings
from latentwalk.experiments.quality import Quality
from latentwalk.experiments.smoothness import Smoothness
from latentwalk.model_zoo.weights_files import Released
from latentwalk.report.rounding import rounded
from problemset.rubric import Item

SMOOTHNESS_COLUMNS = {
    "steadiness": "steadiness",
    "realism": "realism",
    "label_switches": "label switches",
    "third_digit_steps": "third-digit steps",
    "certainty_drop": "certainty drop",
    "sharpness_drop": "sharpness drop",
}
"""Measures of `PathMeasures` in the report's table, with their column names."""


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Format a pipe table.

    Args:
        header: names of the columns.
        rows: cells as markdown, one sequence per row.
        left: number of leading columns that are left-aligned; the others are right-aligned.
    """
    cells = [[cell.replace("|", r"\|") for cell in line] for line in (header, *rows)]
    # pandoc sets the column widths of a wide table in proportion to the dashes; a column name may
    # break between its words, but the cells should not break
    words = [name.split() or [""] for name in cells[0]]
    columns = zip(*cells[1:], strict=True) if rows else [()] * len(words)
    widths = [
        max(3, *map(len, (*name, *column))) for name, column in zip(words, columns, strict=True)
    ]
    rules = [
        ":" + "-" * (width - 1) if column < left else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in (cells[0], rules, *cells[1:]))


def number(estimate: Estimate, digits: int = 2) -> str:
    """Format a value with half the width of its interval: 1.23 ± 0.13."""
    half = (estimate.high - estimate.low) / 2
    more = 0 < half < 0.5 * 10.0**-digits  # rather than an interval of nothing
    return f"{rounded(estimate.value, digits)} ± {half:.{digits + more}f}"


def share(estimate: Estimate) -> str:
    """Format a share in percent with half the width of its interval: 97.1 ± 0.5 %."""
    half = 100 * (estimate.high - estimate.low) / 2
    return f"{100 * estimate.value:.1f} ± {half:.1f} %"


def percent(estimate: Estimate, digits: int = 2) -> str:
    """Format a share in percent with its interval, which may be asymmetric: 97.10 (96.50 to 97.60).

    The percent sign is left to the caller.
    """
    shares = (estimate.value, estimate.low, estimate.high)
    value, low, high = (f"{100 * share:.{digits}f}" for share in shares)
    return f"{value} ({low} to {high})"


def items(rubric: Sequence[Item]) -> str:
    """Table of all homework items with their points; the split within a problem is ours."""
    rows = [[item.id, item.title, str(item.points)] for item in rubric]
    return table(["item", "what is asked", "points"], rows, left=2)


def quality(result: Quality) -> str:
    """3d: table of image quality, one kind of images per row."""
    header = ["images", "Fréchet / floor", "sharpness", "certainty", "shares off by"]
    rows = [
        [
            row.name,
            number(row.ratio, 1),
            number(row.sharpness, 3),
            number(row.confidence, 3),
            f"{100 * row.label_distance:.1f} %",
        ]
        for row in result.rows
    ]
    return table(header, rows)


def variety(result: Quality) -> str:
    """3d: table of fidelity and variety, one kind of images per row; shares are in percent."""
    header = ["images", "density", "coverage", "precision", "recall", "nearer to training digits"]
    rows = [
        [
            row.name,
            number(row.density),
            *(
                share(found)
                for found in (row.coverage, row.precision, row.recall, row.nearer_to_training)
            ),
        ]
        for row in result.rows
    ]
    return table(header, rows)


def smoothness(result: Smoothness) -> str:
    """3e: table of means over the pairs, one kind of paths per row."""
    rows = {
        row.name: [*_path_means(row.measures), number(result.margins[row.name])]
        for row in result.rows
    }
    return paths_table(rows, "margin")


def same_digit(result: Smoothness) -> str:
    """3e: table of means over the paths that start and end at the same digit."""
    rows = {
        row.name: [*_path_means(row.same_digit), str(row.num_same_digit)]
        for row in result.rows
        if row.same_digit
    }
    return paths_table(rows, "pairs")


def differences(result: Smoothness) -> str:
    """3e: table of differences between two kinds of paths, means with their intervals."""
    return paths_table(
        {
            f"{found.first}, less {found.second}": [
                number(found.measures[name]) for name in SMOOTHNESS_COLUMNS
            ]
            for found in result.differences
        }
    )


def _path_means(means: dict[str, Estimate]) -> list[str]:
    return [number(means[name]) for name in SMOOTHNESS_COLUMNS]


def paths_table(rows: dict[str, list[str]], *more: str) -> str:
    """Format measures of paths, one kind of paths per row; `more` names additional columns."""
    header = ["paths", *SMOOTHNESS_COLUMNS.values(), *more]
    return table(header, [[kind, *cells] for kind, cells in rows.items()])


def input_readings(result: InputReadings) -> str:
    """4a and 4b: table with one interpretation of the problem statement per row."""
    header = [
        "input",
        "tensor",
        "label",
        "first layer",
        "steps",
        "Fréchet / floor",
        "label agreement",
    ]
    rows = [
        [
            row.name,
            " x ".join(str(size) for size in row.input_shape),
            str(row.one_hot_entries),
            f"{row.first_layer_parameters:,}",
            f"{row.steps:,}",
            number(row.ratio, 1),
            percent(row.agreement, 1) + " %" if row.agreement else "no labels",
        ]
        for row in result.rows
    ]
    return table(header, rows)


def configurations(released: dict[str, Released]) -> str:
    """Table of all configuration fields, one model per column."""
    configs = {name: model.recipe.config for name, model in released.items()}
    names = list(dict.fromkeys(f.name for config in configs.values() for f in fields(config)))
    rows = [
        [
            name.replace("_", " "),
            *(_setting(getattr(config, name, None)) for config in configs.values()),
        ]
        for name in names
    ]
    return table(["field", *(f"`{name}`" for name in configs)], rows)


def _setting(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def computing(released: dict[str, Released]) -> str:
    """Table of the size, steps and training time of each model."""
    header = ["model", "used for", "parameters", "steps", "minutes"]
    rows = []
    for name, model in released.items():
        parameters = sum(p.numel() for p in model.network.parameters())
        made = model.metadata
        numbers = (f"{parameters:,}", f"{made.steps:,}", f"{made.seconds / 60:.1f}")
        rows.append([f"`{name}`", model.recipe.purpose, *numbers])
    return table(header, rows, left=2)
