"""Results over several seeds as the report's tables and sentences; empty if not measured."""

from collections.abc import Mapping, Sequence

from latentwalk.model_zoo.seeds import Run, having, over_seeds
from latentwalk.model_zoo.weights_files import Released
from latentwalk.report.rounding import rounded
from latentwalk.report.tables import SMOOTHNESS_COLUMNS, number, paths_table, table

COLUMNS = {
    "frechet_ratio": ("ratio", 2),
    "coverage_percent": ("coverage", 1),
    "label_agreement_percent": ("labels", 2),
    "worst_digit_agreement_percent": ("worst digit", 1),
    "largest_share_gap_points": ("largest gap", 1),
    "log_likelihood_nats": ("likelihood", 2),
}
"""Measurements over seeds in the report's table: column name and number of decimals."""

TRAINING_DIGITS = 60_000
"""Number of samples from which a classifier learns: as many as there are training digits."""
LEAST_COVERAGE_PERCENT = 85
"""Smaller coverage counts as mode collapse. Real digits cover 95 %; a tenth less without one of the
ten digits."""
MOST_RATIO = 10
"""A larger ratio counts as a training run that diverged or did not learn."""


def models(found: Mapping[str, Sequence[Run]]) -> str:
    """Table of means over seeds with their intervals, one model per row."""
    header = ["model", "seeds", *(name for name, _ in COLUMNS.values())]
    rows = [
        [
            model,
            str(len(runs)),
            *(_mean(runs, metric, digits) for metric, (_, digits) in COLUMNS.items()),
        ]
        for model, runs in found.items()
        if any(having(runs, metric) for metric in COLUMNS)
    ]
    return table(header, rows or [["none measured", *[""] * (len(header) - 1)]])


def paths(runs: Sequence[Run], kinds: Sequence[str]) -> str:
    """3e: table of means over seeds with their intervals, one kind of paths per row."""
    measures = (*SMOOTHNESS_COLUMNS, "margin")
    rows = {kind: [_mean(runs, f"{kind}: {measure}") for measure in measures] for kind in kinds}
    return paths_table(rows, "margin")


def note(runs: Sequence[Run], metric: str, digits: int = 1) -> str:
    """Format a mean over seeds as a suffix: " (2.1 ± 0.3 over 5 seeds)"; empty if not measured."""
    mean = _mean(runs, metric, digits)
    return f" ({mean} over {len(having(runs, metric))} seeds)" if mean else ""


def taught(found: Mapping[str, Sequence[Run]]) -> str:
    """3d: report the accuracy of classifiers trained on samples; empty if not measured."""
    metric = "taught_accuracy_percent"
    means = {model: _mean(found[model], metric) for model in ("cgan", "gan", "vae", "classifier")}
    if not all(means.values()):
        return ""
    gan, vae = (over_seeds(found[model], metric) for model in ("gan", "vae"))
    assert gan is not None
    assert vae is not None
    alike = gan.low <= vae.high and vae.low <= gan.high
    counts = _listed([str(len(having(found[model], metric))) for model in means])
    return (
        f"A classifier that learns from {TRAINING_DIGITS:,} samples alone reads "
        f"{means['cgan']} % of the test digits if they are the conditional GAN's with the labels "
        f"asked for, and {means['gan']} % and {means['vae']} % if they are the GAN's and the VAE's "
        "with the labels that the judge reads in them; from the training digits themselves it "
        f"learns to read {means['classifier']} % (means over {counts} seeds). The judge's "
        "labels hand on what the judge knows, so the second and the third flatter the samples. "
        f"Between the GAN and the VAE this test sees {'no' if alike else 'a'} difference."
    )


def shown_value(runs: Sequence[Run], shown: Released, metric: str) -> float | None:
    """A metric of the run with the shown model's own seed; None if that was not measured."""
    found = [run.metrics.get(metric) for run in runs if run.seed == shown.metadata.seed]
    return found[0] if found else None


def with_as_many(value: float | None) -> str:
    """3a: the second VAE's bound with as many samples as the first one's; empty if not measured."""
    return "" if value is None else f", {rounded(value)} with as many samples as the first"


def failures(runs: Sequence[Run]) -> str:
    """Report how many of a GAN's training runs failed, and the worst values."""
    if not runs:
        return "none of 0"
    ratios = [run.metrics["frechet_ratio"] for run in runs]
    coverages = [run.metrics["coverage_percent"] for run in runs]
    failed = sum(
        not (ratio <= MOST_RATIO and coverage >= LEAST_COVERAGE_PERCENT)  # NaN counts as a failure
        for ratio, coverage in zip(ratios, coverages, strict=True)
    )
    return (
        f"{failed or 'none'} of {len(runs)} (largest ratio {max(ratios):.1f}, least coverage "
        f"{min(coverages):.1f} %)"
    )


def names(runs: Sequence[Run]) -> str:
    """List the seeds of some runs: 2017, 2018 and 2020."""
    return _listed([str(run.seed) for run in runs]) or "none"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _mean(runs: Sequence[Run], metric: str, digits: int = 2) -> str:
    """Format a mean over seeds with its interval; empty for fewer than two seeds."""
    mean = over_seeds(runs, metric)
    return "" if mean is None else number(mean, digits)
