"""Build hook: the wheel of `latentwalk` carries the report's sources and the released weights."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
CARRIED = (
    "report.qmd",
    "_quarto.yml",
    "rubric.yml",
    "student.yml",
    "references.bib",
    "assets/seeds.json",
    "assets/weights",
)


class BuildWithProject(build_py):
    """Copies what a clone has beside `src` into the package's folder `project`."""

    def run(self) -> None:
        """Build as usual, then copy; an editable installation finds the clone instead."""
        super().run()
        if self.editable_mode:
            return
        project = Path(self.build_lib) / "latentwalk" / "project"
        for name in CARRIED:
            source, target = ROOT / name, project / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, target)


setup(cmdclass={"build_py": BuildWithProject})
