"""The classifier: a small convolutional digit classifier, trained on real digits only.

It labels generated digits, and its penultimate layer is the feature space of the
Frechet distances. It never sees a generated image during training.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentwalk.data.mnist import Batch
from latentwalk.data.shapes import IMAGE_SHAPE, NUM_CLASSES, check_shape
from latentwalk.models.configuration import check_positive
from latentwalk.models.optim import TrainState, warm_up_cosine


@dataclass(frozen=True)
class ClassifierConfig:
    """Architecture and training settings of the classifier."""

    width: int = 48
    """Number of channels at 14 x 14; twice as many at 7 x 7."""
    feature_size: int = 64
    """Size of the penultimate layer, the feature space of the Frechet distance."""
    steps: int = 2000
    """Number of training steps (one batch each)."""
    batch_size: int = 200
    """Number of images per step."""
    learning_rate: float = 4e-3
    """Peak learning rate of AdamW."""
    weight_decay: float = 0.05
    """Decoupled weight decay of AdamW."""
    max_rotation_degrees: float = 12.0
    """Largest random rotation of a training image in either direction, in degrees."""
    max_shift_pixels: float = 2.5
    """Largest random shift of a training image along each axis, either way, in pixels."""

    def __post_init__(self) -> None:
        check_positive(self)


class Classifier(nn.Module):
    """Convolutional classifier; its penultimate layer is the feature space."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        narrow, wide = config.width, 2 * config.width
        self.body = nn.Sequential(
            *_convolution(1, 32),
            nn.MaxPool2d(2),  # (B, 32, 14, 14)
            *_convolution(32, narrow),
            *_convolution(narrow, narrow),
            nn.MaxPool2d(2),
            *_convolution(narrow, wide),
            *_convolution(wide, wide),  # (B, 2 width, 7, 7)
            nn.MaxPool2d(2),
            nn.Flatten(),  # (B, 2 width * 9)
            nn.Linear(wide * 9, config.feature_size, bias=False),
            nn.BatchNorm1d(config.feature_size),
        )
        self.head = nn.Linear(config.feature_size, NUM_CLASSES)

    def features(self, images: Tensor) -> Tensor:
        """Map images (B, 1, 28, 28) in [0, 1] to features (B, F)."""
        check_shape("images", images, (None, *IMAGE_SHAPE))
        return self.body(images.contiguous(memory_format=torch.channels_last))

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, 1, 28, 28) in [0, 1] to class scores (B, 10)."""
        return self.head(F.relu(self.features(images)))


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    # no bias: batch norm would subtract it again
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


def jitter(images: Tensor, config: ClassifierConfig, rng: torch.Generator) -> Tensor:
    """Rotate and shift each image by small random amounts.

    Args:
        images: (B, 1, 28, 28) in [0, 1].
        config: sets the largest rotation and the largest shift.
        rng: draws one rotation and one shift per image.

    Returns:
        Images of the same shape and range. Pixels that leave the frame are lost; new ones are 0.
    """
    count, side = len(images), images.shape[-1]
    draws = torch.rand(3, count, generator=rng, device=rng.device).to(images.device) * 2 - 1
    angle = draws[0] * math.radians(config.max_rotation_degrees)
    shift = draws[1:] * config.max_shift_pixels * 2 / side  # grid units: the frame is 2 wide
    cos, sin = angle.cos(), angle.sin()
    rows = torch.stack([cos, -sin, shift[0], sin, cos, shift[1]], dim=1)
    grid = F.affine_grid(rows.view(count, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


@dataclass
class ClassifierState(TrainState):
    """Mutable training state: network, optimizer, step."""

    config: ClassifierConfig
    network: Classifier
    optimizer: torch.optim.Optimizer
    step: int = 0

    @property
    def released(self) -> Classifier:
        """Network that is saved when training ends."""
        return self.network


def init(config: ClassifierConfig, device: torch.device) -> ClassifierState:
    """Build an untrained classifier; PyTorch's global generator draws the weights."""
    network = Classifier(config).to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    return ClassifierState(config, network, optimizer)


def train_step(
    state: ClassifierState, batch: Batch, rng: torch.Generator
) -> tuple[ClassifierState, dict[str, Tensor]]:
    """Take one step on the cross-entropy -log softmax(scores)[label], in nats per image."""
    config = state.config
    for group in state.optimizer.param_groups:
        group["lr"] = config.learning_rate * warm_up_cosine(state.step, config.steps)
    scores = state.network(jitter(batch.images, config, rng))
    loss = F.cross_entropy(scores, batch.labels)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    state.optimizer.step()
    state.step += 1
    accuracy = (scores.argmax(1) == batch.labels).float().mean()
    return state, {"cross_entropy_nats": loss.detach(), "accuracy": accuracy}


@dataclass(frozen=True)
class Prediction:
    """The classifier's labels for a batch of images, with its confidence in them."""

    labels: Tensor
    """(B,) int64, most likely digit."""
    confidence: Tensor
    """(B,) probability of that digit, in [0.1, 1]."""


@torch.inference_mode()
def predict(classifier: Classifier, images: Tensor, batch_size: int = 1000) -> Prediction:
    """Label images (B, 1, 28, 28) in [0, 1]."""
    scores = torch.cat([classifier(part) for part in images.split(batch_size)])
    confidence, labels = scores.softmax(1).max(1)
    return Prediction(labels, confidence)


@torch.inference_mode()
def extract_features(classifier: Classifier, images: Tensor, batch_size: int = 1000) -> Tensor:
    """Map images (B, 1, 28, 28) in [0, 1] to the classifier's features (B, F)."""
    return torch.cat([classifier.features(part) for part in images.split(batch_size)])
