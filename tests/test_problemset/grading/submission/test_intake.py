import contextlib
import errno
import json
import os
import socket
import stat
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from problemset import file_io
from problemset.grading.submission import intake, safe_files
from problemset.grading.submission.intake import IntakeError, IntakeLimits, read_json, take_in

HONEST = {
    "report.ipynb": b"{}",
    "report.pdf": b"%PDF-1.7\n\xff",
    "student.yml": b"name: null\n",
    "results/2b.json": b'{"values": 1}',
    "results/2b.npz": bytes(range(256)) * 5000,
    "results/3a-times_0.1.json": b"",
    "weights/gan.safetensors": b"\0" * 1000,
}
PLACES = ["report.pdf", "results/2b.npz", "weights/gan.safetensors", "notes", "results/notes"]


@pytest.fixture
def folder(tmp_path):
    """An honest submission."""
    folder = tmp_path / "submission"
    for name, content in HONEST.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture
def scratch(tmp_path):
    return tmp_path / "scratch"


def within(seconds, function, *arguments):
    """Call a function that might wait for ever."""
    answers = []

    def call():
        try:
            answers.append(function(*arguments))
        except Exception as error:
            answers.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    assert answers, "it waits"
    if isinstance(answers[0], Exception):
        raise answers[0]
    return answers[0]


def content_of(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and not p.is_symlink()
    }


def assert_only_missing(taken, *names):
    """The copy is the honest submission but for some files, and says the same of itself."""
    expected = {name: content for name, content in HONEST.items() if name not in names}
    assert content_of(taken.folder) == expected
    assert set(taken.files) == set(expected)


def test_an_honest_submission_is_copied(folder, scratch):
    taken = take_in(folder, scratch)
    assert taken.files == tuple(HONEST)
    assert_only_missing(taken)
    assert taken.refused == {}
    assert taken.ignored == ()


def test_the_copy_is_private_and_fresh(folder, scratch):
    first, second = take_in(folder, scratch), take_in(folder, scratch)
    assert first.folder != second.folder
    assert first.folder.parent == second.folder.parent == scratch
    assert stat.S_IMODE(first.folder.stat().st_mode) == 0o700
    for name, content in HONEST.items():
        (folder / name).write_bytes(b"changed " + content)
    assert_only_missing(first)


def test_the_original_is_left_untouched(folder, scratch):
    (folder / "link").symlink_to("report.pdf")
    for name in HONEST:
        (folder / name).chmod(0o444)

    def look():
        found = sorted([folder, *folder.rglob("*")])
        return [(p, p.lstat().st_mode, p.lstat().st_mtime_ns, p.lstat().st_ino) for p in found]

    before, content = look(), content_of(folder)
    take_in(folder, scratch)
    assert look() == before
    assert content_of(folder) == content


def test_what_is_missing_is_no_error(tmp_path, scratch):
    (tmp_path / "empty").mkdir()
    taken = take_in(tmp_path / "empty", scratch)
    assert (taken.files, taken.refused, taken.ignored) == ((), {}, ())
    assert content_of(taken.folder) == {}


def test_what_is_not_named_is_ignored(folder, scratch):
    others = [
        "README.md",
        "results/2b.png",
        "results/gan.safetensors",
        "weights/2b.npz",
        "results/.2b.3f.npz",
        "weights/._gan.safetensors",
        "report.pdf.bak",
        "Report.pdf",
        "2b.npz",
        "results/2b.npz.txt",
        ".student.yml",
    ]
    for name in others:
        (folder / name).write_bytes(b"?")
    (folder / "code" / "results").mkdir(parents=True)
    (folder / "code" / "results" / "2b.npz").write_bytes(b"?")
    (folder / "results" / "more").mkdir()
    taken = take_in(folder, scratch)
    assert_only_missing(taken)
    assert sorted(taken.ignored) == sorted([*others, "code", "results/more"])
    assert taken.refused == {}


def test_the_assignment_may_name_more(folder, scratch):
    names = ["essay.md", "data/raw/times.csv", "data/notes.txt", "results/plot.png"]
    for name in (*names, "data/raw/other.csv", "data/more/times.csv", "essay.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, "utf-8")
    taken = take_in(folder, scratch, names=[*names, "data/absent.csv"])
    assert set(taken.files) == set(names) | set(HONEST)
    assert {(taken.folder / name).read_text("utf-8") for name in names} == set(names)
    assert sorted(taken.ignored) == ["data/more", "data/raw/other.csv", "essay.txt"]
    assert taken.refused == {}


def test_a_named_file_behind_a_link_is_refused(folder, scratch):
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "times.csv").touch()
    (folder / "data").symlink_to("elsewhere")
    taken = take_in(folder, scratch, names=["data/times.csv"])
    assert "data/times.csv" not in taken.files
    assert "data" in taken.refused


