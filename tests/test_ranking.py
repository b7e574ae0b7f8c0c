"""What the measures of 3d make of real, generated, collapsed and meaningless images.

With the released models: a measure that ranks toy data rightly can still be blind to digits.
"""

from dataclasses import dataclass

import pytest
import torch

from latentwalk.data import mnist
from latentwalk.data.mnist import to_unit
from latentwalk.evaluation.frechet import draw, frechet_reference, frechet_score
from latentwalk.evaluation.labels import label_histogram
from latentwalk.evaluation.neighbours import density_coverage, nearer_to_first
from latentwalk.evaluation.readings import read
from latentwalk.evaluation.sharpness import sharpness
from latentwalk.model_zoo import trainer
from latentwalk.models import gan, vae

pytestmark = pytest.mark.usefixtures("released_weights")
COUNT = 5000


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@dataclass
class Measured:
    """One kind of images as the measures see it."""

    distance: float
    density: float
    coverage: float
    precision: float
    recall: float
    sharpness: float
    confidence: float
    label_distance: float
    nearer_to_training: float


@pytest.fixture(scope="module")
def found():
    classifier = trainer.load("classifier").network
    train, test = mnist.load("train"), mnist.load("test")
    learned = to_unit(draw(train.images, 4 * COUNT, rng()))
    real, training = learned[:COUNT], learned[COUNT:]
    unseen = to_unit(draw(test.images, COUNT, rng(1)))
    samples = gan.sample(trainer.load("gan").network, COUNT, rng(2)).images
    few = gan.sample(trainer.load("gan").network, 20, rng(3)).images
    images = {
        "real": real,
        "gan": samples,
        "vae": vae.sample(trainer.load("vae").network, COUNT, rng(4)).images,
        "collapsed": few.repeat(COUNT // 20, 1, 1, 1),
        "noise": torch.rand(COUNT, 1, 28, 28, generator=rng(5)),
        "copies": training[:COUNT],
    }
    features = {
        name: read(classifier, some).features
        for name, some in {"unseen": unseen, "training": training}.items()
    }
    reference = frechet_reference(features["unseen"], features["training"], COUNT)

    def measured(some):
        reading = read(classifier, some)
        near = density_coverage(features["unseen"], reading.features, rng())
        labels = label_histogram(reading.prediction.labels, test.labels)
        return Measured(
            distance=frechet_score(reference, reading.features).distance,
            density=near.density.value,
            coverage=near.coverage.value,
            precision=near.precision.value,
            recall=near.recall.value,
            sharpness=sharpness(some).mean().item(),
            confidence=reading.prediction.confidence.mean().item(),
            label_distance=labels.total_variation,
            nearer_to_training=nearer_to_first(
                reading.features, features["training"], features["unseen"], rng()
            ).value,
        )

    return {name: measured(some) for name, some in images.items()}


@pytest.mark.parametrize("measure", ["density", "coverage", "precision", "recall"])
def test_real_above_generated_above_noise(found, measure):
    values = {name: getattr(found[name], measure) for name in found}
    for model in ("gan", "vae"):
        assert values["real"] > values[model] > values["noise"], model


@pytest.mark.parametrize("measure", ["distance", "label_distance"])
def test_real_nearest_then_generated_then_noise(found, measure):
    values = {name: getattr(found[name], measure) for name in found}
    for model in ("gan", "vae"):
        assert values["real"] < values[model] < values["noise"], model


def test_a_collapsed_generator_is_last_in_variety_and_not_in_fidelity(found):
    models = [found[name] for name in ("real", "gan", "vae")]
    assert 3 * found["collapsed"].coverage < min(one.coverage for one in models)
    assert 3 * found["collapsed"].recall < min(one.recall for one in models)
    assert found["collapsed"].distance > 5 * found["gan"].distance
    assert found["collapsed"].precision > found["vae"].precision, "as the table's reader is told"


def test_blur_lowers_sharpness_and_confidence_which_noise_does_not(found):
    for measure in ("sharpness", "confidence"):
        values = {name: getattr(found[name], measure) for name in found}
        assert values["vae"] < min(values["gan"], values["real"]), measure
    assert found["noise"].confidence > 0.9, "so it is never shown without a distance"


def test_copies_of_training_digits_are_told_from_new_ones(found):
    assert found["copies"].nearer_to_training == 1
    for name in ("real", "gan", "vae"):  # of three training digits for one test digit
        assert abs(found[name].nearer_to_training - 0.75) < 0.05, name
