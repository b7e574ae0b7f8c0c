"""Problem 3e: how smooth the paths of both models are, over many pairs and beside two nulls."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from latentwalk.data import Digits, to_unit
from latentwalk.evaluation.frechet import draw
from latentwalk.evaluation.intervals import Estimate
from latentwalk.evaluation.judging import JudgedPaths, RealYardstick, judge_paths, real_yardstick
from latentwalk.evaluation.neighbours import mean_pair_distance
from latentwalk.evaluation.smoothness import (
    PathMeasures,
    measure_paths,
    summarise,
    summarise_differences,
)
from latentwalk.experiments.judged import check_ready, in_chunks, read, to_numpy
from latentwalk.interpolation import crossfade, jump, lerp
from latentwalk.models.classifier import Classifier
from latentwalk.models.gan import Generator
from latentwalk.models.vae import Vae

NUM_SEARCHED = 10_000
"""Training images among which the nearest real image is searched."""
GAN_PATHS = "GAN, random inputs"
VAE_PATHS = "VAE, test images"
PRIOR_PATHS = "VAE, random codes"
BLENDS = "pixel blend of test images"
JUMPS = "jump between test images"
COMPARED = ((GAN_PATHS, VAE_PATHS), (GAN_PATHS, PRIOR_PATHS), (VAE_PATHS, BLENDS))
"""Pairs of kinds whose difference is reported; the last pair has the same ends, path by path."""


@dataclass(frozen=True)
class SmoothnessRow:
    """One kind of paths, measured; intervals of 95 %."""

    name: str
    """Which paths."""
    measures: dict[str, Estimate]
    """Mean over the paths of every measure of `evaluation.smoothness.PathMeasures`."""
    certainty: np.ndarray
    """(S,) float64, the judge's mean certainty at each step."""
    sharpness: np.ndarray
    """(S,) float64, mean steepness of the edges over a real image's, at each step."""
    nearest_real: np.ndarray
    """(S,) float64, mean distance to the nearest real image over a real image's, at each step."""


@dataclass(frozen=True)
class Difference:
    """One kind of paths less another."""

    first: str
    second: str
    measures: dict[str, Estimate]
    """Mean difference of every measure; an interval without 0 is a difference."""


@dataclass(frozen=True)
class Smoothness:
    """3e: the paths of both models, the control and the nulls."""

    num_pairs: int
    num_steps: int
    rows: tuple[SmoothnessRow, ...]
    """GAN, VAE between test images, VAE between random codes, pixel blend, jump."""
    differences: tuple[Difference, ...]
    """GAN less VAE, GAN less VAE between random codes, VAE less pixel blend."""


def compare_smoothness(
    generator: Generator,
    vae: Vae,
    classifier: Classifier,
    train: Digits,
    test: Digits,
    rng: torch.Generator,
    pairs: int = 1000,
    steps: int = 10,
) -> Smoothness:
    """Answer 3e: walk between many random pairs and measure every path.

    The GAN walks between random inputs, as in Problem 2; the VAE between the codes of test
    images, as in Problem 3. Because these ends differ, the VAE also walks between random codes,
    as the GAN does. Both nulls run between the very test images that the VAE's codes come from.

    Args:
        generator: trained, unconditional.
        vae: trained.
        classifier: the judge.
        train: the training digits, among which the nearest real images are searched.
        test: the test digits, each at one end of at most one path.
        rng: draws pairs, inputs, codes, training images and the resampling.
        pairs: paths of each kind.
        steps: images on a path, both ends included.

    Raises:
        ValueError: a network in training mode, fewer than 3 steps, or too few test digits.
    """
    check_ready(generator=generator, vae=vae, judge=classifier)
    device = next(classifier.parameters()).device
    near = to_unit(draw(train.images, min(NUM_SEARCHED, len(train.images)), rng)).to(device)
    searched = read(classifier, near).features
    yardstick = _yardstick(classifier, to_unit(test.images).to(device), searched, rng)
    judged = {
        name: _judge(classifier, images, searched)
        for name, images in _all_paths(generator, vae, test, rng, pairs, steps).items()
    }
    measured = {name: measure_paths(paths, yardstick) for name, paths in judged.items()}
    rows = [_row(name, judged[name], measured[name], yardstick, rng) for name in judged]
    return Smoothness(pairs, steps, tuple(rows), _differences(measured, rng))


def _all_paths(
    generator: Generator, vae: Vae, test: Digits, rng: torch.Generator, pairs: int, steps: int
) -> dict[str, Tensor]:
    """Give the images of every kind of paths, each (P, S, 1, 28, 28)."""
    device = next(vae.parameters()).device
    images = to_unit(draw(test.images, 2 * pairs, rng)).to(device)
    start, end = images.chunk(2)
    codes = in_chunks(lambda part: vae.encode(part).mu, images)  # (2 P, Z)
    inputs = torch.randn(2 * pairs, generator.config.latent_size, generator=rng, device=rng.device)
    random_codes = torch.randn(2 * pairs, vae.config.latent_size, generator=rng, device=rng.device)
    return {
        GAN_PATHS: _walk(generator.forward, inputs, steps),
        VAE_PATHS: _walk(vae.decode, codes, steps),
        PRIOR_PATHS: _walk(vae.decode, random_codes, steps),
        BLENDS: crossfade(start, end, steps),
        JUMPS: jump(start, end, steps),
    }


def _walk(images_of: Callable[[Tensor], Tensor], ends: Tensor, steps: int) -> Tensor:
    """Generate every step between the first and the second half of (2 P, Z): (P, S, 1, 28, 28)."""
    start, end = ends.chunk(2)
    points = lerp(start, end, steps)  # (P, S, Z)
    images = in_chunks(images_of, points.flatten(0, 1))
    return images.unflatten(0, points.shape[:2])


def _judge(classifier: Classifier, images: Tensor, searched: Tensor) -> JudgedPaths:
    reading = read(classifier, images.flatten(0, 1))
    return judge_paths(images, reading.features, reading.prediction, searched)


def _yardstick(
    classifier: Classifier, images: Tensor, searched: Tensor, rng: torch.Generator
) -> RealYardstick:
    features = read(classifier, images).features
    return real_yardstick(images, features, searched, mean_pair_distance(features, rng))


def _row(
    name: str,
    paths: JudgedPaths,
    measures: PathMeasures,
    yardstick: RealYardstick,
    rng: torch.Generator,
) -> SmoothnessRow:
    def along(values: Tensor, unit: float = 1.0) -> np.ndarray:
        return to_numpy(values.double().mean(dim=0)) / unit  # (P, S) to (S,)

    return SmoothnessRow(
        name=name,
        measures=summarise(measures, rng),
        certainty=along(paths.certainty),
        sharpness=along(paths.sharpness, yardstick.sharpness),
        nearest_real=along(paths.nearest_real, yardstick.nearest_real),
    )


def _differences(measured: dict[str, PathMeasures], rng: torch.Generator) -> tuple[Difference, ...]:
    return tuple(
        Difference(first, second, summarise_differences(measured[first], measured[second], rng))
        for first, second in COMPARED
    )
