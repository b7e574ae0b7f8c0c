"""3d and 3e: measure again the numbers that the answers rely on, and look for them in the text.

A person grades the wording of the answers.
"""

import math
import re
from functools import partial
from typing import Any

import torch

from latentwalk.checks import shared
from latentwalk.checks.networks import open_network
from latentwalk.checks.shared import Staff
from latentwalk.data.mnist import to_unit
from latentwalk.evaluation.frechet import frechet_distance
from latentwalk.evaluation.neighbours import mean_pair_distance
from latentwalk.evaluation.paths import classify_paths, real_yardstick
from latentwalk.evaluation.readings import in_chunks, read
from latentwalk.evaluation.sharpness import sharpness
from latentwalk.evaluation.smoothness import measure_paths
from latentwalk.experiments.interpolation import lerp
from latentwalk.models import gan, vae
from problemset.grading.score.verdict import Verdict
from problemset.grading.submission.opened import Submission, SubmissionError

# a constant, so that grading does not need the training set
FLOOR = 0.1054
"""Frechet distance between 10,000 training digits and the test digits, in the classifier's
features."""
IMAGES, PAIRS = 10_000, 300  # sample sizes for measuring again
MARGINS = {
    "frechet_ratio": (0.15, 1.0),
    "sharpness_percent": (0.0, 3.0),
    "steadiness": (0.0, 0.05),
    "label_switches": (0.0, 0.3),
    "third_digit_steps": (0.0, 0.4),
    "sharpness_drop": (0.0, 0.05),
    "certainty_drop": (0.0, 0.05),
}
"""Allowed difference between a claim and its new measurement with other noise and pairs: a fraction
of the measurement, plus an absolute amount. Resampling moves the GAN's ratio by 0.6, see the
report's intervals."""
_NUMBER = re.compile(r"-?\d{1,6}(\.\d{1,6})?")
QUALITY = tuple(
    f"{kind}_{what}"
    for kind in ("gan", "vae", "reconstruction")
    for what in ("frechet_ratio", "sharpness_percent")
)
SMOOTHNESS = tuple(
    f"{kind}_{what}"
    for kind in ("gan", "vae")
    for what in MARGINS
    if what not in ("frechet_ratio", "sharpness_percent")
)


def quality_is_as_claimed(submission: Submission, staff: Staff) -> Verdict:
    """3d: distances and sharpness of fresh samples and reconstructions are as claimed."""
    claims = claims_of(submission, QUALITY)
    return _compare(claims, measure_quality(submission, staff))


def measure_quality(submission: Submission, staff: Staff) -> dict[str, float]:
    """Measure the numbers of QUALITY on fresh samples of the submission's networks."""
    rng = torch.Generator().manual_seed(shared.SEED)
    network = _unlabelled(open_network(submission, "gan"))
    autoencoder = open_network(submission, "vae")
    real = to_unit(staff.test.images)
    reference = read(staff.classifier, real).features
    edges = in_chunks(sharpness, real).mean().item()
    inputs = gan.draw_inputs(network.config, IMAGES, rng)
    noise = torch.randn(IMAGES, autoencoder.config.latent_size, generator=rng)
    codes = in_chunks(autoencoder.noise_to_code, noise)
    made = {
        "gan": (network, inputs),
        "vae": (autoencoder.decode, codes),
        "reconstruction": (partial(vae.reconstruct, autoencoder), real),
    }
    measured = {}
    for kind, (make, of) in made.items():
        images = in_chunks(make, of)  # one kind and a few images at a time to save memory
        distance = frechet_distance(read(staff.classifier, images).features, reference)
        measured[f"{kind}_frechet_ratio"] = float(distance) / FLOOR
        measured[f"{kind}_sharpness_percent"] = (
            100 * in_chunks(sharpness, images).mean().item() / edges
        )
    return measured


def smoothness_is_as_claimed(submission: Submission, staff: Staff) -> Verdict:
    """3e: fresh paths of both models measure as claimed."""
    claims = claims_of(submission, SMOOTHNESS)
    return _compare(claims, measure_smoothness(submission, staff))


