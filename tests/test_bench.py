"""The programs of bench/ run, on models small enough to train in a moment."""

import contextlib
import dataclasses
import importlib
import os
import re
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import class_targets
import commands
import growth
import numpy as np
import page
import parts
import pytest
import quality
import report_table
import reproduce
import steps
import textbook
import tiny
import torch

from latentwalk import paths
from latentwalk.data import mnist
from latentwalk.model_zoo import parallel, recipes, seeds, trainer, weights_files
from latentwalk.models import gan, vae
from latentwalk.models.classifier import Classifier
from latentwalk.training import checkpoints
from problemset import workspace
from problemset.grading.batch import roster
from problemset.grading.batch.job import JobResult

class_ = importlib.import_module("class")  # the program bench/class.py, a reserved word
several = importlib.import_module("seeds")  # the program bench/seeds.py


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
    monkeypatch.setattr(trainer, "measure", lambda *_, **__: dict(found))
    monkeypatch.setattr(mnist, "load", lambda split: tiny.toy_digits(80))
    # other processes would have other recipes
    monkeypatch.setattr(parallel, "fit", lambda names, seed=None: print(f"ahead: {names}"))
    return tmp_path, found


def test_steps_prints_a_rate_for_each_model_and_way(small, monkeypatch, capsys):
    options = ["--steps", "1", "--repetitions", "3", "--models", "gan", "vae"]
    monkeypatch.setattr(sys, "argv", ["steps.py", *options])
    steps.main()
    title, where, about, header, *rows, _ = capsys.readouterr().out.splitlines()
    assert title == "Training steps"
    assert where == report_table.saved_tables()[0].where()
    assert about.startswith("3 x 1 steps")
    assert re.search(r"\d+ in float32 and \d+ in bfloat16 GFLOP/s$", about)
    cases = [tuple(row.split()[:2]) for row in rows]
    ways = ("float32", "bfloat16", "textbook")
    assert cases == [(m, way) for m in ("gan", "vae") for way in ways]
    for row in rows:
        median, lowest, highest = map(float, row.split()[2:5])
        assert 0 < lowest <= median <= highest
    assert header.split()[2:5] == ["images/s", "lowest", "highest"]
    (table,) = report_table.saved_tables()
    assert [(row["model"], row["way"]) for row in table.rows] == cases
    for row in table.rows:
        assert row["share_of_peak"] > 0
        size = 64 if row["way"] == "textbook" else tiny.GAN.batch_size
        assert row["images_per_second"] * row["milliseconds"] / 1000 == pytest.approx(size)
        usual = next(
            each
            for each in table.rows
            if each["model"] == row["model"] and each["way"] == "textbook"
        )
        times = row["images_per_second"] / usual["images_per_second"]
        assert row["times_textbook"] == pytest.approx(times)


def test_parts_of_a_step_are_its_whole(small, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["parts.py", "--steps", "8", "--models", "gan", "vae"])
    parts.main()
    (table,) = report_table.saved_tables()
    assert [row["model"] for row in table.rows] == ["gan", "vae"]
    for row in table.rows:
        shares = {kind: row[kind] for kind in parts.ORDER}
        assert sum(shares.values()) == pytest.approx(1, abs=0.02)
        assert min(shares.values()) > 0, shares


def test_what_an_optimiser_calls_is_its_own():
    def event(name, caller=None):
        return SimpleNamespace(name=name, cpu_parent=caller)

    step = event("Optimizer.step#Muon.step")
    assert parts.kind(event("aten::mm", event("aten::matmul", step))) == "optimiser"
    assert parts.kind(event("aten::mm")) == "matrix products"
    assert parts.kind(event("aten::mkldnn_convolution")) == "convolutions"
    assert parts.kind(event("aten::native_batch_norm_backward")) == "batch norm"
    assert parts.kind(event("aten::index", event("data"))) == "data"
    assert parts.kind(event("aten::silu_")) == "elementwise"