@pytest.mark.parametrize("made", ["nothing", "file", "link", "pipe"])
def test_what_is_no_folder_is_no_submission(tmp_path, folder, scratch, made):
    path = tmp_path / "no\nsubmission"
    if made == "file":
        path.write_bytes(b"")
    elif made == "link":
        path.symlink_to(folder)
    elif made == "pipe":
        os.mkfifo(path)
    reasons = {
        "nothing": "cannot be opened: No such file or directory",
        "file": "is a file, expected a folder",
        "pipe": "is a named pipe, expected a folder",
        "link": "is a symbolic link, expected a folder",
    }
    with pytest.raises(IntakeError) as caught:
        within(20, take_in, path, scratch)
    assert str(caught.value) == f"submission {tmp_path}/no\\nsubmission: {reasons[made]}"
    assert not scratch.exists()


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(path.parent):
        server.bind(path.name)  # a socket's path must be short


def make_device(path):
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero, which never ends
    except PermissionError:
        pytest.skip("only root can make a device")


MAKE = {
    "link": lambda path: path.symlink_to("/etc/passwd"),
    "link to nothing": lambda path: path.symlink_to("absent"),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to folder": lambda path: path.symlink_to("/etc"),
    "pipe": os.mkfifo,
    "socket": make_socket,
    "device": make_device,
}
KIND = {
    "link": "a symbolic link",
    "pipe": "a named pipe",
    "socket": "a socket",
    "device": "a device",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("made", MAKE)
def test_what_is_no_file_is_refused_for_itself(folder, scratch, made, place):
    (folder / place).unlink(missing_ok=True)
    MAKE[made](folder / place)
    taken = within(20, take_in, folder, scratch)
    expected = "only files and folders" if "notes" in place else "a file"
    assert taken.refused == {place: f"is {KIND[made.split()[0]]}, expected {expected}"}
    assert taken.ignored == ()
    assert_only_missing(taken, place)
    assert not any(path.is_symlink() for path in taken.folder.rglob("*"))


@pytest.mark.parametrize("place", PLACES[:3])
def test_a_folder_is_no_file(folder, scratch, place):
    (folder / place).unlink()
    (folder / place).mkdir()
    taken = take_in(folder, scratch)
    assert taken.refused == {place: "is a folder, expected a file"}
    assert_only_missing(taken, place)


@pytest.mark.parametrize("made", ["file", "link to folder", "pipe", "device"])
def test_results_must_be_a_folder_of_the_submission(tmp_path, folder, scratch, made):
    (folder / "results").rename(tmp_path / "elsewhere")
    if made == "file":
        (folder / "results").write_bytes(b"")
    elif made == "link to folder":
        (folder / "results").symlink_to(tmp_path / "elsewhere")
    else:
        MAKE[made](folder / "results")
    taken = within(20, take_in, folder, scratch)
    kind = {**KIND, "file": "a file"}[made.split()[0]]
    assert taken.refused == {"results": f"is {kind}, expected a folder"}
    assert_only_missing(taken, *[name for name in HONEST if name.startswith("results/")])


@pytest.mark.parametrize("made", MAKE)
@pytest.mark.parametrize("place", ["results/2b.npz", "results"])
def test_a_swap_between_the_look_and_the_opening_gains_nothing(
    monkeypatch, tmp_path, folder, scratch, made, place
):
    look = safe_files.kind_of

    def look_then_swap(name, parent=None):
        kind = look(name, parent)
        if name == Path(place).name:
            (folder / place).rename(tmp_path / "away")
            MAKE[made](folder / place)
        return kind

    monkeypatch.setattr(safe_files, "kind_of", look_then_swap)
    taken = within(20, take_in, folder, scratch)
    assert list(taken.refused) == [place]
    stopped_by = "became a" if made in ("pipe", "device") else "cannot be opened: "
    assert taken.refused[place].startswith(stopped_by)
    assert_only_missing(taken, *[name for name in HONEST if name.startswith(place)])


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")
def test_no_file_stays_open(monkeypatch, folder, scratch):
    os.mkfifo(folder / "results" / "pipe.npz")
    monkeypatch.setattr(
        safe_files,
        "kind_of",
        lambda name, parent=None: (
            "a folder" if name in (folder, "results", "weights") else "a file"
        ),
    )
    before = {p.name for p in Path("/proc/self/fd").iterdir()}
    taken = within(20, take_in, folder, scratch, IntakeLimits(file_bytes=1000))
    assert set(taken.refused) == {"results/pipe.npz", "results/2b.npz"}
    assert {p.name for p in Path("/proc/self/fd").iterdir()} == before


@pytest.mark.parametrize("call", ["open", "read", "scandir"])
def test_a_file_that_cannot_be_read_is_refused_for_itself(monkeypatch, folder, scratch, call):
    real = getattr(os, call)
    place = "results" if call == "scandir" else "results/2b.npz"
    target = (folder / place).stat()

    def fail(what, *arguments, **options):
        if what == "2b.npz" if call == "open" else os.path.samestat(os.fstat(what), target):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(what, *arguments, **options)

    monkeypatch.setattr(os, call, fail)
    taken = take_in(folder, scratch)
    monkeypatch.undo()
    verb = {"open": "opened", "read": "read", "scandir": "listed"}[call]
    assert list(taken.refused) == [place]
    assert taken.refused[place].startswith(f"cannot be {verb}: Input/output error")
    assert_only_missing(taken, *[name for name in HONEST if name.startswith(place)])


@pytest.mark.parametrize(("change", "words"), [(1, "grew"), (10**6, "grew"), (-1, "shrank")])
def test_a_file_that_changes_while_it_is_read_is_refused(
    monkeypatch, folder, scratch, change, words
):
    target, read = folder / "results/2b.npz", os.read
    size = target.stat().st_size

    def read_and_change(descriptor, count):
        piece = read(descriptor, count)
        if os.path.samestat(os.fstat(descriptor), target.stat()):
            os.truncate(target, size + change)
        return piece

    monkeypatch.setattr(os, "read", read_and_change)
    taken = within(
        20, take_in, folder, scratch, IntakeLimits(file_bytes=size, total_bytes=2 * size)
    )
    monkeypatch.undo()
    reason = f"{words} while it was read, expected {size} bytes throughout"
    assert taken.refused == {"results/2b.npz": reason}
    assert_only_missing(taken, "results/2b.npz")


def test_a_file_that_never_stops_growing_is_read_to_its_size(monkeypatch, tmp_path):
    path, taken, read = tmp_path / "a.json", [], os.read
    path.write_bytes(b" " * 1000)

    def read_and_append(descriptor, count):
        with path.open("ab") as stream:
            stream.write(b" " * 1000)
        taken.append(len(piece := read(descriptor, count)))
        return piece

    monkeypatch.setattr(os, "read", read_and_append)
    with pytest.raises(IntakeError, match="grew while it was read"):
        within(20, read_json, path, 10_000)
    assert sum(taken) <= 1001


def test_a_file_of_a_terabyte_is_refused_unread(folder, scratch):
    with (folder / "report.pdf").open("r+b") as stream:
        stream.truncate(1 << 40)
    started = time.process_time()
    taken = take_in(folder, scratch)
    assert time.process_time() - started < 2
    assert taken.refused == {"report.pdf": f"has {1 << 40} bytes, expected at most {64 << 20}"}
    assert_only_missing(taken, "report.pdf")


TOTAL = sum(map(len, HONEST.values()))


@pytest.mark.parametrize(
    ("limit", "value", "refused"),
    [
        (
            "file_bytes",
            1_280_000,
            {"results/2b.npz": "has 1280000 bytes, expected at most 1279999"},
        ),
        (
            "total_bytes",
            TOTAL,
            {
                "weights/gan.safetensors": f"has 1000 bytes after {TOTAL - 1000} of other files, "
                f"expected at most {TOTAL - 1} together"
            },
        ),
        ("files", 7, {"weights/gan.safetensors": "is one file too many, expected at most 6"}),
        ("entries", 5, {".": "holds more than 4 names, expected at most 4"}),
    ],
)
def test_limits_are_exact(folder, scratch, limit, value, refused):
    assert take_in(folder, scratch, IntakeLimits(**{limit: value})).refused == {}
    taken = take_in(folder, scratch, IntakeLimits(**{limit: value - 1}))
    assert taken.refused == refused
    assert_only_missing(taken, *(HONEST if "." in refused else refused))
    for bad in (0, 1.5):
        with pytest.raises(ValueError, match=f"{limit} is {bad}, expected a whole number"):
            IntakeLimits(**{limit: bad})


def test_refused_files_take_no_room(folder, scratch):
    (folder / "results/0.npz").write_bytes(bytes(10_000))
    limits = IntakeLimits(file_bytes=9_999, total_bytes=9_999)
    assert set(take_in(folder, scratch, limits).refused) == {"results/0.npz", "results/2b.npz"}


def test_thousands_of_files_are_refused_at_once(folder, scratch):
    for number in range(3000):
        (folder / "results" / f"{number}.json").touch()
    taken = take_in(folder, scratch)
    assert taken.refused == {"results": "holds more than 2000 names, expected at most 2000"}
    assert_only_missing(taken, *[name for name in HONEST if name.startswith("results/")])


def test_an_endless_folder_is_not_listed_to_its_end(monkeypatch, folder, scratch):
    listed = []

    @contextlib.contextmanager
    def endless(opened):
        def entries():
            while len(listed) < 10_000:
                listed.append(f"{len(listed)}.json")
                yield SimpleNamespace(name=listed[-1])

        yield entries()

    monkeypatch.setattr(os, "scandir", endless)
    assert list(take_in(folder, scratch, IntakeLimits(entries=20)).refused) == ["."]
    assert len(listed) == 21


def test_of_many_ignored_names_a_few_are_listed(folder, scratch):
    for number in range(20):
        (folder / f"{number:02}.txt").touch()
    names = tuple(f"{number:02}.txt" for number in range(20))
    assert take_in(folder, scratch, IntakeLimits(ignored=20)).ignored == names
    assert take_in(folder, scratch, IntakeLimits(ignored=18)).ignored == (
        *names[:18],
        "... and 2 more",
    )


ODD_NAMES = {
    b"a\nb": r"a\nb",
    b"\x1b[31mred": r"\x1b[31mred",
    b"\xff": r"\udcff",
    "right\u202eleft".encode(): r"right\u202eleft",
    b"a b": "a b",
    b"-rf": "-rf",
    b"it's": "it's",
    "ü".encode(): "ü",
    b"n" * 240: "n" * 240,
}


def test_odd_names_are_shown_on_one_line(folder, scratch):
    for name in ODD_NAMES:
        for place in (b"results/%s.npz", b"weights/%s"):
            Path(os.fsdecode(os.fsencode(folder) + b"/" + place % name)).write_bytes(b"?")
    taken = take_in(folder, scratch)
    plain = "n" * 240
    odd = [shown for shown in ODD_NAMES.values() if shown != plain]
    reason = "has an unusual name, expected letters, digits, '-', '_' and '.'"
    assert taken.refused == {f"results/{name}.npz": reason for name in odd}
    assert set(taken.ignored) == {f"weights/{name}" for name in ODD_NAMES.values()}
    assert set(taken.files) == {*HONEST, f"results/{plain}.npz"}
    for line in (*taken.refused, *taken.ignored):
        assert line.isprintable()


def test_a_long_name_is_shortened():
    assert safe_files.shown("n" * 30, 30) == "n" * 30
    assert safe_files.shown("n" * 31, 30) == "n" * 27 + "..."


def test_a_scratch_folder_that_cannot_be_written_is_named(monkeypatch, tmp_path, folder, scratch):
    (tmp_path / "file").touch()
    with pytest.raises(file_io.WriteError, match="cannot write in"):
        take_in(folder, tmp_path / "file")

    def full(path, *arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(intake.Path, "open", full)
    with pytest.raises(
        file_io.WriteError, match=r"report.ipynb: No space left on device; make room"
    ):
        take_in(folder, scratch)


@pytest.fixture
def load(tmp_path):
    """Writes a JSON file and reads it."""

    def write_and_read(content, *arguments):
        path = tmp_path / "2b.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return read_json(path, *arguments)

    return write_and_read


def refusal(load, content, *arguments):
    with pytest.raises(IntakeError) as caught:
        load(content, *arguments)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 500
    return message.partition("2b.json: ")[2]


NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None)
@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_honest_json_comes_back(tmp_path_factory, value, escaped, indent):
    path = tmp_path_factory.getbasetemp() / "honest.json"
    path.write_text(json.dumps(value, ensure_ascii=escaped, indent=indent), "utf-8")
    assert read_json(path) == value


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"a": NaN}', "has the number NaN, expected finite numbers"),
        ("[Infinity]", "has the number Infinity, expected finite numbers"),
        ("-Infinity", "has the number -Infinity, expected finite numbers"),
        ("1e309", "has the number 1e309, expected finite numbers"),
        ("-1" + "0" * 400 + ".5", "has the number -1000"),
        ("1" * 301, "has an integer of 301 digits, expected at most 300"),
        ("-" + "1" * 5000, "has an integer of 5000 digits, expected at most 300"),
        ('{"a": 1, "b": 2, "a": 1}', "has 'a' twice, expected each name once"),
        ('[{"b": {"a\\n": 1, "a\\u000a": 2}}]', r"has 'a\n' twice"),
        ('{"' + "n" * 900 + '": 1, "' + "n" * 900 + '": 1}', "nnn...' twice"),
        ('"\\ud800"', "is not JSON in UTF-8 ("),
        ('{"\\udc00\\ud800": 1}', "is not JSON in UTF-8 ("),
        (b'"\xff"', "is not JSON in UTF-8 ('utf-8' codec can't decode byte 0xff"),
        ('{"a": 1}'.encode("utf-16"), "is not JSON in UTF-8 ("),
        ("", "is not JSON in UTF-8 (Expecting value: line 1 column 1 (char 0))"),
        ("{'a': 1}", "is not JSON in UTF-8 (Expecting property name"),
        ("[1, 2", "is not JSON in UTF-8 ("),
        ("[1] [2]", "is not JSON in UTF-8 (Extra data"),
        ("]", "is not JSON in UTF-8 ("),
        ('"\\', "has text that does not end, expected a closing quote"),
        ('["a]', "has text that does not end, expected a closing quote"),
        ("[" * 33 + "]" * 33, "nests more than 32 deep, expected at most 32"),
        ('{"a":' * 33 + "1" + "}" * 33, "nests more than 32 deep"),
        ("[" * 100_000, "nests more than 32 deep"),
        ('"\\"[' + "[" * 40 + '", ' + "[" * 33, "nests more than 32 deep"),
    ],
)
def test_json_with_a_catch_is_refused(load, content, words):
    assert words in refusal(load, content)


