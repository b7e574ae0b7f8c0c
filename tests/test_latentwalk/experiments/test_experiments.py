import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import CGAN, CLASSIFIER, FLOW, GAN, VAE, frozen_copy, rng, shaken, toy_digits

from latentwalk.data.mnist import to_unit
from latentwalk.evaluation.frechet import draw, frechet_distance
from latentwalk.evaluation.readings import check_ready, classify, in_chunks, measuring_rng, read
from latentwalk.evaluation.sharpness import sharpness
from latentwalk.evaluation.smoothness import pick, skill_score
from latentwalk.experiments import inversion, problem2, problem3, problem4, quality, smoothness
from latentwalk.models import gan, vae
from latentwalk.models.classifier import Classifier, extract_features, predict
from latentwalk.models.gan import Generator
from latentwalk.models.samples import balanced_labels
from latentwalk.models.vae import Vae

COUNT = 40
PAIRS = 12
STEPS = 6


def built(network_class, config, seed):
    torch.manual_seed(seed)
    return shaken(network_class(config), seed).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def generator():
    return built(Generator, GAN, 1)


@pytest.fixture(scope="module")
def conditional():
    return built(Generator, CGAN, 2)


@pytest.fixture(scope="module")
def autoencoder():
    return built(Vae, VAE, 3)


@pytest.fixture(scope="module")
def learned():
    return built(Vae, FLOW, 8)


@pytest.fixture(scope="module")
def classifier():
    return built(Classifier, CLASSIFIER, 4)


@pytest.fixture(scope="module")
def train():
    return toy_digits(200, seed=1)


@pytest.fixture(scope="module")
def test_set():
    return toy_digits(100, seed=2)


@pytest.fixture(scope="module")
def samples(generator, classifier):
    return problem2.ten_samples(generator, classifier, rng(5))


@pytest.fixture(scope="module")
def compared(generator, autoencoder, learned, classifier, train, test_set):
    return quality.compare_quality(
        generator, autoencoder, learned, classifier, train, test_set, rng(6), count=COUNT
    )


@pytest.fixture(scope="module")
def walked(generator, autoencoder, classifier, train, test_set):
    return smoothness.compare_smoothness(
        generator, autoencoder, classifier, train, test_set, rng(7), pairs=PAIRS, steps=STEPS
    )


def assert_equal(first, second):
    """Compare results field by field, arrays bit for bit."""
    if isinstance(first, np.ndarray):
        np.testing.assert_array_equal(first, second)
    elif hasattr(first, "__dataclass_fields__"):
        for name in first.__dataclass_fields__:
            assert_equal(getattr(first, name), getattr(second, name))
    elif isinstance(first, tuple | list):
        for one, other in zip(first, second, strict=True):
            assert_equal(one, other)
    else:
        assert first == second


# ---- what all share


def test_one_look_of_the_judge_equals_its_own_functions(classifier, test_set):
    images = to_unit(test_set.images)
    seen = read(classifier, images)
    expected = predict(classifier, images)
    torch.testing.assert_close(seen.features, extract_features(classifier, images))
    assert torch.equal(seen.prediction.labels, expected.labels)
    torch.testing.assert_close(seen.prediction.confidence, expected.confidence)


def test_chunks_come_back_in_order():
    rows = torch.arange(450.0).unsqueeze(1)
    result = in_chunks(lambda part: 2 * part, rows)
    assert torch.equal(result, 2 * rows)
    result += 1  # an ordinary tensor


def test_judged_arrays_are_copies(classifier, test_set):
    images = to_unit(test_set.images[:3])
    seen = classify(classifier, images)
    seen.images[:] = 0.5
    assert (images != 0.5).any()
    assert seen.labels.dtype == np.int64
    assert seen.confidence.dtype == np.float32


def test_a_network_in_training_mode_is_refused(classifier):
    learning = built(Generator, GAN, 1).train()
    with pytest.raises(ValueError, match=r"the generator is in training mode.*\.eval\(\)"):
        problem2.ten_samples(learning, classifier, rng())
    with pytest.raises(ValueError, match="the classifier"):
        check_ready(classifier=built(Classifier, CLASSIFIER, 4).train())


# ---- 2b


