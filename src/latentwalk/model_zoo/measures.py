"""Measurements of each model at the end of training, stored in the metadata of its weights."""

import torch
from torch import nn

from latentwalk.data.mnist import Digits, to_unit
from latentwalk.evaluation.frechet import draw, frechet_reference, frechet_score
from latentwalk.evaluation.labels import label_agreement, label_histogram
from latentwalk.evaluation.likelihood import binarise, vae_log_likelihood
from latentwalk.evaluation.neighbours import SEARCHED, density_coverage
from latentwalk.evaluation.readings import measuring_rng
from latentwalk.models import gan, vae
from latentwalk.models.classifier import Classifier, extract_features, predict

SAMPLES = 10_000
ELBO_DRAWS = 10  # draws of z per test image


def measure_accuracy(classifier: Classifier, test: Digits) -> dict[str, float]:
    """Measure the classifier's accuracy on the test digits, in percent."""
    right = predict(classifier, to_unit(test.images)).labels == test.labels
    return {"test_accuracy_percent": 100 * right.double().mean().item()}


def measure_samples(
    network: nn.Module, classifier: Classifier, train: Digits, test: Digits
) -> dict[str, float]:
    """Measure 10,000 samples of a generator or a VAE with the classifier.

    Args:
        network: a trained generator or VAE, in evaluation mode.
        classifier: the classifier.
        train: the training digits, from which sets of 10,000 give the floor.
        test: the test digits, the reference.

    Returns:
        For every model: `frechet_distance` and `frechet_floor` in the classifier's feature space,
        and their ratio; `coverage_percent`, the share of test digits with a sample nearby, and
        `real_coverage_percent`, the same with training digits instead of samples. For a conditional
        generator: the agreement with its labels, overall and for the worst digit. For others:
        `label_distance`, the total variation distance between the digit shares of the samples and
        those of the test digits, and the largest difference between two such shares.
    """
    rng = measuring_rng()
    real = extract_features(classifier, to_unit(train.images))
    test_features = extract_features(classifier, to_unit(test.images))
    reference = frechet_reference(test_features, real, SAMPLES)
    drawn = (vae if isinstance(network, vae.Vae) else gan).sample(network, SAMPLES, rng)
    features = extract_features(classifier, drawn.images)
    score = frechet_score(reference, features)
    searched = draw(test_features, min(SEARCHED, len(test_features)), rng)
    # as many training digits as samples, because coverage depends on the number
    few = min(SEARCHED, SAMPLES, len(real))
    covered, best = (
        density_coverage(searched, found, rng).coverage.value
        for found in (features[:few], draw(real, few, rng))
    )
    measured = {
        "frechet_distance": score.distance,
        "frechet_floor": score.floor,
        "frechet_ratio": score.ratio,
        "coverage_percent": 100 * covered,
        "real_coverage_percent": 100 * best,
    }
    labels = predict(classifier, drawn.images).labels
    if drawn.labels is None:
        found = label_histogram(labels, test.labels)
        gap = (found.shares - found.data_shares).abs().max().item()
        return measured | {
            "label_distance": found.total_variation,
            "largest_share_gap_points": 100 * gap,
        }
    agreement = label_agreement(labels, drawn.labels)
    worst = min(digit.value for digit in agreement.per_digit)
    return measured | {
        "label_agreement_percent": 100 * agreement.overall.value,
        "worst_digit_agreement_percent": 100 * worst,
    }


def measure_likelihood(
    network: vae.Vae, test: Digits, importance_samples: int, images: int
) -> dict[str, float]:
    """Bound the log-likelihood of the binarised test images.

    The bound of Problem 1b is cheap, so it is computed for every image. The importance-sampled
    bound is expensive, so its gain over the former is measured only on `images` of them, spread
    evenly over the file, and added. The spread matters because the first 1,000 of MNIST's test
    images are easier than the rest, by more than a nat. Few images suffice because the bounds of
    two images differ by 25 nats, but their gains only by about 2.

    Args:
        network: the trained VAE, in evaluation mode.
        test: the test digits.
        importance_samples: number of importance samples per image.
        images: number of images on which the gain is measured.

    Returns:
        `elbo_nats` and the importance-sampled `log_likelihood_nats`, both means per image; the
        standard error of the latter, for images drawn from the population; and the numbers of
        images and samples used.
    """
    rng = measuring_rng()
    binary_images = binarise(to_unit(test.images), rng)
    elbo = vae_log_likelihood(network, binary_images, ELBO_DRAWS, rng).elbo_per_image_nats
    count = min(images, len(binary_images))
    spread = torch.arange(count) * len(binary_images) // count
    bound = vae_log_likelihood(network, binary_images[spread], importance_samples, rng)
    gain = bound.per_image_nats - bound.elbo_per_image_nats
    variance = elbo.var() / len(elbo) + gain.var() / len(gain)
    return {
        "log_likelihood_nats": (elbo.mean() + gain.mean()).item(),
        "log_likelihood_standard_error_nats": variance.sqrt().item(),
        "elbo_nats": elbo.mean().item(),
        "elbo_images": float(len(elbo)),
        "importance_samples": float(importance_samples),
        "likelihood_images": float(count),
    }
