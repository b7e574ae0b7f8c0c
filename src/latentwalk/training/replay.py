"""Replay a few training steps, to check that changed code still computes the same results.

Trained weights are stored together with the output of `record`. It describes how some steps change
the whole training state (parameters, their moving average, optimizers, random numbers). The steps
are taken at the start of the schedule, across an epoch boundary in the middle, and at the end.
When the code has changed since, the steps are replayed and `disagreement` compares the outcomes.
"""

import contextlib
import dataclasses
import functools
import hashlib
import logging
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentwalk.training import checkpoints, loop
from latentwalk.training.provenance import RecipeKey, WeightsMetadata
from latentwalk.training.tensor_file import WeightsError, tensor_digest

log = logging.getLogger(__name__)

STEPS = 17
"""Number of steps in each window: enough for two or three gradient penalties."""
_SPEEDUPS = (0.5, 1.0, 1.2, 1.29, 1.31, 1.4, 2.0)  # bfloat16 over float32; below and above 1.3

Fit = Callable[..., loop.Trained]
"""`training.fit` with its model, configuration, digits and seed already bound."""


@dataclass(frozen=True)
class Replay:
    """Outcome of the replayed steps."""

    about: dict[str, str]
    """`machine`, `digest` of the exact outcome, and the `choices` of precision."""
    changes: dict[str, Tensor]
    """For each window and each part of the state, such as an optimizer: (T, 2), one row per tensor,
    ordered by name. The columns are the tensor's change projected on random signs, and the norm of
    that change."""


def record(fit: Fit, config: Any, num_digits: int) -> Replay:
    """Replay the steps and describe how they change the state.

    Args:
        fit: trains the model; called with `precision`, `checkpoint`, `key`, `stop_at` and `device`.
        config: the model's configuration.
        num_digits: number of training images, which sets the length of an epoch.
    """
    threads = torch.get_num_threads()
    changes: dict[str, Tensor] = {}
    ends: dict[str, Tensor] = {}
    torch.set_num_threads(1)  # otherwise sums would depend on the number of threads
    try:
        for precision, starts in _windows(config, num_digits).items():
            for place, (start, before, after) in enumerate(_run(fit, config, precision, starts)):
                window = f"{precision}, window {place} from step {start}"
                changes |= {f"{window}, {p}": c for p, c in _changes(before, after).items()}
                ends |= {f"{precision}/{place}/{name}": value for name, value in after.items()}
    finally:
        torch.set_num_threads(threads)
    about = {"machine": machine(), "digest": tensor_digest(ends), "choices": _choices()}
    return Replay(about, changes)


def disagreement(recorded: Replay, now: Replay, tolerance: float) -> str:
    """Describe how two replays differ; an empty string if they agree.

    On machines of the same kind every bit must be equal. Between different kinds, the median
    difference over the tensors of each part of the state must be explained by rounding. The median
    is used because Adam amplifies rounding errors where the exact gradient is zero, as for a bias
    before batch norm.

    Args:
        recorded: replay with the code that trained the weights.
        now: replay with the current code.
        tolerance: largest difference between two kinds of machine, as a fraction of the change that
            the steps make.
    """
    if recorded.about.get("choices") != now.about["choices"]:
        return "another precision is chosen"
    if recorded.changes.keys() != now.changes.keys():
        return "other steps are taken"
    if recorded.about.get("machine") == now.about["machine"]:
        same = recorded.about.get("digest") == now.about["digest"]
        return "" if same else "the repeated steps end in another state"
    for window, before in recorded.changes.items():
        after = now.changes[window]
        if before.shape != after.shape:
            return "the training's state holds other tensors"
        scale = before[:, 1].maximum(after[:, 1])
        differences = ((before - after).abs() / scale.clamp(min=1e-12).unsqueeze(1)).amax(dim=1)
        apart = differences.median().item()
        if not apart <= tolerance:  # also when it is NaN
            return f"the repeated steps ({window}) differ by {apart:.2g} of what they change"
    return ""


def with_current_code(
    path: Path,
    tensors: Mapping[str, Tensor],
    metadata: WeightsMetadata,
    key: RecipeKey,
    repeat: Callable[[], Replay],
    tolerance: float,
) -> WeightsMetadata:
    """Update the key of weights to the current code, if replayed steps end in the same state.

    Args:
        path: the weights file, for messages.
        tensors: the file's tensors, with the recorded steps under `replay/`.
        metadata: the file's metadata.
        key: key of the current recipe and code.
        repeat: replays the steps; called only if the code changed.
        tolerance: see `disagreement`.

    Returns:
        The metadata, with the current key if the code changed.

    Raises:
        WeightsError: the steps end in another state, or none are recorded.
    """
    changed = metadata.recipe.changed_code(key)
    if not changed:
        return metadata
    words = f"the code of {', '.join(changed[:5])}" + (" and others" if len(changed) > 5 else "")
    windows = checkpoints.under("replay/", tensors)
    problem = "no repeated steps are recorded to compare with"
    if windows:
        problem = disagreement(Replay(metadata.replay, windows), repeat(), tolerance)
    if problem:
        raise WeightsError(f"{path} is stale: {words} changed, and {problem}", "stale")
    log.info(
        "%s: %s changed, and repeated steps of the training end in the same state: the weights "
        "stay valid",
        metadata.name,
        words,
    )
    return dataclasses.replace(metadata, recipe=key)


