"""What a user would run instead: the training loop of most tutorials, on the report's networks.

A `DataLoader` over PIL images with `ToTensor`, batches of 64, float32, Adam as it comes but for the
rate. A GAN updates its discriminator, then its generator, with binary cross-entropy on real and
generated images apart (Radford et al. 2016); a VAE minimises the negative bound. `bench/steps.py`
times it beside the package's own steps, `bench/quality.py` says what it reaches.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import to_tensor

from latentwalk.data.mnist import Digits
from latentwalk.models import gan, vae
from latentwalk.models.gan import GanConfig
from latentwalk.models.vae import VaeConfig

BATCH_SIZE = 64
GAN_RATE, VAE_RATE = 2e-4, 1e-3
Step = Callable[[Tensor, Tensor], None]


class Pictures(Dataset[tuple[Tensor, int]]):
    """MNIST as torchvision's dataset hands it out: a picture, converted when it is asked for."""

    def __init__(self, digits: Digits) -> None:
        self.images = digits.images.cpu().squeeze(1).numpy()
        self.labels = digits.labels.tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return to_tensor(Image.fromarray(self.images[index])), self.labels[index]


@dataclass(frozen=True)
class Loop:
    """A training that has begun."""

    network: nn.Module
    """The generator or the VAE, as far as it has learned."""
    take: Callable[[int], None]
    """Takes so many steps of 64 images."""


def begin(config: Any, digits: Digits) -> Loop:
    """Begin a training.

    Raises:
        ValueError: fewer digits than one batch.
    """
    if len(digits) < BATCH_SIZE:
        raise ValueError(f"{len(digits)} digits, expected at least {BATCH_SIZE}")
    device = digits.images.device
    build = gan_step if isinstance(config, GanConfig) else vae_step
    network, step = build(config, device)
    loader = DataLoader(Pictures(digits), BATCH_SIZE, shuffle=True, drop_last=True)
    batches = _endless(loader)

    def take(steps: int) -> None:
        for images, labels in islice(batches, steps):
            step(images.to(device), labels.to(device))
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return Loop(network, take)


def gan_step(config: GanConfig, device: torch.device) -> tuple[nn.Module, Step]:
    """Build a GAN, conditional if the configuration says so; give generator and training step."""
    generator = gan.Generator(config).to(device)
    discriminator = gan.Discriminator(config).to(device)
    of_generator = torch.optim.Adam(generator.parameters(), GAN_RATE, betas=(0.5, 0.999))
    of_discriminator = torch.optim.Adam(discriminator.parameters(), GAN_RATE, betas=(0.5, 0.999))
    rng = torch.Generator(device).manual_seed(0)

    def score(images: Tensor, labels: Tensor, real: bool) -> Tensor:
        scores, _ = discriminator(images, labels)
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, float(real)))

    def step(images: Tensor, labels: Tensor) -> None:
        drawn = gan.draw_inputs(config, len(images), rng, labels if config.num_classes else None)
        fake = generator(drawn)
        loss = score(images, labels, real=True) + score(fake.detach(), labels, real=False)
        of_discriminator.zero_grad()
        loss.backward()
        of_discriminator.step()
        of_generator.zero_grad()
        score(fake, labels, real=True).backward()
        of_generator.step()

    return generator, step


def vae_step(config: VaeConfig, device: torch.device) -> tuple[nn.Module, Step]:
    """Build a VAE; give it and its training step."""
    network = vae.Vae(config).to(device)
    optimizer = torch.optim.Adam(network.parameters(), VAE_RATE)

    def step(images: Tensor, labels: Tensor) -> None:
        binary_images = torch.bernoulli(images)
        epsilon = torch.randn(len(images), config.latent_size, device=device)
        reconstruction, divergence = vae.elbo_parts(network, binary_images, epsilon)
        optimizer.zero_grad()
        (divergence - reconstruction).mean().backward()
        optimizer.step()

    return network, step


def _endless(loader: DataLoader[tuple[Tensor, int]]) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from loader
