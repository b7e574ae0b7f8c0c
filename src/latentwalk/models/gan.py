r"""Generative adversarial network, unconditional or conditional depending on its configuration.

The starting point is the adversarial game of Goodfellow et al. 2014 with convolutional
networks as in DCGAN (Radford et al. 2016). The differences from those, with their sources:

* the loss compares each real image with a generated one (relativistic pairing,
  Jolicoeur-Martineau 2019);
* the discriminator's gradient is penalised on real and on generated images (R1 and R2,
  Mescheder et al. 2018; both combined with the pairing loss as in R3GAN, Huang et al. 2024);
* the label enters the generator concatenated with the noise (Mirza and Osindero 2014) and the
  discriminator as a projection (Miyato and Koyama 2018), which also learns to classify the digits
  of real images (half of the auxiliary classifier of Odena et al. 2017);
* samples come from the moving average of the generator's weights (Yazici et al. 2019).
"""

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from latentwalk.data.mnist import Batch
from latentwalk.data.shapes import NUM_CLASSES, check_shape
from latentwalk.models.configuration import check_positive
from latentwalk.models.layers import Decoder, Encoder
from latentwalk.models.optim import (
    TrainState,
    exponential_moving_average,
    warm_up_cosine,
)
from latentwalk.models.samples import Samples, balanced_labels


@dataclass(frozen=True)
class GanConfig:
    """Architecture and training settings of a GAN; Problem 4 changes only the first two fields."""

    latent_size: int = 16
    """Size of the noise vector epsilon, drawn from a standard normal distribution."""
    num_classes: int = 0
    """Size of the one-hot label appended to epsilon: 0 (no label) or 10."""
    width: int = 32
    """Number of generator channels at 14 x 14; twice as many at 7 x 7."""
    discriminator_width: int = 32
    """Number of discriminator channels at 14 x 14; twice as many at 7 x 7."""
    blocks: int = 1
    """Number of residual blocks at each of the two resolutions."""
    steps: int = 16_000
    """Number of training steps; each updates both networks once."""
    batch_size: int = 32
    """Number of real images per step; the same number is generated."""
    learning_rate: float = 1e-3
    """Peak learning rate of Adam, for both networks."""
    beta1: float = 0.0
    """Decay rate of Adam's moving average of the gradient."""
    beta2: float = 0.99
    """Decay rate of Adam's moving average of the squared gradient."""
    penalty: float = 0.1
    """Weight gamma of (gamma / 2) E |grad D|^2, on real (R1) and on generated images (R2)."""
    penalty_interval: int = 8
    """Number of steps between gradient penalties; their weight is multiplied by this interval."""
    naming: float = 0.1
    """Weight of the cross-entropy for classifying real digits, in a conditional discriminator."""
    average_decay: float = 0.998
    """Decay per step of the moving average of the generator's weights."""

    def __post_init__(self) -> None:
        check_positive(self, zero_allowed=("num_classes", "beta1", "penalty", "naming"))
        if self.num_classes not in (0, NUM_CLASSES):
            raise ValueError(
                f"GanConfig.num_classes is {self.num_classes}, "
                f"expected 0 (no label) or {NUM_CLASSES} (MNIST's digits)"
            )
        for name in ("beta1", "beta2", "average_decay"):
            if getattr(self, name) >= 1:
                raise ValueError(f"GanConfig.{name} is {getattr(self, name)}, expected less than 1")

    @property
    def input_size(self) -> int:
        """Number of generator inputs: noise, then the one-hot label if there is one."""
        return self.latent_size + self.num_classes


