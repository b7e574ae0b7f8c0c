"""Problem 3d: quality of the GAN's and the VAE's images, compared with real digits."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from latentwalk.data.mnist import Digits, to_unit
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
from latentwalk.evaluation.readings import (
    Reading,
    check_ready,
    in_chunks,
    measuring_rng,
    read,
    to_numpy,
)
from latentwalk.evaluation.sharpness import sharpness
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
EXAMPLES = 12
"""Number of images of each kind that are shown."""
DIGITS_A_COMPONENT = 500
"""Number of training digits per Gaussian of the prior that is fitted to their codes."""


@dataclass(frozen=True)
class QualityRow:
    """Measurements of one kind of images, with 95 % intervals."""

    name: str
    """Kind of images."""
    examples: np.ndarray
    """(12, 1, 28, 28) float32 in [0, 1], the first of these images."""
    frechet: Estimate
    """Frechet distance from the test images in the classifier's feature space."""
    ratio: Estimate
    """That distance over the floor; 1 is as good as real images."""
    sharpness: Estimate
    """Mean sharpness of the edges, in [0, 1]."""
    confidence: Estimate
    """Mean probability that the classifier gives to the digit it reads."""
    label_distance: float
    """Total variation distance between the digit shares and those of the test images, in [0, 1]."""
    label_shares: np.ndarray
    """(10,) float64, share of each digit as the classifier reads it."""
    density: Estimate
    """Density of real digits around these images; about 1 for real images. See `neighbours`."""
    coverage: Estimate
    """Share of real digits with one of these images nearby; 0.95 for real images."""
    precision: Estimate
    """Share of these images with a real digit nearby."""
    recall: Estimate
    """Share of real digits that lie among these images."""
    nearer_to_training: Estimate
    """Share of these images that are nearer to a training digit than to any of `SEARCHED` test
    digits. It is 1 for copies. Without copying it is as high as for real digits, because there are
    many more training digits."""


@dataclass(frozen=True)
class Quality:
    """3d: quality of real digits, samples of the GAN and of two VAEs, and VAE reconstructions."""

    mixture_components: int
    """Number of Gaussians in the fitted prior."""
    floor: float
    """Frechet distance of equally many real training images from the test images."""
    num_images: int
    """Number of images in each row; the bias of the distance depends on it."""
    rows: tuple[QualityRow, ...]
    """In this order: real digits, GAN samples, VAE samples, VAE samples from the fitted prior,
    samples of the VAE with a learned prior, VAE reconstructions."""


@dataclass(frozen=True)
class RealDigits:
    """Real digits that candidates are compared with; not saved."""

    reference: FrechetReference
    """Features of the test images, and the floor: the mean over all disjoint training sets."""
    test_labels: Tensor
    """(N,) true labels of the test images."""
    images: Tensor
    """(M, 1, 28, 28) in [0, 1]: training images, as many as each candidate has."""
    reading: Reading
    """The classifier's output for `images`."""
    other_features: Tensor
    """(R, F) features of all other training images."""


def real_digits(
    classifier: Classifier, train: Digits, test: Digits, rng: torch.Generator, count: int
) -> RealDigits:
    """Compute the reference and its floor from all digits, and draw `count` training images."""
    device = next(classifier.parameters()).device
    every = read(classifier, to_unit(train.images).to(device)).features
    test_features = read(classifier, to_unit(test.images).to(device)).features
    reference = frechet_reference(test_features, every, count)
    # the digits that are not drawn serve as the training digits in the search for copies,
    # because a drawn one would find itself
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

    The VAE's images are pixel means, as in 3c. Reconstructions start from test images, so they are
    close to the reference by construction; they show the loss from decoding alone. Samples from a
    prior fitted to the codes of training digits show the loss from the prior N(0, I). Samples of a
    VAE whose prior was trained with it show another remedy.

    Args:
        generator: trained, unconditional.
        vae: trained, with the prior N(0, I).
        learned: trained, with a learned prior.
        classifier: the classifier.
        train: the training digits, for the floor, the fitted prior and the search for copies.
        test: the test digits, the reference.
        rng: draws codes, training images and the resampling.
        count: number of images of each kind.

    Raises:
        ValueError: a network in training mode, or fewer training or test digits than `count`.
    """
    check_ready(generator=generator, vae=vae, learned=learned, classifier=classifier)
    real = real_digits(classifier, train, test, rng, count)
    device = real.images.device
    originals = to_unit(draw(test.images, count, rng)).to(device)
    samples = gan.sample(generator, count, measuring_rng()).images
    prior_samples, learned_samples = (
        vae_model.sample(network, count, measuring_rng()).images for network in (vae, learned)
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
    # real digits are measured like the others, to show what a perfect model would reach
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
    # resampled alike wherever it is measured
    frechet = frechet_interval(real.reference, reading.features, measuring_rng())
    labels = label_histogram(reading.prediction.labels, real.test_labels)
    # fewer images than for the other measures, because every image is compared with every other
    few = min(SEARCHED, len(images))
    test_features = draw(real.reference.features, min(few, len(real.reference.features)), rng)
    near = density_coverage(test_features, reading.features[:few], rng)
    return QualityRow(
        name=name,
        examples=to_numpy(images[:EXAMPLES]),
        frechet=frechet,
        ratio=ratio_to_floor(frechet, real.reference.floor),
        sharpness=bootstrap_interval(sharpness(images), rng),
        confidence=bootstrap_interval(reading.prediction.confidence, rng),
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
