"""Networks as they are written for the page; whether it computes the same: test_page_in_use.py."""

import base64
import gzip

import numpy as np
import pytest
import torch

from latentwalk.live import networks
from latentwalk.models.classifier import Classifier, ClassifierConfig
from latentwalk.models.layers import Decoder


def unpacked(written):
    data = gzip.decompress(base64.b64decode(written["numbers"]))
    exact = np.frombuffer(data, "<f4", written["exact"])
    planes = np.frombuffer(data[4 * written["exact"] :], np.uint8).reshape(2, -1)
    return exact, np.ascontiguousarray(planes.T).view("<f2").ravel()


def sizes(steps):
    """How many numbers the steps say that they use, as float32 and as float16."""
    count = [0, 0]
    for name, *rest in steps:
        if name == "scale":
            count[0] += 2 * rest[0]
        if name == "convolve":
            size, inputs, outputs, half = rest
            filled = -(-outputs // networks.AT_ONCE) * networks.AT_ONCE
            count[half] += filled * size**2 * inputs
            count[0] += filled
    return count


@pytest.mark.parametrize("width", [4, 6])
def test_steps_use_every_number_once(width):
    written = networks.decoder(Decoder(5, width, blocks=2).eval())
    exact, halves = unpacked(written)
    assert [len(exact), len(halves)] == sizes(written["steps"])
    assert [name for name, *_ in written["steps"]].count("add") == 4, "2 blocks at 2 resolutions"
    judge = networks.classifier(Classifier(ClassifierConfig(width=width)).eval())
    assert [len(part) for part in unpacked(judge)] == sizes(judge["steps"])


def test_a_kernel_lies_in_the_order_of_its_use_and_takes_the_norm_in():
    torch.manual_seed(0)
    judge = Classifier(ClassifierConfig(width=4)).eval()
    norm = judge.body[1]
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    exact, _ = unpacked(networks.classifier(judge))
    image = torch.zeros(1, 1, 28, 28)
    image[0, 0, 13, 15] = 1  # right above and one to the right of (14, 14)
    with torch.inference_mode():
        wanted = judge.body[:2](image)[0, :, 14, 14].numpy()
    place = 0 * 3 + 2  # line 0, column 2 of the kernel
    kernel = exact[: 32 * 9].reshape(8, 9, 4)[:, place].ravel()
    np.testing.assert_allclose(kernel + exact[32 * 9 : 32 * 10], wanted, atol=1e-6)
    other = exact[: 32 * 9].reshape(8, 9, 4)[:, place - 1].ravel()
    assert np.abs(other + exact[32 * 9 : 32 * 10] - wanted).max() > 0.01


def test_only_large_kernels_are_rounded():
    torch.manual_seed(0)
    network = Decoder(5, 32).eval()
    exact, halves = unpacked(networks.decoder(network))
    assert len(halves) == network.entry.weight.numel() + 2 * 64 * 64 * 9
    kernel = network.exit[0].weight.detach().numpy().ravel()
    assert set(kernel) <= set(exact), "bit for bit"
    assert not set(network.entry.weight.detach().numpy().ravel()) <= set(halves.astype(np.float32))


def test_the_same_network_gives_the_same_bytes():
    network = Decoder(5, 4).eval()
    first = networks.decoder(network)
    assert first == networks.decoder(network)
    with torch.no_grad():
        network.norm.bias[0] += 1
    assert first != networks.decoder(network)
