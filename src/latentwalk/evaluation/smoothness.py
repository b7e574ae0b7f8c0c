"""Smoothness and realism of each path between two images, as measured by the classifier.

No single quantity captures "smooth interpolation". Each of the usual ones is best for some null: a
baseline that is not a good path through the latent space:

| null | what it is best at | what penalises it |
|---|---|---|
| pixel cross-fade | pixel straightness, even steps | realism, sharpness drop: two ghosts midway |
| blurred images | small even steps | realism: soft edges |
| jump, nearest real images | realism, feature straightness | steadiness: one step does it all |
| a new real image at each step | realism, even steps | steadiness: far longer than needed |
| constant or collapsed generator | short path, no switches | reach: it goes nowhere |

`skill_score` is the summary to rank by. It measures by how much a model's paths beat the two
nulls that need no model, cross-fade and jump, each where that null is weak. Neither null can score
above 0. The other measures explain the ranking.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from latentwalk.evaluation.intervals import Estimate, bootstrap_interval, paired_difference
from latentwalk.evaluation.paths import ClassifiedPaths, RealYardstick

STILL = 1e-3
"""A path shorter than this fraction of `RealYardstick.end_distance` counts as not moving; its steps
are rounding errors."""


@dataclass(frozen=True)
class PathMeasures:
    """Measures of paths, each (P,) float64 with one value per path."""

    steadiness: Tensor
    """D^2 / ((S - 1) sum d^2), where d are the step lengths and D is the end-to-end distance, in
    feature space. It is 1 for equal steps in a straight line, and 1 / (S - 1) for a jump. It equals
    feature_straightness^2 / (1 + step_variation^2)."""
    realism: Tensor
    """Minimum over steps of min(1, sharpness / real sharpness) * min(1, real distance / distance),
    where the distances are those to the nearest real image."""
    reach: Tensor
    """End-to-end distance over that of unrelated real images, in feature space, at most 1."""
    largest_step_excess: Tensor
    """Largest step as a share of the path's length, minus 1 / (S - 1). It is 0 for equal steps
    (Berthelot et al. 2019)."""
    step_variation: Tensor
    """Standard deviation of the step lengths over their mean; 0 for equal steps."""
    feature_straightness: Tensor
    """End-to-end distance over path length, in feature space, in [0, 1]."""
    pixel_straightness: Tensor
    """End-to-end distance over path length, in pixel space; always 1 for a cross-fade."""
    relative_length: Tensor
    """Path length over the mean distance between unrelated real images, in feature space."""
    label_switches: Tensor
    """Number of times that the classifier's label changes from one step to the next."""
    third_digit_steps: Tensor
    """Number of steps whose label is neither that of the start nor that of the end."""
    certainty_drop: Tensor
    """The classifier's confidence at the ends minus that in the middle."""
    sharpness_drop: Tensor
    """Sharpness at the ends minus that in the middle, over that of real digits."""
    nearest_real_rise: Tensor
    """Distance to the nearest real image in the middle minus that at the ends, over that of real
    digits."""


def measure_paths(paths: ClassifiedPaths, yardstick: RealYardstick) -> PathMeasures:
    """Measure every path.

    Args:
        paths: from `classify_paths`; at least 3 steps.
        yardstick: from `real_yardstick`; use the same one for all paths that are compared.

    Raises:
        ValueError: fewer than 3 steps, so that there is no middle.
    """
    steps = paths.features.shape[1]
    if steps < 3:
        raise ValueError(f"paths have {steps} steps, expected at least 3: two ends and a middle")
    yard = yardstick.end_distance
    features, pixels = paths.features.double(), paths.images.flatten(2).double()
    lengths, distance = _step_lengths(features), _end_distance(features)
    total = lengths.sum(dim=1)
    moves = total > STILL * yard
    shares = _shares(lengths, moves)
    steadiness = _ratio(distance.square(), (steps - 1) * lengths.square().sum(dim=1)) * moves
    realism = _realism(paths, yardstick).amin(dim=1)
    reach = (distance / yard).clamp(max=1)
    switched = paths.labels[:, 1:] != paths.labels[:, :-1]
    third = (paths.labels != paths.labels[:, :1]) & (paths.labels != paths.labels[:, -1:])
    return PathMeasures(
        steadiness=steadiness,
        realism=realism,
        reach=reach,
        largest_step_excess=shares.amax(dim=1) - 1 / (steps - 1),
        step_variation=shares.std(dim=1, correction=0) * (steps - 1),  # the mean share is 1/(S-1)
        feature_straightness=_ratio(distance, total) * moves,
        pixel_straightness=_ratio(_end_distance(pixels), _step_lengths(pixels).sum(dim=1)),
        relative_length=total / yard,
        label_switches=switched.sum(dim=1).double(),
        third_digit_steps=third.sum(dim=1).double(),
        certainty_drop=-_rise(paths.confidence),
        sharpness_drop=-_rise(paths.sharpness) / yardstick.sharpness,
        nearest_real_rise=_rise(paths.nearest_real) / yardstick.nearest_real,
    )