def test_the_mark_that_some_editors_write_first_is_no_catch(tmp_path):
    (tmp_path / "marked.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / "marked.json") == {"a": 1}


@pytest.mark.parametrize(
    "content",
    [
        "[" * 32 + "]" * 32,
        "[" + "[]," * 100 + "{}]",
        json.dumps("[" * 100),
        json.dumps('"' + "[{" * 100),
        json.dumps("\\" + "[" * 100),
        json.dumps(["\\", "[" * 50, '\\"', "[" * 50]),
        json.dumps("\U0001f600"),
        '"\\\\ud800"',
        "1" * 300,
        "-1.7e308",
        " \n1\n",
    ],
)
def test_json_at_the_edges_is_read(load, content):
    assert load(content) == json.loads(content)


def test_the_largest_integer_is_finite_as_a_float(load):
    assert float(load("9" * 300)) < float("inf")


def test_depth_never_exhausts_the_parser(load):
    assert "recursion" in refusal(load, "[" * 100_000 + "]" * 100_000, 10**6, 10**6)


def test_the_size_of_a_json_file_is_bounded(load):
    assert load("[1, 2]", 6) == [1, 2]
    assert refusal(load, "[1, 2]", 5) == "has 6 bytes, expected at most 5"


@pytest.mark.parametrize("content", ['"' + '\\"' * 20_000, '"' + "\\" * 40_001, '[""' * 10_000])
def test_text_without_end_takes_no_time(load, content):
    started = time.process_time()
    refusal(load, content)
    assert time.process_time() - started < 0.5


def test_a_long_text_is_read(load):
    text = 'a"\\[' * 500_000
    assert load(json.dumps(text)) == text


@pytest.mark.parametrize("made", ["link", "pipe", "socket", "device"])
def test_json_comes_from_files_only(tmp_path, made):
    path = tmp_path / "2b.json"
    MAKE[made](path)
    with pytest.raises(IntakeError, match=f"2b.json: is {KIND[made]}, expected a file"):
        within(20, read_json, path)


def test_a_missing_json_file_is_named(tmp_path):
    with pytest.raises(IntakeError) as caught:
        read_json(tmp_path / "absent\n.json")
    assert str(caught.value) == f"{tmp_path}/absent\\n.json: cannot be opened: {os.strerror(2)}"
