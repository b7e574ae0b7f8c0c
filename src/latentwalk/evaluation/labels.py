"""Which digits a classifier reads in generated images, and whether they match the labels asked."""

from dataclasses import dataclass

import torch
from torch import Tensor

from latentwalk.data.shapes import NUM_CLASSES, check_range, check_shape
from latentwalk.evaluation.intervals import Estimate, wilson_interval


@dataclass(frozen=True)
class LabelAgreement:
    """Share of images that the classifier reads as the requested digit."""

    overall: Estimate
    per_digit: tuple[Estimate, ...]
    """One entry per digit, 0 to 9."""


@dataclass(frozen=True)
class LabelHistogram:
    """Digit frequencies of samples and of the data."""

    shares: Tensor
    """(K,) float64, sums to 1."""
    data_shares: Tensor
    """(K,) float64, sums to 1."""
    total_variation: float
    """Half the sum of absolute differences: 0 for equal shares, 1 for disjoint ones. Chance alone
    makes it positive: 10,000 images drawn with the data's shares give about 0.012."""


def label_agreement(predicted: Tensor, asked: Tensor, level: float = 0.95) -> LabelAgreement:
    """Compare the classifier's labels with those requested from the conditional model.

    Args:
        predicted: (N,) the classifier's labels.
        asked: (N,) the labels given to the model, every digit at least once.
        level: confidence level of the Wilson intervals.

    Returns:
        The share overall and for each digit. The classifier's own errors are included.

    Raises:
        ValueError: different sizes, labels outside 0..9, or a digit that was never requested.
    """
    _check_labels("asked", asked)
    check_shape("predicted", predicted, asked.shape)
    _check_labels("predicted", predicted)
    right = predicted == asked
    totals = torch.bincount(asked, minlength=NUM_CLASSES).tolist()
    if 0 in totals:
        raise ValueError(f"digit {totals.index(0)} was never asked for, expected all of 0 to 9")
    successes = torch.bincount(asked[right], minlength=NUM_CLASSES).tolist()
    per_digit = (wilson_interval(*counts, level) for counts in zip(successes, totals, strict=True))
    return LabelAgreement(wilson_interval(sum(successes), sum(totals), level), tuple(per_digit))


def label_histogram(labels: Tensor, data_labels: Tensor) -> LabelHistogram:
    """Compare the digit frequencies of samples with those of the data, to find missing digits.

    Args:
        labels: (N,) the classifier's labels of samples.
        data_labels: (M,) true labels of the data.

    Raises:
        ValueError: no labels, or labels outside 0..9.
    """
    _check_labels("labels", labels)
    _check_labels("data_labels", data_labels)
    shares, data_shares = _shares(labels), _shares(data_labels)
    distance = 0.5 * float((shares - data_shares).abs().sum())
    return LabelHistogram(shares, data_shares, distance)


def _shares(labels: Tensor) -> Tensor:
    return torch.bincount(labels, minlength=NUM_CLASSES).double().cpu() / len(labels)  # (K,)


def _check_labels(name: str, labels: Tensor) -> None:
    check_shape(name, labels, (None,))
    if labels.is_floating_point():
        raise ValueError(f"{name} are {labels.dtype}, expected integer labels")
    check_range(name, labels, 0, NUM_CLASSES - 1)
