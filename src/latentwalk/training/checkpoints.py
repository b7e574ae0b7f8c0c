"""Weights and training checkpoints on disk: their content, and whether they are still valid."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from latentwalk.training import tensor_file
from latentwalk.training.provenance import RecipeKey, WeightsMetadata
from latentwalk.training.tensor_file import CheckpointError, WeightsError, WeightsProblem
from problemset import file_io


@dataclass(frozen=True)
class WeightsStatus:
    """Whether a weights file can be used, and if not, why."""

    state: Literal["valid"] | WeightsProblem
    """The `problem` of the `WeightsError`, or valid."""
    reason: str
    """One-line explanation; empty if valid."""


def save_weights(
    path: Path, tensors: Mapping[str, Tensor], metadata: WeightsMetadata
) -> WeightsMetadata:
    """Write weights atomically.

    Returns:
        The metadata as written, with the digests of the tensors filled in.

    Raises:
        WriteError: the folder is read-only or full; an existing file is unchanged.
    """
    complete = dataclasses.replace(
        metadata,
        tensor_digest=tensor_file.tensor_digest(tensors),
        network_digest=network_digest(tensors),
    )
    tensor_file.write(path, tensors, complete.to_json())
    return complete


def load_weights(
    path: Path, expected: RecipeKey | None = None
) -> tuple[dict[str, Tensor], WeightsMetadata]:
    """Read weights that are intact and, if a key is given, still valid.

    Raises:
        WeightsError: missing, damaged (cut short, one bit changed, a pickle ...) or stale.
    """
    tensors, content = tensor_file.read(path)
    try:
        metadata = WeightsMetadata.from_json(content)
    except ValueError as error:
        raise WeightsError(f"{path} holds no released weights: {error}") from error
    if not metadata.network_digest:  # written by an older version
        metadata = dataclasses.replace(metadata, network_digest=network_digest(tensors))
    changes = metadata.recipe.changes(expected) if expected is not None else ""
    if changes:
        raise WeightsError(f"{path} is stale: {changes}", "stale")
    return tensors, metadata


def network_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the tensors of the network alone, without its training log."""
    return tensor_file.tensor_digest(under("network/", tensors))


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Select the tensors whose names begin with a prefix, and remove the prefix."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def load_into(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy weights into a network; every tensor must exist and have the network's shape.

    Raises:
        WeightsError: names the first tensor that does not fit; the network is unchanged.
    """
    check_fit(module, tensors)
    module.load_state_dict(dict(tensors))


def check_fit(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors whose names and shapes do not match those of a network.

    Raises:
        WeightsError: names the first tensor that does not fit.
    """
    wanted, network = module.state_dict(), type(module).__name__
    for name in [*wanted, *(name for name in tensors if name not in wanted)]:
        got = tuple(tensors[name].shape) if name in tensors else "missing"
        want = tuple(wanted[name].shape) if name in wanted else "no such tensor"
        if got != want:
            raise WeightsError(
                f"weights do not fit {network}: {name} is {got}, expected {want}; "
                "use the configuration they were trained with, or train again",
                "misfit",
            )


def status(path: Path, expected: RecipeKey) -> WeightsStatus:
    """Determine whether a weights file is valid for a key."""
    try:
        load_weights(path, expected)
    except WeightsError as error:
        return WeightsStatus(error.problem, str(error))
    return WeightsStatus("valid", "")


def write_manifest(folder: Path) -> Path:
    """Write manifest.json with the files' SHA-256 and metadata; it is only for human readers."""
    entries = {
        path.name: {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
            **load_weights(path)[1].to_json(),
        }
        for path in _weights_files(folder)
    }
    with file_io.atomic_path(folder / "manifest.json") as temporary:
        temporary.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return folder / "manifest.json"


def _weights_files(folder: Path) -> list[Path]:
    found = folder.glob("*.safetensors")
    # a leading dot marks a file that is still being written
    return sorted(path for path in found if not path.name.startswith("."))


def save_checkpoint(path: Path, state: Any) -> None:
    """Write a training state atomically.

    Args:
        path: the file to create or replace.
        state: nested dicts (with keys of any kind), lists and tuples of tensors, numbers, strings,
            booleans and None, such as the `state_dict()` of a network or optimizer.

    Raises:
        ValueError: the state contains a value of another type.
        WriteError: the folder is read-only or full; an existing file is unchanged.
    """
    tensors: dict[str, Tensor] = {}
    content = {"state": _pack(state, tensors, "state")}
    tensor_file.write(path, tensors, content)


def load_checkpoint(path: Path) -> Any:
    """Read a state written by `save_checkpoint`; its tensors are on the CPU.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        tensors, content = tensor_file.read(path)
    except WeightsError as error:
        raise CheckpointError(str(error), error.problem) from error
    if "state" not in content:
        raise CheckpointError(f"{path} holds no half-finished training")
    return _unpack(content["state"], tensors)


def _pack(value: Any, tensors: dict[str, Tensor], place: str) -> Any:
    """Convert a state to JSON; tensors go into `tensors` and are replaced by their names."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value
        return {"tensor": name} | ({"channels_last": True} if _is_channels_last(value) else {})
    if isinstance(value, list | tuple):
        items = [_pack(item, tensors, f"{place}[{i}]") for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, Mapping):
        pairs = value.items()
        return {
            "dict": [
                [_pack(k, tensors, place), _pack(v, tensors, f"{place}[{k!r}]")] for k, v in pairs
            ]
        }
    raise ValueError(
        f"{place} is a {type(value).__name__}, expected a tensor, number, string, None, "
        "or dicts, lists and tuples of those"
    )


def _is_channels_last(tensor: Tensor) -> bool:
    channels_last = tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return channels_last and not tensor.is_contiguous()


def _unpack(packed: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(packed, list):
        return [_unpack(item, tensors) for item in packed]
    if not isinstance(packed, dict):
        return packed
    if "tensor" in packed:
        tensor = tensors[packed["tensor"]]
        # a fused optimizer needs its moments in the same memory order as the weights
        last = packed.get("channels_last", False)
        return tensor.contiguous(memory_format=torch.channels_last) if last else tensor
    if "tuple" in packed:
        return tuple(_unpack(item, tensors) for item in packed["tuple"])
    return {_unpack(key, tensors): _unpack(value, tensors) for key, value in packed["dict"]}