def summarise(
    measures: PathMeasures, rng: torch.Generator, level: float = 0.95
) -> dict[str, Estimate]:
    """Average every measure over the paths, with a bootstrap interval."""
    return {
        name: bootstrap_interval(values, rng, level=level)
        for name, values in _columns(measures).items()
    }


def summarise_differences(
    first: PathMeasures, second: PathMeasures, rng: torch.Generator, level: float = 0.95
) -> dict[str, Estimate]:
    """Average first - second for every measure, bootstrapped over pairs of paths.

    Args:
        first: paths of one model.
        second: the same number of paths of another. If paired paths have the same ends, their
            shared variation cancels; if the ends are independent, the interval is that of two
            independent means.
        rng: source of the resampling.
        level: confidence level in (0, 1).
    """
    second_columns = _columns(second)
    return {
        name: paired_difference(values, second_columns[name], rng, level=level)
        for name, values in _columns(first).items()
    }


def skill_score(
    walks: PathMeasures,
    blends: PathMeasures,
    jumps: PathMeasures,
    rng: torch.Generator,
) -> Estimate:
    """Score paths by steadiness, realism and reach, scaled by those of the two baselines.

    The margin is the minimum of three ratios of means over the paths:

    * steadiness, (walk - jump) / (blend - jump);
    * realism, (walk - blend) / (jump - blend);
    * reach, walk / jump.

    Both baselines score 0. A path that is as steady as the blend, and that is as real and reaches
    as far as the jump, scores 1. Means are taken first because for a single path a denominator can
    be 0.

    Args:
        walks: P paths.
        blends: P cross-fades between real images.
        jumps: P jumps between the same real images.
        rng: source of the resampling; the same path numbers are drawn for all three.

    Raises:
        ValueError: different numbers of paths.
    """
    kinds = (walks, blends, jumps)
    counts = [len(kind.steadiness) for kind in kinds]
    if len(set(counts)) > 1:
        raise ValueError(f"got {counts} walks, blends and jumps, expected the same number of each")
    columns = torch.stack(
        [torch.stack([kind.steadiness, kind.realism, kind.reach], dim=1) for kind in kinds], dim=1
    )  # (P, kinds, measures)

    def margin(numbers: Tensor) -> Tensor:
        means = columns[numbers.long()].mean(dim=-3)
        walk, blend, jump = means.unbind(dim=-2)
        steadier = _ratio((walk - jump)[..., 0], (blend - jump)[..., 0])
        more_real = _ratio((walk - blend)[..., 1], (jump - blend)[..., 1])
        farther = _ratio(walk[..., 2], jump[..., 2])
        return torch.stack([steadier, more_real, farther]).amin(dim=0)

    # path numbers are resampled, so that walk, blend and jump of one number stay together
    return bootstrap_interval(torch.arange(counts[0]), rng, margin)


def pick(measures: PathMeasures, which: Tensor | slice) -> PathMeasures:
    """Select some of the paths.

    Args:
        measures: measures of P paths.
        which: a boolean mask (P,), or a slice.
    """
    return PathMeasures(**{name: values[which] for name, values in _columns(measures).items()})


def _columns(measures: PathMeasures) -> dict[str, Tensor]:
    return {field.name: getattr(measures, field.name) for field in fields(measures)}


def _step_lengths(points: Tensor) -> Tensor:
    return (points[:, 1:] - points[:, :-1]).norm(dim=2)  # (P, S, F) to (P, S - 1)


def _end_distance(points: Tensor) -> Tensor:
    return (points[:, -1] - points[:, 0]).norm(dim=1)  # (P, S, F) to (P,)


def _shares(lengths: Tensor, moves: Tensor) -> Tensor:
    """Each step's share of its path's length; a path that does not move counts as one jump."""
    one_jump = torch.zeros_like(lengths)
    one_jump[:, 0] = 1
    return torch.where(moves[:, None], _ratio(lengths, lengths.sum(dim=1, keepdim=True)), one_jump)


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """Divide elementwise; 0 / 0 is 0."""
    return above / below.clamp(min=torch.finfo(below.dtype).tiny)


def _realism(paths: ClassifiedPaths, yardstick: RealYardstick) -> Tensor:
    """Sharpness and nearness to real digits, relative to those of real digits: (P, S) in [0, 1]."""
    crisp = (paths.sharpness.double() / yardstick.sharpness).clamp(max=1)
    real = torch.full_like(crisp, yardstick.nearest_real)
    near = _ratio(real, paths.nearest_real.double()).clamp(max=1)
    return crisp * near


def _rise(values: Tensor) -> Tensor:
    """Middle (one step, or the mean of two) minus the mean of both ends: (P, S) to (P,)."""
    steps = values.shape[1]
    middle = values[:, (steps - 1) // 2 : steps // 2 + 1].double().mean(dim=1)
    return middle - values[:, [0, -1]].double().mean(dim=1)
