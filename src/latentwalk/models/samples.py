"""Return type of every generative model's `sample`."""

from dataclasses import dataclass

import torch
from torch import Tensor

from latentwalk.data.shapes import NUM_CLASSES


@dataclass(frozen=True)
class Samples:
    """Generated images and the network inputs that produced them."""

    images: Tensor
    """(B, 1, 28, 28) in [0, 1]."""
    inputs: Tensor
    """(B, input_size): the noise, then the one-hot label if there is one."""
    labels: Tensor | None
    """(B,) int64 for a conditional model, otherwise None."""


def balanced_labels(count: int) -> Tensor:
    """Labels 0, 1, ..., 9, 0, 1, ... (count,) int64, balanced over the digits."""
    return torch.arange(count) % NUM_CLASSES
