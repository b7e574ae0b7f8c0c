import copy
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from drawing import draw_discs
from tiny import CLASSIFIER, fresh, rng, toy_batch, toy_digits

from latentwalk.data.mnist import to_unit
from latentwalk.models import classifier
from latentwalk.models.classifier import ClassifierConfig, jitter
from latentwalk.models.optim import warm_up_cosine

AXIS = torch.arange(28.0)


@pytest.fixture(autouse=True)
def seeded():
    """Networks take their initial weights from PyTorch's global generator."""
    torch.manual_seed(0)


def limits(rotation=0.0, shift=0.0):
    """What `jitter` needs of a configuration; a real one refuses 0."""
    return SimpleNamespace(max_rotation_degrees=rotation, max_shift_pixels=shift)


def centres(images):
    """Row and column of the centre of mass, (B, 2) in pixels."""
    ink = images.sum(dim=(1, 2, 3))
    rows, columns = images.sum(dim=(1, 3)) @ AXIS, images.sum(dim=(1, 2)) @ AXIS
    return torch.stack([rows, columns], dim=1) / ink[:, None]


def slants(images):
    """Direction of the longest axis, (B,) degrees in [-90, 90], 0 along a row."""
    centre = centres(images)
    rows, columns = AXIS - centre[:, :1], AXIS - centre[:, 1:]
    vertical = (images.sum(dim=(1, 3)) * rows.square()).sum(1)
    horizontal = (images.sum(dim=(1, 2)) * columns.square()).sum(1)
    mixed = torch.einsum("brc,br,bc->b", images[:, 0], rows, columns)
    return 0.5 * torch.rad2deg(torch.atan2(2 * mixed, horizontal - vertical))


def ready(seed=0):
    """An untrained judge with batch statistics that are not the initial ones."""
    state = fresh(classifier, CLASSIFIER, seed)
    for step in range(3):
        state.network(toy_batch(20, step).images)
    return state.network.eval()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"width": 0}, "width is 0, expected more than 0"),
        ({"feature_size": -1}, "feature_size is -1, expected more than 0"),
        ({"steps": 0}, "steps is 0, expected more than 0"),
        ({"batch_size": 0}, "batch_size is 0, expected more than 0"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0, expected more than 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan, expected more than 0"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1, expected more than 0"),
        ({"max_rotation_degrees": -5.0}, "max_rotation_degrees is -5.0, expected more than 0"),
        ({"max_shift_pixels": math.inf}, "max_shift_pixels is inf, expected more than 0"),
    ],
)
def test_configuration_out_of_range_names_field_got_and_expected(fields, words):
    with pytest.raises(ValueError, match="expected") as error:
        ClassifierConfig(**fields)
    assert str(error.value) == f"ClassifierConfig.{words}"


def test_shapes():
    network, images = ready(), toy_batch(5).images
    assert network(images).shape == (5, 10)
    assert network.features(images).shape == (5, CLASSIFIER.feature_size)
    with pytest.raises(ValueError, match=r"images has shape \(5, 784\), expected"):
        network(images.flatten(1))


def test_jitter_keeps_shape_and_range_and_moves_each_image_its_own_way():
    images = toy_batch(1).images.expand(30, -1, -1, -1)
    moved = jitter(images, limits(20, 4), rng())
    assert moved.shape == images.shape
    assert moved.dtype == torch.float32
    assert moved.min() >= 0
    assert moved.max() <= 1
    gaps = torch.cdist(moved.flatten(1), moved.flatten(1)) + torch.eye(30)
    assert gaps.min() > 1e-3


def test_jitter_without_turn_and_move_changes_nothing():
    images = toy_batch(20).images
    torch.testing.assert_close(jitter(images, limits(), rng()), images, rtol=0, atol=1e-5)


