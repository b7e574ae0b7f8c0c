"""Pictures made of MNIST's digits, at other sizes, orders and colours."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from problemset.grading.evidence import template_match

PITCH = 32  # pixels of an image's own size from one to the next


@pytest.fixture(scope="module")
def images(digits):
    return digits.images[:10, 0].numpy() / 255


def picture(shown, columns=10, size=5.54):
    """Dark ink on white, nearest pixels, as Matplotlib draws images."""
    rows = -(-len(shown) // columns)
    paper = np.zeros((PITCH * rows + 12, PITCH * columns))
    for place, image in enumerate(shown):
        row, column = divmod(place, columns)
        top, left = 10 + PITCH * row, PITCH * column + 2
        paper[top : top + 28, left : left + 28] = image
    small = Image.fromarray((255 - 255 * paper).astype(np.uint8))
    target = (round(small.width * size), round(small.height * size))
    return small.resize(target, Image.Resampling.NEAREST).convert("RGBA")


@pytest.mark.parametrize("size", [1.0, 1.7, 3.3, 5.54])
def test_images_are_found_at_any_size(images, size):
    assert template_match.missing(picture(images, size=size), images, in_order=True) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        lambda made: ImageOps.invert(made.convert("RGB")),
        lambda made: ImageOps.colorize(made.convert("L"), "navy", "yellow"),
        lambda made: made.resize((made.width // 2, made.height // 2), Image.Resampling.BILINEAR),
    ],
    ids=["upside down", "light on dark", "in colours", "smoothed"],
)
def test_they_are_found_however_they_are_drawn(images, change):
    assert template_match.missing(change(picture(images)), images, in_order=True) == []


def test_a_transparent_ground_is_paper(images):
    made = picture(images)
    white = np.asarray(made.convert("L")) == 255
    levels = np.array(made)
    levels[white] = 0
    assert template_match.missing(Image.fromarray(levels, "RGBA"), images) == []


@pytest.mark.parametrize(
    ("shown", "absent"),
    [
        ([0, 1, 2, 3, 3, 5, 6, 7, 8, 9], [4]),
        ([0, 1, 2, 3, 4, 5, 6, 7, 8], [9]),
        ([5, 6, 7, 8, 9], [0, 1, 2, 3, 4]),
    ],
)
def test_what_is_not_drawn_is_missing(images, shown, absent):
    assert template_match.missing(picture(images[shown]), images) == absent


def test_one_that_is_nearly_the_same_does_not_stand_for_another(images):
    between = (images[3] + images[7]) / 2
    shown = np.concatenate([images[:4], images[3:4], images[5:]])
    wanted = np.concatenate([images[:4], between[None], images[5:]])
    assert template_match.missing(picture(shown), wanted) == [4]
    assert template_match.missing(picture(wanted), wanted, in_order=True) == []


def test_order_is_from_left_to_right_and_row_by_row(images):
    for columns in (10, 5, 1):
        made = picture(images, columns, size=2.0)
        assert template_match.missing(made, images, in_order=True) == [], columns
        assert template_match.missing(made, images[::-1]) == [], columns
        assert len(template_match.missing(made, images[::-1], in_order=True)) == 9, columns


def test_other_images_beside_them_do_no_harm(images, digits):
    more = digits.images[20:30, 0].numpy() / 255
    assert template_match.missing(picture([*more, *images, *images]), images, in_order=True) == []


def test_one_in_which_nothing_is_drawn_is_not_missing(images):
    images = images.copy()
    images[2] = 0.5
    assert template_match.missing(picture(images), images) == []
    assert template_match.missing(picture(images), np.zeros((3, 28, 28))) == []


@pytest.mark.parametrize("shape", [(10, 10), (28, 27), (30, 900), (1, 1), (600, 28)])
def test_pictures_that_are_too_small_or_too_long_show_nothing(images, shape):
    assert template_match.missing(Image.new("RGBA", shape, "white"), images) == list(range(10))
