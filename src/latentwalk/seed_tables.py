"""What several seeds gave, as the report's tables and words; nothing where it was not measured."""

from collections.abc import Mapping, Sequence

from latentwalk.experiments.teaching import LESSONS
from latentwalk.seeds import Run, having, over_seeds
from latentwalk.tables import SMOOTHNESS_COLUMNS, number, paths_table, table

COLUMNS = {
    "frechet_ratio": ("ratio", 2),
    "coverage_percent": ("coverage", 1),
    "label_agreement_percent": ("labels", 2),
    "worst_digit_agreement_percent": ("worst digit", 1),
    "largest_share_gap_points": ("largest gap", 1),
    "log_likelihood_nats": ("likelihood", 2),
}
"""Measurements over seeds that the report's table shows: what it calls them, and digits."""

LEAST_COVERAGE_PERCENT = 85
"""Less is a collapse: real digits cover 95 %, and without one of the ten a tenth less."""
MOST_RATIO = 10
"""More is a training that diverged, or went nowhere."""


def models(found: Mapping[str, Sequence[Run]]) -> str:
    """Means over trainings from several seeds, with their intervals: one model a row."""
    header = ["model", "seeds", *(name for name, _ in COLUMNS.values())]
    rows = [
        [model, str(len(runs)),
         *(_mean(runs, metric, digits) for metric, (_, digits) in COLUMNS.items())]
        for model, runs in found.items()
        if any(having(runs, metric) for metric in COLUMNS)
    ]  # fmt: skip
    return table(header, rows or [["none measured", *[""] * (len(header) - 1)]])


def paths(runs: Sequence[Run], kinds: Sequence[str]) -> str:
    """3e: means over trainings from several seeds; one kind of paths a row."""
    measures = (*SMOOTHNESS_COLUMNS, "margin")
    rows = {kind: [_mean(runs, f"{kind}: {measure}") for measure in measures] for kind in kinds}
    return paths_table(rows, "margin")


def note(runs: Sequence[Run], metric: str, digits: int = 1) -> str:
    """Write a mean over seeds to follow a number: " (2.1 ± 0.3 over 5 seeds)", or nothing."""
    mean = _mean(runs, metric, digits)
    return f" ({mean} over {len(having(runs, metric))} seeds)" if mean else ""


def taught(found: Mapping[str, Sequence[Run]]) -> str:
    """3d: say what a classifier learns from samples, or nothing where that was not measured."""
    metric = "taught_accuracy_percent"
    means = {model: _mean(found[model], metric) for model in ("cgan", "gan", "vae", "classifier")}
    if not all(means.values()):
        return ""
    counts = _listed([str(len(having(found[model], metric))) for model in means])
    return (
        f"A classifier that learns from {LESSONS:,} samples alone reads "
        f"{means['cgan']} % of the test digits if they are the conditional GAN's with the labels "
        f"asked for, and {means['gan']} % and {means['vae']} % if they are the GAN's and the VAE's "
        "with the labels that the judge reads in them; from the training digits themselves it "
        f"learns to read {means['classifier']} % (means over {counts} seeds). The judge's "
        "labels hand on what the judge knows, so the second and the third flatter the samples."
    )


def failures(runs: Sequence[Run]) -> str:
    """Say how many of a GAN's trainings failed, and how bad the worst was."""
    if not runs:
        return "none of 0"
    ratios = [run.metrics["frechet_ratio"] for run in runs]
    coverages = [run.metrics["coverage_percent"] for run in runs]
    failed = sum(
        not (ratio <= MOST_RATIO and coverage >= LEAST_COVERAGE_PERCENT)  # so that nan is a failure
        for ratio, coverage in zip(ratios, coverages, strict=True)
    )
    return (
        f"{failed or 'none'} of {len(runs)} (largest ratio {max(ratios):.1f}, least coverage "
        f"{min(coverages):.1f} %)"
    )


def names(runs: Sequence[Run]) -> str:
    """Name the seeds of some runs: 2017, 2018 and 2020."""
    return _listed([str(run.seed) for run in runs]) or "none"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _mean(runs: Sequence[Run], metric: str, digits: int = 2) -> str:
    """Write a mean over seeds with its interval, or nothing for fewer than two."""
    mean = over_seeds(runs, metric)
    return "" if mean is None else number(mean, digits)
