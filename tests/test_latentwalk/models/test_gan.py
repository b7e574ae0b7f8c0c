import copy
import math
from dataclasses import replace

import pytest
import torch
from tiny import CGAN, GAN, changed, fresh, frozen_copy, rng, shaken, shapes_of, toy_batch

from latentwalk.data.mnist import Batch
from latentwalk.models import gan
from latentwalk.models.gan import Discriminator, GanConfig, Generator
from latentwalk.models.optim import warm_up_cosine
from latentwalk.models.samples import balanced_labels

READINGS = {"d": (4, 0), "10d": (40, 0), "d+10": (4, 10), "10d+10": (40, 10)}
BOTH = pytest.mark.parametrize("config", [GAN, CGAN], ids=["unconditional", "conditional"])


@pytest.fixture(autouse=True)
def seeded():
    """Networks take their initial weights from PyTorch's global generator."""
    torch.manual_seed(0)


def labels_for(config, labels):
    return labels if config.num_classes else None


def game(config, step, seed=0):
    """A state in double precision with nothing left at zero, real images, generated images."""
    state = fresh(gan, config, seed)
    shaken(state.discriminator, seed).double()
    state.step = step
    batch = toy_batch(config.batch_size, seed)
    batch = Batch(batch.images.double(), batch.labels)
    fake_images = torch.rand(batch.images.shape, generator=rng(seed + 1), dtype=torch.float64)
    return state, batch, fake_images


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"latent_size": 0}, "latent_size is 0, expected more than 0"),
        ({"latent_size": -5}, "latent_size is -5, expected more than 0"),
        ({"num_classes": 11}, "num_classes is 11, expected 0 (no label) or 10 (MNIST's digits)"),
        ({"num_classes": 1}, "num_classes is 1, expected 0 (no label) or 10 (MNIST's digits)"),
        ({"num_classes": -10}, "num_classes is -10, expected 0 or more"),
        ({"width": 0}, "width is 0, expected more than 0"),
        ({"blocks": 0}, "blocks is 0, expected more than 0"),
        ({"steps": -1}, "steps is -1, expected more than 0"),
        ({"batch_size": 0}, "batch_size is 0, expected more than 0"),
        ({"learning_rate": -1e-3}, "learning_rate is -0.001, expected more than 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan, expected more than 0"),
        ({"learning_rate": math.inf}, "learning_rate is inf, expected more than 0"),
        ({"beta1": 1.0}, "beta1 is 1.0, expected less than 1"),
        ({"beta1": -0.1}, "beta1 is -0.1, expected 0 or more"),
        ({"beta2": 1.5}, "beta2 is 1.5, expected less than 1"),
        ({"beta2": 0.0}, "beta2 is 0.0, expected more than 0"),
        ({"penalty": -1.0}, "penalty is -1.0, expected 0 or more"),
        ({"naming": -0.1}, "naming is -0.1, expected 0 or more"),
        ({"discriminator_width": 0}, "discriminator_width is 0, expected more than 0"),
        ({"penalty_interval": 0}, "penalty_interval is 0, expected more than 0"),
        ({"average_decay": 1.0}, "average_decay is 1.0, expected less than 1"),
        ({"average_decay": math.nan}, "average_decay is nan, expected more than 0"),
    ],
)
def test_configuration_out_of_range_names_field_got_and_expected(fields, words):
    with pytest.raises(ValueError, match="expected") as error:
        GanConfig(**fields)
    assert str(error.value) == f"GanConfig.{words}"


def test_bounds_that_are_allowed_pass():
    config = GanConfig(
        latent_size=1, num_classes=10, beta1=0.0, penalty=0.0, penalty_interval=1, naming=0.0
    )
    assert config.input_size == 11