def test_ten_samples(generator, classifier, samples):
    assert samples.images.shape == (10, 1, 28, 28)
    assert samples.inputs.shape == (10, GAN.latent_size)
    assert samples.images.min() >= 0
    assert samples.images.max() <= 1
    images = generator(torch.from_numpy(samples.inputs))
    np.testing.assert_allclose(samples.images, images.numpy(), atol=1e-6)
    seen = predict(classifier, torch.from_numpy(samples.images))
    np.testing.assert_array_equal(samples.labels, seen.labels.numpy())
    np.testing.assert_allclose(samples.confidence, seen.confidence.numpy(), atol=1e-6)


def test_the_seed_decides_and_nothing_else_changes(generator, classifier, samples):
    before = frozen_copy(generator), frozen_copy(classifier), torch.get_rng_state()
    assert_equal(problem2.ten_samples(generator, classifier, rng(5)), samples)
    other = problem2.ten_samples(generator, classifier, rng(6))
    assert (other.inputs != samples.inputs).all()
    for network, state in zip((generator, classifier), before, strict=False):
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), before[2])


def test_problem_2_refuses_a_conditional_generator(conditional, classifier, samples):
    with pytest.raises(ValueError, match=r"num_classes=10, expected Problem 2's"):
        problem2.ten_samples(conditional, classifier, rng())
    pair = problem2.pick_pair(with_labels(samples, range(10), np.ones(10)))
    with pytest.raises(ValueError, match="num_classes=10"):
        problem2.generator_path(conditional, classifier, pair)


# ---- 2c


def with_labels(samples, labels, confidence):
    return replace(samples, labels=np.array(labels), confidence=np.array(confidence, np.float32))


def best_pair(labels, confidence):
    """The rule, in the most literal way: score every pair, keep the first best."""
    best = None
    for i, j in itertools.product(range(10), range(10)):
        if i < j and labels[i] != labels[j]:
            score = min(confidence[i], confidence[j])
            if best is None or score > best[0]:
                best = (score, (i, j))
    return best[1]


@pytest.mark.parametrize("seed", range(20))
def test_the_rule_against_all_pairs(samples, seed):
    draws = np.random.default_rng(seed)
    labels = draws.integers(0, 3, 10)
    confidence = draws.integers(1, 4, 10) / 4  # few values, so that there are ties
    labels[0], labels[1] = 1, 2
    picked = problem2.pick_pair(with_labels(samples, labels, confidence))
    assert picked.indices == best_pair(labels, confidence)
    assert picked.automatic
    assert not picked.same_digit


def test_the_rule_by_hand(samples):
    labels = [7, 7, 7, 7, 2, 2, 2, 2, 2, 2]
    confidence = [0.5, 0.99, 1.0, 1.0, 0.6, 0.9, 0.9, 0.5, 0.5, 0.5]
    picked = problem2.pick_pair(with_labels(samples, labels, confidence))
    assert picked.indices == (1, 5)  # every 7 from number 1 on would do: lowest numbers


def test_a_pair_holds_its_rows(samples):
    picked = problem2.pick_pair(samples, (8, 3))
    assert picked.indices == (8, 3)
    assert not picked.automatic
    for n, index in enumerate((8, 3)):
        np.testing.assert_array_equal(picked.images[n], samples.images[index])
        np.testing.assert_array_equal(picked.inputs[n], samples.inputs[index])
        assert picked.labels[n] == samples.labels[index]
        assert picked.confidence[n] == samples.confidence[index]


def test_a_reader_may_pick_one_digit_twice(samples):
    picked = problem2.pick_pair(with_labels(samples, [4] * 10, np.ones(10)), (0, 1))
    assert picked.same_digit


@pytest.mark.parametrize(
    "pair",
    [(3, 3), (0, 10), (-1, 2), (0.0, 1), (True, 2), (1,), (1, 2, 3), ("0", "1"), "01", {0, 1}, 3],
)
def test_a_pair_that_is_none_is_refused(samples, pair):
    with pytest.raises(ValueError, match="expected two different whole numbers from 0 to 9") as got:
        problem2.pick_pair(samples, pair)
    assert "\n" not in str(got.value)


def test_ten_equal_digits_cannot_be_picked_from(samples):
    with pytest.raises(ValueError, match="all 10 images are read as 4"):
        problem2.pick_pair(with_labels(samples, [4] * 10, np.ones(10)))


# ---- 2d and 2e


