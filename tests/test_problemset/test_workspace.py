import errno
import os
import subprocess
import sys
import threading

import pytest
from listening import Listener, listening

from latentwalk import paths
from problemset import file_io, workspace


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("LATENTWALK_")]:
        monkeypatch.delenv(name)


def make_project(folder):
    folder.mkdir(parents=True)
    (folder / "report.qmd").touch()
    (folder / "_quarto.yml").touch()
    return folder


def run_python(code, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_root_is_the_nearest_folder_above_with_both_files(tmp_path, monkeypatch):
    make_project(tmp_path / "outer")
    inner = make_project(tmp_path / "outer" / "inner")
    below = inner / "a" / "b"
    below.mkdir(parents=True)
    (below / "report.qmd").touch()  # one of the two files is not enough
    monkeypatch.chdir(below)
    assert workspace.project_root() == inner


def test_root_falls_back_to_the_source_tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = workspace.project_root()
    assert (root / "src" / "problemset" / "workspace.py").samefile(workspace.__file__)


def test_root_from_the_environment_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path / "project"))
    monkeypatch.setenv("LATENTWALK_ROOT", str(tmp_path))
    assert workspace.project_root() == tmp_path
    assert paths.released_weights_dir() == tmp_path / "assets" / "weights"
    assert workspace.report_file() == tmp_path / "report.qmd"
    assert workspace.student_file() == tmp_path / "student.yml"
    assert workspace.rubric_file() == tmp_path / "rubric.yml"


def test_no_root_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workspace, "__file__", str(tmp_path / "a" / "b" / "paths.py"))
    with pytest.raises(
        workspace.ProjectNotFoundError, match=r"report\.qmd.*set LATENTWALK_ROOT"
    ) as got:
        workspace.project_root()
    assert "\n" not in str(got.value)


def test_root_that_is_no_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTWALK_ROOT", str(tmp_path / "nowhere"))
    with pytest.raises(workspace.ProjectNotFoundError, match="nowhere, which is not a folder"):
        workspace.project_root()


def test_build_and_cache_follow_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTWALK_BUILD", str(tmp_path / "made"))
    monkeypatch.setenv("LATENTWALK_CACHE", "~/kept")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LATENTWALK_DATA", " ")  # blank counts as not set
    inside = [workspace.results_dir(), paths.checkpoints_dir(), paths.built_weights_dir()]
    assert {folder.parent for folder in inside} == {tmp_path / "made"}
    assert len(set(inside)) == 3
    assert paths.data_cache() == tmp_path / "kept"
    assert paths.user_data_dir() is None


def test_defaults_without_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path / "project"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    caches = "Library/Caches" if sys.platform == "darwin" else ".cache"
    assert workspace.build_dir() == tmp_path / "project" / "build"
    assert paths.data_cache() == tmp_path / caches / "latentwalk" / "mnist"


def test_the_user_s_cache_folder_is_followed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert paths.data_cache() == tmp_path / "caches" / "latentwalk" / "mnist"
    monkeypatch.setenv("LATENTWALK_CACHE", str(tmp_path / "kept"))
    assert paths.data_cache() == tmp_path / "kept"


def test_a_user_without_home_folder_is_told_what_to_set(monkeypatch):
    for name in ("HOME", "XDG_CACHE_HOME", "LATENTWALK_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])
    with pytest.raises(workspace.ProjectNotFoundError, match="set LATENTWALK_CACHE to a folder"):
        paths.data_cache()


def test_relative_folders_do_not_move_with_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LATENTWALK_DATA", "digits")
    assert paths.user_data_dir() == tmp_path / "digits"


def test_atomic_path_makes_folders_and_keeps_the_suffix(tmp_path):
    target = tmp_path / "new" / "deep" / "figure.svg"
    with file_io.atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".svg"
        temporary.write_text("done")
        assert not target.exists()
    assert target.read_text() == "done"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_broken_write_leaves_what_was_there(tmp_path, error):
    target = tmp_path / "result.json"
    target.write_text("good")

    def write_half():
        with file_io.atomic_path(target) as temporary:
            temporary.write_text("ha")
            raise error

    with pytest.raises(error):
        write_half()
    assert target.read_text() == "good"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "build").write_text("a file where a folder should be")
    with (
        pytest.raises(
            file_io.WriteError, match=r"cannot write in .*build.*LATENTWALK_BUILD"
        ) as got,
        file_io.atomic_path(tmp_path / "build" / "x.json"),
    ):
        pass
    assert "\n" not in str(got.value)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_full_or_read_only_folder_is_one_line(tmp_path, code):
    with (
        pytest.raises(file_io.WriteError, match=os.strerror(code)),
        file_io.atomic_path(tmp_path / "x.json"),
    ):
        raise OSError(code, os.strerror(code))


