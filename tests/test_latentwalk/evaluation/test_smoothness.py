from dataclasses import fields, replace

import pytest
import torch
from drawing import AXIS, blur, discs, draw_discs

from latentwalk.evaluation.neighbours import mean_pair_distance, nearest
from latentwalk.evaluation.paths import RealYardstick, classify_paths, real_yardstick
from latentwalk.evaluation.smoothness import (
    PathMeasures,
    measure_paths,
    pick,
    skill_score,
    summarise,
    summarise_differences,
)
from latentwalk.experiments.interpolation import crossfade, jump, lerp
from latentwalk.models.classifier import Prediction

PAIRS, STEPS = 60, 10


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def disc_features(images):
    """A classifier that sees where the ink is, how much, and how widely it is spread: (B, 4)."""
    ink = images.sum(dim=(1, 2, 3)).clamp(min=1e-6)
    row = (images.squeeze(1).sum(dim=2) @ AXIS) / ink
    column = (images.squeeze(1).sum(dim=1) @ AXIS) / ink
    squared = (AXIS[:, None] - row[:, None, None]) ** 2 + (AXIS - column[:, None, None]) ** 2
    spread = ((images.squeeze(1) * squared).sum(dim=(1, 2)) / ink).sqrt()
    return torch.stack([row, column, ink.sqrt(), spread], dim=1)


def disc_prediction(images):
    """Label: the quarter of the frame; confidence: how far it is from the borders of quarters."""
    row, column = disc_features(images)[:, :2].unbind(dim=1)
    margin = torch.minimum((row - 13.5).abs(), (column - 13.5).abs())
    return Prediction((row > 13.5).long() + 2 * (column > 13.5).long(), 1 - 0.5 * (-margin).exp())


def judged_discs(images, search_features):
    flat = images.flatten(0, 1)
    return classify_paths(images, disc_features(flat), disc_prediction(flat), search_features)


@pytest.fixture(scope="module")
def world():
    """Discs as real images: a search set, a yardstick, and ends of paths with their parameters."""
    search, _ = draw_discs(3000, rng())
    held_out, _ = draw_discs(500, rng(1))
    search_features = disc_features(search)
    yardstick = real_yardstick(
        held_out,
        disc_features(held_out),
        search_features,
        mean_pair_distance(search_features, rng(2)),
    )
    return search, search_features, yardstick


def ends(seed=3):
    images, parameters = draw_discs(2 * PAIRS, rng(seed))
    return images[:PAIRS], images[PAIRS:], parameters[:PAIRS], parameters[PAIRS:]


def measured(world, images):
    _, search_features, yardstick = world
    judged = judged_discs(images, search_features)
    return measure_paths(judged, yardstick)


def the_walk():
    """What a good generator does: the disc itself moves and grows."""
    _, _, start, end = ends()
    return discs(lerp(start, end, STEPS))


def blurred(images, sigma):
    return blur(images.flatten(0, 1), sigma).unflatten(0, images.shape[:2])


def nulls(search, search_features):
    start, end, start_parameters, _ = ends()
    fade = crossfade(start, end, STEPS)
    few = search_features[:100]  # as sparse for discs as MNIST is for digits
    found = nearest(disc_features(fade.flatten(0, 1)), few).indices
    fresh, _ = draw_discs(PAIRS * STEPS, rng(5))
    tiny = start_parameters + torch.tensor([0.1, 0.1, 0.0])
    noise = torch.rand(2, PAIRS, 1, 28, 28, generator=rng(6))
    return {
        "crossfade": fade,
        "jump": jump(start, end, STEPS),
        "nearest real": search[found].unflatten(0, (PAIRS, STEPS)),
        "slide show": fresh.unflatten(0, (PAIRS, STEPS)),
        "blurred walk": blurred(the_walk(), 2.0),
        "constant": start[:1, None].expand(PAIRS, STEPS, -1, -1, -1),
        "collapsed": discs(lerp(start_parameters, tiny, STEPS)),
        "noise": crossfade(noise[0], noise[1], STEPS),
    }


def test_no_null_comes_near_the_walk_in_the_designated_summary(world):
    got = {name: measured(world, images) for name, images in nulls(*world[:2]).items()}
    rivals = got["crossfade"], got["jump"], rng()
    walk = skill_score(measured(world, the_walk()), *rivals)
    assert walk.low > 0.5
    for name, paths in got.items():
        assert skill_score(paths, *rivals).high < 0.6 * walk.low, name


