"""How fast the models train: images a second of each, median and spread over repetitions.

Run by `make bench`. Times whole training steps of the report's configurations on the real digits,
in float32 and in bfloat16, model after model within a repetition, so that a slow minute of the
machine hits all of them alike. The first steps of each model are not counted.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice

import torch

from latentwalk import data, provenance, recipes, training

WARM_UP_STEPS = 3
PRECISIONS = ("float32", "bfloat16")


def stepper(recipe: recipes.Recipe, digits: data.Digits, precision: str) -> Callable[[int], None]:
    """Give a function that takes so many training steps."""
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


def images_per_second(take: Callable[[int], None], steps: int, batch_size: int) -> float:
    """Time so many steps."""
    start = time.perf_counter()
    take(steps)
    return steps * batch_size / (time.perf_counter() - start)


def main() -> None:
    """Time every model and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=16, help="timed steps a repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=list(recipes.recipes()))
    options = parser.parse_args()
    device = training.best_device()
    digits = data.load("train", print).to(device)
    cases = {(name, p): recipes.get(name) for name in options.models for p in PRECISIONS}
    steppers = {case: stepper(recipe, digits, case[1]) for case, recipe in cases.items()}
    rates: dict[tuple[str, str], list[float]] = {case: [] for case in cases}
    for take in steppers.values():
        take(WARM_UP_STEPS)
    for _ in range(options.repetitions):
        for case, take in steppers.items():
            rate = images_per_second(take, options.steps, cases[case].config.batch_size)
            rates[case].append(rate)
    print(f"{provenance.device_name(device)}, {torch.get_num_threads()} threads, ", end="")
    print(f"torch {torch.__version__}, {options.repetitions} x {options.steps} steps")
    spread = f"{'lowest':>8} {'highest':>8}"
    print(f"{'model':<11} {'precision':<9} {'images/s':>9} {spread} {'ms/step':>8}")
    for (name, precision), found in rates.items():
        median = statistics.median(found)
        step = 1000 * cases[name, precision].config.batch_size / median
        spread = f"{min(found):>8.0f} {max(found):>8.0f}"
        print(f"{name:<11} {precision:<9} {median:>9.0f} {spread} {step:>8.0f}")


if __name__ == "__main__":
    main()
