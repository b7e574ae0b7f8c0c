import json
import math
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from latentwalk.training import checkpoints, tensor_file
from latentwalk.training.checkpoints import (
    CheckpointError,
    WeightsError,
    load_checkpoint,
    load_into,
    load_weights,
    save_checkpoint,
    save_weights,
    status,
)
from latentwalk.training.provenance import RecipeKey, WeightsMetadata

KEY = RecipeKey({"latent_size": 16}, "d", {"models/gan.py": "c"})
METADATA = WeightsMetadata(
    name="gan",
    recipe=KEY,
    seed=1,
    steps=10,
    versions={"torch": "2"},
    device="CPU (x)",
    threads=2,
    seconds=1.5,
    metrics={"frechet": 2.0},
)


def network(width=3):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.BatchNorm2d(width))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "weights" / "gan.safetensors"
    save_weights(path, network().state_dict(), METADATA)
    return path


# ---- released weights


def test_weights_round_trip(file):
    tensors, metadata = load_weights(file, KEY)
    other = network()
    nn.init.zeros_(other[0].weight)
    load_into(other, tensors)
    assert torch.equal(other[0].weight, network()[0].weight)
    assert metadata.tensor_digest == tensor_file.tensor_digest(network().state_dict())
    assert metadata.recipe == KEY
    assert status(file, KEY) == checkpoints.WeightsStatus("valid", "")


def test_saving_returns_the_complete_metadata(file):
    returned = save_weights(file, network().state_dict(), METADATA)
    assert returned.tensor_digest
    assert returned == load_weights(file)[1]


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (RecipeKey({"latent_size": 32}, "d", KEY.code), "latent_size changed from 16 to 32"),
        (RecipeKey(KEY.configuration, "e", KEY.code), "the training data changed"),
    ],
)
def test_stale_weights_name_the_reason(file, now, words):
    with pytest.raises(WeightsError, match=f"is stale: .*{words}") as got:
        load_weights(file, now)
    assert got.value.problem == "stale"
    assert status(file, now).state == "stale"
    assert words in status(file, now).reason
    load_weights(file)  # without a key it is still readable


def test_status_of_missing_and_damaged_weights(file):
    assert status(file.with_name("none.safetensors"), KEY).state == "missing"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert status(file, KEY).state == "damaged"
    assert "cut short" in status(file, KEY).reason


def test_a_checkpoint_is_not_weights_and_the_reverse(file, tmp_path):
    save_checkpoint(tmp_path / "c", {"step": 1})
    with pytest.raises(WeightsError, match="holds no released weights"):
        load_weights(tmp_path / "c")
    with pytest.raises(CheckpointError, match="holds no half-finished training"):
        load_checkpoint(file)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda t: t.update({"0.weight": torch.zeros(4, 1, 3, 3)}),
            r"0\.weight is \(4, 1, 3, 3\), expected \(3, 1, 3, 3\)",
        ),
        (lambda t: t.pop("0.bias"), r"0\.bias is missing, expected \(3,\)"),
        (lambda t: t.update(extra=torch.zeros(2)), r"extra is \(2,\), expected no such tensor"),
    ],
)
def test_weights_that_do_not_fit_are_named_and_change_nothing(change, words):
    tensors = {name: tensor + 1 for name, tensor in network().state_dict().items()}
    change(tensors)
    target = network()
    with pytest.raises(WeightsError, match=words) as got:
        load_into(target, tensors)
    assert got.value.problem == "misfit"
    assert "\n" not in str(got.value)
    assert torch.equal(target[1].weight, network()[1].weight)


def test_loading_into_a_network_accepts_half_precision():
    tensors = {name: tensor.half() for name, tensor in network().state_dict().items()}
    target = network()
    load_into(target, tensors)
    assert target[0].weight.dtype == torch.float32
    assert torch.equal(target[0].weight, network()[0].weight.half().float())


def test_manifest_is_computed_from_the_files(file):
    save_weights(file.with_name("vae.safetensors"), {"a": torch.zeros(1)}, METADATA)
    file.with_name(".vae.1234.safetensors").write_bytes(b"half written")
    written = json.loads(checkpoints.write_manifest(file.parent).read_text())
    assert written.keys() == {"gan.safetensors", "vae.safetensors"}
    entry = written["gan.safetensors"]
    assert entry["bytes"] == file.stat().st_size
    assert entry["recipe_key"] == KEY.digest
    assert entry["recipe"]["configuration"] == {"latent_size": 16}
    assert entry["sha256"] != written["vae.safetensors"]["sha256"]