def test_margin_is_0_for_either_null_and_1_for_the_best_of_both(world):
    blends, jumps = (measured(world, nulls(*world[:2])[name]) for name in ("crossfade", "jump"))
    for null in (blends, jumps):
        margin = skill_score(null, blends, jumps, rng())
        assert (margin.value, margin.low, margin.high) == (0, 0, 0)
    best = replace(blends, realism=jumps.realism)
    assert skill_score(best, blends, jumps, rng()).value == pytest.approx(1)
    half = replace(best, steadiness=(blends.steadiness + jumps.steadiness) / 2)
    assert skill_score(half, blends, jumps, rng()).value == pytest.approx(0.5)
    near = replace(best, reach=jumps.reach / 4)
    margin = skill_score(near, blends, jumps, rng())
    assert margin.value == margin.low == margin.high == pytest.approx(0.25)
    with pytest.raises(ValueError, match=r"got \[5, 60, 60\] walks, blends and jumps"):
        skill_score(pick(best, slice(5)), blends, jumps, rng())


def test_each_null_wins_elsewhere_and_is_punished_where_the_docstring_says(world):
    walk = measured(world, the_walk())
    got = {name: measured(world, images) for name, images in nulls(*world[:2]).items()}
    fade = got["crossfade"]
    torch.testing.assert_close(fade.pixel_straightness, torch.ones(PAIRS).double())
    assert fade.pixel_straightness.mean() > walk.pixel_straightness.mean()
    assert fade.realism.mean() < 0.7 * walk.realism.mean()
    assert fade.sharpness_drop.mean() > 0.2 > walk.sharpness_drop.mean()
    assert got["blurred walk"].realism.mean() < 0.6 * walk.realism.mean()
    jumped = got["jump"]
    assert jumped.realism.mean() > 0.9 * walk.realism.mean()
    torch.testing.assert_close(jumped.feature_straightness, torch.ones(PAIRS).double())
    torch.testing.assert_close(jumped.steadiness, torch.full((PAIRS,), 1 / 9).double())
    assert got["nearest real"].steadiness.mean() < 0.8 * walk.steadiness.mean()
    assert got["slide show"].steadiness.mean() < 0.1
    assert got["slide show"].label_switches.mean() > 4
    assert got["collapsed"].steadiness.mean() > 0.9
    assert got["collapsed"].reach.max() < 0.1


def test_a_path_that_stays_put_is_never_good(world):
    image, _ = draw_discs(1, rng())
    got = measured(world, image.expand(2, 5, -1, -1, -1))
    for name in ("steadiness", "feature_straightness", "pixel_straightness"):
        assert getattr(got, name).tolist() == [0, 0], name
    assert max(got.reach.max(), got.relative_length.max()) < 1e-6  # rounding, not movement
    torch.testing.assert_close(got.step_variation, torch.full((2,), 3**0.5).double())
    torch.testing.assert_close(got.largest_step_excess, torch.full((2,), 0.75).double())


def made(features, **changes):
    """Paths with given features (P, S, F), with everything else constant."""
    count, steps = features.shape[:2]
    flat = torch.ones(count, steps)
    images = torch.rand(count, steps, 1, 28, 28, generator=rng())
    prediction = Prediction(torch.zeros(count * steps).long(), torch.ones(count * steps))
    judged = classify_paths(images, features.flatten(0, 1), prediction, features.flatten(0, 1) + 1)
    return replace(judged, **({"sharpness": flat, "nearest_real": flat} | changes))


YARDSTICK = RealYardstick(sharpness=1.0, nearest_real=1.0, end_distance=4.0)


def test_steps_against_hand_computed_values():
    even, bent = [[0.0, 0], [1, 0], [2, 0], [3, 0]], [[0.0, 0], [0, 4], [3, 4], [3, 4]]
    features = torch.tensor([even, bent])
    got = measure_paths(made(features), YARDSTICK)
    assert got.steadiness.tolist() == pytest.approx([1, 25 / (3 * 25)])
    assert got.feature_straightness.tolist() == pytest.approx([1, 5 / 7])
    assert got.largest_step_excess.tolist() == pytest.approx([0, 4 / 7 - 1 / 3])
    assert got.step_variation.tolist() == pytest.approx([0, (26 / 9) ** 0.5 / (7 / 3)])
    assert got.relative_length.tolist() == pytest.approx([3 / 4, 7 / 4])
    assert got.reach.tolist() == pytest.approx([3 / 4, 1])


