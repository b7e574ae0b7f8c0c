"""Error bars: bootstrap over independent cases, Wilson interval for a proportion."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor

Statistic = Callable[[Tensor], Tensor]
"""Reduces the last axis: (R, N) to (R,) and (N,) to a scalar."""

REPLICATES_AT_ONCE = 100


@dataclass(frozen=True)
class Estimate:
    """Estimated value with its confidence interval."""

    value: float
    low: float
    high: float
    level: float = 0.95
    """Probability that such an interval contains the true value."""


def mean(values: Tensor) -> Tensor:
    """Average over the last axis."""
    return values.mean(dim=-1)


def bootstrap_interval(
    values: Tensor,
    rng: torch.Generator,
    statistic: Statistic = mean,
    level: float = 0.95,
    replicates: int = 1000,
) -> Estimate:
    """Percentile bootstrap of a statistic over independent cases.

    Args:
        values: (N,), one finite number per case.
        rng: source of the resampling.
        statistic: the quantity to estimate; reduces the last axis.
        level: confidence level in (0, 1).
        replicates: number of resamplings with replacement.

    Returns:
        The statistic of the values and its interval.

    Raises:
        ValueError: fewer than 2 values, a value that is not finite, or a level outside (0, 1).

    Source: Efron 1979, "Bootstrap methods".
    """
    _check_level(level)
    if values.dim() != 1 or len(values) < 2:
        raise ValueError(f"values have shape {tuple(values.shape)}, expected (N,), N at least 2")
    cases = values.detach().to(rng.device, torch.float64)
    if not bool(cases.isfinite().all()):
        raise ValueError("values are not all finite, expected finite numbers to resample")
    rows = []
    for first in range(0, replicates, REPLICATES_AT_ONCE):  # (replicates, N) at once may not fit
        shape = (min(REPLICATES_AT_ONCE, replicates - first), len(cases))
        drawn = torch.randint(len(cases), shape, generator=rng, device=rng.device)
        rows.append(statistic(cases[drawn]))
    tail = (1 - level) / 2
    ends = torch.tensor([tail, 1 - tail], dtype=torch.float64, device=rng.device)
    low, high = torch.quantile(torch.cat(rows), ends).tolist()
    return Estimate(float(statistic(cases)), low, high, level)


def paired_difference(
    first: Tensor,
    second: Tensor,
    rng: torch.Generator,
    statistic: Statistic = mean,
    level: float = 0.95,
    replicates: int = 1000,
) -> Estimate:
    """Bootstrap the differences first - second, case by case.

    Pairing removes variation that both share, such as how far apart the digits of a pair are.

    Args:
        first: (N,).
        second: (N,), the same cases in the same order.
        rng: source of the resampling.
        statistic: applied to the differences; the mean gives the difference of the means.
        level: confidence level in (0, 1).
        replicates: number of resamplings with replacement.

    Returns:
        The statistic of the differences and its interval. An interval that excludes 0 indicates a
        difference.

    Raises:
        ValueError: different shapes; otherwise as for `bootstrap_interval`.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"first has shape {tuple(first.shape)}, second {tuple(second.shape)}; "
            "expected the same cases in both"
        )
    return bootstrap_interval(first.double() - second.double(), rng, statistic, level, replicates)


def wilson_interval(successes: int, total: int, level: float = 0.95) -> Estimate:
    """Score interval of a proportion; valid near 0 and 1, where the usual one is too narrow.

    Raises:
        ValueError: no trials, more successes than trials, or a level outside (0, 1).

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    _check_level(level)
    if not 0 <= successes <= total or total == 0:
        raise ValueError(f"got {successes} successes of {total}, expected 0 <= successes <= total")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half_width = (share * (1 - share) / total + (z / (2 * total)) ** 2) ** 0.5 * z
    half_width /= 1 + z**2 / total
    # rounding could miss the exact ends 0 and 1
    low = 0.0 if successes == 0 else centre - half_width
    high = 1.0 if successes == total else centre + half_width
    return Estimate(share, low, high, level)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a probability strictly between 0 and 1")
