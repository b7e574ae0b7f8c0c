import pytest
import torch
from drawing import blur, draw_discs, rings_and_bars
from hypothesis import given, settings
from hypothesis import strategies as st

from latentwalk.evaluation.sharpness import sharpness
from latentwalk.experiments.interpolation import crossfade

SIGMAS = [0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0]


def shapes():
    discs, _ = draw_discs(12, torch.Generator().manual_seed(0))
    return torch.cat([discs, rings_and_bars()])


def half_plane():
    image = torch.zeros(1, 1, 28, 28)
    image[..., 14:] = 1
    return image


def test_blurring_lowers_it_step_by_step():
    images = [shapes(), *(blur(shapes(), sigma) for sigma in SIGMAS)]
    crisp = torch.stack([sharpness(version) for version in images])
    assert crisp.shape == (8, 16)
    assert (crisp[1:] < crisp[:-1]).all()


def test_a_hard_edge_is_one_and_a_ghost_is_half():
    edge = half_plane()
    assert float(sharpness(edge)) == pytest.approx(1, abs=0.02)  # corners are rounder
    assert float(sharpness(edge / 2)) == pytest.approx(float(sharpness(edge)) / 2)
    soft = edge.clone()
    soft[..., 13:15] = torch.tensor([1 / 3, 2 / 3])
    # one of the four sides now has a third of the gradient over three times the width
    assert float(sharpness(soft)) == pytest.approx((56 + 28 / 3) / 84, abs=0.02)


def test_the_amount_of_ink_and_the_place_do_not_count():
    one = torch.zeros(1, 1, 28, 28)
    one[..., 4:9, 4:9] = 1
    two = one + one.roll(14, dims=3)
    assert float(sharpness(two)) == pytest.approx(float(sharpness(one)))
    assert float(sharpness(one.roll((5, 9), dims=(2, 3)))) == pytest.approx(float(sharpness(one)))


def test_the_middle_of_a_crossfade_is_ghostly():
    left = torch.zeros(1, 28, 28)
    left[:, 6:22, 4:8] = 1
    middle = crossfade(left, left.flip(2), 3)[1:2]
    assert float(sharpness(middle)) == pytest.approx(float(sharpness(left[None])) / 2)


def test_blank_images():
    blank = torch.zeros(2, 1, 28, 28)
    assert sharpness(blank).tolist() == [0, 0]


def test_noise_counts_as_crisp_as_the_docstring_warns():
    noise = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0)).round()
    assert sharpness(noise).min() > sharpness(blur(shapes(), 1.0)).max()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), power=st.floats(0.05, 20))
def test_it_stays_in_the_unit_interval(seed, power):
    images = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(seed)) ** power
    assert sharpness(images).shape == (3,)
    assert sharpness(images).min() >= 0
    assert sharpness(images).max() <= 1 + 1e-6


def test_wrong_images_are_named():
    with pytest.raises(ValueError, match="images has shape"):
        sharpness(torch.zeros(2, 28, 28))
    with pytest.raises(ValueError, match=r"images has values in \[0, 255\]"):
        sharpness(255 * half_plane())
