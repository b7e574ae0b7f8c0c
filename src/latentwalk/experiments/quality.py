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
from latentwalk.evaluation.mixture import draw_mixture, fit_mixture
from latentwalk.evaluation.neighbours import SEARCHED, density_coverage, nearer_to_first
from latentwalk.evaluation.sharpness import sharpness
from latentwalk.experiments.judged import Reading, check_ready, in_chunks, read, to_numpy
from latentwalk.models import gan
from latentwalk.models import vae as vae_model
from latentwalk.models.classifier import Classifier
from latentwalk.models.gan import Generator
from latentwalk.models.vae import Vae

REAL = "real digits"
GAN_SAMPLES = "GAN samples"
VAE_SAMPLES = "VAE samples"
FITTED_SAMPLES = "VAE, fitted prior"
LEARNED_SAMPLES = "VAE, learned prior"
RECONSTRUCTIONS = "VAE reconstructions"
DIGITS_A_COMPONENT = 500
"""Training digits for each Gaussian of the prior that is fitted to their codes."""


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
    density: Estimate
    """How densely real digits surround these images, about 1 for real ones; see `neighbours`."""
    coverage: Estimate
    """Share of real digits that have one of these images near; 0.95 for real ones."""
    precision: Estimate
    """Share of these images that have a real digit near."""
    recall: Estimate
    """Share of real digits that lie among these images."""
    nearer_to_training: Estimate
    """Share of these images that are nearer to a training digit than to any of `SEARCHED` test
    digits: 1 for copies, otherwise as for real digits, as there are many more training digits."""


@dataclass(frozen=True)
class Quality:
    """3d: real digits, the GAN's samples, the VAE's and its reconstructions, another VAE's."""

    mixture_components: int
    """Gaussians of the fitted prior."""
    floor: float
    """Frechet distance of as many real training images from the test images."""
    num_images: int
    """Images in each row; the distance's bias depends on it."""
    rows: tuple[QualityRow, ...]
    """Real, GAN, VAE samples, those from the fitted prior, the other VAE's from its learned one,
    reconstructions, in this order."""


@dataclass(frozen=True)
class RealDigits:
    """What candidates are compared with; not saved."""

    reference: FrechetReference
    """The test images' features, and the floor: the mean over all disjoint training sets."""
    test_labels: Tensor
    """(N,) the test images' true labels."""
    images: Tensor
    """(M, 1, 28, 28) in [0, 1]: training images, as many as a candidate brings."""
    reading: Reading
    """The judge's view of these."""
    other_features: Tensor
    """(R, F) of all other training images."""


def real_digits(
    classifier: Classifier, train: Digits, test: Digits, rng: torch.Generator, count: int
) -> RealDigits:
    """Fix the reference and its floor from all digits, and draw `count` training images."""
    device = next(classifier.parameters()).device
    every = read(classifier, to_unit(train.images).to(device)).features
    test_features = read(classifier, to_unit(test.images).to(device)).features
    reference = frechet_reference(test_features, every, count)
    order = torch.randperm(len(train.images), generator=rng)
    images = to_unit(train.images[order[:count]]).to(device)
    labels = test.labels.to(device)
    return RealDigits(
        reference, labels, images, read(classifier, images), every[order[count:].to(device)]
    )


def compare_quality(
    generator: Generator,
    vae: Vae,
    learned: Vae,
    classifier: Classifier,
    train: Digits,
    test: Digits,
    rng: torch.Generator,
    count: int = 10_000,
) -> Quality:
    """Answer 3d: measure the GAN's samples, the VAE's samples and its reconstructions.

    The VAE's images are its pixels' means, as in 3c. Reconstructions start from test images, so
    they are near the reference by construction: they show what decoding alone costs. Samples from
    a prior that was fitted to the codes of training digits show what N(0, I) costs; those of a VAE
    that learned its prior with the rest, another way to mend it.

    Args:
        generator: trained, unconditional.
        vae: trained, with the prior N(0, I).
        learned: another, with a learned prior.
        classifier: the judge.
        train: the training digits, for the floor, the fitted prior, and to find copies of.
        test: the test digits, the reference.
        rng: draws noise, codes, training images and the resampling.
        count: images of each kind.

    Raises:
        ValueError: a network in training mode, or more images asked for than there are.
    """
    check_ready(generator=generator, vae=vae, learned=learned, judge=classifier)
    real = real_digits(classifier, train, test, rng, count)
    device = real.images.device
    originals = to_unit(draw(test.images, count, rng)).to(device)
    samples = gan.sample(generator, count, rng).images
    prior_samples, learned_samples = (
        vae_model.sample(network, count, rng).images for network in (vae, learned)
    )
    components = max(1, len(train.images) // DIGITS_A_COMPONENT)
    codes = _fitted_codes(vae, to_unit(train.images).to(device), components, rng, count)
    candidates = {
        GAN_SAMPLES: samples,
        VAE_SAMPLES: prior_samples,
        FITTED_SAMPLES: in_chunks(vae.decode, codes),
        LEARNED_SAMPLES: learned_samples,
        RECONSTRUCTIONS: vae_model.reconstruct(vae, originals),
    }
    rows = [_measure(REAL, real.images, real.reading, real, rng)]
    for name, images in candidates.items():
        rows.append(_measure(name, images, read(classifier, images), real, rng))
    return Quality(components, real.reference.floor, count, tuple(rows))


def _fitted_codes(
    vae: Vae, images: Tensor, components: int, rng: torch.Generator, count: int
) -> Tensor:
    """Draw codes (count, Z) from a mixture of Gaussians fitted to the images' codes."""
    codes = in_chunks(lambda part: vae.encode(part).mu, images)
    return draw_mixture(fit_mixture(codes, components, rng), count, rng)


def _measure(
    name: str, images: Tensor, reading: Reading, real: RealDigits, rng: torch.Generator
) -> QualityRow:
    frechet = frechet_interval(real.reference, reading.features, rng)
    labels = label_histogram(reading.prediction.labels, real.test_labels)
    few = min(SEARCHED, len(images))
    test_features = draw(real.reference.features, min(few, len(real.reference.features)), rng)
    near = density_coverage(test_features, reading.features[:few], rng)
    return QualityRow(
        name=name,
        frechet=frechet,
        ratio=ratio_to_floor(frechet, real.reference.floor),
        sharpness=bootstrap_interval(sharpness(images), rng),
        certainty=bootstrap_interval(reading.prediction.certainty, rng),
        label_distance=labels.total_variation,
        label_shares=to_numpy(labels.shares),
        density=near.density,
        coverage=near.coverage,
        precision=near.precision,
        recall=near.recall,
        nearer_to_training=nearer_to_first(
            reading.features[:few], real.other_features, test_features, rng
        ),
    )


def ratio_to_floor(distance: Estimate, floor: float) -> Estimate:
    """Divide a Frechet distance and its interval by the floor."""
    low, high = distance.low / floor, distance.high / floor
    return Estimate(distance.value / floor, low, high, distance.level)
