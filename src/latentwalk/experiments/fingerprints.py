"""Register tensors, random generators and networks with the results cache."""

from typing import Any

import torch
from torch import Tensor, nn

from latentwalk.training.tensor_file import tensor_digest
from problemset import cache


@cache.fingerprint.register
def _(value: Tensor) -> str:
    return f"{value.dtype} {tuple(value.shape)} {tensor_digest({'': value})}"


@cache.fingerprint.register
def _(value: torch.Generator) -> str:
    return f"generator {value.device} {tensor_digest({'': value.get_state()})}"


@cache.fingerprint.register
def _(value: nn.Module) -> Any:
    config = cache.fingerprint(getattr(value, "config", None))
    # the same weights under another configuration are another network
    return [type(value).__name__, config, tensor_digest(value.state_dict())]


@cache.private_copy.register
def _(value: torch.Generator) -> torch.Generator:
    copy = torch.Generator(value.device)
    copy.set_state(value.get_state())
    return copy


@cache.classes.register
def _(value: nn.Module) -> set[type]:
    return {type(value)}
