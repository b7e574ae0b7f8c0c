"""Training loop for all models: batch, step, record, check, save when due, stop."""

import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from latentwalk.data.mnist import Batch, Digits, batches
from latentwalk.models.optim import TrainState
from latentwalk.training.checkpoints import CheckpointError, load_checkpoint, save_checkpoint

_LOG = logging.getLogger(__name__)

Precision = Literal["auto", "float32", "bfloat16"]


class TrainingDiverged(RuntimeError):
    """A loss became infinite or NaN."""


class Model(Protocol):
    """The two functions that the loop needs from a module of `latentwalk.models`."""

    def init(self, config: Any, device: torch.device) -> Any:
        """Build the initial state, with an untrained network."""

    def train_step(self, state: Any, batch: Batch, rng: torch.Generator) -> tuple[Any, dict]:
        """Take one step; return the state and the loss terms, as detached tensors."""


@dataclass(frozen=True)
class Schedule:
    """How often the loop logs, takes snapshots and saves checkpoints."""

    rows: int = 100
    """Number of rows logged over the whole run; each is the mean since the previous row."""
    snapshots: int = 6
    """Number of sample snapshots, at steps that double each time; the last is at the end."""
    checkpoint_seconds: float = 30.0
    """Minimum time between two checkpoints, in seconds."""


@dataclass
class History:
    """Training log: averaged loss terms and sample snapshots."""

    rows: list[dict[str, float]] = field(default_factory=list)
    """Each row holds `step`, `elapsed_seconds` and the mean of each loss term."""
    snapshots: list[tuple[int, Tensor]] = field(default_factory=list)
    """(step, images (B, 1, 28, 28) uint8), in order of step."""


@dataclass(frozen=True)
class Trained:
    """Result of `fit`."""

    network: nn.Module
    """The released network, in evaluation mode."""
    history: History
    elapsed_seconds: float
    """Total time spent in the loop, including the parts before interruptions."""
    precision: str


def fit(
    model: Model,
    config: Any,
    digits: Digits,
    *,
    seed: int,
    key: str,
    checkpoint: Path | None = None,
    device: torch.device | None = None,
    precision: Precision = "auto",
    snapshot: Callable[[nn.Module], Tensor] | None = None,
    schedule: Schedule | None = None,
    stop_at: int | None = None,
    bar_options: Mapping[str, Any] | None = None,
) -> Trained:
    """Train a model from scratch, or resume from its checkpoint.

    Args:
        model: a module of `latentwalk.models`.
        config: that module's configuration; the loop reads `steps` and `batch_size`.
        digits: the training images.
        seed: determines the initial weights, the order of the images and the noise.
        key: identifies this training run; a checkpoint with another key is not used.
        checkpoint: file to resume from and to save to; no checkpoints if omitted.
        device: where to train; `best_device()` if omitted.
        precision: number format of the convolutions; `auto` times both and takes the faster.
        snapshot: makes sample images (B, 1, 28, 28) in [0, 1] from the network.
        schedule: when to log, take snapshots and save.
        stop_at: step at which to save a checkpoint and stop; `config.steps` if omitted.
        bar_options: further arguments for the progress bar, `tqdm.tqdm`.

    Returns:
        The released network and its history.

    Raises:
        TrainingDiverged: a loss became infinite or NaN; the last checkpoint is kept.
    """
    device, schedule = device or best_device(), schedule or Schedule()
    chosen = choose_precision(device) if precision == "auto" else precision
    torch.manual_seed(seed)
    state = model.init(config, device)
    rng = torch.Generator(device).manual_seed(seed + 1)
    history, spent_seconds = History(), 0.0
    if checkpoint and checkpoint.exists():
        history, spent_seconds = _resume(checkpoint, key, state, rng)
    # restarted from the seed even when resuming: `skip` replays the permutations up to this step
    order = torch.Generator().manual_seed(seed + 2)
    stream = batches(digits.to(device), config.batch_size, order, skip=state.step)
    record_every = max(1, config.steps // schedule.rows)
    drawn_at = _doubling(config.steps, schedule.snapshots) if snapshot else set()
    window: list[dict[str, Tensor]] = []
    saved_at = time.monotonic()
    started = saved_at - spent_seconds
    last = config.steps if stop_at is None else stop_at
    shown: dict[str, Any] = {"unit": "step", "disable": None, "leave": False, **(bar_options or {})}
    with tqdm(total=config.steps, initial=state.step, **shown) as bar:
        while state.step < last:
            batch = next(stream)
            with autocast(device, chosen):
                state, metrics = model.train_step(state, batch, rng)
            window.append(metrics)
            if state.step % record_every == 0 or state.step == config.steps:
                row = _row(state.step, time.monotonic() - started, window)
                _check_finite(row, checkpoint)
                history.rows.append(row)
                window.clear()
                bar.update(state.step - bar.n)
                bar.set_postfix_str(_brief(row))
            if snapshot and state.step in drawn_at:
                paused_at = time.monotonic()
                history.snapshots.append((state.step, _draw(snapshot, state.released)))
                started += time.monotonic() - paused_at  # drawing is not training time
            due = time.monotonic() - saved_at > schedule.checkpoint_seconds
            if checkpoint and due and not window:  # only right after a row passed the check
                _save(checkpoint, key, state, rng, history, time.monotonic() - started)
                saved_at = time.monotonic()
    if checkpoint and stop_at is not None:
        _save(checkpoint, key, state, rng, history, time.monotonic() - started)
    return Trained(state.released.eval(), history, time.monotonic() - started, chosen)


def best_device() -> torch.device:
    """Return the GPU if PyTorch can use one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager:
    """Context in which convolutions and matrix products run in bfloat16, or all in float32."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def choose_precision(
    device: torch.device, clock: Callable[[], float] = time.perf_counter
) -> Literal["float32", "bfloat16"]:
    """Time one typical convolution both ways; choose bfloat16 only if it is clearly faster.

    The processor's feature flags are not used, because some processors list bfloat16
    instructions but run them slower than float32. On a GPU bfloat16 is always chosen.

    Args:
        device: where to train.
        clock: returns the time in seconds.
    """
    if device.type != "cpu":
        return "bfloat16"
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        images = torch.randn(64, 64, 14, 14, dtype=dtype).to(memory_format=torch.channels_last)
        kernel = torch.randn(64, 64, 3, 3, dtype=dtype).to(memory_format=torch.channels_last)
        runs = []
        for _ in range(6):
            start = clock()
            F.conv2d(images, kernel, padding=1)
            runs.append(clock() - start)
        seconds[dtype] = min(runs)
    return "bfloat16" if seconds[torch.float32] > 1.3 * seconds[torch.bfloat16] else "float32"


