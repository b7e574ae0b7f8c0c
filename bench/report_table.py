"""What the programs of bench/ measure: a table each, printed, and kept in build/bench.json.

That file holds the raw numbers of all tables, with the machine that each was measured on.
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from latentwalk.report import tables
from latentwalk.training import loop, provenance
from problemset import file_io, workspace


@dataclass(frozen=True)
class Column:
    """How a table shows one of the numbers in its rows."""

    heading: str
    form: str = ""
    """As `format` takes it; what is None is left empty."""


@dataclass(frozen=True)
class Table:
    """Numbers and how they are shown."""

    name: str
    """Of the program that measured it."""
    title: str
    columns: Mapping[str, Column]
    """By the name that the rows have for it."""
    rows: Sequence[Mapping[str, Any]]
    about: str
    """How it was measured, in a sentence without its full stop."""
    machine: Mapping[str, Any] = dataclasses.field(default_factory=lambda: machine())

    def cells(self) -> list[list[str]]:
        """Give each row's cells as they are shown."""
        return [
            [
                "" if row[name] is None else format(row[name], column.form)
                for name, column in self.columns.items()
            ]
            for row in self.rows
        ]

    def text(self) -> str:
        """Lay it out for a terminal."""
        lines = [[column.heading for column in self.columns.values()], *self.cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rows = [
            f"{line[0]:<{widths[0]}}  "
            + "  ".join(
                f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True)
            )
            for line in lines
        ]
        return "\n".join([self.title, self.where(), self.about, *rows])

    def markdown(self) -> str:
        """Lay it out for a document."""
        header = [column.heading for column in self.columns.values()]
        table = tables.table(header, self.cells())
        return f"### {self.title}\n\n{self.where()}. {self.about}.\n\n{table}"

    def where(self) -> str:
        """Say on what it was measured."""
        found = self.machine
        return f"{found['device']}, {found['threads']} of {found['cores']} cores, " + ", ".join(
            f"{name} {found[name]}" for name in ("python", "torch")
        )

    def keep(self) -> None:
        """Print it, and write it to build/bench.json in place of the one of that name."""
        file = workspace.build_dir() / "bench.json"
        with file_io.atomic_path(file) as unfinished:
            content = {table.name: dataclasses.asdict(table) for table in saved_tables()}
            content[self.name] = dataclasses.asdict(self)
            unfinished.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        print(self.text() + "\n", flush=True)


def saved_tables() -> list[Table]:
    """Give the tables of build/bench.json, in the order in which they were first measured."""
    file = workspace.build_dir() / "bench.json"
    if not file.exists():
        return []
    found = json.loads(file.read_text("utf-8"))
    return [
        Table(**table | {"columns": {k: Column(**v) for k, v in table["columns"].items()}})
        for table in found.values()
    ]


def machine() -> dict[str, Any]:
    """Say what measures here."""
    versions = provenance.library_versions()
    return {
        "device": provenance.device_name(loop.best_device()),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": versions["python"],
        "torch": versions["torch"],
    }
