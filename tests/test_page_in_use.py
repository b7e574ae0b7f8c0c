"""The report's page in a real browser: its networks compute what Python's do, and can be used."""

import base64

import browsing
import numpy as np
import page_speed
import pytest
import torch

from latentwalk.experiments import study
from latentwalk.models.gan import draw_inputs
from latentwalk.models.samples import balanced_labels
from problemset import workspace

browsing.chromium()
DRAWS = 1000
GREY_LEVEL = 1 / 255
CALM = {"reduced_motion": "reduce"}  # otherwise it walks by itself when it is first seen
RUN = """async ([worker, name, bytes, count]) => {
  const values = new Float32Array(Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)).buffer);
  const size = values.length / count, inputs = [];
  for (let n = 0; n < count; n++) inputs.push(values.slice(n * size, (n + 1) * size));
  const outputs = await document.getElementById("live").latentwalk[worker](name, inputs);
  const all = new Uint8Array(await new Blob(outputs).arrayBuffer());
  let text = "";
  for (let n = 0; n < all.length; n += 32768) {
    text += String.fromCharCode(...all.subarray(n, n + 32768));
  }
  return btoa(text);
}"""
PIXELS = """(canvas) => {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return [...pixels.data].filter((_, n) => n % 4 == 0);
}"""

OVERLAPPING = """() => {
  const all = [...document.querySelectorAll("main mfrac")].filter((one) => one.checkVisibility());
  const boxes = all.map((one) => one.getBoundingClientRect());
  const beside = (a, b) => a.right <= b.left || a.bottom <= b.top;
  const meet = (a, b) => !beside(a, b) && !beside(b, a);
  const nested = (a, b) => a.contains(b) || b.contains(a);
  return all.filter((one, n) => all.some(
    (other, m) => m > n && !nested(one, other) && meet(boxes[n], boxes[m]))).length;
}"""


@pytest.fixture(scope="module")
def work():
    return study.open_study(seed=2017)


@pytest.fixture(scope="module")
def file(work):
    path = workspace.build_dir() / "report.html"
    assert path.is_file(), "make report writes it"
    return path


@pytest.fixture(scope="module")
def browser():
    with browsing.running() as browser:
        yield browser


@pytest.fixture(scope="module")
def opened(browser, file):
    """The page, ready; each test leaves it as it wants."""
    with browsing.opened(browser, file, **browsing.WIDE, **CALM) as opened:
        opened.page.locator("#live[data-strips=done]").wait_for()
        yield opened


@pytest.fixture(scope="module")
def page(opened):
    return opened.page


@pytest.fixture(scope="module")
def phone(browser, file):
    with browsing.opened(browser, file, **browsing.PHONE, **CALM) as opened:
        opened.page.locator("#live[data-strips=done]").wait_for()
        yield opened


def run(page, worker, name, inputs):
    text = base64.b64encode(inputs.numpy().astype("<f4").tobytes()).decode()
    answer = base64.b64decode(page.evaluate(RUN, [worker, name, text, len(inputs)]))
    return torch.from_numpy(np.frombuffer(answer, "<f4").reshape(len(inputs), -1).copy())


def walk_to(page, place):
    page.locator("#live-t").evaluate(
        "(one, place) => { one.value = place; one.dispatchEvent(new Event('input')); }", place
    )
    page.locator(f"#live[data-read='{place}']").wait_for()


def tile(page, kind):
    return page.locator(f".live-tile.live-{kind}")


@pytest.fixture(scope="module")
def drawn(work):
    """Inputs of the three networks that draw, and Python's images."""
    rng = torch.Generator().manual_seed(6)
    models = {name: work.released[name].network for name in ("gan", "vae", "cgan")}
    inputs = {
        "gan": draw_inputs(models["gan"].config, DRAWS, rng),
        "vae": torch.randn(DRAWS, models["vae"].config.latent_size, generator=rng),
        "cgan": draw_inputs(models["cgan"].config, DRAWS, rng, balanced_labels(DRAWS)),
    }
    with torch.inference_mode():
        images = {
            name: (models[name].decode if name == "vae" else models[name])(inputs[name]).flatten(1)
            for name in inputs
        }
    return inputs, images


@pytest.mark.parametrize("name", ["gan", "vae", "cgan"])
def test_networks_draw_what_python_s_draw(name, page, drawn):
    inputs, images = drawn
    got = run(page, "draw", name, inputs[name])
    assert (got - images[name]).abs().max() <= GREY_LEVEL
    assert (got - images[name].roll(1, 0)).abs().max() > 0.5, "one image is not another"