def measure_smoothness(submission: Submission, staff: Staff) -> dict[str, float]:
    """Measure the numbers of SMOOTHNESS on fresh paths of the submission's networks."""
    rng = torch.Generator().manual_seed(shared.SEED)
    network = _unlabelled(open_network(submission, "gan"))
    autoencoder = open_network(submission, "vae")
    order = torch.randperm(len(staff.test.images), generator=rng)
    ends = to_unit(staff.test.images[order[: 2 * PAIRS]])
    # the nearest real image is searched among digits that are not the end of any path
    others = to_unit(staff.test.images[order[2 * PAIRS : 2 * PAIRS + shared.FRESH]])
    searched, features = (read(staff.classifier, images).features for images in (others, ends))
    yardstick = real_yardstick(ends, features, searched, mean_pair_distance(features, rng))
    inputs = torch.randn(2 * PAIRS, network.config.latent_size, generator=rng)
    codes = in_chunks(lambda part: autoencoder.encode(part).mu, ends)
    measured: dict[str, float] = {}
    for kind, decode, points in (("gan", network, inputs), ("vae", autoencoder.decode, codes)):
        start, end = points.chunk(2)
        line = lerp(start, end, shared.STEPS)  # (P, S, Z)
        images = in_chunks(decode, line.flatten(0, 1))  # (P * S, 1, 28, 28)
        seen, paths = read(staff.classifier, images), images.unflatten(0, line.shape[:2])
        classified = classify_paths(paths, seen.features, seen.prediction, searched)
        found = measure_paths(classified, yardstick)
        measured |= {
            name: float(getattr(found, name.removeprefix(f"{kind}_")).mean())
            for name in SMOOTHNESS
            if name.startswith(f"{kind}_")
        }
    return measured


def quality_is_quoted(submission: Submission, staff: Staff) -> Verdict:
    """3d: the text contains the claimed numbers."""
    return _quoted(submission, QUALITY, "3d")


def smoothness_is_quoted(submission: Submission, staff: Staff) -> Verdict:
    """3e: the text contains the claimed numbers."""
    return _quoted(submission, SMOOTHNESS, "3e")


def _compare(claims: dict[str, Any], measured: dict[str, float]) -> Verdict:
    wrong = []
    for name, again in measured.items():
        said = claims[name]["value"]
        share, beyond = next(margin for what, margin in MARGINS.items() if name.endswith(what))
        if abs(said - again) > share * abs(again) + beyond:
            wrong.append(f"{name} is {said:.4g} and measures {again:.4g}")
    evidence = {"measured": measured, "claimed": {n: claims[n]["value"] for n in measured}}
    if wrong:
        says = f"{len(wrong)} of {len(measured)} claims fail: {'; '.join(wrong[:3])}"
        return Verdict(False, says, evidence)
    return Verdict(True, f"all {len(measured)} claims agree with a new measurement", evidence)


def _quoted(submission: Submission, names: tuple[str, ...], item: str) -> Verdict:
    claims = claims_of(submission, names)
    text = _section(submission.pdf_text(), item)
    missing = []
    for name in names:
        value, printed = claims[name]["value"], claims[name]["printed"]
        decimals = len(printed.partition(".")[2])
        rounded = abs(float(printed) - value) <= 0.51 * 10.0**-decimals
        said = re.search(rf"(?<![\d.]){re.escape(printed)}(?!\.?\d)", text)
        missing += [] if rounded and said else [f"{name} ({printed})"]
    if missing:
        shown = ", ".join(missing[:5])
        says = f"{len(missing)} of {len(names)} claims are not in the text of {item}: {shown}"
        return Verdict(False, says, {"missing": missing})
    return Verdict(True, f"the text of {item} has all {len(names)} claims", {})


def _section(text: str, item: str) -> str:
    """Text from the heading of an item to that of a later item, or of a problem.

    "As in 3b. But ..." is no heading: one does not follow a word of the same sentence.
    """
    text = re.sub(r"\s+", " ", text.replace("\N{MINUS SIGN}", "-"))
    heads = list(re.finditer(r"(?<![a-z,(] )\b(?:([1-5][a-e])[.)] |Problem ([1-5])\b)", text))
    for number, head in enumerate(heads):
        if head[1] == item:
            later = (h.start() for h in heads[number + 1 :] if (h[1] or h[2]) > item)
            return text[head.start() : next(later, len(text))]
    raise SubmissionError(f"report.pdf has no heading that begins with {item}.")


def claims_of(
    submission: Submission, names: tuple[str, ...] = QUALITY + SMOOTHNESS
) -> dict[str, Any]:
    """Read the claims by name: objects with a number `value` and a text `printed`.

    Raises:
        SubmissionError: a claim is missing or malformed.
    """
    content = submission.document("claims")
    listed = content if isinstance(content, list) else []
    claims = {
        c["name"]: c for c in listed if isinstance(c, dict) and isinstance(c.get("name"), str)
    }
    for name in names:
        if name not in claims:
            raise SubmissionError(f"results/claims.json has no claim {name}")
        value, printed = claims[name].get("value"), claims[name].get("printed")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if (
            not number
            or not math.isfinite(value or 0)
            or not isinstance(printed, str)
            or not _NUMBER.fullmatch(printed)
        ):
            raise SubmissionError(
                f"results/claims.json: {name} needs a finite value and its printed number"
            )
    return claims


def _unlabelled(network: Any) -> Any:
    if network.config.num_classes:
        raise SubmissionError("weights/gan.safetensors is a GAN with labels, expected one without")
    return network
