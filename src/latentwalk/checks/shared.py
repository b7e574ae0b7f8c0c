"""Shared code of the checks: the staff's classifier and digits, and the tolerances."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentwalk.checks.networks import open_network
from latentwalk.data.mnist import Digits, to_unit
from latentwalk.evaluation.readings import in_chunks, read
from latentwalk.models import gan
from latentwalk.models.classifier import Classifier
from latentwalk.models.samples import Samples, balanced_labels
from problemset.grading.score.verdict import Verdict
from problemset.grading.submission.opened import Submission

STEPS = 10  # points on a path, both ends included
FRESH = 2000  # images generated, or test images used, to tell whether a network is trained
SEED = 11  # seed for generating them
FARTHEST = 40.0
"""Largest Frechet distance from test digits, in the classifier's feature space, that counts as
trained. The report's GAN was at 146 after one step and at 18 after a twentieth of its training."""
LEAST_DIGITS, LEAST_SHARE = 5, 0.01  # digits a GAN must make, and their minimum share
LEAST_AGREEMENT = 0.5
"""Minimum agreement of a conditional GAN with its labels, and of a VAE with its originals. Chance
level is 0.1; the report's conditional GAN reached 0.71 after a twentieth of its training."""
FARTHEST_CODE = 0.05
"""Largest difference between a submitted code and the encoder's mean, as a fraction of the code's
size. Among 2,000 test images, encoding in TensorFloat-32, as a GPU does, moved none by more than
0.005, and bfloat16 none by more than 0.045. Among 40,000 draws from the posteriors, none came
within 0.052."""


@dataclass(frozen=True)
class Staff:
    """Data provided by the course staff, never by the submission."""

    classifier: Classifier
    test: Digits

    def __str__(self) -> str:
        return f"{len(self.test)} test digits, and a classifier with valid weights"

    @cached_property
    def test_features(self) -> Tensor:
        """Features (FRESH, F), from the classifier, of test digits spread over the file."""
        chosen = self.test.images[:: max(1, len(self.test.images) // FRESH)]
        return read(self.classifier, to_unit(chosen)).features

    def labels(self, images: np.ndarray) -> np.ndarray:
        """Labels (N,) that the classifier assigns to images (N, 1, 28, 28)."""
        return read(self.classifier, torch.from_numpy(images)).prediction.labels.numpy()


Check = Callable[[Submission, Staff], Verdict]


def opens(submission: Submission, name: str, conditional: bool | None = None) -> Verdict:
    """Check that a network can be loaded and, for a GAN, is of the right kind."""
    config = open_network(submission, name).config
    if conditional is not None and bool(config.num_classes) != conditional:
        kinds = ("one with labels", "one without")
        got, wanted = kinds if not conditional else kinds[::-1]
        return Verdict(False, f"the GAN in weights/{name}.safetensors is {got}, expected {wanted}")
    return Verdict(True, f"weights/{name}.safetensors is intact", {"config": vars(config)})


def inputs_of(
    submission: Submission, item: str, name: str, leading: tuple[int | None, ...], network: Any
) -> np.ndarray:
    """Read a generator's inputs (*leading, input_size) as float32."""
    shape = (*leading, network.config.input_size)
    return submission.array(item, name, shape).astype(np.float32)


def run(network: Any, inputs: np.ndarray) -> np.ndarray:
    """Generate images (N, 1, 28, 28) from inputs (N, input_size)."""
    return in_chunks(network, torch.from_numpy(inputs)).numpy()


def fresh(network: Any) -> Samples:
    """Generate FRESH images, balanced over the digits if the network takes a label."""
    rng = torch.Generator().manual_seed(SEED)
    labels = balanced_labels(FRESH) if network.config.num_classes else None
    inputs = gan.draw_inputs(network.config, FRESH, rng, labels)
    return Samples(in_chunks(network, inputs), inputs, labels)


def ten_points(points: np.ndarray, what: str) -> Verdict:
    """Check that a path has ten points, both ends included."""
    found = len(points)
    says = f"{what} has {found} points" + ("" if found == STEPS else f", expected {STEPS}")
    return Verdict(found == STEPS, says, {"points": found})
