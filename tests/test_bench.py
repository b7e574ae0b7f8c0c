"""The programs of bench/ run, on models small enough to train in a moment."""

import contextlib
import dataclasses
import importlib
import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import class_targets
import numpy as np
import pytest
import tiny
import torch

from latentwalk import checkpoints, data, paths, recipes, side_by_side
from latentwalk.grading import roster
from latentwalk.grading.task import Done
from latentwalk.models import gan, vae

sys.path.insert(0, str(Path(__file__).parent.parent / "bench"))
import commands
import reproduce
import steps
import textbook

class_ = importlib.import_module("class")  # the program bench/class.py, a reserved word


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Two tiny recipes in an empty project; gives what measuring them finds."""
    monkeypatch.setenv("LATENTWALK_ROOT", str(tmp_path))
    monkeypatch.setenv("LATENTWALK_BUILD", str(tmp_path / "again"))
    known = recipes.recipes()
    chosen = {
        "gan": dataclasses.replace(known["gan"], config=tiny.GAN),
        "vae": dataclasses.replace(known["vae"], config=tiny.VAE),
    }
    found = {"frechet_ratio": 2.0, "label_distance": 0.1}
    monkeypatch.setattr(recipes, "recipes", lambda: chosen)
    monkeypatch.setattr(recipes, "measure", lambda *_, **__: dict(found))
    monkeypatch.setattr(data, "load", lambda split, say=None: tiny.toy_digits(80))
    # other processes would have other recipes
    monkeypatch.setattr(side_by_side, "fit", lambda names, say: say(f"ahead: {names}"))
    return tmp_path, found


def test_steps_prints_a_rate_for_each_model_and_way(small, monkeypatch, capsys):
    options = ["--steps", "1", "--repetitions", "3", "--models", "gan", "vae"]
    monkeypatch.setattr(sys, "argv", ["steps.py", *options])
    steps.main()
    title, peaks, header, *rows, written = capsys.readouterr().out.splitlines()
    assert title.endswith("3 x 1 steps")
    assert peaks.startswith("convolutions with gradients: float32 ")
    cases = [tuple(row.split()[:2]) for row in rows]
    ways = ("float32", "bfloat16", "textbook")
    assert cases == [(m, way) for m in ("gan", "vae") for way in ways]
    for row in rows:
        median, lowest, highest = map(float, row.split()[2:5])
        assert 0 < lowest <= median <= highest
    assert header.split()[2:5] == ["images/s", "lowest", "highest"]
    content = json.loads(Path(written).read_text("utf-8"))
    assert set(content["peak_operations_per_second"]) == {"float32", "bfloat16"}
    assert [(row["model"], row["way"]) for row in content["rows"]] == cases
    for row in content["rows"]:
        assert row["share_of_peak"] > 0
        size = 64 if row["way"] == "textbook" else tiny.GAN.batch_size
        step = row["milliseconds_per_step"] / 1000
        assert row["images_per_second"] * step == pytest.approx(size)
        usual = next(each for each in content["rows"] if each["model"] == row["model"]
                     and each["way"] == "textbook")  # fmt: skip
        times = row["images_per_second"] / usual["images_per_second"]
        assert row["times_textbook"] == pytest.approx(times)


def test_operations_are_those_of_the_layers():
    layer = torch.nn.Conv2d(3, 5, 3, padding=1, bias=False)
    images = torch.randn(2, 3, 7, 7)

    def take(steps):
        for _ in range(steps):
            layer(images)

    assert steps.operations(take) == 2 * (2 * 5 * 7 * 7) * (3 * 3 * 3)


@pytest.mark.parametrize(
    ("model", "config"), [(gan, tiny.GAN), (gan, tiny.CGAN), (vae, tiny.VAE)],
    ids=["gan", "cgan", "vae"],
)  # fmt: skip
def test_the_textbook_trains_the_same_networks(model, config, monkeypatch):
    ours = tiny.fresh(model, config)
    networks = (ours.generator, ours.discriminator) if model is gan else (ours.network,)
    trained = []

    class Adam(torch.optim.Adam):
        def __init__(self, parameters, *rest, **more):
            super().__init__(parameters, *rest, **more)
            trained.extend(self.param_groups[0]["params"])

    monkeypatch.setattr(torch.optim, "Adam", Adam)
    take = textbook.stepper(config, tiny.toy_digits(80))
    shapes = [tuple(each.shape) for network in networks for each in network.parameters()]
    assert [tuple(each.shape) for each in trained] == shapes
    before = [each.detach().clone() for each in trained]
    take(3)
    assert not any(map(torch.equal, before, trained))


def test_the_textbook_needs_a_batch_of_digits():
    with pytest.raises(ValueError, match="63 digits, expected at least 64"):
        textbook.stepper(tiny.GAN, tiny.toy_digits(63))


def test_a_textbook_s_picture_is_the_digit(digits):
    picture, label = textbook.Pictures(digits)[7]
    assert torch.equal(picture, data.to_unit(digits.images[7:8])[0])
    assert label == digits.labels[7]


HOLD = "b = bytearray(100 * 2**20); import time; time.sleep(1)"


def test_memory_of_a_command_counts_what_it_starts():
    alone = commands.measure([sys.executable, "-c", HOLD], dict(os.environ))
    assert 1 <= alone.seconds < 30
    assert 100 * 2**20 < alone.peak_bytes < 150 * 2**20
    both = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {HOLD!r}]); {HOLD}"
    two = commands.measure([sys.executable, "-c", both], dict(os.environ))
    assert 200 * 2**20 < two.peak_bytes < 300 * 2**20


def test_command_that_fails_is_not_measured():
    with pytest.raises(RuntimeError, match=r"(?s)ended with 3: .*no luck"):
        commands.measure(
            [sys.executable, "-c", "print('no luck', flush=True); raise SystemExit(3)"], {}
        )


def test_commands_prints_a_row_for_each(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["commands.py", "--repetitions", "2", "--commands", "help"])
    commands.main()
    title, header, row = capsys.readouterr().out.splitlines()
    assert title.endswith("2 repetitions")
    assert header.split()[2:4] == ["lowest", "highest"]
    name, *numbers = row.split()
    median, lowest, highest, peak = map(float, numbers)
    assert name == "help"
    assert 0 < lowest <= median <= highest
    assert peak > 0


def test_what_lies_outside_its_margin_is_told_apart():
    then = {"label_agreement_percent": 99.5, "frechet_ratio": 2.0, "label_distance": 0.1}
    now = {"label_agreement_percent": 98.0, "frechet_ratio": 2.9, "label_distance": 9.0, "new": 1.0}
    verdicts = {row.metric: row.verdict for row in reproduce.compare("cgan", then, now)}
    assert verdicts == {
        "label_agreement_percent": "outside", "frechet_ratio": "within", "label_distance": "",
        "new": "",
    }  # fmt: skip
    (row,) = reproduce.compare("gan", {"frechet_ratio": 2.0}, {"frechet_ratio": 3.1})
    assert row.verdict == "outside"


def test_reproduce_refuses_the_report_s_own_build(small, monkeypatch, capsys):
    monkeypatch.delenv("LATENTWALK_BUILD")
    assert reproduce.main() == 2
    assert "as `make reproduce` does" in capsys.readouterr().out
    assert not (paths.project_root() / "build").exists()


def test_reproduce_compares_and_starts_anew_only_when_it_was_complete(small, monkeypatch, capsys):
    folder, found = small
    assert reproduce.main() == 0, "there is nothing to compare with"
    said = capsys.readouterr().out
    assert "nothing to compare with" in said
    assert "ahead: ['gan', 'vae']" in said
    recipes.release(["gan", "vae"])
    found["frechet_ratio"] = 3.5
    assert reproduce.main() == 1
    table = (folder / "again" / "comparison.txt").read_text("utf-8")
    assert table.splitlines()[-1] == "2 of 2 outside their margin"
    (folder / "again" / "comparison.txt").unlink()  # as if interrupted just before the end
    found["frechet_ratio"] = 2.0
    capsys.readouterr()
    assert reproduce.main() == 1, "what was trained before the interruption is kept"
    assert capsys.readouterr().out.count("trained before this run was interrupted") == 2
    metrics = checkpoints.load_weights(paths.built_weights_dir() / "gan.safetensors")[1].metrics
    assert metrics["frechet_ratio"] == 3.5
    assert reproduce.main() == 0


def test_class_measures_with_a_bomb_a_hang_and_a_lost_worker(tmp_path, monkeypatch, capsys):
    (tmp_path / "good/results").mkdir(parents=True)
    (tmp_path / "good/report.pdf").write_bytes(b"report")
    killed, seen = [], []

    class Cluster:
        """Grades one by one; the worker at a hangs, the one at b is on its last submission."""

        def __init__(self, client, limit_seconds):
            self.client = client
            self.running = {
                address: SimpleNamespace(task=SimpleNamespace(name=name))
                for address, name in (("a", "hanging"), ("b", "copy-000"))
            }

        def __call__(self, tasks, carry_out):
            seen.append([task.name for task in tasks])
            for n, task in enumerate(tasks):
                yield n, Done("hangs", seconds=4.0) if task.name == "hanging" else carry_out(task)

    def one_by_one(places, out, items, *, rubric, carry_out, carry_out_all, again=False, **more):
        assert more == {"notebook": False}
        tasks = [class_targets.task(place.folder) for place in places]
        score = class_targets.scored()
        return [
            roster.Row(places[n], None if done.says else score, done.seconds, done.says)
            for n, done in carry_out_all(tasks, carry_out)
        ]

    client = SimpleNamespace(run=lambda function: {"a": 11, "b": 22})
    monkeypatch.setattr(class_, "BOMB_ENTRIES", 1000)
    monkeypatch.setattr(class_, "carry_out_or_hang", lambda task: Done(seconds=2.0))
    monkeypatch.setattr(class_.cluster, "local", lambda n: contextlib.nullcontext(client))
    monkeypatch.setattr(class_.cluster, "Dispatch", Cluster)
    monkeypatch.setattr(class_.classroom, "grade_class", one_by_one)
    monkeypatch.setattr(class_.os, "kill", lambda *asked: killed.append(asked))
    words = ["class.py", str(tmp_path / "good"), "--copies", "3", "--workers", "2", "--limit", "4"]
    monkeypatch.setattr(sys, "argv", words)
    class_.main()
    assert seen == [["copy-000"], ["hanging", "copy-000", "bomb", "copy-001", "copy-002"]]
    assert killed == [(22, signal.SIGKILL)]
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "5 submissions, 2 workers, not graded: hanging"
    assert lines[3] == "alone 2.0 s, busy 12.0 s"
    assert lines[4].startswith("ideal 6.0 s, ratio 0.0")


def test_class_bomb_unpacks_to_more_than_it_is(tmp_path):
    class_.plant_bomb(tmp_path / "4d.npz", 1 << 20)
    assert (tmp_path / "4d.npz").stat().st_size < 1 << 14
    with np.load(tmp_path / "4d.npz") as stored:
        assert stored["images"].nbytes == 4 << 20


def test_class_plays_the_hanging_one_only():
    def outcome(task):
        return task.name

    assert class_.carry_out_or_hang(class_targets.task(Path("copy-000")), outcome) == "copy-000"
