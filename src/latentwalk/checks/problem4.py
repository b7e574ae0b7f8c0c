"""Problem 4: the conditional GAN, its inputs and the grid of digits."""

from typing import Any

import numpy as np

from latentwalk.checks import shared
from latentwalk.checks.networks import open_images, open_network
from latentwalk.checks.shared import Staff
from latentwalk.data.shapes import NUM_CLASSES
from problemset.grading.score.verdict import Verdict, same_images
from problemset.grading.submission.opened import Submission, SubmissionError


def noise_is_ten_times_larger(submission: Submission, staff: Staff) -> Verdict:
    """4a: the conditional generator takes noise ten times as large as that of Problem 2's."""
    small = open_network(submission, "gan").config.latent_size
    large = open_network(submission, "cgan").config.latent_size
    says = f"epsilon has size {large} in the conditional GAN and {small} in Problem 2's"
    expected = "" if large == 10 * small else f", expected {10 * small}"
    return Verdict(large == 10 * small, says + expected, {"small": small, "large": large})


def labels_are_one_hot(submission: Submission, staff: Staff) -> Verdict:
    """4b: each input of the grid ends in the one-hot label of the requested digit."""
    size = open_network(submission, "cgan").config.latent_size
    shape = (NUM_CLASSES, shared.STEPS, size + NUM_CLASSES)
    inputs = submission.array("4d", "inputs", shape)
    wanted = np.eye(NUM_CLASSES)[:, None, :].repeat(shared.STEPS, axis=1)
    wrong = int((inputs[..., size:] != wanted).any(axis=-1).sum())
    says = f"{100 - wrong} of 100 inputs end in the one-hot vector of their row's digit"
    return Verdict(wrong == 0, says, {"wrong": wrong})


def cgan_opens(submission: Submission, staff: Staff) -> Verdict:
    """4c: the weights are those of a conditional generator."""
    return shared.opens(submission, "cgan", conditional=True)


def cgan_obeys(submission: Submission, staff: Staff) -> Verdict:
    """4c: fresh samples are classified as the requested digits."""
    network = _conditional(open_network(submission, "cgan"))
    drawn = shared.fresh(network)
    assert drawn.labels is not None
    share = float((staff.labels(drawn.images.numpy()) == drawn.labels.numpy()).mean())
    says = (
        f"{100 * share:.1f} % of {shared.FRESH} fresh samples are read as the digit asked for, "
        f"expected {100 * shared.LEAST_AGREEMENT:.0f} % or more"
    )
    return Verdict(share >= shared.LEAST_AGREEMENT, says, {"share": share})


def grid_regenerates(submission: Submission, staff: Staff) -> Verdict:
    """4d: the hundred images are what the conditional generator makes of the inputs."""
    network = _conditional(open_network(submission, "cgan"))
    inputs = shared.inputs_of(submission, "4d", "inputs", (NUM_CLASSES, shared.STEPS), network)
    images = open_images(submission, "4d", "images", (NUM_CLASSES, shared.STEPS))
    flat = inputs.reshape(-1, inputs.shape[-1])
    return same_images(
        images.reshape(-1, 1, 28, 28), shared.run(network, flat), "the grid's images"
    )


def grid_is_fresh(submission: Submission, staff: Staff) -> Verdict:
    """4d: no image and no noise vector appears twice."""
    images = open_images(submission, "4d", "images", (NUM_CLASSES, shared.STEPS)).reshape(100, -1)
    inputs = submission.array("4d", "inputs", (NUM_CLASSES, shared.STEPS, None)).reshape(100, -1)
    # at least one column, even if the inputs are no longer than a label
    noise = inputs[:, : max(1, inputs.shape[1] - NUM_CLASSES)]
    counts = [len(np.unique(rows, axis=0)) for rows in (images, noise)]
    says = f"{counts[0]} of 100 images and {counts[1]} of 100 draws of the noise are different"
    return Verdict(counts == [100, 100], says, {"images": counts[0], "draws": counts[1]})


def grid_shows_its_digits(submission: Submission, staff: Staff) -> Verdict:
    """4d: the classifier reads the rows as the digits 0 to 9."""
    images = open_images(submission, "4d", "images", (NUM_CLASSES, shared.STEPS)).reshape(
        -1, 1, 28, 28
    )
    right = (
        staff.labels(images).reshape(NUM_CLASSES, shared.STEPS) == np.arange(NUM_CLASSES)[:, None]
    )
    count, rows = int(right.sum()), right.sum(axis=1).tolist()
    says = (
        f"{count} of 100 images are read as their row's digit, "
        f"expected {100 * shared.LEAST_AGREEMENT:.0f} or more"
    )
    return Verdict(count >= 100 * shared.LEAST_AGREEMENT, says, {"right_by_row": rows})


def _conditional(network: Any) -> Any:
    if not network.config.num_classes:
        raise SubmissionError(
            "weights/cgan.safetensors is a GAN without labels, expected one with them"
        )
    return network
