import dataclasses
import json
import pickle
import re
from dataclasses import replace

import places
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import CGAN, CLASSIFIER, GAN, VAE, rng, shaken, shapes_of, toy_batch, toy_digits

from latentwalk import paths
from latentwalk.data import mnist
from latentwalk.model_zoo import catalogue, measures, recipes, trainer, weights_files
from latentwalk.model_zoo.recipes import Recipe
from latentwalk.models import classifier, gan, vae
from latentwalk.training import checkpoints, loop, provenance
from latentwalk.training.checkpoints import WeightsError
from latentwalk.training.provenance import WeightsMetadata
from problemset import workspace

NAMES = ["classifier", "gan", "vae", "cgan", "gan_10d", "gan_onehot", "vae_flow"]
SHIPPED = places.ROOT / "assets" / "weights"
TINY = {
    "classifier": Recipe("classifier", "judge", classifier, classifier.Classifier, CLASSIFIER),
    "gan": Recipe("gan", "Problem 2", gan, gan.Generator, GAN),
    "vae": Recipe("vae", "Problem 3", vae, vae.Vae, VAE, likelihood_samples=3),
    "cgan": Recipe("cgan", "Problem 4", gan, gan.Generator, CGAN),
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project whose recipes train in a moment on toy digits, and no internet."""
    monkeypatch.setenv("LATENTWALK_ROOT", str(tmp_path))
    monkeypatch.setenv("LATENTWALK_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(recipes, "recipes", lambda: dict(TINY))
    monkeypatch.setattr(mnist, "load", lambda split: toy_digits(60, len(split)))
    monkeypatch.setattr(measures, "SAMPLES", 50)
    return tmp_path


def places(name):
    file = f"{name}.safetensors"
    return paths.built_weights_dir() / file, paths.released_weights_dir() / file


def metadata(recipe):
    return WeightsMetadata(
        name=recipe.name,
        recipe=recipe.key(),
        seed=recipe.seed,
        steps=recipe.config.steps,
        versions=provenance.library_versions(),
        device="CPU",
        threads=1,
        seconds=1.0,
        metrics={},
    )


def put(path, recipe, mark=None):
    """Write weights that are valid for a recipe; every parameter has the value `mark`, if given."""
    torch.manual_seed(0)
    tensors = {f"network/{k}": v for k, v in recipe.network(recipe.config).state_dict().items()}
    if mark is not None:
        tensors = {name: torch.full_like(tensor, mark) for name, tensor in tensors.items()}
    checkpoints.save_weights(path, tensors, metadata(recipe))
    return path


def mark_of(released):
    (value,) = {round(p.mean().item(), 3) for p in released.network.parameters()}
    return value


def make_stale(path):
    put(path, replace(TINY["gan"], config=replace(GAN, learning_rate=0.5)))


def make_pickle(path):
    path.write_bytes(pickle.dumps({"network/weight": [1.0]}))


def make_torch_save(path):
    torch.save({"network/weight": torch.ones(3)}, path)


def cut_in_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_one_bit(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 4
    path.write_bytes(content)


def give_other_shapes(path):
    tensors, _ = checkpoints.load_weights(path)
    tensors["network/decoder.entry.weight"] = torch.zeros(2, 2)
    checkpoints.save_weights(path, tensors, metadata(TINY["gan"]))


SPOILED = {
    "stale": (make_stale, "stale", r"configuration field learning_rate changed from 0.5 to 0.001"),
    "half": (cut_in_half, "damaged", "cut short"),
    "one bit": (flip_one_bit, "damaged", "SHA-256"),
    "pickle": (make_pickle, "damaged", "pickle"),
    "torch.save": (make_torch_save, "damaged", "pickle"),
    "empty": (lambda path: path.write_bytes(b""), "damaged", "cut short"),
    "other shapes": (give_other_shapes, "misfit", "decoder.entry.weight"),
}
SPOILED_FILES = pytest.mark.parametrize(("spoil", "state", "reason"), SPOILED.values(), ids=SPOILED)


def test_the_recipes_are_in_the_reports_order():
    known = recipes.recipes()
    assert list(known) == NAMES
    assert all(recipe.name == name for name, recipe in known.items())
    assert len({recipe.key().digest for recipe in known.values()}) == len(NAMES)


@pytest.mark.parametrize(
    ("name", "noise", "one_hot"),
    [
        ("gan", 1, 0),
        ("gan_10d", 10, 0),
        ("gan_onehot", 1, 10),
        ("cgan", 10, 10),
    ],
)
def test_inputs_of_the_generators_are_those_of_the_homeworks_readings(name, noise, one_hot):
    d, recipe = catalogue.LATENT_SIZE, recipes.get(name)
    generator = recipe.network(recipe.config).eval()
    inputs = gan.sample(generator, 10, rng()).inputs
    assert inputs.shape == (10, noise * d + one_hot)
    assert generator.decoder.entry.in_features == noise * d + one_hot
    labels = inputs[:, noise * d :]
    assert torch.equal(labels, torch.eye(10) if one_hot else torch.empty(10, 0))
    ignored = {"latent_size", "num_classes", "steps"}
    problem_2 = dataclasses.asdict(recipes.get("gan").config)
    for field, value in dataclasses.asdict(recipe.config).items():
        assert field in ignored or value == problem_2[field], field


def test_gan_and_vae_are_compared_with_the_same_decoder():
    generator, network = (
        recipe.network(recipe.config) for recipe in map(recipes.get, ("gan", "vae"))
    )
    assert shapes_of(generator.decoder) == shapes_of(network.decoder)


def test_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="got model 'gam', expected one of classifier, gan, vae"):
        trainer.load("gam")
    with pytest.raises(ValueError, match="gam"):
        weights_files.status("gam")


def other_value(name, value):
    """Another allowed value of a configuration's field."""
    if name in ("beta2", "average_decay"):
        return value / 2
    return {"num_classes": 0}.get(name, value + 1 if isinstance(value, int) else value + 0.5)


def test_key_depends_on_every_field_the_seed_the_data_and_the_code(monkeypatch):
    recipe = TINY["cgan"]
    keys = [recipe.key().digest]
    for name, value in dataclasses.asdict(recipe.config).items():
        config = replace(recipe.config, **{name: other_value(name, value)})
        keys.append(replace(recipe, config=config).key().digest)
    keys.append(replace(recipe, seed=recipe.seed + 1).key().digest)
    monkeypatch.setattr(mnist, "digest", lambda: "other data")
    keys.append(recipe.key().digest)
    assert len(set(keys)) == len(keys) == 3 + len(dataclasses.fields(recipe.config))
    monkeypatch.undo()
    assert recipe.key().digest == keys[0]
    assert replace(recipe, name="another", purpose="another").key().digest == keys[0]
    code = recipe.key().code
    assert {"update_discriminator", "Decoder.forward", "fit", "to_unit", "load"} <= code.keys()
    assert not {"Vae", "Muon", "sample", "Recipe"} & code.keys()


def test_status_names_both_places_the_built_one_first(project):
    built, released = places("gan")
    assert [path for path, _ in weights_files.status("gan")] == [built, released]
    assert [found.state for _, found in weights_files.status("gan")] == ["missing", "missing"]
    put(released, TINY["gan"])
    assert [found.state for _, found in weights_files.status("gan")] == ["missing", "valid"]


def test_built_weights_are_preferred_to_released_ones(project, said):
    built, released = places("gan")
    put(released, TINY["gan"], mark=0.25)
    assert mark_of(trainer.load("gan")) == 0.25
    put(built, TINY["gan"], mark=0.5)
    assert mark_of(trainer.load("gan")) == 0.5
    assert said == []


@SPOILED_FILES
def test_unusable_weights_are_named_with_the_reason_and_the_others_are_used(
    spoil, state, reason, project, said
):
    built, released = places("gan")
    put(built, TINY["gan"], mark=0.5)
    put(released, TINY["gan"], mark=0.25)
    spoil(built)
    assert mark_of(trainer.load("gan")) == 0.25
    (line,) = said
    assert line.startswith(f"gan: not using {built}: ")
    assert re.search(reason, line)
    assert "\n" not in line
    assert weights_files.status("gan")[0][1].state == state


@SPOILED_FILES
def test_where_no_weights_are_usable_the_model_is_trained(
    spoil, state, reason, project, monkeypatch, said
):
    trained = []
    _, released = places("gan")
    put(released, TINY["gan"])
    spoil(released)
    monkeypatch.setattr(trainer, "train", lambda recipe: trained.append(recipe) or "just trained")
    assert trainer.load("gan") == "just trained"
    assert trained == [TINY["gan"]]
    assert len(said) == 2
    assert re.search(reason, said[0])
    assert said[1].startswith("gan: training it")


def test_no_weights_at_all_say_so_in_one_line(project, monkeypatch, said):
    monkeypatch.setattr(trainer, "train", lambda recipe: "just trained")
    assert trainer.load("vae") == "just trained"
    assert said == ["vae: training it, because there are no valid weights"]


@pytest.mark.parametrize("name", TINY)
def test_trained_weights_are_written_and_read_back(name, project, said):
    put(places("classifier")[1], TINY["classifier"])
    made = trainer.train(TINY[name], precision="float32")
    built = places(name)[0]
    assert weights_files.status(name)[0][1].state == "valid"
    assert said[-1].endswith(f"wrote {built}")
    again = trainer.load(name)
    for released in (made, again):
        assert isinstance(released.network, TINY[name].network)
        assert not released.network.training
        assert not any(parameter.requires_grad for parameter in released.network.parameters())
        assert released.network.config == TINY[name].config
    inputs = toy_batch(4).images if name in ("classifier", "vae") else torch.ones(4, 3)
    inputs = torch.cat([inputs, torch.eye(10)[:4]], dim=1) if name == "cgan" else inputs
    forward = (lambda n: n.encode(inputs).mu) if name == "vae" else (lambda n: n(inputs))
    assert torch.equal(forward(made.network), forward(again.network))
    assert forward(again.network).std() > 0

    about = again.metadata
    assert (about.name, about.seed, about.steps) == (name, 2017, 8)
    assert about.recipe.digest == TINY[name].key().digest
    assert about.versions["precision"] == "float32"
    assert about.threads == torch.get_num_threads()
    assert about.metrics == made.metadata.metrics
    expected = {
        "classifier": "test_accuracy_percent",
        "gan": "label_distance",
        "vae": "log_likelihood_nats",
        "cgan": "label_agreement_percent",
    }
    assert expected[name] in about.metrics
    assert not list(paths.checkpoints_dir().glob("*"))


def test_history_travels_with_the_weights(project, monkeypatch):
    kept = []
    fit = loop.fit

    def keeping_fit(*arguments, **options):
        kept.append(fit(*arguments, **options))
        return kept[-1]

    monkeypatch.setattr(loop, "fit", keeping_fit)
    monkeypatch.setattr(trainer, "measure", lambda *arguments, **options: {"score": 1.5})
    back = trainer.train(TINY["gan"], precision="float32")
    made = kept[0]  # then a few steps are repeated
    assert back.metadata.metrics == {"score": 1.5}
    assert [row.keys() for row in back.history.rows] == [row.keys() for row in made.history.rows]
    assert any("slope_penalty" in row for row in made.history.rows)
    assert not all("slope_penalty" in row for row in made.history.rows)
    for got, row in zip(back.history.rows, made.history.rows, strict=True):
        assert got == pytest.approx(row, rel=1e-6)
    assert [step for step, _ in back.history.snapshots] == [1, 2, 4, 8]
    for (_, got), (_, images) in zip(back.history.snapshots, made.history.snapshots, strict=True):
        assert images.shape == (10, 1, 28, 28)
        assert torch.equal(got, images)


def test_pictures_of_progress_show_the_same_inputs_each_time(project):
    torch.manual_seed(0)
    network = shaken(gan.Generator(GAN)).eval()
    draw = trainer._snapshot(TINY["gan"], torch.device("cpu"))
    assert torch.equal(draw(network), draw(network))
    assert len(draw(network).flatten(1).unique(dim=0)) == 10
    assert trainer._snapshot(TINY["classifier"], torch.device("cpu")) is None


def test_interrupted_training_goes_on_and_its_checkpoint_goes_in_the_end(project, said):
    recipe = TINY["classifier"]
    checkpoint = paths.checkpoints_dir() / f"classifier-{recipe.key().digest[:8]}.safetensors"

    class Interrupted:
        init = staticmethod(classifier.init)

        @staticmethod
        def train_step(state, batch, draws):
            if state.step == 5:
                raise KeyboardInterrupt
            return classifier.train_step(state, batch, draws)

    toys = mnist.load("train")
    options = {"seed": recipe.seed, "key": recipe.key().digest, "precision": "float32"}
    schedule = loop.Schedule(rows=8, checkpoint_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        loop.fit(Interrupted, CLASSIFIER, toys, checkpoint=checkpoint, schedule=schedule, **options)
    resumed = trainer.train(recipe, precision="float32")
    assert f"going on from step 5 in {checkpoint}" in said
    assert not checkpoint.exists()
    whole = loop.fit(classifier, CLASSIFIER, toys, **options).network
    for name, tensor in resumed.network.state_dict().items():
        assert torch.equal(tensor, whole.state_dict()[name]), name


def test_out_names_another_file(project):
    elsewhere = project / "mine" / "judge.safetensors"
    released = trainer.train(TINY["classifier"], precision="float32", out=elsewhere)
    assert elsewhere.is_file()
    assert not places("classifier")[0].exists()
    assert weights_files.read(elsewhere, TINY["classifier"]).metadata == released.metadata


def test_a_variant_leaves_the_half_finished_training_of_the_report_alone(project):
    half_done = paths.checkpoints_dir() / f"classifier-{TINY['classifier'].key().digest[:8]}"
    half_done = half_done.with_suffix(".safetensors")
    half_done.parent.mkdir(parents=True, exist_ok=True)
    half_done.write_bytes(b"the report's")
    variant = dataclasses.replace(TINY["classifier"], seed=3)
    trainer.train(variant, precision="float32", out=project / "mine" / "classifier.safetensors")
    assert half_done.read_bytes() == b"the report's"


def test_release_copies_the_bytes_and_writes_a_manifest(project):
    built = [put(places(name)[0], TINY[name]) for name in ("gan", "cgan")]
    copies = weights_files.release(["gan", "cgan"])
    assert copies == [places(name)[1] for name in ("gan", "cgan")]
    assert [path.read_bytes() for path in copies] == [path.read_bytes() for path in built]
    manifest = json.loads((paths.released_weights_dir() / "manifest.json").read_text())
    assert set(manifest) == {"gan.safetensors", "cgan.safetensors"}
    assert manifest["gan.safetensors"]["recipe_key"] == TINY["gan"].key().digest
    assert weights_files.status("gan")[1][1].state == "valid"


@pytest.mark.parametrize("spoil", [make_stale, cut_in_half, make_pickle])
def test_release_refuses_what_is_not_valid_and_keeps_what_was_released(spoil, project):
    built, released = places("gan")
    put(released, TINY["gan"], mark=0.25)
    before = released.read_bytes()
    put(built, TINY["gan"])
    spoil(built)
    with pytest.raises(WeightsError, match=re.escape(str(built))):
        weights_files.release(["gan"])
    assert released.read_bytes() == before
    built.unlink()
    with pytest.raises(WeightsError, match="missing"):
        weights_files.release(["gan"])
    assert released.read_bytes() == before


def test_reading_refuses_weights_of_another_network(project):
    path = put(places("gan")[0], TINY["gan"])
    give_other_shapes(path)
    words = r"decoder.entry.weight is \(2, 2\), expected \(392, 3\)"
    with pytest.raises(WeightsError, match=words) as error:
        weights_files.read(path, TINY["gan"])
    assert error.value.problem == "misfit"
    assert "\n" not in str(error.value)
    with pytest.raises(WeightsError, match="stale"):
        weights_files.read(put(path, TINY["gan"]), TINY["cgan"])


def test_weights_written_by_something_else_are_refused(project):
    path = put(places("gan")[0], TINY["gan"])
    save_file(load_file(path), path)  # the same tensors without the seal
    with pytest.raises(WeightsError, match="not written by latentwalk"):
        weights_files.read(path, TINY["gan"])


@pytest.mark.skipif(not list(SHIPPED.glob("*.safetensors")), reason="no weights released yet")
@pytest.mark.parametrize("name", NAMES)
def test_released_weights_are_valid_for_this_code(name):
    recipe, file = recipes.get(name), SHIPPED / f"{name}.safetensors"
    _, metadata = checkpoints.load_weights(file)
    if metadata.recipe.configuration != recipe.key().configuration:
        pytest.skip(f"{name} has another configuration now, which is trained anew")
    released = weights_files.read(file, recipe)
    assert released.metadata.name == name
    assert released.metadata.steps == recipe.config.steps
    assert released.history.rows[-1]["step"] == recipe.config.steps
    assert released.metadata.metrics
    assert (len(released.history.snapshots) > 0) == (name != "classifier")


@pytest.mark.skipif(not list(SHIPPED.glob("*.safetensors")), reason="no weights released yet")
def test_released_weights_take_less_than_25_megabytes():
    files = sorted(SHIPPED.glob("*.safetensors"))
    assert [file.stem for file in files] == sorted(NAMES)
    assert sum(file.stat().st_size for file in files) < 25e6


def test_given_weights_are_used_as_they_are_with_their_own_recipe(project, tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTWALK_WEIGHTS", str(tmp_path / "mine"))
    other = dataclasses.replace(
        TINY["gan"], config=dataclasses.replace(GAN, latent_size=GAN.latent_size + 3), seed=5
    )
    built = put(places("gan")[0], TINY["gan"], mark=0.25)
    given = put(tmp_path / "mine" / "gan.safetensors", other, mark=0.75)
    found = trainer.load("gan")
    assert mark_of(found) == 0.75
    assert found.recipe.config == other.config
    assert found.recipe.seed == 5
    assert weights_files.status("gan")[0] == (given, checkpoints.WeightsStatus("valid", ""))
    monkeypatch.delenv("LATENTWALK_WEIGHTS")
    assert mark_of(trainer.load("gan")) == 0.25
    assert weights_files.status("gan")[0][0] == built


def test_what_is_not_among_the_given_weights_comes_from_the_usual_places(project, monkeypatch):
    monkeypatch.setenv("LATENTWALK_WEIGHTS", str(project / "mine"))
    (project / "mine").mkdir()
    put(places("gan")[1], TINY["gan"], mark=0.5)
    assert mark_of(trainer.load("gan")) == 0.5


def test_nothing_takes_the_place_of_given_weights_that_cannot_be_used(project, monkeypatch):
    monkeypatch.setenv("LATENTWALK_WEIGHTS", str(project / "mine"))
    put(places("gan")[1], TINY["gan"], mark=0.5)
    with pytest.raises(workspace.ProjectNotFoundError, match="mine, which is not a folder"):
        trainer.load("gan")
    (project / "mine").mkdir()
    given = project / "mine" / "gan.safetensors"
    given.write_bytes(b"damaged")
    with pytest.raises(checkpoints.WeightsError, match=r"mine/gan\.safetensors"):
        weights_files.find("gan")
    put(given, TINY["vae"])
    with pytest.raises(checkpoints.WeightsError, match="trained as vae: weights do not fit Gen"):
        trainer.load("gan")


def test_given_weights_of_an_impossible_configuration_are_refused(project, monkeypatch):
    monkeypatch.setenv("LATENTWALK_WEIGHTS", str(project / "mine"))
    put(places("gan")[1], TINY["gan"], mark=0.5)
    whole = metadata(TINY["gan"])
    wrong = {"latent_size": -1} | {
        k: v for k, v in whole.recipe.configuration.items() if k != "latent_size"
    }
    bad = dataclasses.replace(whole, recipe=dataclasses.replace(whole.recipe, configuration=wrong))
    checkpoints.save_weights(project / "mine" / "gan.safetensors", {"a": torch.zeros(1)}, bad)
    with pytest.raises(checkpoints.WeightsError, match=r"GanConfig\.latent_size is -1"):
        trainer.load("gan")


def test_training_never_writes_among_the_given_weights(project, monkeypatch):
    monkeypatch.setenv("LATENTWALK_WEIGHTS", str(project / "mine"))
    put(project / "mine" / "classifier.safetensors", TINY["classifier"], mark=0.1)
    before = (project / "mine" / "classifier.safetensors").read_bytes()
    trainer.train(TINY["classifier"])
    assert places("classifier")[0].exists()
    assert (project / "mine" / "classifier.safetensors").read_bytes() == before


def changed_code(path, recipe, **metadata_changes):
    """Write weights whose recorded code is not the code of now."""
    tensors, old = checkpoints.load_weights(path)
    key = replace(old.recipe, code=old.recipe.code | {"train_step": "0" * 64})
    checkpoints.save_weights(path, tensors, replace(old, recipe=key, **metadata_changes))


def test_weights_stay_valid_when_changed_code_computes_the_same(project, caplog):
    caplog.set_level("INFO")
    trainer.fit(TINY["gan"], precision="float32")
    trained = next(paths.checkpoints_dir().glob("*-trained.safetensors"))
    released = places("gan")[1]
    released.parent.mkdir(parents=True)
    released.write_bytes(trained.read_bytes())
    assert weights_files.status("gan")[1][1].state == "valid"
    changed_code(released, TINY["gan"])
    before = released.read_bytes()
    assert weights_files.status("gan")[1][1].state == "valid"
    assert "gan: the code of train_step changed, and repeated steps" in caplog.text
    assert released.read_bytes() == before  # the renewed key lies in build/
    built = places("gan")[0]
    assert checkpoints.load_weights(built)[1].recipe.code == TINY["gan"].key().code
    caplog.clear()
    assert weights_files.find("gan")
    assert caplog.text == ""
    assert weights_files.renew("gan")
    assert checkpoints.load_weights(released)[1].recipe.code == TINY["gan"].key().code
    assert not weights_files.renew("gan")


def test_weights_are_stale_when_changed_code_computes_something_else(project):
    trainer.fit(TINY["gan"], precision="float32")
    path = next(paths.checkpoints_dir().glob("*-trained.safetensors"))
    about = checkpoints.load_weights(path)[1].replay
    changed_code(path, TINY["gan"], replay=about | {"digest": "another"})
    with pytest.raises(WeightsError, match="the code of train_step changed, and the repeated"):
        weights_files.read(path, TINY["gan"])
    changed_code(path, TINY["gan"], replay=about | {"choices": "another"})
    with pytest.raises(WeightsError, match="another precision is chosen"):
        weights_files.read(path, TINY["gan"])


def test_weights_without_a_record_are_stale_when_the_code_changed(project):
    path = put(places("gan")[0], TINY["gan"])
    changed_code(path, TINY["gan"])
    with pytest.raises(WeightsError, match="no repeated steps are recorded"):
        weights_files.read(path, TINY["gan"])