def test_generator_path(generator, classifier, samples):
    pair = problem2.pick_pair(samples, (2, 7))
    path = problem2.generator_path(generator, classifier, pair)
    assert path.inputs.shape == (10, GAN.latent_size)
    np.testing.assert_array_equal(path.inputs[0], samples.inputs[2])
    np.testing.assert_array_equal(path.inputs[-1], samples.inputs[7])
    straight = [(1 - t) * pair.inputs[0] + t * pair.inputs[1] for t in path.times]
    np.testing.assert_allclose(path.inputs, straight, atol=1e-6)
    np.testing.assert_allclose(path.times, np.arange(10) / 9)
    images = generator(torch.from_numpy(path.inputs)).numpy()
    np.testing.assert_allclose(path.strip.images, images, atol=1e-6)
    np.testing.assert_allclose(path.strip.images[[0, -1]], pair.images, atol=1e-6)


def test_the_blend_has_the_ends_of_the_strip(generator, classifier, samples):
    pair = problem2.pick_pair(samples, (2, 7))
    path = problem2.generator_path(generator, classifier, pair, steps=5)
    first, last = path.strip.images[0], path.strip.images[-1]
    np.testing.assert_array_equal(path.crossfade.images[0], first)
    np.testing.assert_array_equal(path.crossfade.images[-1], last)
    np.testing.assert_allclose(path.crossfade.images[2], (first + last) / 2, atol=1e-6)
    seen = predict(classifier, torch.from_numpy(path.crossfade.images))
    np.testing.assert_array_equal(path.crossfade.labels, seen.labels.numpy())


def test_a_path_needs_two_steps(generator, classifier, samples):
    with pytest.raises(ValueError, match="steps is 1"):
        problem2.generator_path(generator, classifier, problem2.pick_pair(samples, (0, 1)), steps=1)


# ---- 3b and 3c


def test_vae_path(autoencoder, classifier, test_set):
    path = problem3.vae_path(autoencoder, classifier, test_set, (7, 2))
    labels = test_set.labels.tolist()
    assert path.indices == (labels.index(7), labels.index(2))
    assert path.digits == (7, 2)
    originals = to_unit(test_set.images[list(path.indices)])
    np.testing.assert_array_equal(path.originals.images, originals.numpy())
    posterior = autoencoder.encode(originals)
    np.testing.assert_array_equal(path.codes[[0, -1]], posterior.mu.numpy())
    np.testing.assert_allclose(path.code_deviations, (0.5 * posterior.logvar).exp().numpy())
    scale = np.abs(path.codes).max()
    np.testing.assert_allclose(np.diff(path.codes, n=2, axis=0) / scale, 0, atol=1e-6)
    decoded = autoencoder.decode(torch.from_numpy(path.codes)).numpy()
    np.testing.assert_allclose(path.strip.images, decoded, atol=1e-6)
    assert path.strip.images.shape == (10, 1, 28, 28)


def test_vae_path_of_one_digit_takes_its_first_and_second(autoencoder, classifier, test_set):
    path = problem3.vae_path(autoencoder, classifier, test_set, (3, 3))
    places = (test_set.labels == 3).nonzero().flatten().tolist()
    assert path.indices == (places[0], places[1])


def test_vae_path_needs_the_digit(autoencoder, classifier):
    few = toy_digits(5)
    with pytest.raises(ValueError, match="0 of the 5 test images show a 9"):
        problem3.vae_path(autoencoder, classifier, few, (1, 9))
    with pytest.raises(ValueError, match="1 of the 5 test images show a 1"):
        problem3.vae_path(autoencoder, classifier, few, (1, 1))


# ---- 3d


def test_quality_rows(compared):
    names = [
        "real digits",
        "GAN samples",
        "VAE samples",
        "VAE, fitted prior",
        "VAE, learned prior",
        "VAE reconstructions",
    ]
    assert [row.name for row in compared.rows] == names
    assert compared.num_images == COUNT
    for row in compared.rows:
        assert row.label_shares.shape == (10,)
        assert row.label_shares.sum() == pytest.approx(1)
        for estimate in (row.frechet, row.ratio, row.sharpness, row.confidence):
            assert estimate.low <= estimate.value <= estimate.high
        assert row.ratio.value == pytest.approx(row.frechet.value / compared.floor)
        for share in (row.coverage, row.precision, row.recall, row.nearer_to_training):
            assert 0 <= share.low <= share.value <= share.high <= 1
        assert row.density.value >= 0
        assert row.ratio.high == pytest.approx(row.frechet.high / compared.floor)


