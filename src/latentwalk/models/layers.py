"""Decoder and encoder architectures that the GAN and the VAE share, for a fair comparison.

All convolutions work at 7 x 7 and 14 x 14. The full 28 x 28 image is folded into four channels at
14 x 14, and unfolded from them (pixel shuffle). That makes the networks small enough to train on
two CPU cores, and avoids the checkerboard artifacts of strided transposed convolutions.

Source: residual blocks, He et al. 2016; pixel shuffle, Shi et al. 2016; SiLU, x sigmoid(x),
Elfwing et al. 2018.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentwalk.data.shapes import IMAGE_SHAPE, check_shape


class ResidualBlock(nn.Module):
    """x + conv(act(norm(conv(act(norm(x)))))); keeps the shape (B, C, H, W)."""

    def __init__(self, channels: int, *, normalise: bool) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels) if normalise else nn.Identity()
        # batch norm would subtract conv1's bias again
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=not normalise)
        self.norm2 = nn.BatchNorm2d(channels) if normalise else nn.Identity()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)  # each block starts as the identity

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H, W)."""
        hidden = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(hidden)))


class Decoder(nn.Module):
    """Map latent vectors to image logits."""

    def __init__(self, input_size: int, width: int, blocks: int = 1) -> None:
        super().__init__()
        self.input_size, self.wide = input_size, 2 * width
        self.entry = nn.Linear(input_size, self.wide * 49)
        self.coarse = nn.Sequential(
            *(ResidualBlock(self.wide, normalise=True) for _ in range(blocks))
        )
        self.enlarge = nn.Sequential(nn.Conv2d(self.wide, 4 * width, 1), nn.PixelShuffle(2))
        self.fine = nn.Sequential(*(ResidualBlock(width, normalise=True) for _ in range(blocks)))
        self.norm = nn.BatchNorm2d(width)
        self.exit = nn.Sequential(nn.Conv2d(width, 4, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (B, input_size) to logits (B, 1, 28, 28)."""
        check_shape("decoder inputs", inputs, (None, self.input_size))
        x = self.entry(inputs).view(-1, 7, 7, self.wide).permute(0, 3, 1, 2)  # (B, 2W, 7, 7)
        x = self.enlarge(self.coarse(x))  # (B, W, 14, 14)
        x = F.silu(self.norm(self.fine(x)))
        return self.exit(x)  # (B, 1, 28, 28)


class Encoder(nn.Module):
    """Map images to feature vectors; mirrors the decoder, by default without batch norm.

    A discriminator with batch norm would score an image depending on the other images in the
    batch, which breaks the gradient penalties.
    """

    def __init__(self, width: int, blocks: int = 1, *, normalise: bool = False) -> None:
        super().__init__()
        self.output_size = 2 * width * 49
        self.entry = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4, width, 3, padding=1))
        self.fine = nn.Sequential(
            *(ResidualBlock(width, normalise=normalise) for _ in range(blocks))
        )
        self.reduce = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * width, 2 * width, 1))
        self.coarse = nn.Sequential(
            *(ResidualBlock(2 * width, normalise=normalise) for _ in range(blocks))
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 1, 28, 28) to features (B, 98 width)."""
        check_shape("images", images, (None, *IMAGE_SHAPE))
        x = self.fine(self.entry(images.contiguous(memory_format=torch.channels_last)))
        x = F.silu(self.coarse(self.reduce(x)))
        return x.flatten(1)