def test_growth_changes_one_thing_at_a_time():
    reported = {name: recipes.get(name) for name in growth.NAMES}
    for point in growth.points():
        config, usual = point.recipe().config, reported[point.model].config
        changed = {
            field.name
            for field in dataclasses.fields(usual)
            if getattr(config, field.name) != getattr(usual, field.name)
        }
        allowed = {
            "batch size": {"batch_size"},
            "latent size": {"latent_size"},
            "width": {"width", "discriminator_width", "encoder_width"},
        }.get(point.what, set())
        assert changed <= allowed
    whats = {point.what for point in growth.points()}
    assert whats >= {"batch size", "width", "latent size", "threads", "digits"}
    wide = growth.Point("vae", "width", 64).recipe().config
    assert wide.encoder_width / wide.width == (
        reported["vae"].config.encoder_width / reported["vae"].config.width
    )


def test_growth_measures_a_point(small, monkeypatch):
    monkeypatch.setitem(growth.LADDERS, "batch size", (4, 8))
    found = growth.measure(growth.Point("vae", "batch size", 8), count=2, repetitions=2)
    assert found["images_per_second"] * found["milliseconds"] / 1000 == pytest.approx(8)
    parameters = sum(each.numel() for each in vae.Vae(tiny.VAE).parameters())
    assert found["parameters"] == parameters
    assert found["mebibytes"] > 100


def test_growth_says_which_point_failed():
    options = SimpleNamespace(steps=1, repetitions=1)
    with pytest.raises(RuntimeError, match=r"(?s)value=-3.*batch_size is -3"):
        growth.measure_apart(growth.Point("vae", "batch size", -3), options)


def trained(model, steps, seconds, way=quality.OURS, **numbers):
    empty = dict.fromkeys(quality.NUMBERS)
    return {"model": model, "way": way, "steps": steps, "seconds": seconds, **empty, **numbers}


def test_time_to_quality_is_that_of_the_shortest_training_that_all_seeds_pass_with():
    rows = [
        trained("cgan", 10, 1.0, label_agreement_percent=96.0, frechet_ratio=9.0),
        trained("cgan", 10, 2.0, label_agreement_percent=96.0, frechet_ratio=11.0),
        trained("cgan", 20, 3.0, label_agreement_percent=99.0, frechet_ratio=4.0),
        trained("cgan", 20, 5.0, label_agreement_percent=97.0, frechet_ratio=3.0),
    ]
    found = [(row["seeds"], row["steps"], row["seconds"]) for row in quality.reached(rows)]
    assert found == [
        ("2 of 2", 10, 1.5),
        ("2 of 2", 20, 4.0),
        ("0 of 2", None, None),
        ("0 of 2", None, None),
    ]
    (first, *_) = quality.reached([trained("vae_flow", 7, 2.0, log_likelihood_nats=-89.0)])
    assert (first["goal"], first["seconds"]) == ("bound, nats -90", 2.0)


def test_time_to_quality_keeps_the_textbook_apart_and_gives_the_spread():
    rows = [
        trained("vae_flow", 7, 2.0, log_likelihood_nats=-89.0),
        trained("vae_flow", 7, 4.0, log_likelihood_nats=-89.0),
        trained("vae_flow", 5, 1.0, way=quality.TEXTBOOK, log_likelihood_nats=-95.0),
        trained("vae_flow", 9, 6.0, way=quality.TEXTBOOK, log_likelihood_nats=-89.5),
    ]
    first, *_ = quality.reached(rows)
    assert (first["way"], first["seconds"], first["lowest"], first["highest"]) == ("ours", 3, 2, 4)
    usual = next(row for row in quality.reached(rows) if row["way"] == quality.TEXTBOOK)
    assert (usual["goal"], usual["steps"], usual["seconds"]) == ("bound, nats -90", 9, 6.0)


