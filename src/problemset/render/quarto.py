"""Rendering with Quarto itself, where it is installed."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from problemset.render.errors import RenderError

OLDEST = (1, 9)
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


def render(quarto: Path, qmd: Path, work: Path, metadata: dict[str, Any]) -> tuple[bytes, bytes]:
    """Let Quarto produce every format that the document lists.

    Args:
        quarto: the executable.
        qmd: the document.
        work: a scratch folder; nothing is written elsewhere.
        metadata: overrides the document's own; text in it is markdown.

    Returns:
        The PDF and the HTML page.

    Raises:
        RenderError: contains the last lines of Quarto's output.
    """
    made = work / "quarto"
    made.mkdir()
    command = [str(quarto), "render", qmd.name, "--output-dir", str(made), "--no-clean"]
    if metadata:
        metadata_file = work / "overrides.json"
        metadata_file.write_text(json.dumps(metadata, ensure_ascii=False), encoding="utf-8")
        command += ["--metadata-file", str(metadata_file)]
    environment = {**os.environ, "QUARTO_PYTHON": sys.executable}
    finished = subprocess.run(command, cwd=qmd.parent, env=environment, capture_output=True)
    output = _ANSI.sub("", (finished.stdout + finished.stderr).decode(errors="replace"))
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # Quarto ends with success in spite of these
    spoiled = [line for line in lines if _SPOILED.search(line)]
    if finished.returncode != 0 or spoiled:
        raise RenderError(f"quarto render failed: {' / '.join(spoiled or lines[-3:])}")
    try:
        return tuple((made / qmd.stem).with_suffix(end).read_bytes() for end in (".pdf", ".html"))  # type: ignore[return-value]
    except FileNotFoundError as error:
        raise RenderError(
            f"quarto made no {error.filename}; name the formats typst and html in the document"
        ) from error
