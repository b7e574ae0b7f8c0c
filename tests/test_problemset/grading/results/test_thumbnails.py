"""The pictures of a submission's images: what is shown, which are framed, what cannot be shown."""

import io

import class_targets
import matplotlib.image
import numpy as np
import pytest

from latentwalk.checks.thumbnails import thumbnails
from problemset.grading.results.thumbnails import png, sheet
from problemset.grading.score.outcome import CheckOutcome, Score
from problemset.grading.submission import opened
from problemset.grading.submission.opened import Submission

PITCH = 2 * 28 + 2 * 3 + 4
RED = (0xC6, 0x1F, 0x1F)


def read(written):
    """(H, W, 3) uint8, by another reader."""
    found = matplotlib.image.imread(io.BytesIO(written), format="png")
    return np.round(found[..., :3] * 255).astype(np.uint8)


def digits(count, seed=0):
    return np.random.default_rng(seed).random((count, 1, 28, 28)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "results").mkdir()
    save(tmp_path, "2b", images=digits(10))
    save(tmp_path, "2e", **{"strip.images": digits(10, 1)})
    save(tmp_path, "3c", **{"originals.images": digits(2), "strip.images": digits(10, 2)})
    save(tmp_path, "4d", images=digits(100).reshape(10, 10, 1, 28, 28))
    return tmp_path


def save(folder, item, **arrays):
    np.savez(folder / f"results/{item}.npz", **arrays)


def failed(check, item, wrong, state="failed"):
    return Score((CheckOutcome(check, item, "Images", 4, state, "wrong", {"wrong": wrong}),))


def framed(picture, count):
    """Numbers of the images whose frame is red throughout."""
    pixels = read(picture.png)
    found = []
    for n in range(count):
        top, left = PITCH * (n // 10), PITCH * (n % 10)
        cell = pixels[top : top + PITCH - 4, left : left + PITCH - 4].copy()
        cell[3:-3, 3:-3] = RED
        if (cell == RED).all():
            found.append(n)
    return tuple(found)


def test_what_is_written_is_read_again():
    places = np.arange(256, dtype=np.uint8).reshape(8, 32)
    expected = np.repeat(places[..., None], 3, axis=2)
    expected[-1, -1] = RED
    np.testing.assert_array_equal(read(png(places)), expected)


def test_images_are_shown_in_order_dark_on_white():
    images = digits(12)[:, 0]
    pixels = read(png(sheet(images)))
    assert pixels.shape == (2 * PITCH - 4, 10 * PITCH - 4, 3)
    for n, image in enumerate(images):
        top, left = PITCH * (n // 10) + 3, PITCH * (n % 10) + 3
        cell = pixels[top : top + 56, left : left + 56, 0]
        expected = np.round(254 * (1 - image)).repeat(2, axis=0).repeat(2, axis=1)
        np.testing.assert_array_equal(cell, expected)
    assert (pixels[-PITCH + 4 :, 2 * PITCH :] >= 254).all(), "there is nothing where images end"
    assert sheet(images[:2]).shape == (PITCH - 4, 2 * PITCH - 4)


def test_every_item_that_has_images_shows_them(folder):
    found = thumbnails(Submission(folder), class_targets.scored())
    assert [p.item for p in found] == ["2b", "2e", "3c", "3c", "4d"]
    assert [p.fault for p in found] == [""] * 5
    assert [read(p.png).shape[0] for p in found] == [PITCH - 4] * 4 + [10 * PITCH - 4]
    assert framed(found[0], 10) == framed(found[4], 100) == ()


@pytest.mark.parametrize(
    ("place", "item", "check", "wrong"),
    [
        (0, "2b", "ten_images_regenerate", (0, 9)),
        (1, "2e", "path_images_regenerate", (1,)),
        (3, "3c", "codes_decode", (4, 5, 6)),
        (4, "4d", "grid_regenerates", (0, 34, 99)),
    ],
)
def test_what_a_failed_check_lists_is_framed_in_red(folder, place, item, check, wrong):
    found = thumbnails(Submission(folder), failed(check, item, list(wrong)))
    assert found[place].wrong == wrong
    assert framed(found[place], 100 if item == "4d" else 10) == wrong
    others = [n for n in range(5) if n != place]
    assert [found[n].wrong for n in others] == [()] * 4


@pytest.mark.parametrize("wrong", [[10, -1, 3.0, "4", True, None, [5]], 7, "3", None, {}])
def test_other_evidence_frames_nothing(folder, wrong):
    found = thumbnails(Submission(folder), failed("ten_images_regenerate", "2b", wrong))
    assert found[0].wrong == ()
    assert framed(found[0], 10) == ()


def test_a_check_that_did_not_fail_frames_nothing(folder):
    score = failed("ten_images_regenerate", "2b", [1], "broken")
    assert thumbnails(Submission(folder), score)[0].wrong == ()


def test_a_path_of_another_length_is_shown_as_far_as_there_is_room(folder):
    save(folder, "2e", **{"strip.images": digits(7)})
    save(folder, "3c", **{"originals.images": digits(2), "strip.images": digits(130)})
    found = thumbnails(Submission(folder), failed("codes_decode", "3c", [99, 129]))
    assert read(found[1].png).shape[1] == 7 * PITCH - 4
    assert found[3].caption.endswith("(the first 100 of 130)")
    assert read(found[3].png).shape[0] == 10 * PITCH - 4
    assert found[3].wrong == (99, 129)


def test_far_too_many_images_are_not_even_converted(folder):
    save(folder, "2e", **{"strip.images": np.zeros((1001, 1, 28, 28), np.uint8)})
    found = thumbnails(Submission(folder), class_targets.scored())
    assert found[1].fault == "results/2e.npz has 1001 images, expected at most 1000"


def test_what_cannot_be_shown_is_said_and_costs_only_itself(folder):
    (folder / "results/2b.npz").write_bytes(b"<script>")
    save(folder, "2e", **{"strip.images": np.array(["<b>"])})
    save(folder, "3c", **{"originals.images": 2 * digits(2), "strip.images": digits(10)})
    (folder / "results/4d.npz").unlink()
    found = thumbnails(Submission(folder), class_targets.scored())
    says = [p.fault for p in found]
    assert says[0].startswith("results/2b.npz cannot be used: results/2b.npz: is no .npz file")
    assert says[1].startswith("strip.images of results/2e.npz is (1,), expected (any, 1, 28, 28)")
    assert "has pixels from" in says[2]
    assert says[3:] == ["", "results/4d.npz is missing"]
    assert [bool(p.png) for p in found] == [False, False, False, True, False]
    assert not any(str(folder) in p.fault for p in found), (
        "where the copy lies is nobody's business"
    )


def test_nothing_is_kept_in_memory(folder):
    thumbnails(Submission(folder), class_targets.scored())
    assert opened._arrays.cache_info().currsize == 0
