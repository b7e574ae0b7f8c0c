"""The seven trained models of the report: how each is made, kept and found again."""

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from latentwalk import checkpoints, data, history, measures, paths, provenance, training
from latentwalk.models import classifier, flow, gan, learning, muon, nets, vae
from latentwalk.training import History

CODE = {
    classifier: (learning, classifier),
    gan: (learning, nets, gan),
    vae: (learning, nets, flow, muon, vae),
}
"""The modules whose code decides what a model's training leads to."""

LATENT_SIZE = 16
"""d of the homework: entries of epsilon in Problem 2 and of z in Problem 3."""

LIKELIHOOD_IMAGES = 500
"""Test images with which it is measured what importance samples gain over the bound."""


@dataclass(frozen=True)
class Recipe:
    """What decides a trained model."""

    name: str
    """Of the model and of its weights file."""
    purpose: str
    """Where the report uses it, in a few words."""
    model: ModuleType
    """The module of `latentwalk.models` that defines it."""
    network: type[nn.Module]
    """The class of the network that is released."""
    config: Any
    """The model's configuration."""
    seed: int = 2017
    """Decides the initial weights, the order of the images and the noise."""
    likelihood_samples: int = 500
    """Importance samples an image with which a VAE's likelihood is measured."""

    def key(self) -> provenance.RecipeKey:
        """Give the key of configuration, seed, data and code that its weights must carry."""
        fields = dataclasses.asdict(self.config) | {"seed": self.seed}
        sources = (*CODE[self.model], training)
        return provenance.recipe_key(fields, sources, data.digest())


@dataclass(frozen=True)
class Released:
    """A trained model, and where it comes from."""

    recipe: Recipe
    network: nn.Module
    """In evaluation mode."""
    metadata: provenance.WeightsMetadata
    history: History


def recipes() -> dict[str, Recipe]:
    """Give the seven recipes by name, in the order in which the report needs them."""
    d = LATENT_SIZE
    problem_2 = gan.GanConfig(latent_size=d)
    labelled = dataclasses.replace(problem_2, num_classes=10)
    known = (
        Recipe("classifier", "the judge", classifier, classifier.Classifier,
               classifier.ClassifierConfig()),
        Recipe("gan", "Problem 2: d", gan, gan.Generator, problem_2),
        Recipe("vae", "Problem 3", vae, vae.Vae, vae.VaeConfig(latent_size=d)),
        Recipe("cgan", "Problem 4a and 4b: 10 d + 10", gan, gan.Generator,
               dataclasses.replace(labelled, latent_size=10 * d)),
        Recipe("gan_10d", "Problem 4a alone: 10 d", gan, gan.Generator,
               dataclasses.replace(problem_2, latent_size=10 * d)),
        Recipe("gan_onehot", "Problem 4b alone: d + 10", gan, gan.Generator, labelled),
        Recipe("vae_flow", "Problem 3a: learned prior", vae, vae.Vae,
               vae.VaeConfig(latent_size=24, flow_layers=8),
               likelihood_samples=5000),
    )  # fmt: skip
    return {recipe.name: recipe for recipe in known}


def get(name: str, seed: int | None = None) -> Recipe:
    """Give a recipe by name, with another seed if one is given.

    Raises:
        ValueError: there is none of that name.
    """
    known = recipes()
    if name not in known:
        raise ValueError(f"got model {name!r}, expected one of {', '.join(known)}")
    return known[name] if seed is None else dataclasses.replace(known[name], seed=seed)


def status(name: str) -> list[tuple[Path, checkpoints.WeightsStatus]]:
    """Give the places where a model's weights may lie, the preferred first, and their state."""
    recipe = get(name)
    given = _given(name)
    places = ([given] if given else []) + list(_places(name))
    return [(path, _status(path, recipe)) for path in places]


def _status(path: Path, recipe: Recipe) -> checkpoints.WeightsStatus:
    try:
        read(path, recipe)
    except checkpoints.WeightsError as error:
        return checkpoints.WeightsStatus(error.fault, str(error))
    return checkpoints.WeightsStatus("valid", "")


def load(name: str, say: Callable[[str], None] = lambda line: None) -> Released:
    """Give a trained model: from valid weights if there are any, otherwise by training it.

    Args:
        name: one of `recipes()`.
        say: gets a line for each weights file that cannot be used, with the reason.

    Raises:
        ValueError: there is no such model.
        WeightsError: what $LATENTWALK_WEIGHTS holds of that name cannot be used.
        TrainingDiverged: it had to be trained, and a loss stopped being finite.
    """
    if found := find(name, say):
        return found
    say(f"{name}: training it, because there are no valid weights")
    return train(get(name), say=say)


def find(name: str, say: Callable[[str], None] = lambda line: None) -> Released | None:
    """Give a trained model if there are valid weights, as `load` does; it never trains.

    Raises:
        ValueError, WeightsError: as `load` does.
    """
    for path, found in status(name):
        if found.state == "valid" or path == _given(name):  # others in its place would mislead
            return read(path, get(name))
        if found.state != "missing":
            say(f"{name}: not using {path}: {found.reason}")
    return None


