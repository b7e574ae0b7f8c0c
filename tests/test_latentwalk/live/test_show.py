"""The live figure's files, and what a cell shows of it."""

import json
from dataclasses import replace

import pytest
import torch

from latentwalk.experiments import study
from latentwalk.live import show
from problemset import workspace


@pytest.fixture(scope="module")
def work():
    return study.open_study(seed=2017)


@pytest.fixture
def shown(work, tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTWALK_BUILD", str(tmp_path / "elsewhere"))
    samples = work.ten_samples()
    return lambda models=work.released: show.show(
        models, work.test, samples, work.pick_pair(samples)
    )


def data(figure):
    text = (figure.folder / "data.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("const latentwalkData = ").removesuffix(";\n"))


def test_files_lie_in_the_build_folder_and_outputs_are_light(shown):
    figure = shown()
    assert figure.folder == workspace.build_dir() / "live"
    bundle = figure._repr_mimebundle_()
    html = bundle["text/markdown"]
    names = {"live.css", "data.js", "networks.js", "live.js"}
    assert {file.name for file in figure.folder.iterdir()} == names
    for name in names:
        assert f'/live/{name}"' in html
    assert len(str(bundle)) < 4000
    assert "<table" not in html, "Quarto would read it, and print it in the PDF"
    assert "script" not in bundle["text/html"] + bundle["text/plain"]


def test_data_are_those_of_the_models_in_use(shown, work):
    found = data(shown())
    assert found["latentSize"] == len(found["inputs"][0]) == 16
    assert [len(two) for two in found["codes"]] == [2] * 10
    path = work.vae_path((3, 5))
    got = torch.tensor([found["codes"][3][0], found["codes"][5][0]])
    torch.testing.assert_close(got, torch.from_numpy(path.codes[[0, -1]]), atol=1e-5, rtol=1e-5)
    swapped = {**work.released, "gan": replace(work.released["gan_10d"])}
    other = data(shown(swapped))
    assert other["networks"]["gan"] != found["networks"]["gan"]
    assert other["networks"]["vae"] == found["networks"]["vae"]
