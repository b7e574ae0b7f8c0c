"""What the checks share: the staff's judge and digits, and their limits."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentwalk.data import Digits, to_unit
from latentwalk.experiments.judged import in_chunks, read
from latentwalk.grading.submission import Submission
from latentwalk.models import gan
from latentwalk.models.classifier import Classifier
from latentwalk.models.samples import Samples, balanced_labels
from problemset.grading.score.verdict import Verdict

STEPS = 10  # of a path, both ends included
FRESH = 2000  # images generated, or test images read, to see whether a network is trained
SEED = 11  # of these draws
FARTHEST = 40.0
"""Largest Frechet distance from test digits, in the judge's feature space, that counts as trained.
The report's GAN was at 146 after one step and at 18 after a twentieth of its training."""
LEAST_DIGITS, LEAST_SHARE = 5, 0.01  # digits that a GAN must make, and the share that counts
LEAST_AGREEMENT = 0.5
"""Of a conditional GAN with its labels, and of a VAE with its originals. By chance it is 0.1; the
report's conditional GAN reached 0.71 after a twentieth of its training."""
FARTHEST_CODE = 0.05
"""Largest difference between a submitted code and the encoder's mean, as a share of the code's
size. Of 2,000 test images, encoding in TensorFloat-32, as a GPU does, moved none by more than 0.005
and bfloat16 none by more than 0.045; of 40,000 draws from the posteriors none came within 0.052."""


@dataclass(frozen=True)
class Staff:
    """What the course staff brings: nothing of it comes from the submission."""

    judge: Classifier
    test: Digits

    @cached_property
    def test_features(self) -> Tensor:
        """(FRESH, F) of test digits spread over the file, in the judge's feature space."""
        chosen = self.test.images[:: max(1, len(self.test.images) // FRESH)]
        return read(self.judge, to_unit(chosen)).features

    def labels(self, images: np.ndarray) -> np.ndarray:
        """The judge's labels (N,) of images (N, 1, 28, 28)."""
        return read(self.judge, torch.from_numpy(images)).prediction.labels.numpy()


Check = Callable[[Submission, Staff], Verdict]


def opens(submission: Submission, name: str, conditional: bool | None = None) -> Verdict:
    """Say whether a network is there, and a GAN of the right kind."""
    config = submission.network(name).config
    if conditional is not None and bool(config.num_classes) != conditional:
        kinds = ("one with labels", "one without")
        got, wanted = kinds if not conditional else kinds[::-1]
        return Verdict(False, f"the GAN in weights/{name}.safetensors is {got}, expected {wanted}")
    return Verdict(True, f"weights/{name}.safetensors is intact", {"config": vars(config)})


def inputs_of(
    submission: Submission, item: str, name: str, leading: tuple[int | None, ...], network: Any
) -> np.ndarray:
    """Give a generator's inputs (*leading, input_size) as float32."""
    shape = (*leading, network.config.input_size)
    return submission.array(item, name, shape).astype(np.float32)


def run(network: Any, inputs: np.ndarray) -> np.ndarray:
    """Generate the images (N, 1, 28, 28) of inputs (N, entries)."""
    return in_chunks(network, torch.from_numpy(inputs)).numpy()


def fresh(network: Any) -> Samples:
    """Generate FRESH images, balanced over the digits where the network takes a label."""
    rng = torch.Generator().manual_seed(SEED)
    labels = balanced_labels(FRESH) if network.config.num_classes else None
    inputs = gan.draw_inputs(network.config, FRESH, rng, labels)
    return Samples(in_chunks(network, inputs), inputs, labels)


def ten_points(points: np.ndarray, what: str) -> Verdict:
    """Say whether a path has ten points, both ends included."""
    found = len(points)
    says = f"{what} has {found} points" + ("" if found == STEPS else f", expected {STEPS}")
    return Verdict(found == STEPS, says, {"points": found})
