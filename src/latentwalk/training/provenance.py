"""Provenance of weights: their recipe, as comparable hashes, and facts about the training run.

Weights are valid as long as the recipe stays the same. If it changes, the hashes show what changed.
"""

import dataclasses
import json
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import torch

from problemset.source_code import dependencies, sha256


@dataclasses.dataclass(frozen=True)
class RecipeKey:
    """Configuration, data and code of a training run, kept apart so that a change can be named."""

    configuration: dict[str, Any]
    """Fields of the model's configuration, as JSON values (tuples become lists)."""
    data_digest: str
    """SHA-256 of the training data."""
    code: dict[str, str]
    """SHA-256 of each function, class and constant that training depends on, by name."""

    @property
    def digest(self) -> str:
        """One hash of the whole key."""
        return sha256(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Convert the key to JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Invert `to_json`.

        Raises:
            ValueError: a field is missing or of another type.
        """
        types = {"configuration": dict, "data_digest": str, "code": dict}
        wrong = [name for name, kind in types.items() if not isinstance(saved.get(name), kind)]
        if wrong:
            raise ValueError(f"the recipe's {wrong[0]} is {saved.get(wrong[0])!r}")
        return cls(**{name: saved[name] for name in types})

    def as_config(self, kind: type[Any]) -> Any:
        """Build a configuration from the saved fields; unknown fields are ignored.

        Raises:
            ValueError: a field is missing or out of range.
            TypeError: a field is of another type.
        """
        known = {field.name for field in dataclasses.fields(kind)}
        return kind(**{name: v for name, v in self.configuration.items() if name in known})

    def changes(self, now: "RecipeKey") -> str:
        """Describe how the configuration and data differ from the current key; empty if equal."""
        was, words = self.configuration, []
        for name in sorted(was.keys() | now.configuration.keys()):
            if name not in now.configuration:
                words.append(f"configuration field {name} was removed (was {was[name]!r})")
            elif name not in was:
                words.append(f"configuration field {name} is new ({now.configuration[name]!r})")
            elif was[name] != now.configuration[name]:
                new = now.configuration[name]
                words.append(f"configuration field {name} changed from {was[name]!r} to {new!r}")
        if self.data_digest != now.data_digest:
            words.append("the training data changed")
        return "; ".join(words)

    def changed_code(self, now: "RecipeKey") -> list[str]:
        """Names of the functions, classes and constants whose code differs from the current key."""
        names = sorted(self.code.keys() | now.code.keys())
        return [name for name in names if self.code.get(name) != now.code.get(name)]


def recipe_key(config: Any, functions: Sequence[Callable[..., Any]], data_digest: str) -> RecipeKey:
    """Compute the key of a training run.

    Args:
        config: a dataclass, or a mapping from field to value.
        functions: the functions that initialise the model, take a step, load the data and run the
            loop.
        data_digest: digest of the training data, `data.digest()`.

    Raises:
        ValueError: a field cannot be written as JSON, or a function has no source.
    """
    fields = dataclasses.asdict(config) if dataclasses.is_dataclass(config) else dict(config)  # type: ignore[arg-type]
    try:
        # as JSON, so that the key equals one that was read from a file (tuples become lists)
        fields = json.loads(json.dumps(fields, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"configuration is not numbers, strings and lists: {error}") from error
    return RecipeKey(fields, data_digest, dependencies(*functions))


_TYPES: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "recipe": RecipeKey,
    "seed": int,
    "steps": int,
    "versions": dict,
    "device": str,
    "threads": int,
    "seconds": (int, float),
    "metrics": dict,
    "tensor_digest": str,
}
_NEWER = ("network_digest", "algorithm", "replay")


@dataclasses.dataclass(frozen=True)
class WeightsMetadata:
    """Provenance of one set of weights."""

    name: str
    """Name of the trained model, for example `gan`."""
    recipe: RecipeKey
    """Key of the configuration, data and code."""
    seed: int
    """Seed of the initial weights, the order of the images and the noise."""
    steps: int
    """Number of training steps taken."""
    versions: dict[str, str]
    """Versions of Python and libraries, see `library_versions`."""
    device: str
    """Device that was used for training, see `device_name`."""
    threads: int
    """Number of CPU threads that were used."""
    seconds: float
    """Wall-clock training time in seconds."""
    metrics: dict[str, float]
    """Measurements made at the end of training."""
    tensor_digest: str = ""
    """SHA-256 over all tensors; `save_weights` fills it in."""
    network_digest: str = ""
    """SHA-256 over the network's tensors alone, the same when a training run is repeated;
    `save_weights` fills it in."""
    algorithm: str = ""
    """Identifier of what the code computes. It stays the same when the code changes but computes
    the same results. Empty in files of older versions."""
    replay: dict[str, str] = dataclasses.field(default_factory=dict)
    """`Replay.about` for the `replay/` tensors; empty in files of older versions."""

    def __post_init__(self) -> None:
        for name, kind in _TYPES.items():
            value = getattr(self, name)
            # bool is a subclass of int, but no field is one
            if not isinstance(value, kind) or isinstance(value, bool):
                raise ValueError(f"weights metadata: {name} is {value!r}, expected {kind}")
        least = {"steps": 0, "threads": 1, "seconds": 0.0}
        low = [name for name, bound in least.items() if not bound <= getattr(self, name) < math.inf]
        if low:
            raise ValueError(
                f"weights metadata: {low[0]} is {getattr(self, low[0])!r}, out of range"
            )
        for name, value in self.metrics.items():
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"weights metadata: metric {name} is {value!r}, not finite")

    def to_json(self) -> dict[str, Any]:
        """Convert the metadata to JSON values; the recipe's digest is added for human readers."""
        return {**dataclasses.asdict(self), "recipe_key": self.recipe.digest}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Invert `to_json`; fields unknown to this version are ignored.

        Raises:
            ValueError: a field is missing, of another type or out of range.
        """
        missing = [name for name in _TYPES if name not in saved]
        if missing or not isinstance(saved["recipe"], dict):
            raise ValueError(f"weights metadata: {(missing or ['recipe'])[0]} is missing")
        values = {name: saved[name] for name in (*_TYPES, *_NEWER) if name in saved}
        return cls(**values | {"recipe": RecipeKey.from_json(saved["recipe"])})


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that affect training."""
    found = {name: version(name) for name in ("numpy", "safetensors", "torchvision")}
    return {"python": platform.python_version(), "torch": torch.__version__, **found}


def device_name(device: torch.device) -> str:
    """Name the device and the processor, for example `CPU (AMD EPYC 7B13)`."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = models[0] if models else platform.processor() or platform.machine()
    is_gpu = device.type == "cuda"
    return f"{torch.cuda.get_device_name(device) if is_gpu else device.type.upper()} ({processor})"
