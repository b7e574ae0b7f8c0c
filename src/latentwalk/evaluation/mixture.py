"""Prior fitted to a trained VAE: a mixture of Gaussians over the codes of real digits.

Draws from N(0, I) fall between the codes of real digits, where the decoder was never trained.
Draws from a distribution fitted to the codes do not. The decoder is unchanged.

Source: "ex-post density estimation", Ghosh et al. 2020, "From variational to deterministic
autoencoders", section 4; the algorithm is Dempster, Laird and Rubin 1977.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

SMALLEST_VARIANCE = 1e-3
"""Variance added to each component's covariance, so that none collapses onto a few codes."""


def fit_mixture(
    points: Tensor, components: int, rng: torch.Generator, iterations: int = 10
) -> MixtureSameFamily:
    """Fit a mixture of Gaussians with full covariances by expectation-maximisation.

    Args:
        points: (N, Z), such as the posterior means of the training digits.
        components: number of Gaussians; each needs some hundreds of points.
        rng: draws the indices of the points that serve as initial means. The draw does not depend
            on the points' values, so codes that differ only by rounding, as on another machine,
            give nearly the same mixture. A cluster without an initial mean may be fitted badly, so
            use many components.
        iterations: number of iterations. With 20 instead of 10, the log-likelihood of the report's
            codes is 0.12 nats per code higher, that of test digits' codes 0.07. But the images are
            no better, and the result is more sensitive to rounding.

    Returns:
        The mixture. Its `sample((count,))` uses PyTorch's global generator; see `draw_mixture`.

    Raises:
        ValueError: fewer points than components.
    """
    count = len(points)
    if not 1 <= components <= count:
        raise ValueError(f"got {components} components for {count} points, expected 1 to {count}")
    first = torch.randperm(count, generator=rng)[:components]
    owners = torch.cdist(points, points[first]).argmin(dim=1)
    shares = F.one_hot(owners, components).to(points.dtype)  # (N, K)
    for _ in range(iterations):
        weights, means, factors = _maximise(points, shares)
        shares = _log_joint(points, weights, means, factors).softmax(dim=1)
    weights, means, factors = _maximise(points, shares)
    gaussians = MultivariateNormal(means, scale_tril=factors)
    return MixtureSameFamily(Categorical(weights), gaussians)


def draw_mixture(mixture: MixtureSameFamily, count: int, rng: torch.Generator) -> Tensor:
    """Draw points (count, Z) from a mixture with a given random generator.

    Each point's component is chosen by the Gumbel-max trick, so that slightly different weights
    give nearly the same points.
    """
    gaussians, weights = mixture.component_distribution, mixture.mixture_distribution.probs
    assert isinstance(gaussians, MultivariateNormal)
    uniform = torch.rand(count, len(weights), generator=rng, device=rng.device)
    chosen = (weights.log() - (-uniform.log()).log().to(weights.device)).argmax(dim=1)
    means, factors = gaussians.loc[chosen], gaussians.scale_tril[chosen]
    noise = torch.randn(means.shape, generator=rng, device=rng.device).to(means.device)
    return means + (factors @ noise.unsqueeze(2)).squeeze(2)


def _maximise(points: Tensor, shares: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """M-step: weights (K,), means (K, Z) and Cholesky factors (K, Z, Z) from shares (N, K)."""
    size = points.shape[1]
    totals = shares.sum(dim=0) + 1e-6  # (K,), not 0 even for an empty component
    means = shares.T @ points / totals[:, None]
    squares = (points.unsqueeze(2) * points.unsqueeze(1)).flatten(1)  # (N, Z Z)
    moments = (shares.T @ squares / totals[:, None]).view(-1, size, size)
    covariances = moments - means.unsqueeze(2) * means.unsqueeze(1)
    covariances += SMALLEST_VARIANCE * torch.eye(size, device=points.device)
    return totals / totals.sum(), means, torch.linalg.cholesky(covariances)


def _log_joint(points: Tensor, weights: Tensor, means: Tensor, factors: Tensor) -> Tensor:
    """Log of weight times density, up to a constant, of each component at each point: (N, K)."""
    inverses = torch.linalg.inv(factors)  # small triangles: the residual is what matters
    logs = weights.log() - factors.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    columns = [
        log - 0.5 * (points @ inverse.T - inverse @ mean).square().sum(dim=1)
        for log, inverse, mean in zip(logs, inverses, means, strict=True)
    ]
    return torch.stack(columns, dim=1)
