"""Helpers shared by all experiments: images with the classifier's readings, as NumPy arrays."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentwalk.models.classifier import Classifier, Prediction

IMAGES_AT_ONCE = 100  # larger batches are slower on a CPU: they no longer fit into its cache


@dataclass(frozen=True)
class ClassifiedImages:
    """Images with the classifier's labels."""

    images: np.ndarray
    """(B, 1, 28, 28) float32 in [0, 1], 1 is ink."""
    labels: np.ndarray
    """(B,) int64, the digit that the classifier reads."""
    confidence: np.ndarray
    """(B,) float32, the classifier's probability of that digit."""


@dataclass(frozen=True)
class Reading:
    """The classifier's output for a batch, from one pass through its network."""

    features: Tensor
    """(B, F), in the feature space of the Frechet distance."""
    prediction: Prediction
    """Labels and confidence, each (B,)."""


def check_ready(**networks: nn.Module) -> None:
    """Refuse a network in training mode.

    In training mode, batch norm would use batch statistics and update its running averages.

    Raises:
        ValueError: names the network.
    """
    for name, network in networks.items():
        if network.training:
            raise ValueError(
                f"the {name} is in training mode, expected evaluation mode: use .eval()"
            )


def in_chunks(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Apply a network's function to rows (N, ...) in bounded memory and without gradients."""
    with torch.inference_mode():
        outputs = [function(part) for part in inputs.split(IMAGES_AT_ONCE)]
    return torch.cat(outputs)  # outside the context: an ordinary tensor, not an inference tensor


def measuring_rng() -> torch.Generator:
    """Generator for the samples of a model that is measured, the same wherever that is done."""
    return torch.Generator().manual_seed(7)


def read(classifier: Classifier, images: Tensor) -> Reading:
    """Run the classifier once on images (B, 1, 28, 28) in [0, 1], for features and labels."""
    features = in_chunks(classifier.features, images)
    with torch.inference_mode():
        confidence, labels = classifier.head(F.relu(features)).softmax(1).max(1)
    return Reading(features, Prediction(labels.clone(), confidence.clone()))


def classify(classifier: Classifier, images: Tensor) -> ClassifiedImages:
    """Label images (B, 1, 28, 28) in [0, 1] and return them with their labels."""
    prediction = read(classifier, images).prediction
    return ClassifiedImages(
        to_numpy(images), to_numpy(prediction.labels), to_numpy(prediction.confidence)
    )


def to_numpy(tensor: Tensor) -> np.ndarray:
    """Copy a tensor to a new array that shares no memory with it."""
    return tensor.detach().cpu().numpy().copy()
