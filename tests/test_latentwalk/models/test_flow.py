import math
from dataclasses import replace

import pytest
import torch
from tiny import FLOW, VAE, rng, shaken, toy_batch

from latentwalk.evaluation.likelihood import vae_log_likelihood
from latentwalk.models import vae
from latentwalk.models.flow import LARGEST_LOG_SCALE, Coupling, Flow
from latentwalk.models.vae import Vae


def bent(size=3, layers=4, shake=0.3):
    """A flow that is far from the identity, in double precision."""
    torch.manual_seed(0)
    return shaken(Flow(size, layers), size=shake).double()


def standard(z):
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(dim=1)


@pytest.mark.parametrize("size", [2, 3, 16])
def test_what_a_flow_maps_there_comes_back(size):
    flow, code = bent(size), 2 * torch.randn(50, size, generator=rng(), dtype=torch.float64)
    noise, _ = flow(code)
    assert (noise - code).abs().mean() > 0.3
    torch.testing.assert_close(flow.noise_to_code(noise), code)
    torch.testing.assert_close(flow(flow.noise_to_code(code))[0], code)


def test_growth_is_the_log_determinant_of_the_map():
    flow, codes = bent(), torch.randn(5, 3, generator=rng(), dtype=torch.float64)
    _, growth = flow(codes)
    assert growth.abs().min() > 1e-3
    for code, got in zip(codes, growth, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda one: flow(one[None])[0][0], code)
        assert got.item() == pytest.approx(jacobian.det().abs().log().item(), rel=1e-9)


@pytest.mark.parametrize("size", [3, 4])
def test_one_coupling_moves_the_second_half_and_two_move_every_entry(size):
    one, two = bent(size, layers=1), bent(size, layers=2)
    code = torch.randn(6, size, generator=rng(), dtype=torch.float64)
    moved = one(code)[0].flip(1) != code
    assert moved.all(dim=0).tolist() == [entry >= size // 2 for entry in range(size)]
    assert moved.any(dim=0).tolist() == moved.all(dim=0).tolist()
    assert (two(code)[0] != code).all()


def test_a_flow_starts_as_the_identity():
    flow, code = Flow(4, 2), torch.randn(6, 4, generator=rng())
    noise, growth = flow(code)
    assert torch.equal(noise, code)  # turned round twice
    assert growth.tolist() == [0.0] * 6


def test_no_coupling_scales_without_limit():
    coupling = shaken(Coupling(4), size=50)
    _, growth = coupling(torch.randn(100, 4, generator=rng()))
    assert growth.abs().max() <= 2 * LARGEST_LOG_SCALE
    assert growth.abs().max() > LARGEST_LOG_SCALE


def test_autocast_outside_changes_nothing():
    flow, code = bent().float(), torch.randn(6, 3, generator=rng())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        noise, growth = flow(code)
        back = flow.noise_to_code(noise)
    assert torch.equal(noise, flow(code)[0])
    assert torch.equal(growth, flow(code)[1])
    assert torch.equal(back, flow.noise_to_code(noise))


def test_codes_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"codes has shape \(5, 4\), expected \(any, 3\)"):
        bent()(torch.zeros(5, 4))
    with pytest.raises(ValueError, match=r"noise has shape \(5, 4\), expected \(any, 3\)"):
        bent().noise_to_code(torch.zeros(5, 4))


def learned(size=2, shake=0.1):
    torch.manual_seed(0)
    return shaken(Vae(replace(FLOW, latent_size=size)), size=shake).eval()


def test_the_prior_is_a_density_and_its_draws_have_it():
    network = learned()
    line = torch.linspace(-12, 12, 481)
    points = torch.cartesian_prod(line, line)
    with torch.no_grad():
        density = network.log_prior(points).double().exp() * (line[1] - line[0]) ** 2
        drawn = network.noise_to_code(torch.randn(100_000, 2, generator=rng()))
    assert density.sum().item() == pytest.approx(1, abs=1e-3)
    mean = (density[:, None] * points).sum(dim=0)
    moments = (density[:, None] * (points - mean).square()).sum(dim=0)
    assert (moments - 1).abs().max() > 0.3, "not the standard normal density"
    errors = drawn.double().std(dim=0) / len(drawn) ** 0.5
    assert ((drawn.double().mean(dim=0) - mean).abs() < 4 * errors).all()
    torch.testing.assert_close(drawn.double().var(dim=0), moments, rtol=0.05, atol=0)


def test_without_a_flow_the_prior_is_standard_normal():
    network, z = Vae(VAE), torch.randn(5, 3, generator=rng())
    torch.testing.assert_close(network.log_prior(z), standard(z))
    assert network.noise_to_code(z) is z


def test_a_learned_prior_is_a_longer_decoder_and_a_posterior_bent_by_its_inverse():
    """Both ways to read the model have one bound: what the report says of it."""
    network, images = learned(3), (toy_batch(8).images > 0.5).float()
    epsilon = torch.randn(8, 3, generator=rng())
    with torch.no_grad():
        reconstruction, divergence = vae.elbo_parts(network, images, epsilon)
        posterior = network.encode(images)
        z = posterior.draw(epsilon)
        latent, _ = network.flow(z)
        growth = torch.stack(
            [
                torch.autograd.functional.jacobian(lambda one: network.flow(one[None])[0][0], code)
                .det()
                .abs()
                .log()
                for code in z
            ]
        )
        pixels = network.decode_logits(network.flow.noise_to_code(latent))
        log_q = posterior.log_density(epsilon) - growth
    torch.testing.assert_close(
        reconstruction, vae.bernoulli_log_likelihood(pixels, images), rtol=1e-4, atol=1e-3
    )
    torch.testing.assert_close(divergence, log_q - standard(latent))


def test_the_likelihood_counts_a_learned_prior():
    """The importance-sampled bound, beside the evidence as a sum over a grid of codes."""
    network, images = learned(2, shake=0.05), (toy_batch(2).images > 0.5).float()
    line = torch.linspace(-6, 6, 121)
    codes = torch.cartesian_prod(line, line)
    with torch.no_grad():
        logits, log_prior = network.decode_logits(codes), network.log_prior(codes)
        log_pixels = [
            vae.bernoulli_log_likelihood(logits, image.expand_as(logits)) for image in images
        ]
        joint = vae.log_joint(network, codes, images[:1].expand_as(logits))
    torch.testing.assert_close(joint, log_pixels[0] + log_prior)
    found = vae_log_likelihood(network, images, 2000, rng())
    for pixels, bound in zip(log_pixels, found.per_image_nats, strict=True):
        evidence, other = (
            (pixels + prior).double().logsumexp(dim=0).item() + 2 * math.log(12 / 120)
            for prior in (log_prior, standard(codes))
        )
        assert abs(other - evidence) > 0.2, "another prior would show"
        assert bound.item() == pytest.approx(evidence, abs=0.1)


def test_samples_go_through_the_flow_and_their_inputs_are_the_noise():
    network = learned(3)
    samples = vae.sample(network, 1003, rng(1))
    assert (samples.inputs.std(0) - 1).abs().max() < 0.1
    with torch.no_grad():
        images = network.decode(network.flow.noise_to_code(samples.inputs[[0, 1002]]))
    torch.testing.assert_close(samples.images[[0, 1002]], images)


def test_a_flow_needs_two_entries():
    with pytest.raises(ValueError, match="latent_size is 1, expected at least 2 with a flow"):
        replace(VAE, latent_size=1, flow_layers=1)