def test_quality_trains_for_each_length_and_measures(small, monkeypatch, capsys):
    lengths = []
    monkeypatch.setattr(quality, "LENGTHS", {"vae": (2, 3)})
    monkeypatch.setattr(quality, "TEXTBOOK_MOMENTS", {"vae": (1, 4)})
    goals = [{"log_likelihood_nats": bound} for bound in (-90, -86.8)]
    monkeypatch.setattr(quality, "GOALS", {"vae": goals})

    def measure_samples(network, classifier, train, test):
        assert not network.training
        lengths.append(network.config.steps)
        return {"frechet_ratio": 5.0 / len(lengths)}

    monkeypatch.setattr(quality.measures, "measure_samples", measure_samples)
    monkeypatch.setattr(
        quality.measures, "measure_likelihood", lambda *_: {"log_likelihood_nats": -88.0}
    )
    monkeypatch.setattr(trainer, "load", lambda *_: SimpleNamespace(network=None))
    monkeypatch.setattr(sys, "argv", ["quality.py", "--models", "vae", "--seeds", "5"])
    quality.main()
    rows, passed = report_table.saved_tables()
    assert lengths == [2, 3, tiny.VAE.steps, tiny.VAE.steps]
    assert [(row["way"], row["steps"]) for row in rows.rows] == [
        ("ours", 2),
        ("ours", 3),
        ("textbook", 1),
        ("textbook", 4),
    ]
    assert [row["frechet_ratio"] for row in rows.rows] == pytest.approx([5, 5 / 2, 5 / 3, 5 / 4])
    assert all(row["seconds"] > 0 for row in rows.rows)
    assert rows.rows[2]["seconds"] < rows.rows[3]["seconds"]
    assert [row["steps"] for row in passed.rows] == [2, None, 1, None]
    assert "label_agreement_percent" not in rows.columns  # nothing was measured of it
    assert [rows.name, passed.name] == ["quality_vae", "goals_vae"]
    more = ["quality.py", "--models", "vae", "--seeds", "4", "5", "--lengths", "3", "--add"]
    monkeypatch.setattr(sys, "argv", more)
    quality.main()
    added, _ = report_table.saved_tables()
    assert [(row["steps"], row["seed"]) for row in added.rows] == [
        (2, 5),
        (3, 4),
        (3, 5),
        (1, 5),
        (4, 5),
    ]
    again = added.rows.pop(2)  # the newer takes the place of the older
    assert (again["frechet_ratio"], rows.rows[1]["frechet_ratio"]) == (5.0 / 6, 5.0 / 2)
    assert [row for row in added.rows if row["seed"] == 5] == [rows.rows[0], *rows.rows[2:]]


MACHINE = {"device": "CPU (A)", "cores": 4, "threads": 2, "python": "3.11", "torch": "2"}


def table(name, rows, machine=MACHINE):
    columns = {"what": report_table.Column("what"), "much": report_table.Column("how much", ".1f")}
    return report_table.Table(name, f"The {name}", columns, rows, "Twice", machine)


def test_tables_are_kept_by_name_with_raw_numbers(small, capsys):
    first = table("a", [{"what": "x", "much": 1.26}, {"what": "long|er", "much": None}])
    for each in (first, table("b", []), table("a", [{"what": "y", "much": 2.04}]), first):
        each.keep()
    again = report_table.saved_tables()
    assert [each.name for each in again] == ["a", "b"]
    assert again[0] == first
    assert capsys.readouterr().out.split("\n\n")[0].splitlines() == [
        "The a",
        "CPU (A), 2 of 4 cores, python 3.11, torch 2",
        "Twice",
        "what     how much",
        "x             1.3",
        "long|er          ",
    ]


def test_page_puts_the_tables_below_the_marker(small, monkeypatch, tmp_path, capsys):
    document = tmp_path / "benchmarks.md"
    document.write_text("# Words\n", "utf-8")
    monkeypatch.setattr(sys, "argv", ["page.py", str(document)])
    with pytest.raises(SystemExit, match="run `make bench` first"):
        page.page()
    table("a", [{"what": "x", "much": 1.26}]).keep()
    with pytest.raises(SystemExit, match="has no line"):
        page.main()
    document.write_text(f"# Words\n\n{page.MARKER}\n\nold\n", "utf-8")
    page.main()
    words, written = document.read_text("utf-8").split(page.MARKER)
    assert words == "# Words\n\n"
    assert "old" not in written
    assert "### The a" in written
    assert "| x | 1.3 |" in written


def test_operations_are_those_of_the_layers():
    layer = torch.nn.Conv2d(3, 5, 3, padding=1, bias=False)
    images = torch.randn(2, 3, 7, 7)

    def take(steps):
        for _ in range(steps):
            layer(images)

    assert steps.operations(take) == 2 * (2 * 5 * 7 * 7) * (3 * 3 * 3)


