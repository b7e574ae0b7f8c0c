import inspect
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import CGAN, CLASSIFIER, FLOW, GAN, VAE, shaken, toy_digits

from latentwalk.data import mnist
from latentwalk.evaluation.readings import measuring_rng
from latentwalk.experiments import study
from latentwalk.experiments.study import Study
from latentwalk.model_zoo import recipes, trainer
from latentwalk.models.classifier import Classifier
from latentwalk.models.gan import Generator
from latentwalk.models.vae import Vae

NETWORKS = {
    "classifier": (Classifier, CLASSIFIER),
    "gan": (Generator, GAN),
    "vae": (Vae, VAE),
    "cgan": (Generator, CGAN),
    "gan_10d": (Generator, GAN),
    "gan_onehot": (Generator, CGAN),
    "vae_flow": (Vae, FLOW),
}
TRAIN, TEST = toy_digits(60, seed=1), toy_digits(40, seed=2)
PAIR = SimpleNamespace(inputs=np.zeros((2, 3), np.float32))


def released(name):
    kind, config = NETWORKS[name]
    torch.manual_seed(len(name))
    network = shaken(kind(config), len(name)).eval().requires_grad_(False)
    metadata = SimpleNamespace(network_digest=f"{name:0<64}")
    return SimpleNamespace(network=network, metadata=metadata)


def open_tiny(seed=3):
    return Study({name: released(name) for name in NETWORKS}, TRAIN, TEST, seed)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTWALK_BUILD", str(tmp_path))
    return tmp_path


def calls_of(work, monkeypatch):
    """What each method asks the cache for, by item."""
    calls = {}

    def obtain(item, function, weights_key, **arguments):
        assert item not in calls
        calls[item] = (function, weights_key, arguments)

    monkeypatch.setattr(study, "_cached", obtain)
    work.ten_samples()
    work.pick_pair(PAIR)
    work.generator_path(PAIR)
    work.vae_path((3, 8))
    for method in (work.quality, work.smoothness, work.input_readings):
        method()
    work.digit_grid()
    work.agreement()
    return calls


def test_every_method_gives_its_experiment_what_it_takes(monkeypatch):
    work = open_tiny()
    calls = calls_of(work, monkeypatch)
    assert set(calls) == {"2b", "2c", "2e", "3c", "3d", "3e", "4b", "4d", "4d-agreement"}
    for function, key, arguments in calls.values():
        inspect.signature(function).bind(**arguments)  # raises when one is missing or too many
        assert "classifier:" in key
        for name, value in arguments.items():
            if isinstance(value, torch.nn.Module):
                own = [n for n, model in work.released.items() if model.network is value]
                assert f"{own[0]}:{own[0]:0<16}"[:20] in key, name
    assert calls["2b"][2]["generator"] is work.released["gan"].network
    assert calls["4d"][2]["generator"] is work.released["cgan"].network
    assert calls["3c"][2]["digits"] == (3, 8)
    shown = calls["4b"][2]["generators"]
    sizes = [generator.config.num_classes for generator in shown.values()]
    assert sizes == [0, 0, 10, 10]


def test_titles_of_input_readings_say_what_the_generators_take():
    d = recipes.get("gan").config.latent_size
    for title, name in study.GENERATORS.items():
        config = recipes.get(name).config
        size = title.partition(" (")[0].replace("10 d", str(10 * d)).replace("d", str(d))
        takes = [config.latent_size] + [config.num_classes] * bool(config.num_classes)
        assert [int(each) for each in size.split(" + ")] == takes, title


def test_each_experiment_draws_for_itself_and_by_the_studys_seed(monkeypatch):
    def draws(seed):
        calls = calls_of(open_tiny(seed), monkeypatch)
        generators = [arguments.get("rng") for _, _, arguments in calls.values()]
        return [torch.randn(1, generator=g).item() for g in generators if g is not None]

    first = draws(3)
    assert len(set(first)) == len(first) == 6
    assert first == draws(3)
    # the images by which a model is measured are the same for every seed
    assert set(first) & set(draws(4)) == {torch.randn(1, generator=measuring_rng()).item()}


def test_results_are_made_once_and_then_read(folder):
    work = open_tiny()
    samples = work.ten_samples()
    path = work.generator_path(work.pick_pair(samples, (4, 7)))
    assert np.array_equal(path.inputs[[0, -1]], samples.inputs[[4, 7]])
    assert {file.name for file in (folder / "results").glob("*.json")} == {
        "2b.json",
        "2c.json",
        "2e.json",
    }
    for model in work.released.values():
        model.network.forward = None  # whoever calls it now fails
    again = work.ten_samples()
    assert np.array_equal(again.images, samples.images)
    assert np.array_equal(work.generator_path(work.pick_pair(again, (4, 7))).inputs, path.inputs)


def test_other_seed_gives_other_samples():
    samples = [open_tiny(seed).ten_samples().inputs for seed in (3, 4, 3)]
    assert not np.array_equal(samples[0], samples[1])
    assert np.array_equal(samples[0], samples[2])


def test_opening_loads_every_model_and_both_splits(monkeypatch):
    asked = []
    monkeypatch.setattr(trainer, "load", lambda name: asked.append(name) or released(name))
    monkeypatch.setattr(mnist, "load", lambda split: asked.append(split) or toy_digits(len(split)))
    work = study.open_study(5)
    assert list(work.released) == list(recipes.recipes())
    assert asked == [*recipes.recipes(), "train", "test"]
    assert (len(work.train), len(work.test), work.seed) == (5, 4, 5)
