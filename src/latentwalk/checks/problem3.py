"""Problem 3: the variational autoencoder, two codes, and the path between them."""

import functools

import numpy as np
import torch

from latentwalk.checks import shared
from latentwalk.checks.networks import open_images, open_network
from latentwalk.checks.shared import Staff
from latentwalk.data.mnist import to_unit
from latentwalk.evaluation.readings import in_chunks
from latentwalk.models import vae
from problemset.grading.score.verdict import Verdict, same_images, straight_line
from problemset.grading.submission.opened import Submission


def vae_opens(submission: Submission, staff: Staff) -> Verdict:
    """3a: the weights are those of a variational autoencoder."""
    return shared.opens(submission, "vae")


def vae_reconstructs(submission: Submission, staff: Staff) -> Verdict:
    """3a: reconstructions of test digits are classified as the original digits."""
    # spread over the file, because the first test images are easier than the rest
    digits = staff.test.images[:: max(1, len(staff.test.images) // shared.FRESH)]
    labels = staff.test.labels[:: max(1, len(staff.test.labels) // shared.FRESH)].numpy()
    reconstruct = functools.partial(vae.reconstruct, open_network(submission, "vae"))
    again = in_chunks(reconstruct, to_unit(digits))
    share = float((staff.labels(again.numpy()) == labels).mean())
    says = (
        f"{100 * share:.1f} % of {len(labels)} reconstructed test digits are read as their label, "
        f"expected {100 * shared.LEAST_AGREEMENT:.0f} % or more"
    )
    return Verdict(share >= shared.LEAST_AGREEMENT, says, {"share": share})


def originals_are_test_digits(submission: Submission, staff: Staff) -> Verdict:
    """3b: the two images are in MNIST's test set and show the digits of 2c."""
    wanted = submission.array("2c", "labels", (2,)).tolist()
    originals = open_images(submission, "3c", "originals.images", (2,))
    # back to bytes, as MNIST is stored, so that they can be looked up exactly
    pixels = torch.from_numpy(np.round(255 * originals).astype(np.uint8)).flatten(1)
    known = staff.test.images.flatten(1)
    places = [(known == row).all(dim=1).nonzero().flatten().tolist() for row in pixels]
    if not all(places):
        return Verdict(False, "an original is not an image of MNIST's test set", {"places": places})
    found = [int(staff.test.labels[place[0]]) for place in places]
    evidence = {"places": places, "labels": found, "labels_of_2c": wanted}
    says = f"the originals are test images of a {found[0]} and a {found[1]}"
    if found != wanted:
        says += f", expected a {wanted[0]} and a {wanted[1]} as in 2c"
    return Verdict(found == wanted, says, evidence)


def codes_are_encoded(submission: Submission, staff: Staff) -> Verdict:
    """3b: both ends of the path are the encoder's means of the originals."""
    network = open_network(submission, "vae")
    codes = submission.array("3c", "codes", (None, network.config.latent_size))
    originals = open_images(submission, "3c", "originals.images", (2,))
    with torch.inference_mode():
        means = network.encode(torch.from_numpy(originals)).mu.numpy()
    off = float(np.abs(codes[[0, -1]] - means).max() / max(1.0, np.abs(means).max()))
    passed = off <= shared.FARTHEST_CODE
    says = "the path's ends are the encoder's means of the originals"
    if not passed:
        says = f"the path's ends are {off:.2g} away from the encoder's means of the originals"
    return Verdict(passed, says, {"largest_deviation": off})


def codes_are_straight(submission: Submission, staff: Staff) -> Verdict:
    """3c: ten points, equally spaced on the line between z_start and z_end."""
    codes = submission.array("3c", "codes", (None, None))
    counted = shared.ten_points(codes, "the path between the codes")
    if not counted.passed:
        return counted
    return straight_line(codes, codes[0], codes[-1], "the path between the codes")


def codes_decode(submission: Submission, staff: Staff) -> Verdict:
    """3c: the images are what the decoder makes of the codes."""
    network = open_network(submission, "vae")
    codes = submission.array("3c", "codes", (None, network.config.latent_size))
    images = open_images(submission, "3c", "strip.images", (len(codes),))
    again = in_chunks(network.decode, torch.from_numpy(codes.astype(np.float32))).numpy()
    return same_images(images, again, "the decoded images")
