"""Read the zip archive of an .npz file without trusting what it declares.

`zipfile` is not used for two reasons. It truncates an entry at its declared size, which hides any
further data, and it reads a directory of any length before its entries can be counted.
Source: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
differs: no comment, no further disks, nothing over 4 GiB (zip64), as numpy.savez writes it.
"""

import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from problemset.grading.submission import safe_files
from problemset.grading.submission.safe_files import RefusedError

_END = struct.Struct("<4s4H2IH")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_STORED, _DEFLATED = 0, 8
_HARMLESS_FLAGS = 0x080E  # compression level, sizes repeated after the data, UTF-8 names
_NAME = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,99})\.npy")
_PIECE_BYTES = 1 << 16
_FOREIGN = "is no .npz file, or damaged; expected what numpy.savez writes"


@dataclass(frozen=True)
class Entry:
    """The archive directory's description of one array."""

    name: str
    """Name of the array: letters, digits, `-`, `_` and `.`."""
    deflated: bool
    """Whether the data is deflated; otherwise it is stored as it is."""
    crc: int
    """CRC-32 of the unpacked bytes."""
    packed_bytes: int
    """Size in the archive."""
    size: int
    """Declared size in bytes when unpacked."""
    start: int
    """Offset of its local header."""


def entries(archive: bytes, most: int) -> list[Entry]:
    """Read the directory and validate it as far as is possible without unpacking.

    Args:
        archive: the whole file.
        most: maximum number of entries.

    Returns:
        The entries in the directory's order; no two share a name or a byte.

    Raises:
        RefusedError: says what was found and what was expected.
    """
    end = len(archive) - _END.size
    if end < 0:
        raise RefusedError(_FOREIGN)
    magic, disk, first_disk, here, count, size, start, comment = _END.unpack_from(archive, end)
    plain = (magic, disk, first_disk, here, comment) == (b"PK\5\6", 0, 0, count, 0)
    if not plain or start + size != end:
        raise RefusedError(_FOREIGN)
    if count > most:
        raise RefusedError(f"has {count} arrays, expected at most {most}")
    found: list[Entry] = []
    position = start
    for _ in range(count):
        entry, position = _entry(archive, position)
        found.append(entry)
    if position != end:
        raise RefusedError(f"has a directory of {size} bytes, which do not hold {count} entries")
    for name, times in Counter(entry.name for entry in found).items():
        if times > 1:
            raise RefusedError(f"has array {name} {times} times, expected each name once")
    _check_apart(archive, found, start)
    return found


def _entry(archive: bytes, position: int) -> tuple[Entry, int]:
    """One entry of the directory, and the offset of the next one."""
    names = position + _CENTRAL.size
    if names > len(archive) or not archive.startswith(b"PK\1\2", position):
        raise RefusedError(_FOREIGN)
    fields = _CENTRAL.unpack_from(archive, position)
    flags, method, crc, packed_bytes, size = fields[3], fields[4], *fields[7:10]
    name_length, extra, comment, start = *fields[10:13], fields[16]
    file_name = archive[names : names + name_length].decode("utf-8", "backslashreplace")
    written = safe_files.shown(file_name, 120)
    name = _NAME.fullmatch(file_name)
    if name is None:
        raise RefusedError(f"has an entry '{written}', expected a plain name ending in .npy")
    if flags & ~_HARMLESS_FLAGS:
        what = "encrypted" if flags & 1 else f"of an unknown kind (flags {flags:#06x})"
        raise RefusedError(f"has the entry {written}, which is {what}, expected plain data")
    if method not in (_STORED, _DEFLATED):
        got = f"has the entry {written} packed by method {method}"
        raise RefusedError(f"{got}, expected {_STORED} (stored) or {_DEFLATED} (deflated)")
    entry = Entry(name[1], method == _DEFLATED, crc, packed_bytes, size, start)
    return entry, names + name_length + extra + comment


def _data_start(archive: bytes, entry: Entry) -> int:
    """Offset of an entry's data; its local header must agree with the directory."""
    names = entry.start + _LOCAL.size
    if names > len(archive):
        raise RefusedError(f"has array {entry.name} past its end, expected it inside")
    magic, _, _, method, *_, name_length, extra = _LOCAL.unpack_from(archive, entry.start)
    file_name = archive[names : names + name_length]
    agree = (file_name, method == _DEFLATED) == (f"{entry.name}.npy".encode(), entry.deflated)
    if magic != b"PK\3\4" or not agree:
        raise RefusedError(f"describes array {entry.name} in two ways, expected them to agree")
    return names + name_length + extra


def _check_apart(archive: bytes, found: list[Entry], end: int) -> None:
    """Refuse entries that share bytes, which would let a small file unpack to a large one."""
    free = 0
    for entry in sorted(found, key=lambda entry: entry.start):
        if entry.start < free:
            raise RefusedError(f"has array {entry.name} overlap another, expected them apart")
        free = _data_start(archive, entry) + entry.packed_bytes
        if free > end:
            raise RefusedError(f"has array {entry.name} run past the data, expected it inside")


def pieces(archive: bytes, entry: Entry) -> Iterator[bytes | memoryview]:
    """Unpack an entry piece by piece, so that the caller can stop at any time.

    Args:
        archive: the whole file.
        entry: an entry from `entries`.

    Yields:
        64 KiB at most, whatever the compression ratio.

    Raises:
        RefusedError: when the packed data is damaged, cut short, or followed by something else.
    """
    start = _data_start(archive, entry)
    packed = memoryview(archive)[start : start + entry.packed_bytes]
    parts = (packed[n : n + _PIECE_BYTES] for n in range(0, len(packed), _PIECE_BYTES))
    if not entry.deflated:
        yield from parts
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for part in parts:
            rest: bytes | memoryview = part
            while rest:
                if inflater.eof:
                    raise RefusedError("has bytes after its end, expected none")
                yield inflater.decompress(rest, _PIECE_BYTES)
                rest = inflater.unconsumed_tail or inflater.unused_data
        yield inflater.flush()  # what did not fit into the last piece: less than a kilobyte
    except zlib.error as error:
        raise RefusedError(f"cannot be unpacked: {error}") from error
    if not inflater.eof:
        raise RefusedError("is cut short, expected the end of its packed data")
