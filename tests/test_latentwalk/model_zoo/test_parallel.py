import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import places
import psutil
import pytest
import side_targets
import tiny
import torch

from latentwalk import paths
from latentwalk.data import mnist
from latentwalk.model_zoo import parallel, recipes, trainer, weights_files
from latentwalk.training import loop

STEPS = {"short": 3, "dies": 5, "middle": 6, "long": 4}
BATCH_SIZES = {"long": 2}


@pytest.fixture
def started(tmp_path, monkeypatch):
    """`side_by_side.fit` starts `side_targets.work`; gives what it was started with."""
    calls = []

    def start(name, threads, line, lock, seed):
        calls.append((name, threads, line))
        process = parallel._SPAWN.Process(target=side_targets.work, args=(tmp_path, name))
        process.start()
        return process

    steps = STEPS | {"waits": 9, "waits too": 8}
    configs = {k: {"steps": v, "batch_size": BATCH_SIZES.get(k, 1)} for k, v in steps.items()}
    named = {k: SimpleNamespace(config=SimpleNamespace(**v)) for k, v in configs.items()}
    monkeypatch.setattr(parallel, "_start", start)
    monkeypatch.setattr(recipes, "get", named.get)
    monkeypatch.setattr(mnist, "obtain", lambda: None)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    monkeypatch.setattr(loop, "best_device", lambda: torch.device("cpu"))
    return calls


def moment(folder, name, what):
    return float((folder / f"{name}.{what}").read_text().split()[0])


def test_two_at_a_time_the_longest_first_and_a_dead_one_takes_nobody_along(started, tmp_path, said):
    parallel.fit(list(STEPS))
    assert said == ["training short, dies, middle, long: 2 at a time"]
    assert [name for name, _, _ in started] == ["long", "middle", "dies", "short"]
    assert {threads for _, threads, _ in started} == {2}
    assert {line for _, _, line in started[:2]} == {0, 1}
    first_end = min(moment(tmp_path, name, "ended") for name in ("long", "middle"))
    assert first_end < moment(tmp_path, "dies", "began")
    assert (tmp_path / "short.ended").exists()


