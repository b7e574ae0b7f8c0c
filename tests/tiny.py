"""Models small enough to train in a test, and digits that need no download."""

import copy
from dataclasses import replace

import torch

from latentwalk.data.mnist import Batch, Digits, to_unit
from latentwalk.data.shapes import IMAGE_SIDE
from latentwalk.models.classifier import ClassifierConfig
from latentwalk.models.gan import GanConfig
from latentwalk.models.vae import VaeConfig

CPU = torch.device("cpu")
GAN = GanConfig(
    latent_size=3, width=4, discriminator_width=4, steps=8, batch_size=8, penalty_interval=2
)
CGAN = replace(GAN, num_classes=10)
VAE = VaeConfig(latent_size=3, width=4, encoder_width=4, steps=8, batch_size=8)
FLOW = replace(VAE, flow_layers=2)
CLASSIFIER = ClassifierConfig(
    width=4, feature_size=6, steps=8, batch_size=8, max_rotation_degrees=3, max_shift_pixels=0.5
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def toy_digits(count=40, seed=0):
    """One blot a digit: five places in the upper half for 0 to 4, five in the lower for 5 to 9."""
    labels = torch.arange(count) % 10
    ink = torch.zeros(count, 1, IMAGE_SIDE, IMAGE_SIDE)
    for image, label in zip(ink, labels.tolist(), strict=True):
        row, column = 5 + 14 * (label // 5), 2 + 5 * (label % 5)
        image[:, row : row + 4, column : column + 4] = 200
    noise = torch.randint(0, 56, ink.shape, generator=rng(seed))
    return Digits((ink + noise * (ink > 0)).to(torch.uint8), labels)


def toy_batch(count=8, seed=0):
    digits = toy_digits(40, seed)
    chosen = torch.randperm(40, generator=rng(seed))[:count]
    return Batch(to_unit(digits.images[chosen]), digits.labels[chosen])


def fresh(model, config, seed=0):
    """The untrained state of a module of `latentwalk.models`."""
    torch.manual_seed(seed)
    return model.init(config, CPU)


def shaken(network, seed=0, size=0.1):
    """Add noise to every parameter: untrained residual blocks do nothing, which hides bugs."""
    draws = rng(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += size * torch.randn(parameter.shape, generator=draws)
    return network


def frozen_copy(network):
    return copy.deepcopy(network.state_dict())


def changed(network, before):
    """Names of the parameters and buffers that are no longer what they were."""
    now = network.state_dict()
    assert now.keys() == before.keys()
    return [name for name, tensor in now.items() if not torch.equal(tensor, before[name])]


def shapes_of(network):
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