def test_floor_is_the_mean_over_disjoint_sets_of_training_digits(
    compared, classifier, train, test_set
):
    reference = extract_features(classifier, to_unit(test_set.images))
    every = extract_features(classifier, to_unit(train.images))
    sets = [every[i : i + COUNT] for i in range(0, len(every) - COUNT + 1, COUNT)]
    assert len(sets) > 1
    floor = sum(frechet_distance(part, reference) for part in sets) / len(sets)
    assert compared.floor == pytest.approx(floor, rel=1e-6)


def test_quality_of_real_digits_is_that_of_a_drawn_set(compared, classifier, train, test_set):
    reference = extract_features(classifier, to_unit(test_set.images))
    drawn = extract_features(classifier, to_unit(draw(train.images, COUNT, rng(6))))
    distance = frechet_distance(drawn, reference)
    assert compared.rows[0].frechet.value == pytest.approx(distance, rel=1e-6)


def test_quality_measures_the_models_own_images(
    compared, autoencoder, learned, classifier, test_set
):
    """Repeat the random draws of `compare_quality` in order, and measure the same images."""
    follow = rng(6)
    draw(torch.empty(200), COUNT, follow)
    originals = to_unit(draw(test_set.images, COUNT, follow))
    reference = extract_features(classifier, to_unit(test_set.images))
    for row, images in (
        (2, vae.sample(autoencoder, COUNT, measuring_rng()).images),
        (4, vae.sample(learned, COUNT, measuring_rng()).images),
        (5, vae.reconstruct(autoencoder, originals)),
    ):
        distance = frechet_distance(extract_features(classifier, images), reference)
        assert compared.rows[row].frechet.value == pytest.approx(distance, rel=1e-5)


def test_quality_asks_for_no_more_than_there_is(
    generator, autoencoder, learned, classifier, train, test_set
):
    with pytest.raises(ValueError, match="num_samples is 201, expected 1 to 200"):
        quality.compare_quality(
            generator, autoencoder, learned, classifier, train, test_set, rng(), count=201
        )


# ---- 3e


def test_smoothness_rows(walked):
    assert [row.name for row in walked.rows] == [
        "GAN, random inputs",
        "GAN, variance kept",
        "GAN, test images",
        "VAE, test images",
        "VAE, random codes",
        "pixel blend of test images",
        "jump between test images",
    ]
    assert (walked.num_pairs, walked.num_steps) == (PAIRS, STEPS)
    for row in walked.rows:
        assert row.confidence.shape == row.sharpness.shape == row.nearest_real.shape == (STEPS,)
        assert row.num_pairs == PAIRS
        for estimate in (*row.measures.values(), *row.same_digit.values()):
            assert estimate.low <= estimate.value <= estimate.high
        assert row.same_digit.keys() <= row.measures.keys()
        if row.same_digit and row.name.startswith("jump"):
            assert row.same_digit["label_switches"].value == 0


def test_smoothness_knows_its_nulls(walked):
    *_, blend, jump = walked.rows
    assert blend.measures["pixel_straightness"].value == pytest.approx(1, abs=1e-6)
    assert jump.measures["steadiness"].value == pytest.approx(1 / (STEPS - 1), rel=1e-5)
    assert jump.measures["third_digit_steps"].value == 0
    assert jump.measures["label_switches"].value <= 1
    np.testing.assert_allclose(jump.confidence[:3], jump.confidence[0])
    np.testing.assert_allclose(jump.sharpness[3:], jump.sharpness[-1])
    for profile in ("confidence", "sharpness", "nearest_real"):  # the same images at both ends
        ends = [getattr(row, profile)[[0, -1]] for row in (blend, jump)]
        np.testing.assert_allclose(*ends, rtol=1e-5)


def test_smoothness_differences_are_of_the_rows(walked):
    rows = {row.name: row.measures for row in (*walked.rows, walked.blurred)}
    assert len(walked.differences) == len(smoothness.COMPARED)
    for difference in walked.differences:
        for name, estimate in difference.measures.items():
            expected = rows[difference.first][name].value - rows[difference.second][name].value
            assert estimate.value == pytest.approx(expected, abs=1e-9)


def test_smoothness_seed_decides(walked, generator, autoencoder, classifier, train, test_set):
    networks = generator, autoencoder, classifier
    again = smoothness.compare_smoothness(
        *networks, train, test_set, rng(7), pairs=PAIRS, steps=STEPS
    )
    assert_equal(again, walked)


