"""A submission as the checks see it: arrays, documents and networks, opened without trust.

See docs/submission.md for the contract. The files are the copies made by `intake`, so nothing
changes during grading.
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
"""The networks of a submission: class and configuration class by name."""
LARGEST = {"blocks": 16, "width": 1024, "encoder_width": 1024, "latent_size": 10_000}
"""Upper bounds on the fields that decide a network's size, checked before it is built."""


class Fault(ValueError):
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
            Fault: the file is missing or damaged.
        """
        return _arrays(self.file(f"results/{item}.npz"))

    def array(self, item: str, name: str, shape: Sequence[int | None]) -> np.ndarray:
        """Read an array of `results/<item>.npz`.

        Args:
            item: such as `2e`.
            name: such as `strip.images`.
            shape: required shape; None stands for any size except 0.

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
        """Read images (*leading, 1, 28, 28) in [0, 1] as float32.

        Raises:
            Fault: as in `array`, or a pixel is outside [0, 1].
        """
        found = self.array(item, name, (*leading, 1, 28, 28)).astype(np.float32)
        if found.min() < 0 or found.max() > 1:
            raise Fault(
                f"{name} of results/{item}.npz has pixels from {found.min():.3g} to "
                f"{found.max():.3g}, expected 0 to 1"
            )
        return found

    def document(self, item: str) -> Any:
        """Read the content of `results/<item>.json`.

        Raises:
            Fault: the file is missing, or not usable as JSON.
        """
        path = self.file(f"results/{item}.json")
        if not path.is_file():
            raise Fault(f"results/{path.name} is missing")
        try:
            return read_json(path)
        except IntakeError as error:
            raise Fault(f"results/{path.name} cannot be used: {error}") from error

    def notebook_run(self) -> dict[str, Any]:
        """Read the results that `notebook.rerun` recorded.

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
        """Read the code cells of `report.ipynb` as submitted.

        Raises:
            Fault: the file is missing or not a notebook.
        """
        return _notebook_cells(self.file(contract.NOTEBOOK))

    def pdf_text(self) -> str:
        """Read the text of `report.pdf`.

        Raises:
            Fault: the file is missing or not a PDF.
        """
        return self._of_pdf(pdf_text)

    def pdf_pages(self) -> list[str]:
        """Read the text of each page of `report.pdf`; errors as in `pdf_text`."""
        return self._of_pdf(pdf_pages)

    def pdf_pictures(self) -> list[Image.Image]:
        """Read the pictures in `report.pdf`, except huge ones; errors as in `pdf_text`."""
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
        """Load the network of `weights/<name>.safetensors`, in evaluation mode.

        Raises:
            Fault: the file is missing or damaged, its configuration is out of range, or its tensors
                do not fit the network or are not finite.
        """
        return _network(self.file(f"weights/{name}.safetensors"), name)


def forget() -> None:
    """Clear the caches of files read so far, for a process that handles many submissions."""
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
