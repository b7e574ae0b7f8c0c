"""Time to quality: what the conditional GAN and the VAE reach in trainings of several lengths.

Run by `make bench`; takes three quarters of an hour on two cores. A training's learning rate falls
to nothing at its end, where most of the quality comes from, so each length is a training of its
own, planned for it. A textbook's loop (`textbook.py`) keeps its rate, so one training of the same
networks is measured at several moments. Seconds are those of the training loop; measuring comes
after it and is shown beside it.
"""

import argparse
import copy
import dataclasses
import logging
import statistics
import time
from collections.abc import Iterator, Sequence
from typing import Any

import textbook
import torch
from report_table import Column, Table, machine, saved_tables
from steps import TEXTBOOK

from latentwalk.data import mnist
from latentwalk.model_zoo import measures, recipes, trainer
from latentwalk.models.vae import Vae
from latentwalk.training import loop

OURS = "ours"
LENGTHS = {"cgan": (500, 1000, 1500, 2000, 4000, 6000), "vae_flow": (1000, 2000, 6000)}
TEXTBOOK_MOMENTS = {"cgan": (1000, 2000, 4000), "vae_flow": (2000, 6000)}
"""After how many steps its training is measured; the last takes about as long as the longest of
ours, or longer."""
GOALS: dict[str, list[dict[str, float]]] = {
    "cgan": [
        {"label_agreement_percent": 80, "frechet_ratio": 80},
        {"label_agreement_percent": 95, "frechet_ratio": 10},
        {"label_agreement_percent": 99, "frechet_ratio": 3},
        {"label_agreement_percent": 99, "frechet_ratio": 2},
    ],
    "vae_flow": [{"log_likelihood_nats": bound} for bound in (-90, -86.8, -84.5, -82.5, -81.5)],
}
"""What a training must reach to have passed: at least, a ratio at most."""
IMPORTANCE_SAMPLES, LIKELIHOOD_IMAGES = 1000, 250
NUMBERS = {
    "label_agreement_percent": Column("agreement %", ".2f"),
    "frechet_ratio": Column("Fréchet / floor", ".2f"),
    "log_likelihood_nats": Column("bound, nats", ".2f"),
}
COLUMNS = (
    {
        "model": Column("model"),
        "way": Column("way"),
        "seed": Column("seed"),
        "steps": Column("steps", ",d"),
        "seconds": Column("seconds", ".0f"),
    }
    | NUMBERS
    | {
        "measuring_seconds": Column("measuring s", ".0f"),
    }
)
REACHED = {
    "model": Column("model"),
    "way": Column("way"),
    "goal": Column("goal"),
    "seeds": Column("seeds that pass"),
    "steps": Column("steps", ",d"),
    "seconds": Column("seconds", ".0f"),
    "lowest": Column("lowest", ".0f"),
    "highest": Column("highest", ".0f"),
}


def train(name: str, steps: int, seed: int, classifier: torch.nn.Module) -> dict[str, Any]:
    """Train a model so many steps and measure it."""
    recipe = recipes.get(name)
    trained = loop.fit(
        recipe.model,
        dataclasses.replace(recipe.config, steps=steps),
        mnist.load("train"),
        seed=seed,
        key="bench",
    )
    about = {"model": name, "way": OURS, "seed": seed, "steps": steps}
    return about | {"seconds": trained.elapsed_seconds} | measure(trained.network, classifier)


def train_as_textbook(
    name: str, seed: int, classifier: torch.nn.Module
) -> Iterator[dict[str, Any]]:
    """Train a model's networks with the textbook's loop and measure them at its moments."""
    torch.manual_seed(seed)
    digits = mnist.load("train").to(loop.best_device())
    lessons = textbook.begin(recipes.get(name).config, digits)
    steps, seconds = 0, 0.0
    for moment in TEXTBOOK_MOMENTS[name]:
        started = time.monotonic()
        lessons.take(moment - steps)
        steps, seconds = moment, seconds + time.monotonic() - started
        about = {"model": name, "way": TEXTBOOK, "seed": seed, "steps": steps}
        yield (
            about
            | {"seconds": seconds}
            | measure(copy.deepcopy(lessons.network).eval(), classifier)
        )


