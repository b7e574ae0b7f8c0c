import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import setup_venv  # noqa: E402

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)


def make(*words, folder=ROOT, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "LATENTWALK"))}
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_comes_first_and_lists_every_target():
    first = re.search(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
    assert first[1] == "help"
    done = make()
    assert done.returncode == 0
    assert [line.split()[1] for line in done.stdout.splitlines()] == TARGETS
    promised = {"setup", "report", "test", "grade", "reproduce", "bench", "doctor", "clean"}
    assert promised < set(TARGETS)
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split()
    assert sorted(phony) == sorted(TARGETS)


@pytest.fixture
def clone(tmp_path):
    """The Makefile alone, with what decides whether the environment is new enough."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "src/problemset/pyproject.toml", "constraints.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    return folder


def test_the_two_commands_set_themselves_up(clone):
    """What would be run in a fresh clone: set-up first, the score table's tests last."""
    report, tests = (make("-n", name, folder=clone).stdout for name in ("report", "test"))
    for printed in (report, tests):
        assert printed.index("setup_venv.py venv") < printed.index("setup_venv.py quarto")
        assert printed.index("setup_venv.py quarto") < printed.index("latentwalk render")
    assert tests.index("latentwalk render") < tests.index("tools/run_tests.py")


def test_nothing_is_set_up_twice(clone):
    (clone / ".venv").mkdir()
    for name in (".stamp", ".quarto-tried"):
        (clone / ".venv" / name).touch()
    assert "setup_venv" not in make("-n", "report", folder=clone).stdout
    future = (clone / ".venv" / ".stamp").stat().st_mtime + 5
    os.utime(clone / "constraints.txt", (future, future))
    assert "setup_venv.py venv" in make("-n", "report", folder=clone).stdout


def test_make_grade_is_the_command_after_the_report(clone):
    assert make("-n", "grade", folder=clone).stdout.splitlines()[-2:] == [
        make("-n", "report", folder=clone).stdout.splitlines()[-1],
        ".venv/bin/latentwalk grade",
    ]


def test_a_build_folder_of_a_target_is_inside_the_chosen_one(clone):
    printed = make("-n", "reproduce", folder=clone, LATENTWALK_BUILD="/else where").stdout
    assert 'LATENTWALK_BUILD="/else where/reproduce"' in printed


def test_clean_removes_the_project_s_own_build_and_nothing_named_by_a_variable(clone):
    printed = make("-n", "clean", folder=clone, LATENTWALK_BUILD="/home/me").stdout
    assert "/home/me" not in printed
    assert printed.startswith("rm -rf build ")


def test_a_python_that_does_not_exist_is_one_line(clone):
    done = make("setup", "PYTHON=python3.99", folder=clone)
    assert done.returncode != 0
    assert done.stdout.startswith("setup: there is no python3.99; install Python 3.11 or newer")


def test_ci_calls_make_test_and_nothing_else():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    commands = [line for line in script.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert commands == ['cd "$(dirname "$0")/.." && exec make test']


# tools/setup_venv.py


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty project, and a stand-in for every command that is run in it."""
    monkeypatch.setattr(setup_venv, "ROOT", tmp_path)
    for name in ("pyproject.toml", "src/problemset/pyproject.toml", "constraints.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    done = []

    def run(command, reason):
        words = " ".join(map(str, command))
        done.append("venv" if "-m venv" in words else "pip")
        assert setup_venv.marker().exists(), "an interruption from here on would not be noticed"
        if done[-1] == "venv":
            make_interpreter(tmp_path)

    monkeypatch.setattr(setup_venv, "run", run)
    return tmp_path, done


def make_interpreter(folder):
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)


def test_set_up_makes_installs_and_marks(place):
    folder, done = place
    setup_venv.set_up()
    assert done == ["venv", "pip"]
    assert (folder / ".venv" / ".stamp").exists()
    assert not setup_venv.marker().exists()
    line = (folder / "_environment.local").read_text("utf-8").splitlines()[-1]
    assert line == f"QUARTO_PYTHON='{folder}/.venv/bin/python'"
    setup_venv.set_up()
    assert done == ["venv", "pip"], "nothing to do the second time"


def test_after_an_interrupted_installation_it_starts_anew(place, monkeypatch, capsys):
    folder, done = place
    pretend = setup_venv.run

    def interrupted(command, reason):
        pretend(command, reason)
        if done[-1] == "pip":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(setup_venv, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            setup_venv.set_up()
    assert not (folder / ".venv" / ".stamp").exists()
    (folder / ".venv" / "half").touch()
    done.clear()
    setup_venv.set_up()
    assert done == ["venv", "pip"]
    assert not (folder / ".venv" / "half").exists()
    assert "not complete; making it anew" in capsys.readouterr().out


@pytest.mark.parametrize("half", ["empty", "no pip", "dangling", "link"])
def test_an_environment_that_does_not_run_is_made_anew(place, half):
    folder, done = place
    if half == "link":
        (folder / ".venv").symlink_to(folder / "elsewhere")
    else:
        (folder / ".venv" / "bin").mkdir(parents=True)
    if half == "no pip":
        script = folder / ".venv" / "bin" / "python"
        script.write_text("#!/bin/sh\nexit 1\n", "utf-8")
        script.chmod(0o755)
    if half == "dangling":
        (folder / ".venv" / "bin" / "python").symlink_to(folder / "removed")
    setup_venv.set_up()
    assert done == ["venv", "pip"]


def test_a_change_of_the_dependencies_is_installed_in_place(place):
    folder, done = place
    make_interpreter(folder)
    setup_venv.stamp().touch()
    future = setup_venv.stamp().stat().st_mtime + 5
    os.utime(folder / "pyproject.toml", (future, future))
    setup_venv.set_up()
    assert done == ["pip"]


def test_a_failed_step_is_one_line_and_leaves_the_mark(place, monkeypatch):
    folder, _ = place
    monkeypatch.undo()
    monkeypatch.setattr(setup_venv, "ROOT", folder)
    with pytest.raises(SystemExit) as stop:
        setup_venv.run(["false"], "pip could not install the dependencies")
    assert stop.value.code == (
        "setup: pip could not install the dependencies (see above); the same command tries again"
    )


@pytest.mark.parametrize("code", [0, 1])
def test_of_what_pip_says_large_downloads_are_shown_and_all_if_it_fails(code, capfd):
    told = [
        "Collecting torch==2.14.1",
        "  Downloading torch-2.14.1-cp311-cp311-manylinux_2_28_x86_64.whl (812.3 MB)",
        "  Downloading tqdm-4.70.1-py3-none-any.whl (78 kB)",
        "  Using cached triton-3.8.0-cp311-cp311-manylinux.whl (20.0 MB)",
        "  Downloading mypy-2.4.1-cp311-cp311-manylinux2014_x86_64.whl (15.4 MB)",
    ]
    program = f"import sys; print({chr(10).join(told)!r}); sys.exit({code})"
    large = "setup: getting torch (812.3 MB)\nsetup: getting triton (20.0 MB)\n"
    if code == 0:
        setup_venv.run([sys.executable, "-c", program], "no reason")
        assert capfd.readouterr().out == large
    else:
        with pytest.raises(SystemExit, match="pip failed"):
            setup_venv.run([sys.executable, "-c", program], "pip failed")
        assert capfd.readouterr().out == large + "\n".join(told) + "\n"


def test_an_old_python_is_told(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    with pytest.raises(SystemExit, match=r"needs Python 3.11 or newer, and .* is 3.9.18"):
        setup_venv.check_python()


def test_a_python_without_ensurepip_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SystemExit, match="sudo apt install python3-venv"):
        setup_venv.check_python()


def test_an_old_python_can_read_the_script():
    source = (ROOT / "tools" / "setup_venv.py").read_text("utf-8")
    ast.parse(source, feature_version=(3, 7))


def test_two_at_once_wait_for_each_other(place):
    import fcntl

    folder, _ = place
    other = os.open(folder, os.O_RDONLY)
    with setup_venv.locked(), pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


@pytest.mark.parametrize(("offered", "lines"), [(True, 1), (False, 2)])
def test_quarto_is_asked_for_once_and_never_fails(place, monkeypatch, capsys, offered, lines):
    folder, _ = place
    make_interpreter(folder)
    asked = []
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(setup_venv, "run_briefly", lambda *words: asked.append(words) or offered)
    setup_venv.look_for_quarto()
    setup_venv.look_for_quarto()
    assert len(asked) == 1
    assert asked[0][0][-1] == "quarto-cli>=1.9"
    assert "--no-deps" in asked[0][0]
    assert len(capsys.readouterr().out.splitlines()) == lines


def test_quarto_on_the_path_is_enough(place, monkeypatch, capsys):
    folder, _ = place
    make_interpreter(folder)
    program = folder / "quarto"
    program.write_text("#!/bin/sh\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    setup_venv.look_for_quarto()
    assert capsys.readouterr().out == ""


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path):
    alive = tmp_path / "alive"
    script = f"(sleep 1; touch '{alive}') & sleep 30"
    assert setup_venv.run_briefly(["sh", "-c", script], 0.2) is False
    assert setup_venv.run_briefly(["sleep", "1.2"], 30) is True
    assert not alive.exists()