@pytest.mark.parametrize(
    ("latent_size", "num_classes"),
    [
        READINGS["d"],
        READINGS["10d"],
        READINGS["d+10"],
        READINGS["10d+10"],
    ],
    ids=READINGS,
)
def test_each_reading_of_problem_4_is_the_same_class_with_another_input(latent_size, num_classes):
    config = replace(GAN, latent_size=latent_size, num_classes=num_classes)
    generator = Generator(config).eval()
    samples = gan.sample(generator, 20, rng())
    assert samples.inputs.shape == (20, latent_size + num_classes)
    assert generator.decoder.entry.in_features == samples.inputs.shape[1] == config.input_size
    assert samples.images.shape == (20, 1, 28, 28)
    problem_2 = shapes_of(Generator(replace(GAN, latent_size=4)))
    differing = {n for n, shape in shapes_of(generator).items() if shape != problem_2[n]}
    first_layer = {"decoder.entry.weight"}
    assert differing == (first_layer if (latent_size, num_classes) != (4, 0) else set())


def test_label_columns_are_exactly_one_hot_and_follow_the_noise():
    labels = torch.tensor([3, 0, 9, 9, 5])
    inputs = gan.draw_inputs(CGAN, 5, rng(), labels)
    noise, columns = inputs[:, : CGAN.latent_size], inputs[:, CGAN.latent_size :]
    assert inputs.dtype == torch.float32
    assert columns.shape == (5, 10)
    assert torch.equal(columns, torch.eye(10)[labels])
    assert torch.equal(noise, gan.draw_inputs(GAN, 5, rng()))  # the label leaves the noise alone


def test_noise_is_standard_normal_and_comes_from_the_generator_given():
    before = torch.get_rng_state()
    noise = gan.draw_inputs(GAN, 20_000, rng(3))
    assert noise.mean(0).abs().max() < 0.03
    assert (noise.T.cov() - torch.eye(GAN.latent_size)).abs().max() < 0.04
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("config", "labels", "words"),
    [
        (GAN, torch.zeros(4, dtype=torch.int64), "got labels for a model with num_classes=0"),
        (CGAN, None, "got no labels for a model with num_classes=10"),
        (CGAN, torch.zeros(5, dtype=torch.int64), r"labels has shape \(5,\), expected \(4\)"),
        (CGAN, torch.zeros(4, 10), r"labels has shape \(4, 10\), expected \(4\)"),
    ],
)
def test_labels_missing_superfluous_or_of_another_number_are_refused(config, labels, words):
    with pytest.raises(ValueError, match=words):
        gan.draw_inputs(config, 4, rng(), labels)


def test_superfluous_labels_are_refused_when_sampling_too():
    with pytest.raises(ValueError, match="num_classes=0"):
        gan.sample(Generator(GAN).eval(), 4, rng(), labels=torch.zeros(4, dtype=torch.int64))


def test_label_decides_what_a_conditional_generator_makes_of_the_same_noise():
    generator = shaken(Generator(CGAN)).eval()
    noise = torch.randn(1, CGAN.latent_size, generator=rng()).expand(10, -1)
    images = generator(torch.cat([noise, torch.eye(10)], dim=1))
    distances = torch.cdist(images.flatten(1), images.flatten(1))
    assert (distances + torch.eye(10)).min() > 0.05


@BOTH
def test_samples_are_images_made_of_the_inputs_beside_them(config):
    generator = shaken(Generator(config)).eval()
    samples = gan.sample(generator, 30, rng(4))
    assert samples.images.shape == (30, 1, 28, 28)
    assert samples.images.dtype == torch.float32
    assert 0 <= samples.images.min() < samples.images.max() <= 1
    with torch.no_grad():
        torch.testing.assert_close(samples.images, generator(samples.inputs))
    again, other = gan.sample(generator, 30, rng(4)), gan.sample(generator, 30, rng(5))
    assert torch.equal(samples.images, again.images)
    assert torch.equal(samples.inputs, again.inputs)
    assert not torch.equal(samples.inputs[:, :3], other.inputs[:, :3])
    assert not samples.images.requires_grad