def train(
    recipe: Recipe,
    *,
    out: Path | None = None,
    precision: training.Precision = "auto",
    device: torch.device | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Released:
    """Train a model, or go on with its interrupted training, and write its weights.

    Args:
        recipe: what to train.
        out: the weights file to write; `build/weights/<name>.safetensors` if left out.
        precision: see `training.fit`.
        device: where to train; a GPU, if there is one, if left out.
        say: gets one-line messages.
    """
    out = out or _places(recipe.name)[0]
    unmeasured = fit(recipe, precision=precision, device=device, say=say)
    tensors, metadata = checkpoints.load_weights(unmeasured)
    network = read(unmeasured, recipe).network
    metrics = measure(recipe, network, say)
    metadata = dataclasses.replace(metadata, metrics=metrics)
    checkpoints.save_weights(out, tensors, metadata)
    unmeasured.unlink()
    say(f"{recipe.name}: trained in {metadata.seconds:.0f} s, wrote {out}")
    return read(out, recipe)


def fit(
    recipe: Recipe,
    *,
    precision: training.Precision = "auto",
    device: torch.device | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Do the training part of `train`: what it leaves among the checkpoints is not measured yet.

    `train` goes on from there, so a training is not lost when measuring is interrupted.
    """
    device = device or training.best_device()
    key = recipe.key()
    checkpoint = paths.checkpoints_dir() / f"{recipe.name}-{key.digest[:8]}.safetensors"
    unmeasured = checkpoint.with_stem(f"{checkpoint.stem}-trained")
    if checkpoints.status(unmeasured, key).state == "valid":
        return unmeasured
    trained = training.fit(
        recipe.model, recipe.config, data.load("train", say), seed=recipe.seed, key=key.digest,
        checkpoint=checkpoint, device=device, precision=precision,
        snapshot=_snapshot(recipe, device), say=say,
    )  # fmt: skip
    tensors = {f"network/{k}": v for k, v in trained.network.cpu().state_dict().items()}
    tensors |= history.pack(trained.history)
    checkpoints.save_weights(unmeasured, tensors, _metadata(recipe, trained, device))
    checkpoint.unlink(missing_ok=True)
    return unmeasured


def _metadata(
    recipe: Recipe, trained: training.Trained, device: torch.device
) -> provenance.WeightsMetadata:
    return provenance.WeightsMetadata(
        name=recipe.name,
        recipe=recipe.key(),
        seed=recipe.seed,
        steps=recipe.config.steps,
        versions=provenance.library_versions() | {"precision": trained.precision},
        device=provenance.device_name(device),
        threads=torch.get_num_threads(),
        seconds=round(trained.elapsed_seconds, 1),
        metrics={},
    )


def measure(
    recipe: Recipe, network: nn.Module, say: Callable[[str], None] = lambda line: None
) -> dict[str, float]:
    """Measure a trained network; see `measures` for what each number is.

    Args:
        recipe: what it was trained by.
        network: on the CPU, in evaluation mode.
        say: gets one-line messages.
    """
    say(f"{recipe.name}: measuring it")
    test = data.load("test", say)
    if isinstance(network, classifier.Classifier):
        return measures.measure_judge(network, test)
    judge = load("classifier", say).network
    assert isinstance(judge, classifier.Classifier)
    found = measures.measure_samples(network, judge, data.load("train", say), test)
    if isinstance(network, vae.Vae):
        samples = recipe.likelihood_samples
        found |= measures.measure_likelihood(network, test, samples, LIKELIHOOD_IMAGES)
    return found


def read(path: Path, recipe: Recipe) -> Released:
    """Read weights that fit a recipe; in $LATENTWALK_WEIGHTS they bring their own.

    Raises:
        WeightsError: the file is missing, damaged, stale, or holds another network.
    """
    if path == _given(recipe.name):
        tensors, metadata = checkpoints.load_weights(path)
        recipe = _recipe_of(metadata, recipe)
    else:
        tensors, metadata = checkpoints.load_weights(path, recipe.key())
    network = recipe.network(recipe.config)
    try:
        checkpoints.load_into(network, checkpoints.under("network/", tensors))
    except checkpoints.WeightsError as error:
        message = f"{path}, trained as {metadata.name}: {error}"
        raise checkpoints.WeightsError(message, error.fault) from error
    network = network.to(memory_format=torch.channels_last).eval().requires_grad_(False)
    return Released(recipe, network, metadata, history.unpack(tensors))


def release(names: Sequence[str]) -> list[Path]:
    """Copy trained weights from `build/weights` to `assets/weights`, with a fresh manifest.

    Raises:
        WeightsError: a file to be copied is missing, damaged or stale.
    """
    written = []
    for name in names:
        built, released = _places(name)
        checkpoints.load_weights(built, get(name).key())
        with paths.atomic_path(released) as temporary:
            shutil.copyfile(built, temporary)
        written.append(released)
    checkpoints.write_manifest(paths.released_weights_dir())
    return written


def _places(name: str) -> tuple[Path, Path]:
    file = f"{name}.safetensors"
    return paths.built_weights_dir() / file, paths.released_weights_dir() / file


def _given(name: str) -> Path | None:
    """A file that the user put there to be used as it is."""
    folder = paths.given_weights_dir()
    path = folder / f"{name}.safetensors" if folder else None
    return path if path and path.exists() else None


def _recipe_of(metadata: provenance.WeightsMetadata, recipe: Recipe) -> Recipe:
    """Give the recipe that a file says it was made by."""
    try:
        config = metadata.recipe.as_config(type(recipe.config))
    except (TypeError, ValueError) as error:
        raise checkpoints.WeightsError(f"{recipe.name}: {error}") from error
    return dataclasses.replace(recipe, config=config, seed=metadata.seed)


def _snapshot(recipe: Recipe, device: torch.device) -> Callable[[nn.Module], Tensor] | None:
    """Draw the same ten inputs at each moment of the training; the judge draws nothing."""
    if recipe.model is classifier:
        return None

    def draw(network: nn.Module) -> Tensor:
        rng = torch.Generator(device).manual_seed(recipe.seed)
        return recipe.model.sample(network, 10, rng).images

    return draw
