"""A classifier that learns from samples: what it is given, and that what it is given matters."""

import dataclasses
from types import SimpleNamespace

import pytest
import teaching
import tiny
import torch

from latentwalk.data.mnist import Digits, to_unit
from latentwalk.models import classifier, gan, vae
from latentwalk.models.classifier import Classifier
from latentwalk.models.gan import Generator
from latentwalk.models.vae import Vae

CONFIG = dataclasses.replace(tiny.CLASSIFIER, width=8, feature_size=16, steps=80, batch_size=20)


@pytest.fixture(scope="module")
def oracle():
    torch.manual_seed(0)
    return tiny.shaken(Classifier(tiny.CLASSIFIER)).eval()


def released(model, network):
    return SimpleNamespace(recipe=SimpleNamespace(model=model), network=network)


def test_a_conditional_generator_s_samples_have_the_labels_asked_for(oracle):
    generator = tiny.shaken(Generator(tiny.CGAN)).eval()
    lessons = teaching.drawn_digits(released(gan, generator), oracle, tiny.rng(), count=30)
    again = gan.sample(generator, 30, tiny.rng())
    assert torch.equal(lessons.labels, again.labels)
    torch.testing.assert_close(to_unit(lessons.images), again.images, atol=0.502 / 255, rtol=0)


@pytest.mark.parametrize(("model", "network"), [(gan, Generator(tiny.GAN)), (vae, Vae(tiny.VAE))])
def test_other_samples_have_the_labels_that_the_judge_reads(model, network, oracle):
    network = tiny.shaken(network).eval()
    lessons = teaching.drawn_digits(released(model, network), oracle, tiny.rng(), count=30)
    read = classifier.predict(oracle, model.sample(network, 30, tiny.rng()).images).labels
    assert torch.equal(lessons.labels, read)


def test_a_network_in_training_mode_is_refused(oracle):
    learning = released(gan, Generator(tiny.GAN).train())
    with pytest.raises(ValueError, match="the model is in training mode"):
        teaching.drawn_digits(learning, oracle, tiny.rng(), count=10)


def test_good_lessons_teach_better_than_wrong_or_few():
    lessons, test = tiny.toy_digits(400), tiny.toy_digits(200, seed=1)
    good = teaching.classification_accuracy_score(lessons, test, CONFIG, seed=1)
    wrong = Digits(lessons.images, lessons.labels[torch.randperm(400, generator=tiny.rng())])
    kept = lessons.labels < 5
    few = Digits(lessons.images[kept], lessons.labels[kept])
    assert good > 90
    assert teaching.classification_accuracy_score(wrong, test, CONFIG, seed=1) < 40
    assert teaching.classification_accuracy_score(few, test, CONFIG, seed=1) <= 50, (
        "digits that it never saw"
    )
    assert teaching.classification_accuracy_score(lessons, test, CONFIG, seed=1) == good
