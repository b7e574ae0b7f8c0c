"""GAN inversion: gradient search for the inputs that generate given images.

The GAN has no encoder. With inverted inputs it can walk between the same test images as the VAE,
a control experiment for 3e. For an image that the generator cannot make, the search finds the
nearest one that it can. So report the error with every use.
"""

import torch
from torch import Tensor

from latentwalk.data.shapes import IMAGE_SHAPE, check_shape
from latentwalk.evaluation.neighbours import nearest
from latentwalk.evaluation.readings import check_ready, in_chunks
from latentwalk.models.gan import Generator, draw_inputs

CANDIDATES = 2000
"""Number of random inputs; the search starts from the best of them."""
PIXEL_DEVIATION = 0.2
"""Assumed standard deviation of a pixel's error, which weighs the error against the prior."""


def invert(
    generator: Generator,
    images: Tensor,
    rng: torch.Generator,
    iterations: int = 200,
    learning_rate: float = 0.1,
) -> Tensor:
    """Find inputs whose images are close to given ones.

    Minimises ||G(e) - x||^2 / (2 s^2) + ||e||^2 / 2 with Adam, starting from the best of many
    random inputs. The minimum is the most likely input if pixels have normal errors of standard
    deviation s.

    Args:
        generator: trained, unconditional.
        images: (B, 1, 28, 28) in [0, 1].
        rng: draws the random starting inputs.
        iterations: number of Adam steps, on all images at once.
        learning_rate: Adam's initial learning rate, which decays to 0 along half a cosine.

    Returns:
        Inputs (B, latent_size).

    Raises:
        ValueError: a network in training mode, or images of another shape.

    Source: Zhu et al. 2016, "Generative visual manipulation on the natural image manifold", eq. 3.
    """
    check_ready(generator=generator)
    check_shape("images", images, (None, *IMAGE_SHAPE))
    inputs = _nearest_candidates(generator, images, rng).requires_grad_()
    optimizer = torch.optim.Adam([inputs], learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    for _ in range(iterations):
        # summed over the images, so that each search is independent of the others
        errors = (generator(inputs) - images).square().sum()
        loss = errors / (2 * PIXEL_DEVIATION**2) + inputs.square().sum() / 2
        # unlike `backward`, this computes no gradients for the generator
        (inputs.grad,) = torch.autograd.grad(loss, [inputs])
        optimizer.step()
        schedule.step()
    return inputs.detach()


def _nearest_candidates(generator: Generator, images: Tensor, rng: torch.Generator) -> Tensor:
    """For each image, pick the random input whose generated image is nearest in pixels."""
    candidates = draw_inputs(generator.config, CANDIDATES, rng).to(images.device)
    made = in_chunks(generator.forward, candidates)
    return candidates[nearest(images.flatten(1), made.flatten(1)).indices]
