"""`latentwalk init FOLDER`: write the report's sources, to edit and render."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from latentwalk.paths import INSTALLED_PROJECT
from problemset import file_io, workspace
from problemset.commands.parsing import Outcome, Parser
from problemset.render.source.look import STYLE

SOURCES = ("report.qmd", "_quarto.yml", "rubric.yml", "student.yml", "references.bib")
_HELP = """Write the report's sources into a folder: report.qmd and the files that it needs. Fill in
student.yml, change what you like, and run `latentwalk render` in that folder.

Example:
    latentwalk init homework
"""


def run(arguments: Sequence[str]) -> Outcome:
    """Copy the sources.

    Raises:
        UsageError: no folder, or an unknown option.
        ValueError: the folder holds something, or is a file.
        WriteError: the folder cannot be written.
    """
    parser = Parser("latentwalk init", _HELP)
    says = "A folder that is new or empty."
    parser.add_argument("folder", type=Path, metavar="FOLDER", help=says)
    folder = parser.parse_args(arguments).folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} is a file or not empty; name a folder that is new or empty")
    origin = INSTALLED_PROJECT if INSTALLED_PROJECT.is_dir() else workspace.project_root()
    sources = [origin / name for name in SOURCES]
    missing = [str(path) for path in sources if not path.is_file()]
    if missing:
        raise ValueError(f"{missing[0]} is missing; install latentwalk again")
    file_io.make_folder(folder)
    for path in sources:
        with file_io.atomic_path(folder / path.name) as temporary:
            shutil.copyfile(path, temporary)
    shutil.copytree(STYLE, folder / "style", ignore=shutil.ignore_patterns("__pycache__"))
    project = folder / "_quarto.yml"
    # the style files are in another folder than in a clone
    text = project.read_text("utf-8").replace("src/problemset/render/style/", "style/")
    file_io.write(project, text)
    names = ", ".join([*SOURCES, "style/"])
    return Outcome(f"{folder}: {names}; `latentwalk render` there makes the report")
