"""The mixture of Gaussians finds what made its points."""

import pytest
import torch

from latentwalk.evaluation.mixture import SMALLEST_VARIANCE, draw_mixture, fit_mixture


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def three_clouds(count=3000):
    """A tenth, three tenths and six tenths of the points, round, long and turned."""
    noise = torch.randn(count, 2, generator=rng(1))
    which = torch.multinomial(torch.tensor([0.1, 0.3, 0.6]), count, True, generator=rng(2))
    means = torch.tensor([[0.0, 9.0], [9.0, 0.0], [-9.0, 0.0]])
    factors = torch.tensor([[[1.0, 0], [0, 1]], [[0.2, 0], [0, 2]], [[1, 0], [0.8, 0.3]]])
    return means[which] + (factors[which] @ noise.unsqueeze(2)).squeeze(2), means, factors


def test_clouds_are_found_with_their_shares_and_shapes():
    points, means, factors = three_clouds()
    mixture = fit_mixture(points, 3, rng(0))  # one of the first means in each
    gaussians = mixture.component_distribution
    order = torch.cdist(means, gaussians.loc).argmin(dim=1)
    assert sorted(order.tolist()) == [0, 1, 2]
    shares = mixture.mixture_distribution.probs[order]
    torch.testing.assert_close(shares, torch.tensor([0.1, 0.3, 0.6]), atol=0.02, rtol=0)
    torch.testing.assert_close(gaussians.loc[order], means, atol=0.2, rtol=0)
    expected = factors @ factors.mT + SMALLEST_VARIANCE * torch.eye(2)
    torch.testing.assert_close(gaussians.covariance_matrix[order], expected, atol=0.3, rtol=0.1)


def test_one_component_is_the_sample_mean_and_covariance():
    points = (
        torch.randn(500, 3, generator=rng(4))
        @ torch.tensor([[1.0, 0.5, 0], [0, 2.0, 0], [0, 0, 0.1]])
        + 5
    )
    gaussian = fit_mixture(points, 1, rng()).component_distribution
    torch.testing.assert_close(gaussian.loc[0], points.mean(dim=0), atol=1e-4, rtol=0)
    expected = points.T.cov(correction=0) + SMALLEST_VARIANCE * torch.eye(3)
    torch.testing.assert_close(gaussian.covariance_matrix[0], expected, atol=1e-3, rtol=1e-3)


def test_each_iteration_makes_the_points_likelier():
    points, *_ = three_clouds(600)
    found = [
        fit_mixture(points, 7, rng(5), iterations).log_prob(points).mean().item()
        for iterations in (0, 1, 2, 4, 8, 16)
    ]
    assert found == sorted(found)
    assert found[-1] - found[0] > 0.01


def test_draws_are_the_mixture_s():
    points, *_ = three_clouds()
    mixture = fit_mixture(points, 3, rng(3))
    drawn = draw_mixture(mixture, 4000, rng(6))
    assert torch.equal(drawn, draw_mixture(mixture, 4000, rng(6)))
    torch.testing.assert_close(drawn.mean(dim=0), points.mean(dim=0), atol=0.4, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), points.T.cov(), atol=2.0, rtol=0.05)
    gap = mixture.log_prob(drawn).mean() - mixture.log_prob(points).mean()
    assert abs(gap.item()) < 0.1


def test_points_that_coincide_do_not_break_it():
    points = torch.zeros(50, 2)
    mixture = fit_mixture(points, 4, rng())
    assert torch.isfinite(mixture.log_prob(points)).all()


@pytest.mark.parametrize("components", [0, 11])
def test_too_many_components_are_refused(components):
    with pytest.raises(ValueError, match=f"{components} components for 10 points"):
        fit_mixture(torch.zeros(10, 2), components, rng())


def test_points_that_differ_in_rounding_give_nearly_the_same_draws():
    points, *_ = three_clouds()
    near = points * (1 + 1e-4 * torch.randn(points.shape, generator=rng(7)))
    one, other = (
        draw_mixture(fit_mixture(some, 5, rng(3)), 2000, rng(6)) for some in (points, near)
    )
    apart = (one - other).norm(dim=1)
    assert (apart > 0.1).double().mean() < 0.02  # another component
    assert apart.median() < 0.01
