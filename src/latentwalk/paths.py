"""Where the homework's own files lie: MNIST, weights and half-finished trainings.

Environment variables, each optional; an empty one counts as not set:
    LATENTWALK_ROOT: the folder of report.qmd, when it is not above the current folder.
    LATENTWALK_BUILD: where everything made goes, instead of build/ in the project.
    LATENTWALK_DATA: a folder with MNIST's four files, used instead of any download.
    LATENTWALK_CACHE: where MNIST is kept, instead of ~/.cache/latentwalk/mnist.
    LATENTWALK_WEIGHTS: a folder whose weights are used as they are, of any configuration and seed.
"""

from pathlib import Path

from problemset.file_io import OTHER_FOLDERS
from problemset.workspace import (
    ENVIRONMENT_PREFIXES,
    ProjectNotFoundError,
    build_dir,
    folder_from_environment,
    project_root,
)

if "LATENTWALK" not in ENVIRONMENT_PREFIXES:  # whoever imports this asks for the homework's folders
    ENVIRONMENT_PREFIXES.append("LATENTWALK")
    OTHER_FOLDERS.append("LATENTWALK_BUILD for what is made, LATENTWALK_CACHE for MNIST")


def data_cache() -> Path:
    """The folder in which MNIST is kept between runs.

    Raises:
        ProjectNotFoundError: when the user has no home folder and LATENTWALK_CACHE is not set.
    """
    if named := folder_from_environment("CACHE"):
        return named
    try:
        return Path.home() / ".cache" / "latentwalk" / "mnist"
    except RuntimeError as error:
        raise ProjectNotFoundError(
            "this user has no home folder to keep MNIST in; set LATENTWALK_CACHE to a folder"
        ) from error


def user_data_dir() -> Path | None:
    """The folder in which the user says MNIST lies ($LATENTWALK_DATA), if any."""
    return folder_from_environment("DATA")


def as_environment() -> dict[str, str]:
    """Give project, build and cache as variables, for a process that has no home of its own."""
    folders = {
        "LATENTWALK_ROOT": project_root(),
        "LATENTWALK_BUILD": build_dir(),
        "LATENTWALK_CACHE": data_cache(),
    }
    if named := user_data_dir():
        folders["LATENTWALK_DATA"] = named
    return {name: str(folder.resolve()) for name, folder in folders.items()}


def folders_within(folder: Path) -> dict[str, Path]:
    """Give a folder for each of them in one, by the last word of the variable's name."""
    names = ("root", "build", "data", "cache", "weights")
    return {name: folder.resolve() / name for name in names}


def environment_within(folder: Path) -> dict[str, str]:
    """Give `folders_within` as variables, for a process that is kept in there."""
    return {
        f"LATENTWALK_{name.upper()}": str(place) for name, place in folders_within(folder).items()
    }


def checkpoints_dir() -> Path:
    """Half-finished trainings that can be resumed."""
    return build_dir() / "checkpoints"


def built_weights_dir() -> Path:
    """Weights trained on this machine."""
    return build_dir() / "weights"


def given_weights_dir() -> Path | None:
    """Weights that the user wants used as they are ($LATENTWALK_WEIGHTS), if any.

    Raises:
        ProjectNotFoundError: the variable names something else than a folder.
    """
    named = folder_from_environment("WEIGHTS")
    if named is not None and not named.is_dir():
        raise ProjectNotFoundError(
            f"LATENTWALK_WEIGHTS is {named}, which is not a folder; set it to the folder that "
            "holds your weights, or unset it"
        )
    return named


def released_weights_dir() -> Path:
    """Weights that the repository carries."""
    return project_root() / "assets" / "weights"
