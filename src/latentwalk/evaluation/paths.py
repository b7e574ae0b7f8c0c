"""The classifier's readings of images along paths, and reference values from real digits."""

from dataclasses import dataclass

from torch import Tensor

from latentwalk.data.shapes import IMAGE_SHAPE, check_shape
from latentwalk.evaluation.neighbours import nearest
from latentwalk.evaluation.sharpness import sharpness
from latentwalk.models.classifier import Prediction


@dataclass(frozen=True)
class ClassifiedPaths:
    """Images along P paths of S steps, with the classifier's readings."""

    images: Tensor
    """(P, S, 1, 28, 28) in [0, 1]."""
    features: Tensor
    """(P, S, F) the classifier's features."""
    labels: Tensor
    """(P, S) the classifier's labels."""
    confidence: Tensor
    """(P, S) the classifier's probability of its label."""
    nearest_real: Tensor
    """(P, S) distance to the nearest of many real images, in feature space."""
    sharpness: Tensor
    """(P, S) edge sharpness, see `sharpness.sharpness`."""


@dataclass(frozen=True)
class RealYardstick:
    """Typical values for real digits that are not among those searched for neighbours."""

    sharpness: float
    """Median sharpness of a real image."""
    nearest_real: float
    """Median distance from a real image to the nearest of the searched ones, in feature space."""
    end_distance: float
    """Mean distance between the features of two unrelated real images."""


def classify_paths(
    images: Tensor, features: Tensor, prediction: Prediction, real_features: Tensor
) -> ClassifiedPaths:
    """Collect the classifier's readings of every image of every path.

    Args:
        images: (P, S, 1, 28, 28) in [0, 1].
        features: (P * S, F) the classifier's features.
        prediction: the classifier's labels and confidence, (P * S,) each.
        real_features: (N, F) features of the real images searched for neighbours.
    """
    check_shape("images", images, (None, None, *IMAGE_SHAPE))
    shape = images.shape[:2]
    return ClassifiedPaths(
        images=images,
        features=features.unflatten(0, shape),
        labels=prediction.labels.unflatten(0, shape),
        confidence=prediction.confidence.unflatten(0, shape),
        nearest_real=nearest(features, real_features).distances.unflatten(0, shape),
        sharpness=sharpness(images.flatten(0, 1)).unflatten(0, shape),
    )


def real_yardstick(
    images: Tensor, features: Tensor, real_features: Tensor, end_distance: float
) -> RealYardstick:
    """Measure real digits, so that paths can be compared with them.

    Args:
        images: (N, 1, 28, 28) real images, none of which is among those of `real_features`.
        features: (N, F) features of `images`.
        real_features: (M, F) features of the real images searched for neighbours, as in
            `classify_paths`.
        end_distance: mean distance between the features of two unrelated real images, from
            `neighbours.mean_pair_distance`.

    Raises:
        ValueError: a reference value of 0, for instance because an image is among those searched.
    """
    yardstick = RealYardstick(
        sharpness=float(sharpness(images).median()),
        nearest_real=float(nearest(features, real_features).distances.median()),
        end_distance=end_distance,
    )
    for name, value in vars(yardstick).items():
        if not value > 0:
            raise ValueError(f"the real {name} is {value}, expected above 0: use other images")
    return yardstick
