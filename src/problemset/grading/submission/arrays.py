"""Arrays that somebody else saved: an .npz file read without pickles and without belief.

What a file says about itself is checked against what is there before memory is given to it.
"""

import io
import math
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.lib import format as npy

from problemset.grading.submission import archive, safe_files
from problemset.grading.submission.archive import Entry
from problemset.grading.submission.safe_files import RefusedError

_HEADER_CHARACTERS = 1024  # an honest one has about 120; a long one can exhaust Python's parser
_START_BYTES = 12 + _HEADER_CHARACTERS
_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = 0xD800 >> 11  # halves of pairs, which are no characters and cannot be printed


class ArraysError(ValueError):
    """A file of arrays that is not to be used; the file, the array and the reason are named."""


@dataclass(frozen=True)
class ArrayLimits:
    """How much one file may hold, and of what."""

    file_bytes: int = 64 << 20
    """Of the file as it lies on disk."""
    arrays: int = 256
    """In one file."""
    array_bytes: int = 128 << 20
    """Of one array with its header; an empty one counts as if each axis had at least length 1."""
    total_bytes: int = 256 << 20
    """Of all arrays together."""
    dimensions: int = 8
    """Axes of an array."""
    finite: bool = True
    """Refuse NaN and infinities."""

    def __post_init__(self) -> None:
        safe_files.check_positive(self)


@dataclass(frozen=True)
class _Layout:
    """What the .npy header says."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype
    offset: int
    """Bytes before the values."""


def read_arrays(path: Path, limits: ArrayLimits = ArrayLimits()) -> dict[str, np.ndarray]:
    """Read an .npz file that anybody may have written.

    Args:
        path: the file, no link.
        limits: how much it may hold. The peak of memory is about twice the file, or the file, its
            arrays and the largest array once more.

    Returns:
        Name to array in the archive's order: bool, integers, floats of at most 64 bits, or text
        of fixed length, in this machine's byte order, writable, sharing memory with nothing.

    Raises:
        ArraysError: names the file, the array, what was got and what was expected, in one line.
    """
    try:
        packed = safe_files.read(path, limits.file_bytes)
        entries = archive.entries(packed, limits.arrays)
        _check_sizes(entries, limits)
        return {entry.name: _array(packed, entry, limits) for entry in entries}
    except RefusedError as error:
        raise ArraysError(f"{safe_files.shown(path)}: {error}") from error


def _check_sizes(entries: list[Entry], limits: ArrayLimits) -> None:
    """Refuse what is too much by its own account; `_unpack` holds every entry to it."""
    for entry in entries:
        if entry.size > limits.array_bytes:
            got = f"array {entry.name} has {entry.size} bytes unpacked"
            raise RefusedError(f"{got}, expected at most {limits.array_bytes}")
    total = sum(entry.size for entry in entries)
    if total > limits.total_bytes:
        raise RefusedError(f"has {total} bytes unpacked, expected at most {limits.total_bytes}")


def _array(packed: bytes, entry: Entry, limits: ArrayLimits) -> np.ndarray:
    """Unpack one array, checked; the reason of a refusal gets its name."""
    try:
        layout, content = _unpack(packed, entry, limits)
        order: Literal["F", "C"] = "F" if layout.fortran_order else "C"
        array = np.ndarray(layout.shape, layout.dtype, content, layout.offset, order=order)
        _check_values(array, content, layout, limits)
    except RefusedError as error:
        raise RefusedError(f"array {entry.name} {error}") from error
    # a header of odd length leaves the values where some libraries do not take them
    return np.require(array, layout.dtype.newbyteorder("="), "A")


def _unpack(packed: bytes, entry: Entry, limits: ArrayLimits) -> tuple[_Layout, bytearray]:
    """All bytes of an entry; the memory grows with what is there, not with what is declared."""
    content = bytearray()
    layout = None
    for piece in archive.pieces(packed, entry):
        content += piece
        if len(content) > entry.size:
            raise RefusedError(f"unpacks to more than the {entry.size} bytes that it declares")
        if layout is None and len(content) >= min(_START_BYTES, entry.size):
            layout = _layout(bytes(content[:_START_BYTES]), entry.size, limits)
    if len(content) != entry.size:
        raise RefusedError(f"unpacks to {len(content)} bytes, expected the {entry.size} declared")
    if layout is None:
        raise RefusedError("is empty, expected an array in the .npy format")
    if zlib.crc32(content) != entry.crc:
        raise RefusedError("was altered: its checksum (CRC-32) does not match")
    return layout, content


def _layout(start: bytes, size: int, limits: ArrayLimits) -> _Layout:
    """Read the .npy header from an entry's first bytes; refuse what does not fit its size."""
    shape, fortran_order, dtype, offset = _header(start)
    plain = dtype.kind in "biu" or (dtype.kind == "f" and dtype.itemsize <= 8)
    if not plain and not (dtype.kind == "U" and dtype.itemsize):
        expected = "expected bool, integers, floats of at most 64 bits, or text of fixed length"
        raise RefusedError(f"has the type {safe_files.shown(dtype, 80)}, {expected}")
    got = f"has the shape {safe_files.shown(shape, 80)}"
    if len(shape) > limits.dimensions:
        raise RefusedError(f"{got} of {len(shape)} axes, expected at most {limits.dimensions}")
    if any(length < 0 for length in shape):
        raise RefusedError(f"{got}, expected lengths of at least 0")
    got, there = f"{got} of {dtype}", size - offset
    if math.prod(shape) * dtype.itemsize != there:
        needed = safe_files.shown(math.prod(shape) * dtype.itemsize, 40)
        raise RefusedError(f"{got}, which is {needed} bytes, expected the {there} that are there")
    # an empty array's other axes cost nothing here, but do in the first sum over the empty one
    if math.prod(max(length, 1) for length in shape) * dtype.itemsize > limits.array_bytes:
        raise RefusedError(f"{got}, expected axes that span at most {limits.array_bytes} bytes")
    return _Layout(shape, fortran_order, dtype, offset)


