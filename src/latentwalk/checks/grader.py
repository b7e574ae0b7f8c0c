"""What the grader brings: classifier and digits, a notebook's surroundings, archive files."""

import importlib
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch

from latentwalk import paths
from latentwalk.checks import contract
from latentwalk.checks.shared import Staff
from latentwalk.data import mnist, mnist_files
from latentwalk.model_zoo import recipes, weights_files
from latentwalk.models.classifier import Classifier
from latentwalk.training import checkpoints
from latentwalk.training.tensor_file import WeightsError
from problemset import workspace
from problemset.grading.sandbox import forkserver_client

_CLASSIFIER = "classifier"


def use_threads() -> None:
    """Use all threads that a check may use: the forkserver, from which it was forked, uses one."""
    torch.set_num_threads(forkserver_client.threads())


def staff() -> Staff:
    """Load the classifier, from valid weights only: a check has no time to train one.

    Raises:
        WeightsError: the staff's classifier has no valid weights.
        DataError: MNIST cannot be obtained.
    """
    path = weights_files.valid_file(_CLASSIFIER)
    if path is None:
        words = "the classifier has no valid weights; run `latentwalk train classifier` first"
        raise WeightsError(words)
    classifier = weights_files.read(path, recipes.get(_CLASSIFIER)).network
    assert isinstance(classifier, Classifier)
    importlib.import_module("torchmetrics.image.fid")  # `frechet_distance` imports it lazily
    return Staff(classifier, mnist.load("test"))


def identity() -> str:
    """Digest of the classifier's weights; empty if there are no valid ones."""
    valid = weights_files.valid_file(_CLASSIFIER)
    return checkpoints.load_weights(valid)[1].network_digest if valid else ""


def archive_files() -> Mapping[str, Path]:
    """The classifier's weights, and MNIST's test digits if this machine has them.

    Raises:
        WeightsError: the staff's classifier has no valid weights.
    """
    valid = weights_files.valid_file(_CLASSIFIER)
    if valid is None:
        reason = weights_files.status(_CLASSIFIER)[-1][1].reason
        raise WeightsError(
            f"the classifier has no valid weights ({reason}); "
            "`latentwalk train classifier` trains it"
        )
    digits = {f"mnist/{path.name}": path for path in _test_digits()}
    return {"assets/weights/classifier.safetensors": valid, **digits}


def notebook_files() -> Mapping[str, Path]:
    """What a packed notebook needs besides the code and the weights that are handed in."""
    handed_in = {file.name for file in contract.FILES}
    found = {name: workspace.project_file(name) for name in ("rubric.yml", "assets/seeds.json")}
    for name in recipes.recipes():
        valid = weights_files.valid_file(name)
        if valid and f"weights/{name}.safetensors" not in handed_in:
            found[f"assets/weights/{name}.safetensors"] = valid
    return {f"latentwalk/project/{name}": path for name, path in found.items() if path.is_file()}


def _test_digits() -> list[Path]:
    """The two files of the test set, verified; empty if this machine does not have them."""
    wanted, folder = mnist.files_of("test"), paths.data_cache()
    if named := paths.user_data_dir():
        folder = mnist_files.from_user(named, folder, wanted)
    if mnist_files.lacking(folder, wanted):
        return []
    return [folder / file.name for file in wanted]


def lay_out_notebook(source: Path, work: Path) -> None:
    """Copy the weights, the data and the project files that a report's notebook reads."""
    places = paths.folders_within(work)
    project, weights = places["root"], places["weights"]
    released = project / "assets" / "weights"
    for made in (weights, released):
        made.mkdir(parents=True)
    for path in sorted((source / "weights").glob("*.safetensors")):
        # the classifier is always that of the staff
        if path.stem != _CLASSIFIER and path.stem in recipes.recipes() and _is_intact(path):
            shutil.copyfile(path, weights / path.name)
    for name in recipes.recipes():
        # the report also reads models that a submission need not contain
        if valid := weights_files.valid_file(name):
            shutil.copyfile(valid, released / valid.name)
    shutil.copyfile(workspace.rubric_file(), project / "rubric.yml")
    if (source / "student.yml").is_file():
        shutil.copyfile(source / "student.yml", project / "student.yml")
    for split in ("train", "test"):  # the kernel has no network to download them
        mnist.load(split)
    shutil.copytree(paths.user_data_dir() or paths.data_cache(), places["data"])


def readable_by_notebook() -> tuple[Path, ...]:
    """Files outside its folder that a notebook must be able to read."""
    return (Path(torch.__file__), Path(__file__))


def _is_intact(path: Path) -> bool:
    """Whether a weights file is usable; a bad one costs only its own checks, not the notebook."""
    try:
        checkpoints.load_weights(path)
    except checkpoints.WeightsError:
        return False
    return True