@pytest.mark.parametrize(
    ("model", "config"),
    [(gan, tiny.GAN), (gan, tiny.CGAN), (vae, tiny.VAE)],
    ids=["gan", "cgan", "vae"],
)
def test_the_textbook_trains_the_same_networks(model, config, monkeypatch):
    ours = tiny.fresh(model, config)
    networks = (ours.generator, ours.discriminator) if model is gan else (ours.network,)
    trained = []

    class Adam(torch.optim.Adam):
        def __init__(self, parameters, *rest, **more):
            super().__init__(parameters, *rest, **more)
            trained.extend(self.param_groups[0]["params"])

    monkeypatch.setattr(torch.optim, "Adam", Adam)
    take = textbook.begin(config, tiny.toy_digits(80)).take
    shapes = [tuple(each.shape) for network in networks for each in network.parameters()]
    assert [tuple(each.shape) for each in trained] == shapes
    before = [each.detach().clone() for each in trained]
    take(3)
    assert not any(map(torch.equal, before, trained))


def test_the_textbook_needs_a_batch_of_digits():
    with pytest.raises(ValueError, match="63 digits, expected at least 64"):
        textbook.begin(tiny.GAN, tiny.toy_digits(63))


def test_a_textbook_s_picture_is_the_digit(digits):
    picture, label = textbook.Pictures(digits)[7]
    assert torch.equal(picture, mnist.to_unit(digits.images[7:8])[0])
    assert label == digits.labels[7]


HOLD = "b = bytearray(100 * 2**20); import time; time.sleep(3)"


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


def test_commands_gives_a_row_for_each(small, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["commands.py", "--repetitions", "2", "--commands", "help"])
    commands.main()
    (table,) = report_table.saved_tables()
    (row,) = table.rows
    assert row["command"] == "latentwalk --help"
    assert 0 < row["lowest"] <= row["seconds"] <= row["highest"]
    assert row["mebibytes"] > 0
    assert "Median of 2 runs" in capsys.readouterr().out


def test_what_lies_outside_its_margin_is_told_apart(small):
    then = {"label_agreement_percent": 99.5, "frechet_ratio": 2.0, "label_distance": 0.1}
    now = {"label_agreement_percent": 98.0, "frechet_ratio": 2.9, "label_distance": 9.0, "new": 1.0}
    verdicts = {row.metric: row.verdict for row in reproduce.compare("cgan", then, now)}
    assert verdicts == {
        "label_agreement_percent": "outside",
        "frechet_ratio": "within",
        "label_distance": "",
        "new": "",
    }
    (row,) = reproduce.compare("gan", {"frechet_ratio": 2.0}, {"frechet_ratio": 3.1})
    assert (row.verdict, row.margin) == ("outside", 1.0)
    for seed, ratio in enumerate((2.0, 2.5, 3.0, 3.5)):
        seeds.keep(seeds.Run("gan", seed, "", "CPU", 1.0, {"frechet_ratio": ratio}))
    (row,) = reproduce.compare("gan", {"frechet_ratio": 2.0}, {"frechet_ratio": 3.1})
    assert row.verdict == "within", "as far apart as seeds may be"
    assert row.margin == pytest.approx(3.182 * (5 / 12) ** 0.5 * 2**0.5)


def test_reproduce_refuses_the_report_s_own_build(small, monkeypatch, capsys):
    monkeypatch.delenv("LATENTWALK_BUILD")
    assert reproduce.main() == 2
    assert "as `make reproduce` does" in capsys.readouterr().out
    assert not (workspace.project_root() / "build").exists()


def test_reproduce_compares_and_starts_anew_only_when_it_was_complete(small, monkeypatch, capsys):
    folder, found = small
    assert reproduce.main() == 0, "there is nothing to compare with"
    said = capsys.readouterr().out
    assert "nothing to compare with" in said
    assert "ahead: ['gan', 'vae']" in said
    weights_files.release(["gan", "vae"])
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
                address: SimpleNamespace(job=SimpleNamespace(name=name))
                for address, name in (("a", "hanging"), ("b", "copy-000"))
            }

        def __call__(self, jobs, grader):
            seen.append([job.name for job in jobs])
            for n, job in enumerate(jobs):
                hangs = job.name == "hanging"
                yield n, JobResult("hangs", seconds=4.0) if hangs else grader(job)

    def one_by_one(
        reference, places, out, items, *, rubric, grader, grade_all, again=False, **more
    ):
        assert more == {"notebook": False}
        jobs = [class_targets.job(place.folder) for place in places]
        score = class_targets.scored()
        return [
            roster.Row(places[n], None if done.says else score, done.seconds, done.says)
            for n, done in grade_all(jobs, grader)
        ]

    client = SimpleNamespace(run=lambda function: {"a": 11, "b": 22})
    monkeypatch.setattr(class_, "BOMB_ENTRIES", 1000)
    monkeypatch.setattr(class_, "grade_or_hang", lambda job: JobResult(seconds=2.0))
    monkeypatch.setattr(class_.cluster, "local", lambda n: contextlib.nullcontext(client))
    monkeypatch.setattr(class_.cluster, "Dispatch", Cluster)
    monkeypatch.setattr(class_.grade_class, "grade_class", one_by_one)
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


