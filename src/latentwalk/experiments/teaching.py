"""3d: how good samples are as training digits, by what a classifier learns from them alone."""

import torch

from latentwalk import measures, training
from latentwalk.data import Digits
from latentwalk.experiments.judged import check_ready
from latentwalk.model_zoo.weights_files import Released
from latentwalk.models import classifier
from latentwalk.models.classifier import Classifier, ClassifierConfig

LESSONS = 60_000
"""Samples that a classifier is taught by: as many as there are training digits."""


def drawn_digits(
    model: Released, judge: Classifier, rng: torch.Generator, count: int = LESSONS
) -> Digits:
    """Draw samples of a model as digits to train on.

    Args:
        model: a trained generator or VAE.
        judge: labels the images of a model that has no labels of its own.
        rng: draws noise or codes.
        count: how many.

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
    """Train a fresh classifier and let it read real digits.

    Args:
        lessons: what it learns from.
        test: the digits that it reads.
        config: of the classifier; the judge's, to compare with learning from real digits.
        seed: of its initial weights, and of the order of the lessons.

    Returns:
        Share of the test digits that it reads rightly, in percent.

    Source: Ravuri and Vinyals 2019, "Classification accuracy score for conditional generative
    models".
    """
    taught = training.fit(classifier, config, lessons, seed=seed, key="").network
    assert isinstance(taught, Classifier)
    return measures.measure_judge(taught.cpu(), test)["test_accuracy_percent"]
