"""The measurements over seeds: kept, read, left out when stale, and averaged."""

import json

import pytest
import torch

from latentwalk import recipes, seeds
from latentwalk.seeds import Run


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    path = tmp_path / "seeds.json"
    monkeypatch.setattr(seeds, "path", lambda: path)
    return path


def run(model="gan", seed=1, recipe=None, **metrics):
    return Run(model, seed, recipe or seeds.digest(model, seed), "CPU", 12.5, metrics)


def test_what_is_kept_is_read_again_in_order_and_replaced_by_what_is_newer():
    assert seeds.load() == []
    for kept in (run(seed=3, ratio=2.0), run(seed=2, ratio=1.0), run("cgan", ratio=5.0)):
        seeds.keep(kept)
    seeds.keep(run(seed=3, ratio=7.0))
    assert [(r.model, r.seed, r.metrics) for r in seeds.load()] == [
        ("cgan", 1, {"ratio": 5.0}), ("gan", 2, {"ratio": 1.0}), ("gan", 3, {"ratio": 7.0}),
    ]  # fmt: skip


def test_runs_of_another_recipe_are_left_out_and_named():
    said = []
    seeds.keep(run(seed=1))
    seeds.keep(run(seed=2, recipe="0" * 16))
    assert [found.seed for found in seeds.runs("gan", said.append)] == [1]
    assert said == ["gan: 1 seeds in seeds.json are of another recipe: run `make seeds`"]
    assert seeds.runs("vae", said.append) == []
    assert len(said) == 1


def test_digest_is_of_the_recipe_and_the_seed():
    assert seeds.digest("gan", 2017) == recipes.get("gan").key().digest[:16]
    assert seeds.digest("gan", 1) != seeds.digest("gan", 2) != seeds.digest("cgan", 2)
    assert seeds.digest("gan+vae", 2) == f"{seeds.digest('gan', 2)}+{seeds.digest('vae', 2)}"


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
    quantile = seeds.STUDENT[freedom - 1]
    places = torch.linspace(-quantile, quantile, 200_001, dtype=torch.float64)
    density = torch.distributions.StudentT(torch.tensor(float(freedom)).double()).log_prob(places)
    assert torch.trapezoid(density.exp(), places).item() == pytest.approx(0.95, abs=1e-4)


@pytest.mark.parametrize(
    "content",
    ["{", "[1]", '[{"model": "gan"}]',
     json.dumps([{"model": "gan", "seed": 1, "recipe": "", "device": "", "seconds": 1,
                  "metrics": {"x": "1"}}])],
)  # fmt: skip
def test_damaged_file_is_named(file, content):
    file.write_text(content, "utf-8")
    with pytest.raises(seeds.SeedsError, match=r"seeds\.json"):
        seeds.load()
