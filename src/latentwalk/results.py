"""Results on disk: frozen dataclasses as `<item>.json` and `<item>.npz`, without pickles.

The JSON holds numbers, words and the key of all that the result depends on; the npz holds the
arrays. A saved result is used when its key is the one of now and its checksum fits; otherwise it
is made again, so a measurement runs once although the document's cells run once for each format.
"""

import dataclasses
import hashlib
import json
import math
import re
import types
import typing
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from latentwalk.sealed import tensor_digest
from problemset import file_io, workspace
from problemset.source_code import dependencies

Result = TypeVar("Result")
_ARRAY = "array"  # a JSON object with this one entry stands for an array of the npz file
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


class ResultError(ValueError):
    """A saved result that is missing, damaged, or made from something else."""


def obtain(
    item: str, function: Callable[..., Result], weights_key: str, **arguments: Any
) -> Result:
    """Load the saved result of `function(**arguments)`; call the function where there is none.

    What comes back was always read from the files, so that it does not depend on whether it was
    made now. A `torch.Generator` among the arguments is copied: the caller's does not move.

    Args:
        item: names the files, such as `2b` (letters, digits, `-` and `_`).
        function: of a module, with the frozen dataclass it returns in its annotation.
        weights_key: of the weights that the networks among the arguments came from, recorded.
        arguments: networks, digits, results, generators, arrays and plain values; all count.

    Raises:
        ValueError: an item that is no file name, or an argument that cannot be keyed.
        WriteError: when the results' folder cannot be written.
    """
    made_from = {
        "function": f"{function.__module__}.{function.__qualname__}",
        "code": dependencies(function, *_classes(arguments), packages=["latentwalk"]),
        "weights": weights_key,
        "arguments": fingerprint(arguments),
    }
    kind = typing.get_type_hints(function)["return"]
    try:
        return load(item, kind, made_from)
    except ResultError:
        pass
    copies = {name: _copy_generator(value) for name, value in arguments.items()}
    save(item, function(**copies), made_from)
    return load(item, kind, made_from)


def save(item: str, result: Any, made_from: Mapping[str, Any]) -> None:
    """Write a result; what was there before stays until each file is complete.

    Args:
        item: names the files.
        result: a dataclass of arrays, numbers, strings, and lists, dicts or dataclasses of them.
        made_from: all that it depends on, as JSON has it.

    Raises:
        ValueError: a field of another type, or a number that is not finite.
        WriteError: when the folder cannot be written.
    """
    json_path, npz_path = _files(item)
    arrays: dict[str, Any] = {}
    content = {"item": item, "made_from": made_from, "torch": torch.__version__}
    content["values"] = _encode(result, "", arrays)
    content["checksum"] = _checksum(content, arrays)
    with file_io.atomic_path(npz_path) as temporary:
        np.savez_compressed(temporary, **arrays)
    with file_io.atomic_path(json_path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", "utf-8")


def load(item: str, kind: type[Result], made_from: Mapping[str, Any] | None = None) -> Result:
    """Read a saved result back.

    Args:
        item: names the files.
        kind: the dataclass it was.
        made_from: what it must depend on; anything, if left out.

    Raises:
        ResultError: missing, damaged, of another kind, or made from something else.
    """
    json_path, npz_path = _files(item)
    try:
        content = json.loads(json_path.read_text("utf-8"))
        if made_from is not None and content["made_from"] != json.loads(json.dumps(made_from)):
            raise ResultError(f"{json_path} was made from other weights, arguments or code")
        with npz_path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        if content.pop("checksum") != _checksum(content, arrays):
            raise ResultError(f"{json_path} or {npz_path.name} was altered or belongs to another")
        return _decode(content["values"], kind, arrays)
    except ResultError:
        raise
    except _UNREADABLE as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else "is damaged"
        raise ResultError(f"result {item} in {json_path.parent} {reason}: {error}") from error


def fingerprint(value: Any) -> Any:
    """Describe an argument as JSON has it, so that equal values and only they get the same text.

    Raises:
        ValueError: for a value of a type that cannot be described.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, Tensor):
        return f"{value.dtype} {tuple(value.shape)} {tensor_digest({'': value})}"
    if isinstance(value, torch.Generator):
        return f"generator {value.device} {tensor_digest({'': value.get_state()})}"
    if isinstance(value, nn.Module):
        config = fingerprint(getattr(value, "config", None))
        return [type(value).__name__, config, tensor_digest(value.state_dict())]
    if dataclasses.is_dataclass(value):
        fields = {f.name: fingerprint(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return [type(value).__name__, fields]
    if isinstance(value, Mapping):
        return {str(name): fingerprint(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [fingerprint(entry) for entry in value]
    got = f"an argument of type {type(value).__name__} cannot be keyed"
    raise ValueError(f"{got}, expected networks, arrays, generators, dataclasses or plain values")


def _classes(value: Any) -> set[type]:
    """The classes of networks and dataclasses among arguments: their methods count as code."""
    if isinstance(value, Mapping):
        return set().union(*map(_classes, value.values()))
    return (
        {type(value)} if isinstance(value, nn.Module) or dataclasses.is_dataclass(value) else set()
    )


def _copy_generator(value: Any) -> Any:
    if not isinstance(value, torch.Generator):
        return value
    copy = torch.Generator(value.device)
    copy.set_state(value.get_state())
    return copy


def _files(item: str) -> tuple[Path, Path]:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", item):
        raise ValueError(f"item is {item!r}, expected letters, digits, '-' and '_', such as '2b'")
    folder = workspace.results_dir()
    return folder / f"{item}.json", folder / f"{item}.npz"


def _checksum(content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    described = json.dumps(fingerprint(arrays), sort_keys=True)
    return hashlib.sha256(f"{text}\n{described}".encode()).hexdigest()


def _encode(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """Turn a value into JSON, putting its arrays aside under dotted names."""
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:  # objects would be pickled
        arrays[name] = value
        return {_ARRAY: name}
    if dataclasses.is_dataclass(value):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {k: _encode(v, f"{name}.{k}".lstrip("."), arrays) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(entry, f"{name}.{n}", arrays) for n, entry in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}, expected a finite number")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    got = f"{name} is a {type(value).__name__}"
    raise ValueError(f"{got}, expected arrays, numbers, strings, or collections of them")


def _decode(value: Any, kind: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Undo `_encode`, guided by the type that is expected."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        kind = next(arm for arm in inner if (arm is types.NoneType) == (value is None))
        return None if value is None else _decode(value, kind, arrays)
    if kind is np.ndarray or origin is np.ndarray:
        return arrays[value[_ARRAY]]
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = {name: _decode(entry, hints[name], arrays) for name, entry in value.items()}
        return kind(**fields)  # type: ignore[operator]
    if origin is dict:
        return {name: _decode(entry, inner[1], arrays) for name, entry in value.items()}
    if origin in (list, tuple):
        each = inner if origin is tuple and inner[-1] is not ... else [inner[0]] * len(value)
        return origin(_decode(entry, k, arrays) for entry, k in zip(value, each, strict=True))
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"got {value!r}, expected {kind}")
    return value
