"""examples/buffon: an assignment from rendering to grades, broken in many ways, without PyTorch.

The report is rendered once. Each broken copy must lose the points of what it breaks, and no others.
"""

import base64
import csv
import importlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import browsing
import numpy as np
import pypdfium2
import pytest
from PIL import Image

from problemset import assignment, rubric
from problemset.grading.runner import rerun_notebook, run_check
from problemset.grading.runner.grade_submission import NOTEBOOK_LIMITS, open_server
from problemset.grading.submission.layout import NOTEBOOK_RUN

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "buffon"
GUIDE = (ROOT / "docs" / "your-own-assignment.md").read_text("utf-8")
FILES = ("report.qmd", "rubric.yml", "checks.py", "student.yml")
REFERENCE = "checks:ASSIGNMENT"
PROGRAM = [sys.executable, "-m", "problemset.cli"]
PDF, NOTEBOOK = "report.pdf", "report.ipynb"
REACHED = "13 of 13 points reached, 7 await a reader"


def surroundings():
    """The environment without what would lead to another project."""
    own = ("PROBLEMSET_", "LATENTWALK_", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


def command(folder, *words, program=PROGRAM):
    done = subprocess.run(
        [*program, *words], cwd=folder, env=surroundings(), capture_output=True, text=True
    )
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout


def copied(folder):
    """A copy of the example, as git has it."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("build", "submission", "__py*"))
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copied(tmp_path_factory.mktemp("example") / "buffon")
    command(folder, "render", "--engine", "embedded")
    command(folder, "pack", "submission")
    return folder


def test_it_is_small():
    lines = {name: len((EXAMPLE / name).read_text("utf-8").splitlines()) for name in FILES}
    assert sum(lines.values()) <= 200, lines


def test_it_is_complete(project):
    said = command(project, "check-submission", "submission")
    assert "\n5 of 5 files are complete\n" in said
    assert not re.search("ignored|refused|misfit|latentwalk|make report", said)


def test_its_page_shuts_nobody_out(project):
    with browsing.running() as browser:
        for mode in browsing.MODES.values():
            with browsing.opened(browser, project / "build" / "report.html", **mode) as opened:
                found = opened.violations(), opened.errors, opened.outside
                assert found == ([], [], []), mode
                assert opened.page.locator("button.enlarge").count() > 0


def test_the_report_reaches_every_point_that_a_machine_can_give(project):
    said = command(project, "grade", "submission")
    assert REACHED in said
    score = json.loads((project / "build/grades/submission/score.json").read_text("utf-8"))
    assert {each["state"] for each in score["outcomes"]} == {"passed", "to be read"}
    read = [each["says"] for each in score["outcomes"] if each["state"] == "to be read"]
    assert len(read) == 3
    assert all("(report.pdf, page 1)" in says for says in read)


# --- Broken submissions -----------------------------------------------------------------------


def items():
    return rubric.load(EXAMPLE / "rubric.yml")


ALL = {check.check for item in items() for check in item.checks}
ON_THROWS = ALL - {"steps_hold"}


@pytest.fixture(scope="module")
def server(project):
    """A server for the project's assignment, which this process can import, too."""
    sys.path.insert(0, str(project))
    importlib.invalidate_caches()
    with open_server(assignment.load(REFERENCE)) as opened:
        yield opened
    sys.path.remove(str(project))
    del sys.modules["checks"]


def note_run(server, folder):
    """Run a submission's notebook in isolation, and leave the record that its checks read."""
    arguments = {"reference": REFERENCE, "folder": str(folder)}
    ended = server.run(rerun_notebook.rerun, arguments, NOTEBOOK_LIMITS)
    if ended.state == "raised" and "cannot stop" in ended.says:
        pytest.skip(ended.says)
    found = ended.value or {"fault": ended.says}
    (folder / NOTEBOOK_RUN).write_text(json.dumps(found), "utf-8")


@pytest.fixture(scope="module")
def honest(project, server):
    """The submission with the record of its notebook's run, and that record's text."""
    folder = project / "submission"
    note_run(server, folder)
    text = (folder / NOTEBOOK_RUN).read_text("utf-8")
    (folder / NOTEBOOK_RUN).unlink()
    return folder, text


@pytest.fixture
def copy(honest, tmp_path):
    return Path(shutil.copytree(honest[0], tmp_path / "copy"))


def lost(server, honest, folder):
    """Checks that a submission fails, carried out in this process but for the notebook's run."""
    notebook = folder / NOTEBOOK
    if notebook.exists() and notebook.read_bytes() != (honest[0] / NOTEBOOK).read_bytes():
        note_run(server, folder)
    else:
        (folder / NOTEBOOK_RUN).write_text(honest[1], "utf-8")
    return {check for check in ALL if not run_check.run(REFERENCE, check, str(folder))["passed"]}


def without(name):
    return lambda folder: (folder / name).unlink()


def steps(change):
    def broken(folder):
        path = folder / "results" / "1a.json"
        path.write_text(json.dumps(change(json.loads(path.read_text("utf-8")))), "utf-8")

    return broken


def arrays(item, name, change):
    """Change an array in place, or replace it by what is returned."""

    def broken(folder):
        path = folder / "results" / f"{item}.npz"
        with np.load(path) as stored:
            found = {key: stored[key].copy() for key in stored.files}
        result = change(found[name])
        found[name] = found[name] if result is None else result
        np.savez(path, **found)

    return broken


def notebook(change):
    """Change the code cells of the notebook."""

    def broken(folder):
        content = json.loads((folder / NOTEBOOK).read_text("utf-8"))
        change([cell for cell in content["cells"] if cell["cell_type"] == "code"])
        (folder / NOTEBOOK).write_text(json.dumps(content), "utf-8")

    return broken


def typed(values):
    values[0] = 3.14159


def too_certain(values):
    values[1] /= 10


def all_equal(draws):
    draws[:] = draws[0]


def outside(draws):
    draws[7, 0] = 1.2


def outside_the_disc(draws):
    draws[7, 1:] = 0.9


def repeated(draws):
    draws[len(draws) // 2 :] = draws[: len(draws) // 2]


def too_even(draws):
    draws[:, 0] = np.random.default_rng(1).permutation(np.linspace(0, 1, len(draws)))


def paired(draws):
    """The distances stay as they are, but small ones go to steep needles half of the time."""
    some = np.random.default_rng(1).permutation(len(draws))[: len(draws) // 4]
    steep = draws[some, 2] / np.hypot(draws[some, 1], draws[some, 2])
    draws[some[np.argsort(steep)], 0] = np.sort(draws[some, 0])


def mirrored(draws):
    half = len(draws) // 2
    draws[half : 2 * half, 0] = 1 - draws[:half, 0]
    draws[half : 2 * half, 1:] = draws[:half, :0:-1]


def balanced(draws):
    """The same throws in an order in which each hundred has its share of crossings."""
    crosses = draws[:, 0] * np.hypot(draws[:, 1], draws[:, 2]) <= draws[:, 2]
    place = np.empty(len(draws))
    for some in (crosses, ~crosses):
        place[some] = np.linspace(0, 1, some.sum())
    return draws[np.argsort(place)]


def altered(errors):
    errors[500] *= 1.5


def other_picture(code):
    picture = Image.new("RGB", (1260, 480), "white")
    picture.paste("navy", (100, 100, 1100, 200))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    (output,) = (each for each in code[-1]["outputs"] if "image/png" in each.get("data", {}))
    output["data"]["image/png"] = base64.b64encode(stream.getvalue()).decode("ascii")


def other_text(code):
    (output,) = code[2]["outputs"]
    assert "3.1379" in "".join(output["text"])
    output["text"] = "100,000 throws: 3.3416, standard error 0.0075\n"


def not_executed(code):
    for cell in code:
        cell |= {"outputs": [], "execution_count": None}


def without_picture(folder):
    document = pypdfium2.PdfDocument((folder / PDF).read_bytes())
    for page in document:
        for found in list(page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])):
            page.remove_obj(found)
        page.gen_content()
    document.save(folder / PDF)


def nothing_else(folder):
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        path.unlink()


def made_up(folder):
    """The report of somebody else, with results that were made up."""
    steps(lambda lines: ["p", "p + 0", "p*1"])(folder)
    for item, name in (("1b", "draws"), ("1b", "numbers"), ("2a", "errors")):
        arrays(item, name, lambda array: np.full_like(array, 0.5))(folder)


FIGURE, SAVED_1B, SAVED_2A = "figure_is_in_both", "notebook_repeats_1b", "notebook_repeats_2a"
CASES = {
    "no PDF": (without(PDF), {"estimate_is_quoted", FIGURE}),
    "no notebook": (without(NOTEBOOK), {FIGURE, SAVED_1B, SAVED_2A}),
    "no results": (without("results/1b.npz"), ON_THROWS),
    "a wrong step": (steps(lambda lines: [lines[0], lines[1] + "*2", lines[2]]), {"steps_hold"}),
    "a step twice": (steps(lambda lines: [lines[0], lines[1], lines[1]]), {"steps_hold"}),
    "the definition": (steps(lambda lines: [*lines, lines[0]]), {"steps_hold"}),
    "no closed form": (
        steps(lambda lines: [*lines, f"Sum(q[k]*h[k]/p, (k, 1, K))*{lines[2]}"]),
        {"steps_hold"},
    ),
    "true at a few points": (
        steps(lambda lines: [*lines, f"{lines[2]} + 9*(p-0.31)*(p-0.64)*(p-0.87)"]),
        {"steps_hold"},
    ),
    "a bound symbol": (steps(lambda lines: [*lines, f"{lines[2]}*K/2"]), {"steps_hold"}),
    "a step in words": (steps(lambda lines: [*lines, "obvious"]), {"steps_hold"}),
    "no list of steps": (steps(lambda lines: {"steps": lines}), {"steps_hold"}),
    "a number typed by hand": (arrays("1b", "numbers", typed), {"estimate_is_right"}),
    "too small an error": (arrays("1b", "numbers", too_certain), {"estimate_is_right"}),
    "draws all equal": (arrays("1b", "draws", all_equal), ON_THROWS),
    "a draw outside": (arrays("1b", "draws", outside), ON_THROWS),
    "a draw outside the disc": (arrays("1b", "draws", outside_the_disc), ON_THROWS),
    "draws repeated": (arrays("1b", "draws", repeated), ON_THROWS),
    "draws from a grid": (arrays("1b", "draws", too_even), ON_THROWS),
    "draws paired": (arrays("1b", "draws", paired), ON_THROWS),
    "draws mirrored": (arrays("1b", "draws", mirrored), ON_THROWS),
    "draws in a better order": (arrays("1b", "draws", balanced), ON_THROWS),
    "too few draws": (arrays("1b", "draws", lambda draws: draws[:5000]), ON_THROWS),
    "draws in words": (arrays("1b", "draws", lambda draws: np.array(["random"])), ON_THROWS),
    "an error altered": (arrays("2a", "errors", altered), {"errors_are_right"}),
    "errors left out": (arrays("2a", "errors", lambda errors: errors[:500]), {"errors_are_right"}),
    "another figure in the notebook": (notebook(other_picture), {FIGURE, SAVED_2A}),
    "no figure in the PDF": (without_picture, {FIGURE}),
    "another output in the notebook": (notebook(other_text), {SAVED_1B}),
    "a notebook that was not run": (notebook(not_executed), {FIGURE, SAVED_1B, SAVED_2A}),
    "an empty folder": (nothing_else, ALL),
    "made up": (made_up, ALL),
}


def test_an_honest_copy_loses_nothing(server, honest, copy):
    assert lost(server, honest, copy) == set()


@pytest.mark.parametrize("case", CASES)
def test_a_broken_copy_loses_what_it_broke(case, server, honest, copy):
    broken, expected = CASES[case]
    broken(copy)
    assert lost(server, honest, copy) == expected


def test_the_command_says_the_same(project, honest, tmp_path):
    """Two of them as a class, each check and the notebook in processes of their own."""
    chosen = {"altered": "an error altered", "typed": "another output in the notebook"}
    for name, case in chosen.items():
        CASES[case][0](Path(shutil.copytree(honest[0], tmp_path / name)))
    folders = [str(tmp_path / name) for name in chosen]
    command(project, "grade", *folders, "--out", str(tmp_path / "grades"))
    for name, case in chosen.items():
        score = json.loads((tmp_path / "grades" / name / "score.json").read_text("utf-8"))
        states = {each["check"]: each["state"] for each in score["outcomes"]}
        assert {check for check in ALL if states[check] != "passed"} == CASES[case][1]
    with (tmp_path / "grades" / "class.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["reached"]) for row in rows] == [11, 11]


def test_other_throws_and_more_of_them_are_as_good(server, copy):
    checks = sys.modules["checks"]
    for seed, count in [*((seed, 10_000) for seed in range(20)), (21, 54_321), (22, 500_000)]:
        rng = np.random.default_rng(seed)
        square = rng.random((2 * count, 2))
        disc = square[(square**2).sum(axis=1) <= 1][:count]
        draws = np.column_stack([rng.random(count), disc])
        folder = copy.with_name(f"seed-{seed}")  # contents are cached by path
        (folder / "results").mkdir(parents=True)
        np.savez(folder / "results" / "1b.npz", draws=draws)
        crosses, estimate, error = checks.throws(checks.Submission(folder))
        assert len(crosses) == count
        assert abs(estimate - np.pi) < 6 * error


# --- Nothing needs PyTorch, or this repository's homework ----------------------------------------

BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "latentwalk"):
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def blocked(tmp_path):
    """A Python in which PyTorch and the homework cannot be imported, nor in what it starts."""
    venv.create(tmp_path / "python", symlinks=True)
    site = next((tmp_path / "python").glob("lib/python*/site-packages"))
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "problemset").symlink_to(ROOT / "src" / "problemset")
    (site / "blocker.py").write_text(BLOCKER, "utf-8")
    lines = [tmp_path / "source", sysconfig.get_path("purelib"), "import blocker"]
    (site / "all.pth").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    program = [str(tmp_path / "python" / "bin" / "python")]
    for name in ("torch", "latentwalk", "latentwalk.assignment"):
        tried = subprocess.run([*program, "-I", "-c", f"import {name}"], capture_output=True)
        assert b"is blocked" in tried.stderr
    return program


