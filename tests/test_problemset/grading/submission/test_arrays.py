import io
import json
import os
import struct
import tracemalloc
import zlib
from dataclasses import dataclass

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from problemset.grading.submission.arrays import ArrayLimits, ArraysError, read_arrays

MIB = 1 << 20
TYPES = [
    "?",
    "i1",
    "i2",
    "i4",
    "i8",
    "u1",
    "u2",
    "u4",
    "u8",
    "f2",
    "f4",
    "f8",
    "U3",
    ">i4",
    ">f8",
    ">U2",
]


def npy(values):
    """What numpy.save writes."""
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def npy_as_told(shape, descr="'<f8'", body=b"", order=False, version=(1, 0), pad=""):
    """A .npy file with whatever header."""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}{pad}\n".encode()
    length = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + length + text + body


def deflate(content):
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


@dataclass
class Member:
    """One entry of a zip archive; whatever is set replaces the honest value."""

    content: bytes
    name: bytes = b"x.npy"
    local_name: bytes | None = None
    packed: bytes | None = None
    method: int = 0
    local_method: int | None = None
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    flags: int = 0
    start: int | None = None

    def written(self):
        honest = deflate(self.content) if self.method == 8 else self.content
        packed = honest if self.packed is None else self.packed
        crc = zlib.crc32(self.content) if self.crc is None else self.crc
        size = len(self.content) if self.size is None else self.size
        packed_size = len(packed) if self.packed_size is None else self.packed_size
        return packed, (crc, packed_size, size)


def npz(*members, count=None, end=b"", directory_size=None, on_this_disk=None):
    """A zip archive as told."""
    data, directory = bytearray(), bytearray()
    for m in members:
        packed, sizes = m.written()
        local_name = m.name if m.local_name is None else m.local_name
        local_method = m.method if m.local_method is None else m.local_method
        start = len(data) if m.start is None else m.start
        data += (
            struct.pack(
                "<4s5H3I2H", b"PK\3\4", 20, m.flags, local_method, 0, 33, *sizes, len(local_name), 0
            )
            + local_name
            + packed
        )
        directory += (
            struct.pack(
                "<4s6H3I5H2I",
                b"PK\1\2",
                20,
                20,
                m.flags,
                m.method,
                0,
                33,
                *sizes,
                len(m.name),
                0,
                0,
                0,
                0,
                0,
                start,
            )
            + m.name
        )
    count = len(members) if count is None else count
    size = len(directory) if directory_size is None else directory_size
    here = count if on_this_disk is None else on_this_disk
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, here, count, size, len(data), 0)
    return bytes(data + directory + tail + end)


HONEST = npy(np.arange(6.0).reshape(2, 3))


@pytest.fixture
def read(tmp_path):
    """Writes an archive and reads it."""

    def write_and_read(content, **limits):
        path = tmp_path / "2b.npz"
        path.write_bytes(content)
        return read_arrays(path, ArrayLimits(**limits))

    return write_and_read


def refusal(read, content, **limits):
    with pytest.raises(ArraysError) as caught:
        read(content, **limits)
    message = str(caught.value)
    assert "\n" not in message
    assert "2b.npz: " in message
    assert len(message) < 500
    return message


def sample(dtype, shape):
    """Distinct values of a type, as far as it has as many."""
    numbers = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    return (numbers % 2 if dtype == "?" else numbers).astype(dtype)


def assert_same(got, expected):
    assert got.dtype == expected.dtype.newbyteorder("="), "in this machine's byte order"
    assert got.shape == expected.shape
    np.testing.assert_array_equal(got, expected)
    assert got.flags.writeable
    assert got.flags.aligned


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", TYPES)
def test_honest_arrays_come_back(tmp_path, save, dtype):
    saved = {
        "images": sample(dtype, (4, 1, 3, 2)),
        "rows.0.label_shares": sample(dtype, (7,)),
        "fortran": np.asfortranarray(sample(dtype, (3, 4))),
        "scalar": sample(dtype, ()),
        "empty": sample(dtype, (0, 10)),
    }
    save(tmp_path / "a.npz", **saved)
    found = read_arrays(tmp_path / "a.npz")
    assert list(found) == list(saved)
    for name, array in saved.items():
        assert_same(found[name], array)
    found["images"][...] = found["images"][0, 0, 0, 0]
    assert_same(found["rows.0.label_shares"], saved["rows.0.label_shares"])


def test_an_archive_without_arrays_is_honest(tmp_path):
    np.savez(tmp_path / "a.npz")
    assert read_arrays(tmp_path / "a.npz") == {}


