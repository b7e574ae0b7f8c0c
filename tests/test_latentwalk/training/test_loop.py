import itertools
import math
import pickle
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import torch
from tiny import CGAN, CLASSIFIER, CPU, GAN, VAE, rng, toy_digits
from torch import nn

from latentwalk.models import classifier, gan, vae
from latentwalk.training import checkpoints, loop
from latentwalk.training.loop import Schedule, TrainingDiverged, choose_precision, fit

MODELS = pytest.mark.parametrize(
    ("model", "config"),
    [(gan, GAN), (gan, CGAN), (vae, VAE), (classifier, CLASSIFIER)],
    ids=["gan", "cgan", "vae", "classifier"],
)
EACH_STEP = Schedule(rows=8, checkpoint_seconds=0)
DIGITS = toy_digits()


@dataclass
class CounterState:
    """A model of one weight, the fastest thing that `fit` can train."""

    network: nn.Module
    step: int = 0

    @property
    def released(self):
        return self.network

    def state_dict(self):
        return {"network": self.network.state_dict(), "step": self.step}

    def load_state_dict(self, saved):
        self.network.load_state_dict(saved["network"])
        self.step = saved["step"]


def counter(parts=lambda step: {"loss_nats": float(step)}, seen=lambda state: None):
    """A model that adds noise to its weight and returns `parts` of its step, counted from 1."""

    def train_step(state, batch, draws):
        seen(state)
        state.step += 1
        with torch.no_grad():
            state.network.weight += torch.randn(1, generator=draws) + batch.images.mean()
        return state, {name: torch.tensor(value) for name, value in parts(state.step).items()}

    return SimpleNamespace(
        init=lambda config, device: CounterState(nn.Linear(1, 1).to(device)), train_step=train_step
    )


def steps(count):
    return SimpleNamespace(steps=count, batch_size=8)


def run(model, config, seed=0, key="k", precision="float32", **options):
    return fit(model, config, DIGITS, seed=seed, key=key, precision=precision, **options)


def failing(model, at):
    """The same model, which is interrupted before the step of this number."""

    def train_step(state, batch, draws):
        if state.step == at:
            raise KeyboardInterrupt
        return model.train_step(state, batch, draws)

    return SimpleNamespace(init=model.init, train_step=train_step)


def weights(trained):
    return trained.network.state_dict()


