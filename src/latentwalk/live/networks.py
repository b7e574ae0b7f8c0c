"""Write trained networks for the page: a list of steps, and the numbers that the steps use.

`networks.js` reads what is written here. It keeps images as rows of pixels, and the channels of a
pixel beside each other; kernels are written in the order in which it uses them.
"""

import base64
import gzip
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from latentwalk.models.classifier import Classifier
from latentwalk.models.layers import Decoder, ResidualBlock

AT_ONCE = 4
"""Number of output channels that the script computes together; kernels are filled up with zeros."""
MOST_EXACT = 10_000
"""Tensors with more numbers are written as float16, others as float32. Biases and scales are the
ones whose rounding shows most."""


class _Writer:
    """Collects steps and their numbers."""

    def __init__(self) -> None:
        self.steps: list[list[Any]] = []
        self.exact: list[np.ndarray] = []
        self.halves: list[np.ndarray] = []

    def step(self, name: str, *sizes: int) -> None:
        self.steps.append([name, *sizes])

    def kernel(self, weight: Tensor, bias: Tensor | None, norm: nn.Module | None = None) -> None:
        """Write a convolution (O, C, K, K), with a batch norm behind it if there is one."""
        bias = torch.zeros(len(weight)) if bias is None else bias
        if norm is not None:
            scale, shift = _affine(norm)
            weight, bias = weight * scale.view(-1, 1, 1, 1), bias * scale + shift
        outputs, inputs, side, _ = weight.shape
        missing = -outputs % AT_ONCE
        filled = torch.cat([weight, weight.new_zeros(missing, inputs, side, side)])
        blocks = filled.unflatten(0, (-1, AT_ONCE)).permute(0, 3, 4, 2, 1)  # (O / 4, K, K, C, 4)
        values = blocks.flatten().numpy()
        half = len(values) > MOST_EXACT
        self.step("convolve", side, inputs, outputs, int(half))
        (self.halves if half else self.exact).append(values)
        self.exact.append(torch.cat([bias, bias.new_zeros(missing)]).numpy())

    def scale(self, norm: nn.Module) -> None:
        scale, shift = _affine(norm)
        self.step("scale", len(scale))
        self.exact += [scale.numpy(), shift.numpy()]

    def residual(self, block: ResidualBlock) -> None:
        self.step("keep")
        self.scale(block.norm1)
        self.step("silu")
        self.kernel(block.conv1.weight, block.conv1.bias, block.norm2)
        self.step("silu")
        self.kernel(block.conv2.weight, block.conv2.bias)
        self.step("add")

    def finished(self) -> dict[str, Any]:
        exact = np.concatenate(self.exact).astype("<f4").tobytes()
        halves = np.concatenate([*self.halves, np.zeros(0)]).astype("<f2")
        # the first and the second bytes apart: in this order they compress better
        planes = halves.view(np.uint8).reshape(-1, 2).T.tobytes()
        packed = base64.b64encode(gzip.compress(exact + planes, mtime=0)).decode()
        return {"steps": self.steps, "exact": len(exact) // 4, "numbers": packed}


def _affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Scale and shift of a batch norm in evaluation mode, (C,) each."""
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d), "every block here is normalised"
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return scale, norm.bias - norm.running_mean * scale


@torch.inference_mode()
def decoder(network: Decoder) -> dict[str, Any]:
    """Write the network that maps latent vectors (Z,) to images (28 * 28,) in [0, 1].

    Returns:
        `steps`, each a name and its sizes; `exact`, the number of float32 values; `numbers`, all
        values: gzip, in base64.
    """
    write = _Writer()
    write.kernel(network.entry.weight[:, :, None, None], network.entry.bias)
    write.step("reshape", 7)
    for block in network.coarse:
        assert isinstance(block, ResidualBlock)
        write.residual(block)
    _kernel_and_shuffle(write, network.enlarge)
    for block in network.fine:
        assert isinstance(block, ResidualBlock)
        write.residual(block)
    write.scale(network.norm)
    write.step("silu")
    _kernel_and_shuffle(write, network.exit)
    write.step("sigmoid")
    return write.finished()


def _kernel_and_shuffle(write: _Writer, layers: nn.Sequential) -> None:
    convolution = layers[0]
    assert isinstance(convolution, nn.Conv2d)
    write.kernel(convolution.weight, convolution.bias)
    write.step("shuffle")


@torch.inference_mode()
def classifier(network: Classifier) -> dict[str, Any]:
    """Write the classifier: images (28 * 28,) in [0, 1] to probabilities (10,); see `decoder`."""
    write = _Writer()
    write.step("reshape", 28)
    layers = list(network.body)
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, nn.Conv2d):
            write.kernel(layer.weight, layer.bias, following)
        elif isinstance(layer, nn.ReLU):
            write.step("relu")
        elif isinstance(layer, nn.MaxPool2d):
            write.step("pool")
        elif isinstance(layer, nn.Linear):  # its inputs are (C, 3, 3), flattened
            weight = layer.weight.unflatten(1, (-1, 3, 3)).permute(0, 2, 3, 1).flatten(1)
            write.step("reshape", 1)
            write.kernel(weight[:, :, None, None], layer.bias, following)
    write.step("relu")
    write.kernel(network.head.weight[:, :, None, None], network.head.bias)
    write.step("softmax")
    return write.finished()
