"""How smooth and how real a walk between two images is, path by path, as a judge sees it.

No single quantity says "smooth interpolation"; each of the usual ones is best for some null:

| null | what it is best at | what punishes it |
|---|---|---|
| pixel cross-fade | pixel straightness, even steps | realism, sharpness drop: two ghosts midway |
| blurred images | small even steps | realism: soft edges |
| jump, nearest real images | realism, feature straightness | steadiness: one step does it all |
| a fresh real image each step | realism, even steps | steadiness: far longer than the way |
| constant or collapsed generator | short path, no switches | reach: it goes nowhere |

`margin_over_nulls` is the designated summary: how far a model's walks are from both of the nulls
that need no model, cross-fade and jump, on the side where each is weak. Neither can win it. Rank by
it alone; the others explain it.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from latentwalk.evaluation.intervals import Estimate, bootstrap_interval, paired_difference
from latentwalk.evaluation.judging import JudgedPaths, RealYardstick

STILL = 1e-3
"""A path shorter than this part of the real yardstick does not move: its steps are rounding."""


@dataclass(frozen=True)
class PathMeasures:
    """One value a path, (P,) float64 each."""

    steadiness: Tensor
    """D^2 / ((S - 1) sum d^2), with d the step lengths and D the end-to-end distance in features:
    1 for equal steps straight ahead, 1 / (S - 1) for a jump. Straightness squared over
    1 + step_variation^2."""
    realism: Tensor
    """Of the path's least real step: sharpness over the real one, times the real nearest-real
    distance over the step's, each at most 1."""
    reach: Tensor
    """End-to-end distance in features over that of unrelated real images, at most 1."""
    largest_step_excess: Tensor
    """Largest share of the length in one step, less 1 / (S - 1); 0 is even (Berthelot et al.
    2019)."""
    step_variation: Tensor
    """Standard deviation of the step lengths over their mean; 0 is even."""
    feature_straightness: Tensor
    """End-to-end distance over length, in features, in [0, 1]."""
    pixel_straightness: Tensor
    """The same in pixels; always 1 for a cross-fade."""
    relative_length: Tensor
    """Length in features over the mean distance between unrelated real images."""
    label_switches: Tensor
    """How often the judge's label changes from one step to the next."""
    third_digit_steps: Tensor
    """Steps that the judge reads as neither end's digit."""
    certainty_drop: Tensor
    """The judge's certainty at the ends less that in the middle."""
    sharpness_drop: Tensor
    """Sharpness at the ends less that in the middle, over that of real digits."""
    nearest_real_rise: Tensor
    """Distance to the nearest real image in the middle less that at the ends, over that of real
    digits."""


def measure_paths(paths: JudgedPaths, yardstick: RealYardstick) -> PathMeasures:
    """Measure every path.

    Args:
        paths: from `judge_paths`; at least 3 steps.
        yardstick: from `real_yardstick`, the same for all that is compared.

    Raises:
        ValueError: fewer than 3 steps, which have no middle.
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
        certainty_drop=-_rise(paths.certainty),
        sharpness_drop=-_rise(paths.sharpness) / yardstick.sharpness,
        nearest_real_rise=_rise(paths.nearest_real) / yardstick.nearest_real,
    )


def summarise(
    measures: PathMeasures, rng: torch.Generator, level: float = 0.95
) -> dict[str, Estimate]:
    """Mean of every measure over the paths, with its bootstrap interval."""
    return {
        name: bootstrap_interval(values, rng, level=level)
        for name, values in _columns(measures).items()
    }


def summarise_differences(
    first: PathMeasures, second: PathMeasures, rng: torch.Generator, level: float = 0.95
) -> dict[str, Estimate]:
    """Mean of first - second for every measure, bootstrapped over pairs of paths.

    Args:
        first: one model's paths.
        second: another's, as many. Path by path between the same ends, what both share cancels;
            between independent ends the interval is that of two independent means.
        rng: source of the resampling.
        level: confidence level in (0, 1).
    """
    second_columns = _columns(second)
    return {
        name: paired_difference(values, second_columns[name], rng, level=level)
        for name, values in _columns(first).items()
    }


def margin_over_nulls(
    walks: PathMeasures,
    blends: PathMeasures,
    jumps: PathMeasures,
    rng: torch.Generator,
) -> Estimate:
    """Weigh steadiness against realism, each by what the two nulls have of it.

    The least of three, of means over the paths: how much steadier than the jump, as a share of what
    the blend is; how much more real than the blend, as a share of what the jump is; and how far the
    walk goes, as a share of what the jump does. Either null has 0, a walk as steady as the one and
    as real as the other has 1. A mean over paths is what can be compared: the margin of a single
    path has a difference below the line that may be 0.

    Args:
        walks: P paths.
        blends: as many cross-fades, between real images.
        jumps: as many jumps between the same images.
        rng: source of the resampling, of all three by the same numbers.

    Raises:
        ValueError: different numbers of paths.
    """
    kinds = (walks, blends, jumps)
    counts = [len(kind.steadiness) for kind in kinds]
    if len(set(counts)) > 1:
        raise ValueError(f"got {counts} walks, blends and jumps, expected as many of each")
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

    return bootstrap_interval(torch.arange(counts[0]), rng, margin)


def pick(measures: PathMeasures, which: Tensor | slice) -> PathMeasures:
    """Keep some of the paths.

    Args:
        measures: of P paths.
        which: a mask (P,) of bools, or a slice.
    """
    return PathMeasures(**{name: values[which] for name, values in _columns(measures).items()})


def _columns(measures: PathMeasures) -> dict[str, Tensor]:
    return {field.name: getattr(measures, field.name) for field in fields(measures)}


def _step_lengths(points: Tensor) -> Tensor:
    return (points[:, 1:] - points[:, :-1]).norm(dim=2)  # (P, S, F) to (P, S - 1)


def _end_distance(points: Tensor) -> Tensor:
    return (points[:, -1] - points[:, 0]).norm(dim=1)  # (P, S, F) to (P,)


def _shares(lengths: Tensor, moves: Tensor) -> Tensor:
    """Each step's part of its path's length; a path that does not move counts as one jump."""
    one_jump = torch.zeros_like(lengths)
    one_jump[:, 0] = 1
    return torch.where(moves[:, None], _ratio(lengths, lengths.sum(dim=1, keepdim=True)), one_jump)


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """One number over another, and 0 for 0 / 0."""
    return above / below.clamp(min=torch.finfo(below.dtype).tiny)


def _realism(paths: JudgedPaths, yardstick: RealYardstick) -> Tensor:
    """As crisp as real digits, and as near to real digits as they are: (P, S) in [0, 1]."""
    crisp = (paths.sharpness.double() / yardstick.sharpness).clamp(max=1)
    real = torch.full_like(crisp, yardstick.nearest_real)
    near = _ratio(real, paths.nearest_real.double()).clamp(max=1)
    return crisp * near


def _rise(values: Tensor) -> Tensor:
    """Middle (one or two steps) less the mean of both ends: (P, S) to (P,)."""
    steps = values.shape[1]
    middle = values[:, (steps - 1) // 2 : steps // 2 + 1].double().mean(dim=1)
    return middle - values[:, [0, -1]].double().mean(dim=1)