class Generator(nn.Module):
    """Map noise, followed by a one-hot label when conditional, to images."""

    def __init__(self, config: GanConfig) -> None:
        super().__init__()
        self.config = config
        self.decoder = Decoder(config.input_size, config.width, config.blocks)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (B, latent_size + num_classes) to images (B, 1, 28, 28) in [0, 1]."""
        return torch.sigmoid(self.decoder(inputs))


class Discriminator(nn.Module):
    """Give each image one realness score, given its label when conditional."""

    def __init__(self, config: GanConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.discriminator_width, config.blocks)
        self.score = nn.Linear(self.encoder.output_size, 1)
        if config.num_classes:
            self.classes = nn.Linear(self.encoder.output_size, config.num_classes, bias=False)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Score images (B, 1, 28, 28) in [0, 1], given labels (B,) when conditional.

        Returns:
            Realness (B,), without unit: w h + v_y h + b for features h of the image.
            Class scores v h (B, 10), or None when unconditional.
        """
        features = self.encoder(images * 2 - 1)  # (B, F)
        realness = self.score(features).squeeze(1)  # (B,)
        if not self.config.num_classes:
            return realness, None
        assert labels is not None, "a conditional discriminator needs the labels"
        classes = self.classes(features)  # (B, K)
        return realness + classes.gather(1, labels.unsqueeze(1)).squeeze(1), classes


def draw_inputs(
    config: GanConfig, count: int, rng: torch.Generator, labels: Tensor | None = None
) -> Tensor:
    """Draw generator inputs: epsilon ~ N(0, I), then the one-hot label when conditional.

    Args:
        config: sets the sizes.
        count: number of inputs.
        rng: draws the noise; the result is on its device.
        labels: (count,) int64 in 0..9, for a conditional model only.

    Returns:
        Inputs (count, latent_size + num_classes).

    Raises:
        ValueError: labels given to an unconditional model, or missing for a conditional one.
    """
    epsilon = torch.randn(count, config.latent_size, generator=rng, device=rng.device)
    if (labels is None) != (config.num_classes == 0):
        got = "no labels" if labels is None else "labels"
        raise ValueError(f"got {got} for a model with num_classes={config.num_classes}")
    if labels is None:
        return epsilon
    check_shape("labels", labels, (count,))
    one_hot = F.one_hot(labels.to(rng.device), config.num_classes).float()
    return torch.cat([epsilon, one_hot], dim=1)  # (B, Z + K)


@torch.inference_mode()
def sample(
    generator: Generator, count: int, rng: torch.Generator, labels: Tensor | None = None
) -> Samples:
    """Generate images from fresh noise.

    Args:
        generator: a trained generator, in evaluation mode.
        count: number of images.
        rng: draws the noise, on the generator's device.
        labels: (count,) the digits to draw; balanced over 0..9 if omitted. Conditional only.

    Returns:
        The images, their inputs and, for a conditional model, their labels.
    """
    if generator.config.num_classes and labels is None:
        labels = balanced_labels(count)
    inputs = draw_inputs(generator.config, count, rng, labels)
    images = torch.cat([generator(part) for part in inputs.split(1000)])  # bounds the memory
    return Samples(images, inputs, labels)


def discriminator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    r"""E softplus(-(D(x) - D(G(e)))): real images should score above generated ones.

    Args:
        real_scores: (B,) scores of real images.
        fake_scores: (B,) scores of generated images, paired with the real ones by position.

    Returns:
        The mean over pairs, in nats.

    Source: Jolicoeur-Martineau 2019, eq. 3 with f = log sigmoid.
    """
    return F.softplus(fake_scores - real_scores).mean()


