"""A GPU's arithmetic, played on a CPU: convolutions and matrix products of rounded numbers.

On a GPU PyTorch rounds what enters a float32 convolution to TensorFloat-32, which keeps 10 bits
after the leading one, unless it is told otherwise. bfloat16 keeps 7. Sums are float32, as there.
"""

import torch
import torch.nn.functional as F
from torch import nn

BITS = {"TensorFloat-32": 10, "bfloat16": 7}


def rounded(values, kept):
    """Round float32 to the nearest number of so many bits after the leading one, ties to even.

    Its gradient is 1, as on a GPU, where rounding is no step of the graph.
    """
    spare = 23 - kept
    bits = values.detach().view(torch.int32)
    up = (1 << spare - 1) - 1 + (bits >> spare & 1)
    return values + ((bits + up & -(1 << spare)).view(torch.float32) - values).detach()


def play(arithmetic, setattr=setattr):
    """Let all convolutional and linear layers compute so; what is trained is not rounded."""
    kept = BITS[arithmetic]
    convolve, multiply = nn.Conv2d._conv_forward, F.linear
    setattr(
        nn.Conv2d,
        "_conv_forward",
        lambda self, x, weight, bias: convolve(self, rounded(x, kept), rounded(weight, kept), bias),
    )
    setattr(
        nn.Linear,
        "forward",
        lambda self, x: multiply(rounded(x, kept), rounded(self.weight, kept), self.bias),
    )
