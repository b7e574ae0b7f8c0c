"""What trainings from several seeds gave: measured by `make seeds`, kept in `assets/seeds.json`.

One training says little about a recipe. These are too many to repeat for every report, so their
measurements travel with the report as its weights do: each with the digests of its recipe and of
the judge, so that those of others are never shown beside the models of a report. How they were
measured is not in these digests: who changes a measure removes the runs that have it.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch

from latentwalk.evaluation.intervals import Estimate
from latentwalk.model_zoo.weights_files import Released
from problemset import file_io, workspace
from problemset.source_code import sha256

T_QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Quantiles 0.975 of Student's t with 1, 2, ... degrees of freedom."""


class SeedsError(ValueError):
    """The file cannot be read."""


@dataclass(frozen=True)
class Run:
    """One training, measured."""

    model: str
    """A name of `recipes.recipes()`; for 3e, two of them with a plus."""
    seed: int
    recipe: str
    """Digests of the keys of what was trained, seed included, and of the judge: see `digest`."""
    device: str
    """Where it was trained."""
    seconds: float
    """Of training."""
    metrics: dict[str, float]

    @classmethod
    def from_json(cls, saved: Any) -> Self:
        """Undo `dataclasses.asdict`.

        Raises:
            SeedsError: a part is missing or of another type.
        """
        types: dict[str, Any] = {"model": str, "seed": int, "recipe": str, "device": str,
                                 "seconds": (int, float)}  # fmt: skip
        numbers = saved.get("metrics") if isinstance(saved, dict) else None
        fits = (
            isinstance(numbers, dict)
            and all(isinstance(saved.get(name), kind) for name, kind in types.items())
            and all(isinstance(value, int | float) for value in numbers.values())
        )
        if not fits:
            raise SeedsError(
                f"{path()} holds {str(saved)[:80]}, expected a run of a training; "
                "`git checkout` it, or remove it"
            )
        return cls(**{field.name: saved[field.name] for field in dataclasses.fields(cls)})


def path() -> Path:
    """Give the file that the measurements are kept in."""
    return workspace.project_root() / "assets" / "seeds.json"


def digest(model: str, seed: int, released: Mapping[str, Released]) -> str:
    """Give the digests that a run of a model would carry, were it trained as those in use are.

    Args:
        model: as in `Run`.
        seed: of the run.
        released: by name, the models that `model` names, and the judge, "classifier".
    """
    digests = []
    for name in model.split("+"):
        recipe, algorithm = released[name].recipe, released[name].metadata.algorithm
        key = dataclasses.replace(recipe, seed=seed).key()
        digests.append(sha256([key.configuration, key.data_digest, algorithm]))
    judge = released["classifier"].metadata.network_digest
    return "+".join(each[:16] for each in (*digests, judge))


def load() -> list[Run]:
    """Read all runs that are kept, of whatever recipe; none if there is no file.

    Raises:
        SeedsError: the file is damaged.
    """
    if not path().exists():
        return []
    try:
        saved = json.loads(path().read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SeedsError(f"{path()}: {error}; `git checkout` it, or remove it") from error
    return [Run.from_json(run) for run in saved]


def keep(run: Run) -> None:
    """Add a run to the file, in place of another of the same model and seed."""
    others = [known for known in load() if (known.model, known.seed) != (run.model, run.seed)]
    runs = sorted([*others, run], key=lambda known: (known.model, known.seed))
    with file_io.atomic_path(path()) as temporary:
        content = json.dumps([dataclasses.asdict(known) for known in runs], indent=1)
        temporary.write_text(content + "\n", encoding="utf-8")


def runs(
    model: str,
    released: Mapping[str, Released],
    say: Callable[[str], None] = lambda line: None,
) -> list[Run]:
    """Give the runs of a model that were trained and judged as those in use are, by seed.

    Args:
        model: as in `Run`.
        released: as in `digest`.
        say: gets a line for other runs, which are left out.
    """
    known = [run for run in load() if run.model == model]
    current = [run for run in known if run.recipe == digest(model, run.seed, released)]
    if len(current) < len(known):
        say(f"{model}: {len(known) - len(current)} seeds in {path().name} are of another recipe or "
            "judge: run `make seeds`")  # fmt: skip
    return current


def over_seeds(found: Sequence[Run], metric: str) -> Estimate | None:
    """Mean of a measurement over seeds, with the interval of Student's t.

    Args:
        found: runs.
        metric: a name in their `metrics`.

    Returns:
        The estimate, or None for fewer than 2 runs that have it.

    Source: Student 1908, "The probable error of a mean".
    """
    values = _values(found, metric)
    if len(values) < 2:
        return None
    half = _t_quantile(len(values)) * values.std().item() / len(values) ** 0.5
    mean = values.mean().item()
    return Estimate(mean, mean - half, mean + half)


def two_trainings(found: Sequence[Run], metric: str) -> float | None:
    """How far apart a metric of two trainings lies, at most, in 95 of 100 cases.

    Args:
        found: runs.
        metric: a name in their `metrics`.

    Returns:
        The distance, or None for fewer than 2 runs that have the metric.
    """
    values = _values(found, metric)
    if len(values) < 2:
        return None
    return _t_quantile(len(values)) * values.std().item() * 2**0.5


def having(found: Sequence[Run], metric: str) -> list[Run]:
    """Give the runs of which a metric was measured."""
    return [run for run in found if metric in run.metrics]


def _values(found: Sequence[Run], metric: str) -> torch.Tensor:
    values = [run.metrics[metric] for run in having(found, metric)]
    return torch.tensor(values, dtype=torch.float64)


def _t_quantile(count: int) -> float:
    """Of Student's t for the mean of so many; for more than are listed a little too wide."""
    return T_QUANTILES[min(count - 1, len(T_QUANTILES)) - 1]
