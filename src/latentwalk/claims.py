"""The measured numbers that the answers to 3d and 3e rest on, as `results/claims.json`.

Written down beside how the report prints them, so that whoever grades can measure them again and
look for them in the text: see docs/submission.md.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from latentwalk.experiments.quality import GAN_SAMPLES, REAL, RECONSTRUCTIONS, VAE_SAMPLES, Quality
from latentwalk.experiments.smoothness import GAN_PATHS, VAE_PATHS, Smoothness
from latentwalk.rounding import plain
from problemset import file_io, workspace

IMAGES = {"gan": GAN_SAMPLES, "vae": VAE_SAMPLES, "reconstruction": RECONSTRUCTIONS}
PATHS = {"gan": GAN_PATHS, "vae": VAE_PATHS}
ALONG = ("steadiness", "label_switches", "third_digit_steps", "sharpness_drop", "certainty_drop")


@dataclass(frozen=True)
class Claim:
    """One number of the text."""

    name: str
    """What it measures."""
    item: str
    """Where the text says it."""
    value: float
    printed: str
    """As the text has it."""


def claims(quality: Quality, smoothness: Smoothness) -> list[Claim]:
    """Give the numbers that 3d and 3e quote, in the text's own rounding."""
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
    """Write them.

    Raises:
        WriteError: when the results' folder cannot be written.
    """
    path = workspace.results_dir() / "claims.json"
    content = [asdict(claim) for claim in claims(quality, smoothness)]
    file_io.write_if_changed(path, json.dumps(content, indent=1) + "\n")
    return path