def test_large_arrays_come_back(tmp_path):
    """More than one piece of packed and of unpacked bytes."""
    rng = np.random.default_rng(0)
    noise, zeros = rng.normal(size=(500, 784)), np.zeros((500, 784), np.float32)
    np.savez_compressed(tmp_path / "a.npz", noise=noise, zeros=zeros)
    found = read_arrays(tmp_path / "a.npz")
    assert_same(found["noise"], noise)
    assert_same(found["zeros"], zeros)


def test_arrays_that_end_just_behind_a_piece_come_back(read):
    """The inflater then keeps the last bytes to itself although it has all its input."""
    for size in range(65_400, 65_500):
        content = npy(np.zeros(size, np.uint8))
        assert_same(read(npz(Member(content, method=8)))["x"], np.zeros(size, np.uint8))


DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
    hnp.unicode_string_dtypes(endianness="?", max_len=4),
).filter(lambda dtype: dtype.kind != "f" or dtype.itemsize <= 8)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)


@settings(max_examples=100, deadline=None)
@given(st.data(), DTYPES, SHAPES, st.sampled_from("CF"), st.booleans())
def test_round_trip(tmp_path_factory, data, dtype, shape, order, packed):
    characters = st.characters(codec="utf-8")  # the others are refused
    elements = hnp.from_dtype(dtype, alphabet=characters, allow_nan=False, allow_infinity=False)
    array = np.array(data.draw(hnp.arrays(dtype, shape, elements=elements)), order=order)
    path = tmp_path_factory.getbasetemp() / "round_trip.npz"
    (np.savez_compressed if packed else np.savez)(path, a=array)
    assert_same(read_arrays(path)["a"], array)


@pytest.mark.parametrize("method", [0, 8])
def test_the_archives_below_are_honest_but_for_one_change(tmp_path, read, method):
    content = npz(Member(HONEST, method=method), Member(HONEST, b"y.npy", method=method))
    (found := read(content)).pop("y")
    assert_same(found.pop("x"), np.arange(6.0).reshape(2, 3))
    assert found == {}
    with np.load(tmp_path / "2b.npz") as stored:
        np.testing.assert_array_equal(stored["y"], np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("pad", ["", " ", "  ", "   "])
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_values_behind_a_header_of_any_length_are_aligned(read, pad, version):
    body = np.array([1.0, -2.0]).tobytes()
    found = read(npz(Member(npy_as_told((2,), body=body, pad=pad, version=version))))
    assert_same(found["x"], np.array([1.0, -2.0]))


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([Member(HONEST), Member(HONEST)], "has array x 2 times, expected each name once"),
        ([Member(HONEST, flags=1)], "has the entry x.npy, which is encrypted"),
        ([Member(HONEST, flags=0x2000)], "is of an unknown kind (flags 0x2000)"),
        ([Member(HONEST, method=12)], "packed by method 12, expected 0 (stored) or 8 (deflated)"),
        ([Member(HONEST, method=14)], "packed by method 14"),
        ([Member(HONEST, b"../x.npy")], "has an entry '../x.npy', expected a plain name"),
        ([Member(HONEST, b"/x.npy")], "has an entry '/x.npy'"),
        ([Member(HONEST, b"a/x.npy")], "has an entry 'a/x.npy'"),
        ([Member(HONEST, b"x\n.npy")], r"has an entry 'x\n.npy'"),
        ([Member(HONEST, b"x.npy\n")], r"has an entry 'x.npy\n'"),
        ([Member(HONEST, b"x\xff.npy")], r"has an entry 'x\\xff.npy'"),
        ([Member(HONEST, "é.npy".encode())], "has an entry 'é.npy'"),
        ([Member(HONEST, b"x.npy\0.pkl")], r"has an entry 'x.npy\x00.pkl'"),
        ([Member(HONEST, b".npy")], "has an entry '.npy'"),
        ([Member(HONEST, b"x" * 60_000)], "xxx...', expected a plain name"),
        ([Member(HONEST, b"x")], "has an entry 'x'"),
        ([Member(HONEST, local_name=b"y.npy")], "describes array x in two ways"),
        ([Member(HONEST, local_method=8)], "describes array x in two ways"),
        ([Member(HONEST, start=1)], "describes array x in two ways"),
        ([Member(HONEST, start=10**9)], "has array x past its end"),
        ([Member(HONEST), Member(HONEST, b"y.npy", start=0)], "has array y overlap another"),
        ([Member(HONEST, packed_size=len(HONEST) + 1)], "has array x run past the data"),
        ([Member(HONEST, packed_size=2**32 - 1)], "has array x run past the data"),
        ([Member(HONEST, crc=7)], "array x was altered: its checksum"),
        ([Member(HONEST, method=8, packed=b"\xff" * 20)], "array x cannot be unpacked"),
        ([Member(HONEST, method=8, packed=deflate(HONEST)[:-1])], "array x is cut short"),
        ([Member(HONEST, method=8, packed=b"")], "array x is cut short"),
        ([Member(HONEST, method=8, packed=deflate(HONEST) + b"!")], "x has bytes after its end"),
        (
            [Member(HONEST, method=8, packed=deflate(HONEST) + b"!" * 70_000)],
            "x has bytes after its end",
        ),
        ([Member(HONEST, packed=HONEST + b"!")], "unpacks to more than the 176 bytes"),
        ([Member(HONEST, packed=HONEST[:-1])], "unpacks to 175 bytes, expected the 176 declared"),
        ([Member(HONEST, size=100)], "unpacks to more than the 100 bytes that it declares"),
        ([Member(HONEST, method=8, size=100)], "unpacks to more than the 100 bytes"),
        ([Member(HONEST, size=200)], "176 bytes, expected the 200 declared"),
        ([Member(HONEST, size=2**32 - 1)], "array x has 4294967295 bytes unpacked, expected at"),
        ([Member(b"")], "array x is empty, expected an array"),
        ([Member(b"", method=8)], "array x has no sound .npy header"),
    ],
)
def test_an_archive_that_lies_is_refused(read, members, words):
    assert words in refusal(read, npz(*members))


