"""Run the tests, two files at a time, and grade the report as a submission meanwhile.

Run by `make test`. The score comes last: it is what `latentwalk grade` gives, by the rubric's own
checks and points. Exit code 1: a test failed, or a check of the report did.
"""

import os
import subprocess
import sys
from pathlib import Path

from problemset import rubric, workspace
from problemset.grading.results import formats
from problemset.grading.score.outcome import PASSED, TO_BE_READ

QUICK = frozenset(
    {
        "imports",
        "house_style",
        "readme",
        "makefile",
        "contract",
        "rubric",
        "student",
        "formulas",
        "equations",
        "mnist",
        "layers",
        "gan",
        "vae",
        "flow",
        "muon",
        "optim",
        "classifier",
        "loop",
        "source_code",
        "interpolation",
        "intervals",
        "tables",
        "claims",
        "formats",
        "page",
        "remembered",
    }
)
"""Test files of what is changed most, which need no report; together they take half a minute."""
LATENTWALK = [sys.executable, "-m", "latentwalk.cli"]
# two processes share the cores better than the threads of one do
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def start_grading(grades: Path) -> subprocess.Popen[bytes]:
    """Start to grade what `make report` has made."""
    with (grades / "log.txt").open("wb") as log:
        return subprocess.Popen(
            [*LATENTWALK, "grade", "--out", grades],
            env=os.environ | ONE_THREAD,
            stdout=log,
            stderr=log,
        )


def run_pytest(*what: str | Path) -> int:
    """Run tests, two files or more at a time; give the exit code."""
    side_by_side = ["-n", str(min(os.cpu_count() or 1, 8)), "--dist", "loadfile"]
    words = [sys.executable, "-m", "pytest", "-q", *side_by_side, *what]
    return subprocess.run(words, env=os.environ | ONE_THREAD, check=False).returncode


def main() -> int:
    """Test and grade; print the score."""
    if sys.argv[1:] == ["--quick"]:
        files = Path("tests").rglob("test_*.py")
        return run_pytest(*(file for file in files if file.stem.removeprefix("test_") in QUICK))
    grades = workspace.build_dir() / "grades"
    grades.mkdir(parents=True, exist_ok=True)
    grading = start_grading(grades)
    try:
        notebook = workspace.build_dir() / "report.ipynb"
        tested = run_pytest("--nbval", "--nbval-current-env", notebook, "tests")
        graded = grading.wait()
    finally:
        grading.terminate()
    if graded:
        print((grades / "log.txt").read_text("utf-8"))
        return 1
    score = formats.from_json((grades / "submission" / "score.json").read_text("utf-8"))
    print(formats.item_table(score, rubric.load()), end="")
    good = all(outcome.state in (PASSED, TO_BE_READ) for outcome in score.outcomes)
    return tested or (0 if good else 1)


if __name__ == "__main__":
    sys.exit(main())