@functools.cache
def machine() -> str:
    """Everything that determines rounding here: processor, PyTorch's instruction set, version."""
    wanted = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags")
    try:
        block = Path("/proc/cpuinfo").read_text("utf-8").split("\n\n")[0]
    except OSError:  # not Linux
        block = f"model name: {platform.processor()} {platform.machine()}"
    pairs = (line.partition(":")[::2] for line in block.splitlines())
    fields = {name.strip(): value.strip() for name, value in pairs}
    described = "\n".join(fields.get(name, "") for name in wanted)
    processor = hashlib.sha256(described.encode()).hexdigest()
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{fields.get('model name', '')} {processor[:12]} {capability} torch {torch.__version__}"


def _windows(config: Any, num_digits: int) -> dict[str, list[int]]:
    """First step of each window, by precision; the middle window crosses an epoch boundary."""
    epoch = max(1, num_digits // config.batch_size)
    boundary = max(1, round(config.steps / 2 / epoch)) * epoch
    starts = {0, boundary - STEPS // 2, config.steps - STEPS}
    inside = sorted(start for start in starts if 0 <= start < max(1, config.steps - STEPS // 2))
    return {"float32": inside, "bfloat16": [0]}


def _run(
    fit: Fit, config: Any, precision: str, starts: list[int]
) -> Iterator[tuple[int, dict[str, Tensor], dict[str, Tensor]]]:
    """Yield for each window its first step, and the training state before and after it."""
    with tempfile.TemporaryDirectory(prefix="latentwalk-replay-") as folder:
        file = Path(folder) / "checkpoint.safetensors"

        def go_on(until: int) -> tuple[Any, dict[str, Tensor]]:
            with _quiet():
                trained = fit(
                    precision=precision,
                    checkpoint=file,
                    key="replay",
                    stop_at=until,
                    device=torch.device("cpu"),
                    bar_options={"disable": True},
                )
            saved = checkpoints.load_checkpoint(file)
            released = {f"released/{k}": v for k, v in trained.network.state_dict().items()}
            return saved, released | dict(_tensors({k: saved[k] for k in ("state", "rng")}))

        go_on(0)
        for start in starts:
            # the counters are moved, because training up to `start` would take too long
            saved = _moved(checkpoints.load_checkpoint(file), start)
            checkpoints.save_checkpoint(file, saved)
            _, before = go_on(start)
            _, after = go_on(min(start + STEPS, config.steps))
            yield start, before, after


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the loop from logging that it resumes, which it does several times in a replay."""
    logger = logging.getLogger(loop.__name__)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _moved(saved: Any, step: int) -> Any:
    """Copy a state and set its counters of steps and of averages to `step`."""
    if isinstance(saved, list | tuple):
        return type(saved)(_moved(each, step) for each in saved)
    if not isinstance(saved, Mapping):
        return saved
    counters = {"step", "n_averaged"}
    return {
        name: _moved(value, step)
        if name not in counters
        else torch.full_like(value, step)
        if isinstance(value, Tensor)
        else step
        for name, value in saved.items()
    }


def _tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield all tensors and numbers in nested dicts and lists, each with its path."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _tensors(each, f"{name}/{key}")
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            yield from _tensors(each, f"{name}/{place}")
    elif isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, int | float):
        yield name, torch.tensor(float(value), dtype=torch.float64)


def _changes(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """For each part of the state, (T, 2): each change projected on random signs, and its norm."""
    rows: dict[str, list[Tensor]] = {}
    for name in sorted(after):
        value = after[name].double().flatten()
        change = value - before[name].double().flatten() if name in before else value
        rng = torch.Generator().manual_seed(len(change))  # the same signs in every replay
        signs = torch.randint(0, 2, change.shape, generator=rng) * 2 - 1
        part = "/".join(name.split("/")[1:3]) if name.startswith("/") else "released"
        part += ", statistics" if "running_" in name else ""  # batch norm's
        rows.setdefault(part, []).append(torch.stack([(signs * change).sum(), change.norm()]))
    return {part: torch.stack(several).float() for part, several in rows.items()}


def _choices() -> str:
    """Describe how precision is chosen and applied.

    For each precision: the number format of matrix products. For several speeds of bfloat16,
    measured by a fake clock: the precision that is chosen.
    """
    chosen = []
    for precision in ("float32", "bfloat16"):
        with loop.autocast(torch.device("cpu"), precision):
            chosen.append(str((torch.ones(1, 1) @ torch.ones(1, 1)).dtype))
    for speedup in _SPEEDUPS:
        readings = iter(
            [t for n in range(100) for t in (10.0 * n, 10.0 * n + (1.0 if n < 6 else 1 / speedup))]
        )
        chosen.append(loop.choose_precision(torch.device("cpu"), lambda: next(readings)))  # noqa: B023
    return " ".join(chosen)
