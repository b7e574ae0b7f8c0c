import math

import pytest
import torch
from drawing import draw_discs
from torch.distributions import MultivariateNormal

from latentwalk.evaluation.likelihood import (
    binarise,
    importance_sampled_log_likelihood,
    vae_log_likelihood,
)
from latentwalk.models.vae import Posterior, Vae, VaeConfig, bernoulli_log_likelihood

LATENT, OBSERVED, NOISE = 3, 6, 0.5


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


class LinearGaussian:
    """z ~ N(0, I), x|z ~ N(W z + b, NOISE^2 I): evidence and posterior are known exactly."""

    def __init__(self):
        # orthogonal columns make the exact posterior diagonal
        columns = torch.linalg.qr(torch.randn(OBSERVED, LATENT, generator=rng()).double()).Q
        self.weights = columns * torch.tensor([0.5, 1.0, 2.0])
        self.offset = torch.randn(OBSERVED, generator=rng(1)).double()
        self.encoded = []
        self.batches = []

    def images(self, count):
        z = torch.randn(count, LATENT, generator=rng(2)).double()
        noise = torch.randn(count, OBSERVED, generator=rng(3)).double()
        return z @ self.weights.T + self.offset + NOISE * noise

    def log_evidence(self, images):
        covariance = self.weights @ self.weights.T + NOISE**2 * torch.eye(OBSERVED).double()
        return MultivariateNormal(self.offset, covariance).log_prob(images)

    def log_joint(self, z, images):
        self.batches.append(len(z))
        prior = torch.distributions.Normal(0, 1).log_prob(z).sum(dim=1)
        mean = z @ self.weights.T + self.offset
        return torch.distributions.Normal(mean, NOISE).log_prob(images).sum(dim=1) + prior

    def exact_posterior(self, images):
        self.encoded.append(len(images))
        precision = 1 + self.weights.square().sum(dim=0) / NOISE**2
        mu = (images - self.offset) @ self.weights / NOISE**2 / precision
        return Posterior(mu, -precision.log().expand_as(mu))

    def poor_posterior(self, images):
        exact = self.exact_posterior(images)
        return Posterior(exact.mu + 0.1, exact.logvar + 0.6)

    def bound(self, encode, images, num_samples, seed=4, **sizes):
        return importance_sampled_log_likelihood(
            encode, self.log_joint, images, num_samples, rng(seed), **sizes
        )


def test_exact_posterior_gives_the_exact_evidence_from_any_number_of_samples():
    model = LinearGaussian()
    images = model.images(7)
    exact = model.log_evidence(images)
    for num_samples in (1, 13):
        got = model.bound(model.exact_posterior, images, num_samples)
        torch.testing.assert_close(got.per_image_nats, exact, rtol=0, atol=1e-5)
        torch.testing.assert_close(got.elbo_per_image_nats, exact, rtol=0, atol=1e-5)


def test_poor_posterior_tightens_with_more_samples_up_to_the_evidence():
    model = LinearGaussian()
    images = model.images(200)
    exact = float(model.log_evidence(images).mean())
    one, ten, many = (model.bound(model.poor_posterior, images, k) for k in (1, 10, 3000))
    assert one.mean_nats < ten.mean_nats - 0.05 < many.mean_nats
    assert many.mean_nats == pytest.approx(exact, abs=0.005)
    assert ten.mean_nats < exact


def test_elbo_falls_short_by_the_divergence_from_the_posterior():
    model = LinearGaussian()
    images = model.images(20)
    exact, poor = model.exact_posterior(images), model.poor_posterior(images)
    ratio = (poor.logvar - exact.logvar).exp()
    shift = (poor.mu - exact.mu).square() / exact.logvar.exp()
    divergence = 0.5 * (ratio + shift - 1 - ratio.log()).sum(dim=1)
    got = model.bound(model.poor_posterior, images, 20_000, samples_per_batch=1000)
    expected = model.log_evidence(images) - divergence
    torch.testing.assert_close(got.elbo_per_image_nats, expected, rtol=0, atol=0.06)
    assert (got.elbo_per_image_nats <= got.per_image_nats).all()


def test_mean_and_error_are_those_of_the_images():
    model = LinearGaussian()
    got = model.bound(model.exact_posterior, model.images(50), 2)
    values = got.per_image_nats
    assert values.dtype == torch.float64
    assert got.mean_nats == pytest.approx(float(values.mean()))
    assert got.standard_error_nats == pytest.approx(float(values.std()) / math.sqrt(50))
    assert got.num_samples == 2


