"""Frechet distance in the feature space of our own judge, always beside its floor.

Its size means nothing on its own and compares only within one feature network: the maintainers
of the usual packages advise against Inception features on MNIST, so the features are the judge's.
The floor, real against real with as many images, is what a perfect generator would get; the ratio
to it is the number to quote.
"""

from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor, nn

from latentwalk.evaluation.intervals import Estimate

SMALLEST_FLOOR = 1e-9
"""Below this two sets are the same images, and what is left is rounding."""


@dataclass(frozen=True)
class FrechetReference:
    """What every candidate is compared with."""

    features: Tensor
    """(N, F): of the reference images, the 10,000 of the test set."""
    floor: float
    """Distance of as many real training images from the same reference, mean over disjoint sets."""
    num_samples: int
    """Images a candidate must bring, for its distance to compare with the floor."""


@dataclass(frozen=True)
class FrechetScore:
    """A candidate's distance from the reference, in the judge's feature space."""

    distance: float
    floor: float
    ratio: float
    num_samples: int


class _Identity(nn.Module):
    """Features that were computed before, shown to torchmetrics as a feature network."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    r"""Distance between Gaussians fitted to two sets of features.

    $\lVert m_a - m_b \rVert^2 + \mathrm{tr}(C_a + C_b - 2 (C_a C_b)^{1/2})$, in float64. It is a
    distance in the space of the features given, here the judge's: not the "FID" of the literature.

    Args:
        features_a: (N, F), N at least 2.
        features_b: (M, F), M at least 2.

    Returns:
        The squared distance, 0 or more. It is biased upwards, the more so the fewer the images.

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
    # imported here: it brings torchvision and PyTorch's compiler, two seconds of every command
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(_Identity(num_features), normalize=True)
    metric.update(features_a.detach().cpu().double(), real=True)
    metric.update(features_b.detach().cpu().double(), real=False)
    return max(0.0, float(metric.compute()))  # rounding gives about -1e-12 for equal sets


def frechet_reference(
    test_features: Tensor, training_features: Tensor, num_samples: int | None = None
) -> FrechetReference:
    """Fix the reference and measure its floor.

    One set of 10,000 real digits gives a floor that differs from another set's by half, and with
    it every ratio; so the floor is the mean over all the disjoint sets that there are, in order.

    Args:
        test_features: (N, F) of the reference images: all 10,000 test images.
        training_features: (M, F) of real images from the training set, the more the better.
        num_samples: images a set, as many as a candidate will bring, at most M; M if left out.

    Returns:
        The reference, with the mean distance real against real.

    Raises:
        ValueError: fewer than `num_samples` training images, or a floor of 0, that is the same
            images twice.
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
        sample_features: (M, F) of the candidate's images, as many as the floor was measured with.

    Raises:
        ValueError: another number of images than the floor's: the distance's bias depends on it.
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
    """Error bar of a candidate's distance, from resampling its images; the reference stays.

    The interval is distance +- z standard deviations of the resampled distances. Percentiles
    would be wrong: resampled sets have fewer distinct images, which shifts the distance upwards.
    Divide by the floor for the ratio's interval.

    Args:
        reference: from `frechet_reference`.
        sample_features: (M, F) as in `frechet_score`.
        rng: source of the resampling.
        level: confidence level in (0, 1).
        replicates: resamplings; 20 give the standard deviation to about 16 %.

    Raises:
        ValueError: as `frechet_score`; fewer than 2 replicates.
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
    """Draw rows without replacement, such as the training images of the floor.

    Args:
        values: (N, ...).
        count: how many rows, at most N.
        rng: source of the choice.

    Returns:
        (count, ...), in random order.

    Raises:
        ValueError: more rows asked for than there are, or fewer than 1.
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