def test_manifest_with_a_damaged_file_is_refused(file):
    file.write_bytes(b"")
    with pytest.raises(WeightsError, match="cut short"):
        checkpoints.write_manifest(file.parent)
    assert not (file.parent / "manifest.json").exists()


# ---- half-finished trainings

DTYPES = [torch.float32, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool]


@st.composite
def tensors(draw):
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    seed = draw(st.integers(0, 9))
    numbers = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 100
    return numbers.to(draw(st.sampled_from(DTYPES)))


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
keys = st.text(max_size=5) | st.integers() | st.booleans() | st.none()
states = st.recursive(
    plain | tensors(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=12,
)


def same(a, b):
    """Equal in value, type and order, down to NaN and the sign of zero."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return (
            a.dtype == b.dtype
            and a.shape == b.shape
            and a.numpy(force=True).tobytes() == (b.numpy(force=True).tobytes())
            if a.dtype != torch.bfloat16
            else same(a.float(), b.float())
        )
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return repr(a) == repr(b)


@settings(max_examples=60)
@given(states)
def test_any_state_survives(state):
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder) / "c", state)
        assert same(load_checkpoint(Path(folder) / "c"), state)


def trained(steps, resume_from=None):
    """Train a small network; the state of everything is saved half-way when asked."""
    net = network().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01, betas=(0.5, 0.99))
    average = torch.optim.swa_utils.AveragedModel(net)
    rng = torch.Generator().manual_seed(3)
    parts = {"net": net, "optimizer": optimizer, "average": average}
    if resume_from:
        saved = load_checkpoint(resume_from)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        rng.set_state(saved["rng"])
    for _ in range(steps):
        optimizer.zero_grad()
        net(torch.randn(4, 1, 6, 6, generator=rng)).square().mean().backward()
        optimizer.step()
        average.update_parameters(net)
    return {name: part.state_dict() for name, part in parts.items()} | {"rng": rng.get_state()}


def test_a_resumed_training_ends_where_an_uninterrupted_one_does(tmp_path):
    save_checkpoint(tmp_path / "c", trained(3))
    resumed, whole = trained(4, tmp_path / "c"), trained(7)
    assert same(dict(resumed["net"]), dict(whole["net"]))
    assert same(dict(resumed["average"]), dict(whole["average"]))
    assert same(resumed["optimizer"], whole["optimizer"])
    assert torch.equal(resumed["rng"], whole["rng"])
    assert not same(dict(whole["net"]), dict(trained(3)["net"]))


def test_optimizer_state_keeps_its_types(tmp_path):
    state = trained(1)["optimizer"]
    save_checkpoint(tmp_path / "c", state)
    back = load_checkpoint(tmp_path / "c")
    assert back["param_groups"][0]["betas"] == (0.5, 0.99)
    assert all(isinstance(key, int) for key in back["state"])
    assert same(back, state)


def test_infinite_numbers_survive(tmp_path):
    save_checkpoint(tmp_path / "c", [math.inf, -math.inf, math.nan, -0.0, 2**70])
    assert repr(load_checkpoint(tmp_path / "c")) == f"[inf, -inf, nan, -0.0, {2**70}]"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"a": [1, {"b": print}]}, r"state\['a'\]\[1\]\['b'\] is a builtin_function_or_method"),
        ({"a": {1, 2}}, r"state\['a'\] is a set"),
        (b"bytes", "state is a bytes"),
        ({"a": Path("x")}, "PosixPath"),
    ],
)
def test_what_cannot_be_saved_is_named_and_the_old_file_stays(tmp_path, state, words):
    save_checkpoint(tmp_path / "c", 5)
    with pytest.raises(ValueError, match=f"{words}.*expected a tensor, number"):
        save_checkpoint(tmp_path / "c", state)
    assert load_checkpoint(tmp_path / "c") == 5


def test_missing_and_damaged_checkpoints(tmp_path):
    with pytest.raises(CheckpointError, match="c is missing") as got:
        load_checkpoint(tmp_path / "c")
    assert got.value.problem == "missing"
    save_checkpoint(tmp_path / "c", {"step": 3, "rng": torch.Generator().get_state()})
    content = bytearray((tmp_path / "c").read_bytes())
    content[-1000] ^= 1
    (tmp_path / "c").write_bytes(content)
    with pytest.raises(CheckpointError, match="was altered"):
        load_checkpoint(tmp_path / "c")
    torch.save({"step": 3}, tmp_path / "c")
    with pytest.raises(CheckpointError, match="refused unread"):
        load_checkpoint(tmp_path / "c")