@pytest.mark.parametrize(
    ("names", "threads", "device"),
    [(["long"], 4, "cpu"), (list(STEPS), 1, "cpu"), (list(STEPS), 4, "cuda")],
    ids=["one model", "one core", "a GPU"],
)
def test_nothing_is_started_where_it_would_not_help(names, threads, device, started, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(loop, "best_device", lambda: torch.device(device))
    parallel.fit(names, lambda line: pytest.fail(line))
    assert started == []


@pytest.fixture
def interruptible():
    """As in a terminal; what a shell starts in the background ignores the interrupt."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interrupting_ends_both(started, interruptible, tmp_path):
    def interrupt():
        while len(list(tmp_path.glob("waits*.began"))) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)  # raised in this thread, it would wake nobody

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        parallel.fit(["waits", "waits too"], lambda line: None)
    numbers = [int(path.read_text().split()[1]) for path in tmp_path.glob("waits*.began")]
    assert len(numbers) == 2
    assert not any(psutil.pid_exists(number) for number in numbers)


def test_what_trains_ignores_the_terminal_s_interrupt(monkeypatch, tmp_path):
    monkeypatch.setattr(parallel, "_fit_here", side_targets.say_whether_interrupts_are_ignored)
    before, lock = signal.getsignal(signal.SIGINT), parallel._SPAWN.RLock()
    process = parallel._start(str(tmp_path / "answer"), 1, 0, lock)
    process.join()
    assert (tmp_path / "answer").read_text() == "True"
    assert signal.getsignal(signal.SIGINT) == before


def test_what_trains_ends_with_what_started_it_however_that_ends(tmp_path):
    number = tmp_path / "number"
    program = "import sys, side_targets; side_targets.start_one(sys.argv[1])"
    starter = subprocess.Popen([sys.executable, "-c", program, str(number)], cwd=places.TESTS)
    while not (number.exists() and number.read_text()):
        assert starter.poll() is None
        time.sleep(0.1)
    trainer = psutil.Process(int(number.read_text()))
    assert trainer.is_running()
    starter.kill()
    starter.wait()
    trainer.wait(timeout=60)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Two tiny models on toy digits in an empty project."""
    monkeypatch.setenv("LATENTWALK_ROOT", str(tmp_path))
    monkeypatch.setenv("LATENTWALK_BUILD", str(tmp_path / "build"))
    known = recipes.recipes()
    configs = {"gan": tiny.GAN, "vae": tiny.VAE}
    chosen = {k: dataclasses.replace(known[k], config=config) for k, config in configs.items()}
    monkeypatch.setattr(recipes, "recipes", lambda: chosen)
    monkeypatch.setattr(mnist, "load", lambda split: tiny.toy_digits())
    monkeypatch.setattr(trainer, "measure", lambda *_, **__: {"frechet_ratio": 2.0})


@pytest.fixture
def in_this_process(monkeypatch):
    """`_fit_here` leaves this process as it was."""
    threads, handler = torch.get_num_threads(), signal.getsignal(signal.SIGTERM)
    yield
    torch.set_num_threads(threads)
    signal.signal(signal.SIGTERM, handler)


def test_another_seed_is_another_training(small, in_this_process, monkeypatch):
    parallel._fit_here("gan", 1, 0, parallel._SPAWN.RLock(), seed=5)

    def fit(*_, seed, **__):
        raise loop.TrainingDiverged(f"trained again from {seed}")

    monkeypatch.setattr(loop, "fit", fit)
    trainer.fit(recipes.get("gan", 5))
    with pytest.raises(loop.TrainingDiverged, match="again from 2017"):
        trainer.fit(recipes.get("gan"))


def test_what_was_trained_ahead_is_only_measured_afterwards(small, in_this_process, monkeypatch):
    parallel._fit_here("gan", 1, 0, parallel._SPAWN.RLock())
    assert not paths.built_weights_dir().exists()
    monkeypatch.setattr(loop, "fit", lambda *_, **__: pytest.fail("trained again"))
    released = trainer.train(recipes.get("gan"))
    assert released.metadata.metrics == {"frechet_ratio": 2.0}
    assert released.metadata.threads == 1
    assert weights_files.status("gan")[0][1].state == "valid"
    assert not list(paths.checkpoints_dir().iterdir())


def test_bars_have_a_name_and_a_line_of_their_own(small, in_this_process, monkeypatch):
    made = []
    bar = loop.tqdm
    monkeypatch.setattr(loop, "tqdm", lambda **options: made.append(options) or bar(**options))
    parallel._fit_here("vae", 1, 1, parallel._SPAWN.RLock())
    assert [(bar["desc"], bar["position"]) for bar in made if "desc" in bar] == [("vae", 1)]


def test_a_training_that_is_ended_leaves_its_loop_in_order(small, in_this_process, monkeypatch):
    left = []

    def fit(*_, **__):
        try:
            signal.raise_signal(signal.SIGTERM)
            time.sleep(side_targets.LONG)
        finally:  # where the bar of `training.fit` wipes its line
            left.append(True)

    monkeypatch.setattr(loop, "fit", fit)
    parallel._fit_here("gan", 1, 0, parallel._SPAWN.RLock())
    assert left == [True]


def test_a_training_that_fails_ahead_fails_again_where_it_is_seen(
    small, in_this_process, monkeypatch
):
    def diverge(*_, **__):
        raise loop.TrainingDiverged("generator_loss was nan at step 3")

    monkeypatch.setattr(loop, "fit", diverge)
    parallel._fit_here("gan", 1, 0, parallel._SPAWN.RLock())
    with pytest.raises(loop.TrainingDiverged, match="step 3"):
        trainer.train(recipes.get("gan"))