def _doubling(steps: int, count: int) -> set[int]:
    """Return `count` steps, the largest being `steps`, each twice the previous one."""
    return {max(1, steps >> power) for power in range(count)}


def _row(step: int, seconds: float, window: list[dict[str, Tensor]]) -> dict[str, float]:
    """Average each loss term over the steps of the window that report it."""
    row = {"step": float(step), "elapsed_seconds": seconds}
    for name in sorted({name for metrics in window for name in metrics}):
        values = [metrics[name].float() for metrics in window if name in metrics]
        row[name] = torch.stack(values).mean().item()
    return row


def _check_finite(row: dict[str, float], checkpoint: Path | None) -> None:
    broken = [name for name, value in row.items() if not math.isfinite(value)]
    if broken:
        kept = f"; the last good state is in {checkpoint}" if checkpoint else ""
        raise TrainingDiverged(
            f"{broken[0]} was {row[broken[0]]} at step {row['step']:.0f}{kept}; "
            "a smaller learning rate usually helps"
        )


def _brief(row: dict[str, float]) -> str:
    parts = [f"{name}={row[name]:.3g}" for name in row if name not in ("step", "elapsed_seconds")]
    return " ".join(parts)


def _draw(snapshot: Callable[[nn.Module], Tensor], network: nn.Module) -> Tensor:
    """Take a snapshot with the network in evaluation mode, then restore its mode."""
    was_training = network.training
    images = snapshot(network.eval())
    network.train(was_training)
    return (images * 255).round().to(torch.uint8).cpu()


def _save(
    path: Path, key: str, state: TrainState, rng: torch.Generator, history: History, seconds: float
) -> None:
    steps = [step for step, _ in history.snapshots]
    pictures = [images for _, images in history.snapshots]
    saved = {"key": key, "state": state.state_dict(), "rng": rng.get_state(), "seconds": seconds}
    saved |= {"rows": history.rows, "snapshot_steps": steps, "snapshots": pictures}
    save_checkpoint(path, saved)


def _resume(path: Path, key: str, state: TrainState, rng: torch.Generator) -> tuple[History, float]:
    """Load a checkpoint into `state` and `rng` if it belongs to this training run."""
    try:
        saved = load_checkpoint(path)
    except CheckpointError as error:
        _LOG.warning("starting from the beginning: %s", error)
        return History(), 0.0
    if saved["key"] != key:
        _LOG.warning(
            "starting from the beginning: %s belongs to another configuration, code or data", path
        )
        return History(), 0.0
    state.load_state_dict(saved["state"])
    rng.set_state(saved["rng"])
    _LOG.info("going on from step %d in %s", state.step, path)
    snapshots = list(zip(saved["snapshot_steps"], saved["snapshots"], strict=True))
    return History(saved["rows"], snapshots), saved["seconds"]
