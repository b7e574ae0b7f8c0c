"""Quarto runs this after `quarto render`, so that the notebook is made as well."""

import subprocess
import sys

if __name__ == "__main__":
    # what goes wrong here is said, and leaves Quarto's own files as they are
    subprocess.run([sys.executable, "-m", "problemset.cli", "render", "--notebook"], check=False)
