"""Sealed files: tensors and one JSON text in the safetensors format, never a pickle.

The header contains the text and the text's SHA-256; the text contains the SHA-256 over all tensors.
So a single changed bit is detected anywhere in the file.
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

WeightsProblem = Literal["missing", "damaged", "stale", "misfit"]


class WeightsError(ValueError):
    """Weights are missing, damaged, stale, or do not fit the network."""

    def __init__(self, message: str, problem: WeightsProblem = "damaged") -> None:
        super().__init__(message)
        self.problem: WeightsProblem = problem


class CheckpointError(WeightsError):
    """A training checkpoint is missing or damaged."""


def tensor_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the names, types, shapes and bytes of tensors, in order of name."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name}\n{tensor.dtype}\n{tuple(tensor.shape)}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Make tensors writable by safetensors: contiguous, on the CPU, without shared memory."""
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
        path: the file to create or replace.
        tensors: tensors by name, of any shape, on any device.
        content: further content as JSON values; `tensor_digest` is added.

    Raises:
        WriteError: the folder is read-only or full; an existing file is unchanged.
    """
    ready = _apart(tensors)
    text = json.dumps({**content, "tensor_digest": tensor_digest(ready)}, sort_keys=True)
    header = {"latentwalk": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    with file_io.atomic_path(path) as temporary:
        temporary.touch()
        usual_mode = temporary.stat().st_mode
        try:
            save_file(ready, temporary, metadata=header)
            temporary.chmod(usual_mode)  # safetensors makes it private
        except SafetensorError as error:
            raise file_io.WriteError(
                f"cannot write {path}: {error}; make room or make the folder writable"
            ) from error


def _refuse_foreign(path: Path) -> None:
    """Reject a file whose first bytes are not safetensors, before any reader opens it."""
    if path.exists() and not path.is_file():  # opening a pipe would block forever
        raise WeightsError(f"{path} is not a regular file, expected a safetensors file")
    with path.open("rb") as stream:
        start = stream.read(9)
    if len(start) < 9:
        raise WeightsError(f"{path} is cut short: it has {len(start)} bytes")
    if start[8:] != b"{":  # eight bytes of length come first, then the JSON header
        pickled = start.startswith((b"PK\x03\x04", b"\x80"))
        what = "a pickle or a zip archive of pickles" if pickled else "not a safetensors file"
        why = ", which can run code when loaded and is refused unread" if pickled else ""
        raise WeightsError(f"{path} is {what}{why}; expected a safetensors file")


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read and verify a file; return its tensors, on the CPU, and its JSON content.

    Raises:
        WeightsError: the file is missing or damaged in any way.
    """
    try:
        _refuse_foreign(path)
        with safe_open(path, framework="pt", device="cpu") as stored:
            header = stored.metadata() or {}
            # cloned, because the tensors are memory-mapped: if another program truncates the file,
            # reading them would kill this process
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