def generator_loss(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    r"""E softplus(-(D(G(e)) - D(x))): the discriminator's loss with the roles swapped, in nats.

    Its value is only logged. `update_discriminator` derives the gradient used in training by hand,
    so a change of this loss needs a change there.
    """
    return F.softplus(real_scores - fake_scores).mean()


@dataclass
class GanState(TrainState):
    """Mutable training state: networks, moving average, optimizers, step."""

    config: GanConfig
    generator: Generator
    discriminator: Discriminator
    average: AveragedModel
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    step: int = 0

    @property
    def released(self) -> Generator:
        """Network that is saved when training ends: the averaged generator."""
        return cast(Generator, self.average.module)


def init(config: GanConfig, device: torch.device) -> GanState:
    """Build an untrained GAN; PyTorch's global generator draws the weights."""
    generator = Generator(config).to(device).to(memory_format=torch.channels_last)
    discriminator = Discriminator(config).to(device).to(memory_format=torch.channels_last)
    average = exponential_moving_average(generator, config.average_decay)
    betas = (config.beta1, config.beta2)
    rate = config.learning_rate
    return GanState(
        config,
        generator,
        discriminator,
        average,
        torch.optim.Adam(generator.parameters(), rate, betas, fused=True),
        torch.optim.Adam(discriminator.parameters(), rate, betas, fused=True),
    )


def update_discriminator(
    state: GanState, batch: Batch, fake_images: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Minimise E softplus(D(G(e)) - D(x)) + gamma / 2 (R1 + R2); the generator is unchanged.

    R1 and R2 are E |grad D|^2 over real and over generated images. When conditional, the
    cross-entropy for classifying the real images' digits is added.

    One forward pass serves both networks. Let d = D(x) - D(G(e)). The derivative of this loss with
    respect to D(G(e)) is sigmoid(-d); that of the generator's loss is -sigmoid(d). So at each
    generated image the generator's gradient is -exp(d) times the discriminator's. This holds
    because nothing in the discriminator couples one image with another.

    Args:
        state: its discriminator is updated.
        batch: B real images with their labels.
        fake_images: (B, 1, 28, 28) in [0, 1], generated for the same labels.

    Returns:
        The gradient of the generator's loss at the generated images (B, 1, 28, 28), computed with
        the discriminator before this step, and the loss terms.

    Source: Mescheder et al. 2018, eq. 9 and 10, for the penalties.
    """
    config, count = state.config, len(batch.images)
    # detached: this loss must not reach the generator, whose gradient comes from `image_gradient`
    images = torch.cat([batch.images, fake_images.detach()]).requires_grad_()  # (2B, 1, 28, 28)
    labels = torch.cat([batch.labels, batch.labels]) if config.num_classes else None
    scores, classes = state.discriminator(images, labels)
    real_scores, fake_scores = scores.chunk(2)
    loss = discriminator_loss(real_scores, fake_scores)
    metrics = {"discriminator_nats": loss.detach()}
    metrics["generator_nats"] = generator_loss(real_scores, fake_scores).detach()
    if classes is not None:
        naming = F.cross_entropy(classes[:count], batch.labels)  # for real images only
        loss = loss + config.naming * naming
        metrics["naming_nats"] = naming.detach()
    relativistic_logits = (
        (real_scores - fake_scores).detach().view(-1, 1, 1, 1)
    )  # d above, (B, 1, 1, 1)
    state.discriminator_optimizer.zero_grad(set_to_none=True)
    if config.penalty > 0 and state.step % config.penalty_interval == 0:
        (gradients,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
        penalty = gradients.square().sum(dim=(1, 2, 3)).mean() * 2  # mean over 2B images: R1 + R2
        loss = loss + config.penalty_interval * config.penalty / 2 * penalty
        # only the parameters: the images' gradient would include that of the penalty
        loss.backward(inputs=list(state.discriminator.parameters()))
        image_gradient = -torch.sigmoid(relativistic_logits) * gradients.detach()[count:] / count
        metrics["slope_penalty"] = penalty.detach()
    else:
        loss.backward()
        assert images.grad is not None
        image_gradient = -torch.exp(relativistic_logits) * images.grad[count:]
    state.discriminator_optimizer.step()
    return image_gradient, metrics


def update_generator(state: GanState, fake_images: Tensor, image_gradient: Tensor) -> None:
    """Take one step on E softplus(D(x) - D(G(e))); the discriminator is unchanged.

    Args:
        state: its generator is updated, then the moving average of the generator's weights.
        fake_images: (B, 1, 28, 28) from the generator, with their autograd graph.
        image_gradient: (B, 1, 28, 28) gradient of that loss at the images.
    """
    state.generator_optimizer.zero_grad(set_to_none=True)
    fake_images.backward(image_gradient)
    state.generator_optimizer.step()
    state.average.update_parameters(state.generator)


def train_step(
    state: GanState, batch: Batch, rng: torch.Generator
) -> tuple[GanState, dict[str, Tensor]]:
    """Update the discriminator and then the generator, both on the same generated images."""
    config = state.config
    for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * warm_up_cosine(state.step, config.steps)
    labels = batch.labels if config.num_classes else None
    fake_images = state.generator(draw_inputs(config, len(batch.images), rng, labels))
    image_gradient, metrics = update_discriminator(state, batch, fake_images)
    update_generator(state, fake_images, image_gradient)
    state.step += 1
    return state, metrics
