"""Log-likelihood of held-out images under a latent-variable model, by importance sampling."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from latentwalk.data.shapes import IMAGE_SHAPE, check_range, check_shape
from latentwalk.models.vae import Posterior, Vae, log_joint


@dataclass(frozen=True)
class LogLikelihood:
    """Lower bounds on log p(x), in nats per image."""

    per_image_nats: Tensor
    """(N,) float64: importance-sampled bound of each image."""
    elbo_per_image_nats: Tensor
    """(N,) float64: evidence lower bound from the same samples, never above the former."""
    mean_nats: float
    standard_error_nats: float
    """Standard error of the mean over images, including the noise of the importance samples."""
    num_samples: int
    """Number of importance samples per image. More make the bound tighter, so always report it."""


def binarise(images: Tensor, rng: torch.Generator) -> Tensor:
    """Draw black-and-white images: each pixel's grey value is its probability of being ink.

    Args:
        images: (B, 1, 28, 28) in [0, 1].
        rng: source of the draw ("dynamic" binarisation: each draw is different).

    Returns:
        (B, 1, 28, 28) float32, each value 0 or 1.
    """
    check_shape("images", images, (None, *IMAGE_SHAPE))
    check_range("images", images, 0, 1)
    thresholds = torch.rand(images.shape, generator=rng, device=rng.device)  # in [0, 1)
    return (thresholds.to(images.device) < images).float()


def importance_sampled_log_likelihood(
    encode: Callable[[Tensor], Posterior],
    log_joint: Callable[[Tensor, Tensor], Tensor],
    images: Tensor,
    num_samples: int,
    rng: torch.Generator,
    images_per_batch: int = 10,
    samples_per_batch: int = 20,
) -> LogLikelihood:
    r"""Bound log p(x) from below by $\log \frac1K \sum_k p(x, z_k) / q(z_k|x)$, $z_k \sim q(z|x)$.

    Computed in float32 even if autocast is on outside. Each image is encoded once. The same rng
    gives the same result only with the same two batch sizes.

    Args:
        encode: maps images (B, ...) to q(z|x).
        log_joint: maps z (B, Z) and images (B, ...) to log p(x, z) in nats, (B,).
        images: (N, ...) values that the model describes: binary images for a Bernoulli model.
        num_samples: number K of importance samples per image.
        rng: source of z.
        images_per_batch: number of images decoded together.
        samples_per_batch: number of samples per image decoded together. Its product with
            `images_per_batch` is the batch size that `log_joint` gets, and so sets the memory. On a
            CPU, batches of 200, which fit into its caches, took half the time of batches of 1,000.

    Raises:
        ValueError: no images, no samples, or an empty batch.

    Source: Burda et al. 2016, "Importance weighted autoencoders", eq. 8.
    """
    if min(len(images), num_samples, images_per_batch, samples_per_batch) < 1:
        raise ValueError(
            f"got {len(images)} images and {num_samples} samples in batches of {images_per_batch} "
            f"by {samples_per_batch}, expected at least 1 of each"
        )
    bounds = []
    with torch.inference_mode(), torch.autocast(images.device.type, enabled=False):
        for chunk in images.split(images_per_batch):
            posterior = encode(chunk)
            bounds.append(
                _chunk_bounds(posterior, log_joint, chunk, num_samples, rng, samples_per_batch)
            )
    bound, elbo = torch.cat(bounds, dim=1).cpu().unbind()
    error = float(bound.std()) / math.sqrt(len(bound)) if len(bound) > 1 else math.nan
    return LogLikelihood(bound, elbo, float(bound.mean()), error, num_samples)


def vae_log_likelihood(
    vae: Vae,
    binary_images: Tensor,
    num_samples: int,
    rng: torch.Generator,
    images_per_batch: int = 10,
    samples_per_batch: int = 20,
) -> LogLikelihood:
    """Bound log p(x) of binary images under a VAE with Bernoulli pixels, whatever its prior.

    Args:
        vae: the trained model, in evaluation mode.
        binary_images: (N, 1, 28, 28), each pixel 0 or 1: see `binarise`. Grey pixels have no
            likelihood under this model; their cross-entropy is a different quantity.
        num_samples: number of importance samples per image.
        rng: source of z.
        images_per_batch: number of images decoded together.
        samples_per_batch: number of samples per image decoded together.

    Returns:
        Bounds in nats; the usual "negative log-likelihood" is minus `mean_nats`.

    Raises:
        ValueError: grey pixels, a model in training mode, or empty sizes.
    """
    check_shape("binary_images", binary_images, (None, *IMAGE_SHAPE))
    if not bool(((binary_images == 0) | (binary_images == 1)).all()):
        raise ValueError("binary_images has grey pixels, expected only 0 and 1: binarise them")
    if vae.training:
        raise ValueError("the VAE is in training mode, expected evaluation mode: call vae.eval()")

    return importance_sampled_log_likelihood(
        vae.encode,
        functools.partial(log_joint, vae),
        binary_images,
        num_samples,
        rng,
        images_per_batch,
        samples_per_batch,
    )


def _chunk_bounds(
    posterior: Posterior,
    log_joint: Callable[[Tensor, Tensor], Tensor],
    images: Tensor,
    num_samples: int,
    rng: torch.Generator,
    samples_per_batch: int,
) -> Tensor:
    """Compute both bounds for a few images, over batches of samples: (2, B) float64."""
    count_images, size = posterior.mu.shape
    # float64, because thousands of terms are added up
    log_sum = torch.full((count_images,), -math.inf, dtype=torch.float64, device=images.device)
    total = torch.zeros_like(log_sum)
    for first in range(0, num_samples, samples_per_batch):
        count = min(samples_per_batch, num_samples - first)
        shape = (count, count_images, size)
        epsilon = torch.randn(shape, generator=rng, device=rng.device).to(images.device)
        z = posterior.draw(epsilon)
        joint = log_joint(z.flatten(0, 1), images.repeat(count, *[1] * (images.dim() - 1)))
        log_weights = joint.view(count, -1).double() - posterior.log_density(epsilon).double()
        log_sum = torch.logaddexp(log_sum, log_weights.logsumexp(dim=0))
        total += log_weights.sum(dim=0)
    return torch.stack([log_sum - math.log(num_samples), total / num_samples])
