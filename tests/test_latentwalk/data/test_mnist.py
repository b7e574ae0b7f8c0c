import pytest
import torch

from latentwalk.data import mnist
from latentwalk.data.mnist import Digits


def test_real_digits(digits):
    assert len(digits) == 10_000
    assert digits.images.shape == (10_000, 1, 28, 28)
    counts = torch.bincount(digits.labels).tolist()
    assert counts == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert digits.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert abs(mnist.to_unit(digits.images).mean().item() - 0.1325) < 1e-4


def made(count, **changes):
    images = torch.arange(count, dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 28, 28)
    parts = {"images": images, "labels": torch.arange(count) % 10} | changes
    return Digits(parts["images"], parts["labels"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": torch.zeros(5, 28, 28, dtype=torch.uint8)}, "images has shape"),
        ({"labels": torch.zeros(4, dtype=torch.int64)}, "labels has shape"),
        ({"images": torch.zeros(5, 1, 28, 28)}, "expected torch.uint8"),
        ({"labels": torch.zeros(5, dtype=torch.uint8)}, "with torch.int64"),
        ({"labels": torch.full((5,), 10)}, "expected [0, 9]"),
    ],
)
def test_digits_refuse_other_shapes_types_and_labels(changes, words):
    with pytest.raises(ValueError) as got:  # noqa: PT011
        made(5, **changes)
    assert words in str(got.value)


def test_digits_move():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    moved = made(3).to(device)
    assert moved.images.device.type == moved.labels.device.type == device
    assert moved.labels.tolist() == [0, 1, 2]


def test_to_unit_maps_bytes_to_the_unit_interval():
    every = torch.arange(256).to(torch.uint8)
    unit = mnist.to_unit(every)
    assert unit.dtype == torch.float32
    assert (unit[0].item(), unit[255].item()) == (0.0, 1.0)
    assert torch.equal((unit * 255).round().to(torch.uint8), every)
    with pytest.raises(ValueError, match=r"float32, expected torch\.uint8"):
        mnist.to_unit(unit)


def seen(stream, count):
    return [(next(stream).images[:, 0, 0, 0] * 255).round().int().tolist() for _ in range(count)]


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_batches_are_full_and_cover_an_epoch_once():
    stream = mnist.batches(made(10), 3, rng())
    batch = next(stream)
    assert batch.images.shape == (3, 1, 28, 28)
    assert 0 <= batch.images.min() <= batch.images.max() <= 1
    values = (batch.images[:, 0, 0, 0] * 255).round().long()
    assert torch.equal(batch.labels, values % 10)  # labels stay with their images
    epoch = seen(mnist.batches(made(10), 3, rng()), 3)
    assert len({value for values in epoch for value in values}) == 9


def test_batches_differ_between_epochs_and_repeat_with_the_seed():
    both = seen(mnist.batches(made(9), 3, rng()), 6)
    for epoch in (both[:3], both[3:]):
        assert sorted(value for values in epoch for value in values) == list(range(9))
    assert both[:3] != both[3:]
    assert both == seen(mnist.batches(made(9), 3, rng()), 6)
    assert both != seen(mnist.batches(made(9), 3, rng(1)), 6)


@pytest.mark.parametrize("skip", range(8))
def test_batches_resume_exactly(skip):
    whole = seen(mnist.batches(made(10), 3, rng()), 12)
    assert seen(mnist.batches(made(10), 3, rng(), skip=skip), 12 - skip) == whole[skip:]


@pytest.mark.parametrize(("size", "skip"), [(0, 0), (11, 0), (3, -1)])
def test_batches_refuse_wrong_numbers_at_once(size, skip):
    with pytest.raises(ValueError, match=r"expected (1 \.\.\. 10|0 or more)"):
        mnist.batches(made(10), size, rng(), skip)


def test_batches_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    next(mnist.batches(made(10), 3, rng()))
    assert torch.equal(torch.get_rng_state(), before)
