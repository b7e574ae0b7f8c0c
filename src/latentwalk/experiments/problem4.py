"""Problem 4: generator inputs, the grid of digits, and whether images match their labels."""

from dataclasses import dataclass

import numpy as np
import torch

from latentwalk.data.mnist import Digits
from latentwalk.data.shapes import NUM_CLASSES
from latentwalk.evaluation.frechet import frechet_interval
from latentwalk.evaluation.intervals import Estimate
from latentwalk.evaluation.labels import label_agreement
from latentwalk.evaluation.readings import (
    check_ready,
    classify,
    measuring_rng,
    read,
    to_numpy,
)
from latentwalk.experiments.quality import RealDigits, ratio_to_floor, real_digits
from latentwalk.models import gan
from latentwalk.models.classifier import Classifier
from latentwalk.models.gan import Generator
from latentwalk.models.samples import balanced_labels

IMAGES_A_DIGIT = 10


@dataclass(frozen=True)
class InputReading:
    """One interpretation of 4a and 4b: the generator's input, and the quality of its images."""

    name: str
    """Name of the variant."""
    input_shape: tuple[int, int]
    """Shape of the generator's input tensor: (number of images, input size)."""
    latent_size: int
    """Size of epsilon."""
    one_hot_entries: int
    """Size of the one-hot label in that tensor; 0 for an unconditional generator."""
    first_layer_parameters: int
    """Number of weights and biases in the layer that takes the input."""
    parameters: int
    """Number of weights and biases in the whole generator."""
    steps: int
    """Number of training steps; quality is comparable only between equal numbers of steps."""
    ratio: Estimate
    """Frechet distance over the floor; 1 is as good as real images."""
    agreement: Estimate | None
    """Share of images that the classifier reads as the requested digit; None without labels."""


@dataclass(frozen=True)
class InputReadings:
    """4a and 4b: all interpretations of the problem statement, for comparison."""

    floor: float
    """Frechet distance of equally many real training images from the test images."""
    rows: tuple[InputReading, ...]
    """One entry per generator, in the given order."""


@dataclass(frozen=True)
class DigitGrid:
    """4d: ten images of each digit, one row per digit."""

    images: np.ndarray
    """(10, 10, 1, 28, 28) float32 in [0, 1]."""
    inputs: np.ndarray
    """(10, 10, Z + 10) float32: a fresh epsilon for every image, then the one-hot label."""
    asked: np.ndarray
    """(10, 10) int64, the requested digit, which is the row's number."""
    judged: np.ndarray
    """(10, 10) int64, the digit that the classifier reads."""
    confidence: np.ndarray
    """(10, 10) float32, the classifier's probability of that digit."""


@dataclass(frozen=True)
class Agreement:
    """How often the classifier reads the requested digit, with 95 % Wilson intervals."""

    num_images: int
    overall: Estimate
    per_digit: tuple[Estimate, ...]
    """One entry per digit, 0 to 9."""
    confusion: np.ndarray
    """(10, 10) int64: number of images by requested digit (row) and digit read (column)."""


def input_readings(
    generators: dict[str, Generator],
    classifier: Classifier,
    train: Digits,
    test: Digits,
    rng: torch.Generator,
    count: int = 10_000,
) -> InputReadings:
    """Answer 4a and 4b: compare the inputs and the image quality of the given generators.

    Args:
        generators: trained, by name.
        classifier: the classifier.
        train: the training digits, for the floor.
        test: the test digits, the reference.
        rng: draws training images.
        count: number of images per generator; conditional ones make all digits equally often.

    Raises:
        ValueError: a network in training mode, or `count` above the number of training images.
    """
    check_ready(classifier=classifier, **generators)
    real = real_digits(classifier, train, test, rng, count)
    rows = [
        _reading(name, generator, classifier, real, count) for name, generator in generators.items()
    ]
    return InputReadings(real.reference.floor, tuple(rows))


def _reading(
    name: str,
    generator: Generator,
    classifier: Classifier,
    real: RealDigits,
    count: int,
) -> InputReading:
    samples = gan.sample(generator, count, measuring_rng())
    seen = read(classifier, samples.images)
    distance = frechet_interval(real.reference, seen.features, measuring_rng())
    agreement = None
    if samples.labels is not None:
        asked = samples.labels.to(samples.images.device)
        agreement = label_agreement(seen.prediction.labels, asked).overall
    latent_size = generator.config.latent_size
    return InputReading(
        name=name,
        input_shape=(samples.inputs.shape[0], samples.inputs.shape[1]),
        latent_size=latent_size,
        one_hot_entries=samples.inputs[:, latent_size:].shape[1],
        first_layer_parameters=_count_parameters(generator.decoder.entry),
        parameters=_count_parameters(generator),
        steps=generator.config.steps,
        ratio=ratio_to_floor(distance, real.reference.floor),
        agreement=agreement,
    )


def _count_parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def digit_grid(generator: Generator, classifier: Classifier, rng: torch.Generator) -> DigitGrid:
    """Answer 4d: generate ten images of each digit, each from its own epsilon.

    Args:
        generator: trained, conditional.
        classifier: the classifier.
        rng: draws epsilon from N(0, I).

    Raises:
        ValueError: an unconditional generator, or a network in training mode.
    """
    _check_conditional(generator)
    check_ready(generator=generator, classifier=classifier)
    shape = (NUM_CLASSES, IMAGES_A_DIGIT)
    asked = torch.arange(NUM_CLASSES).repeat_interleave(IMAGES_A_DIGIT)  # 0 0 ... 9 9
    samples = gan.sample(generator, len(asked), rng, asked)
    seen = classify(classifier, samples.images)
    return DigitGrid(
        images=seen.images.reshape(*shape, *seen.images.shape[1:]),
        inputs=to_numpy(samples.inputs).reshape(*shape, -1),
        asked=to_numpy(asked).reshape(shape),
        judged=seen.labels.reshape(shape),
        confidence=seen.confidence.reshape(shape),
    )


def agreement_by_digit(
    generator: Generator, classifier: Classifier, rng: torch.Generator, count: int = 10_000
) -> Agreement:
    """Supplement 4d: request every digit equally often, and count what the classifier reads.

    Args:
        generator: trained, conditional.
        classifier: the classifier; its own errors count against the generator.
        rng: draws epsilon.
        count: total number of images.

    Raises:
        ValueError: an unconditional generator, a network in training mode, or fewer than 10 images.
    """
    _check_conditional(generator)
    check_ready(generator=generator, classifier=classifier)
    asked = balanced_labels(count)
    images = gan.sample(generator, count, rng, asked).images
    judged = read(classifier, images).prediction.labels.cpu()
    found = label_agreement(judged, asked)
    cells = torch.bincount(asked * NUM_CLASSES + judged, minlength=NUM_CLASSES**2)
    confusion = to_numpy(cells.view(NUM_CLASSES, NUM_CLASSES))
    return Agreement(count, found.overall, found.per_digit, confusion)


def _check_conditional(generator: Generator) -> None:
    if generator.config.num_classes != NUM_CLASSES:
        raise ValueError(
            f"got a generator with num_classes={generator.config.num_classes}, "
            f"expected a conditional one (num_classes={NUM_CLASSES})"
        )
