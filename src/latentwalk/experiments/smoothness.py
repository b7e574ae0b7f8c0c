"""Problem 3e: smoothness of both models' paths over many pairs, with controls and baselines."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from latentwalk.data.mnist import Digits, to_unit
from latentwalk.evaluation.frechet import draw
from latentwalk.evaluation.intervals import Estimate, bootstrap_interval
from latentwalk.evaluation.neighbours import mean_pair_distance
from latentwalk.evaluation.paths import (
    ClassifiedPaths,
    RealYardstick,
    classify_paths,
    real_yardstick,
)
from latentwalk.evaluation.readings import check_ready, in_chunks, read, to_numpy
from latentwalk.evaluation.sharpness import sharpness
from latentwalk.evaluation.smoothness import (
    PathMeasures,
    measure_paths,
    pick,
    skill_score,
    summarise,
    summarise_differences,
)
from latentwalk.experiments.interpolation import crossfade, jump, lerp, variance_preserving
from latentwalk.experiments.inversion import invert
from latentwalk.models.classifier import Classifier
from latentwalk.models.gan import Generator
from latentwalk.models.vae import Vae

NUM_SEARCHED = 10_000
"""Number of training images among which the nearest real image is searched."""
INVERTED_PAIRS = 200
"""Number of GAN paths between test images; inverting an image takes hundreds of passes."""
GAN_PATHS = "GAN, random inputs"
ROUND_PATHS = "GAN, variance kept"
INVERTED_PATHS = "GAN, test images"
BLURRED_PATHS = "GAN, test images, blurred"
VAE_PATHS = "VAE, test images"
PRIOR_PATHS = "VAE, random codes"
BLENDS = "pixel blend of test images"
JUMPS = "jump between test images"
COMPARED = (
    (GAN_PATHS, VAE_PATHS),
    (GAN_PATHS, PRIOR_PATHS),
    (INVERTED_PATHS, VAE_PATHS),
    (ROUND_PATHS, GAN_PATHS),
    (VAE_PATHS, BLENDS),
    (BLURRED_PATHS, INVERTED_PATHS),
    (BLURRED_PATHS, VAE_PATHS),
)
"""Pairs of kinds of paths whose difference is reported. In the first two the ends are independent,
in the fourth they are the same; in all others paired paths go between the same test images (or the
models' versions of them)."""


@dataclass(frozen=True)
class SmoothnessRow:
    """Measurements of one kind of paths, with 95 % intervals."""

    name: str
    """Kind of paths."""
    num_pairs: int
    """Number of paths."""
    measures: dict[str, Estimate]
    """Mean over the paths of every measure of `evaluation.smoothness.PathMeasures`."""
    same_digit: dict[str, Estimate]
    """The same mean over only the paths whose two ends the classifier reads as the same digit."""
    num_same_digit: int
    """Number of those paths."""
    confidence: np.ndarray
    """(S,) float64, the classifier's mean confidence at each step."""
    sharpness: np.ndarray
    """(S,) float64, mean sharpness at each step, relative to a real image."""
    nearest_real: np.ndarray
    """(S,) float64, mean distance to the nearest real image at each step, relative to that of a
    real image."""


@dataclass(frozen=True)
class Difference:
    """One kind of paths minus another."""

    first: str
    second: str
    measures: dict[str, Estimate]
    """Mean difference of every measure; an interval that excludes 0 indicates a difference."""


@dataclass(frozen=True)
class Smoothness:
    """3e: the paths of both models, the controls and the baselines ("nulls")."""

    num_pairs: int
    num_steps: int
    rows: tuple[SmoothnessRow, ...]
    """In this order: GAN with random inputs, with variance kept, and between test images; VAE
    between test images and between random codes; the two baselines."""
    blurred: SmoothnessRow
    """The GAN's paths between test images, blurred until their edges are at each step as soft as
    those of the VAE's paths between the same images."""
    margins: dict[str, Estimate]
    """`evaluation.smoothness.skill_score` by row name; 0 for both baselines."""
    differences: tuple[Difference, ...]
    """Differences of the pairs in `COMPARED`."""
    inversion_error: Estimate
    """Root mean squared pixel error of the GAN's versions of test images; see `inversion`."""
    reconstruction_error: Estimate
    """Root mean squared pixel error of the VAE's reconstructions of test images."""


def compare_smoothness(
    generator: Generator,
    vae: Vae,
    classifier: Classifier,
    train: Digits,
    test: Digits,
    rng: torch.Generator,
    pairs: int = 2000,
    steps: int = 10,
) -> Smoothness:
    """Answer 3e: walk between many random pairs and measure every path.

    The GAN walks between random inputs, as in Problem 2, and the VAE between the codes of test
    images, as in Problem 3. Because these ends differ, each model also walks between the other's
    kind of ends: the VAE between random codes, the GAN between inputs found by inverting the first
    of the same test images. The GAN also walks the variance-preserving path between its random
    inputs. Both baselines run between the test images.

    Args:
        generator: trained, unconditional.
        vae: trained.
        classifier: the classifier.
        train: the training digits, among which the nearest real images are searched.
        test: the test digits, each at one end of at most one path.
        rng: draws pairs, inputs, codes, training images and the resampling.
        pairs: number of paths of each kind.
        steps: number of images on a path, including both ends.

    Raises:
        ValueError: a network in training mode, fewer than 3 steps, or too few test digits.
    """
    check_ready(generator=generator, vae=vae, classifier=classifier)
    device = next(classifier.parameters()).device
    near = to_unit(draw(train.images, min(NUM_SEARCHED, len(train.images)), rng)).to(device)
    searched = read(classifier, near).features
    yardstick = _yardstick(classifier, to_unit(test.images).to(device), searched, rng)
    rows, measured, ends = {}, {}, {}
    some: dict[str, Tensor] = {}
    kinds = _all_paths(generator, vae, test, rng, pairs, steps)
    # last, because it blurs images that are made before
    kinds[BLURRED_PATHS] = lambda: _as_soft(some[INVERTED_PATHS], some[VAE_PATHS])
    for name, make in kinds.items():
        images = make()  # one kind at a time, to bound the memory
        classified = _classify(classifier, images, searched)
        measured[name] = measure_paths(classified, yardstick)
        rows[name] = _row(name, classified, measured[name], yardstick, rng)
        ends[name] = images[:, [0, -1]]
        some[name] = images[:INVERTED_PAIRS].clone()
    blurred = rows.pop(BLURRED_PATHS)
    return Smoothness(
        num_pairs=pairs,
        num_steps=steps,
        rows=tuple(rows.values()),
        blurred=blurred,
        margins=_margins(measured, rng),
        differences=_differences(measured, rng),
        inversion_error=_error(ends[INVERTED_PATHS], ends[BLENDS], rng),
        reconstruction_error=_error(ends[VAE_PATHS], ends[BLENDS], rng),
    )


def _all_paths(
    generator: Generator, vae: Vae, test: Digits, rng: torch.Generator, pairs: int, steps: int
) -> dict[str, Callable[[], Tensor]]:
    """For each kind of paths, a function that makes its images (P, S, 1, 28, 28).

    All random draws are made here, none in the functions.
    """
    device = next(vae.parameters()).device
    images = to_unit(draw(test.images, 2 * pairs, rng)).to(device)
    start, end = images.chunk(2)
    codes = in_chunks(lambda part: vae.encode(part).mu, images)  # (2 P, Z)
    inputs = torch.randn(2 * pairs, generator.config.latent_size, generator=rng, device=rng.device)
    noise = torch.randn(2 * pairs, vae.config.latent_size, generator=rng, device=rng.device)
    random_codes = in_chunks(vae.noise_to_code, noise)
    few = min(INVERTED_PAIRS, pairs)
    found = invert(generator, torch.cat([start[:few], end[:few]]), rng)
    return {
        GAN_PATHS: partial(_walk, generator.forward, lerp, inputs, steps),
        ROUND_PATHS: partial(_walk, generator.forward, variance_preserving, inputs, steps),
        INVERTED_PATHS: partial(_walk, generator.forward, lerp, found, steps),
        VAE_PATHS: partial(_walk, vae.decode, lerp, codes, steps),
        PRIOR_PATHS: partial(_walk, vae.decode, lerp, random_codes, steps),
        BLENDS: partial(crossfade, start, end, steps),
        JUMPS: partial(jump, start, end, steps),
    }


def _as_soft(paths: Tensor, others: Tensor) -> Tensor:
    """Blur paths (P, S, 1, 28, 28) at each step until their mean sharpness is that of others."""
    steps = []
    for images, softer in zip(paths.unbind(dim=1), others[: len(paths)].unbind(dim=1), strict=True):
        wanted = sharpness(softer).mean()
        low, high = 0.05, 3.0  # deviations of the blur in pixels; the first changes nothing
        for _ in range(20):
            middle = (low + high) / 2
            sharper = sharpness(_blur(images, middle)).mean() > wanted
            low, high = (middle, high) if sharper else (low, middle)
        steps.append(_blur(images, low))
    return torch.stack(steps, dim=1)


def _blur(images: Tensor, deviation: float) -> Tensor:
    return gaussian_blur(images, [9, 9], [deviation, deviation]).clamp(0, 1)


def _error(ends: Tensor, real: Tensor, rng: torch.Generator) -> Estimate:
    """Pixel error of the ends of paths (P, 2, 1, 28, 28) against the test images they represent."""
    squares = (ends - real[: len(ends)]).flatten(0, 1).square().mean(dim=(1, 2, 3))
    return bootstrap_interval(squares.sqrt(), rng)


def _walk(
    images_of: Callable[[Tensor], Tensor],
    line: Callable[[Tensor, Tensor, int], Tensor],
    ends: Tensor,
    steps: int,
) -> Tensor:
    """Walk from the first half of the ends (2 P, Z) to the second: images (P, S, 1, 28, 28)."""
    start, end = ends.chunk(2)
    points = line(start, end, steps)  # (P, S, Z)
    images = in_chunks(images_of, points.flatten(0, 1))
    return images.unflatten(0, points.shape[:2])


def _classify(classifier: Classifier, images: Tensor, searched: Tensor) -> ClassifiedPaths:
    reading = read(classifier, images.flatten(0, 1))
    return classify_paths(images, reading.features, reading.prediction, searched)


def _yardstick(
    classifier: Classifier, images: Tensor, searched: Tensor, rng: torch.Generator
) -> RealYardstick:
    features = read(classifier, images).features
    return real_yardstick(images, features, searched, mean_pair_distance(features, rng))


def _row(
    name: str,
    paths: ClassifiedPaths,
    measures: PathMeasures,
    yardstick: RealYardstick,
    rng: torch.Generator,
) -> SmoothnessRow:
    def along(values: Tensor, unit: float = 1.0) -> np.ndarray:
        return to_numpy(values.double().mean(dim=0)) / unit  # (P, S) to (S,)

    same = paths.labels[:, 0] == paths.labels[:, -1]
    return SmoothnessRow(
        name=name,
        num_pairs=len(same),
        measures=summarise(measures, rng),
        same_digit=summarise(pick(measures, same), rng) if int(same.sum()) > 1 else {},
        num_same_digit=int(same.sum()),
        confidence=along(paths.confidence),
        sharpness=along(paths.sharpness, yardstick.sharpness),
        nearest_real=along(paths.nearest_real, yardstick.nearest_real),
    )


def _margins(measured: dict[str, PathMeasures], rng: torch.Generator) -> dict[str, Estimate]:
    """Score each kind against as many paths of the two baselines as it has itself."""
    found = {}
    for name, paths in measured.items():
        first = slice(len(paths.steadiness))
        blends, jumps = (pick(measured[null], first) for null in (BLENDS, JUMPS))
        found[name] = skill_score(paths, blends, jumps, rng)
    return found


def _differences(measured: dict[str, PathMeasures], rng: torch.Generator) -> tuple[Difference, ...]:
    """Compare kinds path by path; if one has fewer paths, only the first of the other are used."""
    found = []
    for first, second in COMPARED:
        one, other = measured[first], measured[second]
        count = min(len(one.steadiness), len(other.steadiness))
        one, other = pick(one, slice(count)), pick(other, slice(count))
        found.append(Difference(first, second, summarise_differences(one, other, rng)))
    return tuple(found)
