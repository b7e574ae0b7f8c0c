"""Wheels beside a packed notebook: pip installs them, and they hold what the notebook imports."""

import subprocess
import sys
import zipfile

import pytest

from problemset.grading.hand_in import wheels


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package with a data file, and remains of running it."""
    site = tmp_path / "site"
    for name, text in {
        "toypack/__init__.py": "NAME = 'toy'\n",
        "toypack/data/table.txt": "1 2 3\n",
        "toypack/__pycache__/x.pyc": "",
        "toypack/toypack.egg-info/SOURCES.txt": "here",
        "toymodule.py": "NAME = 'module'\n",
        "toymodule-2.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: toymodule\n",
        "toypack-1.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: toypack\nVersion: 1.5\n",
        "toypack-1.5.dist-info/RECORD": "",
    }.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    monkeypatch.syspath_prepend(site)
    return site


def test_pip_installs_it_with_what_was_added(package, tmp_path):
    more = tmp_path / "more.txt"
    more.write_text("more\n")
    wheel = wheels.write("toypack", tmp_path, {"toypack/project/more.txt": more})
    assert wheel.name == "toypack-1.5-py3-none-any.whl"
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    target = tmp_path / "target"
    words = [sys.executable, "-m", "pip", "install", *options, "--target", target, wheel]
    subprocess.run(words, check=True, capture_output=True)
    assert (target / "toypack/data/table.txt").read_text() == "1 2 3\n"
    assert (target / "toypack/project/more.txt").read_text() == "more\n"
    program = "import toypack; print(toypack.NAME, toypack.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(f"toy {target}")


def test_the_same_files_give_the_same_bytes_and_no_remains(package, tmp_path):
    first = wheels.write("toypack", tmp_path, {}).read_bytes()
    (package / "toypack/__pycache__/x.pyc").write_text("other")
    assert wheels.write("toypack", tmp_path, {}).read_bytes() == first
    (package / "toypack/__init__.py").write_text("NAME = 'other'\n")
    wheel = wheels.write("toypack", tmp_path, {})
    assert wheel.read_bytes() != first
    assert not [
        name
        for name in zipfile.ZipFile(wheel).namelist()
        if "__pycache__" in name or "egg-info" in name
    ]


def test_a_module_of_one_file_has_none(package, tmp_path):
    assert wheels.write("toymodule", tmp_path, {}) is None
    assert list(tmp_path.glob("*.whl")) == []


def test_a_module_that_is_not_installed_has_none(tmp_path):
    assert wheels.write("checks_of_some_project", tmp_path, {}) is None
    assert list(tmp_path.iterdir()) == []
