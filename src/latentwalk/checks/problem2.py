"""Problem 2: the GAN, ten samples, the pair, and the path between its inputs."""

from typing import Any

import numpy as np
import torch

from latentwalk.checks import shared
from latentwalk.checks.networks import open_images, open_network
from latentwalk.checks.shared import Staff
from latentwalk.data.shapes import NUM_CLASSES
from latentwalk.evaluation.frechet import frechet_distance
from latentwalk.evaluation.readings import read
from problemset.grading.score.verdict import Verdict, exact_ends, same_images, straight_line
from problemset.grading.submission.opened import Submission, SubmissionError


def gan_opens(submission: Submission, staff: Staff) -> Verdict:
    """2a: the weights are those of an unconditional generator."""
    return shared.opens(submission, "gan", conditional=False)


def gan_makes_digits(submission: Submission, staff: Staff) -> Verdict:
    """2a: fresh samples are close to real digits, and of several kinds."""
    return _makes_digits(open_network(submission, "gan"), staff)


def ten_images_regenerate(submission: Submission, staff: Staff) -> Verdict:
    """2b: the ten images are what the generator makes of the ten inputs."""
    network = open_network(submission, "gan")
    inputs = shared.inputs_of(submission, "2b", "inputs", (shared.STEPS,), network)
    images = open_images(submission, "2b", "images", (shared.STEPS,))
    return same_images(images, shared.run(network, inputs), "the ten images")


def ten_inputs_differ(submission: Submission, staff: Staff) -> Verdict:
    """2b: no input is drawn twice."""
    inputs = submission.array("2b", "inputs", (shared.STEPS, None))
    different = len(np.unique(inputs, axis=0))
    return Verdict(
        different == shared.STEPS,
        f"{different} of {shared.STEPS} inputs are different",
        {"different": different},
    )


def pair_is_from_the_ten(submission: Submission, staff: Staff) -> Verdict:
    """2c: both inputs are among the ten, and the images belong to them."""
    ten = submission.array("2b", "inputs", (shared.STEPS, None))
    shown = open_images(submission, "2b", "images", (shared.STEPS,))
    pair = submission.array("2c", "inputs", (2, ten.shape[1]))
    images = open_images(submission, "2c", "images", (2,))
    places = [np.flatnonzero((ten == row).all(axis=1)).tolist() for row in pair]
    evidence = {"numbers": places}
    if not all(places):
        return Verdict(False, "an input of the pair is not one of the ten inputs of 2b", evidence)
    if places[0] == places[1]:
        return Verdict(False, "both inputs of the pair are the same", evidence)
    if not all(np.array_equal(shown[p[0]], image) for p, image in zip(places, images, strict=True)):
        return Verdict(False, "an image of the pair is not the image of its input in 2b", evidence)
    return Verdict(True, f"the pair is numbers {places[0][0]} and {places[1][0]} of 2b", evidence)


def pair_is_labelled(submission: Submission, staff: Staff) -> Verdict:
    """2c: the labels are those that the classifier assigns."""
    labels = submission.array("2c", "labels", (2,))
    read_now = staff.labels(open_images(submission, "2c", "images", (2,)))
    return _same_labels(labels, read_now, "the pair")


def path_has_ten_inputs(submission: Submission, staff: Staff) -> Verdict:
    """2d: the path has ten points."""
    return shared.ten_points(
        submission.array("2e", "inputs", (None, None)), "the path between the inputs"
    )


def path_ends_are_exact(submission: Submission, staff: Staff) -> Verdict:
    """2d: the path starts at epsilon_start and ends at epsilon_end."""
    pair = submission.array("2c", "inputs", (2, None))
    points = submission.array("2e", "inputs", (None, pair.shape[1]))
    return exact_ends(points, pair[0], pair[1], "the path between the inputs")


def path_is_straight(submission: Submission, staff: Staff) -> Verdict:
    """2d: the steps are equal and on the straight line between the pair's inputs."""
    pair = submission.array("2c", "inputs", (2, None))
    points = submission.array("2e", "inputs", (None, pair.shape[1]))
    return straight_line(points, pair[0], pair[1], "the path between the inputs")


def path_images_regenerate(submission: Submission, staff: Staff) -> Verdict:
    """2e: the images are what the generator makes of the path's inputs."""
    network = open_network(submission, "gan")
    inputs = shared.inputs_of(submission, "2e", "inputs", (None,), network)
    images = open_images(submission, "2e", "strip.images", (len(inputs),))
    return same_images(images, shared.run(network, inputs), "the path's images")


def _makes_digits(network: Any, staff: Staff) -> Verdict:
    if network.config.num_classes:
        raise SubmissionError("weights/gan.safetensors is a GAN with labels, expected one without")
    seen = read(staff.classifier, shared.fresh(network).images)
    distance = frechet_distance(seen.features, staff.test_features)
    shares = torch.bincount(seen.prediction.labels, minlength=NUM_CLASSES) / shared.FRESH
    digits = int((shares >= shared.LEAST_SHARE).sum())
    says = (
        f"{shared.FRESH} fresh samples show {digits} digits at a distance of {distance:.1f} "
        f"from test digits, expected {shared.LEAST_DIGITS} or more at {shared.FARTHEST:.0f} or less"
    )
    evidence = {"frechet_distance": distance, "shares": shares.tolist()}
    return Verdict(digits >= shared.LEAST_DIGITS and distance <= shared.FARTHEST, says, evidence)


def _same_labels(labels: np.ndarray, read_now: np.ndarray, what: str) -> Verdict:
    same = labels.tolist() == read_now.tolist()
    says = f"{what}: labels {labels.tolist()}" + (
        " are what the classifier reads" if same else f", the classifier reads {read_now.tolist()}"
    )
    return Verdict(same, says, {"labels": labels.tolist(), "read": read_now.tolist()})