def test_an_error_about_another_file_is_passed_on(tmp_path):
    with (
        pytest.raises(PermissionError, match="elsewhere"),
        file_io.atomic_path(tmp_path / "x.json"),
    ):
        raise PermissionError(errno.EACCES, "Permission denied", "/elsewhere")


def test_really_running_out_of_room_keeps_the_old_file(tmp_path):
    target = tmp_path / "x.bin"
    target.write_bytes(b"good")
    code = (
        "import resource, sys; from pathlib import Path; from problemset import file_io\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        f"    with file_io.atomic_path(Path({str(target)!r})) as t: t.write_bytes(bytes(2000))\n"
        "except file_io.WriteError as error: print(error)"
    )
    output, _ = run_python(code).communicate(timeout=120)
    assert output.startswith("cannot write in ")
    assert target.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [target]


def test_many_writers_never_show_half_a_file(tmp_path):
    target = tmp_path / "shared"
    contents = {bytes([65 + n]) * 50_000 for n in range(4)}

    def write(content):
        for _ in range(20):
            with file_io.atomic_path(target) as temporary:
                temporary.write_bytes(content)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    seen = set()
    while any(thread.is_alive() for thread in threads):
        if target.exists():
            seen.add(target.read_bytes())
    for thread in threads:
        thread.join()
    assert seen
    assert seen <= contents
    assert list(tmp_path.iterdir()) == [target]


HOLD = (
    "from latentwalk import paths\nfrom problemset import workspace\n"
    "with workspace.build_lock(wait=False):\n"
    "    print('held', flush=True); input()"
)


@pytest.fixture
def other_holder(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTWALK_BUILD", str(tmp_path))
    process = run_python(HOLD)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_lock_held_elsewhere_raises_and_names_the_process(other_holder):
    with (
        pytest.raises(workspace.BuildBusyError, match=f"process {other_holder.pid} is working in"),
        workspace.build_lock(wait=False),
    ):
        pass


def test_lock_waits_with_one_line(other_holder):
    class Ends(Listener):
        def emit(self, record):
            super().emit(record)
            other_holder.stdin.write("\n")  # lets the other process end
            other_holder.stdin.flush()

    with listening(Ends()) as said, workspace.build_lock():
        assert len(said) == 1
        assert f"process {other_holder.pid}" in said[0]


def test_lock_of_a_killed_process_is_free(other_holder):
    other_holder.kill()
    other_holder.wait()
    with workspace.build_lock(wait=False):
        pass


def test_lock_passes_through_inside_itself_and_in_children(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTWALK_BUILD", str(tmp_path))
    with workspace.build_lock(wait=False), workspace.build_lock(wait=False):
        child = run_python(HOLD)
        assert child.communicate("\n", timeout=120)[0] == "held\n"
        stranger = run_python(HOLD, PROBLEMSET_BUILD_LOCKED="")
        assert "BuildBusyError" in stranger.communicate("\n", timeout=120)[0]
    with workspace.build_lock(wait=False):  # it was released
        pass


def test_lock_in_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / ".lock").mkdir()
    monkeypatch.setenv("LATENTWALK_BUILD", str(tmp_path))
    with pytest.raises(file_io.WriteError, match="cannot write in"), workspace.build_lock():
        pass


def test_importing_paths_is_light():
    code = "import sys; from latentwalk import paths; print('torch' in sys.modules)"
    assert run_python(code).communicate(timeout=120)[0] == "False\n"


def test_folders_as_variables_lead_another_process_to_the_same_places(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTWALK_BUILD", str(tmp_path / "made"))
    monkeypatch.delenv("LATENTWALK_DATA", raising=False)
    assert "LATENTWALK_DATA" not in paths.as_environment()
    monkeypatch.setenv("LATENTWALK_DATA", str(tmp_path / "digits"))
    variables = paths.as_environment()
    assert variables["LATENTWALK_DATA"] == str((tmp_path / "digits").resolve())
    here = [workspace.project_root(), workspace.build_dir(), paths.data_cache()]
    monkeypatch.setenv("HOME", str(tmp_path / "another home"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    there = [workspace.project_root(), workspace.build_dir(), paths.data_cache()]
    assert there == [folder.resolve() for folder in here]
