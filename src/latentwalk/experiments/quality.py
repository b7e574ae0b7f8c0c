"""Problem 3d: how good the GAN's and the VAE's images are, beside real digits."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from latentwalk.data import Digits, to_unit
from latentwalk.evaluation.frechet import (
    FrechetReference,
    draw,
    frechet_interval,
    frechet_reference,
)
from latentwalk.evaluation.intervals import Estimate, bootstrap_interval
from latentwalk.evaluation.labels import label_histogram
from latentwalk.evaluation.sharpness import sharpness
from latentwalk.experiments.judged import Reading, check_ready, read, to_numpy
from latentwalk.models import gan
from latentwalk.models import vae as vae_model
from latentwalk.models.classifier import Classifier
from latentwalk.models.gan import Generator
from latentwalk.models.vae import Vae


@dataclass(frozen=True)
class QualityRow:
    """What is measured of one kind of images; intervals of 95 %."""

    name: str
    """Which images."""
    frechet: Estimate
    """Frechet distance from the test images in the judge's features."""
    ratio: Estimate
    """That distance over the floor, real against real; 1 is as good as real."""
    sharpness: Estimate
    """Mean steepness of the edges, in [0, 1]."""
    certainty: Estimate
    """Mean probability that the judge gives to the digit it reads."""
    label_distance: float
    """Total variation between the digits' shares and the test images': 0 alike, 1 disjoint."""
    label_shares: np.ndarray
    """(10,) float64, share of each digit as the judge reads it."""


@dataclass(frozen=True)
class Quality:
    """3d: real digits, the GAN's samples, the VAE's samples and its reconstructions."""

    floor: float
    """Frechet distance of as many real training images from the test images."""
    num_images: int
    """Images in each row; the distance's bias depends on it."""
    rows: tuple[QualityRow, ...]
    """Real, GAN, VAE samples, VAE reconstructions, in this order."""


@dataclass(frozen=True)
class RealDigits:
    """What candidates are compared with; not saved."""

    reference: FrechetReference
    """The test images' features, and the floor: the mean over all disjoint training sets."""
    images: Tensor
    """(M, 1, 28, 28) in [0, 1]: training images, as many as a candidate brings."""
    reading: Reading
    """The judge's view of these."""


def real_digits(
    classifier: Classifier, train: Digits, test: Digits, rng: torch.Generator, count: int
) -> RealDigits:
    """Fix the reference and its floor from all digits, and draw `count` training images."""
    device = next(classifier.parameters()).device
    every = read(classifier, to_unit(train.images).to(device)).features
    test_features = read(classifier, to_unit(test.images).to(device)).features
    reference = frechet_reference(test_features, every, count)
    images = to_unit(draw(train.images, count, rng)).to(device)
    return RealDigits(reference, images, read(classifier, images))


def compare_quality(
    generator: Generator,
    vae: Vae,
    classifier: Classifier,
    train: Digits,
    test: Digits,
    rng: torch.Generator,
    count: int = 10_000,
) -> Quality:
    """Answer 3d: measure the GAN's samples, the VAE's samples and its reconstructions.

    The VAE's images are its pixels' means, as in 3c. Reconstructions start from test images, so
    they are near the reference by construction: they show what decoding alone costs.

    Args:
        generator: trained, unconditional.
        vae: trained.
        classifier: the judge.
        train: the training digits, for the floor.
        test: the test digits, the reference.
        rng: draws noise, codes, training images and the resampling.
        count: images of each kind.

    Raises:
        ValueError: a network in training mode, or more images asked for than there are.
    """
    check_ready(generator=generator, vae=vae, judge=classifier)
    real = real_digits(classifier, train, test, rng, count)
    originals = to_unit(draw(test.images, count, rng)).to(real.images.device)
    candidates = {
        "GAN samples": gan.sample(generator, count, rng).images,
        "VAE samples": vae_model.sample(vae, count, rng).images,
        "VAE reconstructions": vae_model.reconstruct(vae, originals),
    }
    rows = [_measure("real digits", real.images, real.reading, real.reference, test.labels, rng)]
    for name, images in candidates.items():
        reading = read(classifier, images)
        rows.append(_measure(name, images, reading, real.reference, test.labels, rng))
    return Quality(real.reference.floor, count, tuple(rows))


def _measure(
    name: str,
    images: Tensor,
    reading: Reading,
    reference: FrechetReference,
    test_labels: Tensor,
    rng: torch.Generator,
) -> QualityRow:
    frechet = frechet_interval(reference, reading.features, rng)
    labels = label_histogram(reading.prediction.labels, test_labels.to(images.device))
    return QualityRow(
        name=name,
        frechet=frechet,
        ratio=ratio_to_floor(frechet, reference.floor),
        sharpness=bootstrap_interval(sharpness(images), rng),
        certainty=bootstrap_interval(reading.prediction.certainty, rng),
        label_distance=labels.total_variation,
        label_shares=to_numpy(labels.shares),
    )


def ratio_to_floor(distance: Estimate, floor: float) -> Estimate:
    """Divide a Frechet distance and its interval by the floor."""
    low, high = distance.low / floor, distance.high / floor
    return Estimate(distance.value / floor, low, high, distance.level)
