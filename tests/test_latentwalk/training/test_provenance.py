import json
import math
import platform
from dataclasses import dataclass

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from latentwalk.training import provenance
from latentwalk.training.provenance import RecipeKey, WeightsMetadata, recipe_key


@dataclass(frozen=True)
class Config:
    latent_size: int = 16
    betas: tuple = (0.0, 0.99)


def test_digest_depends_on_each_part():
    key = RecipeKey({"a": 1}, "d", {"m.py": "c"})
    others = [
        RecipeKey({"a": 2}, "d", {"m.py": "c"}),
        RecipeKey({"a": 1}, "e", {"m.py": "c"}),
        RecipeKey({"a": 1}, "d", {"m.py": "x"}),
        RecipeKey({"a": 1}, "d", {"n.py": "c"}),
    ]
    assert len({other.digest for other in [key, *others]}) == 5
    assert all(key.changes(other) or key.changed_code(other) for other in others)
    assert key.changes(RecipeKey({"a": 1}, "d", {"m.py": "c"})) == ""


def test_changes_are_named():
    was = RecipeKey({"a": 1, "gone": 2, "same": 3}, "d", {"m.py": "c", "n.py": "c"})
    now = RecipeKey({"a": 1.5, "new": 4, "same": 3}, "e", {"m.py": "x", "n.py": "c"})
    assert was.changes(now).split("; ") == [
        "configuration field a changed from 1 to 1.5",
        "configuration field gone was removed (was 2)",
        "configuration field new is new (4)",
        "the training data changed",
    ]
    assert was.changed_code(now) == ["m.py"]


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), {1, 2}])
def test_a_configuration_that_json_cannot_hold_is_refused(value):
    with pytest.raises(ValueError, match="configuration is not numbers, strings and lists"):
        recipe_key({"a": value}, [], "d")


KEY = RecipeKey({"latent_size": 16}, "d", {"m.py": "c"})


def metadata(**changes):
    usual = {
        "name": "gan",
        "recipe": KEY,
        "seed": 1,
        "steps": 10,
        "versions": {"torch": "2"},
        "device": "CPU (x)",
        "threads": 2,
        "seconds": 1.5,
        "metrics": {"fid": 2.0},
    }
    return WeightsMetadata(**usual | changes)


@given(
    st.text(),
    st.integers(-(2**63), 2**63),
    st.floats(0, 1e12),
    st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
)
def test_metadata_survives_json(name, seed, seconds, metrics):
    meta = metadata(name=name, seed=seed, seconds=seconds, metrics=metrics)
    text = json.dumps(meta.to_json(), sort_keys=True)
    assert WeightsMetadata.from_json(json.loads(text)) == meta
    assert json.loads(text)["recipe_key"] == KEY.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 1},
        {"seed": 1.5},
        {"seed": True},
        {"steps": -1},
        {"threads": 0},
        {"seconds": math.nan},
        {"seconds": math.inf},
        {"seconds": "1"},
        {"metrics": {"a": math.nan}},
        {"metrics": {"a": "1"}},
        {"metrics": [1]},
        {"versions": None},
        {"recipe": {}},
    ],
)
def test_metadata_out_of_range_is_refused(changes):
    (name,) = changes
    with pytest.raises(ValueError, match=f"weights metadata: (metric )?{name[:6]}|metric a"):
        metadata(**changes)


@pytest.mark.parametrize("name", ["name", "recipe", "metrics", "tensor_digest"])
def test_metadata_with_a_missing_field_is_refused(name):
    saved = metadata().to_json()
    del saved[name]
    with pytest.raises(ValueError, match=f"{name} is missing"):
        WeightsMetadata.from_json(saved)


@pytest.mark.parametrize("part", ["configuration", "data_digest", "code"])
def test_recipe_with_a_missing_part_is_refused(part):
    saved = metadata().to_json()
    saved["recipe"] = {**saved["recipe"], part: 5}
    with pytest.raises(ValueError, match=f"recipe's {part} is 5"):
        WeightsMetadata.from_json(saved)


def test_unknown_fields_are_left_out():
    saved = metadata().to_json() | {"later": 1}
    assert WeightsMetadata.from_json(saved) == metadata()


def test_versions_and_device_name_something():
    versions = provenance.library_versions()
    assert versions["python"] == platform.python_version()
    assert versions["torch"] == torch.__version__
    assert {"numpy", "safetensors", "torchvision"} < versions.keys()
    assert provenance.device_name(torch.device("cpu")).startswith("CPU (")
    assert "()" not in provenance.device_name(torch.device("cpu"))