def test_jitter_is_decided_by_its_generator():
    images, before = toy_batch(10).images, torch.get_rng_state()
    first, again, other = (jitter(images, limits(10, 2), rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_jitter_moves_by_up_to_the_limit_in_all_four_directions():
    images = draw_discs(300, rng())[0]
    moves = centres(jitter(images, limits(shift=2.5), rng())) - centres(images)
    assert moves.abs().max() < 2.5 + 0.02
    assert moves.amax(0).min() > 2.3
    assert moves.amin(0).max() < -2.3
    assert moves.mean(0).abs().max() < 0.3
    assert moves.T.corrcoef()[0, 1].abs() < 0.2  # down and across do not go together


def test_jitter_turns_by_up_to_the_limit_both_ways():
    bar = torch.zeros(300, 1, 28, 28)
    bar[:, :, 13:15, 5:23] = 1
    turned = jitter(bar, limits(rotation=12), rng())
    angles = slants(turned)
    assert slants(bar).abs().max() < 1e-3
    assert angles.abs().max() < 12 + 0.3
    assert angles.max() > 11
    assert angles.min() < -11
    assert angles.mean().abs() < 1.5
    torch.testing.assert_close(turned.sum(dim=(1, 2, 3)), bar.sum(dim=(1, 2, 3)), rtol=0.05, atol=0)


def test_jitter_fills_what_enters_the_frame_with_background():
    moved = jitter(torch.ones(50, 1, 28, 28), limits(shift=6), rng())
    edges = torch.stack([moved[..., 0], moved[..., -1], moved[..., 0, :], moved[..., -1, :]])
    assert (edges.flatten(2).mean(2) < 0.5).any(dim=1).all()
    assert moved[..., 10:18, 10:18].min() > 0.999


def test_scores_come_from_the_features_and_predictions_from_the_scores():
    network, images = ready(), toy_batch(20).images
    with torch.no_grad():
        scores, features = network(images), network.features(images)
        torch.testing.assert_close(network.head(F.relu(features)), scores)
    seen = classifier.predict(network, images)
    assert seen.labels.shape == seen.confidence.shape == (20,)
    assert seen.labels.dtype == torch.int64
    assert torch.equal(seen.labels, scores.argmax(1))
    shares = scores.double().exp() / scores.double().exp().sum(1, keepdim=True)
    torch.testing.assert_close(seen.confidence.double(), shares.amax(1), rtol=1e-5, atol=0)
    assert 0.1 <= seen.confidence.min() <= seen.confidence.max() <= 1
    torch.testing.assert_close(classifier.extract_features(network, images), features)


def test_batches_do_not_change_what_the_judge_sees():
    network, images = ready(), toy_batch(20).images
    whole, parts = (classifier.predict(network, images, size) for size in (1000, 7))
    assert torch.equal(whole.labels, parts.labels)
    torch.testing.assert_close(whole.confidence, parts.confidence)
    features = [classifier.extract_features(network, images, size) for size in (1000, 7)]
    torch.testing.assert_close(*features)


def test_train_step_returns_the_cross_entropy_and_accuracy_of_its_batch():
    still = replace(CLASSIFIER, max_rotation_degrees=1e-9, max_shift_pixels=1e-9)
    state, batch = fresh(classifier, still), toy_batch(16)
    before, global_state = copy.deepcopy(state.network), torch.get_rng_state()
    returned, parts = classifier.train_step(state, batch, rng())
    assert returned is state
    assert state.step == 1
    assert torch.equal(torch.get_rng_state(), global_state)
    with torch.no_grad():
        scores = before(batch.images)
    log_shares = scores - scores.exp().sum(1, keepdim=True).log()
    expected = -log_shares[torch.arange(16), batch.labels].mean()
    torch.testing.assert_close(parts["cross_entropy_nats"], expected, rtol=1e-4, atol=0)
    right = (scores.argmax(1) == batch.labels).float().mean()
    assert parts["accuracy"] == right
    group = state.optimizer.param_groups[0]
    assert group["lr"] == still.learning_rate * warm_up_cosine(0, still.steps)
    assert group["weight_decay"] == still.weight_decay
    assert state.released is state.network


def test_judge_learns_digits_that_can_be_told_apart():
    config = replace(CLASSIFIER, width=8, feature_size=16, steps=60, learning_rate=1e-2)
    state, draws = fresh(classifier, config), rng()
    rows = [classifier.train_step(state, toy_batch(16, step), draws)[1] for step in range(60)]
    assert rows[-1]["cross_entropy_nats"] < 0.3 * rows[0]["cross_entropy_nats"]
    unseen = toy_digits(40, seed=99)
    seen = classifier.predict(state.network.eval(), to_unit(unseen.images))
    assert (seen.labels == unseen.labels).float().mean() > 0.95