def test_two_trainings_differ_by_root_2_deviations_times_student_s_t():
    found = [SimpleNamespace(metrics={"x": value}) for value in (1.0, 3.0)]  # deviation root 2
    assert reproduce.two_trainings(found, "x") == pytest.approx(12.706 * 2)
    assert reproduce.two_trainings(found[:1], "x") == 0


def test_class_plays_the_hanging_one_only():
    def outcome(job):
        return job.name

    assert class_.grade_or_hang(class_targets.job(Path("copy-000")), outcome) == "copy-000"


# ---- seeds


@pytest.fixture
def few_seeds(small, monkeypatch):
    folder, found = small
    network = tiny.shaken(Classifier(tiny.CLASSIFIER)).eval()
    classifier = SimpleNamespace(
        network=network,
        recipe=SimpleNamespace(config=tiny.CLASSIFIER),
        metadata=SimpleNamespace(network_digest="j" * 64),
    )
    load = trainer.load
    monkeypatch.setattr(
        trainer, "load", lambda name: classifier if name == "classifier" else load(name)
    )
    digits = {"train": tiny.toy_digits(80), "test": tiny.toy_digits(60, seed=1)}
    monkeypatch.setattr(mnist, "load", lambda split: digits[split])
    monkeypatch.setattr(several.seeds, "PAIRS", 6)
    monkeypatch.setattr(several.teaching.drawn_digits, "__defaults__", (50,))
    options = ["--models", "gan", "vae", "--seeds", "2017", "5", "6"]
    monkeypatch.setattr(sys, "argv", ["seeds.py", *options])
    return folder, found


def test_seeds_trains_what_is_missing_measures_paths_and_prints_means(
    few_seeds, monkeypatch, capsys
):
    folder, found = few_seeds
    assert several.main() == 0
    kept_runs = seeds.load()
    models = [(run.model, run.seed) for run in kept_runs]
    assert models == [(m, s) for m in ("gan", "gan+vae", "vae") for s in (5, 6, 2017)]
    assert seeds.path() == folder / "assets" / "seeds.json"
    measured = dict(kept_runs[0].metrics)
    assert 0 <= measured.pop("taught_accuracy_percent") <= 100
    assert measured == found
    walks = [run.metrics for run in kept_runs if run.model == "gan+vae"]
    assert walks[0]["GAN, random inputs: steadiness"] != walks[1]["GAN, random inputs: steadiness"]
    assert walks[0]["jump between test images: margin"] == 0
    printed = capsys.readouterr().out
    assert "gan: seeds 5, 6, 2017" in printed
    assert printed.count("ahead: ['gan', 'vae']") == 2, "the report's own are not trained again"
    assert re.search(r"frechet_ratio +2\.0000 \+- 0\.0000", printed)
    for function in (several.measured, several.walked):
        monkeypatch.setattr(several, function.__name__, lambda *_: pytest.fail("done again"))
    assert several.main() == 0


def test_seeds_measures_again_what_lacks_a_measurement(few_seeds, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["seeds.py", "--models", "gan", "--seeds", "5"])
    assert several.main() == 0
    (whole,) = seeds.load()
    part = {k: v for k, v in whole.metrics.items() if k != "taught_accuracy_percent"}
    seeds.keep(dataclasses.replace(whole, metrics=part))
    assert several.main() == 0
    assert seeds.load() == [whole]


def test_seeds_refuses_weights_of_the_user_s(few_seeds, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LATENTWALK_WEIGHTS", str(tmp_path))
    assert several.main() == 2
    assert "LATENTWALK_WEIGHTS" in capsys.readouterr().out


def test_seeds_refuses_the_report_s_own_build_folder(few_seeds, monkeypatch, capsys):
    monkeypatch.delenv("LATENTWALK_BUILD")
    assert several.main() == 2
    assert "folder of its own" in capsys.readouterr().out
