import pytest
import torch
from tiny import CGAN, CLASSIFIER, GAN, VAE, rng, shaken, toy_digits
from torch import nn

from latentwalk.data.mnist import to_unit
from latentwalk.evaluation.likelihood import binarise, vae_log_likelihood
from latentwalk.evaluation.readings import measuring_rng
from latentwalk.model_zoo import measures
from latentwalk.models import classifier
from latentwalk.models.classifier import Classifier
from latentwalk.models.gan import Generator
from latentwalk.models.vae import Vae

TRAIN, TEST = toy_digits(100, seed=1), toy_digits(60, seed=2)


@pytest.fixture(autouse=True)
def seeded_and_few(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(measures, "SAMPLES", 80)


class BlotReader(nn.Module):
    """A classifier that reads the toy digits without a mistake: the ink at each digit's place."""

    def features(self, images):
        rows = [images[:, 0, 5 + 14 * (k // 5), 2 + 5 * (k % 5)] for k in range(10)]
        return torch.stack(rows, dim=1) * 20

    def forward(self, images):
        return self.features(images)


class Painter(nn.Module):
    """A generator that paints toy digits: which ones is decided by `digits_for`."""

    def __init__(self, config, digits_for):
        super().__init__()
        self.config, self.digits_for = config, digits_for

    def forward(self, inputs):
        faint = inputs[:, :1, None, None].sigmoid() * 0.3  # no two images are the same
        return (to_unit(TRAIN.images[self.digits_for(inputs)]) - faint).clamp(0, 1)


def asked(inputs):
    return inputs[:, CGAN.latent_size :].argmax(1)


def measure(network, oracle=None):
    return measures.measure_samples(network, oracle or BlotReader(), TRAIN, TEST)


def test_judges_accuracy_is_the_percentage_of_right_answers():
    assert measures.measure_accuracy(BlotReader(), TEST) == {"test_accuracy_percent": 100.0}
    wrong = TEST.labels.clone()
    wrong[:3] = (wrong[:3] + 1) % 10
    spoiled = type(TEST)(TEST.images, wrong)
    found = measures.measure_accuracy(BlotReader(), spoiled)
    assert found == {"test_accuracy_percent": pytest.approx(95)}


def test_generator_that_paints_the_digit_asked_for_agrees_in_full():
    found = measure(Painter(CGAN, asked))
    assert found["label_agreement_percent"] == 100
    assert found["worst_digit_agreement_percent"] == 100
    ratio = found["frechet_distance"] / found["frechet_floor"]
    assert found["frechet_ratio"] == pytest.approx(ratio)
    assert "label_distance" not in found


def test_generator_that_gets_one_digit_wrong_is_found_out():
    found = measure(Painter(CGAN, lambda inputs: torch.where(asked(inputs) == 3, 8, asked(inputs))))
    assert found["label_agreement_percent"] == pytest.approx(90)
    assert found["worst_digit_agreement_percent"] == 0


def test_unconditional_generator_that_paints_one_digit_is_nine_tenths_off():
    found = measure(Painter(GAN, lambda inputs: torch.zeros(len(inputs), dtype=torch.int64)))
    assert found["label_distance"] == pytest.approx(0.9)
    assert found["largest_share_gap_points"] == pytest.approx(90)
    assert "label_agreement_percent" not in found
    all_digits = measure(Painter(GAN, lambda inputs: torch.arange(len(inputs)) % 10))
    assert all_digits["label_distance"] == pytest.approx(0)
    assert all_digits["largest_share_gap_points"] == pytest.approx(0)
    assert all_digits["frechet_ratio"] < 0.5 * found["frechet_ratio"]
    assert found["coverage_percent"] <= 10 < all_digits["coverage_percent"]
    assert found["real_coverage_percent"] == all_digits["real_coverage_percent"]


@pytest.mark.parametrize(("kind", "config"), [(Generator, GAN), (Generator, CGAN), (Vae, VAE)])
def test_measuring_twice_gives_the_same_finite_numbers(kind, config):
    oracle, network = shaken(Classifier(CLASSIFIER)).eval(), shaken(kind(config)).eval()
    before = torch.get_rng_state()
    found = measure(network, oracle)
    assert found == measure(network, oracle)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.isfinite(torch.tensor(value)) for value in found.values())
    assert found["frechet_floor"] > 0
    assert all(type(value) is float for value in found.values())


def test_real_network_is_judged_by_its_predictions():
    oracle = shaken(Classifier(CLASSIFIER)).eval()
    right = classifier.predict(oracle, to_unit(TEST.images)).labels == TEST.labels
    assert measures.measure_accuracy(oracle, TEST)["test_accuracy_percent"] == pytest.approx(
        100 * sum(right.tolist()) / 60
    )


def test_likelihood_is_the_bound_of_all_and_the_gain_of_images_spread_over_the_file():
    network = shaken(Vae(VAE)).eval()
    found = measures.measure_likelihood(network, TEST, importance_samples=5, images=12)
    assert found == measures.measure_likelihood(network, TEST, importance_samples=5, images=12)
    counts = [found[n] for n in ("importance_samples", "likelihood_images", "elbo_images")]
    assert counts == [5, 12, 60]
    assert found["elbo_nats"] < found["log_likelihood_nats"] < 0
    draws = measuring_rng()
    binary = binarise(to_unit(TEST.images), draws)
    elbo = vae_log_likelihood(network, binary, measures.ELBO_DRAWS, draws).elbo_per_image_nats
    bound = vae_log_likelihood(network, binary[::5], 5, draws)
    gain = bound.per_image_nats - bound.elbo_per_image_nats
    assert found["elbo_nats"] == pytest.approx(elbo.mean().item())
    assert found["log_likelihood_nats"] == pytest.approx((elbo.mean() + gain.mean()).item())
    error = (elbo.var() / 60 + gain.var() / 12).sqrt().item()
    assert found["log_likelihood_standard_error_nats"] == pytest.approx(error)


def test_estimate_for_all_images_is_near_their_own_mean():
    torch.manual_seed(0)
    network = shaken(Vae(VAE)).eval()
    few = measures.measure_likelihood(network, TEST, importance_samples=50, images=12)
    every = measures.measure_likelihood(network, TEST, importance_samples=50, images=60)
    binary = binarise(to_unit(TEST.images), measuring_rng())
    direct = vae_log_likelihood(network, binary, 50, rng(2)).mean_nats
    assert every["log_likelihood_nats"] == pytest.approx(direct, abs=1)
    error = few["log_likelihood_standard_error_nats"]
    assert few["log_likelihood_nats"] == pytest.approx(direct, abs=4 * error)


def test_fewer_images_than_asked_for_are_counted_as_they_are():
    found = measures.measure_likelihood(shaken(Vae(VAE)).eval(), TEST, 1, images=1000)
    assert found["likelihood_images"] == 60
    assert found["elbo_nats"] == pytest.approx(found["log_likelihood_nats"])  # one sample
