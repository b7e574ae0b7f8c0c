from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from tiny import frozen_copy, rng, shaken
from torch import nn

from latentwalk.models.optim import check_positive, exponential_moving_average, warm_up_cosine


@pytest.fixture(autouse=True)
def seeded():
    """Networks take their initial weights from PyTorch's global generator."""
    torch.manual_seed(0)


def test_warm_up_is_a_straight_line_and_then_pytorchs_cosine():
    steps, warm_up = 200, 10
    factors = [warm_up_cosine(step, steps, 0.05) for step in range(steps + 1)]
    assert factors[:warm_up] == pytest.approx([(step + 1) / 10 for step in range(warm_up)])
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps - warm_up)
    expected = []
    for _ in range(warm_up, steps + 1):
        expected.append(cosine.get_last_lr()[0])
        optimizer.step()
        cosine.step()
    assert factors[warm_up:] == pytest.approx(expected, abs=1e-6)
    assert factors[-1] == 0


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_short_trainings_still_learn_at_their_first_step(steps):
    factors = [warm_up_cosine(step, steps) for step in range(steps)]
    assert factors[0] == 1
    assert all(0 < factor <= 1 for factor in factors)


def test_running_average_follows_its_rule_for_weights_and_batch_statistics():
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    average = exponential_moving_average(network, decay=0.3)
    expected = None
    for update in range(6):
        shaken(network, seed=update)
        network(torch.randn(5, 3, generator=rng(update)))  # moves the batch statistics
        now = frozen_copy(network)
        average.update_parameters(network)
        decay = 0.0 if expected is None else min(0.3, (1 + update) / (10 + update))
        expected = expected or now
        for name, value in now.items():
            mixed = decay * expected[name] + (1 - decay) * value
            expected[name] = mixed if value.is_floating_point() else value
        torch.testing.assert_close(average.module.state_dict(), expected)
        torch.testing.assert_close(network.state_dict(), now, rtol=0, atol=0)
    assert average.module[1].num_batches_tracked == 6
    assert average.module[1].running_mean.abs().max() > 0


@dataclass(frozen=True)
class Config:
    rate: float = 0.1
    count: int = 3
    offset: float = 0.0

    def __post_init__(self):
        check_positive(self, zero_allowed=("offset",))


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("rate", 0.0, "more than 0"),
        ("rate", -0.1, "more than 0"),
        ("rate", float("nan"), "more than 0"),
        ("rate", float("inf"), "more than 0"),
        ("count", 0, "more than 0"),
        ("count", -3, "more than 0"),
        ("offset", -1e-9, "0 or more"),
        ("offset", float("nan"), "0 or more"),
    ],
)
def test_numbers_out_of_range_are_named(field, value, wanted):
    with pytest.raises(ValueError, match="expected") as error:
        Config(**{field: value})
    assert str(error.value) == f"Config.{field} is {value}, expected {wanted}"


def test_numbers_in_range_and_fields_without_numbers_pass():
    assert Config(rate=1e-12, count=1, offset=0.0).offset == 0
    check_positive(SimpleNamespace(name="", flag=False))
