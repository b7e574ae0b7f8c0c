import math

import numpy as np
import pytest
import torch

from latentwalk.evaluation.frechet import (
    draw,
    frechet_distance,
    frechet_interval,
    frechet_reference,
    frechet_score,
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed), dtype=torch.float64)


def whitened(count, size, seed=0):
    """Features whose sample mean is 0 and whose sample covariance is the identity."""
    features = normal(count, size, seed=seed)
    features -= features.mean(dim=0)
    factor = torch.linalg.cholesky(torch.cov(features.T))
    return torch.linalg.solve_triangular(factor, features.T, upper=False).T


def closed_form(a, b):
    """The same distance by another route: numpy and a symmetric matrix square root."""
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov_b @ root).clip(0)).sum()
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return shift + np.trace(cov_a) + np.trace(cov_b) - 2 * cross


def test_gaussians_with_diagonal_covariances():
    scale_a = torch.tensor([1.0, 2, 3, 0.5]).double()
    scale_b = torch.tensor([2.0, 2, 1, 0]).double()
    shift = torch.tensor([1.0, 0, -2, 0.5]).double()
    a = whitened(200, 4) * scale_a
    b = whitened(300, 4, seed=1) * scale_b + shift
    expected = float(shift.square().sum() + (scale_a - scale_b).square().sum())
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


def test_general_covariances_against_numpy():
    a = normal(300, 12) @ normal(12, 12, seed=1)
    b = normal(400, 12, seed=2) @ normal(12, 12, seed=3) + 0.3
    assert frechet_distance(a, b) == pytest.approx(closed_form(a.numpy(), b.numpy()), rel=1e-9)


def test_symmetric_zero_for_equals_and_blind_to_rotation():
    a, b = normal(200, 6), 1.5 * normal(200, 6, seed=1) + 0.2
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)
    assert frechet_distance(a, a.flip(0)) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a) >= 0
    rotation = torch.linalg.qr(normal(6, 6, seed=2)).Q
    turned = frechet_distance(a @ rotation + 5, b @ rotation + 5)
    assert turned == pytest.approx(frechet_distance(a, b), rel=1e-9)


def test_float64_inside_even_for_float32_features_far_from_zero():
    a, b = normal(500, 5).float() + 1000, 2 * normal(500, 5, seed=1).float() + 1000
    assert frechet_distance(a, b) == pytest.approx(
        closed_form(a.double().numpy(), b.double().numpy()), rel=1e-6
    )


def test_dead_features_and_fewer_images_than_features():
    a, b = normal(20, 30), normal(20, 30, seed=1)
    a[:, 3] = b[:, 3] = 0
    assert frechet_distance(a, b) == pytest.approx(closed_form(a.numpy(), b.numpy()), rel=1e-4)


def test_score_is_beside_its_floor_and_ranks_real_above_noise():
    reference = frechet_reference(normal(1000, 8), normal(800, 8, seed=1))
    assert reference.floor == frechet_distance(normal(800, 8, seed=1), normal(1000, 8))
    real = frechet_score(reference, normal(800, 8, seed=2))
    noise = frechet_score(reference, 3 * normal(800, 8, seed=3))
    collapsed = frechet_score(reference, 0.01 * normal(800, 8, seed=4))
    assert real.ratio == real.distance / real.floor
    assert (real.floor, real.num_samples) == (reference.floor, 800)
    assert 0.5 < real.ratio < 2
    assert min(noise.ratio, collapsed.ratio) > 50


def test_a_score_needs_as_many_images_as_its_floor():
    reference = frechet_reference(normal(100, 3), normal(80, 3, seed=1))
    with pytest.raises(ValueError, match="got 79 samples, expected 80"):
        frechet_score(reference, normal(79, 3))
    same = normal(100, 3)
    with pytest.raises(ValueError, match="two different real sets"):
        frechet_reference(same, same.flip(0))


def test_interval_has_the_spread_of_fresh_samples():
    reference = frechet_reference(normal(2000, 4), normal(500, 4, seed=1))
    fresh = [
        frechet_distance(1.4 * normal(500, 4, seed=seed), reference.features)
        for seed in range(10, 50)
    ]
    samples = 1.4 * normal(500, 4, seed=2)
    interval = frechet_interval(reference, samples, rng(), replicates=40)
    assert interval.value == frechet_distance(samples, reference.features)
    spread = (interval.high - interval.value) / 1.96
    assert 0.6 < spread / float(np.std(fresh, ddof=1)) < 1.6
    assert interval == frechet_interval(reference, samples, rng(), replicates=40)
    with pytest.raises(ValueError, match="replicates is 1"):
        frechet_interval(reference, samples, rng(), replicates=1)


def test_draw_takes_different_rows_by_rng():
    rows = draw(torch.arange(100), 60, rng())
    assert len(set(rows.tolist())) == 60
    assert torch.equal(rows, draw(torch.arange(100), 60, rng()))
    assert not torch.equal(rows, draw(torch.arange(100), 60, rng(1)))
    for count in (0, 101):
        with pytest.raises(ValueError, match=f"cannot draw {count} of 100"):
            draw(torch.arange(100), count, rng())


def test_wrong_features_are_named():
    good = normal(10, 3)
    for bad, message in [
        (normal(10, 4), "features_b has 4 features, expected 3"),
        (good[:1], r"features_b has shape \(1, 3\)"),
        (good[0], r"features_b has shape \(3,\)"),
        (good * math.nan, "features_b has values that are not finite"),
    ]:
        with pytest.raises(ValueError, match=message):
            frechet_distance(good, bad)


def test_floor_is_the_mean_over_all_disjoint_sets():
    test, training = normal(500, 4), normal(700, 4, seed=1)
    sets = (training[:300], training[300:600])  # the last 100 make no whole set
    floor = sum(frechet_distance(part, test) for part in sets) / 2
    reference = frechet_reference(test, training, 300)
    assert reference.floor == pytest.approx(floor)
    assert reference.num_samples == 300


def test_floor_needs_a_whole_set():
    with pytest.raises(ValueError, match="num_samples is 800, expected 1 to 700"):
        frechet_reference(normal(500, 4), normal(700, 4, seed=1), 800)