def test_each_image_is_encoded_once_and_batches_have_one_size():
    model = LinearGaussian()
    model.bound(
        model.exact_posterior, model.images(6), 20, images_per_batch=3, samples_per_batch=10
    )
    assert model.encoded == [3, 3]
    assert model.batches == [30] * 4


def test_batch_sizes_that_do_not_divide_lose_nothing():
    model = LinearGaussian()
    images = model.images(7)
    got = model.bound(model.poor_posterior, images, 4000, images_per_batch=3, samples_per_batch=333)
    torch.testing.assert_close(got.per_image_nats, model.log_evidence(images), rtol=0, atol=0.06)
    assert model.batches[-1] == 4000 % 333


def test_the_same_rng_gives_the_same_result():
    model = LinearGaussian()
    images = model.images(5)
    first, again, other = (model.bound(model.poor_posterior, images, 5, seed) for seed in (4, 4, 5))
    assert torch.equal(first.per_image_nats, again.per_image_nats)
    assert not torch.equal(first.per_image_nats, other.per_image_nats)


def test_hopeless_weights_do_not_overflow():
    def log_joint(z, images):
        return torch.full((len(z),), -5000.0)

    model = LinearGaussian()
    got = importance_sampled_log_likelihood(
        model.exact_posterior, log_joint, model.images(2), 100, rng()
    )
    assert got.per_image_nats.isfinite().all()
    assert got.mean_nats < -4900


def tiny_vae():
    torch.manual_seed(0)
    return Vae(VaeConfig(latent_size=1, width=2)).eval()


def test_vae_bound_agrees_with_integration_over_its_latent_line():
    vae = tiny_vae()
    with torch.inference_mode():
        vae.decoder.entry.weight *= 5  # so that the images depend on z
        images = binarise(draw_discs(3, rng())[0], rng(1))
        z = torch.linspace(-7, 7, 1401)[:, None]
        logits = vae.decode_logits(z)
        prior = -0.5 * (z.squeeze(1).square() + math.log(2 * math.pi))
        exact = torch.stack(
            [
                (bernoulli_log_likelihood(logits, image.expand_as(logits)) + prior)
                .double()
                .logsumexp(dim=0)
                + math.log(0.01)
                for image in images
            ]
        )
        spread = bernoulli_log_likelihood(logits, images[:1].expand_as(logits)).std()
    assert spread > 1
    got = vae_log_likelihood(vae, images, 3000, rng(2), samples_per_batch=300)
    torch.testing.assert_close(got.per_image_nats, exact, rtol=0, atol=0.15)
    assert (got.elbo_per_image_nats < got.per_image_nats).all()


def test_vae_bound_ignores_autocast_and_leaves_no_gradient():
    vae, images = tiny_vae(), binarise(draw_discs(2, rng())[0], rng(1))
    plain = vae_log_likelihood(vae, images, 5, rng(2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = vae_log_likelihood(vae, images, 5, rng(2))
    assert torch.equal(plain.per_image_nats, inside.per_image_nats)
    assert all(parameter.grad is None for parameter in vae.parameters())


def test_binarise_draws_ink_with_the_grey_value_as_probability():
    grey = torch.full((400, 1, 28, 28), 0.3)
    grey[:, :, :5], grey[:, :, 5:10] = 0, 1
    drawn = binarise(grey, rng())
    assert drawn.dtype == torch.float32
    assert set(drawn.unique().tolist()) == {0, 1}
    assert drawn[:, :, :5].max() == 0
    assert drawn[:, :, 5:10].min() == 1
    assert float(drawn[:, :, 10:].mean()) == pytest.approx(0.3, abs=0.005)
    assert torch.equal(drawn, binarise(grey, rng()))
    assert not torch.equal(drawn, binarise(grey, rng(1)))


def test_wrong_input_is_named():
    vae, images = tiny_vae(), draw_discs(2, rng())[0]
    with pytest.raises(ValueError, match="binarise them"):
        vae_log_likelihood(vae, images, 5, rng())
    with pytest.raises(ValueError, match=r"call vae.eval\(\)"):
        vae_log_likelihood(vae.train(), images.round(), 5, rng())
    model = LinearGaussian()
    for count, num_samples, size in [(0, 5, 5), (2, 0, 5), (2, 5, 0)]:
        with pytest.raises(ValueError, match="expected at least 1 of each"):
            model.bound(
                model.exact_posterior, model.images(count), num_samples, samples_per_batch=size
            )
    with pytest.raises(ValueError, match="images has values in"):
        binarise(images * 2, rng())
