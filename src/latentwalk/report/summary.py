"""The table on the report's first page."""

from collections.abc import Mapping, Sequence
from statistics import NormalDist

from latentwalk.evaluation.intervals import Estimate
from latentwalk.experiments.problem4 import Agreement, InputReadings
from latentwalk.experiments.quality import GAN_SAMPLES, VAE_SAMPLES, Quality
from latentwalk.experiments.smoothness import INVERTED_PATHS, VAE_PATHS, Smoothness
from latentwalk.model_zoo.seeds import Run, over_seeds
from latentwalk.report.tables import number, percent, table

_BOUND = "log-likelihood of the VAE, nats, at least"
_NATS = "log_likelihood_nats"


def summary_table(
    images: Quality,
    variants: InputReadings,
    agreement: Agreement,
    walks: Smoothness,
    likelihood: dict[str, float],
    repeated: Mapping[str, Sequence[Run]],
) -> str:
    """First page: the most important numbers of Problems 2 to 4.

    Args:
        images: of 3d.
        variants: of 4a and 4b; the last is the conditional GAN.
        agreement: of 4d.
        walks: of 3e.
        likelihood: metrics of the VAE.
        repeated: results over several seeds, by model.
    """
    found = {row.name: row for row in images.rows}
    steady = {row.name: row.measures["steadiness"] for row in walks.rows}
    ratios = (found[GAN_SAMPLES].ratio, found[VAE_SAMPLES].ratio, variants.rows[-1].ratio)
    bound, error = (likelihood[name] for name in (_NATS, "log_likelihood_standard_error_nats"))
    half = NormalDist().inv_cdf(0.975) * error
    labels, asked = "label_agreement_percent", agreement.overall
    rows: list[tuple[str, str, str, str, int, str]] = [
        ("distance to real digits: GAN", number(ratios[0], 1), "gan", "frechet_ratio", 1, "3d"),
        ("the same: VAE", number(ratios[1], 1), "vae", "frechet_ratio", 1, "3d"),
        ("the same: conditional GAN", number(ratios[2], 1), "cgan", "frechet_ratio", 1, "4b"),
        (
            "digits drawn as asked for",
            f"{percent(asked)} %",
            "cgan",
            labels,
            2,
            "4d",
        ),
        (_BOUND, number(Estimate(bound, bound - half, bound + half)), "vae", _NATS, 2, "3a"),
    ]
    for name, kind in (("GAN", INVERTED_PATHS), ("VAE", VAE_PATHS)):
        what = f"steadiness between test images: {name}"
        rows.append((what, number(steady[kind]), "gan+vae", f"{kind}: steadiness", 2, "3e"))
    return table(
        ["measured", "shown here", "over seeds", "where"],
        [
            [what, value, _mean(repeated[model], metric, digits), f"[{item}](#sec-p{item})"]
            for what, value, model, metric, digits, item in rows
        ],
    )


def _mean(runs: Sequence[Run], metric: str, digits: int) -> str:
    mean = over_seeds(runs, metric)
    return number(mean, digits) if mean else ""
