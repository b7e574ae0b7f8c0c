import pytest
import torch
from tiny import frozen_copy, rng, shaken
from torch import nn

from latentwalk.models.optim import exponential_moving_average, warm_up_cosine


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
