r"""Variational autoencoder with a Gaussian encoder and a decoder of Bernoulli pixels.

Training maximises the bound of Problem 1b,

    L(q; x) = E_q log p(x|z) - D_KL(q(z|x) || p(z)),

with p(z) = N(0, I), q(z|x) = N(mu(x), diag(exp(logvar(x)))) and independent Bernoulli pixels.
Grey pixels are read as probabilities and drawn again each time an image is used (dynamic
binarisation), so the likelihood is that of binary images.

The decoder has the architecture of the GAN's generator, so that the two models can be compared.
Instead of N(0, I), p(z) can also be learned: see `flow`.

Source: Kingma and Welling 2014, eq. 3 and appendix B.
"""

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from latentwalk.data.mnist import Batch
from latentwalk.data.shapes import IMAGE_SHAPE, check_shape
from latentwalk.models.configuration import check_positive
from latentwalk.models.flow import Flow
from latentwalk.models.layers import Decoder, Encoder
from latentwalk.models.muon import Muon, hidden_kernels
from latentwalk.models.optim import (
    TrainState,
    exponential_moving_average,
    warm_up_cosine,
)
from latentwalk.models.samples import Samples

LOG_TWO_PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class VaeConfig:
    """Architecture and training settings; by default the decoder matches the GAN's generator."""

    latent_size: int = 16
    """Size of the latent vector z; by default the same as that of the GAN's noise."""
    width: int = 32
    """Number of decoder channels at 14 x 14; twice as many at 7 x 7."""
    encoder_width: int = 16
    """Number of encoder channels at 14 x 14; twice as many at 7 x 7."""
    blocks: int = 1
    """Number of residual blocks at each of the two resolutions."""
    steps: int = 14_000
    """Number of training steps (one batch each)."""
    batch_size: int = 64
    """Number of images per step."""
    learning_rate: float = 5e-3
    """Peak learning rate of Muon for the kernels of hidden layers, and of Adam for the rest."""
    average_decay: float = 0.998
    """Decay per step of the moving average of the weights."""
    flow_layers: int = 0
    """Number of layers of the `Flow` whose inverse maps N(0, I) to p(z); 0 for p(z) = N(0, I)."""

    def __post_init__(self) -> None:
        check_positive(self, zero_allowed=("flow_layers",))
        if self.flow_layers and self.latent_size < 2:
            raise ValueError(
                f"VaeConfig.latent_size is {self.latent_size}, expected at least 2 with a flow"
            )
        if self.average_decay >= 1:
            raise ValueError(
                f"VaeConfig.average_decay is {self.average_decay}, expected less than 1"
            )


@dataclass(frozen=True)
class Posterior:
    """The encoder's Gaussian q(z|x) = N(mu, diag(exp(logvar)))."""

    mu: Tensor
    """(B, Z) mean."""
    logvar: Tensor
    """(B, Z) logarithm of the variance."""

    def draw(self, epsilon: Tensor) -> Tensor:
        """Map standard normal noise (..., B, Z) to z = mu + sigma epsilon (..., B, Z)."""
        return self.mu + (0.5 * self.logvar).exp() * epsilon

    def log_density(self, epsilon: Tensor) -> Tensor:
        """Log q(z|x) at the z that `draw` makes from noise (..., B, Z): (..., B) nats."""
        return -0.5 * (epsilon.square() + self.logvar + LOG_TWO_PI).sum(dim=-1)

    def divergence(self) -> Tensor:
        r"""D_KL(q(z|x) || N(0, I)) = 1/2 sum (mu^2 + exp(logvar) - 1 - logvar), (B,) nats.

        Source: Kingma and Welling 2014, appendix B.
        """
        return 0.5 * (self.mu.square() + self.logvar.exp() - 1 - self.logvar).sum(dim=1)


