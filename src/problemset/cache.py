"""Results on disk: frozen dataclasses as `<item>.json` and `<item>.npz`, without pickles.

The JSON holds numbers, words and the key of everything that the result depends on; the npz holds
the arrays. A saved result is used if its key is still the same and its checksum matches; otherwise
it is computed again. So a measurement runs only once, although the document's cells run once for
each format.
"""

import dataclasses
import functools
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

from problemset import file_io, workspace
from problemset.source_code import dependencies

Result = TypeVar("Result")
_ARRAY = "array"  # a JSON object with this one entry stands for an array of the npz file
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


class ResultError(ValueError):
    """A saved result that is missing, damaged, or made from something else."""


def cached_call(
    item: str,
    function: Callable[..., Result],
    origin: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    **arguments: Any,
) -> Result:
    """Load the saved result of `function(**arguments)`, or call the function if there is none.

    Always returns the value re-read from disk, so fresh and cached results are identical.

    Args:
        item: names the files, such as `2b` (letters, digits, `-` and `_`).
        function: a module-level function, annotated with the frozen dataclass that it returns.
        origin: anything else that the result depends on, as JSON values, such as the weights of
            the networks among the arguments.
        versions: versions of libraries, recorded for readers.
        arguments: all are part of the key; see `fingerprint` for the possible types.

    Raises:
        ValueError: an item that is not a file name, or an argument of an unknown type.
        WriteError: the results' folder cannot be written.
    """
    made_from = {
        "function": f"{function.__module__}.{function.__qualname__}",
        "code": dependencies(function, *classes(arguments)),
        **(origin or {}),
        "arguments": fingerprint(arguments),
    }
    kind = typing.get_type_hints(function)["return"]
    try:
        return load(item, kind, made_from)
    except ResultError:
        pass
    # so that drawing from a random generator does not change the caller's
    copies = {name: private_copy(value) for name, value in arguments.items()}
    save(item, function(**copies), made_from, versions)
    return load(item, kind, made_from)


def save(
    item: str,
    result: Any,
    made_from: Mapping[str, Any],
    versions: Mapping[str, str] | None = None,
) -> None:
    """Write a result; an existing file stays until the new one is complete.

    Args:
        item: names the files.
        result: a dataclass of arrays, numbers, strings, and lists, dicts or dataclasses of them.
        made_from: everything that it depends on, as JSON values.
        versions: versions of libraries, recorded for readers.

    Raises:
        ValueError: a field of another type, or a number that is not finite.
        WriteError: when the folder cannot be written.
    """
    json_path, npz_path = _files(item)
    arrays: dict[str, Any] = {}
    content = {"item": item, "made_from": made_from, **(versions or {})}
    content["values"] = _encode(result, "", arrays)
    content["checksum"] = _checksum(content, arrays)
    with file_io.atomic_path(npz_path) as temporary:
        np.savez_compressed(temporary, **arrays)
    # last, because its checksum covers the arrays: half a result is never read as a whole one
    file_io.write(json_path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def load(item: str, kind: type[Result], made_from: Mapping[str, Any] | None = None) -> Result:
    """Read a saved result back.

    Args:
        item: names the files.
        kind: the dataclass it was.
        made_from: what it must depend on; anything if omitted.

    Raises:
        ResultError: missing, damaged, of another kind, or made from something else.
    """
    json_path, npz_path = _files(item)
    try:
        content = json.loads(json_path.read_text("utf-8"))
        # compared as JSON, in which tuples have become lists
        if made_from is not None and content["made_from"] != json.loads(json.dumps(made_from)):
            raise ResultError(f"{json_path} was made from other weights, arguments or code")
        with npz_path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        if content.pop("checksum") != _checksum(content, arrays):
            raise ResultError(
                f"{json_path} or {npz_path.name} was altered, or is of another result"
            )
        return _decode(content["values"], kind, arrays)
    except ResultError:
        raise
    except _UNREADABLE as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else "is damaged"
        raise ResultError(f"result {item} in {json_path.parent} {reason}: {error}") from error


@functools.singledispatch
def fingerprint(value: Any) -> Any:
    """Describe an argument as JSON; two values get the same text if and only if they are equal.

    Other types, such as tensors, are added with `fingerprint.register`.

    Raises:
        ValueError: for a value of a type that cannot be described.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if dataclasses.is_dataclass(value):
        fields = {f.name: fingerprint(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return [type(value).__name__, fields]
    if isinstance(value, Mapping):
        return {str(name): fingerprint(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [fingerprint(entry) for entry in value]
    got = f"an argument of type {type(value).__name__} cannot be keyed"
    raise ValueError(f"{got}, expected arrays, dataclasses, plain values or a registered type")


@functools.singledispatch
def private_copy(value: Any) -> Any:
    """Return what the function gets for an argument: a copy if the call would change it.

    Such types, for example random generators, are added with `private_copy.register`.
    """
    return value


@functools.singledispatch
def classes(value: Any) -> set[type]:
    """The classes of dataclasses among arguments, whose methods count as code.

    Other types, such as networks, are added with `classes.register`.
    """
    if isinstance(value, Mapping):
        return set().union(*map(classes, value.values()))
    return {type(value)} if dataclasses.is_dataclass(value) else set()


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
