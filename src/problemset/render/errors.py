"""What can go wrong while rendering, each with one line that says what to do."""

from pathlib import Path


class RenderError(RuntimeError):
    """A tool failed, or refused what it was given."""


class DocumentError(ValueError):
    """Something in the document cannot be rendered; the line is named."""

    def __init__(self, file: Path, line: int | None, problem: str) -> None:
        where = f"{file.name}:{line}" if line else file.name
        super().__init__(f"{where}: {problem}")


class CellError(DocumentError):
    """A code cell or an inline expression raised."""
