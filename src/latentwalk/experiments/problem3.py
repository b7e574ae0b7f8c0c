"""Problem 3b and 3c: two test images in the VAE, and the straight path between their codes."""

from dataclasses import dataclass

import numpy as np
import torch

from latentwalk.data.mnist import Digits, to_unit
from latentwalk.evaluation.readings import (
    ClassifiedImages,
    check_ready,
    classify,
    in_chunks,
    to_numpy,
)
from latentwalk.experiments.interpolation import lerp
from latentwalk.models.classifier import Classifier
from latentwalk.models.vae import Vae


@dataclass(frozen=True)
class VaePath:
    """3b and 3c: two test images, their codes, and the straight path between the codes."""

    indices: tuple[int, int]
    """Indices of the two images in the test set, from 0."""
    digits: tuple[int, int]
    """Their true labels."""
    originals: ClassifiedImages
    """The two test images, (2, 1, 28, 28)."""
    code_deviations: np.ndarray
    """(2, Z) float32, standard deviations of both posteriors, whose means are the path's ends."""
    times: np.ndarray
    """(S,) float64, from 0 to 1."""
    codes: np.ndarray
    """(S, Z) float32: z_1 = z_start to z_S = z_end; these two are the posterior means."""
    strip: ClassifiedImages
    """The decoded path, (S, 1, 28, 28); its ends are the reconstructions of the originals."""


def vae_path(
    vae: Vae, classifier: Classifier, test: Digits, digits: tuple[int, int], steps: int = 10
) -> VaePath:
    """Answer 3b and 3c: encode a test image of each digit, walk between the codes, decode.

    Each image is the first of its digit in file order, so that it is not chosen for its looks. If
    both digits are the same, the first and the second image of that digit are used.

    Args:
        vae: trained.
        classifier: the classifier.
        test: the test digits.
        digits: labels of start and end, those of 2c.
        steps: number of images, including both ends.

    Raises:
        ValueError: a digit without enough test images, a network in training mode, or fewer than
            2 steps.
    """
    check_ready(vae=vae, classifier=classifier)
    indices = _first_images(test, digits)
    device = next(vae.parameters()).device
    originals = to_unit(test.images[list(indices)]).to(device)
    with torch.inference_mode():
        posterior = vae.encode(originals)
    codes = lerp(posterior.mu[0].clone(), posterior.mu[1].clone(), steps)  # (S, Z)
    return VaePath(
        indices=indices,
        digits=(int(digits[0]), int(digits[1])),
        originals=classify(classifier, originals),
        code_deviations=to_numpy((0.5 * posterior.logvar).exp()),
        times=np.linspace(0, 1, steps),
        codes=to_numpy(codes),
        strip=classify(classifier, in_chunks(vae.decode, codes)),
    )


def _first_images(test: Digits, digits: tuple[int, int]) -> tuple[int, int]:
    start, end = digits
    places = {digit: (test.labels == digit).nonzero().flatten().tolist() for digit in {start, end}}
    for digit, found in places.items():
        needed = 2 if start == end else 1
        if len(found) < needed:
            raise ValueError(
                f"{len(found)} of the {len(test.labels)} test images show a {digit}, "
                f"expected at least {needed}: take all test digits"
            )
    return places[start][0], places[end][1 if start == end else 0]
