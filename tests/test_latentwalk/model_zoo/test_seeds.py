"""The measurements over seeds: kept, read, left out when stale, and averaged."""

import dataclasses
import json
from types import SimpleNamespace

import pytest
import torch
from tiny import GAN

from latentwalk.model_zoo import recipes, seeds
from latentwalk.model_zoo.seeds import Run


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    path = tmp_path / "seeds.json"
    monkeypatch.setattr(seeds, "path", lambda: path)
    return path


CLASSIFIERS = [SimpleNamespace(metadata=SimpleNamespace(network_digest=n * 64)) for n in "ab"]
IN_USE = {
    name: SimpleNamespace(recipe=recipes.get(name), metadata=SimpleNamespace(algorithm=name))
    for name in ("gan", "vae", "cgan")
} | {"classifier": CLASSIFIERS[0]}


def run(model="gan", seed=1, recipe=None, **metrics):
    made_of = recipe or seeds.digest(model, seed, IN_USE)
    return Run(model, seed, made_of, "CPU", 12.5, metrics)


def test_what_is_kept_is_read_again_in_order_and_replaced_by_what_is_newer():
    assert seeds.load() == []
    for kept in (run(seed=3, ratio=2.0), run(seed=2, ratio=1.0), run("cgan", ratio=5.0)):
        seeds.keep(kept)
    seeds.keep(run(seed=3, ratio=7.0))
    assert [(r.model, r.seed, r.metrics) for r in seeds.load()] == [
        ("cgan", 1, {"ratio": 5.0}),
        ("gan", 2, {"ratio": 1.0}),
        ("gan", 3, {"ratio": 7.0}),
    ]


def test_runs_of_another_recipe_or_judge_are_left_out_and_named(said):
    seeds.keep(run(seed=1))
    seeds.keep(run(seed=2, recipe="0" * 16))
    assert [found.seed for found in seeds.runs("gan", IN_USE)] == [1]
    assert said == [
        "gan: 1 seeds in seeds.json have another recipe or classifier: run `make seeds`"
    ]
    assert seeds.runs("vae", IN_USE) == []
    assert len(said) == 1
    own = dataclasses.replace(recipes.get("gan"), config=GAN)
    assert (
        seeds.runs(
            "gan", IN_USE | {"gan": SimpleNamespace(recipe=own, metadata=IN_USE["gan"].metadata)}
        )
        == []
    )
    assert seeds.runs("gan", IN_USE | {"classifier": CLASSIFIERS[1]}) == []
    other_code = SimpleNamespace(recipe=recipes.get("gan"), metadata=IN_USE["vae"].metadata)
    assert seeds.runs("gan", IN_USE | {"gan": other_code}) == []
    of_another_seed = SimpleNamespace(
        recipe=recipes.get("gan", 99), metadata=IN_USE["gan"].metadata
    )
    assert len(seeds.runs("gan", IN_USE | {"gan": of_another_seed})) == 1


def test_digest_is_of_the_recipe_the_seed_and_the_judge():
    found = seeds.digest("gan", 3, IN_USE)
    assert found.endswith(f"+{'a' * 16}")
    assert found != seeds.digest("gan", 4, IN_USE)
    both = seeds.digest("gan+vae", 3, IN_USE).split("+")
    assert both[0] == found.split("+")[0]
    assert len(set(both)) == 3


def test_interval_over_seeds_is_student_s():
    values = [1.0, 2.0, 4.0, 5.0, 8.0]
    found = seeds.over_seeds([run(seed=n, x=v) for n, v in enumerate(values)], "x")
    assert found.value == pytest.approx(4)
    half = 2.776 * (30 / 4) ** 0.5 / 5**0.5
    assert (found.low, found.high) == pytest.approx((4 - half, 4 + half))
    assert seeds.over_seeds([run(x=1.0)], "x") is None
    assert seeds.over_seeds([run(seed=1, x=1.0), run(seed=2)], "x") is None


@pytest.mark.parametrize("freedom", range(1, 10))
def test_quantiles_are_those_of_the_density(freedom):
    quantile = seeds.T_QUANTILES[freedom - 1]
    places = torch.linspace(-quantile, quantile, 200_001, dtype=torch.float64)
    density = torch.distributions.StudentT(torch.tensor(float(freedom)).double()).log_prob(places)
    assert torch.trapezoid(density.exp(), places).item() == pytest.approx(0.95, abs=1e-4)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[1]",
        '[{"model": "gan"}]',
        json.dumps(
            [
                {
                    "model": "gan",
                    "seed": 1,
                    "recipe": "",
                    "device": "",
                    "seconds": 1,
                    "metrics": {"x": "1"},
                }
            ]
        ),
    ],
)
def test_damaged_file_is_named(file, content):
    file.write_text(content, "utf-8")
    with pytest.raises(seeds.SeedsError, match=r"seeds\.json"):
        seeds.load()
