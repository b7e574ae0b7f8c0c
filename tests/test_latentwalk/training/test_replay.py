import dataclasses
import functools
import json

import code_changes
import places
import pytest
import tiny
import torch

from latentwalk.data import mnist
from latentwalk.model_zoo import recipes, seeds, weights_files
from latentwalk.models import classifier, gan, vae
from latentwalk.training import checkpoints, loop, replay, tensor_file
from problemset import source_code

ROOT = places.ROOT
BEFORE = json.loads((ROOT / "tests/fixtures/keys_before_version_2.json").read_text())
TOLERANCE = 0.01
MODELS = {
    "gan": (gan, tiny.CGAN),
    "vae": (vae, tiny.FLOW),
    "classifier": (classifier, tiny.CLASSIFIER),
}


def recorded(model, config):
    digits = tiny.toy_digits()
    fit = functools.partial(loop.fit, model, config, digits, seed=3)
    return replay.record(fit, config, len(digits))


def elsewhere(found):
    """The same, as if another kind of machine had made it."""
    return dataclasses.replace(found, about=found.about | {"machine": "another", "digest": "?"})


@pytest.mark.parametrize("name", MODELS)
def test_steps_repeat_to_the_last_bit(name):
    model, config = MODELS[name]
    config = dataclasses.replace(config, steps=40)
    first, again = recorded(model, config), recorded(model, config)
    assert first.about == again.about
    assert replay.disagreement(first, again, TOLERANCE) == ""
    assert replay.disagreement(first, elsewhere(again), TOLERANCE) == ""
    assert all(torch.equal(first.changes[k], again.changes[k]) for k in first.changes)


def test_start_middle_and_end_are_repeated_and_an_epoch_ends_within():
    config = dataclasses.replace(tiny.GAN, steps=400, batch_size=8)  # 7 steps an epoch
    windows = replay._windows(config, num_digits=1000)  # 125 steps an epoch
    assert windows["float32"] == [0, 250 - replay.STEPS // 2, 400 - replay.STEPS]
    assert windows["bfloat16"] == [0]
    for recipe in recipes.recipes().values():
        starts = replay._windows(recipe.config, 60_000)["float32"]
        epoch = 60_000 // recipe.config.batch_size
        assert starts[0] == 0
        assert starts[-1] == recipe.config.steps - replay.STEPS
        assert any(0 < (start + replay.STEPS) % epoch < replay.STEPS for start in starts[1:])


def test_counters_stand_where_the_window_begins():
    saved = {"step": 3, "average": {"n_averaged": torch.tensor(3)}, "moments": [{"step": 3.0}, 5]}
    moved = replay._moved(saved, 70)
    assert moved["step"] == 70
    assert moved["average"]["n_averaged"] == torch.tensor(70)
    assert moved["moments"] == [{"step": 70}, 5]


CHOSEN = ["data scaling", "average without buffers", "never bfloat16", "bfloat16 chosen sooner"]
LEFT_ALONE = ["a local variable", "a module renamed"]


@pytest.fixture(scope="module")
def outcomes():
    changes = code_changes.HARMFUL | code_changes.HARMLESS
    return code_changes.outcomes({name: changes[name] for name in (*CHOSEN, *LEFT_ALONE)})


@pytest.mark.parametrize("name", CHOSEN)
def test_what_changes_a_training_is_named_and_noticed(name, outcomes):
    """`python tests/code_changes.py` prints all of them."""
    changed, here, there = outcomes[name]
    assert code_changes.HARMFUL[name].names in changed
    assert here
    assert there


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_what_changes_no_training_leaves_weights_valid(name, outcomes):
    _, here, there = outcomes[name]
    assert here == there == ""


def test_every_change_fits_the_code_as_it_is(tmp_path):
    for number, change in enumerate(
        [*code_changes.HARMFUL.values(), *code_changes.HARMLESS.values()]
    ):
        code_changes.apply(change, tmp_path / str(number))


@pytest.mark.parametrize("name", BEFORE["weights"])
def test_released_tensors_are_those_of_the_first_training(name):
    before = BEFORE["weights"][name]
    tensors, metadata = checkpoints.load_weights(ROOT / f"assets/weights/{name}.safetensors")
    old = {k: v for k, v in tensors.items() if not k.startswith("replay/")}
    assert tensor_file.tensor_digest(old) == before["tensor_digest"]
    assert metadata.network_digest == checkpoints.network_digest(tensors)
    assert (metadata.metrics, metadata.seconds) == (before["metrics"], before["seconds"])
    recipe = before["recipe"]
    assert metadata.recipe.configuration == recipe["configuration"]
    assert metadata.recipe.data_digest == recipe["data_digest"] == mnist.digest()


def old_digest(model, seed):
    """What tied a run to code, configuration, data and classifier before the new key."""
    digests = []
    for name in model.split("+"):
        recipe = BEFORE["weights"][name]["recipe"]
        configuration = recipe["configuration"] | {"seed": seed}
        digests.append(source_code.sha256(recipe | {"configuration": configuration}))
    digests.append(BEFORE["weights"]["classifier"]["tensor_digest"])
    return "+".join(digest[:16] for digest in digests)


@pytest.mark.usefixtures("released_weights")
def test_every_run_over_seeds_was_carried_over_and_still_counts():
    released = {
        name: weights_files.read(ROOT / f"assets/weights/{name}.safetensors", recipe)
        for name, recipe in recipes.recipes().items()
    }
    runs = seeds.load()
    assert len(runs) == len(BEFORE["runs"]) == 42
    for run in runs:
        old, new = BEFORE["runs"][f"{run.model} {run.seed}"]
        assert old == old_digest(run.model, run.seed)
        assert run.recipe == new == seeds.digest(run.model, run.seed, released)
    counted = [run for model in {r.model for r in runs} for run in seeds.runs(model, released)]
    assert len(counted) == 42