def test_the_judge_reads_what_python_s_reads(page, drawn, work):
    images = torch.cat([kind[: DRAWS // 10] for kind in drawn[1].values()])
    with torch.inference_mode():
        scores = work.released["classifier"].network(images.view(-1, 1, 28, 28))
    got, wanted = run(page, "judge", "judge", images), scores.softmax(1)
    assert (got - wanted).abs().max() <= GREY_LEVEL
    assert (got - wanted.roll(1, 0)).abs().max() > 0.5


def test_the_slider_moves_three_pictures_that_are_python_s(page, work):
    pair = work.pick_pair(work.ten_samples())
    inputs, codes = (
        torch.from_numpy(pair.inputs),
        torch.from_numpy(work.vae_path(pair.labels).codes),
    )
    seen = {}
    for place in (0, 300, 1000):
        walk_to(page, place)
        t = place / 1000
        with torch.inference_mode():
            gan = work.released["gan"].network(torch.lerp(*inputs, t)[None])
            vae = work.released["vae"].network.decode(torch.lerp(codes[0], codes[-1], t)[None])
        blend = torch.lerp(*torch.from_numpy(pair.images), t)
        for kind, image in (("gan", gan), ("vae", vae), ("blend", blend)):
            got = np.array(tile(page, kind).locator("canvas").evaluate(PIXELS))
            wanted = 255 * (1 - image.numpy().ravel())
            assert np.abs(got - wanted).max() <= 1.5, (kind, place)  # a grey level, and rounding
            seen[kind, place] = got
    for kind in ("gan", "vae", "blend"):
        assert np.abs(seen[kind, 0] - seen[kind, 300]).max() > 20, f"{kind} moves"


def test_readings_and_strips_say_what_the_report_says(page, work):
    pair = work.pick_pair(work.ten_samples())
    for place, digit in ((0, pair.labels[0]), (1000, pair.labels[1])):
        walk_to(page, place)
        assert tile(page, "gan").locator("b").inner_text() == str(digit)
        assert f"GAN reads {digit}, " in page.locator("#live-t").get_attribute("aria-valuetext")
    labels = page.locator(".live-strip.live-gan .live-labels span").all_inner_texts()
    assert (labels[0], labels[-1], len(labels)) == (*map(str, pair.labels), 11)


def test_any_two_draws_can_be_picked_and_new_noise_drawn(page, work):
    walk_to(page, 0)
    before = tile(page, "gan").locator("canvas").evaluate(PIXELS)
    samples = work.ten_samples()
    other = next(n for n in range(10) if n not in work.pick_pair(samples).indices)
    start = page.get_by_role("group", name="From")
    start.get_by_role("radio", name=f"number {other}, read as {samples.labels[other]}").check()
    page.locator("#live[data-strips=done]").wait_for()
    now = np.array(tile(page, "gan").locator("canvas").evaluate(PIXELS))
    assert np.abs(now - 255 * (1 - samples.images[other].ravel())).max() <= 1.5
    assert now.tolist() != before
    start.get_by_role("button", name="new noise").click()
    start.get_by_role("radio", name="new noise").wait_for()
    page.locator("#live[data-strips=done]").wait_for()
    assert start.get_by_role("radio", name="new noise").is_checked()
    assert tile(page, "gan").locator("canvas").evaluate(PIXELS) != now.tolist()


def test_keys_move_the_slider_and_choose_a_digit(page):
    walk_to(page, 0)
    page.locator("#live-t").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.locator("#live[data-read='3']").wait_for()
    page.get_by_role("radio", name="7", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.locator("#live[data-asked='8']").wait_for()
    readings = page.locator(".live-row span").all_inner_texts()
    assert readings.count("8") >= 8


def test_play_walks_and_pauses(page):
    walk_to(page, 0)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.getElementById('live-t').value > 20")
    page.get_by_role("button", name="Pause").click()
    place = page.locator("#live-t").input_value()
    page.wait_for_timeout(200)
    assert page.locator("#live-t").input_value() == place != "1000"


def test_it_walks_by_itself_only_for_those_who_want_motion(page, browser, file):
    def walked(page):
        page.locator("#live[data-ready]").wait_for()
        before = page.locator("#live-t").input_value()
        page.locator(".live-stage").scroll_into_view_if_needed()
        page.wait_for_timeout(700)
        return page.locator("#live-t").input_value() != before

    assert not walked(page)
    with browsing.opened(browser, file, **browsing.WIDE, reduced_motion="no-preference") as other:
        assert walked(other.page)


def test_the_report_s_page_shuts_nobody_out_and_loads_nothing(opened):
    assert (opened.violations(), opened.errors, opened.outside) == ([], [], [])
    opened.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert opened.violations("color-contrast") == [], "nothing else depends on the colours"
    opened.page.add_style_tag(content=".live p { color: #333; }")
    assert opened.violations("color-contrast") != [], "it would be seen"


def test_nor_does_it_on_a_phone(phone):
    assert (phone.violations(), phone.errors, phone.outside) == ([], [], [])
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_fractions_keep_apart_on_a_phone(phone):
    assert phone.page.evaluate(OVERLAPPING) == 0
    style = "td, p { line-height: 0.3; padding: 0; } mfrac { margin: -1em; }"
    added = phone.page.add_style_tag(content=style)
    assert phone.page.evaluate(OVERLAPPING) > 0, "it would be seen"
    added.evaluate("one => one.remove()")


def test_touch_moves_the_slider_on_a_phone(phone):
    slider = phone.page.locator("#live-t")
    slider.scroll_into_view_if_needed()
    slider.tap()  # its middle
    phone.page.wait_for_function("document.getElementById('live').dataset.read > 400")
    assert 400 < int(slider.input_value()) < 600


def test_it_is_quick_even_on_a_busy_machine(page):
    """Loose bounds; page_speed.py says how quick it is on a quiet one."""
    found = page_speed.measure(page, seconds=1)
    assert found["interactive_seconds"] < 15
    assert found["images_a_second"] > 3
    assert found["certainty_milliseconds"] < 1000


def test_without_a_script_the_static_figures_stand_alone(browser, file):
    with browsing.opened(browser, file, java_script_enabled=False) as opened:
        assert opened.page.locator("#live").is_hidden()
        assert opened.page.locator("#fig-gan-path img").is_visible()
