"""Make .venv for the Makefile: safe to interrupt, safe to run twice at once.

Runs under whatever Python the machine has, so that a too old one is told what is wrong.

Usage: python3 tools/setup_venv.py venv     .venv with the package and its dependencies
       python3 tools/setup_venv.py quarto   look for Quarto once, try pip, never fail
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
# what pip says of files of 20 MB and more, which take most of the time
LARGE_FILE = re.compile(r"(?:Downloading|Using cached) (\w+)-\S+ \(((?:[2-9]\d|\d{3,})\.\d MB)\)")
MOST_LINES = 20  # of a step that fails
QUARTO_SECONDS = 240  # pip downloads all of Quarto; where it is refused, that takes two


def say(line: str) -> None:
    """Print one line at once."""
    print("setup: " + line, flush=True)


def venv_python() -> Path:
    """The interpreter in .venv."""
    return ROOT / ".venv" / "bin" / "python"


def stamp() -> Path:
    """Its time says when the last installation was complete; the Makefile goes by it."""
    return ROOT / ".venv" / ".stamp"


def marker() -> Path:
    """Lies in .venv while something is being installed, and stays there after an interruption."""
    return ROOT / ".venv" / ".unfinished"


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One at a time; the lock goes with the process, and leaves no file."""
    folder = os.open(str(ROOT), os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another make is installing; waiting for it")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def check_python() -> None:
    """Stop with one line when this Python will not do."""
    if sys.version_info < OLDEST:
        got = ".".join(map(str, sys.version_info[:3]))
        sys.exit(
            f"setup: latentwalk needs Python 3.11 or newer, and {sys.executable} is {got}; "
            "install a newer one, or name it: make setup PYTHON=python3.12"
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        sys.exit(
            f"setup: {sys.executable} cannot make virtual environments ({error}); "
            "on Debian and Ubuntu: sudo apt install python3-venv"
        )


def is_current() -> bool:
    """Whether the last installation was completed after the last change of what is needed."""
    names = ("pyproject.toml", "src/problemset/pyproject.toml", "constraints.txt")
    inputs = [ROOT / name for name in names]
    made = stamp().stat().st_mtime if stamp().exists() else 0.0
    return venv_python().exists() and all(made >= path.stat().st_mtime for path in inputs)


def is_usable() -> bool:
    """Whether .venv can be installed into: not half made, not of a removed or too old Python."""
    if marker().exists() or not venv_python().exists():
        return False
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    command = [str(venv_python()), "-c", check]
    try:
        return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        return False


def remove(folder: Path) -> None:
    """Delete a folder, or the link in its place."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(str(folder))


def run(command: Sequence[object], reason: str) -> None:
    """Run a step and name its large downloads; stop after its own messages when it fails."""
    words, lines = [str(word) for word in command], []
    with subprocess.Popen(words, cwd=str(ROOT), stdout=subprocess.PIPE, text=True) as step:
        assert step.stdout is not None
        for line in step.stdout:
            lines.append(line)
            found = LARGE_FILE.search(line)
            if found:
                say("getting {} ({})".format(*found.groups()))
    if step.returncode:
        sys.stdout.writelines(lines[-MOST_LINES:])
        sys.exit(f"setup: {reason} (see above); the same command tries again")


def make_venv() -> None:
    """An empty environment; what was half made is thrown away, because pip would trust it."""
    if (ROOT / ".venv").exists():
        say("the environment in .venv is not complete; making it anew")
    remove(ROOT / ".venv")
    (ROOT / ".venv").mkdir()
    marker().touch()
    # when .venv itself is activated, `python3` is the one that was just thrown away
    python = getattr(sys, "_base_executable", None) or sys.executable
    run([python, "-m", "venv", ROOT / ".venv"], "the virtual environment could not be made")


def install() -> None:
    """Let pip install the package, with the tested versions of what it needs."""
    marker().touch()
    with contextlib.suppress(FileNotFoundError):
        stamp().unlink()
    say("installing dependencies into .venv (PyTorch is large)")
    pip = [venv_python(), "-m", "pip", "install", "--disable-pip-version-check"]
    wanted = ["-c", "constraints.txt", "-e", "src/problemset[notebook,class]", "-e", ".[test]"]
    run([*pip, *wanted], "pip could not install the dependencies")


def write_quarto_environment() -> None:
    """Let `quarto render` find the interpreter from a shell in which nothing is activated."""
    quote = '"' if "'" in str(ROOT) else "'"
    line = f"QUARTO_PYTHON={quote}{venv_python()}{quote}\n"
    (ROOT / "_environment.local").write_text("# written by make setup\n" + line, encoding="utf-8")


def set_up() -> None:
    """Make .venv complete, or leave it as it is when it is."""
    check_python()
    with locked():
        if is_current() and not marker().exists():
            return
        started = time.monotonic()
        if not is_usable():
            make_venv()
        install()
        write_quarto_environment()
        marker().unlink()
        stamp().touch()
        say(f"done in {time.monotonic() - started:.0f} s")


def run_briefly(command: Sequence[object], seconds: float) -> bool:
    """Whether a command succeeds in time; it and what it started are ended otherwise."""
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a process group of its own
    )
    try:
        return process.wait(timeout=seconds) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def look_for_quarto() -> None:
    """Try pip once an environment when there is no Quarto; going on without it is fine."""
    tried = ROOT / ".venv" / ".quarto-tried"
    with locked():
        if tried.exists():
            return
        if not shutil.which("quarto") and not (ROOT / ".venv" / "bin" / "quarto").exists():
            say("no quarto on PATH; asking pip for it")
            pip = [venv_python(), "-m", "pip", "install", "--no-deps", "--retries=0", "--timeout=5"]
            if not run_briefly([*pip, "quarto-cli>=1.9"], QUARTO_SECONDS):
                say("pip has no quarto to offer; the embedded renderer makes the report")
        tried.touch()


if __name__ == "__main__":
    actions = {"venv": set_up, "quarto": look_for_quarto}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    try:
        actions[sys.argv[1]]()
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; the same command starts again")
    except OSError as error:
        sys.exit(f"setup: {error.filename or 'error'}: {error.strerror}")
