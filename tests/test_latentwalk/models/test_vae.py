import copy
import math
from dataclasses import replace

import pytest
import sympy as sp
import torch
from tiny import FLOW, GAN, VAE, changed, fresh, frozen_copy, rng, shaken, shapes_of, toy_batch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from latentwalk.data.mnist import Batch
from latentwalk.derivations import symbolic
from latentwalk.evaluation.likelihood import vae_log_likelihood
from latentwalk.models import vae
from latentwalk.models.gan import Generator
from latentwalk.models.optim import warm_up_cosine
from latentwalk.models.vae import Posterior, Vae, VaeConfig, elbo_parts


@pytest.fixture(autouse=True)
def seeded():
    """Networks take their initial weights from PyTorch's global generator."""
    torch.manual_seed(0)


def binary_images(count=8, seed=0):
    return (toy_batch(count, seed).images > 0.5).float()


def points(count=6, size=3, seed=0):
    """Means in [-3, 3] and log-variances in [-4, 2], in double precision."""
    draws = torch.rand(2, count, size, generator=rng(seed), dtype=torch.float64)
    return draws[0] * 6 - 3, draws[1] * 6 - 4


def normal(mu, logvar):
    return Independent(Normal(mu, (0.5 * logvar).exp()), 1)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"latent_size": 0}, "latent_size is 0, expected more than 0"),
        ({"width": -4}, "width is -4, expected more than 0"),
        ({"encoder_width": 0}, "encoder_width is 0, expected more than 0"),
        ({"blocks": 0}, "blocks is 0, expected more than 0"),
        ({"steps": 0}, "steps is 0, expected more than 0"),
        ({"batch_size": -1}, "batch_size is -1, expected more than 0"),
        ({"learning_rate": -0.5}, "learning_rate is -0.5, expected more than 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan, expected more than 0"),
        ({"learning_rate": math.inf}, "learning_rate is inf, expected more than 0"),
        ({"flow_layers": -1}, "flow_layers is -1, expected 0 or more"),
        ({"average_decay": 1.0}, "average_decay is 1.0, expected less than 1"),
        ({"average_decay": 0.0}, "average_decay is 0.0, expected more than 0"),
    ],
)
def test_configuration_out_of_range_names_field_got_and_expected(fields, words):
    with pytest.raises(ValueError, match="expected") as error:
        VaeConfig(**fields)
    assert str(error.value) == f"VaeConfig.{words}"


def test_shapes_and_ranges():
    network = shaken(Vae(VAE)).eval()
    posterior = network.encode(toy_batch(5).images)
    assert posterior.mu.shape == posterior.logvar.shape == (5, 3)
    z = posterior.draw(torch.randn(5, 3, generator=rng()))
    images, logits = network.decode(z), network.decode_logits(z)
    assert images.shape == logits.shape == (5, 1, 28, 28)
    assert 0 <= images.min() < images.max() <= 1
    torch.testing.assert_close(images.logit(), logits, rtol=1e-3, atol=1e-4)


def test_decoder_has_the_architecture_of_the_gans_generator():
    for field in ("latent_size", "width", "blocks"):
        for value in (2, 5):
            generator = Generator(replace(GAN, **{field: value}))
            decoder = shapes_of(Vae(replace(VAE, **{field: value})).decoder)
            assert decoder == shapes_of(generator.decoder)
            assert {f"decoder.{name}" for name in decoder} == set(shapes_of(generator))


def test_draw_moves_and_scales_standard_noise():
    mu, logvar = points()
    posterior = Posterior(mu, logvar)
    assert torch.equal(posterior.draw(torch.zeros_like(mu)), mu)
    one_deviation = posterior.draw(torch.ones_like(mu)) - mu
    torch.testing.assert_close(one_deviation.square(), logvar.exp())


def test_divergence_is_the_closed_form_that_problem_1_derives():
    mu, logvar = points(seed=1)
    expression = sp.lambdify((symbolic.mu, symbolic.logvar), symbolic.vae_kl_expression(), "math")
    for m, v, got in zip(mu, logvar, Posterior(mu, logvar).divergence(), strict=True):
        each = [expression(*pair) for pair in zip(m.tolist(), v.tolist(), strict=True)]
        assert got.item() == pytest.approx(math.fsum(each), rel=1e-12)


def test_divergence_agrees_with_pytorch_and_is_zero_only_at_the_prior():
    mu, logvar = points(seed=2)
    prior = normal(torch.zeros_like(mu), torch.zeros_like(mu))
    expected = kl_divergence(normal(mu, logvar), prior)
    torch.testing.assert_close(Posterior(mu, logvar).divergence(), expected)
    assert Posterior(mu, logvar).divergence().min() > 0
    assert Posterior(torch.zeros(4, 3), torch.zeros(4, 3)).divergence().tolist() == [0.0] * 4


