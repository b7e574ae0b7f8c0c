"""Training log as tensors, so that it can be stored in the weights file."""

import torch
from torch import Tensor

from latentwalk.training import checkpoints
from latentwalk.training.loop import History


def pack(history: History) -> dict[str, Tensor]:
    """Convert a log to one column (R,) per loss term, NaN where a row lacks it, and snapshots."""
    names = sorted({name for row in history.rows for name in row})
    packed = {
        f"history/{name}": torch.tensor([row.get(name, float("nan")) for row in history.rows])
        for name in names
    }
    if history.snapshots:
        steps, pictures = zip(*history.snapshots, strict=True)
        packed["snapshots/steps"] = torch.tensor(steps)
        packed["snapshots/images"] = torch.stack(pictures)  # (T, B, 1, 28, 28) uint8
    return packed


def unpack(tensors: dict[str, Tensor]) -> History:
    """Invert `pack`; other tensors are ignored."""
    columns = {k: values.tolist() for k, values in checkpoints.under("history/", tensors).items()}
    rows = [
        # NaN, the only value unlike itself, marks a term that the row does not have
        {name: value for name, value in zip(columns, row, strict=True) if value == value}
        for row in zip(*columns.values(), strict=True)
    ]
    steps = tensors.get("snapshots/steps", torch.empty(0)).tolist()
    images = tensors.get("snapshots/images", torch.empty(0))
    return History(rows, list(zip(steps, images, strict=True)))
