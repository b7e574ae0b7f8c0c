"""Errors of rendering; each message is one line that says what to do."""

from pathlib import Path


class RenderError(RuntimeError):
    """A tool failed or refused its input."""


class DocumentError(ValueError):
    """Something in the document cannot be rendered; the message names the line."""

    def __init__(self, file: Path, line: int | None, problem: str) -> None:
        where = f"{file.name}:{line}" if line else file.name
        super().__init__(f"{where}: {problem}")


class CellError(DocumentError):
    """A code cell or inline expression failed, or its output cannot be shown."""