def test_nothing_needs_torch_or_the_homework(blocked, tmp_path):
    """All of it once more, with other throws and more of them."""
    folder = copied(tmp_path / "buffon")
    text = (folder / "report.qmd").read_text("utf-8").replace("1777", "1901")
    (folder / "report.qmd").write_text(text.replace("100_000", "200_000"), "utf-8")
    program = [*blocked, "-m", "problemset.cli"]
    command(folder, "render", "--engine", "embedded", program=program)
    command(folder, "pack", "submission", program=program)
    assert "5 of 5" in command(folder, "check-submission", "submission", program=program)
    assert REACHED in command(folder, "grade", "submission", program=program)


# --- The guide -----------------------------------------------------------------------------------


def test_the_guide_s_commands_do_what_it_says(tmp_path):
    copied(tmp_path / "examples" / "buffon")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "problemset").write_text(f'#!/bin/sh\nexec {" ".join(PROGRAM)} "$@"\n')
    (tmp_path / "bin" / "problemset").chmod(0o755)
    blocks = re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.M | re.S)
    assert len(blocks) == GUIDE.count("```") / 2 >= 4, "every block holds commands"
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        cwd=tmp_path,
        env=surroundings() | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert REACHED in done.stdout
    assert done.stdout.endswith(
        "\n2 of 2 graded\npoints by the checks: median 12, 11 to 13 of 13\n"
    )


def test_the_guide_is_short_and_says_what_is_so():
    assert f"in {len(CASES)} ways" in GUIDE
    assert ", ".join(re.findall(r"^- `([a-z_.]+)`", GUIDE, re.M)) == (
        "formulas.chain_fault, randomness.doubt, numbers.quotes, figures.in_both, reruns.repeats"
    )
    assert len(GUIDE.splitlines()) <= 110
    for link in re.findall(r"\]\(([^)#]+)\)", GUIDE):
        assert "://" in link or (ROOT / "docs" / link).exists(), link
