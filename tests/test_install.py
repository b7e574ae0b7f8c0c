"""What is installed from wheels works in any folder, and problemset needs no PyTorch.

The environment has the wheels and, after them, the libraries of this one, so that nothing is
downloaded; `make check-install` makes one from nothing.
"""

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from latentwalk.assignment import ASSIGNMENT
from latentwalk.experiments import study
from latentwalk.model_zoo import seeds
from problemset import workspace
from problemset.grading.hand_in import packing

ROOT = Path(__file__).parent.parent
LIBRARIES = Path(sysconfig.get_path("purelib"))
TORCH = ("torch", "torchvision", "torchmetrics", "nvidia", "triton")


def build(source, folder):
    """Build a wheel from a copy of the sources, where setuptools leaves files of its own."""
    copied = (
        subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=True)
        .stdout.decode()
        .split("\0")
    )
    for name in filter(None, copied):
        target = folder / "clone" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    places = ["-w", folder / "wheels", folder / "clone" / source]
    words = [sys.executable, "-m", "pip", "wheel", *options, *places]
    subprocess.run(words, check=True)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    for source in ("src/problemset", "."):
        build(source, folder)
    return {path.name.split("-")[0]: path for path in (folder / "wheels").iterdir()}


def environment(folder, wheels, libraries):
    """Make a virtual environment of wheels, with further libraries on its path."""
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
    (site / "others.pth").write_text(f"{libraries}\n", "utf-8")
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def installed(wheels, tmp_path_factory):
    return environment(tmp_path_factory.mktemp("venv") / "all", wheels.values(), LIBRARIES)


@pytest.fixture
def run(installed, tmp_path):
    folder = tmp_path / "an empty folder"
    folder.mkdir()
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("LATENTWALK", "PYTHON"))}

    def command(*words, program="latentwalk", folder=folder):
        return subprocess.run(
            [installed, "-m", f"{program}.cli", *map(str, words)],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
        )

    command.folder = folder
    return command


def test_the_code_that_runs_is_the_wheel_s(installed):
    program = "import latentwalk, problemset; print(latentwalk.__file__, problemset.__file__)"
    done = subprocess.run([installed, "-c", program], capture_output=True, text=True, cwd="/")
    assert done.stdout.count("site-packages") == 2, done


def test_images_are_sampled_from_the_installed_weights(run):
    done = run("sample", "gan", "--count", "3", "--seed", "1", "--out", "digits.npz")
    assert done.returncode == 0, done.stderr
    assert (run.folder / "digits.npz").is_file()


def test_a_submission_is_looked_at_and_graded(run):
    (run.folder / "submission").mkdir()
    (run.folder / "submission" / "report.pdf").write_bytes(b"no PDF")
    looked = run("check-submission", "submission")
    assert looked.returncode == 1
    assert "0 of 12 files are complete" in looked.stdout
    graded = run("grade", "submission", "--no-notebook")
    assert graded.returncode == 0, graded.stderr
    assert "0 of 75 points reached, 25 await a reader" in graded.stdout
    assert "could not be carried out" not in graded.stdout
    assert (run.folder / "build/grades/submission/score.json").is_file()


def test_the_doctor_finds_nothing_broken(run):
    done = run("doctor")
    assert done.returncode == 0, done.stdout
    assert "valid weights" in done.stdout


def test_the_report_s_sources_are_written_and_can_be_read(run):
    done = run("init", "homework")
    assert done.returncode == 0, done.stderr
    folder = run.folder / "homework"
    same = {"report.qmd", "rubric.yml", "student.yml", "references.bib"}
    assert {path.name for path in folder.iterdir()} == same | {"_quarto.yml", "style"}
    for name in same:
        assert (folder / name).read_bytes() == (ROOT / name).read_bytes()
    files = re.findall(r"style/\S+", (folder / "_quarto.yml").read_text("utf-8"))
    assert len(files) == 4
    for name in files:
        shared = ROOT / "src" / "problemset" / "render" / name
        assert (folder / name).read_bytes() == shared.read_bytes()
    again = run("init", "homework")
    assert again.returncode == 2
    assert "not empty" in again.stderr


def test_without_a_report_rendering_says_what_to_do(run):
    done = run("render")
    assert done.returncode == 2
    assert "latentwalk init" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_weights_in_the_wheel_are_the_released_ones(wheels):
    with zipfile.ZipFile(wheels["latentwalk"]) as archive:
        for path in (ROOT / "assets/weights").glob("*.safetensors"):
            name = f"latentwalk/project/assets/weights/{path.name}"
            assert archive.read(name) == path.read_bytes()


def test_problemset_installs_without_pytorch(wheels, tmp_path):
    with zipfile.ZipFile(wheels["problemset"]) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        needs = [line for line in archive.read(name).decode().splitlines() if "Requires" in line]
        packaged = {n for n in archive.namelist() if n.startswith("problemset/")}
    assert not [line for line in needs if any(word in line for word in TORCH)]
    tracked = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "src/problemset"], capture_output=True, text=True
    ).stdout.split()
    code = {
        name.removeprefix("src/") for name in tracked if not name.endswith((".toml", "LICENSE"))
    }
    assert code <= packaged, "a new package or kind of file is named in its pyproject.toml"
    visible = tmp_path / "libraries"
    visible.mkdir()
    for path in LIBRARIES.iterdir():
        if not path.name.startswith((*TORCH, "latentwalk", "problemset", "__editable__")):
            (visible / path.name).symlink_to(path)
    python = environment(tmp_path / "venv", [wheels["problemset"]], visible)
    program = "import importlib.util as u; print(u.find_spec('torch'), u.find_spec('latentwalk'))"
    found = subprocess.run([python, "-c", program], capture_output=True, text=True, cwd="/")
    assert found.stdout == "None None\n"
    done = subprocess.run([python, "-m", "problemset.cli", "--help"], capture_output=True, cwd="/")
    assert done.returncode == 0, done.stderr


PACKED = """
import json, pathlib
cells = json.loads(pathlib.Path("report.ipynb").read_text("utf-8"))["cells"]
(setup,) = (c for c in cells if "".join(c["source"]).startswith("#| label: setup"))
exec("".join(setup["source"]))
print(latentwalk.__file__)
from latentwalk import paths as folders
print(folders.given_weights_dir())
print(len(models), len(seeds.runs("gan", models)), rubric.load()[0].id)
"""


def test_a_packed_notebook_brings_its_code_and_uses_the_weights_beside_it(tmp_path):
    submission = tmp_path / "submission"
    packing.pack(ASSIGNMENT, submission)
    brought = sorted((submission / "code").iterdir())
    assert [path.name.partition("-")[0] for path in brought] == ["latentwalk", "problemset"]
    python = environment(tmp_path / "venv", brought, LIBRARIES)
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("LATENTWALK", "PYTHON"))}
    done = subprocess.run(
        [python, "-c", PACKED], cwd=submission, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    file, weights, counts = done.stdout.splitlines()[-3:]
    assert file.startswith(str(tmp_path / "venv"))
    assert weights == str(submission / "weights")
    assert counts == f"7 {len(seeds.runs('gan', study.open_study(2017).released))} 1a"


def test_without_the_package_the_notebook_says_what_to_do(tmp_path):
    venv.create(tmp_path / "venv", with_pip=False)
    (tmp_path / "report.ipynb").write_bytes((workspace.build_dir() / "report.ipynb").read_bytes())
    done = subprocess.run(
        [tmp_path / "venv/bin/python", "-c", PACKED], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1].startswith("latentwalk is missing: run `!pip install code/")
