"""A decoder made for likelihood alone: every layer of it sees the code, and all work at 7 x 7.

The GAN's generator, whose design the other VAE has as well, is worse for it (docs/experiments.md).

Source: self-modulation, Chen et al. 2019, with shifts and without scales.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from latentwalk.shapes import check_shape


class ShiftedNorm(nn.Module):
    """Batch norm, and then a shift of each channel by a linear map of the code."""

    def __init__(self, channels: int, code_size: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.shift = nn.Linear(code_size, channels, bias=False)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Map (B, C, H, W) and codes (B, code_size) to (B, C, H, W)."""
        return self.norm(x) + self.shift(code)[:, :, None, None]


class ShiftedBlock(nn.Module):
    """The residual block of `nets`, with shifts."""

    def __init__(self, channels: int, code_size: int) -> None:
        super().__init__()
        self.norm1 = ShiftedNorm(channels, code_size)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = ShiftedNorm(channels, code_size)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)  # each block starts as the identity

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Map (B, C, H, W) and codes (B, code_size) to (B, C, H, W)."""
        hidden = self.conv1(F.silu(self.norm1(x, code)))
        return x + self.conv2(F.silu(self.norm2(hidden, code)))


class ModulatedDecoder(nn.Module):
    """Latent vectors in, image logits out."""

    def __init__(self, input_size: int, width: int, code_size: int, blocks: int = 1) -> None:
        super().__init__()
        self.input_size, self.wide = input_size, 2 * width
        self.code = nn.Sequential(nn.Linear(input_size, code_size), nn.SiLU())
        self.entry = nn.Linear(code_size, self.wide * 49)
        self.coarse = nn.ModuleList(ShiftedBlock(self.wide, code_size) for _ in range(2 * blocks))
        self.enlarge = nn.Sequential(nn.Conv2d(self.wide, 4 * width, 1), nn.PixelShuffle(2))
        self.norm = ShiftedNorm(width, code_size)
        self.exit = nn.Sequential(nn.Conv2d(width, 4, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (B, input_size) to logits (B, 1, 28, 28)."""
        check_shape("decoder inputs", inputs, (None, self.input_size))
        code = self.code(inputs)
        x = self.entry(code).view(-1, 7, 7, self.wide).permute(0, 3, 1, 2)  # (B, 2W, 7, 7)
        for block in self.coarse:
            x = block(x, code)
        x = self.enlarge(x)  # (B, W, 14, 14)
        return self.exit(F.silu(self.norm(x, code)))  # (B, 1, 28, 28)
