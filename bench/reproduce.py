"""Train the report's models again, from nothing, and compare with the released ones.

Run by `make reproduce`, in a build folder of its own (build/reproduce), so the report's weights
stay. A run that was interrupted goes on where it stopped; after a complete one, the next starts
from nothing. The same processor and libraries repeat the numbers; others round differently, which
is like another seed, so a number has a margin: how far apart two seeds may well be, by the runs in
assets/seeds.json. Exit code 1: one lies outside its margin.
"""

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latentwalk.model_zoo import parallel, recipes, seeds, trainer, weights_files
from latentwalk.model_zoo.seeds import Run
from latentwalk.training import checkpoints
from latentwalk.training.tensor_file import WeightsError
from problemset import file_io, workspace

LEAST_MARGINS = {  # chosen: those runs have one judge, and here it is trained again, too
    "test_accuracy_percent": 0.15,
    "label_agreement_percent": 0.2,
    "log_likelihood_nats": 0.3,
}
LEAST_RELATIVE_MARGINS = {"frechet_ratio": 0.5}  # of the released value


@dataclass(frozen=True)
class Row:
    """One measurement of one model, then and now."""

    model: str
    metric: str
    released: float | None
    """None when nothing comparable was released."""
    retrained: float
    margin: float | None
    """None for a number that is shown for information."""

    @property
    def verdict(self) -> str:
        """Whether both agree: within, outside, or nothing to say."""
        if self.margin is None or self.released is None:
            return ""
        return "within" if abs(self.retrained - self.released) <= self.margin else "outside"

    def __str__(self) -> str:
        then = "-" if self.released is None else f"{self.released:.5g}"
        margin = "" if self.margin is None else f"{self.margin:.2g}"
        numbers = f"{then:>10} {self.retrained:>10.5g} {margin:>7}"
        return f"{self.model:<11} {self.metric:<35} {numbers} {self.verdict}".rstrip()


def compare(model: str, released: Mapping[str, float], retrained: Mapping[str, float]) -> list[Row]:
    """Put two sets of measurements side by side."""
    rows = []
    runs = [run for run in seeds.load() if run.model == model]
    for metric, value in retrained.items():
        then, margin = released.get(metric), LEAST_MARGINS.get(metric)
        if metric in LEAST_RELATIVE_MARGINS and then is not None:
            margin = LEAST_RELATIVE_MARGINS[metric] * abs(then)
        if margin is not None:
            margin = max(margin, two_trainings(runs, metric))
        rows.append(Row(model, metric, then, value, margin))
    return rows


def retrain(names: Sequence[str]) -> tuple[dict[str, dict[str, float]], float]:
    """Train models, except those that this run has trained before it was interrupted.

    Returns:
        The metrics of each, and how many minutes training took, without measuring.
    """
    done = {name: weights_files.status(name)[-2] for name in names}
    missing = [name for name, (_, found) in done.items() if found.state != "valid"]
    started = time.monotonic()
    parallel.fit(missing)
    minutes = (time.monotonic() - started) / 60
    metrics = {}
    for name, (built, _) in done.items():
        if name in missing:
            now = trainer.train(recipes.get(name))
        else:
            print(f"{name}: trained before this run was interrupted")
            now = weights_files.read(built, recipes.get(name))
        metrics[name] = now.metadata.metrics
    return metrics, minutes


def released(name: str) -> dict[str, float]:
    """Give the metrics in the released weights, whatever code they were trained by."""
    path = weights_files.status(name)[-1][0]
    try:
        return checkpoints.load_weights(path)[1].metrics
    except WeightsError as error:
        print(f"{name}: nothing to compare with: {error}")
        return {}


def start_over() -> None:
    """Remove what a complete run has left."""
    for name in recipes.recipes():
        weights_files.status(name)[-2][0].unlink(missing_ok=True)
    (workspace.build_dir() / "comparison.txt").unlink()


def two_trainings(found: Sequence[Run], metric: str) -> float:
    """Largest difference of a metric between two training runs, in 95 of 100 cases.

    0 if fewer than two runs have the metric.
    """
    values = seeds.values_of(found, metric)
    if len(values) < 2:
        return 0.0
    return seeds.t_quantile(len(values)) * values.std().item() * 2**0.5


def main() -> int:
    """Retrain, compare, write the table."""
    if workspace.build_dir() == workspace.project_root() / "build":
        print("reproduce: set LATENTWALK_BUILD to a folder of its own, as `make reproduce` does")
        return 2
    with workspace.build_lock(print):
        table = workspace.build_dir() / "comparison.txt"
        if table.exists():
            start_over()
        started = time.monotonic()
        metrics, training_minutes = retrain(list(recipes.recipes()))
        minutes = (time.monotonic() - started) / 60
        rows = [row for name in metrics for row in compare(name, released(name), metrics[name])]
        verdicts = [row.verdict for row in rows if row.verdict]
        title = f"{'model':<11} {'measurement':<35} {'released':>10} {'retrained':>10}  margin"
        last = f"{verdicts.count('outside')} of {len(verdicts)} outside their margin"
        took = f"took {minutes:.1f} minutes, {training_minutes:.1f} of them training side by side"
        text = "\n".join([title, *map(str, rows), took, last])
        with file_io.atomic_path(table) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 1 if "outside" in verdicts else 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("reproduce: interrupted; the same command goes on from what is saved")
