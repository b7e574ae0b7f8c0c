"""What checks see of a submission: its arrays, documents, notebook and PDF, opened without trust.

`intake` has copied the files, so they cannot change while a submission is graded.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from problemset.grading.evidence.outputs import PIXELS_MOST
from problemset.grading.submission import cells
from problemset.grading.submission.arrays import ArraysError, read_arrays
from problemset.grading.submission.cells import CodeCell
from problemset.grading.submission.intake import IntakeError, read_json
from problemset.grading.submission.layout import NOTEBOOK, NOTEBOOK_RUN, PAPER
from problemset.render.formats.pdf_reader import pdf_pages, pdf_pictures, pdf_text

T = TypeVar("T")


class SubmissionError(ValueError):
    """Something that the contract requires is missing, damaged or of the wrong shape."""


@dataclass(frozen=True)
class Submission:
    """One submission, in its private folder."""

    folder: Path

    def file(self, name: str) -> Path:
        """Path of a file of the submission, which may not exist; every read goes through here.

        Args:
            name: relative to the folder, such as `results/2e.npz`.
        """
        return self.folder / name

    def arrays(self, item: str) -> dict[str, np.ndarray]:
        """Read all arrays of `results/<item>.npz` by name, whatever their shapes.

        Raises:
            SubmissionError: the file is missing or damaged.
        """
        return _arrays(self.file(f"results/{item}.npz"))

    def array(self, item: str, name: str, shape: Sequence[int | None]) -> np.ndarray:
        """Read an array of `results/<item>.npz`.

        Args:
            item: such as `2e`.
            name: such as `strip.images`.
            shape: required shape; None stands for any size except 0.

        Raises:
            SubmissionError: the file or the array is missing, damaged, text, or of another shape.
        """
        arrays = self.arrays(item)
        if name not in arrays:
            raise SubmissionError(
                f"results/{item}.npz has no array {name}, expected {_words(shape)}"
            )
        got = arrays[name]
        fits = len(got.shape) == len(shape) and all(
            size > 0 and wanted in (None, size)
            for wanted, size in zip(shape, got.shape, strict=True)
        )
        if not fits:
            raise SubmissionError(
                f"{name} of results/{item}.npz is {got.shape}, expected {_words(shape)}"
            )
        if got.dtype.kind == "U":
            raise SubmissionError(f"{name} of results/{item}.npz is text, expected numbers")
        return got

    def document(self, item: str) -> Any:
        """Read the content of `results/<item>.json`.

        Raises:
            SubmissionError: the file is missing, or not usable as JSON.
        """
        path = self.file(f"results/{item}.json")
        if not path.is_file():
            raise SubmissionError(f"results/{path.name} is missing")
        try:
            return read_json(path)
        except IntakeError as error:
            raise SubmissionError(f"results/{path.name} cannot be used: {error}") from error

    def notebook_run(self) -> dict[str, Any]:
        """Read the results that `rerun_notebook.rerun` recorded.

        Raises:
            SubmissionError: there is no notebook, or it was not run to its end; says why.
        """
        if not self.file(NOTEBOOK).is_file():
            raise SubmissionError("report.ipynb is missing")
        run: dict[str, Any] = read_json(self.file(NOTEBOOK_RUN))
        if "fault" in run:
            raise SubmissionError(f"report.ipynb did not run to its end: {run['fault']}")
        return run

    def notebook_cells(self) -> list[CodeCell]:
        """Read the code cells of `report.ipynb` as submitted.

        Raises:
            SubmissionError: the file is missing or not a notebook.
        """
        return _notebook_cells(self.file(NOTEBOOK))

    def pdf_text(self) -> str:
        """Read the text of `report.pdf`.

        Raises:
            SubmissionError: the file is missing or not a PDF.
        """
        return self._of_pdf(pdf_text)

    def pdf_pages(self) -> list[str]:
        """Read the text of each page of `report.pdf`; errors as in `pdf_text`."""
        return self._of_pdf(pdf_pages)

    def pdf_pictures(self) -> list[Image.Image]:
        """Read the pictures in `report.pdf`, except huge ones; errors as in `pdf_text`."""
        return self._of_pdf(lambda file: list(pdf_pictures(file, PIXELS_MOST)))

    def _of_pdf(self, read: Callable[[Path], T]) -> T:
        file = self.file(PAPER)
        if not file.is_file():
            raise SubmissionError(f"{PAPER} is missing")
        try:
            return read(file)
        except (ValueError, RuntimeError, OSError) as error:
            raise SubmissionError(f"report.pdf cannot be read: {error}") from error


def forget() -> None:
    """Drop the cached contents of all files, for a process that reads many submissions."""
    _arrays.cache_clear()
    _notebook_cells.cache_clear()


def _words(shape: Sequence[int | None]) -> str:
    sizes = ", ".join("any" if size is None else str(size) for size in shape)
    return f"({sizes},)" if len(shape) == 1 else f"({sizes})"


@functools.cache
def _arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise SubmissionError(f"results/{path.name} is missing")
    try:
        return read_arrays(path)
    except ArraysError as error:
        raise SubmissionError(f"results/{path.name} cannot be used: {error}") from error


@functools.cache
def _notebook_cells(path: Path) -> list[CodeCell]:
    if not path.is_file():
        raise SubmissionError(f"{path.name} is missing")
    try:
        return cells.read(path)
    except IntakeError as error:
        raise SubmissionError(str(error)) from error
