"""Every broken submission fails the checks that it broke, and those only; honest ones fail none."""

import dataclasses
import functools
import hashlib
import shutil

import low_precision
import numpy as np
import pytest
import sabotage
import torch
from remembered import remembered

from latentwalk.assignment import ASSIGNMENT
from latentwalk.checks import claims, contract, shared
from latentwalk.checks import problem2 as gan_checks
from latentwalk.checks.registry import CHECKS
from latentwalk.commands import train
from latentwalk.data import mnist
from latentwalk.derivations import equations, export
from latentwalk.evaluation import readings
from latentwalk.experiments import problem2, problem3, problem4, study
from latentwalk.model_zoo import recipes, trainer
from latentwalk.report import claims as report_claims
from problemset import assignment, rubric
from problemset.grading.hand_in import packing
from problemset.grading.runner import run_check

EVALUATES_FORMULAS = set(sabotage.USES_FORMULAS)
OF_THE_NOTEBOOK = {name for name in CHECKS if name in contract.NOTEBOOK_CHECKS}
WITHOUT_NOTEBOOK = CHECKS.keys() - OF_THE_NOTEBOOK  # test_notebook.py has its cases
SEARCHES_FIGURES = set(sabotage.FIGURES)
MOST = WITHOUT_NOTEBOOK - EVALUATES_FORMULAS - SEARCHES_FIGURES
SPOILED_FIGURES = {  # a search takes seconds; `make sabotage` has every case
    "one image of the path repeated",
    "another figure of 4d in the PDF",
    "no PDF",
    "notebook: no JSON",
    "notebook: the GAN's strip for the VAE's",
}
SEED = 2017  # as in report.qmd


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The report's own submission."""
    work = study.open_study(SEED)
    pair = work.pick_pair(work.ten_samples())
    work.generator_path(pair), work.vae_path(pair.labels), work.digit_grid()
    export.save(equations.all_steps())
    report_claims.save(work.quality(), work.smoothness())
    folder = tmp_path_factory.mktemp("good") / "submission"
    packed = packing.pack(ASSIGNMENT, folder)
    assert not packed.missing
    return folder


@pytest.fixture
def copy(good, tmp_path):
    return shutil.copytree(good, tmp_path / "copy")


def read_once():
    """As `readings.read`; images that were read before are not read again."""
    known = {}

    def read(classifier, images):
        key = hashlib.sha256(images.contiguous().numpy().tobytes()).digest()
        if key not in known:
            known[key] = readings.read(classifier, images)
        return known[key]

    return read


@pytest.fixture(scope="module")
def verdict():
    """As `run_check.run`; a check runs again only where a file that it reads has changed."""
    with pytest.MonkeyPatch.context() as patch:
        read = read_once()
        for module in (claims, shared, gan_checks):
            patch.setattr(module, "read", read)
        for costly in ("measure_quality", "measure_smoothness"):
            patch.setattr(claims, costly, remembered(getattr(claims, costly)))
        checks = {name: remembered(check) for name, check in CHECKS.items()}
        homework = dataclasses.replace(ASSIGNMENT, checks=lambda: checks)
        patch.setattr(assignment, "load", lambda reference: homework)
        yield functools.partial(run_check.run, ASSIGNMENT.reference)


@pytest.fixture(scope="module")
def failing(verdict):
    """A function of a folder and names of checks: those that do not pass."""
    return lambda folder, names: {n for n in names if not verdict(n, str(folder))["passed"]}


def test_rubric_uses_every_check_once():
    rubric.load(known=CHECKS)
    assert {each.check for item in rubric.load() for each in item.checks} == set(CHECKS)


def test_the_report_s_own_submission_passes_every_check(good, failing):
    assert failing(good, WITHOUT_NOTEBOOK) == set()


@pytest.mark.parametrize("case", sabotage.ARRAYS, ids=lambda case: case.name)
def test_broken_arrays_are_caught_by_the_right_checks(case, copy, failing):
    case.spoil(copy)
    assert failing(copy, MOST) == case.caught_by & MOST


@pytest.mark.parametrize(
    "case",
    [case for case in (*sabotage.ARRAYS, *sabotage.NOTEBOOK) if case.name in SPOILED_FIGURES],
    ids=lambda case: case.name,
)
def test_spoiled_figures_are_caught_by_the_right_checks(case, copy, failing):
    case.spoil(copy)
    assert failing(copy, sabotage.FIGURES) == case.caught_by & SEARCHES_FIGURES


