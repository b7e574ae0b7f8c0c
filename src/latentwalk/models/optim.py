"""What the training of all models shares: state, learning rate, weight averaging."""

import abc
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class TrainState(abc.ABC):
    """A model's training state: fields with a state of their own, and the step.

    Its subclasses are dataclasses.
    """

    step: int

    @property
    @abc.abstractmethod
    def released(self) -> nn.Module:
        """Network that is saved when training ends."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to resume training."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return {"step": self.step} | parts

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Restore the state returned by `state_dict`."""
        self.step = saved["step"]
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])

    def _parts(self) -> dict[str, Any]:
        return {name: part for name, part in vars(self).items() if hasattr(part, "state_dict")}


def exponential_moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """Keep an exponential moving average of a network's weights and batch-norm statistics.

    The decay starts low and rises to `decay`, so that the average quickly forgets the untrained
    weights: after n updates it is min(decay, (1 + n) / (10 + n)).
    """

    def move(averaged: Any, current: Any, updates: Tensor | int) -> None:
        if not averaged[0].is_floating_point():  # batch norm's step counters
            torch._foreach_copy_(averaged, current)
            return
        count = int(updates)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + count) / (10 + count)))

    return AveragedModel(network, multi_avg_fn=move, use_buffers=True)


def warm_up_cosine(step: int, steps: int, warm_up_share: float = 0.03) -> float:
    """Factor on the learning rate: a linear warm-up, then half a cosine down to 0.

    Source: Loshchilov and Hutter 2017, eq. 5, without restarts.
    """
    warm_up = max(1, round(warm_up_share * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    progress = (step - warm_up) / max(1, steps - warm_up)
    return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
