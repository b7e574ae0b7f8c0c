"""What the seven models of the report are, without PyTorch, so that commands answer at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from latentwalk.models.configuration import config_class

SEED = 2017
LATENT_SIZE = 16
"""d of the homework: the size of epsilon in Problem 2 and of z in Problem 3."""


@dataclass(frozen=True)
class Entry:
    """One model of the report."""

    purpose: str
    """Where the report uses the model, in a few words."""
    model: str
    """Module of `latentwalk.models` that defines it."""
    settings: Mapping[str, int] = field(default_factory=dict)
    """Fields of its configuration that differ from the module's defaults."""
    likelihood_samples: int = 500
    """Number of importance samples per image for measuring a VAE's likelihood."""
    replay_tolerance: float = 0.01
    """Tolerance of `replay.disagreement`. Between AVX-512 and AVX2 the difference was at most
    0.004, but 0.15 for the classifier, whose ReLUs and max-poolings can switch."""

    def config(self, **changes: Any) -> Any:
        """The configuration, defined without PyTorch, with some fields changed.

        Raises:
            ValueError: a field is out of range; the message starts with `Class.field`.
        """
        return config_class(self.model)(**{**self.settings, **changes})


_TENFOLD, _LABEL = {"latent_size": 10 * LATENT_SIZE}, {"num_classes": 10}
_D = {"latent_size": LATENT_SIZE}
ENTRIES = {
    "classifier": Entry("reads digits, to judge the images", "classifier", replay_tolerance=0.3),
    "gan": Entry("Problem 2, the GAN", "gan", _D),
    "vae": Entry("Problem 3, the variational autoencoder", "vae", _D),
    "cgan": Entry("Problem 4, the GAN that is told the digit", "gan", _TENFOLD | _LABEL),
    "gan_10d": Entry("Problem 4a alone, ten times the noise", "gan", _TENFOLD),
    "gan_onehot": Entry("Problem 4b alone, the digit added", "gan", _D | _LABEL),
    "vae_flow": Entry(
        "Problem 3a, the VAE with a learned prior",
        "vae",
        {"latent_size": 24, "flow_layers": 8},
        likelihood_samples=5000,
    ),
}
"""The models by name, in the order in which the report needs them."""