def test_an_entry_without_its_own_header_is_refused(read):
    content = npz(Member(HONEST)).replace(b"PK\3\4", b"PK\3\5")
    assert "describes array x in two ways" in refusal(read, content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"\0" * 100,
        b"\x80\x04K\x01.",
        HONEST,
        npz(Member(HONEST), end=b"!"),
        b"!" + npz(Member(HONEST)),
        npz(Member(HONEST))[:-1],
        npz(Member(HONEST), directory_size=50),
        npz(Member(HONEST), on_this_disk=0),
        npz(Member(HONEST)).replace(b"PK\1\2", b"PK\1\3"),
        npz(Member(HONEST), count=2),
        npz(Member(HONEST), Member(HONEST, b"y.npy"), count=1),
    ],
)
def test_what_is_no_archive_is_refused(read, content):
    message = refusal(read, content)
    assert "no .npz file, or damaged; expected" in message or "do not hold 1 entries" in message


def test_a_pickle_is_not_run(read, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "run"),)

    array = np.array([Bomb()], dtype=object)
    assert "array x has the type object, expected bool" in refusal(read, npz(Member(npy(array))))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("descr", "itemsize", "words"),
    [
        ("'|O'", 8, "has the type object"),
        ("[('a', '<f4')]", 4, "has the type [('a', '<f4')]"),
        ("[('a', '|O')]", 8, "has the type [('a', 'O')]"),
        ("('<f4', (2,))", 8, "has the type"),
        ("'f4,f4'", 8, "has the type"),
        ("'<c8'", 8, "has the type complex64"),
        ("'<f16'", 16, "has the type float128"),
        ("'<M8[s]'", 8, "has the type datetime64"),
        ("'|S4'", 4, "has the type |S4"),
        ("'|V4'", 4, "has the type |V4"),
        ("'<U0'", 0, "has the type <U0"),
        ("'bogus'", 4, "has no sound .npy header"),
        ("None", 8, "has no sound .npy header"),
    ],
)
def test_only_plain_types_are_read(read, descr, itemsize, words):
    content = npy_as_told((3,), descr, bytes(3 * itemsize))
    assert f"array x {words}" in refusal(read, npz(Member(content)))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("(2, 2)", "has the shape (2, 2) of float64, which is 32 bytes, expected the 24"),
        ("(4,)", "which is 32 bytes, expected the 24 that are there"),
        ("(2,)", "which is 16 bytes, expected the 24 that are there"),
        ("()", "which is 8 bytes, expected the 24 that are there"),
        ("(0,)", "which is 0 bytes, expected the 24 that are there"),
        ("(-3,)", "has the shape (-3,), expected lengths of at least 0"),
        ("(-1, -3)", "has the shape (-1, -3), expected lengths of at least 0"),
        ("(3,) + (1,)", "has no sound .npy header"),
        ("(3.0,)", "has no sound .npy header"),
        ("[3]", "has no sound .npy header"),
        ("3", "has no sound .npy header"),
        ("(3, 1, 1, 1, 1, 1, 1, 1, 1)", "of 9 axes, expected at most 8"),
        ("(1342177280,)", "which is 10737418240 bytes, expected the 24 that are there"),
        ("(" + "9" * 800 + ",)", "expected the 24 that are there"),
        ("(" + "9" * 5000 + ",)", "has no sound .npy header"),
        ("(" * 900 + ")" * 900, "has no sound .npy header"),
        ("-" * 900 + "1", "has no sound .npy header"),
        (r"'\d'", "has no sound .npy header"),  # Python warns of it
        ("(3L,)", "has no sound .npy header"),  # of Python 2, which NumPy repairs with a warning
    ],
)
def test_a_header_that_lies_is_refused(read, shape, words):
    message = refusal(read, npz(Member(npy_as_told(shape, body=bytes(24)))))
    assert "2b.npz: array x has " in message
    assert words in message


