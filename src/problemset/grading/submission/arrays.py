"""Read submitted arrays: an .npz file without pickles, none of whose claims is trusted.

What a file declares about itself is checked against its actual content before memory is allocated.
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

_HEADER_CHARACTERS = 1024  # numpy.save writes about 120; a long header can exhaust Python's parser
_START_BYTES = 12 + _HEADER_CHARACTERS
_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = 0xD800 >> 11  # halves of surrogate pairs, which cannot be printed


class ArraysError(ValueError):
    """A file of arrays is not used; the message names the file, the array and the reason."""


@dataclass(frozen=True)
class ArrayLimits:
    """Limits on the size and content of one file."""

    file_bytes: int = 64 << 20
    """Size of the file on disk."""
    arrays: int = 256
    """Number of arrays in one file."""
    array_bytes: int = 128 << 20
    """Size of one array with its header; axes of length 0 are counted as length 1."""
    total_bytes: int = 256 << 20
    """Size of all arrays together."""
    dimensions: int = 8
    """Number of axes of an array."""
    finite: bool = True
    """Whether to refuse NaN and infinities."""

    def __post_init__(self) -> None:
        safe_files.check_positive(self)


@dataclass(frozen=True)
class _Layout:
    """Content of the .npy header."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype
    offset: int
    """Number of bytes before the values."""


def read_arrays(path: Path, limits: ArrayLimits = ArrayLimits()) -> dict[str, np.ndarray]:
    """Read an .npz file from an untrusted source.

    Args:
        path: the file, not a link.
        limits: how much it may hold. Peak memory is about twice the file, or the file plus its
            arrays plus the largest array once more.

    Returns:
        Name to array in the archive's order: bool, integers, floats of at most 64 bits, or text of
        fixed length. The arrays are in this machine's byte order, writable, and share no memory.

    Raises:
        ArraysError: one line that names the file, the array, what was found and what was expected.
    """
    try:
        packed = safe_files.read(path, limits.file_bytes)
        entries = archive.entries(packed, limits.arrays)
        _check_sizes(entries, limits)
        return {entry.name: _array(packed, entry, limits) for entry in entries}
    except RefusedError as error:
        raise ArraysError(f"{safe_files.shown(path)}: {error}") from error


def _check_sizes(entries: list[Entry], limits: ArrayLimits) -> None:
    """Refuse declared sizes that are too large; `_unpack` holds every entry to its declaration."""
    for entry in entries:
        if entry.size > limits.array_bytes:
            got = f"array {entry.name} has {entry.size} bytes unpacked"
            raise RefusedError(f"{got}, expected at most {limits.array_bytes}")
    total = sum(entry.size for entry in entries)
    if total > limits.total_bytes:
        raise RefusedError(f"has {total} bytes unpacked, expected at most {limits.total_bytes}")


def _array(packed: bytes, entry: Entry, limits: ArrayLimits) -> np.ndarray:
    """Unpack and check one array; a refusal's message gets its name."""
    try:
        layout, content = _unpack(packed, entry, limits)
        order: Literal["F", "C"] = "F" if layout.fortran_order else "C"
        array = np.ndarray(layout.shape, layout.dtype, content, layout.offset, order=order)
        _check_values(array, content, layout, limits)
    except RefusedError as error:
        raise RefusedError(f"array {entry.name} {error}") from error
    # after a header of odd length the values are unaligned, which some libraries do not accept
    return np.require(array, layout.dtype.newbyteorder("="), "A")


def _unpack(packed: bytes, entry: Entry, limits: ArrayLimits) -> tuple[_Layout, bytearray]:
    """All bytes of an entry; memory grows with the actual content, not with the declared size."""
    content = bytearray()
    layout = None
    for piece in archive.pieces(packed, entry):
        content += piece
        if len(content) > entry.size:
            raise RefusedError(f"unpacks to more than the {entry.size} bytes that it declares")
        # the header is checked before the rest is unpacked
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
    """Parse the .npy header from an entry's first bytes; refuse one that contradicts its size."""
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
    # in Python's integers, which cannot overflow
    if math.prod(shape) * dtype.itemsize != there:
        needed = safe_files.shown(math.prod(shape) * dtype.itemsize, 40)
        raise RefusedError(f"{got}, which is {needed} bytes, expected the {there} that are there")
    # other axes of an empty array take no memory here, but do in a sum over the empty axis
    if math.prod(max(length, 1) for length in shape) * dtype.itemsize > limits.array_bytes:
        raise RefusedError(f"{got}, expected axes that span at most {limits.array_bytes} bytes")
    return _Layout(shape, fortran_order, dtype, offset)


def _header(start: bytes) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    """Shape, Fortran order, type, and the header's length in bytes, as parsed by NumPy."""
    stream = io.BytesIO(start)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # refuse what NumPy would only warn about
            version = npy.read_magic(stream)
            if version not in _READERS:
                raise ValueError(f"version {version}, expected 1.0 or 2.0")
            read = _READERS[version]
            shape, fortran_order, dtype = read(stream, max_header_size=_HEADER_CHARACTERS)
    except Exception as error:  # parsing untrusted text can raise almost anything
        why = safe_files.shown(" ".join(str(error).split()), 120)
        raise RefusedError(f"has no sound .npy header ({type(error).__name__}: {why})") from error
    return tuple(int(length) for length in shape), fortran_order, dtype, stream.tell()


def _check_values(
    array: np.ndarray, content: bytearray, layout: _Layout, limits: ArrayLimits
) -> None:
    """Refuse values that would cause surprises when they are computed with or printed."""
    kind = array.dtype.kind
    if kind == "f" and limits.finite:
        wrong = array.size - np.count_nonzero(np.isfinite(array))
        if wrong:
            got = f"has {wrong} of {array.size} values NaN or infinite"
            raise RefusedError(f"{got}, expected finite numbers")
    elif kind == "b":
        if np.any(array.view(np.uint8) > 1):  # such a value would count as 2 or more in a sum
            raise RefusedError("has truth values that are neither 0 nor 1, expected only these")
    elif kind == "U":
        code = np.dtype(np.uint32).newbyteorder(array.dtype.byteorder)
        codes = np.ndarray((array.nbytes // 4,), code, content, layout.offset)
        if np.any((codes > _LAST_CHARACTER) | (codes >> 11 == _SURROGATES)):
            raise RefusedError("has text that is not Unicode, expected characters")
