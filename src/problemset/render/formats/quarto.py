"""Rendering with Quarto itself, where it is installed."""

import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from problemset.render.errors import RenderError
from problemset.render.execution.kernel import Executed
from problemset.render.formats.notebook import to_quarto_notebook

_LOG = logging.getLogger(__name__)

Files = tuple[bytes, bytes]
OLDEST = (1, 9)
_OUTPUT = "quarto-made"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
# Quarto only warns about these and prints the raw text, which a report must not contain.
_SPOILED = re.compile(r"Unable to resolve crossref|Could not convert TeX|citation .* not found")


def find_quarto() -> Path:
    """Find Quarto on PATH.

    Raises:
        RenderError: when there is none, or it is too old or does not run.
    """
    found = shutil.which("quarto")
    if not found:
        raise RenderError("no quarto on PATH")
    try:
        answer = subprocess.run(
            [found, "--version"], capture_output=True, text=True, timeout=60, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise RenderError(f"{found} --version does not run: {error}") from error
    numbers = re.match(r"(\d+)\.(\d+)", answer)
    if not numbers or (int(numbers[1]), int(numbers[2])) < OLDEST:
        wanted = ".".join(str(part) for part in OLDEST)
        raise RenderError(f"{found} is version {answer or 'unknown'}, expected {wanted} or newer")
    return Path(found)


def render(quarto: Path, executed: Executed, work: Path, overrides: dict[str, Any]) -> Files:
    """Let Quarto make the PDF and the page from cells that have been run already.

    Quarto gets an executed notebook, in a scratch project beside links to the document's files.
    What Quarto says is logged as it comes.

    Args:
        quarto: the executable.
        executed: the document after its cells were run.
        work: a scratch folder; nothing is written elsewhere.
        overrides: metadata that replaces the document's own; text in it is markdown.

    Returns:
        The PDF and the HTML page.

    Raises:
        RenderError: contains the last lines of Quarto's output.
    """
    notebook = _project(executed, work / "quarto", overrides)
    command = [str(quarto), "render", notebook.name]
    environment = {**os.environ, "QUARTO_PYTHON": sys.executable}
    lines: list[str] = []
    with subprocess.Popen(
        command,
        cwd=notebook.parent,
        env=environment,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as running:
        assert running.stdout is not None, "it is a pipe"
        for line in running.stdout:
            if said := _ANSI.sub("", line).rstrip():
                lines.append(said.strip())
                _LOG.info("%s", said)
    # Quarto ends with success in spite of these
    spoiled = [line for line in lines if _SPOILED.search(line)]
    if running.returncode != 0 or spoiled:
        raise RenderError(f"quarto render failed: {' / '.join(spoiled or lines[-3:])}")
    made = notebook.parent / _OUTPUT / notebook.name
    try:
        return made.with_suffix(".pdf").read_bytes(), made.with_suffix(".html").read_bytes()
    except FileNotFoundError as error:
        raise RenderError(
            f"quarto made no {error.filename}; name the formats typst and html in the document"
        ) from error


def _project(executed: Executed, folder: Path, overrides: dict[str, Any]) -> Path:
    """Lay out a project whose one document is the executed notebook; return the notebook."""
    folder.mkdir()
    path = executed.document.path
    notebook = folder / f"{path.stem}.ipynb"
    for entry in path.parent.iterdir():
        if not entry.name.startswith(".") and entry.stem not in (path.stem, "_quarto", _OUTPUT):
            (folder / entry.name).symlink_to(entry.resolve())
    project_file = path.parent / "_quarto.yml"
    options = yaml.safe_load(project_file.read_text("utf-8")) if project_file.is_file() else {}
    project = {"type": "default", "output-dir": _OUTPUT, "render": [notebook.name]}
    (folder / "_quarto.yml").write_text(_as_yaml({**options, "project": project}), "utf-8")
    metadata = {**executed.document.metadata, **overrides}
    notebook.write_text(to_quarto_notebook(executed, _as_yaml(metadata)), "utf-8")
    return notebook


def _as_yaml(options: dict[str, Any]) -> str:
    return yaml.safe_dump(options, allow_unicode=True, sort_keys=False)
