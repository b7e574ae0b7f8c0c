"""Nearest-neighbour measures in feature space: fidelity, variety, closeness to real digits."""

from dataclasses import dataclass

import torch
from torch import Tensor

from latentwalk.evaluation.intervals import Estimate, bootstrap_interval, wilson_interval

SEARCHED = 5_000
"""Number of images of each kind to compare; the cost grows with its square."""
ENTRIES_AT_ONCE = 4_000_000
"""Number of distances held in memory at a time: 32 MB in float64."""


@dataclass(frozen=True)
class Neighbourhoods:
    """Fidelity and variety of samples against real images, from k-nearest-neighbour balls.

    The intervals show how much each share would vary with other samples, or other real images,
    while the balls stay fixed.
    """

    density: Estimate
    """Mean number of real balls around a sample, over k. About 1 for the real distribution; may
    exceed 1."""
    coverage: Estimate
    """Share of real balls with a sample inside: about 1 - 2^-k (0.97) for the real distribution."""
    precision: Estimate
    """Share of samples inside some real ball."""
    recall: Estimate
    """Share of real images inside some sample's ball."""
    k: int


@dataclass(frozen=True)
class Nearest:
    """The closest reference of each query."""

    distances: Tensor
    """(N,) Euclidean distances."""
    indices: Tensor
    """(N,) row numbers of the references."""


def density_coverage(
    real_features: Tensor, fake_features: Tensor, rng: torch.Generator, k: int = 5
) -> Neighbourhoods:
    """Density, coverage, precision and recall of samples.

    Args:
        real_features: (N, F), N above k.
        fake_features: (M, F), M above k. The typical values stated in `Neighbourhoods` hold for
            M = N.
        rng: source of the resampling for the density's interval.
        k: number of the neighbour whose distance is a ball's radius.

    Returns:
        The four measures. A collapsed generator can have high density but not high coverage.

    Raises:
        ValueError: k rows or fewer, different F, or k below 1.

    Source: Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models",
    eq. 1 to 4; precision and recall after Kynkaanniemi et al. 2019.
    """
    if k < 1 or min(len(real_features), len(fake_features)) <= k:
        raise ValueError(
            f"got {len(real_features)} real and {len(fake_features)} fake rows with k = {k}, "
            "expected k of at least 1 and more rows than k"
        )
    real, fake = (features.detach().double() for features in (real_features, fake_features))
    _check_same_features(real, fake)
    real_radii, fake_radii = _ball_radii(real, k), _ball_radii(fake, k)
    balls_around_fake = torch.zeros(len(fake), device=fake.device)  # real balls around each sample
    covered, recalled = [], []
    for rows, radii in _chunks(real, real_radii, len(fake)):
        distances = torch.cdist(rows, fake)  # (chunk, M)
        inside = distances < radii[:, None]
        balls_around_fake += inside.sum(dim=0)
        covered.append(inside.any(dim=1))
        recalled.append((distances < fake_radii).any(dim=1))
    return Neighbourhoods(
        density=bootstrap_interval(balls_around_fake / k, rng),
        coverage=_share(torch.cat(covered)),
        precision=_share(balls_around_fake > 0),
        recall=_share(torch.cat(recalled)),
        k=k,
    )


def nearer_to_first(
    queries: Tensor, first: Tensor, second: Tensor, rng: torch.Generator
) -> Estimate:
    """Share of queries that are nearer to one set of references than to another.

    With training images first and unseen images second, it shows whether a generator copies its
    training data. Copies give 1. A generator that does not copy gives the same share as new
    images, about M / (M + R).

    Args:
        queries: (N, F) features of samples.
        first: (M, F).
        second: (R, F).
        rng: source of the resampling.

    Returns:
        The share, with an interval from resampling the queries.

    Raises:
        ValueError: no rows, or different F.

    Source: after the two-sample test of Meehan et al. 2020, "A non-parametric test to detect
    data-copying in generative models".
    """
    closer = nearest(queries, first).distances < nearest(queries, second).distances
    return bootstrap_interval(closer.double(), rng)


def nearest(queries: Tensor, references: Tensor) -> Nearest:
    """Find the closest reference of every query, in bounded memory.

    Args:
        queries: (N, F).
        references: (M, F).

    Returns:
        Distances to the closest references, and their row numbers.

    Raises:
        ValueError: no references, or different F.
    """
    _check_same_features(references, queries)
    if len(references) == 0:
        raise ValueError("got no references, expected at least one")
    rows = max(1, ENTRIES_AT_ONCE // len(references))
    centre = references.mean(dim=0)  # far from 0, cdist loses precision in float32
    centred = references - centre
    found = [torch.cdist(chunk - centre, centred).argmin(dim=1) for chunk in queries.split(rows)]
    indices = torch.cat(found)
    # computed again, because the distances from cdist are less precise
    return Nearest((queries - references[indices]).norm(dim=1), indices)


def mean_pair_distance(features: Tensor, rng: torch.Generator, num_pairs: int = 10_000) -> float:
    """Mean distance between two independent images: the unit for the length of a path.

    Args:
        features: (N, F), N at least 2.
        rng: source of the pairs.
        num_pairs: number of pairs of different rows to draw.
    """
    if len(features) < 2:
        raise ValueError(f"got {len(features)} rows, expected at least 2 to form pairs")
    first = torch.randint(len(features), (num_pairs,), generator=rng, device=rng.device)
    offset = torch.randint(1, len(features), (num_pairs,), generator=rng, device=rng.device)
    second = (first + offset) % len(features)  # never the same row
    first, second = first.to(features.device), second.to(features.device)
    return float((features[first] - features[second]).double().norm(dim=1).mean())


def _share(holds: Tensor) -> Estimate:
    return wilson_interval(int(holds.sum()), len(holds))


def _ball_radii(points: Tensor, k: int) -> Tensor:
    """Distance of each point to its k-th neighbour, not counting the point itself: (N,)."""
    radii = []
    for rows, _ in _chunks(points, points, len(points)):
        # k + 1, because each point is its own nearest neighbour
        radii.append(torch.cdist(rows, points).kthvalue(k + 1, dim=1).values)
    return torch.cat(radii)


def _chunks(points: Tensor, beside: Tensor, columns: int) -> list[tuple[Tensor, Tensor]]:
    rows = max(1, ENTRIES_AT_ONCE // columns)
    return list(zip(points.split(rows), beside.split(rows), strict=True))


def _check_same_features(references: Tensor, queries: Tensor) -> None:
    if references.dim() != 2 or queries.dim() != 2 or references.shape[1] != queries.shape[1]:
        raise ValueError(
            f"got shapes {tuple(references.shape)} and {tuple(queries.shape)}, "
            "expected (N, F) and (M, F) with the same F"
        )
