"""The report and its results, item by item: what `make report` made, checked against the models."""

import json
import re
from dataclasses import replace
from pathlib import Path

import document_checks
import nbformat
import numpy as np
import pytest
import torch

from latentwalk.data.mnist import to_unit
from latentwalk.derivations import equations
from latentwalk.experiments import smoothness, study
from latentwalk.models.classifier import predict
from problemset import rubric, student, workspace
from problemset.render.formats import pdf_reader

SEED = 2017  # as in report.qmd


@pytest.fixture(scope="module")
def work():
    return study.open_study(SEED)


@pytest.fixture(scope="module")
def pdf_text():
    text = pdf_reader.pdf_text(workspace.build_dir() / "report.pdf")
    return re.sub(r"\s+", " ", text)


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(workspace.build_dir() / "report.ipynb", as_version=4)


def regenerate(network, inputs):
    with torch.inference_mode():
        return network(torch.from_numpy(inputs)).numpy()


def test_every_displayed_step_is_checked_and_exact(pdf_text):
    steps = equations.all_steps()
    assert all(step.residual == 0 for step in steps)
    assert f"{len(steps)} of {len(steps)} are exactly 0" in pdf_text
    source = workspace.report_file().read_text("utf-8")
    missing = [step.label for step in steps if f"{{#{step.label}}}" not in source]
    assert not missing


@pytest.mark.usefixtures("released_weights")
def test_gan_is_trained_and_its_losses_are_recorded(work):
    gan = work.released["gan"]
    assert gan.metadata.steps == gan.recipe.config.steps
    assert gan.history.rows[-1]["step"] == gan.recipe.config.steps
    assert gan.metadata.metrics["frechet_ratio"] < 5


def test_ten_samples_come_from_the_released_generator(work):
    samples = work.ten_samples()
    assert samples.inputs.shape == (10, work.released["gan"].recipe.config.latent_size)
    again = regenerate(work.released["gan"].network, samples.inputs)
    np.testing.assert_allclose(samples.images, again, atol=1e-5)


def test_pair_has_two_digits_and_its_inputs(work):
    samples, pair = work.ten_samples(), work.pick_pair(work.ten_samples())
    assert pair.labels[0] != pair.labels[1]
    np.testing.assert_array_equal(pair.inputs, samples.inputs[list(pair.indices)])


def test_inputs_lie_on_a_straight_line_with_exact_ends(work):
    pair = work.pick_pair(work.ten_samples())
    inputs = work.generator_path(pair).inputs
    assert inputs.shape[0] == 10
    np.testing.assert_array_equal(inputs[[0, -1]], pair.inputs)
    np.testing.assert_allclose(np.diff(inputs, n=2, axis=0), 0, atol=1e-5)


def test_strip_is_what_the_generator_makes_of_the_inputs(work):
    path = work.generator_path(work.pick_pair(work.ten_samples()))
    again = regenerate(work.released["gan"].network, path.inputs)
    np.testing.assert_allclose(path.strip.images, again, atol=1e-5)


@pytest.mark.usefixtures("released_weights")
def test_vae_is_trained_and_bounds_the_likelihood(work):
    vae = work.released["vae"]
    measured = vae.metadata.metrics
    assert vae.history.rows[-1]["step"] == vae.recipe.config.steps
    assert -88 < measured["log_likelihood_nats"] < -70
    assert measured["elbo_nats"] < measured["log_likelihood_nats"] < measured["elbo_nats"] + 8
    assert measured["likelihood_images"] >= 500


@pytest.mark.usefixtures("released_weights")
def test_the_second_vae_has_another_prior_and_latent_size_and_a_better_likelihood(work):
    plain, learned = (work.released[name].recipe for name in ("vae", "vae_flow"))
    as_plain = {"flow_layers": 0, "latent_size": plain.config.latent_size}
    assert replace(learned.config, **as_plain) == plain.config != learned.config
    before, after = (work.released[name].metadata.metrics for name in ("vae", "vae_flow"))
    assert after["importance_samples"] >= 5000
    assert after["elbo_nats"] > before["elbo_nats"] + 1
    assert after["log_likelihood_nats"] > before["log_likelihood_nats"] + 1
    assert after["frechet_ratio"] < before["frechet_ratio"] / 2
    for metrics in (before, after):
        assert metrics["log_likelihood_standard_error_nats"] < 0.35


def test_codes_are_the_encoder_s_of_real_test_images_of_the_picked_digits(work):
    pair = work.pick_pair(work.ten_samples())
    path = work.vae_path(pair.labels)
    indices = list(path.indices)
    assert work.test.labels[indices].tolist() == pair.labels.tolist() == list(path.digits)
    with torch.inference_mode():
        codes = work.released["vae"].network.encode(to_unit(work.test.images[indices])).mu.numpy()
    np.testing.assert_allclose(path.codes[[0, -1]], codes, atol=1e-5)


