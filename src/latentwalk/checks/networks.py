"""The networks and images of a submission to this homework, opened without trust.

See docs/submission.md for the contract.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from latentwalk.models.gan import GanConfig, Generator
from latentwalk.models.vae import Vae, VaeConfig
from latentwalk.training import checkpoints
from latentwalk.training.tensor_file import WeightsError
from problemset.grading.submission import opened
from problemset.grading.submission.opened import Submission, SubmissionError

NETWORKS: dict[str, tuple[type[nn.Module], type[Any]]] = {
    "gan": (Generator, GanConfig),
    "vae": (Vae, VaeConfig),
    "cgan": (Generator, GanConfig),
}
"""Each network of a submission: its class, and the class of its configuration."""
LARGEST = {"blocks": 16, "width": 1024, "encoder_width": 1024, "latent_size": 10_000}
"""Upper bounds on the fields that decide a network's size, checked before it is built."""


def open_images(
    submission: Submission, item: str, name: str, leading: Sequence[int | None]
) -> np.ndarray:
    """Read images (*leading, 1, 28, 28) in [0, 1] as float32.

    Raises:
        SubmissionError: as in `array`, or a pixel is outside [0, 1].
    """
    found = submission.array(item, name, (*leading, 1, 28, 28)).astype(np.float32)
    if found.min() < 0 or found.max() > 1:
        raise SubmissionError(
            f"{name} of results/{item}.npz has pixels from {found.min():.3g} to "
            f"{found.max():.3g}, expected 0 to 1"
        )
    return found


def open_network(submission: Submission, name: str) -> Any:
    """Load the network of `weights/<name>.safetensors`, in evaluation mode.

    Raises:
        SubmissionError: the file is missing or damaged, its configuration is out of range, or its
            tensors do not fit the network or are not finite.
    """
    return _network(submission.file(f"weights/{name}.safetensors"), name)


def forget() -> None:
    """Drop the cached contents of all files, for a process that reads many submissions."""
    opened.forget()
    _network.cache_clear()


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
        raise SubmissionError(f"weights/{path.name} cannot be used: {error}") from error
    broken = [key for key, tensor in own.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise SubmissionError(f"weights/{path.name}: {broken[0]} has values that are not finite")
    # assigned, because a network on the meta device has no memory to copy into
    network.load_state_dict(own, assign=True)
    return network.eval().requires_grad_(False)


def _check_size(config: Any) -> None:
    for name, largest in LARGEST.items():
        value = getattr(config, name, 1)
        if not isinstance(value, int) or value > largest:
            raise ValueError(f"{name} is {value!r}, expected a whole number up to {largest}")
