"""A classifier that learns from samples: what it is given, and that what it is given matters."""

import dataclasses
from types import SimpleNamespace

import pytest
import tiny
import torch

from latentwalk.data.mnist import Digits, to_unit
from latentwalk.experiments import teaching
from latentwalk.models import classifier, gan, vae
from latentwalk.models.classifier import Classifier
from latentwalk.models.gan import Generator
from latentwalk.models.vae import Vae

CONFIG = dataclasses.replace(tiny.JUDGE, width=8, feature_size=16, steps=80, batch_size=20)


@pytest.fixture(scope="module")
def judge():
    torch.manual_seed(0)
    return tiny.shaken(Classifier(tiny.JUDGE)).eval()


def released(model, network):
    return SimpleNamespace(recipe=SimpleNamespace(model=model), network=network)


def test_a_conditional_generator_s_samples_have_the_labels_asked_for(judge):
    generator = tiny.shaken(Generator(tiny.CGAN)).eval()
    lessons = teaching.drawn_digits(released(gan, generator), judge, tiny.rng(), count=30)
    again = gan.sample(generator, 30, tiny.rng())
    assert torch.equal(lessons.labels, again.labels)
    torch.testing.assert_close(to_unit(lessons.images), again.images, atol=0.502 / 255, rtol=0)


@pytest.mark.parametrize(("model", "network"), [(gan, Generator(tiny.GAN)), (vae, Vae(tiny.VAE))])
def test_other_samples_have_the_labels_that_the_judge_reads(model, network, judge):
    network = tiny.shaken(network).eval()
    lessons = teaching.drawn_digits(released(model, network), judge, tiny.rng(), count=30)
    read = classifier.predict(judge, model.sample(network, 30, tiny.rng()).images).labels
    assert torch.equal(lessons.labels, read)


def test_a_network_in_training_mode_is_refused(judge):
    learning = released(gan, Generator(tiny.GAN).train())
    with pytest.raises(ValueError, match="the model is in training mode"):
        teaching.drawn_digits(learning, judge, tiny.rng(), count=10)


def test_good_lessons_teach_better_than_wrong_or_few():
    lessons, test = tiny.toy_digits(400), tiny.toy_digits(200, seed=1)
    good = teaching.taught_accuracy(lessons, test, CONFIG, seed=1)
    wrong = Digits(lessons.images, lessons.labels[torch.randperm(400, generator=tiny.rng())])
    kept = lessons.labels < 5
    few = Digits(lessons.images[kept], lessons.labels[kept])
    assert good > 90
    assert teaching.taught_accuracy(wrong, test, CONFIG, seed=1) < 40
    assert teaching.taught_accuracy(few, test, CONFIG, seed=1) <= 50, "digits that it never saw"
    assert teaching.taught_accuracy(lessons, test, CONFIG, seed=1) == good
