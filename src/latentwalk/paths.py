"""Folders of the homework's own files: MNIST, weights and training checkpoints.

Environment variables, each optional; an empty one counts as unset:
    LATENTWALK_ROOT: folder of report.qmd, if it is not the current folder or above it.
    LATENTWALK_BUILD: folder for all output, instead of build/ in the project.
    LATENTWALK_DATA: folder with MNIST's four files, used instead of any download.
    LATENTWALK_CACHE: folder for downloaded MNIST files, instead of latentwalk/mnist in the user's
        cache folder, which is $XDG_CACHE_HOME, or else ~/.cache, or ~/Library/Caches on macOS.
    LATENTWALK_WEIGHTS: folder of weights to use as they are, with any configuration and seed.
"""

import os
from pathlib import Path

import platformdirs

from problemset.file_io import OTHER_FOLDERS
from problemset.workspace import (
    ENVIRONMENT_PREFIXES,
    INSTALLED,
    ProjectNotFoundError,
    build_dir,
    folder_from_environment,
    project_file,
    project_root,
)

INSTALLED_PROJECT = Path(__file__).parent / "project"
"""The project's files in an installed package; in a clone they are at the top."""

if "LATENTWALK" not in ENVIRONMENT_PREFIXES:  # importing this enables its folders
    ENVIRONMENT_PREFIXES.append("LATENTWALK")
    OTHER_FOLDERS.append("LATENTWALK_BUILD for the output, LATENTWALK_CACHE for MNIST")
    if INSTALLED_PROJECT.is_dir():
        INSTALLED.append(INSTALLED_PROJECT)


def data_cache() -> Path:
    """Folder in which downloaded MNIST files are stored.

    Raises:
        ProjectNotFoundError: the user has no home folder and LATENTWALK_CACHE is not set.
    """
    if named := folder_from_environment("CACHE"):
        return named
    try:
        return platformdirs.user_cache_path("latentwalk") / "mnist"
    except RuntimeError as error:
        raise ProjectNotFoundError(
            "this user has no home folder to keep MNIST in; set LATENTWALK_CACHE to a folder"
        ) from error


def user_data_dir() -> Path | None:
    """Folder with the user's MNIST files ($LATENTWALK_DATA), or None."""
    return folder_from_environment("DATA")


def as_environment() -> dict[str, str]:
    """Environment variables for the current folders, for a process without a home folder."""
    folders = {
        "LATENTWALK_ROOT": project_root(),
        "LATENTWALK_BUILD": build_dir(),
        "LATENTWALK_CACHE": data_cache(),
    }
    if named := user_data_dir():
        folders["LATENTWALK_DATA"] = named
    return {name: str(folder.resolve()) for name, folder in folders.items()}


def folders_within(folder: Path) -> dict[str, Path]:
    """Map each variable's last word, such as `build`, to a subfolder of the same name."""
    names = ("root", "build", "data", "cache", "weights")
    return {name: folder.resolve() / name for name in names}


def environment_within(folder: Path) -> dict[str, str]:
    """Environment variables for `folders_within`, for a process confined to that folder."""
    return {
        f"LATENTWALK_{name.upper()}": str(place) for name, place in folders_within(folder).items()
    }


def checkpoints_dir() -> Path:
    """Folder of checkpoints from which training runs can resume."""
    return build_dir() / "checkpoints"


def built_weights_dir() -> Path:
    """Folder of weights trained on this machine."""
    return build_dir() / "weights"


def given_weights_dir() -> Path | None:
    """Folder of weights to use as they are ($LATENTWALK_WEIGHTS), or None.

    Raises:
        ProjectNotFoundError: the variable does not name a folder.
    """
    named = folder_from_environment("WEIGHTS")
    if named is not None and not named.is_dir():
        raise ProjectNotFoundError(
            f"LATENTWALK_WEIGHTS is {named}, which is not a folder; set it to the folder that "
            "holds your weights, or unset it"
        )
    return named


def use_weights_beside_notebook() -> None:
    """In the folder of a packed notebook, use the weights that lie beside it, as they are."""
    here = Path.cwd()
    packed = (here / "report.ipynb").is_file() and (here / "weights").is_dir()
    if packed and here != build_dir().resolve():
        os.environ.setdefault("LATENTWALK_WEIGHTS", str(here / "weights"))


def released_weights_dir() -> Path:
    """Folder of the weights that the repository contains."""
    return project_file("assets/weights")
