"""The GAN has no encoder: inputs for given images are searched for, by their gradient.

They let the GAN walk between the same test images as the VAE, a control of 3e. An image that the
generator cannot make gets the nearest that it can, so the error belongs beside every use.
"""

import torch
from torch import Tensor

from latentwalk.evaluation.neighbours import nearest
from latentwalk.experiments.judged import check_ready, in_chunks
from latentwalk.models.gan import Generator, draw_inputs
from latentwalk.shapes import IMAGE_SHAPE, check_shape

CANDIDATES = 2000
"""Random inputs, the best of which the search starts from."""
PIXEL_DEVIATION = 0.2
"""Standard deviation of a pixel's error that the input's own likelihood is weighed against."""


def invert(
    generator: Generator,
    images: Tensor,
    rng: torch.Generator,
    iterations: int = 200,
    learning_rate: float = 0.1,
) -> Tensor:
    """Find inputs whose images are near to given ones.

    Minimises ||G(e) - x||^2 / (2 s^2) + ||e||^2 / 2 by Adam, from the best of many random inputs:
    the most likely input if pixels had normal errors of deviation s.

    Args:
        generator: trained, unconditional.
        images: (B, 1, 28, 28) in [0, 1].
        rng: draws the candidates.
        iterations: steps of Adam, on all images at once.
        learning_rate: of Adam, falling to 0 along half a cosine.

    Returns:
        Inputs (B, latent_size).

    Raises:
        ValueError: a network in training mode, or another shape.

    Source: Zhu et al. 2016, "Generative visual manipulation on the natural image manifold", eq. 3.
    """
    check_ready(generator=generator)
    check_shape("images", images, (None, *IMAGE_SHAPE))
    inputs = _nearest_candidates(generator, images, rng).requires_grad_()
    optimizer = torch.optim.Adam([inputs], learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    for _ in range(iterations):
        errors = (generator(inputs) - images).square().sum()
        loss = errors / (2 * PIXEL_DEVIATION**2) + inputs.square().sum() / 2
        (inputs.grad,) = torch.autograd.grad(loss, [inputs])
        optimizer.step()
        schedule.step()
    return inputs.detach()


def _nearest_candidates(generator: Generator, images: Tensor, rng: torch.Generator) -> Tensor:
    """Give each image the random input whose image is nearest to it in pixels."""
    candidates = draw_inputs(generator.config, CANDIDATES, rng).to(images.device)
    made = in_chunks(generator.forward, candidates)
    return candidates[nearest(images.flatten(1), made.flatten(1)).indices]
