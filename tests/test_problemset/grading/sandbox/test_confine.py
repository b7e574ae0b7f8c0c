"""A program that nobody trusts, and what it must not be able to do."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from problemset.grading.sandbox import confine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's own means")


def open_to_all(folder):
    """Let every user enter a folder of a test."""
    for each in (folder, *folder.parents):
        if each != Path(tempfile.gettempdir()) and each.is_relative_to(tempfile.gettempdir()):
            each.chmod(0o755)


@pytest.fixture
def folder(tmp_path):
    """A folder that the program may have, with the words that hold here and its user."""
    own = tmp_path / "own"
    own.mkdir()
    open_to_all(own)
    words, uid = confine.possible(own, [Path(sys.executable), Path(os.__file__)])
    if "files" not in words and "user" not in words:
        pytest.skip("this system confines nothing")
    os.chown(own, uid, uid)
    return own, words, uid


def runs(folder, code, *arguments):
    """What a confined program prints."""
    own, _, uid = folder
    command = [sys.executable, "-I", confine.__file__, str(own), str(uid), "--"]
    command += [sys.executable, "-I", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr.strip().rpartition("\n")[2]


def needs(folder, word):
    if word not in folder[1]:
        pytest.skip(f"this system has no means against it: {word}")


def test_it_writes_in_its_folder(folder):
    code = (
        "import sys, pathlib; p = pathlib.Path(sys.argv[1]); p.mkdir(); (p / 'a').write_text('x');"
    )
    code += (
        "(p / 'a').rename(p / 'b'); (p / 'b').unlink(); (p / 'c').symlink_to('/'); print('done')"
    )
    assert runs(folder, code, folder[0] / "new") == "done\n"
    assert runs(folder, "open('/dev/null', 'w').write('x'); print('done')") == "done\n"


@pytest.mark.parametrize(
    "act",
    [
        "p.write_text('changed')",
        "p.unlink()",
        "p.rename(p.with_name('moved'))",
        "p.with_name('new').write_text('x')",
        "p.with_name('new').mkdir()",
        "os.truncate(p, 0)",
        "p.with_name('new').symlink_to(p)",
        "os.link(p, own / 'linked'); (own / 'linked').unlink()",
        "(own / 'link').symlink_to(p); (own / 'link').write_text('changed')",
    ],
)
def test_it_changes_nothing_outside(folder, act):
    outside = folder[0].parent / "outside"
    outside.mkdir(mode=0o777)
    outside.chmod(0o777)
    file = outside / "file"
    file.write_text("kept")
    file.chmod(0o666 if "files" in folder[1] else 0o644)  # Landlock stands above permissions
    code = (
        f"import os, sys, pathlib; own, p = map(pathlib.Path, sys.argv[1:]); {act}; print('done')"
    )
    said = runs(folder, code, folder[0], file)
    if "files" not in folder[1]:
        pytest.skip("this system has no means against it: files")
    assert "done" not in said
    assert "Error" in said
    assert [path.name for path in outside.iterdir()] == ["file"]
    assert file.read_text() == "kept"


def test_it_reaches_no_network(folder):
    needs(folder, "network")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5); print('done')"
        said = runs(folder, code)
        assert "unreachable" in said or "PermissionError" in said
    names = runs(folder, "import socket; print([name for _, name in socket.if_nameindex()])")
    assert set(json.loads(names.replace("'", '"'))) <= {"lo", "tunl0", "sit0", "ip6tnl0", "gre0"}


def test_it_neither_signals_nor_traces_others(folder):
    needs(folder, "signals")
    with subprocess.Popen(["sleep", "60"]) as other:
        assert "PermissionError" in runs(
            folder, f"import os; os.kill({other.pid}, 9); print('done')"
        )
        reads = f"print(open('/proc/{other.pid}/environ').read())"
        assert "PermissionError" in runs(folder, reads)
        assert other.poll() is None
        other.kill()


def test_it_is_nobody_and_cannot_become_anybody(folder):
    code = "import os; print(os.getuid(), open('/proc/self/status').read())"
    said = runs(folder, code)
    fields = dict(line.split(":\t", 1) for line in said.splitlines() if ":\t" in line)
    assert fields["NoNewPrivs"] == "1"
    assert int(fields["CapEff"], 16) == 0
    assert int(fields["CapPrm"], 16) == 0
    if "user" in folder[1]:
        assert int(said.split()[0]) == folder[2] != os.geteuid()


def test_what_it_must_read_decides_the_user(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    open_to_all(tmp_path)
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    (hidden / "library").write_text("")
    words, uid = confine.possible(tmp_path, [hidden / "library"])
    assert uid == os.geteuid()
    assert "user" not in words
    words, uid = confine.possible(tmp_path, [Path("/")])
    assert uid != os.geteuid()
    assert "user" in words
    assert confine.possible(tmp_path, [tmp_path / "absent"]) == ([], os.geteuid())


def test_a_connection_file_is_copied_to_where_it_can_be_read(folder):
    source = folder[0].parent / "connection of jupyter.json"
    source.write_text('{"key": "secret"}')
    source.chmod(0o600)
    code = "import sys; print(sys.argv[2], open(sys.argv[2]).read())"
    said = runs(folder, code, "-f", source)
    assert said == f'{folder[0] / "connection.json"} {{"key": "secret"}}\n'
    assert source.exists()
