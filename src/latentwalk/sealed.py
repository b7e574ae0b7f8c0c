"""Sealed files: tensors and one JSON text in the safetensors format, never a pickle.

The header carries the text and the text's SHA-256; the text carries the SHA-256 over all tensors.
So one changed bit is found wherever it is.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from problemset import file_io

Fault = Literal["missing", "damaged", "stale", "misfit"]


class WeightsError(ValueError):
    """Weights that are missing, damaged, stale, or do not fit the network."""

    def __init__(self, message: str, fault: Fault = "damaged") -> None:
        super().__init__(message)
        self.fault: Fault = fault


class CheckpointError(WeightsError):
    """A half-finished training that is missing or damaged."""


def tensor_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the names, types, shapes and bytes of tensors, in order of name."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name}\n{tensor.dtype}\n{tuple(tensor.shape)}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What safetensors can write: contiguous, on the CPU, and no two sharing memory."""
    ready: dict[str, Tensor] = {}
    addresses = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        address = plain.untyped_storage().data_ptr()
        ready[name] = plain.clone() if address in addresses else plain
        addresses.add(address)
    return ready


def write(path: Path, tensors: Mapping[str, Tensor], content: Mapping[str, Any]) -> None:
    """Write a sealed file atomically.

    Args:
        path: the file to be made or replaced.
        tensors: name to tensor, of any shape, on any device.
        content: what else to keep, as JSON has it; `tensor_digest` is added.

    Raises:
        WriteError: when the folder is read-only or full; what was there before stays.
    """
    ready = _apart(tensors)
    text = json.dumps({**content, "tensor_digest": tensor_digest(ready)}, sort_keys=True)
    header = {"latentwalk": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    with file_io.atomic_path(path) as temporary:
        temporary.touch()
        usual_mode = temporary.stat().st_mode
        try:
            save_file(ready, temporary, metadata=header)
            temporary.chmod(usual_mode)  # safetensors lets nobody else read it
        except SafetensorError as error:
            raise file_io.WriteError(
                f"cannot write {path}: {error}; make room or make the folder writable"
            ) from error


def _refuse_foreign(path: Path) -> None:
    """Turn away what is not safetensors by its first bytes, before any reader sees it."""
    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        raise WeightsError(f"{path} is not a regular file, expected a safetensors file")
    with path.open("rb") as stream:
        start = stream.read(9)
    if len(start) < 9:
        raise WeightsError(f"{path} is cut short: it has {len(start)} bytes")
    if start[8:] != b"{":  # after eight bytes of length, the header is JSON
        pickled = start.startswith((b"PK\x03\x04", b"\x80"))
        what = "a pickle or a zip archive of pickles" if pickled else "not a safetensors file"
        why = ", which can run code when loaded and is refused unread" if pickled else ""
        raise WeightsError(f"{path} is {what}{why}; expected a safetensors file")


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors, on the CPU, and the JSON content of an intact file.

    Raises:
        WeightsError: when it is missing or damaged in whatever way.
    """
    try:
        _refuse_foreign(path)
        with safe_open(path, framework="pt", device="cpu") as stored:
            header = stored.metadata() or {}
            # cloned, because a mapped file that another program shortens kills this one
            tensors = {name: stored.get_tensor(name).clone() for name in stored.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise WeightsError(f"{path} is missing", "missing") from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}") from error
    except SafetensorError as error:
        raise WeightsError(f"{path} is cut short or was altered ({error})") from error
    text = header.get("latentwalk", "")
    if hashlib.sha256(text.encode()).hexdigest() != header.get("sha256"):
        raise WeightsError(f"{path} was altered, or not written by latentwalk (header's SHA-256)")
    content = json.loads(text)
    if tensor_digest(tensors) != content["tensor_digest"]:
        raise WeightsError(f"{path} was altered: the SHA-256 of its tensors does not match")
    return tensors, content
