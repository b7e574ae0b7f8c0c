"""A prior that is learned: an invertible map between codes and standard normal noise.

A VAE whose codes have this prior is also one whose latent vector is the noise, with prior N(0, I):
its decoder begins with `noise_to_code`, its encoder ends with the inverse, and so its q of the
noise is in general no Gaussian. Both have the same bound. (Chen et al. 2017, "Variational lossy
autoencoder", section 3.2, say so of autoregressive maps.)

Source: affine coupling layers, Dinh et al. 2017, "Density estimation using Real NVP", section 3.
"""

import torch
from torch import Tensor, nn

from latentwalk.shapes import check_shape

WIDTH = 64
"""Units of the hidden layers of each coupling."""
LARGEST_LOG_SCALE = 2.0
"""Of each entry in one coupling, either way; unbounded scales can run away while
nothing holds them yet."""


class Coupling(nn.Module):
    """Shift and scale the second half of a vector, each entry by functions of the first half."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.sizes = (size // 2, size - size // 2)
        exit_layer = nn.Linear(WIDTH, 2 * self.sizes[1])
        nn.init.zeros_(exit_layer.weight)  # each coupling starts as the identity
        nn.init.zeros_(exit_layer.bias)
        self.terms = nn.Sequential(
            nn.Linear(self.sizes[0], WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(),
            exit_layer,
        )  # fmt: skip

    def forward(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, Z) to (B, Z), with the logarithm of the factor by which volumes grow, (B,)."""
        kept, moved = code.split(self.sizes, dim=1)
        shift, log_scale = self._terms(kept)
        return torch.cat([kept, (moved + shift) * log_scale.exp()], dim=1), log_scale.sum(dim=1)

    def inverse(self, noise: Tensor) -> Tensor:
        """Undo `forward`: (B, Z) to (B, Z)."""
        kept, moved = noise.split(self.sizes, dim=1)
        shift, log_scale = self._terms(kept)
        return torch.cat([kept, moved * (-log_scale).exp() - shift], dim=1)

    def _terms(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        shift, raw = self.terms(kept).chunk(2, dim=1)
        return shift, LARGEST_LOG_SCALE * torch.tanh(raw / LARGEST_LOG_SCALE)


class Flow(nn.Module):
    """Couplings, between which the order of the entries is turned round.

    Autocast is off inside: what it maps there and back must come back.

    Args:
        size: entries of a code, at least 2.
        layers: couplings.
    """

    def __init__(self, size: int, layers: int) -> None:
        super().__init__()
        self.size = size
        self.couplings = nn.ModuleList(Coupling(size) for _ in range(layers))

    def forward(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Map codes (B, Z) to noise (B, Z), with the logarithm of the volumes' growth, (B,)."""
        check_shape("codes", code, (None, self.size))
        growth = torch.zeros_like(code[:, 0])
        with torch.autocast(code.device.type, enabled=False):
            for coupling in self.couplings:
                code, more = coupling(code)
                code, growth = code.flip(1), growth + more
        return code, growth

    def noise_to_code(self, noise: Tensor) -> Tensor:
        """Undo `forward`: noise (B, Z) to codes (B, Z)."""
        check_shape("noise", noise, (None, self.size))
        with torch.autocast(noise.device.type, enabled=False):
            for coupling in reversed(self.couplings):
                assert isinstance(coupling, Coupling)
                noise = coupling.inverse(noise.flip(1))
        return noise
