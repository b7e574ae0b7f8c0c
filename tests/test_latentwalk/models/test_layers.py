import pytest
import torch
from tiny import rng, shaken
from torch import nn

from latentwalk.models.layers import Decoder, Encoder, ResidualBlock


@pytest.fixture(autouse=True)
def seeded():
    """Networks take their initial weights from PyTorch's global generator."""
    torch.manual_seed(0)


@pytest.mark.parametrize("normalise", [True, False])
def test_residual_block_keeps_the_shape_and_starts_without_looking_at_its_input(normalise):
    block = ResidualBlock(6, normalise=normalise)
    x = torch.randn(3, 6, 5, 7, generator=rng())
    constant = block.conv2.bias.view(1, 6, 1, 1)
    torch.testing.assert_close(block(x), x + constant, rtol=0, atol=1e-6)
    moved = shaken(block)(x) - x
    assert moved.shape == x.shape
    assert moved.std(dim=(0, 2, 3)).min() > 0.01


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("input_size", [1, 13])
def test_decoder_makes_an_image_of_each_input(input_size, blocks):
    decoder = shaken(Decoder(input_size, width=4, blocks=blocks)).eval()
    first, second = torch.randn(2, 3, input_size, generator=rng()).unbind()
    logits = decoder(first)
    assert logits.shape == (3, 1, 28, 28)
    assert (logits - decoder(second)).abs().gt(0).all()  # the input reaches every pixel
    assert len(decoder.coarse) == len(decoder.fine) == blocks


@pytest.mark.parametrize("blocks", [1, 2])
def test_encoder_gives_98_times_width_features_and_sees_every_pixel(blocks):
    encoder = shaken(Encoder(4, blocks))
    images = torch.rand(3, 1, 28, 28, generator=rng(), requires_grad=True)
    features = encoder(images)
    assert features.shape == (3, 98 * 4) == (3, encoder.output_size)
    features.square().sum().backward()
    assert images.grad.abs().gt(0).all()


@pytest.mark.parametrize(
    ("network", "shape", "expected"),
    [
        (Decoder(5, 4), (2, 6), "(any, 5)"),
        (Decoder(5, 4), (5,), "(any, 5)"),
        (Encoder(4), (2, 28, 28), "(any, 1, 28, 28)"),
        (Encoder(4), (2, 3, 28, 28), "(any, 1, 28, 28)"),
        (Encoder(4), (2, 1, 32, 32), "(any, 1, 28, 28)"),
    ],
)
def test_wrong_shapes_are_refused_with_both_shapes(network, shape, expected):
    with pytest.raises(ValueError, match="expected") as error:
        network(torch.zeros(shape))
    assert str(shape) in str(error.value)
    assert expected in str(error.value)


def test_only_a_normalised_encoder_lets_an_images_neighbours_matter():
    images = torch.rand(4, 1, 28, 28, generator=rng())
    plain, normalised = shaken(Encoder(4)), shaken(Encoder(4, normalise=True))
    together, alone = plain(images), torch.cat([plain(image[None]) for image in images])
    torch.testing.assert_close(together, alone)
    other = torch.cat([images[:1], 1 - images[1:]])
    assert not torch.allclose(normalised(images)[0], normalised(other)[0], atol=1e-3)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in plain.modules())


def test_memory_layout_does_not_change_the_result():
    images = torch.rand(4, 1, 28, 28, generator=rng())
    encoder, decoder = shaken(Encoder(4)), shaken(Decoder(5, 4)).eval()
    features, logits = encoder(images), decoder(torch.ones(2, 5))
    for network in (encoder, decoder):
        network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(encoder(images), features, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(decoder(torch.ones(2, 5)), logits, rtol=1e-4, atol=1e-5)