def test_paths_run_between_the_ends_that_they_should(generator, autoencoder, test_set):
    made = smoothness._all_paths(generator, autoencoder, test_set, rng(3), PAIRS, STEPS)
    paths = {name: make() for name, make in made.items()}
    assert {images.shape for images in paths.values()} == {(PAIRS, STEPS, 1, 28, 28)}
    ends = {name: images[:, [0, -1]] for name, images in paths.items()}
    real = ends[smoothness.BLENDS]
    assert torch.equal(ends[smoothness.JUMPS], real)
    drawn = to_unit(draw(test_set.images, 2 * PAIRS, rng(3)))
    assert torch.equal(real.transpose(0, 1).flatten(0, 1), drawn)  # no image at two ends
    rebuilt = vae.reconstruct(autoencoder, real.flatten(0, 1))
    torch.testing.assert_close(ends[smoothness.VAE_PATHS].flatten(0, 1), rebuilt)
    straight, round_ = paths[smoothness.GAN_PATHS], paths[smoothness.ROUND_PATHS]
    torch.testing.assert_close(straight[:, [0, -1]], round_[:, [0, -1]])
    assert not torch.allclose(straight[:, 2], round_[:, 2], atol=1e-3)


def test_few_paths_are_searched_for_and_compared_with_the_first_of_the_others(
    generator, autoencoder, classifier, train, test_set, monkeypatch
):
    monkeypatch.setattr(smoothness, "INVERTED_PAIRS", 3)
    measured, measure = [], smoothness.measure_paths
    monkeypatch.setattr(
        smoothness, "measure_paths", lambda *given: measured.append(measure(*given)) or measured[-1]
    )
    networks = generator, autoencoder, classifier
    found = smoothness.compare_smoothness(
        *networks, train, test_set, rng(7), pairs=PAIRS, steps=STEPS
    )
    assert [row.num_pairs for row in found.rows] == [PAIRS, PAIRS, 3, PAIRS, PAIRS, PAIRS, PAIRS]
    for error in (found.inversion_error, found.reconstruction_error):
        assert 0 < error.low <= error.value <= error.high < 1
    kinds = dict(zip((row.name for row in found.rows), measured[:-1], strict=True))
    (inverted_less_vae,) = (
        each.measures["realism"]
        for each in found.differences
        if each.first == smoothness.INVERTED_PATHS
    )
    inverted, others = kinds[smoothness.INVERTED_PATHS], kinds[smoothness.VAE_PATHS]
    expected = inverted.realism.mean() - others.realism[:3].mean()
    assert inverted_less_vae.value == pytest.approx(float(expected))
    nulls = (pick(kinds[null], slice(3)) for null in (smoothness.BLENDS, smoothness.JUMPS))
    margin = skill_score(inverted, *nulls, rng())
    assert found.margins[smoothness.INVERTED_PATHS].value == pytest.approx(margin.value)
    for null in (smoothness.BLENDS, smoothness.JUMPS):
        assert found.margins[null].value == 0


def test_paths_are_blurred_at_each_step_until_they_are_as_soft_as_others():
    sharp = to_unit(toy_digits(6 * STEPS, seed=4).images).unflatten(0, (6, STEPS))
    soft = smoothness._blur(sharp.flatten(0, 1), 0.8).unflatten(0, (6, STEPS))
    soft[:, 0] = sharp[:, 0]
    found = smoothness._as_soft(sharp[:4], soft)
    assert found.shape == sharp[:4].shape
    for step in range(STEPS):
        expected = sharpness(soft[:4, step]).mean().item()
        assert sharpness(found[:, step]).mean().item() == pytest.approx(expected, rel=0.01)
    torch.testing.assert_close(found[:, 0], sharp[:4, 0])  # no blur where none is needed
    assert not torch.allclose(found[:, 1], sharp[:4, 1], atol=0.05)


# ---- 3e, inversion


def test_inputs_are_found_for_the_generators_own_images(generator):
    hidden = 0.7 * torch.randn(8, GAN.latent_size, generator=rng(1))
    with torch.inference_mode():
        images = generator(hidden)
    images = images.clone()
    found = inversion.invert(generator, images, rng(2))
    with torch.inference_mode():
        again = (generator(found) - images).square().mean()
        chance = (generator(torch.randn(8, GAN.latent_size, generator=rng(3))) - images).square()
    assert found.shape == hidden.shape
    assert not found.requires_grad
    assert all(parameter.grad is None for parameter in generator.parameters())
    assert again < 0.2 * chance.mean()


