"""How fast the models train: images a second of each, median and spread over repetitions.

Run by `make bench`. Times whole training steps of the report's configurations on the real digits,
in float32, in bfloat16 and as a textbook does it (`textbook.py`), one after the other within a
repetition, so that a slow minute of the machine hits all of them alike. The first steps of each are
not counted. Beside them: how much faster than the textbook, and which share of the convolutions
that this machine can do, measured in the same repetitions, a step takes. `build/bench.json` keeps
it all.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import textbook
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from latentwalk import data, paths, provenance, recipes, training

WARM_UP_STEPS = 3
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
TEXTBOOK = "textbook"
WITH_TEXTBOOK = ("gan", "vae", "cgan")
Take = Callable[[int], None]


def stepper(recipe: recipes.Recipe, digits: data.Digits, precision: str) -> Take:
    """Give a function that takes so many training steps."""
    if precision == TEXTBOOK:
        return textbook.stepper(recipe.config, digits)
    device = digits.images.device
    torch.manual_seed(recipe.seed)
    state = recipe.model.init(recipe.config, device)
    rng = torch.Generator(device).manual_seed(recipe.seed)
    order = torch.Generator().manual_seed(recipe.seed)
    stream: Iterator[data.Batch] = data.batches(digits, recipe.config.batch_size, order)

    def take(steps: int) -> None:
        for batch in islice(stream, steps):
            with training.autocast(device, precision):
                recipe.model.train_step(state, batch, rng)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return take


def convolutions(device: torch.device, precision: str) -> Take:
    """Give a function that takes so many large 3 x 3 convolutions, with their gradients."""
    images = torch.randn(128, 64, 14, 14, device=device).to(PRECISIONS[precision])
    images = images.contiguous(memory_format=torch.channels_last).requires_grad_()
    kernels = torch.randn(64, 64, 3, 3, device=device).to(PRECISIONS[precision]).requires_grad_()
    pull = torch.randn_like(images)

    def take(steps: int) -> None:
        for _ in range(steps):
            F.conv2d(images, kernels, padding=1).backward(pull)
            images.grad = kernels.grad = None
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return take


class Operations(TorchDispatchMode):
    """Count multiplications and additions by PyTorch's own table.

    Its `FlopCounterMode` also follows modules, and cannot where a loss holds a gradient.
    """

    total = 0

    def __torch_dispatch__(
        self, operator: Any, types: Any, arguments: Any = (), named: Any = None
    ) -> Any:
        """Carry out an operator and count it."""
        result = operator(*arguments, **(named or {}))
        count = flop_registry.get(operator.overloadpacket)
        if count is not None:
            self.total += count(*arguments, **(named or {}), out_val=result)
        return result


def operations(take: Take) -> float:
    """Multiplications and additions of a step, the mean of 8: some are longer than others."""
    with Operations() as counter:
        take(8)
    return counter.total / 8


def seconds(take: Take, steps: int) -> float:
    """Time a step, the mean of so many."""
    start = time.perf_counter()
    take(steps)
    return (time.perf_counter() - start) / steps


def main() -> None:
    """Time every model, print a table and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=16, help="timed steps a repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=list(recipes.recipes()))
    options = parser.parse_args()
    device = training.best_device()
    digits = data.load("train", print).to(device)
    cases = [(name, way) for name in options.models for way in (*PRECISIONS, TEXTBOOK)
             if way != TEXTBOOK or name in WITH_TEXTBOOK]  # fmt: skip
    takes = {(name, way): stepper(recipes.get(name), digits, way) for name, way in cases}
    peaks = {("peak", precision): convolutions(device, precision) for precision in PRECISIONS}
    everything = takes | peaks
    found: dict[tuple[str, str], list[float]] = {case: [] for case in everything}
    for take in everything.values():
        take(WARM_UP_STEPS)
    for _ in range(options.repetitions):
        for case, take in everything.items():
            found[case].append(seconds(take, options.steps))
    work = {case: operations(take) for case, take in everything.items()}
    peak = {way: work["peak", way] / statistics.median(found["peak", way]) for way in PRECISIONS}
    rows = [_row(case, found, work[case], peak) for case in cases]
    machine = {
        "device": provenance.device_name(device), "threads": torch.get_num_threads(),
        "torch": torch.__version__, "numpy": np.__version__,
        "steps": options.steps, "repetitions": options.repetitions,
        "peak_gflop_per_second": {way: round(value / 1e9, 1) for way, value in peak.items()},
    }  # fmt: skip
    _print(machine, rows)
    out = paths.make_folder(paths.build_dir()) / "bench.json"
    with paths.atomic_path(out) as unfinished:
        unfinished.write_text(_as_json(machine, rows), "utf-8")
    print(out)


def _row(
    case: tuple[str, str], found: dict[tuple[str, str], list[float]], work: float,
    peak: dict[str, float],
) -> dict[str, object]:  # fmt: skip
    rates, step = _rates(case, found), statistics.median(found[case])
    usual = (case[0], TEXTBOOK)
    times = None
    if usual in found:
        times = statistics.median(rates) / statistics.median(_rates(usual, found))
    return {
        "model": case[0], "way": case[1], "batch_size": _batch_size(case),
        "images_per_second": round(statistics.median(rates), 1),
        "lowest": round(min(rates), 1), "highest": round(max(rates), 1),
        "milliseconds_per_step": round(1000 * step, 2),
        "times_textbook": times and round(times, 2),
        "share_of_peak": round(work / step / peak.get(case[1], peak["float32"]), 3),
    }  # fmt: skip


def _batch_size(case: tuple[str, str]) -> int:
    name, way = case
    return textbook.BATCH_SIZE if way == TEXTBOOK else int(recipes.get(name).config.batch_size)


def _rates(case: tuple[str, str], found: dict[tuple[str, str], list[float]]) -> list[float]:
    """Images a second in each repetition."""
    return [_batch_size(case) / each for each in found[case]]


def _print(machine: dict[str, object], rows: list[dict[str, object]]) -> None:
    print(f"{machine['device']}, {machine['threads']} threads, torch {machine['torch']}, ", end="")
    print(f"{machine['repetitions']} x {machine['steps']} steps")
    peaks = machine["peak_gflop_per_second"]
    assert isinstance(peaks, dict)
    print("convolutions with gradients: ", end="")
    print(", ".join(f"{way} {value:.0f} GFLOP/s" for way, value in peaks.items()))
    print(f"{'model':<11} {'way':<9} {'images/s':>9} {'lowest':>8} {'highest':>8} {'ms/step':>8} "
          f"{'x textbook':>10} {'of peak':>8}")  # fmt: skip
    for row in rows:
        times = "" if row["times_textbook"] is None else f"{row['times_textbook']:.2f}"
        print(f"{row['model']:<11} {row['way']:<9} {row['images_per_second']:>9.0f} "
              f"{row['lowest']:>8.0f} {row['highest']:>8.0f} {row['milliseconds_per_step']:>8.1f} "
              f"{times:>10} {row['share_of_peak']:>8.0%}")  # fmt: skip


def _as_json(machine: dict[str, object], rows: list[dict[str, object]]) -> str:
    content = {"machine": machine | {"cores": os.cpu_count()}, "rows": rows}
    return json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    main()