def test_sampled_labels_are_balanced_or_those_asked_for():
    generator = Generator(CGAN).eval()
    drawn = gan.sample(generator, 50, rng())
    assert torch.bincount(drawn.labels).tolist() == [5] * 10
    assert drawn.labels.dtype == torch.int64
    assert torch.equal(drawn.inputs[:, 3:].argmax(1), drawn.labels)
    asked = torch.tensor([7, 7, 1])
    assert torch.equal(gan.sample(generator, 3, rng(), asked).labels, asked)
    assert gan.sample(Generator(GAN).eval(), 3, rng()).labels is None
    counts = torch.bincount(balanced_labels(23), minlength=10)
    assert counts.max() - counts.min() == 1


@BOTH
def test_more_samples_than_fit_in_one_pass_are_the_same_as_one_by_one(config):
    generator = shaken(Generator(config)).eval()
    many = gan.sample(generator, 1003, rng())
    assert many.images.shape == (1003, 1, 28, 28)
    chosen = [0, 999, 1000, 1002]
    with torch.no_grad():
        torch.testing.assert_close(many.images[chosen], generator(many.inputs[chosen]))


def test_losses_are_log_sigmoid_of_the_difference():
    real, fake = torch.randn(2, 50, generator=rng(), dtype=torch.float64)
    equal = torch.full((4,), 3.7)
    for loss in (gan.discriminator_loss, gan.generator_loss):
        assert loss(equal, equal).item() == pytest.approx(math.log(2))
        torch.testing.assert_close(loss(real, fake), loss(real + 9, fake + 9))
    expected = -torch.sigmoid(real - fake).log().mean()
    torch.testing.assert_close(gan.discriminator_loss(real, fake), expected)
    torch.testing.assert_close(gan.generator_loss(fake, real), expected)
    far = torch.tensor([1e4])
    assert gan.discriminator_loss(-far, far).item() == pytest.approx(2e4)
    assert gan.generator_loss(-far, far).item() == 0


@BOTH
def test_discriminator_scores_each_image_alone(config):
    discriminator = shaken(Discriminator(config))
    batch = toy_batch(6)
    labels = labels_for(config, batch.labels)
    realness, classes = discriminator(batch.images, labels)
    assert realness.shape == (6,)
    kept = [5, 2]
    alone, _ = discriminator(batch.images[kept], None if labels is None else labels[kept])
    torch.testing.assert_close(realness[kept], alone)
    assert (None if classes is None else classes.shape) == ((6, 10) if labels is not None else None)