def test_vae_strip_is_decoded_from_a_straight_line(work):
    path = work.vae_path(work.pick_pair(work.ten_samples()).labels)
    np.testing.assert_allclose(np.diff(path.codes, n=2, axis=0), 0, atol=1e-5)
    with torch.inference_mode():
        again = work.released["vae"].network.decode(torch.from_numpy(path.codes)).numpy()
    np.testing.assert_allclose(path.strip.images, again, atol=1e-5)


@pytest.mark.usefixtures("released_weights")
def test_the_text_s_claims_on_quality_hold(work):
    real, gan, samples, fitted, learned, reconstructions = work.quality().rows
    assert gan.ratio.high < samples.ratio.low
    assert gan.ratio.high < reconstructions.ratio.low
    assert 3 * reconstructions.ratio.high < samples.ratio.low, "the greater part is not blur"
    assert 3 * fitted.ratio.high < samples.ratio.low, "it is the prior"
    assert 2 * learned.ratio.high < samples.ratio.low, "a prior that is learned helps as well"
    assert gan.ratio.high < min(fitted.ratio.low, learned.ratio.low)
    assert gan.coverage.low > samples.coverage.high
    assert samples.sharpness.high < gan.sharpness.low
    assert reconstructions.sharpness.high < real.sharpness.low
    assert fitted.recall.high < real.recall.low, "lost variety"
    for samples_of in (gan, samples):
        assert samples_of.nearer_to_training.low < real.nearer_to_training.high, "no copies"
    for near in ("coverage", "recall"):
        below = getattr(real, near).value - getattr(gan, near).value
        assert 0 < below < 0.05, "few rare shapes are missing"


@pytest.mark.usefixtures("released_weights")
def test_the_text_s_claims_on_smoothness_hold(work):
    found = work.smoothness()
    assert found.num_pairs >= 2000
    gan, _, inverted, vae, _, blend, jump = (row.measures for row in found.rows)
    less = {(one.first, one.second): one.measures for one in found.differences}
    for first in (
        smoothness.GAN_PATHS,
        smoothness.INVERTED_PATHS,
    ):  # each on its own ends, and on the same test images
        found_less = less[first, smoothness.VAE_PATHS]
        assert found_less["steadiness"].high < 0
        assert found_less["third_digit_steps"].low > 0 > found_less["sharpness_drop"].high
        assert found_less["certainty_drop"].high < 0
    assert less[smoothness.GAN_PATHS, smoothness.VAE_PATHS]["label_switches"].low > 0
    alike = less[smoothness.INVERTED_PATHS, smoothness.VAE_PATHS]["label_switches"]
    assert alike.low < 0 < alike.high, "they do not tell the two apart"
    drawn = less[smoothness.GAN_PATHS, smoothness.PRIOR_PATHS]  # between random draws
    assert drawn["steadiness"].high < 0
    assert max(drawn["label_switches"].high, drawn["third_digit_steps"].high) < 0
    assert found.margins[smoothness.PRIOR_PATHS].value < found.margins[smoothness.GAN_PATHS].value
    assert less[smoothness.ROUND_PATHS, smoothness.GAN_PATHS]["steadiness"].high < 0
    assert max(gan["sharpness_drop"].high, gan["certainty_drop"].high) < 0.01
    assert inverted["sharpness_drop"].low < 0, "it loses no sharpness"
    for measure in ("certainty_drop", "nearest_real_rise"):
        assert 0 < inverted[measure].low <= inverted[measure].high < vae[measure].low
    for measure in ("relative_length", "largest_step_excess"):
        assert inverted[measure].low > vae[measure].high
    within = {row.name: row.same_digit for row in found.rows}
    assert (
        within[smoothness.VAE_PATHS]["steadiness"].low
        > within[smoothness.BLENDS]["steadiness"].high
    )
    assert blend["steadiness"].low > vae["steadiness"].high > gan["steadiness"].high
    assert jump["realism"].low > gan["realism"].high
    assert vae["steadiness"].low > inverted["steadiness"].high, "not only for other ends"
    margins = found.margins
    assert margins[smoothness.VAE_PATHS].low > max(
        margins[smoothness.GAN_PATHS].high, margins[smoothness.INVERTED_PATHS].high
    )
    assert margins[smoothness.INVERTED_PATHS].low > 0 < margins[smoothness.GAN_PATHS].low
    assert margins[smoothness.BLENDS].value == margins[smoothness.JUMPS].value == 0


@pytest.mark.usefixtures("released_weights")
def test_the_input_is_ten_times_larger_in_the_same_class(work):
    small, large = work.released["gan"].network, work.released["cgan"].network
    assert type(small) is type(large)
    assert large.config.latent_size == 10 * small.config.latent_size


@pytest.mark.usefixtures("released_weights")
def test_readings_of_the_statement_compare_after_equal_steps(work):
    rows = work.input_readings().rows
    assert len({row.steps for row in rows}) == 1
    small, large, with_label, both = rows
    assert large.latent_size == both.latent_size == 10 * small.latent_size
    assert small.ratio.high < large.ratio.low, "without labels it does harm"
    assert both.ratio.low < with_label.ratio.high, "with labels none that is above chance"
    assert with_label.ratio.low < both.ratio.high


