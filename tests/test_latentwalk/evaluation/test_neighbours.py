import math

import numpy as np
import pytest
import torch

from latentwalk.evaluation import neighbours
from latentwalk.evaluation.neighbours import (
    density_coverage,
    mean_pair_distance,
    nearer_to_first,
    nearest,
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed))


def pairwise(a, b):
    return np.linalg.norm(a[:, None] - b[None], axis=2)


def brute_force(real, fake, k):
    real, fake = real.double().numpy(), fake.double().numpy()
    real_radii = np.sort(pairwise(real, real), axis=1)[:, k]  # place 0 is the point itself
    fake_radii = np.sort(pairwise(fake, fake), axis=1)[:, k]
    distances = pairwise(real, fake)
    inside = distances < real_radii[:, None]
    return (
        inside.sum() / (k * len(fake)),
        inside.any(axis=1).mean(),
        inside.any(axis=0).mean(),
        (distances < fake_radii[None]).any(axis=1).mean(),
    )


@pytest.mark.parametrize("entries_at_once", [10, 4_000_000])
def test_against_the_definition_whatever_the_chunks(monkeypatch, entries_at_once):
    monkeypatch.setattr(neighbours, "ENTRIES_AT_ONCE", entries_at_once)
    real, fake = normal(120, 3), 1.3 * normal(90, 3, seed=1) + 0.4
    got = density_coverage(real, fake, rng(), k=4)
    expected = brute_force(real, fake, 4)
    found = [got.density, got.coverage, got.precision, got.recall]
    assert [share.value for share in found] == pytest.approx(expected)
    assert all(share.low < share.value < share.high for share in found)
    assert got.k == 4


def test_one_distribution_twice_has_the_published_values():
    got = density_coverage(normal(2000, 8), normal(2000, 8, seed=1), rng())
    assert got.density.value == pytest.approx(1, abs=0.05)
    assert got.coverage.value == pytest.approx(1 - 2**-5, abs=0.015)


def test_collapse_has_no_coverage_and_missing_modes_cost_their_share():
    centre = 20 * torch.eye(4)[torch.arange(2000) % 4]
    real, fake = normal(2000, 4) + centre, normal(2000, 4, seed=1) + centre
    whole = density_coverage(real, fake, rng())
    half = density_coverage(real, fake[(torch.arange(2000) % 4) < 2].repeat(2, 1), rng())
    collapsed = density_coverage(real, fake[:1] + 1e-3 * normal(2000, 4, seed=2), rng())
    shares = [found.coverage.value for found in (collapsed, half, whole)]
    assert shares[0] < 0.02 < 0.35 < shares[1] < 0.5 < 0.94 < shares[2]
    assert half.precision.value > 0.9
    assert half.recall.value < 0.55


def test_noise_has_no_density():
    got = density_coverage(normal(500, 8), 6 * normal(500, 8, seed=1), rng())
    assert max(got.density.value, got.coverage.value, got.precision.value) < 0.1


def test_copies_lie_nearer_to_what_they_were_copied_from():
    training, unseen, fresh = (normal(2000, 8, seed=seed) for seed in (1, 2, 3))
    honest = nearer_to_first(fresh[:500], training, unseen[:500], rng())
    assert honest.low < 2000 / 2500 < honest.high
    assert honest.high - honest.low < 0.1
    copied = nearer_to_first(training[:500] + 1e-3, training, unseen[:500], rng())
    assert copied.value > 0.99
    some = torch.cat([training[:100] + 1e-3, fresh[:400]])
    assert nearer_to_first(some, training, unseen[:500], rng()).low > honest.value


@pytest.mark.parametrize("entries_at_once", [10, 4_000_000])
def test_nearest_against_the_definition(monkeypatch, entries_at_once):
    monkeypatch.setattr(neighbours, "ENTRIES_AT_ONCE", entries_at_once)
    queries, references = normal(70, 5), normal(80, 5, seed=1)
    got = nearest(queries, references)
    distances = pairwise(queries.numpy(), references.numpy())
    assert got.indices.tolist() == distances.argmin(axis=1).tolist()
    np.testing.assert_allclose(got.distances.numpy(), distances.min(axis=1), rtol=1e-5)


def test_nearest_of_a_reference_is_itself_at_distance_zero_even_far_out():
    references = normal(200, 6) + 1000
    got = nearest(references[:50], references)
    assert got.indices.tolist() == list(range(50))
    assert got.distances.abs().max() == 0


def test_mean_pair_distance_of_a_normal_is_the_closed_form():
    expected = 2 * math.gamma(3) / math.gamma(2.5)  # mean of sqrt(2) times a chi of 5 degrees
    assert mean_pair_distance(normal(5000, 5), rng(), 20_000) == pytest.approx(expected, rel=0.02)
    two = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    assert mean_pair_distance(two, rng()) == 5  # a row is never paired with itself
    assert mean_pair_distance(two[:1].expand(4, 2), rng()) == 0


def test_wrong_input_is_named():
    points = normal(10, 3)
    for real, fake, k in [(points[:5], points, 5), (points, points[:5], 5), (points, points, 0)]:
        with pytest.raises(ValueError, match=f"fake rows with k = {k}"):
            density_coverage(real, fake, rng(), k)
    with pytest.raises(ValueError, match="with the same F"):
        density_coverage(points, points[:, :2], rng())
    with pytest.raises(ValueError, match="with the same F"):
        nearest(points, points[0])
    with pytest.raises(ValueError, match="no references"):
        nearest(points, points[:0])
    with pytest.raises(ValueError, match="no references"):
        nearer_to_first(points, points, points[:0], rng())
    with pytest.raises(ValueError, match="at least 2"):
        mean_pair_distance(points[:1], rng())