def _header(start: bytes) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Shape, Fortran order, type, and the header's length in bytes, as NumPy reads them."""
    stream = io.BytesIO(start)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what NumPy finds odd is not for us to repair
            version = npy.read_magic(stream)
            if version not in _READERS:
                raise ValueError(f"version {version}, expected 1.0 or 2.0")
            read = _READERS[version]
            shape, fortran_order, dtype = read(stream, max_header_size=_HEADER_CHARACTERS)
    except Exception as error:  # a parser of foreign text raises nearly everything
        why = safe_files.shown(" ".join(str(error).split()), 120)
        raise RefusedError(f"has no sound .npy header ({type(error).__name__}: {why})") from error
    return tuple(int(length) for length in shape), fortran_order, dtype, stream.tell()


def _check_values(
    array: np.ndarray, content: bytearray, layout: _Layout, limits: ArrayLimits
) -> None:
    """Refuse values that would surprise whoever computes with them or prints them."""
    kind = array.dtype.kind
    if kind == "f" and limits.finite:
        wrong = array.size - np.count_nonzero(np.isfinite(array))
        if wrong:
            got = f"has {wrong} of {array.size} values NaN or infinite"
            raise RefusedError(f"{got}, expected finite numbers")
    elif kind == "b":
        if np.any(array.view(np.uint8) > 1):  # such a truth value counts as 2 or more in a sum
            raise RefusedError("has truth values that are neither 0 nor 1, expected only these")
    elif kind == "U":
        code = np.dtype(np.uint32).newbyteorder(array.dtype.byteorder)
        codes = np.ndarray((array.nbytes // 4,), code, content, layout.offset)
        if np.any((codes > _LAST_CHARACTER) | (codes >> 11 == _SURROGATES)):
            raise RefusedError("has text that is not Unicode, expected characters")
