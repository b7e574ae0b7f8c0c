"""Measured numbers that support the answers to 3d and 3e, written to `results/claims.json`.

Each is stored with its printed form in the report, so that a grader can measure it again and find
it in the text: see docs/submission.md.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from latentwalk.experiments.quality import GAN_SAMPLES, REAL, RECONSTRUCTIONS, VAE_SAMPLES, Quality
from latentwalk.experiments.smoothness import GAN_PATHS, VAE_PATHS, Smoothness
from latentwalk.report.rounding import plain
from problemset import file_io, workspace

IMAGES = {"gan": GAN_SAMPLES, "vae": VAE_SAMPLES, "reconstruction": RECONSTRUCTIONS}
PATHS = {"gan": GAN_PATHS, "vae": VAE_PATHS}
ALONG = ("steadiness", "label_switches", "third_digit_steps", "sharpness_drop", "certainty_drop")


@dataclass(frozen=True)
class Claim:
    """One number that the text states."""

    name: str
    """Name of the measured quantity."""
    item: str
    """Homework item whose text states it."""
    value: float
    printed: str
    """The number as printed in the text."""


def claims(quality: Quality, smoothness: Smoothness) -> list[Claim]:
    """Collect the numbers stated in 3d and 3e, with the text's rounding."""
    found = []
    images = {row.name: row for row in quality.rows}
    walks = {row.name: row.measures for row in smoothness.rows}
    for kind, name in IMAGES.items():
        row = images[name]
        share = 100 * row.sharpness.value / images[REAL].sharpness.value
        ratio = row.ratio.value
        found.append(Claim(f"{kind}_frechet_ratio", "3d", ratio, plain(ratio, 1)))
        found.append(Claim(f"{kind}_sharpness_percent", "3d", share, plain(share, 0)))
    for kind, name in PATHS.items():
        values = {measure: walks[name][measure].value for measure in ALONG}
        found += [Claim(f"{kind}_{n}", "3e", value, plain(value, 2)) for n, value in values.items()]
    return found


def save(quality: Quality, smoothness: Smoothness) -> Path:
    """Write the claims to `claims.json` in the results folder.

    Raises:
        WriteError: the results folder cannot be written.
    """
    path = workspace.results_dir() / "claims.json"
    content = [asdict(claim) for claim in claims(quality, smoothness)]
    file_io.write_if_changed(path, json.dumps(content, indent=1) + "\n")
    return path