def test_divergence_is_the_mean_log_ratio_of_draws():
    mu, logvar = points(count=1, seed=3)
    epsilon = torch.randn(200_000, 3, generator=rng(), dtype=torch.float64)
    z = Posterior(mu, logvar).draw(epsilon)
    zeros = torch.zeros_like(mu)
    ratios = vae.gaussian_log_density(z, mu, logvar) - vae.gaussian_log_density(z, zeros, zeros)
    error = ratios.std() / math.sqrt(len(ratios))
    assert (ratios.mean() - Posterior(mu, logvar).divergence()).abs() < 4 * error < 0.1


def test_log_density_is_that_of_the_draw():
    mu, logvar = points(seed=5)
    epsilon = torch.randn(4, 6, 3, generator=rng(), dtype=torch.float64)
    posterior = Posterior(mu, logvar)
    expected = normal(mu, logvar).log_prob(posterior.draw(epsilon))
    assert expected.shape == (4, 6)
    torch.testing.assert_close(posterior.log_density(epsilon), expected)


def test_gaussian_log_density_agrees_with_pytorch():
    mu, logvar = points(seed=4)
    z = mu + torch.randn(mu.shape, generator=rng(), dtype=torch.float64)
    got = vae.gaussian_log_density(z, mu, logvar)
    assert got.shape == (len(z),)
    torch.testing.assert_close(got, normal(mu, logvar).log_prob(z))


def test_bernoulli_log_likelihood_agrees_with_pytorch():
    logits = 4 * torch.randn(8, 1, 28, 28, generator=rng())
    images = binary_images()
    got = vae.bernoulli_log_likelihood(logits, images)
    expected = Independent(Bernoulli(logits=logits), 3).log_prob(images)
    torch.testing.assert_close(got, expected)
    assert got.shape == (8,)
    assert got.max() < 0


def test_certain_pixels_cost_nothing_when_right_and_their_logit_when_wrong():
    images = binary_images(1)
    logits = (images * 2 - 1) * 500
    assert vae.bernoulli_log_likelihood(logits, images).item() == 0
    assert vae.bernoulli_log_likelihood(-logits, images).item() == -500 * 784


def test_images_of_another_shape_than_the_logits_are_refused():
    with pytest.raises(ValueError, match=r"binary_images has shape \(2, 784\), expected \(2, 1,"):
        vae.bernoulli_log_likelihood(torch.zeros(2, 1, 28, 28), torch.zeros(2, 784))


def test_elbo_parts_use_the_noise_given_and_nothing_else():
    network, images = shaken(Vae(VAE)).eval(), binary_images()
    epsilon = torch.randn(8, 3, generator=rng())
    before = torch.get_rng_state()
    reconstruction, divergence = elbo_parts(network, images, epsilon)
    assert torch.equal(torch.get_rng_state(), before)
    assert reconstruction.shape == divergence.shape == (8,)

    posterior = network.encode(images)
    z = posterior.mu + (0.5 * posterior.logvar).exp() * epsilon
    pixels = Independent(Bernoulli(logits=network.decode_logits(z)), 3)
    prior = normal(torch.zeros(8, 3), torch.zeros(8, 3))
    torch.testing.assert_close(reconstruction, pixels.log_prob(images))
    expected = kl_divergence(normal(posterior.mu, posterior.logvar), prior)
    torch.testing.assert_close(divergence, expected)

    other_reconstruction, other_divergence = elbo_parts(network, images, -epsilon)
    assert (other_reconstruction - reconstruction).abs().min() > 1e-3
    torch.testing.assert_close(other_divergence, divergence)


def test_bound_and_divergence_from_the_posterior_add_up_to_the_evidence():
    """Problem 1b on the VAE itself: with one latent entry the integrals are sums over a line."""
    torch.manual_seed(5)  # an encoder that is neither exact nor so poor that few samples count
    network = shaken(Vae(replace(VAE, latent_size=1)), size=0.06).eval()
    images = binary_images(2)
    z = torch.linspace(-9, 9, 1501)[:, None]
    with torch.no_grad():
        logits, posterior = network.decode_logits(z), network.encode(images)
        epsilon = torch.randn(2, 1, generator=rng())
        _, divergence = elbo_parts(network, images, epsilon)
    zero = torch.zeros(1, 1)
    log_step = math.log(18 / 1500)
    log_prior = vae.gaussian_log_density(z, zero, zero).double()
    sampled = vae_log_likelihood(network, images, 2000, rng())
    for index, image in enumerate(images):
        log_pixels = vae.bernoulli_log_likelihood(logits, image.expand_as(logits)).double()
        log_evidence = torch.logsumexp(log_pixels + log_prior + log_step, dim=0).item()
        mu, logvar = posterior.mu[index], posterior.logvar[index]
        log_q = vae.gaussian_log_density(z, mu[None], logvar[None]).double()
        q = (log_q + log_step).exp()
        assert q.sum().item() == pytest.approx(1, abs=1e-5)
        bound = (q * log_pixels).sum().item() - divergence[index].item()
        log_posterior = log_pixels + log_prior - log_evidence
        from_posterior = (q * (log_q - log_posterior)).sum().item()
        assert from_posterior > 1
        assert bound + from_posterior == pytest.approx(log_evidence, abs=2e-3)
        importance = sampled.per_image_nats[index].item()
        assert bound + 1 < importance == pytest.approx(log_evidence, abs=0.15)
        assert sampled.elbo_per_image_nats[index].item() == pytest.approx(bound, abs=0.5)


