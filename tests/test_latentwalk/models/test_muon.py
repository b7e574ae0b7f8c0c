"""Muon makes its steps orthogonal, and takes hidden kernels only."""

import pytest
import torch
from tiny import VAE
from torch import nn

from latentwalk.models.muon import Muon, hidden_kernels, orthogonal
from latentwalk.models.vae import Vae


@pytest.mark.parametrize("shape", [(64, 576), (576, 64), (128, 16), (8, 9)])
def test_singular_values_come_near_to_one_and_the_directions_stay(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    (found,) = orthogonal([matrix])
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    assert found.shape == matrix.shape
    in_its_own_basis = left.T @ found @ right.T  # diagonal when the directions are the same
    diagonal = in_its_own_basis.diagonal()
    torch.testing.assert_close(in_its_own_basis, torch.diag(diagonal), atol=1e-3, rtol=0)
    kept = diagonal[values > 0.05 * values.norm()]  # smaller ones need more iterations
    assert len(kept) > 0
    assert 0.6 < kept.min() <= kept.max() < 1.3


def test_scale_of_the_gradient_does_not_matter():
    matrix = torch.randn(5, 7, generator=torch.Generator().manual_seed(2))
    large, zero, found = orthogonal([1000 * matrix, torch.zeros(5, 7), matrix])
    torch.testing.assert_close(large, found)
    assert torch.equal(zero, torch.zeros(5, 7))


def test_matrices_of_any_sizes_do_not_see_one_another():
    draws = torch.Generator().manual_seed(6)
    shapes = [(5, 7), (9, 5), (7, 7), (4, 30), (5, 7)]
    matrices = [torch.randn(shape, generator=draws) for shape in shapes]
    for matrix, found in zip(matrices, orthogonal(matrices), strict=True):
        torch.testing.assert_close(found, orthogonal([matrix])[0])


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_step_of_a_convolution_is_the_step_of_its_matrix(layout):
    draws = torch.Generator().manual_seed(3)
    start, gradients = torch.randn(6, 4, 3, 3, generator=draws), torch.randn(2, 6, 36)
    kernel = nn.Parameter(start.clone().contiguous(memory_format=layout))
    matrix = nn.Parameter(start.flatten(1).clone())
    optimizers = [Muon([weight], 0.1, 0.9) for weight in (kernel, matrix)]
    for gradient in gradients:
        kernel.grad = gradient.view(6, 4, 3, 3).contiguous(memory_format=layout)
        matrix.grad = gradient
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(kernel.flatten(1), matrix)
    assert not torch.equal(matrix, start.flatten(1))


def test_agrees_with_pytorchs_own_up_to_its_bfloat16():
    draws = torch.Generator().manual_seed(4)
    start, gradients = torch.randn(16, 40, generator=draws), torch.randn(3, 16, 40, generator=draws)
    ours, theirs = (nn.Parameter(start.clone()) for _ in range(2))
    optimizers = [
        Muon([ours], 0.05, 0.9),
        torch.optim.Muon(
            [theirs], 0.05, weight_decay=0, momentum=0.9, adjust_lr_fn="match_rms_adamw"
        ),
    ]
    for gradient in gradients:
        ours.grad = theirs.grad = gradient
        for optimizer in optimizers:
            optimizer.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.03 * moved


def test_autocast_does_not_take_its_digits():
    draws = torch.Generator().manual_seed(7)
    gradient = torch.randn(64, 576, generator=draws) @ torch.diag(torch.linspace(0, 1, 576) ** 4)
    weights = [nn.Parameter(torch.zeros(64, 576)) for _ in range(2)]
    for weight, enabled in zip(weights, (False, True), strict=True):
        weight.grad = gradient
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            Muon([weight], 0.1).step()
    assert torch.equal(*weights)


def test_step_is_of_adams_size():
    weight = nn.Parameter(torch.zeros(32, 200))
    weight.grad = torch.randn(32, 200, generator=torch.Generator().manual_seed(5))
    Muon([weight], learning_rate=0.01).step()
    assert weight.square().mean().sqrt().item() == pytest.approx(0.2 * 0.01, rel=0.2)


def test_hidden_kernels_are_matrices_between_the_ends():
    network = Vae(VAE)
    kernels, others = hidden_kernels(network, ("encoder.entry", "posterior", "decoder.exit"))
    names = {id(weight): name for name, weight in network.named_parameters()}
    assert {id(w) for w in kernels} | {id(w) for w in others} == set(names)
    assert not {id(w) for w in kernels} & {id(w) for w in others}
    assert all(weight.dim() > 1 for weight in kernels)
    matrices_left = {names[id(w)] for w in others if w.dim() > 1}
    assert matrices_left == {"encoder.entry.1.weight", "posterior.weight", "decoder.exit.0.weight"}
