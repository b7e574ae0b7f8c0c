"""Problem 2: ten GAN samples, a pair picked from them, the straight path between its inputs."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from latentwalk.evaluation.readings import (
    ClassifiedImages,
    check_ready,
    classify,
    in_chunks,
    to_numpy,
)
from latentwalk.experiments.interpolation import crossfade, lerp
from latentwalk.models import gan
from latentwalk.models.classifier import Classifier
from latentwalk.models.gan import Generator

NUM_SAMPLES = 10


@dataclass(frozen=True)
class TenSamples:
    """2b: ten images, the generator inputs that made them, and the classifier's readings."""

    images: np.ndarray
    """(10, 1, 28, 28) float32 in [0, 1]."""
    inputs: np.ndarray
    """(10, Z) float32, the draws of epsilon."""
    labels: np.ndarray
    """(10,) int64, the digit that the classifier reads."""
    confidence: np.ndarray
    """(10,) float32, the classifier's probability of that digit."""


@dataclass(frozen=True)
class Pair:
    """2c: the two images at the ends of the path, start first."""

    indices: tuple[int, int]
    """Their numbers among the ten samples, from 0."""
    images: np.ndarray
    """(2, 1, 28, 28) float32 in [0, 1]."""
    inputs: np.ndarray
    """(2, Z) float32: epsilon_start and epsilon_end."""
    labels: np.ndarray
    """(2,) int64, the digits that the classifier reads."""
    confidence: np.ndarray
    """(2,) float32, the classifier's probability of these digits."""
    automatic: bool
    """Whether the rule picked the pair, rather than the reader."""
    same_digit: bool
    """Whether both images have the same label, which only a reader's pick can have."""


@dataclass(frozen=True)
class GeneratorPath:
    """2d and 2e: the path between two inputs, its images, and the cross-fade of its end images."""

    times: np.ndarray
    """(S,) float64, from 0 to 1."""
    inputs: np.ndarray
    """(S, Z) float32: epsilon_1 to epsilon_S; these two equal epsilon_start and epsilon_end
    exactly."""
    strip: ClassifiedImages
    """The generator's images from these inputs, (S, 1, 28, 28)."""
    crossfade: ClassifiedImages
    """Cross-fade between the strip's first and last image, (S, 1, 28, 28)."""


def ten_samples(generator: Generator, classifier: Classifier, rng: torch.Generator) -> TenSamples:
    """Answer 2b: draw ten inputs, generate their images, label them with the classifier.

    Args:
        generator: trained, unconditional.
        classifier: the classifier.
        rng: draws epsilon from N(0, I).

    Raises:
        ValueError: a conditional generator, or a network in training mode.
    """
    _check_unconditional(generator)
    check_ready(generator=generator, classifier=classifier)
    samples = gan.sample(generator, NUM_SAMPLES, rng)
    seen = classify(classifier, samples.images)
    return TenSamples(seen.images, to_numpy(samples.inputs), seen.labels, seen.confidence)


def pick_pair(samples: TenSamples, pair: tuple[int, int] | None = None) -> Pair:
    """Answer 2c: pick two of the samples.

    The rule considers all pairs with different labels and maximises the smaller of the two
    certainties. Ties go to the pair with the lowest numbers.

    Args:
        samples: from `ten_samples`.
        pair: numbers of start and end, from 0 as in the figure, to use instead of the rule.

    Raises:
        ValueError: numbers that are equal or out of range, or all samples have the same label.
    """
    start, end = _automatic_pair(samples) if pair is None else checked_pair(samples, pair)
    rows = [start, end]
    return Pair(
        indices=(start, end),
        images=samples.images[rows],
        inputs=samples.inputs[rows],
        labels=samples.labels[rows],
        confidence=samples.confidence[rows],
        automatic=pair is None,
        same_digit=bool(samples.labels[start] == samples.labels[end]),
    )


def _automatic_pair(samples: TenSamples) -> tuple[int, int]:
    labels, confidence = samples.labels, samples.confidence
    pairs = itertools.combinations(range(len(labels)), 2)
    different = [(i, j) for i, j in pairs if labels[i] != labels[j]]
    if not different:
        raise ValueError(
            f"all {len(labels)} images are read as {labels[0]}, expected two different digits: "
            "train longer, draw with another seed, or name a pair"
        )
    # max() returns the first of several equal maxima, which has the lowest numbers
    return max(different, key=lambda pair: min(confidence[pair[0]], confidence[pair[1]]))


def checked_pair(samples: TenSamples, pair: Any) -> tuple[int, int]:
    """Validate the sample numbers that a reader chose, and return them as integers.

    Raises:
        ValueError: anything other than two different sample numbers.
    """
    count = len(samples.labels)
    match pair:
        case (int() | np.integer() as start, int() | np.integer() as end) if (
            # True and False count as integers in Python
            bool not in (type(start), type(end))
            and 0 <= start < count
            and 0 <= end < count
            and start != end
        ):
            return int(start), int(end)
    raise ValueError(
        f"the pair is {pair!r}, expected two different whole numbers from 0 to {count - 1}, "
        "as written above the images"
    )


def generator_path(
    generator: Generator, classifier: Classifier, pair: Pair, steps: int = 10
) -> GeneratorPath:
    """Answer 2d and 2e: interpolate linearly between the pair's inputs and generate each step.

    Args:
        generator: the generator that made the pair.
        classifier: the classifier.
        pair: from `pick_pair`.
        steps: number of images, including both ends.

    Raises:
        ValueError: a conditional generator, a network in training mode, or fewer than 2 steps.
    """
    _check_unconditional(generator)
    check_ready(generator=generator, classifier=classifier)
    device = next(generator.parameters()).device
    start, end = torch.from_numpy(pair.inputs).to(device)
    inputs = lerp(start, end, steps)  # (S, Z)
    images = in_chunks(generator, inputs)
    blend = crossfade(images[0], images[-1], steps)
    return GeneratorPath(
        times=np.linspace(0, 1, steps),
        inputs=to_numpy(inputs),
        strip=classify(classifier, images),
        crossfade=classify(classifier, blend),
    )


def _check_unconditional(generator: Generator) -> None:
    if generator.config.num_classes:
        raise ValueError(
            f"got a generator with num_classes={generator.config.num_classes}, "
            "expected Problem 2's, without labels (num_classes=0)"
        )