@pytest.mark.parametrize("case", sabotage.FORMULAS, ids=lambda case: case.name)
def test_broken_formulas_are_caught_by_the_right_checks(case, copy, failing):
    case.spoil(copy)
    assert failing(copy, MOST | EVALUATES_FORMULAS) == case.caught_by


@pytest.mark.parametrize("case", sabotage.CLAIMS, ids=lambda case: case.name)
def test_broken_claims_are_caught_by_the_right_checks(case, copy, failing):
    case.spoil(copy)
    assert failing(copy, MOST) == case.caught_by


@pytest.mark.parametrize("case", sabotage.WEIGHTS, ids=lambda case: case.name)
def test_broken_weights_are_caught_by_the_right_checks(case, copy, failing):
    case.spoil(copy)
    assert failing(copy, MOST) == case.caught_by


@pytest.mark.parametrize("name", sabotage.NETWORKS)
def test_trainings_of_the_suite_are_what_the_command_understands(name, tmp_path):
    words = map(str, sabotage.short_training(name, tmp_path))
    options = train.read_options(name, list(words))
    assert options.fields["steps"] == recipes.get(name).config.steps // 10


def test_another_proof_loses_nothing(copy, failing):
    before = (copy / "results/1.json").read_bytes()
    sabotage.edit_json("1", sabotage.proven_otherwise)(copy)
    assert (copy / "results/1.json").read_bytes() != before
    assert failing(copy, sabotage.USES_FORMULAS) == set()


def test_a_pdf_set_otherwise_loses_nothing(copy, failing):
    before = (copy / "report.pdf").read_bytes()
    sabotage.set_otherwise(copy)
    assert (copy / "report.pdf").read_bytes() != before
    assert failing(copy, sabotage.USES_PDF) == set()


def test_what_is_wrong_is_said_in_one_plain_sentence(copy, verdict):
    for case in sabotage.ARRAYS[:12]:
        case.spoil(copy)
    for name in MOST:
        says = verdict(name, str(copy))["says"]
        assert 10 < len(says) < 300
        assert "\n" not in says


def made(seed, digits):
    """The arrays of another report with the same networks: other draws, and another pair."""
    work = study.Study(
        {name: trainer.load(name) for name in ("classifier", "gan", "vae", "cgan")},
        mnist.load("train"),
        digits,
        seed,
    )
    networks = {name: released.network for name, released in work.released.items()}
    rng = torch.Generator().manual_seed(seed)
    ten = problem2.ten_samples(networks["gan"], networks["classifier"], rng)
    labels = ten.labels.tolist()
    other = next(n for n in range(9, -1, -1) if labels[n] != labels[0])
    pair = problem2.pick_pair(ten, (other, 0))
    path = problem2.generator_path(networks["gan"], networks["classifier"], pair)
    codes = problem3.vae_path(networks["vae"], networks["classifier"], digits, pair.labels)
    grid = problem4.digit_grid(networks["cgan"], networks["classifier"], rng)
    return {
        "2b": {"images": ten.images, "inputs": ten.inputs},
        "2c": {"images": pair.images, "inputs": pair.inputs, "labels": pair.labels},
        "2e": {"inputs": path.inputs, "strip.images": path.strip.images},
        "3c": {
            "codes": codes.codes,
            "originals.images": codes.originals.images,
            "strip.images": codes.strip.images,
        },
        "4d": {"images": grid.images, "inputs": grid.inputs},
    }


def save(arrays, folder):
    for item, named in arrays.items():
        np.savez(folder / f"results/{item}.npz", **named)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_honest_work_with_another_seed_or_pair_loses_nothing(seed, copy, digits, failing):
    save(made(seed, digits), copy)
    assert failing(copy, MOST) == set()


@pytest.mark.parametrize("arithmetic", low_precision.BITS)
def test_honest_work_in_a_gpu_s_arithmetic_loses_nothing(
    arithmetic, copy, digits, failing, monkeypatch
):
    exact = made(SEED, digits)
    with monkeypatch.context() as patch:
        low_precision.play(arithmetic, patch.setattr)
        arrays = made(SEED, digits)
    assert not np.array_equal(arrays["3c"]["codes"], exact["3c"]["codes"])
    save(arrays, copy)
    assert failing(copy, MOST) == set()