def same(first, second):
    pairs = zip(weights(first).items(), weights(second).items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def without_times(history):
    return [{k: v for k, v in row.items() if k != "elapsed_seconds"} for row in history.rows]


def picture(model):
    return lambda network: model.sample(network, 4, rng(9)).images


def test_rows_are_means_since_the_row_before():
    rows = run(counter(), steps(20), schedule=Schedule(rows=4)).history.rows
    assert [row["step"] for row in rows] == [5, 10, 15, 20]
    assert [row["loss_nats"] for row in rows] == [3, 8, 13, 18]
    times = [row["elapsed_seconds"] for row in rows]
    assert all(0 <= earlier <= later for earlier, later in itertools.pairwise(times))


def test_last_row_is_at_the_end_also_when_rows_do_not_divide_the_steps():
    rows = run(counter(), steps(11), schedule=Schedule(rows=4)).history.rows
    assert [row["step"] for row in rows] == [2, 4, 6, 8, 10, 11]
    assert rows[-1]["loss_nats"] == 11
    few = run(counter(), steps(3), schedule=Schedule(rows=100)).history.rows
    assert [row["step"] for row in few] == [1, 2, 3]


def test_part_that_some_steps_lack_is_averaged_over_those_that_have_it():
    def parts(step):
        return {"loss_nats": 1.0} | ({"penalty": float(step)} if step % 4 == 1 else {})

    rows = run(counter(parts), steps(12), schedule=Schedule(rows=2)).history.rows
    assert [row["penalty"] for row in rows] == [3, 9]  # steps 1 and 5, step 9
    rows = run(counter(parts), steps(4), schedule=Schedule(rows=4)).history.rows
    assert [row.get("penalty") for row in rows] == [1, None, None, None]


def test_pictures_are_taken_at_doubling_steps_of_a_network_in_evaluation_mode():
    modes = []

    def snapshot(network):
        assert not network.training
        return torch.full((2, 1, 28, 28), 0.5)

    model = counter(seen=lambda state: modes.append(state.network.training))
    trained = run(model, steps(64), schedule=Schedule(snapshots=4), snapshot=snapshot)
    assert [step for step, _ in trained.history.snapshots] == [8, 16, 32, 64]
    for _, images in trained.history.snapshots:
        assert images.dtype == torch.uint8
        assert images.unique().tolist() == [128]
    assert modes == [True] * 64  # learning goes on in training mode
    assert not trained.network.training
    assert run(model, steps(4)).history.snapshots == []


def test_few_steps_give_each_picture_once():
    images = torch.zeros(1, 1, 28, 28)
    trained = run(counter(), steps(3), snapshot=lambda network: images)
    assert [step for step, _ in trained.history.snapshots] == [1, 3]


@MODELS
def test_same_seed_gives_the_same_weights_whatever_was_drawn_before(model, config):
    config = replace(config, steps=3)
    torch.manual_seed(1)
    first = run(model, config, seed=5)
    torch.randn(7)
    assert same(first, run(model, config, seed=5))
    other = run(model, config, seed=6)
    assert not same(first, other)
    assert all(value.isfinite().all() for value in weights(first).values())
    assert first.elapsed_seconds > 0


def test_seed_decides_weights_order_of_images_and_noise():
    initial, images, noise = [], [], []

    def train_step(state, batch, draws):
        images.append(batch.images)
        noise.append(torch.randn(1, generator=draws))
        state.step += 1
        return state, {}

    def init(config, device):
        state = CounterState(nn.Linear(1, 1))
        initial.append(state.network.weight.detach().clone())
        return state

    model = SimpleNamespace(init=init, train_step=train_step)
    for seed in (1, 1, 2):
        run(model, steps(1), seed=seed)
    for drawn in (initial, images, noise):
        assert torch.equal(drawn[0], drawn[1])
        assert not torch.equal(drawn[0], drawn[2])


@MODELS
def test_resumed_training_equals_an_uninterrupted_one_bit_for_bit(model, config, tmp_path, said):
    file = tmp_path / "training.safetensors"
    options = {"schedule": EACH_STEP}
    if model is not classifier:
        options["snapshot"] = picture(model)
    whole = run(model, config, **options)
    with pytest.raises(KeyboardInterrupt):
        run(failing(model, at=5), config, checkpoint=file, **options)
    with pytest.raises(KeyboardInterrupt):  # twice, and the second time at once
        run(failing(model, at=5), config, checkpoint=file, **options)
    said.clear()
    resumed = run(model, config, checkpoint=file, **options)
    assert said == [f"going on from step 5 in {file}"]
    assert same(whole, resumed)
    assert without_times(whole.history) == without_times(resumed.history)
    assert [step for step, _ in whole.history.snapshots] == [
        step for step, _ in resumed.history.snapshots
    ]
    pairs = zip(whole.history.snapshots, resumed.history.snapshots, strict=True)
    assert all(torch.equal(one, other) for (_, one), (_, other) in pairs)


def test_steps_after_the_last_checkpoint_are_taken_again(tmp_path, said):
    file, schedule = tmp_path / "c", Schedule(rows=2, checkpoint_seconds=0)
    whole = run(counter(), steps(40), schedule=schedule)
    with pytest.raises(KeyboardInterrupt):
        run(failing(counter(), at=33), steps(40), schedule=schedule, checkpoint=file)
    resumed = run(counter(), steps(40), schedule=schedule, checkpoint=file)
    assert said == [f"going on from step 20 in {file}"]
    assert same(whole, resumed)
    assert [row["loss_nats"] for row in resumed.history.rows] == [10.5, 30.5]


def test_time_before_the_interruption_counts(tmp_path):
    file = tmp_path / "c"
    with pytest.raises(KeyboardInterrupt):
        run(failing(counter(), at=4), steps(8), schedule=EACH_STEP, checkpoint=file)
    saved = checkpoints.load_checkpoint(file)
    checkpoints.save_checkpoint(file, saved | {"seconds": 1000.0})
    resumed = run(counter(), steps(8), schedule=EACH_STEP, checkpoint=file)
    assert 1000 < resumed.elapsed_seconds < 1100
    assert resumed.history.rows[-1]["elapsed_seconds"] > 1000 > saved["seconds"]


def test_finished_training_is_not_repeated(tmp_path):
    file = tmp_path / "c"
    first = run(counter(), steps(8), schedule=EACH_STEP, checkpoint=file)
    again = run(failing(counter(), at=8), steps(8), schedule=EACH_STEP, checkpoint=file)
    assert same(first, again)
    assert first.history.rows == again.history.rows


def test_checkpoints_wait_for_their_time(tmp_path):
    run(counter(), steps(8), checkpoint=tmp_path / "c", schedule=Schedule(checkpoint_seconds=3600))
    assert list(tmp_path.iterdir()) == []


def half(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def one_bit(file):
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)


DAMAGES = {
    "half": half,
    "one bit": one_bit,
    "pickle": lambda file: file.write_bytes(pickle.dumps({"key": "k"})),
    "empty": lambda file: file.write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_checkpoint_is_named_and_the_training_starts_again(damage, tmp_path, said):
    file = tmp_path / "c"
    whole = run(counter(), steps(8), schedule=EACH_STEP, checkpoint=file)
    damage(file)
    again = run(counter(), steps(8), schedule=EACH_STEP, checkpoint=file)
    assert same(whole, again)
    assert len(said) == 1
    assert said[0].startswith(f"starting from the beginning: {file}")
    assert "\n" not in said[0]
    assert checkpoints.load_checkpoint(file)["state"]["step"] == 8  # replaced by a good one


def test_checkpoint_of_another_recipe_is_named_and_not_used(tmp_path, said):
    file = tmp_path / "c"
    run(counter(), steps(8), key="old", schedule=EACH_STEP, checkpoint=file)
    again = run(counter(), steps(4), key="new", checkpoint=file)
    assert said == [
        f"starting from the beginning: {file} belongs to another configuration, code or data"
    ]
    assert same(again, run(counter(), steps(4)))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(value, tmp_path):
    file = tmp_path / "c"
    model = counter(lambda step: {"kl_nats": 1.0, "loss_nats": value if step == 6 else 1.0})
    with pytest.raises(TrainingDiverged) as error:
        run(model, steps(8), schedule=EACH_STEP, checkpoint=file)
    message = str(error.value)
    assert message.startswith(f"loss_nats was {value} at step 6; ")
    assert str(file) in message
    assert "learning rate" in message
    assert "\n" not in message
    saved = checkpoints.load_checkpoint(file)
    assert saved["state"]["step"] == 5
    assert all(math.isfinite(row["loss_nats"]) for row in saved["rows"])
    assert same(run(counter(), steps(8)), run(counter(), steps(8), checkpoint=file))


def test_loss_that_is_not_finite_between_rows_stops_too():
    model = counter(lambda step: {"loss_nats": math.nan if step == 3 else 1.0})
    with pytest.raises(TrainingDiverged, match="loss_nats was nan at step 5") as error:
        run(model, steps(10), schedule=Schedule(rows=2))
    assert "last good state" not in str(error.value)  # there is no checkpoint to speak of


def test_rate_that_is_far_too_large_is_reported_by_a_real_model(tmp_path):
    config = replace(VAE, learning_rate=1e12)
    with pytest.raises(TrainingDiverged, match=r"was (nan|inf|-inf) at step"):
        run(vae, config, schedule=EACH_STEP, checkpoint=tmp_path / "c")


def test_fewer_digits_than_a_batch_are_refused():
    with pytest.raises(ValueError, match=r"batch_size is 41, expected 1 \.\.\. 40"):
        run(counter(), SimpleNamespace(steps=2, batch_size=41))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_precision_decides_how_the_step_computes(precision):
    formats = []

    def seen(state):
        formats.append((torch.ones(2, 2) @ torch.ones(2, 2)).dtype)

    trained = run(counter(seen=seen), steps(2), precision=precision)
    assert formats == [getattr(torch, precision)] * 2
    assert trained.precision == precision


@MODELS
def test_bfloat16_trains_and_keeps_weights_and_rows_in_float32(model, config):
    trained = run(model, replace(config, steps=2), precision="bfloat16")
    assert {value.dtype for value in weights(trained).values()} <= {torch.float32, torch.int64}
    assert all(value.isfinite().all() for value in weights(trained).values())
    assert trained.history.rows
    assert not same(trained, run(model, replace(config, steps=2)))


def test_automatic_precision_takes_what_was_chosen_for_the_device(monkeypatch):
    monkeypatch.setattr(loop, "choose_precision", lambda device: f"{device.type}'s choice")
    monkeypatch.setattr(loop, "autocast", lambda device, precision: torch.no_grad())
    assert run(counter(), steps(1), precision="auto").precision == "cpu's choice"


@pytest.mark.parametrize(
    ("milliseconds", "choice"),
    [
        ({torch.float32: 3, torch.bfloat16: 1}, "bfloat16"),
        ({torch.float32: 1, torch.bfloat16: 3}, "float32"),
        ({torch.float32: 11, torch.bfloat16: 10}, "float32"),
    ],
)
def test_bfloat16_is_chosen_only_where_it_is_clearly_faster(milliseconds, choice, monkeypatch):
    clock = SimpleNamespace(now=0.0)

    def conv2d(images, kernel, padding):
        assert images.dtype == kernel.dtype
        clock.now += milliseconds[images.dtype] / 1000

    monkeypatch.setattr(loop, "F", SimpleNamespace(conv2d=conv2d))
    assert choose_precision(CPU, lambda: clock.now) == choice


def test_precision_is_one_of_two_on_this_machine_and_bfloat16_on_a_gpu():
    assert choose_precision(CPU) in ("float32", "bfloat16")
    assert choose_precision(torch.device("cuda")) == "bfloat16"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@MODELS
def test_cuda_trains_and_resumes(model, config, tmp_path):
    device, file = torch.device("cuda"), tmp_path / "c"
    options = {"device": device, "schedule": EACH_STEP, "checkpoint": file}
    with pytest.raises(KeyboardInterrupt):
        run(failing(model, at=3), config, **options)
    trained = run(model, config, **options)
    assert {value.device.type for value in weights(trained).values()} == {"cuda"}
    assert all(value.isfinite().all() for value in weights(trained).values())
    assert trained.history.rows[-1]["step"] == config.steps