class Vae(nn.Module):
    """Encoder, decoder and, if it is learned, the prior."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.config = config
        # batch norm is safe here, because the VAE has no gradient penalty
        self.encoder = Encoder(config.encoder_width, config.blocks, normalise=True)
        size = config.latent_size
        self.posterior = nn.Linear(self.encoder.output_size, 2 * size)
        self.decoder = Decoder(size, config.width, config.blocks)
        self.flow = Flow(size, config.flow_layers) if config.flow_layers else None

    def log_prior(self, z: Tensor) -> Tensor:
        """Log p(z) of codes (B, Z): (B,) nats."""
        noise, growth = self.flow(z) if self.flow else (z, 0)
        standard = torch.zeros_like(noise)
        return gaussian_log_density(noise, mu=standard, logvar=standard) + growth

    def noise_to_code(self, noise: Tensor) -> Tensor:
        """Map standard normal noise (B, Z) to draws z (B, Z) from p(z)."""
        return self.flow.noise_to_code(noise) if self.flow else noise

    def encode(self, images: Tensor) -> Posterior:
        """Map images (B, 1, 28, 28) in [0, 1] to q(z|x)."""
        parameters = self.posterior(self.encoder(images * 2 - 1)).float()  # even under autocast
        return Posterior(*parameters.chunk(2, dim=1))

    def decode_logits(self, z: Tensor) -> Tensor:
        """Map z (B, Z) to the log-odds of ink (B, 1, 28, 28)."""
        return self.decoder(z)

    def decode(self, z: Tensor) -> Tensor:
        """Map z (B, Z) to the probability of ink (B, 1, 28, 28) in [0, 1]: the mean image."""
        return torch.sigmoid(self.decode_logits(z))


def bernoulli_log_likelihood(logits: Tensor, binary_images: Tensor) -> Tensor:
    """Log p(x|z) of binary images under independent pixels.

    Args:
        logits: (B, 1, 28, 28) log-odds of ink.
        binary_images: (B, 1, 28, 28), 0 or 1.

    Returns:
        (B,) nats per image, at most 0.
    """
    check_shape("binary_images", binary_images, tuple(logits.shape))
    losses = F.binary_cross_entropy_with_logits(logits, binary_images, reduction="none")
    return -losses.flatten(1).sum(dim=1)


def gaussian_log_density(z: Tensor, mu: Tensor, logvar: Tensor) -> Tensor:
    """Log N(z; mu, diag(exp(logvar))) for z (B, Z): (B,) nats."""
    terms = (z - mu).square() * (-logvar).exp() + logvar + LOG_TWO_PI
    return -0.5 * terms.sum(dim=1)


def elbo_parts(vae: Vae, binary_images: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate both terms of the bound with one draw of z per image.

    Args:
        vae: the model.
        binary_images: (B, 1, 28, 28), 0 or 1.
        epsilon: (B, Z) standard normal noise.

    Returns:
        The reconstruction term log p(x|z) and the divergence from the prior, both (B,) nats;
        the bound is the first minus the second. The divergence is exact for p(z) = N(0, I). For a
        learned prior it is estimated from the same draw and may be negative.
    """
    posterior = vae.encode(binary_images)
    z = posterior.draw(epsilon)
    reconstruction = bernoulli_log_likelihood(vae.decode_logits(z), binary_images)
    if vae.flow is None:
        return reconstruction, posterior.divergence()
    return reconstruction, posterior.log_density(epsilon) - vae.log_prior(z)


def log_joint(vae: Vae, z: Tensor, binary_images: Tensor) -> Tensor:
    """Log p(x, z) for codes (B, Z) and binary images (B, 1, 28, 28): (B,) nats."""
    return bernoulli_log_likelihood(vae.decode_logits(z), binary_images) + vae.log_prior(z)


@torch.inference_mode()
def sample(vae: Vae, count: int, rng: torch.Generator) -> Samples:
    """Decode fresh draws from the prior; images are pixel means, inputs are drawn from N(0, I)."""
    inputs = torch.randn(count, vae.config.latent_size, generator=rng, device=rng.device)
    # in parts, to bound the memory
    images = torch.cat([vae.decode(vae.noise_to_code(part)) for part in inputs.split(1000)])
    return Samples(images, inputs, labels=None)


@torch.inference_mode()
def reconstruct(vae: Vae, images: Tensor) -> Tensor:
    """Encode images (B, 1, 28, 28) in [0, 1] and decode the means of their posteriors."""
    check_shape("images", images, (None, *IMAGE_SHAPE))
    return torch.cat([vae.decode(vae.encode(part).mu) for part in images.split(1000)])


@dataclass
class VaeState(TrainState):
    """Mutable training state: network, moving average, optimizers, step."""

    config: VaeConfig
    network: Vae
    average: AveragedModel
    kernel_optimizer: Muon
    optimizer: torch.optim.Adam
    step: int = 0

    @property
    def released(self) -> Vae:
        """Network that is saved when training ends: the one with averaged weights."""
        return cast(Vae, self.average.module)


def init(config: VaeConfig, device: torch.device) -> VaeState:
    """Build an untrained VAE; PyTorch's global generator draws the weights."""
    network = Vae(config).to(device).to(memory_format=torch.channels_last)
    average = exponential_moving_average(network, config.average_decay)
    kernels, others = hidden_kernels(network, ends=("encoder.entry", "posterior", "decoder.exit"))
    rate = config.learning_rate
    return VaeState(
        config, network, average, Muon(kernels, rate), torch.optim.Adam(others, rate, fused=True)
    )


def train_step(
    state: VaeState, batch: Batch, rng: torch.Generator
) -> tuple[VaeState, dict[str, Tensor]]:
    """Take one step on -L(q; x) = D_KL(q(z|x) || p(z)) - E_q log p(x|z), in nats per image."""
    config = state.config
    optimizers = (state.kernel_optimizer, state.optimizer)
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["lr"] = config.learning_rate * warm_up_cosine(state.step, config.steps)
    binary_images = torch.bernoulli(batch.images, generator=rng)
    epsilon = torch.randn(len(binary_images), config.latent_size, generator=rng, device=rng.device)
    reconstruction, divergence = elbo_parts(state.network, binary_images, epsilon)
    loss = (divergence - reconstruction).mean()
    state.network.zero_grad(set_to_none=True)
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    state.average.update_parameters(state.network)
    state.step += 1
    return state, {
        "negative_elbo_nats": loss.detach(),
        "reconstruction_nats": -reconstruction.detach().mean(),
        "kl_nats": divergence.detach().mean(),
    }
