"""What a submission holds, as the checks see it: arrays and networks, opened without trust.

See docs/submission.md for the contract. The files were copied by `intake`, so nothing changes
while it is graded.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import nn

from latentwalk import checkpoints
from latentwalk.grading import contract
from latentwalk.models.gan import GanConfig, Generator
from latentwalk.models.vae import Vae, VaeConfig
from latentwalk.sealed import WeightsError
from problemset.grading.evidence import cells
from problemset.grading.evidence.cells import CodeCell
from problemset.grading.evidence.outputs import PIXELS_MOST
from problemset.grading.submission.arrays import ArraysError, read_arrays
from problemset.grading.submission.intake import IntakeError, read_json
from problemset.render.pdf_reader import pdf_pages, pdf_pictures, pdf_text

T = TypeVar("T")
NETWORKS: dict[str, tuple[type[nn.Module], type[Any]]] = {
    "gan": (Generator, GanConfig), "vae": (Vae, VaeConfig), "cgan": (Generator, GanConfig),
}  # fmt: skip
"""The networks that a submission has, and what they are."""
LARGEST = {"blocks": 16, "width": 1024, "encoder_width": 1024, "latent_size": 10_000}
"""Bounds on the fields that decide how large the network of a file is, before one is built."""


class Fault(ValueError):
    """Something that the contract asks for is missing, damaged or of another shape."""


@dataclass(frozen=True)
class Submission:
    """One submission in its private folder."""

    folder: Path

    def file(self, name: str) -> Path:
        """Say where a file of the submission lies, if it has it; every read asks here.

        Args:
            name: relative to the folder, such as `results/2e.npz`.
        """
        return self.folder / name

    def arrays(self, item: str) -> dict[str, np.ndarray]:
        """Give all arrays of `results/<item>.npz` by name, of whatever shape.

        Raises:
            Fault: the file is missing or damaged.
        """
        return _arrays(self.file(f"results/{item}.npz"))

    def array(self, item: str, name: str, shape: Sequence[int | None]) -> np.ndarray:
        """Give an array of `results/<item>.npz`.

        Args:
            item: such as `2e`.
            name: such as `strip.images`.
            shape: what it must have; None stands for any size but 0.

        Raises:
            Fault: the file or the array is missing, damaged, text, or of another shape.
        """
        arrays = self.arrays(item)
        if name not in arrays:
            raise Fault(f"results/{item}.npz has no array {name}, expected {_words(shape)}")
        got = arrays[name]
        fits = len(got.shape) == len(shape) and all(
            size > 0 and wanted in (None, size)
            for wanted, size in zip(shape, got.shape, strict=True)
        )
        if not fits:
            raise Fault(f"{name} of results/{item}.npz is {got.shape}, expected {_words(shape)}")
        if got.dtype.kind == "U":
            raise Fault(f"{name} of results/{item}.npz is text, expected numbers")
        return got

    def images(self, item: str, name: str, leading: Sequence[int | None]) -> np.ndarray:
        """Give images (*leading, 1, 28, 28) in [0, 1] as float32.

        Raises:
            Fault: as `array`, or a pixel outside [0, 1].
        """
        found = self.array(item, name, (*leading, 1, 28, 28)).astype(np.float32)
        if found.min() < 0 or found.max() > 1:
            raise Fault(
                f"{name} of results/{item}.npz has pixels from {found.min():.3g} to "
                f"{found.max():.3g}, expected 0 to 1"
            )
        return found

    def document(self, item: str) -> Any:
        """Give the content of `results/<item>.json`.

        Raises:
            Fault: the file is missing, or no JSON that is fit for use.
        """
        path = self.file(f"results/{item}.json")
        if not path.is_file():
            raise Fault(f"results/{path.name} is missing")
        try:
            return read_json(path)
        except IntakeError as error:
            raise Fault(f"results/{path.name} cannot be used: {error}") from error

    def notebook_run(self) -> dict[str, Any]:
        """Give what `notebook.rerun` noted.

        Raises:
            Fault: there is no notebook, or it was not run to its end; says why.
        """
        if not self.file(contract.NOTEBOOK).is_file():
            raise Fault("report.ipynb is missing")
        run: dict[str, Any] = read_json(self.file(contract.NOTEBOOK_RUN))
        if "fault" in run:
            raise Fault(f"report.ipynb was not run to its end: {run['fault']}")
        return run

    def notebook_cells(self) -> list[CodeCell]:
        """Give the code cells of `report.ipynb` as they were handed in.

        Raises:
            Fault: the file is missing or no notebook.
        """
        return _notebook_cells(self.file(contract.NOTEBOOK))

    def pdf_text(self) -> str:
        """Give the text of `report.pdf`.

        Raises:
            Fault: the file is missing or no PDF.
        """
        return self._of_pdf(pdf_text)

    def pdf_pages(self) -> list[str]:
        """Give the text of each page of `report.pdf`; errors as `pdf_text`."""
        return self._of_pdf(pdf_pages)

    def pdf_pictures(self) -> list[Image.Image]:
        """Give the pictures in `report.pdf`, without huge ones; errors as `pdf_text`."""
        return self._of_pdf(lambda file: list(pdf_pictures(file, PIXELS_MOST)))

    def _of_pdf(self, read: Callable[[Path], T]) -> T:
        file = self.file(contract.PAPER)
        if not file.is_file():
            raise Fault(f"{contract.PAPER} is missing")
        try:
            return read(file)
        except (ValueError, RuntimeError, OSError) as error:
            raise Fault(f"report.pdf cannot be read: {error}") from error

    def network(self, name: str) -> Any:
        """Give the network of `weights/<name>.safetensors`, in evaluation mode.

        Raises:
            Fault: the file is missing or damaged, its configuration is out of range, or its
                tensors are not the network's, or not finite.
        """
        return _network(self.file(f"weights/{name}.safetensors"), name)


def forget() -> None:
    """Drop what is kept of the files read so far, for a process that sees many submissions."""
    _arrays.cache_clear()
    _notebook_cells.cache_clear()
    _network.cache_clear()


def _words(shape: Sequence[int | None]) -> str:
    sizes = ", ".join("any" if size is None else str(size) for size in shape)
    return f"({sizes},)" if len(shape) == 1 else f"({sizes})"


@functools.cache
def _arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise Fault(f"results/{path.name} is missing")
    try:
        return read_arrays(path)
    except ArraysError as error:
        raise Fault(f"results/{path.name} cannot be used: {error}") from error


@functools.cache
def _notebook_cells(path: Path) -> list[CodeCell]:
    if not path.is_file():
        raise Fault(f"{path.name} is missing")
    try:
        return cells.read(path)
    except IntakeError as error:
        raise Fault(str(error)) from error


@functools.cache
def _network(path: Path, name: str) -> Any:
    kind, config_kind = NETWORKS[name]
    try:
        tensors, metadata = checkpoints.load_weights(path)
        config = metadata.recipe.as_config(config_kind)
        _check_size(config)
        with torch.device("meta"):  # a configuration may ask for more memory than there is
            network = kind(config)
        own = checkpoints.under("network/", tensors)
        checkpoints.check_fit(network, own)
    except (WeightsError, ValueError, TypeError, KeyError) as error:
        raise Fault(f"weights/{path.name} cannot be used: {error}") from error
    broken = [key for key, tensor in own.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise Fault(f"weights/{path.name}: {broken[0]} has values that are not finite")
    network.load_state_dict(own, assign=True)
    return network.eval().requires_grad_(False)


def _check_size(config: Any) -> None:
    for name, largest in LARGEST.items():
        value = getattr(config, name, 1)
        if not isinstance(value, int) or value > largest:
            raise ValueError(f"{name} is {value!r}, expected a whole number up to {largest}")
