import json
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from latentwalk.data.mnist import Digits
from latentwalk.evaluation.intervals import Estimate
from latentwalk.experiments import fingerprints  # noqa: F401
from latentwalk.models.gan import GanConfig, Generator
from problemset import cache, file_io, workspace


@dataclass(frozen=True)
class Part:
    name: str
    values: np.ndarray


@dataclass(frozen=True)
class Sample:
    images: np.ndarray
    flags: np.ndarray
    number: float
    count: int
    chosen: bool
    pair: tuple[int, int]
    missing: Estimate | None
    found: Estimate | None
    parts: tuple[Part, ...]
    table: dict[str, Estimate]
    words: list[str]


VERSIONS = {"torch": torch.__version__}
CALLS: list[str] = []


def measure(numbers: np.ndarray, rng: torch.Generator, scale: float = 1.0) -> Sample:
    CALLS.append("measure")
    noise = torch.randn(3, generator=rng).numpy()
    return Sample(
        images=scale * (numbers + noise),
        flags=np.array([[True], [False]]),
        number=0.1 + 0.2,
        count=3,
        chosen=True,
        pair=(4, 2),
        missing=None,
        found=Estimate(1.0, 0.5, 2.0, 0.95),
        parts=(Part("a", np.arange(3)), Part("b", np.zeros((0, 2), np.float32))),
        table={"x y": Estimate(3.0, 2.0, 4.0)},
        words=["é", "#"],
    )


def fail(numbers: np.ndarray, rng: torch.Generator) -> Sample:
    raise RuntimeError("no result")


def weigh(generator: Generator) -> Part:
    CALLS.append("weigh")
    return Part("weights", np.zeros(1))


@pytest.fixture(autouse=True)
def _own_build(tmp_path, monkeypatch):
    monkeypatch.setenv("LATENTWALK_BUILD", str(tmp_path))
    CALLS.clear()


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def obtain(seed=0, weights="gan:1", **arguments):
    arguments = {"numbers": np.arange(3.0), "rng": rng(seed)} | arguments
    return cache.cached_call("2x", measure, {"weights": weights}, VERSIONS, **arguments)


def files():
    return {path.name: path for path in workspace.results_dir().iterdir()}


def assert_same(first, second):
    assert type(first) is type(second)
    if isinstance(first, np.ndarray):
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)
    elif hasattr(first, "__dataclass_fields__"):
        for name in first.__dataclass_fields__:
            assert_same(getattr(first, name), getattr(second, name))
    elif isinstance(first, list | tuple):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    elif isinstance(first, dict):
        assert_same(list(first), list(second))
        assert_same(list(first.values()), list(second.values()))
    else:
        assert first == second


def test_comes_back_as_it_was():
    made = measure(np.arange(3.0), rng())
    assert_same(obtain(), made)
    assert_same(obtain(), made)
    assert set(files()) == {"2x.json", "2x.npz"}


def test_runs_once_for_equal_arguments():
    first = obtain()
    assert_same(obtain(), first)
    assert CALLS == ["measure"]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"weights": "gan:2"},
        {"numbers": np.arange(3.0) + 1e-12},
        {"numbers": np.arange(3.0, dtype=np.float32)},
        {"scale": 2.0},
    ],
)
def test_runs_again_when_something_it_depends_on_changed(change):
    obtain()
    obtain(**change)
    assert CALLS == ["measure"] * 2
    obtain(**change)
    assert CALLS == ["measure"] * 2


def test_runs_again_for_other_weights():
    torch.manual_seed(0)
    generator = Generator(GanConfig(latent_size=2, width=2))
    cache.cached_call("g", weigh, {"weights": "same key"}, generator=generator)
    cache.cached_call("g", weigh, {"weights": "same key"}, generator=generator)
    assert CALLS == ["weigh"]
    with torch.no_grad():
        generator.decoder.entry.bias[0] += 1e-6
    cache.cached_call("g", weigh, {"weights": "same key"}, generator=generator)
    assert CALLS == ["weigh"] * 2


def test_callers_generator_does_not_move():
    mine = rng()
    obtain(rng=mine)
    assert torch.equal(mine.get_state(), rng().get_state())


def edit_json(old, new):
    path = files()["2x.json"]
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def replace_npz(**arrays):
    with np.load(files()["2x.npz"]) as stored:
        content = {name: stored[name] for name in stored.files} | arrays
    np.savez(files()["2x.npz"], **content)


def pickle_npz():
    objects = np.array([{"no": "thanks"}], dtype=object)
    np.savez(files()["2x.npz"], allow_pickle=True, images=objects)