def test_label_adds_its_own_class_score_to_the_realness():
    discriminator, batch = shaken(Discriminator(CGAN)), toy_batch(6)
    realness, classes = discriminator(batch.images, batch.labels)
    features = discriminator.encoder(batch.images * 2 - 1)
    vectors = discriminator.score.weight + discriminator.classes.weight[batch.labels]  # w + v_y
    expected = (features * vectors).sum(1) + discriminator.score.bias
    torch.testing.assert_close(realness, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(classes, features @ discriminator.classes.weight.T)
    other, _ = discriminator(batch.images, (batch.labels + 1) % 10)
    assert (realness - other).abs().min() > 1e-3


def test_unconditional_discriminator_ignores_labels():
    discriminator, batch = shaken(Discriminator(GAN)), toy_batch(6)
    with_labels, without = (discriminator(batch.images, y)[0] for y in (batch.labels, None))
    assert torch.equal(with_labels, without)
    assert not hasattr(discriminator, "classes")


@BOTH
@pytest.mark.parametrize("step", [0, 1], ids=["penalty step", "ordinary step"])
def test_pull_is_autograds_gradient_of_the_generators_loss(config, step):
    state, batch, fake_images = game(config, step)
    before = copy.deepcopy(state.discriminator)
    image_gradient, metrics = gan.update_discriminator(state, batch, fake_images)
    assert ("slope_penalty" in metrics) == (step == 0)

    labels = labels_for(config, batch.labels)
    fake_images.requires_grad_()
    loss = gan.generator_loss(before(batch.images, labels)[0], before(fake_images, labels)[0])
    (expected,) = torch.autograd.grad(loss, fake_images)
    assert expected.abs().max() > 1e-6
    torch.testing.assert_close(image_gradient, expected, rtol=1e-9, atol=1e-15)
    assert metrics["generator_nats"].item() == pytest.approx(loss.item())


@BOTH
@pytest.mark.parametrize("step", [0, 1], ids=["penalty step", "ordinary step"])
def test_discriminator_descends_its_documented_objective(config, step):
    config = replace(config, penalty=0.7, penalty_interval=3, naming=0.4)
    state, batch, fake_images = game(config, step)
    before = copy.deepcopy(state.discriminator)
    _, metrics = gan.update_discriminator(state, batch, fake_images)

    labels = labels_for(config, batch.labels)
    scores, penalties = [], []
    for images in (batch.images.clone(), fake_images.clone()):
        images.requires_grad_()
        scores.append(before(images, labels)[0])
        (gradients,) = torch.autograd.grad(scores[-1].sum(), images, create_graph=True)
        penalties.append(gradients.flatten(1).norm(dim=1).square().mean())  # R1, then R2
    adversarial = -torch.sigmoid(scores[0] - scores[1]).log().mean()
    objective = adversarial
    if step == 0:
        objective = adversarial + 3 * 0.7 / 2 * (penalties[0] + penalties[1])
        assert metrics["slope_penalty"].item() == pytest.approx(sum(penalties).item())
    assert ("naming_nats" in metrics) == (labels is not None)
    if labels is not None:
        shares = before(batch.images, labels)[1].softmax(1)[torch.arange(8), labels]
        objective = objective - 0.4 * shares.log().mean()
        assert metrics["naming_nats"].item() == pytest.approx(-shares.log().mean().item())
    expected = torch.autograd.grad(objective, list(before.parameters()))
    assert metrics["discriminator_nats"].item() == pytest.approx(adversarial.item())
    for parameter, gradient in zip(state.discriminator.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-8, atol=1e-12)


@BOTH
@pytest.mark.parametrize("step", [0, 1])
def test_discriminators_step_leaves_the_generator_alone(config, step):
    state = fresh(gan, config)
    state.step = step
    batch = toy_batch()
    labels = labels_for(config, batch.labels)
    fake_images = state.generator(gan.draw_inputs(config, 8, rng(), labels))
    generator, average = frozen_copy(state.generator), frozen_copy(state.average)
    discriminator = frozen_copy(state.discriminator)
    gan.update_discriminator(state, batch, fake_images)
    assert changed(state.generator, generator) == []
    assert changed(state.average, average) == []
    assert all(parameter.grad is None for parameter in state.generator.parameters())
    assert "score.weight" in changed(state.discriminator, discriminator)


@BOTH
@pytest.mark.parametrize("step", [0, 1])
def test_generators_step_leaves_the_discriminator_alone(config, step):
    state = fresh(gan, config)
    shaken(state.discriminator)
    state.step = step
    batch = toy_batch()
    labels = labels_for(config, batch.labels)
    before = copy.deepcopy(state.discriminator)
    fake_images = state.generator(gan.draw_inputs(config, 8, rng(), labels))
    loss = gan.generator_loss(before(batch.images, labels)[0], before(fake_images, labels)[0])
    parameters = list(state.generator.parameters())
    expected = torch.autograd.grad(loss, parameters, retain_graph=True)

    image_gradient, _ = gan.update_discriminator(state, batch, fake_images)
    generator = frozen_copy(state.generator)
    discriminator = frozen_copy(state.discriminator)
    gradients = [parameter.grad.clone() for parameter in state.discriminator.parameters()]
    gan.update_generator(state, fake_images, image_gradient)
    assert changed(state.discriminator, discriminator) == []
    for parameter, slope in zip(state.discriminator.parameters(), gradients, strict=True):
        assert torch.equal(parameter.grad, slope)
    assert "decoder.entry.weight" in changed(state.generator, generator)
    for parameter, gradient in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-6)