def test_samples_are_decoded_draws_from_the_prior():
    network = shaken(Vae(VAE)).eval()
    samples = vae.sample(network, 1003, rng(1))
    assert samples.images.shape == (1003, 1, 28, 28)
    assert samples.inputs.shape == (1003, 3)
    assert samples.labels is None
    assert samples.inputs.mean(0).abs().max() < 0.12
    assert (samples.inputs.std(0) - 1).abs().max() < 0.1
    chosen = [0, 999, 1000, 1002]
    with torch.no_grad():
        torch.testing.assert_close(samples.images[chosen], network.decode(samples.inputs[chosen]))
    assert torch.equal(samples.images, vae.sample(network, 1003, rng(1)).images)
    assert not torch.equal(samples.inputs, vae.sample(network, 1003, rng(2)).inputs)


def test_reconstruct_decodes_the_posteriors_mean():
    network, images = shaken(Vae(VAE)).eval(), toy_batch(7).images
    with torch.no_grad():
        expected = network.decode(network.encode(images).mu)
    torch.testing.assert_close(vae.reconstruct(network, images), expected)
    many = vae.reconstruct(network, images[:1].expand(1001, -1, -1, -1))
    torch.testing.assert_close(many[[0, 1000]], expected[:1].expand(2, -1, -1, -1))
    with pytest.raises(ValueError, match=r"images has shape \(7, 784\)"):
        vae.reconstruct(network, images.flatten(1))


def test_train_step_returns_the_parts_of_its_loss():
    state, draws = fresh(vae, VAE), rng()
    images = binary_images()  # black and white, so that drawing the pixels changes nothing
    before, global_state = copy.deepcopy(state.network), torch.get_rng_state()
    returned, parts = vae.train_step(state, Batch(images, torch.arange(8)), draws)
    assert returned is state
    assert state.step == 1
    assert torch.equal(torch.get_rng_state(), global_state)
    total = parts["reconstruction_nats"] + parts["kl_nats"]
    torch.testing.assert_close(parts["negative_elbo_nats"], total)
    posterior = before.encode(images)
    expected = posterior.divergence().mean()
    torch.testing.assert_close(parts["kl_nats"], expected.detach())
    # an untrained network gives each of the 784 pixels about one bit
    assert parts["reconstruction_nats"].item() == pytest.approx(784 * math.log(2), rel=0.1)
    assert state.optimizer.param_groups[0]["lr"] == VAE.learning_rate * warm_up_cosine(0, VAE.steps)


def test_train_step_descends_the_negative_bound():
    state = fresh(vae, VAE)
    before, images = copy.deepcopy(state.network), binary_images()
    draws = rng(5)
    vae.train_step(state, Batch(images, torch.arange(8)), draws)
    replay = rng(5)
    torch.bernoulli(images, generator=replay)
    reconstruction, divergence = elbo_parts(before, images, torch.randn(8, 3, generator=replay))
    expected = torch.autograd.grad((divergence - reconstruction).mean(), list(before.parameters()))
    for parameter, gradient in zip(state.network.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_grey_pixels_are_drawn_anew_each_time():
    grey = Batch(torch.full((8, 1, 28, 28), 0.5), torch.arange(8))
    seen = []
    for seed in (1, 1, 2):
        state = fresh(vae, VAE)
        encode = state.network.encode
        state.network.encode = lambda images, encode=encode: seen.append(images) or encode(images)
        vae.train_step(state, grey, rng(seed))
    assert set(seen[0].unique().tolist()) == {0.0, 1.0}
    assert seen[0].mean().item() == pytest.approx(0.5, abs=0.03)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


@pytest.mark.parametrize("config", [VAE, FLOW], ids=["vae", "vae_flow"])
def test_vae_trains(config):
    config = replace(config, steps=60, learning_rate=1e-2)
    state, draws, batch = fresh(vae, config), rng(), toy_batch(16)
    untrained = copy.deepcopy(state.network)
    losses = [vae.train_step(state, batch, draws)[1]["negative_elbo_nats"] for _ in range(60)]
    first, last = torch.stack(losses[:5]).mean(), torch.stack(losses[-5:]).mean()
    assert last < 0.4 * first
    assert len(changed(state.network, untrained.state_dict())) == len(untrained.state_dict())
    before, after = (
        (vae.reconstruct(network.eval(), batch.images) - batch.images).square().mean()
        for network in (untrained, state.released)
    )
    assert after < 0.1 * before


def test_released_network_is_the_running_average():
    state, draws = fresh(vae, replace(VAE, average_decay=0.2)), rng()
    vae.train_step(state, toy_batch(), draws)
    first = frozen_copy(state.network)
    assert changed(state.released, first) == []
    vae.train_step(state, toy_batch(seed=1), draws)
    weight = state.network.posterior.weight
    expected = 2 / 11 * first["posterior.weight"] + 9 / 11 * weight
    torch.testing.assert_close(state.released.posterior.weight, expected)