def flip_a_bit(name):
    content = bytearray(files()[name].read_bytes())
    content[len(content) // 2] ^= 1
    files()[name].write_bytes(content)


def cut(name):
    content = files()[name].read_bytes()
    files()[name].write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    "damage",
    [
        lambda: edit_json("0.30000000000000004", "0.4"),
        lambda: edit_json('"count": 3', '"count": 4'),
        lambda: edit_json('"2x"', '"2y"'),
        lambda: replace_npz(images=np.zeros(3)),
        lambda: replace_npz(more=np.zeros(3)),
        pickle_npz,
        lambda: flip_a_bit("2x.npz"),
        lambda: cut("2x.npz"),
        lambda: cut("2x.json"),
        lambda: files()["2x.npz"].unlink(),
        lambda: files()["2x.json"].unlink(),
        lambda: files()["2x.npz"].write_bytes(pickle.dumps({"images": 0})),
        lambda: files()["2x.json"].write_text("[1, 2]"),
        lambda: files()["2x.json"].write_bytes(b"\xff\xfe"),
        lambda: files()["2x.npz"].write_bytes(b""),
    ],
)
def test_damaged_files_are_made_again(damage):
    made = obtain()
    damage()
    with pytest.raises(cache.ResultError) as caught:
        cache.load("2x", Sample)
    assert "\n" not in str(caught.value)
    assert "2x" in str(caught.value)
    assert_same(obtain(), made)
    assert CALLS == ["measure"] * 2
    obtain()
    assert CALLS == ["measure"] * 2


def test_a_result_of_another_kind_is_refused():
    obtain()
    with pytest.raises(cache.ResultError):
        cache.load("2x", Part)


def test_what_was_there_stays_when_making_it_fails():
    made = obtain()
    before = {name: path.read_bytes() for name, path in files().items()}
    with pytest.raises(RuntimeError, match="no result"):
        cache.cached_call(
            "2x", fail, {"weights": "gan:1"}, VERSIONS, numbers=np.arange(3.0), rng=rng()
        )
    assert {name: path.read_bytes() for name, path in files().items()} == before
    assert_same(obtain(), made)
    assert CALLS == ["measure"]


def test_json_names_what_it_was_made_from():
    obtain()
    content = json.loads(files()["2x.json"].read_text())
    assert content["made_from"]["weights"] == "gan:1"
    assert content["made_from"]["function"].endswith("test_cache.measure")
    assert set(content["made_from"]["arguments"]) == {"numbers", "rng"}
    assert content["torch"] == torch.__version__
    assert content["values"]["number"] == 0.1 + 0.2


def test_npz_opens_without_pickles():
    obtain()
    with np.load(files()["2x.npz"], allow_pickle=False) as stored:
        assert set(stored.files) == {"images", "flags", "parts.0.values", "parts.1.values"}
        assert stored["images"].shape == (3,)


def test_code_that_counts_is_all_that_the_function_and_its_arguments_use():
    cache.cached_call(
        "2x", weigh, {"weights": "key"}, VERSIONS, generator=Generator(GanConfig(width=2)).eval()
    )
    content = json.loads(files()["2x.json"].read_text())
    code = content["made_from"]["code"]
    assert {"Decoder.forward", "GanConfig", "NUM_CLASSES"} <= set(code)
    assert "Discriminator" not in code
    assert all(len(digest) == 64 for digest in code.values())


@pytest.mark.parametrize(
    "bad", [float("nan"), float("inf"), np.float32(1), object(), np.array([{}], dtype=object)]
)
def test_refuses_what_json_cannot_hold(bad):
    with pytest.raises(ValueError, match=r"table\.a.*expected"):
        cache.save("2x", {"table": {"a": bad}}, {})
    assert not workspace.results_dir().exists()


@pytest.mark.parametrize("item", ["", "../2x", "a/b", ".x", "a b"])
def test_refuses_an_item_that_is_no_file_name(item):
    with pytest.raises(ValueError, match="item is"):
        cache.load(item, Sample)


def test_refuses_arguments_without_a_description():
    with pytest.raises(ValueError, match="cannot be keyed"):
        obtain(numbers={1, 2})


def test_a_folder_that_cannot_be_written_is_one_clear_line():
    workspace.results_dir().write_text("in the way")
    with pytest.raises(file_io.WriteError, match="cannot write"):
        obtain()


def test_equal_values_and_only_they_are_described_alike():
    digits = Digits(torch.zeros(2, 1, 28, 28, dtype=torch.uint8), torch.tensor([1, 2]))
    same = Digits(digits.images.clone(), digits.labels.clone())
    other = Digits(digits.images.clone(), torch.tensor([1, 3]))
    described = cache.fingerprint
    assert described(digits) == described(same) != described(other)
    assert described(torch.zeros(4)) != described(torch.zeros(2, 2))
    assert described([1, (2, None)]) == [1, [2, None]]
    json.dumps(described({"a": digits, "rng": rng(), "net": torch.nn.Linear(1, 1)}))
