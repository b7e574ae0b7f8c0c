import math

import pytest
import torch

from latentwalk.evaluation.intervals import bootstrap_interval, paired_difference, wilson_interval


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def median(values):
    return values.quantile(0.5, dim=-1)


def test_bootstrap_of_a_mean_has_the_width_of_the_closed_form():
    values = torch.randn(2000, generator=rng()) * 3 + 10
    estimate = bootstrap_interval(values, rng(1), replicates=4000)
    half_width = 1.96 * float(values.std()) / math.sqrt(2000)
    assert estimate.value == pytest.approx(float(values.double().mean()))
    assert estimate.high - estimate.value == pytest.approx(half_width, rel=0.08)
    assert estimate.value - estimate.low == pytest.approx(half_width, rel=0.08)


def test_bootstrap_intervals_contain_the_truth_as_often_as_they_say():
    samples = torch.randn(300, 60, generator=rng())
    intervals = [bootstrap_interval(row, rng(2), replicates=200, level=0.9) for row in samples]
    hits = sum(interval.low <= 0 <= interval.high for interval in intervals)
    assert 0.83 < hits / 300 < 0.95


def test_bootstrap_is_a_function_of_values_and_rng():
    values = torch.rand(50, generator=rng())
    assert bootstrap_interval(values, rng(1)) == bootstrap_interval(values, rng(1))
    assert bootstrap_interval(values, rng(1)) != bootstrap_interval(values, rng(2))


def test_bootstrap_takes_other_statistics_and_levels():
    values = torch.cat([torch.zeros(60), torch.full((40,), 1000.0)])
    estimate = bootstrap_interval(values, rng(), statistic=median)
    assert (estimate.value, estimate.low) == (0, 0)
    spread = torch.randn(100, generator=rng())
    narrow, wide = (bootstrap_interval(spread, rng(), level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert (narrow.level, wide.level) == (0.5, 0.99)


def test_bootstrap_makes_all_replicates_a_few_at_a_time():
    sizes = []

    def recorded_mean(values):
        sizes.append(tuple(values.shape))
        return values.mean(dim=-1)

    bootstrap_interval(torch.rand(7, generator=rng()), rng(), recorded_mean, replicates=250)
    assert sizes == [(100, 7), (100, 7), (50, 7), (7,)]


def test_pairing_takes_out_what_the_two_share():
    shared = 10 * torch.randn(400, generator=rng())
    noise = torch.randn(2, 400, generator=rng(1)) * 0.1
    first, second = shared + noise[0] + 0.05, shared + noise[1]
    paired = paired_difference(first, second, rng())
    assert paired.low < 0.05 < paired.high
    assert paired.low > 0
    unpaired = paired_difference(first, second[torch.randperm(400, generator=rng())], rng())
    assert unpaired.low < 0 < unpaired.high
    back = paired_difference(second, first, rng())
    assert (back.value, back.low) == pytest.approx((-paired.value, -paired.high), rel=1e-9)


def test_wilson_against_published_values():
    # Newcombe 1998, table I, method 3
    for successes, total, low, high in [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)]:
        estimate = wilson_interval(successes, total)
        assert estimate.value == successes / total
        assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=5e-5)
    none, all_of_them = wilson_interval(0, 20), wilson_interval(29, 29)
    assert (none.low, none.high) == pytest.approx((0, 0.1611), abs=5e-5)
    assert (all_of_them.low, all_of_them.high) == pytest.approx((0.8830, 1), abs=5e-5)


def test_wrong_input_is_named():
    values = torch.rand(5, generator=rng())
    for bad in (values[:1], values.view(5, 1)):
        with pytest.raises(ValueError, match=r"expected \(N,\), N at least 2"):
            bootstrap_interval(bad, rng())
    with pytest.raises(ValueError, match="not all finite"):
        bootstrap_interval(torch.tensor([1.0, math.inf, 2.0]), rng())
    with pytest.raises(ValueError, match="level is 95"):
        bootstrap_interval(values, rng(), level=95)
    with pytest.raises(ValueError, match="expected the same cases"):
        paired_difference(values, values[:4], rng())
    for successes, total in [(0, 0), (3, 2), (-1, 2)]:
        with pytest.raises(ValueError, match=f"got {successes} successes of {total}"):
            wilson_interval(successes, total)
