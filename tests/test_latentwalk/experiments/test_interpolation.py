import numpy as np
import pytest
import torch
from drawing import draw_discs
from hypothesis import given, settings
from hypothesis import strategies as st

from latentwalk.experiments.interpolation import (
    crossfade,
    jump,
    lerp,
    share_as_short,
    variance_preserving,
)

WALKS = [lerp, variance_preserving]


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=rng(seed), dtype=dtype)


def same_bits(first, second):
    return first.numpy().tobytes() == second.numpy().tobytes()


@pytest.mark.parametrize("walk", WALKS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), steps=st.integers(2, 12), scale=st.sampled_from([1e-6, 1, 1e6]))
def test_ends_are_the_end_points_bit_for_bit(walk, seed, steps, scale):
    start, end = normal(2, 5, 7, seed=seed) * scale
    start[0, 0], end[1, 0] = -0.0, 0.0
    path = walk(start, end, steps)
    assert path.shape == (5, steps, 7)
    assert path.dtype == torch.float32
    assert same_bits(path[:, 0], start)
    assert same_bits(path[:, -1], end)


@pytest.mark.parametrize("walk", WALKS)
def test_pairs_walk_as_they_do_alone_and_the_inputs_stay(walk):
    start, end = normal(2, 3, 7)
    before = start.clone(), end.clone()
    path = walk(start, end, 5)
    for pair in range(3):
        alone = walk(start[pair], end[pair], 5)
        assert alone.shape == (5, 7)
        torch.testing.assert_close(path[pair], alone)
    path[:] = 0
    assert torch.equal(start, before[0])
    assert torch.equal(end, before[1])


@pytest.mark.parametrize("walk", WALKS)
def test_the_way_back_is_the_way_there_reversed(walk):
    start, end = normal(2, 4, 16, dtype=torch.float64)
    torch.testing.assert_close(walk(end, start, 10), walk(start, end, 10).flip(1))


def test_lerp_takes_equal_steps():
    start, end = normal(2, 6, dtype=torch.float64)
    expected = np.linspace(start.numpy(), end.numpy(), 10)
    np.testing.assert_allclose(lerp(start, end, 10).numpy(), expected, rtol=0, atol=1e-14)


def test_lerp_halves_the_variance_midway_and_the_others_keep_it():
    start, end = normal(2, 4000, 50)
    assert lerp(start, end, 5)[:, 2].var() == pytest.approx(0.5, abs=0.01)
    preserved = variance_preserving(start, end, 5).var(dim=(0, 2))
    torch.testing.assert_close(preserved, torch.ones(5), atol=0.02, rtol=0)


def test_variance_preserving_divides_by_the_stated_factor():
    start, end = normal(2, 6, dtype=torch.float64)
    t = torch.linspace(0, 1, 7, dtype=torch.float64)[1:-1, None]
    expected = ((1 - t) * start + t * end) / torch.sqrt(t**2 + (1 - t) ** 2)
    torch.testing.assert_close(variance_preserving(start, end, 7)[1:-1], expected)


def test_crossfade_is_lerp_on_pixels():
    images, _ = draw_discs(6, rng())
    fade = crossfade(images[:3], images[3:], 10)
    assert fade.shape == (3, 10, 1, 28, 28)
    straight = lerp(images[:3].flatten(1), images[3:].flatten(1), 10)
    assert torch.equal(fade.flatten(2), straight)
    assert fade.min() >= 0
    assert fade.max() <= 1
    alone = crossfade(images[0], images[3], 10)
    assert alone.shape == (10, 1, 28, 28)
    assert torch.equal(alone, fade[0])


@pytest.mark.parametrize(("steps", "first_half"), [(10, 5), (5, 2), (2, 1)])
def test_jump_shows_only_the_two_images(steps, first_half):
    images, _ = draw_discs(4, rng())
    path = jump(images[:2], images[2:], steps)
    for step in range(steps):
        shown = images[:2] if step < first_half else images[2:]
        assert torch.equal(path[:, step], shown)
    assert torch.equal(jump(images[0], images[2], steps), path[0])


@pytest.mark.parametrize("walk", WALKS)
def test_wrong_input_is_named(walk):
    start = normal(3, 4)
    cases = [
        (start, start, 1, "steps is 1, expected at least 2"),
        (start, start[:2], 5, r"end has shape \(2, 4\), expected \(3, 4\)"),
        (start, start[0], 5, r"end has shape \(4,\), expected \(3, 4\)"),
        (start[None], start[None], 5, r"start has shape \(1, 3, 4\), expected \(Z,\) or \(P, Z\)"),
        (start.long(), start.long(), 5, "expected floating-point"),
        (start, start * float("nan"), 5, "not finite"),
    ]
    for first, second, steps, message in cases:
        with pytest.raises(ValueError, match=message):
            walk(first, second, steps)


def test_crossfade_refuses_what_is_not_an_image():
    with pytest.raises(ValueError, match="start has shape"):
        crossfade(torch.zeros(2, 28, 28), torch.zeros(2, 28, 28), 5)
    with pytest.raises(ValueError, match="expected floating-point"):
        crossfade(*torch.zeros(2, 1, 28, 28, dtype=torch.uint8), 5)


@pytest.mark.parametrize("size", [2, 16, 160])
def test_share_of_inputs_as_short_as_the_middle_of_a_line(size):
    draws = normal(200_000, size)
    middles = (normal(20_000, size, seed=1) + normal(20_000, size, seed=2)) / 2
    short = draws.square().sum(dim=1) < middles.square().sum(dim=1).mean()
    assert share_as_short(size, size / 2) == pytest.approx(short.double().mean().item(), abs=0.005)
