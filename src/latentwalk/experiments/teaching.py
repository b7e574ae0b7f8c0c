"""Problem 3d: train a classifier on samples alone, to test how well they replace real digits."""

import torch

from latentwalk.data.mnist import Digits
from latentwalk.experiments.judged import check_ready
from latentwalk.model_zoo import measures
from latentwalk.model_zoo.weights_files import Released
from latentwalk.models import classifier
from latentwalk.models.classifier import Classifier, ClassifierConfig
from latentwalk.training import loop

LESSONS = 60_000
"""Number of samples to train a classifier on: as many as there are training digits."""


def drawn_digits(
    model: Released, judge: Classifier, rng: torch.Generator, count: int = LESSONS
) -> Digits:
    """Draw samples of a model as a training set.

    Args:
        model: a trained generator or VAE.
        judge: labels the images of a model without labels.
        rng: draws noise or codes.
        count: number of samples.

    Raises:
        ValueError: a network in training mode.
    """
    check_ready(model=model.network, judge=judge)
    drawn = model.recipe.model.sample(model.network, count, rng)
    labels = (
        classifier.predict(judge, drawn.images).labels if drawn.labels is None else drawn.labels
    )
    return Digits((255 * drawn.images).round().to(torch.uint8), labels)


def taught_accuracy(lessons: Digits, test: Digits, config: ClassifierConfig, seed: int) -> float:
    """Train a new classifier and measure its accuracy on real digits.

    Args:
        lessons: the training set.
        test: the digits to classify.
        config: the classifier's configuration; use the judge's for a comparison with real digits.
        seed: determines the initial weights and the order of the training set.

    Returns:
        Accuracy on the test digits, in percent.

    Source: Ravuri and Vinyals 2019, "Classification accuracy score for conditional generative
    models".
    """
    taught = loop.fit(classifier, config, lessons, seed=seed, key="").network
    assert isinstance(taught, Classifier)
    return measures.measure_judge(taught.cpu(), test)["test_accuracy_percent"]
