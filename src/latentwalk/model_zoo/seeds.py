"""Results of training with several seeds, measured by `make seeds`, saved in `assets/seeds.json`.

One training run says little about a recipe. These runs are too many to repeat for every report, so
their measurements are stored in the repository, like the weights. Each run carries the digests of
its recipe and of the classifier, so that the report only shows runs that match its own models. The
digests do not cover how a metric is measured: if you change a metric, delete the runs that contain
it.
"""

import dataclasses
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch

from latentwalk.evaluation.intervals import Estimate
from latentwalk.model_zoo.weights_files import Released
from problemset import file_io, workspace
from problemset.source_code import sha256

_LOG = logging.getLogger(__name__)

PAIRS = 500
"""Number of paths of each kind, for 3e."""
T_QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""0.975 quantiles of Student's t with 1, 2, ... degrees of freedom."""


class SeedsError(ValueError):
    """`assets/seeds.json` cannot be read."""


@dataclass(frozen=True)
class Run:
    """Measurements of one training run."""

    model: str
    """A name in `recipes.recipes()`; for 3e, two of them joined by a plus sign."""
    seed: int
    recipe: str
    """Digests of the trained recipes, including the seed, and of the classifier: see `digest`."""
    device: str
    """Device that was used for training."""
    seconds: float
    """Training time in seconds."""
    metrics: dict[str, float]

    @classmethod
    def from_json(cls, saved: Any) -> Self:
        """Invert `dataclasses.asdict`.

        Raises:
            SeedsError: a field is missing or of another type.
        """
        types: dict[str, Any] = {
            "model": str,
            "seed": int,
            "recipe": str,
            "device": str,
            "seconds": (int, float),
        }
        numbers = saved.get("metrics") if isinstance(saved, dict) else None
        fits = (
            isinstance(numbers, dict)
            and all(isinstance(saved.get(name), kind) for name, kind in types.items())
            and all(isinstance(value, int | float) for value in numbers.values())
        )
        if not fits:
            raise SeedsError(
                f"{path()} holds {str(saved)[:80]}, expected the record of a training run; "
                "`git checkout` it, or remove it"
            )
        return cls(**{field.name: saved[field.name] for field in dataclasses.fields(cls)})


def path() -> Path:
    """Path of the file that holds the measurements."""
    return workspace.project_file("assets/seeds.json")


def digest(model: str, seed: int, released: Mapping[str, Released]) -> str:
    """Compute the digests that a run would carry if it matched the models in use.

    Args:
        model: as in `Run`.
        seed: the run's seed.
        released: by name, the models in use that `model` names, and the classifier, "classifier".
    """
    digests = []
    for name in model.split("+"):
        recipe, algorithm = released[name].recipe, released[name].metadata.algorithm
        key = dataclasses.replace(recipe, seed=seed).key()
        # not the code itself: a rewrite that computes the same keeps the runs
        digests.append(sha256([key.configuration, key.data_digest, algorithm]))
    classifier = released["classifier"].metadata.network_digest
    return "+".join(each[:16] for each in (*digests, classifier))


def load() -> list[Run]:
    """Read all stored runs, of any recipe; an empty list if there is no file.

    Raises:
        SeedsError: the file is damaged.
    """
    try:
        saved = json.loads(path().read_text("utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise SeedsError(f"{path()}: {error}; `git checkout` it, or remove it") from error
    return [Run.from_json(run) for run in saved]


def keep(run: Run) -> None:
    """Add a run to the file, replacing any run of the same model and seed."""
    others = [known for known in load() if (known.model, known.seed) != (run.model, run.seed)]
    runs = sorted([*others, run], key=lambda known: (known.model, known.seed))
    with file_io.atomic_path(path()) as temporary:
        content = json.dumps([dataclasses.asdict(known) for known in runs], indent=1)
        temporary.write_text(content + "\n", encoding="utf-8")


def runs(
    model: str,
    released: Mapping[str, Released],
) -> list[Run]:
    """Select the runs of a model that match the models in use, ordered by seed.

    Recipe and classifier must be the same.

    Args:
        model: as in `Run`.
        released: as in `digest`.
    """
    known = [run for run in load() if run.model == model]
    current = [run for run in known if run.recipe == digest(model, run.seed, released)]
    if len(current) < len(known):
        _LOG.warning(
            "%s: %d seeds in %s have another recipe or classifier: run `make seeds`",
            model,
            len(known) - len(current),
            path().name,
        )
    return current


def over_seeds(found: Sequence[Run], metric: str) -> Estimate | None:
    """Mean of a metric over seeds, with the interval of Student's t.

    Args:
        found: the runs.
        metric: a name in their `metrics`.

    Returns:
        The estimate, or None if fewer than 2 runs have the metric.

    Source: Student 1908, "The probable error of a mean".
    """
    values = values_of(found, metric)
    if len(values) < 2:
        return None
    half = t_quantile(len(values)) * values.std().item() / len(values) ** 0.5
    mean = values.mean().item()
    return Estimate(mean, mean - half, mean + half)


def having(found: Sequence[Run], metric: str) -> list[Run]:
    """Select the runs that have a metric."""
    return [run for run in found if metric in run.metrics]


def values_of(found: Sequence[Run], metric: str) -> torch.Tensor:
    """Collect a metric of the runs that have it, in float64."""
    values = [run.metrics[metric] for run in having(found, metric)]
    return torch.tensor(values, dtype=torch.float64)


def t_quantile(count: int) -> float:
    """Quantile of Student's t for the mean of `count` values; slightly too large above 10."""
    return T_QUANTILES[min(count - 1, len(T_QUANTILES)) - 1]