@pytest.mark.parametrize(
    "content",
    [
        b"\x93NUMPY",
        b"\x93NUMPX" + HONEST[6:],
        npy_as_told((3,), body=bytes(24), version=(3, 0)),
        npy_as_told((3,), body=bytes(24), version=(9, 9)),
        b"\x93NUMPY\x01\x00\xff\xff" + HONEST[10:],
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + HONEST[10:],
        b"\x93NUMPY\x01\x00\x04\x00None" + bytes(24),
        npy_as_told((3,), body=bytes(24), pad=" " * 1000),
        npy_as_told((3,), order=2, body=bytes(24)),
    ],
)
def test_a_damaged_header_is_refused(read, content):
    assert "array x has no sound .npy header" in refusal(read, npz(Member(content)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
def test_numbers_are_finite(tmp_path, bad, dtype):
    values = np.ones((3, 4), dtype)
    values[1, 2] = bad
    np.savez(tmp_path / "a.npz", fine=np.ones(2), worse=values)
    with pytest.raises(ArraysError) as caught:
        read_arrays(tmp_path / "a.npz")
    words = "array worse has 1 of 12 values NaN or infinite, expected finite numbers"
    assert str(caught.value) == f"{tmp_path / 'a.npz'}: {words}"
    found = read_arrays(tmp_path / "a.npz", ArrayLimits(finite=False))
    assert_same(found["worse"], values)


def test_truth_values_count_as_one_at_most(read):
    content = npy_as_told((3,), "'|b1'", bytes([0, 1, 200]))
    assert "truth values that are neither 0 nor 1" in refusal(read, npz(Member(content)))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("code", [0x110000, 0xFFFFFFFF, 0xD800, 0xDFFF])
def test_text_is_unicode(read, code, order):
    body = struct.pack(order + "2I", 65, code)
    content = npy_as_told((1,), f"'{order}U2'", body)
    assert "has text that is not Unicode" in refusal(read, npz(Member(content)))


@pytest.mark.parametrize("text", ["\ud7ff", "\ue000", "\U0010ffff", "0"])
def test_text_at_the_edges_is_read(tmp_path, text):
    np.savez(tmp_path / "a.npz", a=np.array([text, "b"]))
    assert read_arrays(tmp_path / "a.npz")["a"].tolist() == [text, "b"]


def bomb(zeros):
    """A deflated run of zeros, of whole MiB: one block is packed and repeated, so it is quick."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (zeros // MIB) + packer.flush()


def peak_bytes(function, *arguments, **options):
    tracemalloc.start()
    try:
        function(*arguments, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


GIB = 1 << 30
FULL = npy_as_told((4 * MIB // 8 - 16,), pad=" " * 55)  # 128 bytes, which the zeros fill to 4 MiB


@pytest.mark.parametrize(
    ("size", "start", "words"),
    [
        (GIB, npy_as_told((GIB // 8,)), "bytes unpacked, expected at most 4194304"),
        (176, HONEST, "unpacks to more than the 176 bytes that it declares"),
        (4 * MIB, b"", "has no sound .npy header"),
        (4 * MIB, FULL, "unpacks to more than the 4194304 bytes that it declares"),
    ],
)
def test_a_bomb_is_refused_within_the_limit(read, size, start, words):
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH) + bomb(GIB)
    content = npz(Member(b"", method=8, packed=packed, size=size))
    assert len(content) < 2 * MIB
    messages = []
    peak = peak_bytes(lambda: messages.append(refusal(read, content, array_bytes=4 * MIB)))
    assert words in messages[0]
    assert peak < len(content) + 6 * MIB


def test_the_bomb_is_one(tmp_path, read):
    assert len(zlib.decompress(bomb(3 * MIB), -zlib.MAX_WBITS)) == 3 * MIB
    zeros = npz(Member(FULL + bytes(4 * MIB - len(FULL)), method=8))
    assert len(FULL) == 128
    assert read(zeros, array_bytes=4 * MIB)["x"].nbytes == 4 * MIB - 128


def test_ten_gigabytes_over_a_hundred_bytes_take_no_memory(read):
    content = npz(Member(npy_as_told((10**10 // 8,), body=bytes(100))))
    assert peak_bytes(refusal, read, content) < MIB


def test_a_large_array_takes_its_size_and_the_file_s(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.zeros(MIB))
    assert peak_bytes(read_arrays, tmp_path / "a.npz") < 2.5 * 8 * MIB


def test_the_directory_s_length_is_bounded_by_the_count(read):
    """`zipfile` would read a million entries here although one is announced."""
    content = npz(*[Member(b"", b"%05d.npy" % n) for n in range(20_000)], count=1)
    peak = peak_bytes(refusal, read, content)
    assert peak < 2 * len(content) + MIB


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("file_bytes", 546, "has 546 bytes, expected at most 545"),
        ("arrays", 2, "has 2 arrays, expected at most 1"),
        ("array_bytes", 176, "array x has 176 bytes unpacked, expected at most 175"),
        ("total_bytes", 352, "has 352 bytes unpacked, expected at most 351"),
        ("dimensions", 2, "array x has the shape (2, 3) of 2 axes, expected at most 1"),
    ],
)
def test_limits_are_exact(read, limit, value, words):
    content = npz(Member(HONEST), Member(HONEST, b"y.npy"))
    assert len(content) == 546
    assert set(read(content, **{limit: value})) == {"x", "y"}
    assert words in refusal(read, content, **{limit: value - 1})
    with pytest.raises(ValueError, match=f"{limit} is 0, expected a whole number"):
        ArrayLimits(**{limit: 0})


def test_empty_arrays_do_not_hide_long_axes(read):
    """A sum over the empty axis would have as many values as the other axis is long."""
    content = npz(Member(npy_as_told((0, 1000))))
    assert read(content, array_bytes=8000)["x"].shape == (0, 1000)
    assert "expected axes that span at most 7999" in refusal(read, content, array_bytes=7999)
    refusal(read, npz(Member(npy_as_told((0, 10**30)))))


def test_files_that_cannot_be_read_are_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    np.savez(tmp_path / "a.npz", a=np.ones(2))
    (tmp_path / "link.npz").symlink_to(tmp_path / "a.npz")
    with pytest.raises(ArraysError, match=r"pipe.npz: is a named pipe, expected a file$"):
        read_arrays(tmp_path / "pipe.npz")
    with pytest.raises(ArraysError, match=r"link.npz: is a symbolic link, expected a file$"):
        read_arrays(tmp_path / "link.npz")
    with pytest.raises(ArraysError, match=r"absent\\nfile.npz: cannot be opened: No such file"):
        read_arrays(tmp_path / "absent\nfile.npz")


ARCHIVE = npz(Member(HONEST, method=8), Member(npy(np.array(["ab", "c"])), b"y.npy"))


def arrays_or_reason(path):
    try:
        return read_arrays(path), ""
    except ArraysError as error:
        return None, str(error)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(ARCHIVE) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, len(ARCHIVE)),
)
def test_a_damaged_archive_is_read_as_it_was_or_refused(tmp_path_factory, changes, length):
    content = bytearray(ARCHIVE)
    for place, value in changes:
        content[place] = value
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(content if length % 2 else content[:length])
    found, reason = arrays_or_reason(path)
    assert reason.isprintable()
    if found is not None:
        np.testing.assert_equal(list(found.values()), [np.arange(6.0).reshape(2, 3), ["ab", "c"]])


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.sampled_from("{}()[],:'\"\\-0123456789<>|fiuObUV descrshapTFl\n\0é")), st.binary()
)
def test_any_header_is_read_or_refused(tmp_path_factory, text, body):
    path = tmp_path_factory.getbasetemp() / "header.npz"
    for content in (npy_as_told(text, body=body), npy_as_told((3,), text, body=body)):
        path.write_bytes(npz(Member(content)))
        found, reason = arrays_or_reason(path)
        assert reason.isprintable()
        if found is not None:
            json.dumps([array.tolist() for array in found.values()], allow_nan=False)
