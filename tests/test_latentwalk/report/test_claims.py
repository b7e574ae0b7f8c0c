"""The numbers that 3d and 3e quote, as they are written down for whoever grades."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from latentwalk.checks import claims as checks
from latentwalk.evaluation.intervals import Estimate
from latentwalk.experiments import quality, smoothness
from latentwalk.model_zoo import trainer
from latentwalk.report import claims
from problemset import file_io, workspace


def exact(number):
    return Estimate(number, number, number)


def images():
    values = ((1, 0.5), (3.14159, 0.49), (61.25, 0.25), (7, 0.3), (18, 0.31), (5.04, 0.305))
    names = (
        quality.REAL,
        quality.GAN_SAMPLES,
        quality.VAE_SAMPLES,
        quality.FITTED_SAMPLES,
        quality.LEARNED_SAMPLES,
        quality.RECONSTRUCTIONS,
    )
    rows = [
        SimpleNamespace(name=name, ratio=exact(ratio), sharpness=exact(sharpness))
        for name, (ratio, sharpness) in zip(names, values, strict=True)
    ]
    return SimpleNamespace(rows=rows)


def walks():
    values = {smoothness.GAN_PATHS: 0.125, smoothness.VAE_PATHS: -0.004, smoothness.BLENDS: 5}
    return SimpleNamespace(
        rows=[
            SimpleNamespace(name=name, measures=dict.fromkeys(claims.ALONG, exact(value)))
            for name, value in values.items()
        ]
    )


def test_numbers_are_rounded_as_the_text_rounds_them():
    found = {claim.name: claim for claim in claims.claims(images(), walks())}
    assert found["gan_frechet_ratio"].printed == "3.1"
    assert found["vae_frechet_ratio"].value == 61.25
    assert found["reconstruction_sharpness_percent"].printed == "61"
    assert found["gan_steadiness"].printed == "0.12"
    assert found["vae_sharpness_drop"].printed == "0.00"
    assert {claim.item for claim in found.values()} == {"3d", "3e"}


def test_claims_are_those_that_are_graded(monkeypatch, tmp_path):
    monkeypatch.setattr(workspace, "results_dir", lambda: file_io.make_folder(tmp_path))
    written = json.loads(claims.save(images(), walks()).read_text("utf-8"))
    assert [claim["name"] for claim in written if claim["item"] == "3d"] == list(checks.QUALITY)
    graded = {claim["name"] for claim in written if claim["item"] == "3e"}
    assert graded == set(checks.SMOOTHNESS)


@pytest.mark.usefixtures("released_weights")
def test_floor_is_the_measured_one():
    metrics = trainer.load("gan").metadata.metrics
    now = metrics["frechet_floor"]
    assert pytest.approx(now, rel=0.01) == checks.FLOOR, f"set checks.claims.FLOOR to {now:.4f}"


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("3d. Which? It is 3.1 times. 3e. Other 9.9", True),
        ("1a. Zero 3.1 3d. Which? 13.1 and 3.15 3e. 3.1", False),
        ("3d. Which? \N{MINUS SIGN}0.02, or 3.1. Problem 4: more", True),
        ("3d. Which? 3.1\n3", True),
        ("3d. Which? As in 3b. There, 3.1.", True),
        ("3d. Which? See also 3e. There, 3.1.", True),
        ("3d. Which? See below.\n3e. There, 3.1.", False),
        ("As in 3d. There, 3.1. 3d. Which? None", False),
    ],
)
def test_a_number_counts_in_its_own_section_alone(text, there):
    name = "gan_frechet_ratio"
    claimed = [{"name": name, "value": 3.12, "printed": "3.1"}]
    submission = SimpleNamespace(document=lambda item: claimed, pdf_text=lambda: text)
    assert checks._quoted(submission, (name,), "3d").passed == there


@pytest.mark.parametrize("value", [np.inf, "3.1", None, True, [3.1]])
def test_a_value_that_is_no_number_is_refused(value):
    claimed = [{"name": "gan_frechet_ratio", "value": value, "printed": "3.1"}]
    submission = SimpleNamespace(document=lambda item: claimed)
    with pytest.raises(checks.SubmissionError, match="needs a finite value"):
        checks.claims_of(submission, ("gan_frechet_ratio",))
