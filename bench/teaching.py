"""Problem 3d: train a classifier on samples alone, to test how well they replace real digits."""

import torch

from latentwalk.data.mnist import Digits
from latentwalk.evaluation.readings import check_ready
from latentwalk.model_zoo import measures
from latentwalk.model_zoo.weights_files import Released
from latentwalk.models import classifier
from latentwalk.models.classifier import Classifier, ClassifierConfig
from latentwalk.report.seed_tables import TRAINING_DIGITS
from latentwalk.training import loop


def drawn_digits(
    model: Released, oracle: Classifier, rng: torch.Generator, count: int = TRAINING_DIGITS
) -> Digits:
    """Draw samples of a model as a training set.

    Args:
        model: a trained generator or VAE.
        oracle: labels the images of a model without labels.
        rng: draws noise or codes.
        count: number of samples.

    Raises:
        ValueError: a network in training mode.
    """
    check_ready(model=model.network, oracle=oracle)
    drawn = model.recipe.model.sample(model.network, count, rng)
    labels = (
        classifier.predict(oracle, drawn.images).labels if drawn.labels is None else drawn.labels
    )
    return Digits((255 * drawn.images).round().to(torch.uint8), labels)


def classification_accuracy_score(
    training: Digits, test: Digits, config: ClassifierConfig, seed: int
) -> float:
    """Train a new classifier and measure its accuracy on real digits.

    Args:
        training: the training set.
        test: the digits to classify.
        config: configuration of the new classifier; use that of the released one for a comparison
            with real digits.
        seed: determines the initial weights and the order of the training set.

    Returns:
        Accuracy on the test digits, in percent.

    Source: Ravuri and Vinyals 2019, "Classification accuracy score for conditional generative
    models".
    """
    taught = loop.fit(classifier, config, training, seed=seed, key="").network
    assert isinstance(taught, Classifier)
    return measures.measure_accuracy(taught.cpu(), test)["test_accuracy_percent"]