def test_labels_enter_as_one_hot_rows(work):
    grid, latent = work.digit_grid(), work.released["cgan"].network.config.latent_size
    one_hot = grid.inputs[..., latent:]
    assert one_hot.shape == (10, 10, 10)
    np.testing.assert_array_equal(one_hot, np.eye(10, dtype=np.float32)[grid.asked])
    noise = grid.inputs[..., :latent].reshape(100, latent)
    assert len(np.unique(noise, axis=0)) == 100


@pytest.mark.usefixtures("released_weights")
def test_conditional_gan_obeys_its_labels(work):
    agreement = work.agreement()
    assert agreement.num_images == 10_000
    assert agreement.overall.value >= 0.99
    assert work.released["cgan"].metadata.metrics["frechet_ratio"] < 4


def test_grid_has_ten_images_of_each_digit_from_the_released_generator(work):
    grid = work.digit_grid()
    np.testing.assert_array_equal(grid.asked, np.repeat(np.arange(10), 10).reshape(10, 10))
    again = regenerate(work.released["cgan"].network, grid.inputs.reshape(100, -1))
    np.testing.assert_allclose(grid.images.reshape(again.shape), again, atol=1e-5)
    judged = predict(work.released["classifier"].network, torch.from_numpy(again)).labels
    np.testing.assert_array_equal(grid.judged.reshape(-1), judged.numpy())


def test_hours_are_the_student_s_or_said_to_be_the_computer_s(pdf_text):
    who = student.load()
    if who.hours is None:
        assert "no student behind it" in pdf_text
    else:
        assert f"This assignment took {who.hours:g} hours" in pdf_text


def test_pledge_is_there_word_for_word(pdf_text):
    assert (
        "I adhered to the Duke Community Standard in the completion of this assignment" in pdf_text
    )


def test_every_item_has_its_heading(pdf_text):
    headings = [
        line
        for line in workspace.report_file().read_text("utf-8").splitlines()
        if re.match(r"## \d[a-e]\. ", line)
    ]
    written = [re.sub(r"\s*\{.*\}$", "", line.removeprefix("## ")) for line in headings]
    assert [title[:2] for title in written] == [item.id for item in rubric.load()]
    assert not [title for title in written if title not in pdf_text]


def test_no_raw_tex_in_the_pdf():
    assert document_checks.raw_tex_in_pdf(workspace.build_dir() / "report.pdf") == []


def test_nothing_lies_outside_the_margins():
    assert document_checks.outside_margins(workspace.build_dir() / "report.pdf", 68) == []  # 2.4 cm


def test_every_figure_stands_under_its_own_heading():
    pdf = workspace.build_dir() / "report.pdf"
    assert document_checks.strayed_figures(pdf, workspace.report_file()) == []


def test_no_words_are_printed_over_one_another():
    assert document_checks.overlapping_words(workspace.build_dir() / "report.pdf") == []


def test_the_cells_are_known_to_depend_on_what_they_use():
    """So a change of any of it runs them again; whether it does has tests of its own."""
    kept = workspace.build_dir() / "kept" / "report.json"
    inputs = json.loads(kept.read_text("utf-8"))["value"]["inputs"]
    names = {Path(path).name for path in (*inputs["modules"], *inputs["files"])}
    assert {"gan.py", "style.py", "tables.py", "study.py", "student.py"} <= names
    assert {
        "gan.safetensors",
        "student.yml",
        "rubric.yml",
        "3e.json",
        "3e.npz",
        "seeds.json",
    } <= names
    assert not {"report.qmd", "README.md", "references.bib", "cluster.py"} & names


def test_web_page_is_one_file_with_alternative_texts():
    page = workspace.build_dir() / "report.html"
    assert document_checks.images_without_alt(page) == []
    assert document_checks.loads_from_network(page) == []
    assert page.stat().st_size <= 6_000_000


def test_the_live_figure_is_on_the_page_alone(notebook, pdf_text):
    page = (workspace.build_dir() / "report.html").read_text("utf-8")
    assert "latentwalkData" in page
    assert "Walk from one digit to another" in page
    assert "Walk from one digit to another" not in pdf_text
    shown = [cell.outputs[0].data for cell in notebook.cells if "live import show" in cell.source]
    assert [data["text/plain"] for data in shown] == [
        "The live figure is on the web page, report.html."
    ]
    assert len(str(shown)) < 4000


def test_notebook_is_executed_and_not_stripped(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells = [cell for cell in code if "training" not in cell.metadata.get("tags", [])]
    assert len(code) - len(cells) == 3
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    shown = [cell for cell in cells if re.search(r"#\| label: (fig|tbl)-", cell.source)]
    assert len(shown) >= 15
    assert all(cell.outputs for cell in shown)


def test_the_notebook_repeats_in_another_folder(notebook):
    shown = str([cell.outputs for cell in notebook.cells if cell.cell_type == "code"])
    assert "Path(" not in shown
    assert not any(
        str(folder) in shown for folder in (workspace.project_root(), workspace.build_dir())
    )