def test_penalty_is_computed_every_so_many_steps_or_never():
    def penalised(config):
        state, draws = fresh(gan, config), rng()
        steps = [gan.train_step(state, toy_batch(), draws)[1] for _ in range(7)]
        return [step for step, metrics in enumerate(steps) if "slope_penalty" in metrics]

    assert penalised(replace(GAN, penalty_interval=3)) == [0, 3, 6]
    assert penalised(replace(GAN, penalty=0.0)) == []


@BOTH
def test_train_step_counts_sets_both_rates_and_draws_from_its_generator_alone(config):
    state, draws = fresh(gan, config), rng()
    before = torch.get_rng_state()
    for step in range(3):
        returned, metrics = gan.train_step(state, toy_batch(), draws)
        assert returned is state
        assert state.step == step + 1
        rate = config.learning_rate * warm_up_cosine(step, config.steps)
        for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
            assert [group["lr"] for group in optimizer.param_groups] == [rate]
            assert optimizer.param_groups[0]["betas"] == (config.beta1, config.beta2)
        assert all(not value.requires_grad and value.isfinite() for value in metrics.values())
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(draws.get_state(), rng().get_state())


def test_released_generator_is_the_running_average():
    config = replace(GAN, average_decay=0.2)
    state, draws = fresh(gan, config), rng()
    expected = None
    for step in range(4):
        gan.train_step(state, toy_batch(seed=step), draws)
        now = frozen_copy(state.generator)
        decay = 0.0 if expected is None else min(0.2, (1 + step) / (10 + step))
        expected = {
            name: (decay * expected[name] if decay else 0) + (1 - decay) * tensor
            for name, tensor in now.items()
            if tensor.is_floating_point()
        }
    released = {n: t for n, t in state.released.state_dict().items() if n in expected}
    torch.testing.assert_close(released, expected)
    assert changed(state.generator, state.released.state_dict())


def test_discriminator_learns_to_tell_when_the_generator_stands_still():
    state = fresh(gan, replace(GAN, penalty=0.0, steps=40))
    batch = toy_batch()
    fake_images = state.generator(gan.draw_inputs(GAN, 8, rng())).detach()
    losses = [
        gan.update_discriminator(state, batch, fake_images)[1]["discriminator_nats"].item()
        for _ in range(15)
    ]
    assert losses[0] == pytest.approx(math.log(2), abs=0.1)
    assert losses[-1] < 0.2


def test_generator_learns_to_deceive_when_the_discriminator_stands_still():
    state = fresh(gan, GAN)
    discriminator = shaken(state.discriminator).requires_grad_(False)
    inputs, real_scores = gan.draw_inputs(GAN, 8, rng()), discriminator(toy_batch().images)[0]
    losses = []
    for _ in range(15):
        fake_images = state.generator(inputs)
        loss = gan.generator_loss(real_scores, discriminator(fake_images)[0])
        (image_gradient,) = torch.autograd.grad(loss, fake_images, retain_graph=True)
        gan.update_generator(state, fake_images, image_gradient)
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def trained(config, steps):
    state, draws = fresh(gan, replace(config, steps=steps, learning_rate=5e-3)), rng()
    start = copy.deepcopy(state.generator).eval()
    for step in range(steps):
        gan.train_step(state, toy_batch(16, seed=step), draws)
    return start, state.released.eval()


def test_gan_trains():
    start, end = trained(GAN, 60)
    data = toy_batch(40).images.mean(0)
    gaps = [(gan.sample(g, 200, rng()).images.mean(0) - data).abs().mean() for g in (start, end)]
    assert gaps[1] < 0.5 * gaps[0]


def test_conditional_gan_trains_to_obey_its_labels():
    _, end = trained(CGAN, 100)
    samples = gan.sample(end, 200, rng())
    upper, lower = samples.images.split(14, dim=2)
    relativistic_logits = (upper - lower).mean(dim=(1, 2, 3))
    obeyed = (relativistic_logits > 0) == (samples.labels < 5)  # 0 to 4 are drawn in the upper half
    assert obeyed.float().mean() > 0.9