def test_search_makes_the_best_random_input_better(generator, test_set):
    images = to_unit(test_set.images[:6])

    def cost(inputs):
        with torch.inference_mode():
            errors = (generator(inputs) - images).square().sum(dim=(1, 2, 3))
        return errors / (2 * inversion.PIXEL_DEVIATION**2) + inputs.square().sum(dim=1) / 2

    start = inversion.invert(generator, images, rng(4), iterations=1, learning_rate=0.0)
    found = inversion.invert(generator, images, rng(4))
    assert (cost(found) < cost(start)).all()


def test_inversion_refuses_other_shapes(generator):
    with pytest.raises(ValueError, match="expected"):
        inversion.invert(generator, torch.zeros(2, 28, 28), rng())


def test_smoothness_needs_two_test_images_a_pair(
    generator, autoencoder, classifier, train, test_set
):
    networks = generator, autoencoder, classifier
    with pytest.raises(ValueError, match="cannot draw 102 of 100"):
        smoothness.compare_smoothness(*networks, train, test_set, rng(), pairs=51)


# ---- 4


def test_input_readings(generator, conditional, classifier, train, test_set):
    generators = {"d": generator, "d + 10": conditional}
    found = problem4.input_readings(generators, classifier, train, test_set, rng(8), count=COUNT)
    plain, labelled = found.rows
    assert [row.name for row in found.rows] == ["d", "d + 10"]
    assert plain.input_shape == (COUNT, 3)
    assert labelled.input_shape == (COUNT, 13)
    assert (plain.latent_size, plain.one_hot_entries) == (3, 0)
    assert (labelled.latent_size, labelled.one_hot_entries) == (3, 10)
    hidden = generator.decoder.entry.out_features
    assert plain.first_layer_parameters == (3 + 1) * hidden
    assert labelled.first_layer_parameters - plain.first_layer_parameters == 10 * hidden
    assert labelled.parameters - plain.parameters == 10 * hidden
    assert plain.agreement is None
    assert 0 <= labelled.agreement.low <= labelled.agreement.high <= 1
    assert plain.ratio.low <= plain.ratio.value <= plain.ratio.high
    assert found.floor > 0


def test_digit_grid(conditional, classifier):
    grid = problem4.digit_grid(conditional, classifier, rng(9))
    assert grid.images.shape == (10, 10, 1, 28, 28)
    assert grid.inputs.shape == (10, 10, CGAN.input_size)
    for row in range(10):
        assert (grid.asked[row] == row).all()
        one_hot = grid.inputs[row, :, CGAN.latent_size :]
        assert (one_hot == np.eye(10)[row]).all()
    epsilon = grid.inputs[..., : CGAN.latent_size].reshape(100, -1)
    assert len(np.unique(epsilon, axis=0)) == 100
    flat = torch.from_numpy(grid.inputs.reshape(100, -1))
    np.testing.assert_allclose(
        grid.images.reshape(100, 1, 28, 28), conditional(flat).numpy(), atol=1e-6
    )
    seen = predict(classifier, torch.from_numpy(grid.images.reshape(100, 1, 28, 28)))
    np.testing.assert_array_equal(grid.judged.ravel(), seen.labels.numpy())


def test_agreement(conditional, classifier):
    found = problem4.agreement_by_digit(conditional, classifier, rng(10), count=200)
    assert found.num_images == found.confusion.sum() == 200
    assert (found.confusion.sum(axis=1) == 20).all()
    assert found.overall.value == pytest.approx(np.trace(found.confusion) / 200)
    for digit, estimate in enumerate(found.per_digit):
        assert estimate.value == pytest.approx(found.confusion[digit, digit] / 20)
        assert estimate.low - 1e-12 <= estimate.value <= estimate.high + 1e-12
    asked = balanced_labels(200)
    images = gan.sample(conditional, 200, rng(10), asked).images
    for asked_for, judged in zip(asked, predict(classifier, images).labels, strict=True):
        found.confusion[asked_for, judged] -= 1
    assert not found.confusion.any()


def test_problem_4_needs_a_conditional_generator(generator, classifier):
    for experiment in (problem4.digit_grid, problem4.agreement_by_digit):
        with pytest.raises(ValueError, match=r"num_classes=0, expected a conditional one"):
            experiment(generator, classifier, rng())
