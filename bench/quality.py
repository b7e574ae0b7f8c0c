"""Time to quality: what the conditional GAN and the VAE reach in trainings of several lengths.

Run by `make bench`; takes half an hour on two cores. A training's learning rate falls to nothing
at its end, where most of the quality comes from, so each length is a training of its own, planned
for it. Seconds are those of the training loop; measuring comes after it and is shown beside it.
"""

import argparse
import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import torch
from kept import Column, Table

from latentwalk import data, measures, recipes, training
from latentwalk.models.vae import Vae

LENGTHS = {"cgan": (500, 1000, 1500, 2000, 4000, 8000), "vae_flow": (1000, 2000, 4000, 6000)}
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
COLUMNS = {
    "model": Column("model"),
    "seed": Column("seed"),
    "steps": Column("steps", ",d"),
    "seconds": Column("seconds", ".0f"),
} | NUMBERS | {
    "measuring_seconds": Column("measuring s", ".0f"),
}  # fmt: skip
REACHED = {
    "model": Column("model"), "goal": Column("goal"), "seeds": Column("seeds that pass"),
    "steps": Column("steps", ",d"), "seconds": Column("seconds", ".0f"),
}  # fmt: skip


def train(name: str, steps: int, seed: int, judge: torch.nn.Module) -> dict[str, Any]:
    """Train a model so many steps and measure it."""
    recipe = recipes.get(name)
    train_digits, test = data.load("train", print), data.load("test", print)
    trained = training.fit(
        recipe.model, dataclasses.replace(recipe.config, steps=steps), train_digits,
        seed=seed, key="bench",
    )  # fmt: skip
    started = time.monotonic()
    network = trained.network.cpu().requires_grad_(False)
    found = measures.measure_samples(network, judge, train_digits, test)
    if isinstance(network, Vae):
        found |= measures.measure_likelihood(network, test, IMPORTANCE_SAMPLES, LIKELIHOOD_IMAGES)
    return {
        "model": name, "seed": seed, "steps": steps, "seconds": trained.elapsed_seconds,
        **{number: found.get(number) for number in NUMBERS},
        "measuring_seconds": time.monotonic() - started,
    }  # fmt: skip


def passes(row: dict[str, Any], goal: dict[str, float]) -> bool:
    """Say whether a training reached all numbers of a goal."""
    return all(
        row[name] <= bar if name == "frechet_ratio" else row[name] >= bar
        for name, bar in goal.items()
    )


def reached(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give for each goal the shortest training that every seed passes with, and its mean time."""
    found = []
    for name in dict.fromkeys(row["model"] for row in rows):
        for goal in GOALS[name]:
            of_model = [row for row in rows if row["model"] == name]
            lengths = sorted({row["steps"] for row in of_model})
            by_length = {n: [row for row in of_model if row["steps"] == n] for n in lengths}
            enough = next(
                (n for n in lengths if all(passes(row, goal) for row in by_length[n])), None
            )
            chosen = by_length[enough or lengths[-1]]
            found.append({
                "model": name, "goal": in_words(goal),
                "seeds": f"{sum(passes(row, goal) for row in chosen)} of {len(chosen)}",
                "steps": enough,
                "seconds": enough and sum(row["seconds"] for row in chosen) / len(chosen),
            })  # fmt: skip
    return found


def in_words(goal: dict[str, float]) -> str:
    """As in `agreement % 99, Fréchet / floor 3`."""
    return ", ".join(f"{NUMBERS[name].heading} {bar:g}" for name, bar in goal.items())


def main() -> None:
    """Train, measure, keep both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(LENGTHS), choices=LENGTHS)
    parser.add_argument("--lengths", nargs="+", type=int, help="steps, of each model")
    parser.add_argument("--seeds", nargs="+", type=int, default=[2017])
    options = parser.parse_args()
    judge = recipes.load("classifier", print).network
    for name in options.models:
        rows: list[dict[str, Any]] = []
        for steps in options.lengths or LENGTHS[name]:
            for seed in options.seeds:
                rows.append(train(name, steps, seed, judge))
                print(f"{name}: {steps} steps, seed {seed}: {rows[-1]['seconds']:.0f} s")
        keep(name, rows)


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
    Table(f"quality_{name}", f"Trainings of {name} of several lengths", columns, rows, about).keep()
    about = "The shortest of these trainings that every seed passes with; empty if none is"
    Table(f"goals_{name}", f"Time to quality of {name}", REACHED, reached(rows), about).keep()


if __name__ == "__main__":
    main()