def test_steadiness_is_the_stated_product():
    features = torch.randn(30, 7, 4, generator=rng())
    got = measure_paths(made(features), YARDSTICK)
    product = got.feature_straightness**2 / (1 + got.step_variation**2)
    torch.testing.assert_close(got.steadiness, product)
    assert got.steadiness.max() <= 1


def test_labels_against_hand_computed_values():
    labels = torch.tensor([[3, 3, 3, 8, 8], [3, 5, 3, 5, 8], [1, 1, 1, 1, 1], [1, 7, 7, 7, 1]])
    got = measure_paths(made(torch.randn(4, 5, 2, generator=rng()), labels=labels), YARDSTICK)
    assert got.label_switches.tolist() == [1, 4, 0, 2]
    assert got.third_digit_steps.tolist() == [0, 2, 0, 3]


def test_middle_against_ends():
    odd = torch.tensor([[1.0, 0.2, 0.5, 0.2, 0.8]])
    even = torch.tensor([[1.0, 0.2, 0.5, 0.8]])
    for values, middle in [(odd, 0.5), (even, 0.35)]:
        features = torch.randn(1, values.shape[1], 2, generator=rng())
        paths = made(features, confidence=values, sharpness=values, nearest_real=values)
        got = measure_paths(paths, replace(YARDSTICK, sharpness=2.0, nearest_real=4.0))
        assert float(got.certainty_drop) == pytest.approx(0.9 - middle)
        assert float(got.sharpness_drop) == pytest.approx((0.9 - middle) / 2)
        assert float(got.nearest_real_rise) == pytest.approx((middle - 0.9) / 4)


def test_realism_is_that_of_the_least_real_step():
    sharpness = torch.tensor([[1.0, 0.5, 2.0], [1.0, 1.0, 1.0]])
    distance = torch.tensor([[1.0, 2.0, 0.5], [0.0, 0.1, 0.2]])
    features = torch.randn(2, 3, 2, generator=rng())
    got = measure_paths(made(features, sharpness=sharpness, nearest_real=distance), YARDSTICK)
    assert got.realism.tolist() == [0.25, 1]  # better than real counts as real


def test_judged_paths_keep_their_order(world):
    images = the_walk()
    _, search_features, _ = world
    judged = judged_discs(images, search_features)
    assert judged.features.shape == (PAIRS, STEPS, 4)
    torch.testing.assert_close(judged.features[7], disc_features(images[7]))
    assert torch.equal(judged.labels[7], disc_prediction(images[7]).labels)
    alone = nearest(disc_features(images[7]), search_features).distances
    torch.testing.assert_close(judged.nearest_real[7], alone)


def test_summaries_cover_every_measure_and_differences_are_paired(world):
    walk, fade = (measured(world, paths) for paths in (the_walk(), crossfade(*ends()[:2], STEPS)))
    summary = summarise(walk, rng())
    assert list(summary) == [field.name for field in fields(PathMeasures)]
    for name, estimate in summary.items():
        assert estimate.value == pytest.approx(float(getattr(walk, name).mean()))
        assert estimate.low <= estimate.value <= estimate.high
    difference = summarise_differences(walk, fade, rng())["realism"]
    assert difference.low > 0
    assert difference.value == pytest.approx(float((walk.realism - fade.realism).mean()))


def test_wrong_input_is_named(world):
    search, search_features, _ = world
    with pytest.raises(ValueError, match="paths have 2 steps, expected at least 3"):
        measure_paths(made(torch.randn(3, 2, 2, generator=rng())), YARDSTICK)
    with pytest.raises(ValueError, match="images has shape"):
        classify_paths(search, search_features, disc_prediction(search), search_features)
    with pytest.raises(ValueError, match=r"nearest_real is 0\.0, expected above 0"):
        real_yardstick(search[:10], search_features[:10], search_features, 1.0)
