"""Build the wheels, install them into an environment made from nothing, and use them there.

Run by `make check-install`; takes minutes, because PyTorch is downloaded or copied anew.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = (
    "latentwalk sample gan --count 3 --seed 1 --out digits.npz",
    "latentwalk doctor",
    "latentwalk init homework",
    "problemset --help",
)


def run(words: Sequence[object], folder: Path) -> None:
    """Run a step in a folder; stop when it fails."""
    print(f"check-install: {' '.join(Path(str(word)).name for word in words)}", flush=True)
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("LATENTWALK", "PYTHON"))}
    done = subprocess.run([str(word) for word in words], cwd=folder, env=variables, check=False)
    if done.returncode:
        sys.exit(f"check-install: failed with exit code {done.returncode}")


def main() -> None:
    """Build, install, use."""
    with tempfile.TemporaryDirectory(prefix="latentwalk-install-") as scratch:
        folder, clone = Path(scratch), Path(scratch) / "clone"
        run(["git", "clone", "--quiet", ROOT, clone], folder)
        for source in (clone / "src" / "problemset", clone):
            options = ["--quiet", "--no-deps", "--disable-pip-version-check"]
            run([sys.executable, "-m", "pip", "wheel", *options, "-w", folder, source], folder)
        run([sys.executable, "-m", "venv", folder / "venv"], folder)
        binaries = folder / "venv" / "bin"
        options = ["--quiet", "--disable-pip-version-check", "-c", ROOT / "constraints.txt"]
        run([binaries / "python", "-m", "pip", "install", *options, *folder.glob("*.whl")], folder)
        empty = folder / "empty"
        empty.mkdir()
        for command in COMMANDS:
            program, *words = command.split()
            run([binaries / program, *words], empty)
    print("check-install: all of it works")


if __name__ == "__main__":
    main()
