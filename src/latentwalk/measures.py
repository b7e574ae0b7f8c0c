"""What is measured of each model when its training ends, and travels in its weights' metadata."""

import torch
from torch import nn

from latentwalk.data import Digits, to_unit
from latentwalk.evaluation.frechet import draw, frechet_reference, frechet_score
from latentwalk.evaluation.labels import label_agreement, label_histogram
from latentwalk.evaluation.likelihood import binarise, vae_log_likelihood
from latentwalk.evaluation.neighbours import SEARCHED, density_coverage
from latentwalk.models import gan, vae
from latentwalk.models.classifier import Classifier, extract_features, predict

SEED = 7  # of everything drawn here, so that two measurements of the same weights are equal
SAMPLES = 10_000
ELBO_DRAWS = 10  # of z for each test image


def measure_judge(classifier: Classifier, test: Digits) -> dict[str, float]:
    """Give the judge's share of right answers on the test digits, in percent."""
    right = predict(classifier, to_unit(test.images)).labels == test.labels
    return {"test_accuracy_percent": 100 * right.double().mean().item()}


def measure_samples(
    network: nn.Module, classifier: Classifier, train: Digits, test: Digits
) -> dict[str, float]:
    """Measure 10,000 samples of a generator or a VAE with the judge.

    Args:
        network: a trained generator or VAE, in evaluation mode.
        classifier: the judge.
        train: gives the sets of 10,000 real digits for the floor.
        test: the reference.

    Returns:
        `frechet_distance` and `frechet_floor` in the judge's feature space, their ratio;
        `coverage_percent`, the share of test digits that have a sample near, and the same with
        training digits for samples; for a conditional generator the agreement with its labels,
        overall and of the worst digit, otherwise `label_distance`, the total variation between
        the samples' digit shares and the test digits', and the largest gap between two shares.
    """
    rng = torch.Generator().manual_seed(SEED)
    real = extract_features(classifier, to_unit(train.images))
    test_features = extract_features(classifier, to_unit(test.images))
    reference = frechet_reference(test_features, real, SAMPLES)
    drawn = (vae if isinstance(network, vae.Vae) else gan).sample(network, SAMPLES, rng)
    features = extract_features(classifier, drawn.images)
    score = frechet_score(reference, features)
    searched = draw(test_features, min(SEARCHED, len(test_features)), rng)
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

    The bound of Problem 1b is cheap and taken on every image. The importance-sampled bound is
    not: what it gains over the former is measured on `images` of them, spread evenly over the
    file, and added. (The first 1,000 of MNIST's test images are easier than the rest, by more
    than a nat; two images differ by 25 nats, their gains only by about 2.)

    Returns:
        `elbo_nats` and the importance-sampled `log_likelihood_nats`, both means an image; the
        latter's standard error, as of images drawn from the world; and how many images and
        samples were used for each.
    """
    rng = torch.Generator().manual_seed(SEED)
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
