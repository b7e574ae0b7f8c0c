"""Frechet distance in the feature space of our own classifier, always reported with its floor.

The distance alone means nothing, and distances compare only within one feature network. The
maintainers of the usual packages advise against Inception features on MNIST, so the features are
the classifier's. The floor is the distance of real images from real images, for the same number of
images. A perfect generator would reach it, so the ratio to the floor is the number to quote.
"""

from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor, nn

from latentwalk.evaluation.intervals import Estimate

SMALLEST_FLOOR = 1e-9
"""A smaller distance is rounding error: the two sets hold the same images."""


@dataclass(frozen=True)
class FrechetReference:
    """Reference that every candidate is compared with."""

    features: Tensor
    """(N, F) features of the reference images, the 10,000 of the test set."""
    floor: float
    """Mean distance of real training images from the reference, over disjoint sets of
    `num_samples`."""
    num_samples: int
    """Number of images that a candidate must have, for its distance to compare with the floor."""


@dataclass(frozen=True)
class FrechetScore:
    """Distance of a candidate from the reference, in the classifier's feature space."""

    distance: float
    floor: float
    ratio: float
    num_samples: int


class _Identity(nn.Module):
    """Pass precomputed features to torchmetrics, which expects a feature network."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    r"""Frechet distance between Gaussians fitted to two sets of features.

    $\lVert m_a - m_b \rVert^2 + \mathrm{tr}(C_a + C_b - 2 (C_a C_b)^{1/2})$, in float64. It is a
    distance in the space of the given features, here the classifier's, and not the "FID" of the
    literature.

    Args:
        features_a: (N, F), N at least 2.
        features_b: (M, F), M at least 2.

    Returns:
        The squared distance, 0 or more. It is biased upwards, more so with fewer images.

    Raises:
        ValueError: different F, fewer than 2 rows, or values that are not finite.

    Source: Heusel et al. 2017, "GANs trained by a two time-scale update rule", eq. 6.
    """
    _check_features("features_a", features_a)
    _check_features("features_b", features_b)
    num_features = features_a.shape[1]
    if features_b.shape[1] != num_features:
        raise ValueError(
            f"features_b has {features_b.shape[1]} features, expected {num_features} as features_a"
        )
    # imported here: it loads torchvision and PyTorch's compiler, which takes two seconds
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(_Identity(num_features), normalize=True)
    metric.update(features_a.detach().cpu().double(), real=True)
    metric.update(features_b.detach().cpu().double(), real=False)
    return max(0.0, float(metric.compute()))  # rounding gives about -1e-12 for equal sets


def frechet_reference(
    test_features: Tensor, training_features: Tensor, num_samples: int | None = None
) -> FrechetReference:
    """Build the reference and measure its floor.

    The floor from one set of 10,000 real digits differs from that of another set by half, and so
    does every ratio. Therefore the floor is the mean over all disjoint sets, taken in order.

    Args:
        test_features: (N, F) features of the reference images: all 10,000 test images.
        training_features: (M, F) features of real training images; more are better.
        num_samples: number of images per set, the same as for candidates; at most M, M if omitted.

    Returns:
        The reference, with the mean distance of real images from real images.

    Raises:
        ValueError: fewer than `num_samples` training images, or a floor of 0 because both sets
            hold the same images.
    """
    size = len(training_features) if num_samples is None else num_samples
    if not 1 <= size <= len(training_features):
        raise ValueError(f"num_samples is {size}, expected 1 to {len(training_features)}")
    sets = [part for part in training_features.split(size) if len(part) == size]
    floor = sum(frechet_distance(part, test_features) for part in sets) / len(sets)
    if floor < SMALLEST_FLOOR:
        raise ValueError(f"the floor is {floor:g}, expected above 0: give two different real sets")
    return FrechetReference(test_features, floor, size)


def frechet_score(reference: FrechetReference, sample_features: Tensor) -> FrechetScore:
    """Compare a candidate's samples with the reference.

    Args:
        reference: from `frechet_reference`.
        sample_features: (M, F) features of the candidate's images, as many as for the floor.

    Raises:
        ValueError: not the number of images used for the floor; the bias depends on that number.
    """
    _check_count(reference, sample_features)
    distance = frechet_distance(sample_features, reference.features)
    return FrechetScore(distance, reference.floor, distance / reference.floor, len(sample_features))


def frechet_interval(
    reference: FrechetReference,
    sample_features: Tensor,
    rng: torch.Generator,
    level: float = 0.95,
    replicates: int = 20,
) -> Estimate:
    """Error bar of a candidate's distance, from resampling its images with a fixed reference.

    The interval is distance +- z standard deviations of the resampled distances. Percentiles
    would be wrong: resampled sets have fewer distinct images, which shifts the distance upwards.
    Divide by the floor to get the interval of the ratio.

    Args:
        reference: from `frechet_reference`.
        sample_features: (M, F) as in `frechet_score`.
        rng: source of the resampling.
        level: confidence level in (0, 1).
        replicates: number of resamplings; 20 give the standard deviation to about 16 %.

    Raises:
        ValueError: as for `frechet_score`, or fewer than 2 replicates.
    """
    if replicates < 2:
        raise ValueError(f"replicates is {replicates}, expected at least 2 for a spread")
    distance = frechet_score(reference, sample_features).distance
    count = len(sample_features)
    distances = []
    for _ in range(replicates):
        drawn = torch.randint(count, (count,), generator=rng, device=rng.device)
        resampled = sample_features[drawn.to(sample_features.device)]
        distances.append(frechet_distance(resampled, reference.features))
    half_width = NormalDist().inv_cdf((1 + level) / 2) * float(torch.tensor(distances).std())
    return Estimate(distance, max(0.0, distance - half_width), distance + half_width, level)


def draw(values: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Draw rows without replacement.

    Args:
        values: (N, ...).
        count: number of rows, at most N.
        rng: source of the draw.

    Returns:
        (count, ...), in random order.

    Raises:
        ValueError: `count` is above N or below 1.
    """
    if not 1 <= count <= len(values):
        raise ValueError(f"cannot draw {count} of {len(values)} rows, expected 1 to {len(values)}")
    chosen = torch.randperm(len(values), generator=rng, device=rng.device)[:count]
    return values[chosen.to(values.device)]


def _check_features(name: str, features: Tensor) -> None:
    if features.dim() != 2 or len(features) < 2:
        raise ValueError(
            f"{name} has shape {tuple(features.shape)}, expected (N, F) with N at least 2"
        )
    if not bool(features.isfinite().all()):
        raise ValueError(f"{name} has values that are not finite, expected finite features")


def _check_count(reference: FrechetReference, sample_features: Tensor) -> None:
    if len(sample_features) != reference.num_samples:
        raise ValueError(
            f"got {len(sample_features)} samples, expected {reference.num_samples} as for the "
            "floor: the distance is biased by the number of images"
        )