def measure(network: torch.nn.Module, classifier: torch.nn.Module) -> dict[str, Any]:
    """Measure samples, and the likelihood of a VAE; with the seconds that it takes.

    The network is in evaluation mode; it is moved to the CPU.
    """
    started = time.monotonic()
    train_digits, test = mnist.load("train"), mnist.load("test")
    network = network.cpu().requires_grad_(False)
    found = measures.measure_samples(network, classifier, train_digits, test)
    if isinstance(network, Vae):
        found |= measures.measure_likelihood(network, test, IMPORTANCE_SAMPLES, LIKELIHOOD_IMAGES)
    numbers = {number: found.get(number) for number in NUMBERS}
    return numbers | {"measuring_seconds": time.monotonic() - started}


def passes(row: dict[str, Any], goal: dict[str, float]) -> bool:
    """Say whether a training reached all numbers of a goal."""
    return all(
        row[name] <= bar if name == "frechet_ratio" else row[name] >= bar
        for name, bar in goal.items()
    )


def reached(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give for each way and goal the shortest training that every seed passes with, and its time.

    Where none does, it says how many seeds pass with the longest.
    """
    found = []
    for name, way in dict.fromkeys((row["model"], row["way"]) for row in rows):
        of_way = [row for row in rows if (row["model"], row["way"]) == (name, way)]
        lengths = sorted({row["steps"] for row in of_way})
        by_length = {n: [row for row in of_way if row["steps"] == n] for n in lengths}
        for goal in GOALS[name]:
            enough = next(
                (n for n in lengths if all(passes(row, goal) for row in by_length[n])), None
            )
            chosen = by_length[enough or lengths[-1]]
            seconds = [row["seconds"] for row in chosen] if enough else None
            found.append(
                {
                    "model": name,
                    "way": way,
                    "goal": in_words(goal),
                    "seeds": f"{sum(passes(row, goal) for row in chosen)} of {len(chosen)}",
                    "steps": enough,
                    "seconds": seconds and statistics.mean(seconds),
                    "lowest": seconds and min(seconds),
                    "highest": seconds and max(seconds),
                }
            )
    return found


def in_words(goal: dict[str, float]) -> str:
    """As in `agreement % 99, Fréchet / floor 3`."""
    return ", ".join(f"{NUMBERS[name].heading} {bar:g}" for name, bar in goal.items())


def main() -> None:
    """Train, measure, keep both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(LENGTHS), choices=LENGTHS)
    parser.add_argument("--lengths", nargs="+", type=int, help="steps, of each model")
    parser.add_argument("--seeds", nargs="+", type=int, default=[2017, 2018, 2019])
    parser.add_argument("--add", action="store_true", help="to what is kept, without the textbook")
    options = parser.parse_args()
    classifier = trainer.load("classifier").network
    for name in options.models:
        rows = before(name) if options.add else []
        for steps in options.lengths or LENGTHS[name]:
            for seed in options.seeds:
                rows.append(train(name, steps, seed, classifier))
                print(f"{name}: {steps} steps, seed {seed}: {rows[-1]['seconds']:.0f} s")
        for row in () if options.add else train_as_textbook(name, options.seeds[0], classifier):
            rows.append(row)
            print(f"{name}, textbook: {row['steps']} steps: {row['seconds']:.0f} s")
        newest = {(row["way"], row["steps"], row["seed"]): row for row in rows}
        keep(name, [newest[which] for which in sorted(newest)])


def before(name: str) -> list[dict[str, Any]]:
    """Give the trainings of a model that were measured on this machine, for others beside them."""
    return [
        dict(row)
        for table in saved_tables()
        for row in table.rows
        if table.name == _trainings(name) and table.machine == machine()
    ]


def _trainings(name: str) -> str:
    return f"quality_{name}"


def keep(name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Keep both tables of a model, without the numbers that it does not have."""
    about = "Measured on 10,000 samples"
    if rows[0]["log_likelihood_nats"] is not None:
        about += (
            "; the bound of 10,000 test images by their ELBO and what "
            f"{IMPORTANCE_SAMPLES:,} importance samples gain on {LIKELIHOOD_IMAGES} of them"
        )
    missing = {number for number in NUMBERS if rows[0][number] is None}
    columns = {number: column for number, column in COLUMNS.items() if number not in missing}
    Table(_trainings(name), f"Trainings of {name} of several lengths", columns, rows, about).keep()
    about = "The shortest of these trainings that every seed passes with; empty if none is"
    Table(f"goals_{name}", f"Time to quality of {name}", REACHED, reached(rows), about).keep()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
