"""A short training with the functions of a notebook, to see the losses move."""

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from latentwalk import paths
from latentwalk.data.mnist import Digits
from latentwalk.training import loop
from problemset import source_code


def train(
    init: Callable,
    train_step: Callable,
    config: Any,
    digits: Digits,
    *,
    seed: int = 2017,
    checkpoint: str = "",
    rows: int = 4,
) -> loop.Trained:
    """Train from scratch in float32, or go on where a training with the same code was interrupted.

    Args:
        init: builds the untrained model, as `gan.init` and `vae.init` do.
        train_step: takes one step, as `gan.train_step` does.
        config: the model's configuration, such as `GanConfig(steps=1000)`.
        digits: the training images.
        seed: determines the initial weights, the order of the images and the noise.
        checkpoint: name of the file in the build folder to go on from; none is kept if omitted.
        rows: number of rows of the history.
    """
    file = paths.checkpoints_dir() / f"{checkpoint}.safetensors" if checkpoint else None
    return loop.fit(
        SimpleNamespace(init=init, train_step=train_step),
        config,
        digits,
        seed=seed,
        key=source_code.sha256([repr(config), seed, *_sources(train_step), *_sources(init)]),
        checkpoint=file,
        precision="float32",
        schedule=loop.Schedule(rows=rows, checkpoint_seconds=3),
    )


def losses(trained: loop.Trained) -> str:
    """The step and the mean loss terms of each row of the history as lines of text."""
    lines = []
    for row in trained.history.rows:
        terms = {name: v for name, v in row.items() if name not in ("step", "elapsed_seconds")}
        # few decimals, which are the same on every processor
        shown = [f"{name} {v:6.{1 if v >= 10 else 2}f}" for name, v in terms.items()]
        lines.append(f"step {row['step']:3.0f}   " + "   ".join(shown))
    return "\n".join(lines)


def _sources(function: Any) -> list[str]:
    """Source of all functions and methods beside a function, so that an edit starts anew."""
    beside = [
        value
        for value in function.__globals__.values()
        if getattr(value, "__module__", None) == function.__module__
    ]
    found = [value for value in beside if inspect.isfunction(value)]
    for kind in filter(inspect.isclass, beside):  # a notebook's classes have no source themselves
        found += [value for value in vars(kind).values() if inspect.isfunction(value)]
    # what `dataclass` writes has no source; the configuration's values are in the key already
    codes = [inspect.unwrap(each).__code__ for each in found]
    return sorted({inspect.getsource(c) for c in codes if not c.co_filename.startswith("<")})
