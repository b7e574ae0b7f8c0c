"""Learned prior of a VAE: an invertible map between codes and standard normal noise.

A VAE whose codes have this prior can also be read as one whose latent vector is the noise, with
prior N(0, I). Its decoder then begins with `noise_to_code` and its encoder ends with the inverse
map, so its q for the noise is in general not Gaussian. Both readings have the same bound. (Chen et
al. 2017, "Variational lossy autoencoder", section 3.2, show this for autoregressive maps.)

Source: affine coupling layers, Dinh et al. 2017, "Density estimation using Real NVP", section 3.
"""

import torch
from torch import Tensor, nn

from latentwalk.data.shapes import check_shape

WIDTH = 64
"""Number of units in each hidden layer of a coupling."""
LARGEST_LOG_SCALE = 2.0
"""Bound on the absolute log-scale of each dimension in one coupling. Unbounded scales can diverge
early in training."""


class Coupling(nn.Module):
    """Affine coupling: shift and scale the second half of a vector, depending on the first half."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.sizes = (size // 2, size - size // 2)
        exit_layer = nn.Linear(WIDTH, 2 * self.sizes[1])
        nn.init.zeros_(exit_layer.weight)  # each coupling starts as the identity
        nn.init.zeros_(exit_layer.bias)
        self.terms = nn.Sequential(
            nn.Linear(self.sizes[0], WIDTH),
            nn.SiLU(),
            nn.Linear(WIDTH, WIDTH),
            nn.SiLU(),
            exit_layer,
        )

    def forward(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, Z) to (B, Z); also return the log-determinant of the Jacobian, (B,)."""
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
    """Stack of couplings; the order of the dimensions is reversed after each one.

    Autocast is off inside, because in bfloat16 the inverse would not recover the input.

    Args:
        size: number of dimensions of a code, at least 2.
        layers: number of couplings.
    """

    def __init__(self, size: int, layers: int) -> None:
        super().__init__()
        self.size = size
        self.couplings = nn.ModuleList(Coupling(size) for _ in range(layers))

    def forward(self, code: Tensor) -> tuple[Tensor, Tensor]:
        """Map codes (B, Z) to noise (B, Z); also return the log-determinant, (B,)."""
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
