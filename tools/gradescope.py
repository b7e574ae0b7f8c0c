"""Write build/gradescope.zip, an autograder for Gradescope: see docs/gradescope.md.

Usage: python tools/gradescope.py [ADDRESS of a package index with PyTorch for processors alone]
"""

import sys

from latentwalk.assignment import ASSIGNMENT
from problemset import workspace
from problemset.grading.gradescope import archive


def main(index: str = "") -> None:
    """Build, and say what was built."""
    try:
        built = archive.build(ASSIGNMENT, workspace.build_dir() / "gradescope.zip", index)
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"gradescope: error: {' '.join(str(error).split())}")
    size = built.path.stat().st_size / 1e6
    print(f"{built.path}: {len(built.names)} files, {size:.1f} MB")
    if not any(name.startswith("mnist/") for name in built.names):
        print("without MNIST's test digits, which setup.sh will download; `latentwalk data` first")
    if not index:
        print("with PyTorch as pip's index has it, see docs/gradescope.md for the smaller one")


if __name__ == "__main__":
    if len(sys.argv) > 2 or sys.argv[1:2] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    main(*sys.argv[1:])
