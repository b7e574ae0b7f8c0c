import io
import math
import pickle

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from latentwalk.evaluation.intervals import Estimate
from latentwalk.evaluation.readings import ClassifiedImages
from latentwalk.experiments.problem2 import GeneratorPath, Pair, TenSamples
from latentwalk.experiments.problem3 import VaePath
from latentwalk.experiments.problem4 import Agreement, DigitGrid
from latentwalk.experiments.quality import Quality, QualityRow
from latentwalk.experiments.smoothness import Smoothness, SmoothnessRow
from latentwalk.figures import charts, losses, pictures, style, walks
from latentwalk.figures.walks import KEY_MEASURES

DRAWS = np.random.default_rng(0)
DIGITS = np.arange(10)


def images(*shape):
    return DRAWS.random((*shape, 1, 28, 28)).astype(np.float32)


def strip(labels):
    labels = np.array(labels)
    return ClassifiedImages(
        images(len(labels)), labels, np.linspace(0.5, 1, len(labels), dtype=np.float32)
    )


def inputs(count, size=16):
    return DRAWS.normal(size=(count, size)).astype(np.float32)


def estimate(value, half_width=0.05):
    return Estimate(value, value - half_width, value + half_width)


SAMPLES = TenSamples(images(10), inputs(10), DIGITS[::-1], np.linspace(0.3, 1, 10))
PAIR = Pair((3, 8), images(2), inputs(2), np.array([6, 1]), np.array([0.9, 1.0]), True, False)
TIMES = np.linspace(0, 1, 10)
WALK = [6, 6, 6, 6, 8, 1, 1, 1, 1, 1]
PATH = GeneratorPath(TIMES, inputs(10), strip(WALK), strip([6] * 5 + [1] * 5))
VAE_PATH = VaePath((11, 2), (6, 1), strip([6, 1]), inputs(2), TIMES, inputs(10), strip(WALK))
SNAPSHOTS = [(n, torch.from_numpy((255 * images(12)).astype(np.uint8))) for n in (50, 100, 3000)]
ASKED = np.repeat(DIGITS[:, None], 10, axis=1)
JUDGED = ASKED.copy()
JUDGED[4, 7], JUDGED[8, 2], JUDGED[8, 3] = 9, 3, 3
GRID = DigitGrid(images(10, 10), inputs(10, 26), ASKED, JUDGED, np.ones((10, 10)))
AGREEMENT = Agreement(
    1000,
    estimate(0.99, 0.002),
    tuple(estimate(0.98 + 0.001 * d, 0.004) for d in DIGITS),
    np.eye(10, dtype=np.int64),
)
NAMES = [
    "real digits",
    "GAN samples",
    "VAE samples",
    "VAE, fitted prior",
    "VAE, learned prior",
    "VAE reconstructions",
]
RATIOS = [1.0, 8.0, 26.0, 7.0, 17.0, 5.0]
QUALITY = Quality(
    100,
    0.14,
    1000,
    tuple(
        QualityRow(
            name,
            images(12) * (1 - 0.01 * ratio),
            estimate(0.14 * ratio, 0.01),
            estimate(ratio),
            estimate(0.7 - 0.001 * ratio),
            estimate(1 - 0.002 * ratio, 0.001),
            0.01,
            np.full(10, 0.1),
            *[estimate(0.9)] * 5,
        )
        for name, ratio in zip(NAMES, RATIOS, strict=True)
    ),
)
PATH_NAMES = [
    "GAN, random inputs",
    "GAN, variance kept",
    "GAN, test images",
    "VAE, test images",
    "VAE, random codes",
    "pixel blend of test images",
    "jump between test images",
]
WALKS = tuple(
    SmoothnessRow(
        name,
        1000,
        {m: estimate(0.1 * n + 0.01 * k) for k, m in enumerate(KEY_MEASURES)},
        {},
        0,
        1 - 0.1 * n * TIMES,
        1 - 0.05 * n * TIMES,
        1 + n * TIMES,
    )
    for n, name in enumerate(PATH_NAMES)
)
SMOOTHNESS = Smoothness(
    1000,
    10,
    WALKS,
    WALKS[2],
    dict.fromkeys(PATH_NAMES, estimate(0.1)),
    (),
    estimate(0.1),
    estimate(0.1),
)
STEPS = [30.0 * n for n in range(1, 101)]
GAN_ROWS = [
    {"step": s, "elapsed_seconds": s, "discriminator_nats": 0.6, "generator_nats": 0.7 + 1 / s}
    | ({"slope_penalty": 0.01 + 1 / s} if s % 60 == 0 else {})
    for s in STEPS
]
VAE_ROWS = [
    {
        "step": s,
        "kl_nats": 25.0,
        "reconstruction_nats": 64 + 99 / s,
        "negative_elbo_nats": 89 + 99 / s,
    }
    for s in STEPS
]
CLASSIFIER_ROWS = [
    {"step": s, "cross_entropy_nats": 9 / s, "accuracy": 1 - 1 / (s + 10)} for s in STEPS
]
ALL = {
    "ten_samples": (pictures.fig_ten_samples, (SAMPLES, (3, 8))),
    "pair": (pictures.fig_pair, (PAIR,)),
    "generator_path": (pictures.fig_generator_path, (PATH,)),
    "vae_path": (pictures.fig_vae_path, (VAE_PATH,)),
    "strips": (pictures.fig_strips, (PATH, VAE_PATH)),
    "progress": (pictures.fig_progress, (SNAPSHOTS,)),
    "digit_grid": (pictures.fig_digit_grid, (GRID,)),
    "agreement": (charts.fig_agreement, (AGREEMENT,)),
    "kinds": (pictures.fig_kinds, (QUALITY,)),
    "front": (pictures.fig_front, (PATH, VAE_PATH, GRID)),
    "row": (pictures.fig_row, (PATH.strip, "seed 1")),
    "smoothness": (walks.fig_smoothness, (SMOOTHNESS,)),
    "steady_and_real": (walks.fig_steady_and_real, (SMOOTHNESS,)),
    "along_paths": (walks.fig_along_paths, (SMOOTHNESS,)),
    "gan_losses": (losses.fig_gan_losses, (GAN_ROWS,)),
    "vae_losses": (losses.fig_vae_losses, (VAE_ROWS,)),
    "classifier_losses": (losses.fig_classifier_losses, (CLASSIFIER_ROWS,)),
}


@pytest.fixture(scope="module")
def drawn():
    return {name: draw(*arguments) for name, (draw, arguments) in ALL.items()}


def images_in(figure):
    """Every 28 x 28 image drawn, in the order of drawing."""
    arrays = [image.get_array() for axes in figure.axes for image in axes.images]
    return [np.asarray(array) for array in arrays if array.shape == (28, 28)]


def columns(figure):
    """Every input drawn as a column of colours."""
    arrays = [image.get_array() for axes in figure.axes for image in axes.images]
    return [np.asarray(array)[:, 0] for array in arrays if array.shape[1] == 1]


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def frames(figure, color):
    patches = [p for axes in figure.axes for p in axes.patches if isinstance(p, Rectangle)]
    return [p for p in patches if mpl.colors.same_color(p.get_edgecolor(), color)]


def test_every_figure_is_tested():
    assert {f"fig_{name}" for name in ALL} == {
        name
        for module in (charts, losses, pictures, walks)
        for name in vars(module)
        if name.startswith("fig_")
    }


@pytest.mark.parametrize("name", ALL)
def test_a_figure_is_as_wide_as_the_text_and_leaves_no_trace(name):
    settings, open_figures = dict(mpl.rcParams), plt.get_fignums()
    draw, arguments = ALL[name]
    before = pickle.dumps(arguments)
    figure = draw(*arguments)
    assert isinstance(figure, Figure)
    assert figure.get_figwidth() * 25.4 == pytest.approx(160)
    assert figure.get_figheight() * 25.4 < 240
    assert plt.get_fignums() == open_figures
    assert dict(mpl.rcParams) == settings
    assert pickle.dumps(arguments) == before


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_cut_off_at_the_edge(name, drawn):
    figure = drawn[name]
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = canvas.get_width_height()
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text() and text.get_figure():
            box = text.get_window_extent(canvas.get_renderer())
            inside = box.x0 > -1 and box.y0 > -1 and box.x1 < width + 1 and box.y1 < height + 1
            assert inside or is_unused_tick(text, figure), text.get_text()


def is_unused_tick(text, figure):
    """Ticks beyond an axis' limits exist, but are not drawn."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            ticks = axis.get_major_ticks() + axis.get_minor_ticks()
            used = axis._update_ticks()
            if any(text in (t.label1, t.label2) and t not in used for t in ticks):
                return True
    return False


@pytest.mark.parametrize("name", ["generator_path", "agreement"])
def test_the_same_result_gives_the_same_bytes(name):
    draw, arguments = ALL[name]
    with mpl.rc_context(style.rc_params()):
        files = [io.BytesIO(), io.BytesIO()]
        for file in files:
            draw(*arguments).savefig(file, format="svg", metadata={"Date": None})
    assert files[0].getvalue() == files[1].getvalue()
    assert b"<text" not in files[0].getvalue()  # letters are outlines: no font has to be there


def test_the_style_holds_under_other_settings():
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 20, "xtick.labelsize": 20}):
        figure = charts.fig_agreement(AGREEMENT)
        figure.draw_without_rendering()
    assert {text.get_fontfamily()[0] for text in figure.findobj(Text)} == {"STIXGeneral"}
    assert max(text.get_fontsize() for text in figure.findobj(Text)) < 11


# ---- images


def test_ten_samples_shows_images_inputs_and_readings(drawn):
    figure = drawn["ten_samples"]
    shown = images_in(figure)
    np.testing.assert_array_equal(shown[:10], SAMPLES.images[:, 0])
    np.testing.assert_array_equal(shown[10:], SAMPLES.images[[3, 8], 0])  # framed once more
    np.testing.assert_array_equal(columns(figure), SAMPLES.inputs)
    assert len(frames(figure, style.GAN)) == 2
    written = texts(figure)
    start = written.index("number") + 1
    assert written[start : start + 10] == [str(n) for n in range(10)]
    assert "> 99 %" in written
    assert "30 %" in written


def test_ten_samples_without_a_pick_frames_none():
    figure = pictures.fig_ten_samples(SAMPLES)
    assert len(images_in(figure)) == 10
    assert not frames(figure, style.GAN)


def test_pair_shows_every_entry_of_both_inputs(drawn):
    figure = drawn["pair"]
    np.testing.assert_array_equal(images_in(figure), PAIR.images[:, 0])
    lines = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    for line, values in zip(lines, PAIR.inputs, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), values)
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 17))
    assert {"number 3: start", "number 8: end"} <= set(texts(figure))


def test_generator_path_shows_strip_above_blend(drawn):
    figure = drawn["generator_path"]
    expected = np.concatenate([PATH.strip.images, PATH.crossfade.images])[:, 0]
    np.testing.assert_array_equal(images_in(figure), expected)
    np.testing.assert_array_equal(columns(figure), PATH.inputs)
    tops = [i.get_extent()[3] for i in figure.axes[0].images if i.get_array().shape == (28, 28)]
    assert max(tops[:10]) < min(tops[10:])  # millimetres from the top
    assert {"0", "1/9", "8/9", "1"} <= set(texts(figure))


def test_a_third_digit_on_a_path_stands_out(drawn):
    figure = drawn["generator_path"]
    odd = [t.get_text() for t in figure.findobj(Text) if t.get_color() == style.ALERT]
    assert odd[0] == "8"
    assert len(odd) == 2  # the digit and its confidence, once: the blend has none


def test_vae_path_shows_decoded_images_and_originals(drawn):
    figure = drawn["vae_path"]
    expected = np.concatenate([VAE_PATH.strip.images, VAE_PATH.originals.images])[:, 0]
    np.testing.assert_array_equal(images_in(figure), expected)
    np.testing.assert_array_equal(columns(figure), VAE_PATH.codes)
    left = [i.get_extent()[0] for i in figure.axes[0].images if i.get_array().shape == (28, 28)]
    assert left[10:] == [left[0], left[9]]  # each original below its reconstruction
    assert any(text.startswith("test image 11, a 6") for text in texts(figure))


def test_strips_show_gan_vae_and_blend(drawn):
    rows = [PATH.strip.images, VAE_PATH.strip.images, PATH.crossfade.images]
    np.testing.assert_array_equal(images_in(drawn["strips"]), np.concatenate(rows)[:, 0])


def test_progress_shows_ten_images_a_step(drawn):
    expected = np.concatenate([batch[:10, 0].numpy() / 255 for _, batch in SNAPSHOTS])
    np.testing.assert_allclose(images_in(drawn["progress"]), expected)
    assert "step\n3,000" in texts(drawn["progress"])


def test_digit_grid_frames_what_the_judge_misreads(drawn):
    figure = drawn["digit_grid"]
    np.testing.assert_array_equal(images_in(figure), GRID.images.reshape(100, 28, 28))
    assert len(frames(figure, style.ALERT)) == 3
    written = texts(figure)
    assert written.count("10 of 10") == 8
    assert written.count("9 of 10") == 1
    assert written.count("8 of 10") == 1
    odd = [t.get_text() for t in figure.findobj(Text) if t.get_color() == style.ALERT]
    assert sorted(odd) == ["3", "3", "8 of 10", "9", "9 of 10"]


def test_images_are_black_ink_on_white_with_hard_pixels(drawn):
    image = drawn["digit_grid"].axes[0].images[0]
    assert image.get_interpolation() == "nearest"
    assert image.get_clim() == (0, 1)
    ink, paper = image.cmap(image.norm(1.0)), image.cmap(image.norm(0.0))
    assert mpl.colors.same_color(ink, "black")
    assert mpl.colors.same_color(paper, "white")


@pytest.mark.parametrize(
    ("share", "text"), [(1.0, "> 99 %"), (0.995, "> 99 %"), (0.994, "99 %"), (0.5, "50 %")]
)
def test_percent_claims_no_certainty(share, text):
    assert style.percent(share) == text


# ---- numbers


def dots(axes):
    """(x, y) of every single dot, and (low, high) of the interval drawn before it."""
    lines = [line for line in axes.lines if line.get_linestyle() != "--"]
    points = [line for line in lines if line.get_marker() == "o"]
    bars = [lines[lines.index(point) - 1].get_xdata() for point in points]
    return [(p.get_xdata()[0], p.get_ydata()[0]) for p in points], [tuple(b) for b in bars]


def test_kinds_shows_the_first_images_of_each_kind(drawn):
    expected = np.concatenate([row.examples[:, 0] for row in QUALITY.rows])
    np.testing.assert_array_equal(images_in(drawn["kinds"]), expected)
    named = [t.get_text() for t in drawn["kinds"].findobj(Text) if t.get_text()]
    assert len(named) == len(set(named)) == len(QUALITY.rows)


def test_front_shows_both_paths_the_blend_and_the_grid(drawn):
    strips = (PATH.strip.images, VAE_PATH.strip.images, PATH.crossfade.images)
    expected = np.concatenate([*strips, GRID.images.reshape(-1, 1, 28, 28)])[:, 0]
    np.testing.assert_array_equal(images_in(drawn["front"]), expected)


def test_smoothness_draws_the_measured_numbers(drawn):
    axes = drawn["smoothness"].axes
    assert len(axes) == len(KEY_MEASURES)
    for panel, name in zip(axes, KEY_MEASURES, strict=True):
        expected = [row.measures[name] for row in SMOOTHNESS.rows]
        points, bars = dots(panel)
        assert [x for x, _ in points] == [e.value for e in expected]
        assert bars == [(e.low, e.high) for e in expected]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == PATH_NAMES


def test_glance_puts_each_kind_where_it_was_measured(drawn):
    (axes,) = drawn["steady_and_real"].axes
    named = {line.get_label(): line for line in axes.lines if line.get_label() in PATH_NAMES}
    assert list(named) == PATH_NAMES
    for row in SMOOTHNESS.rows:
        (x,), (y,) = named[row.name].get_data()
        assert (x, y) == (row.measures["steadiness"].value, row.measures["realism"].value)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == PATH_NAMES


def test_along_paths_draws_the_profiles(drawn):
    for axes, name in zip(
        drawn["along_paths"].axes, ("confidence", "sharpness", "nearest_real"), strict=True
    ):
        rows = [row for row in SMOOTHNESS.rows if row.name != "GAN, variance kept"]
        for line, row in zip(axes.lines, rows, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), getattr(row, name))
            np.testing.assert_allclose(line.get_xdata(), TIMES)


def test_agreement_draws_percent(drawn):
    (axes,) = drawn["agreement"].axes
    points = next(line for line in axes.lines if line.get_marker() == "o")
    np.testing.assert_allclose(points.get_ydata(), [100 * e.value for e in AGREEMENT.per_digit])
    segments = axes.collections[0].get_segments()
    expected = [[100 * e.low, 100 * e.high] for e in AGREEMENT.per_digit]
    np.testing.assert_allclose([segment[:, 1] for segment in segments], expected)
    assert "all digits\n99.00 %" in texts(drawn["agreement"])


def test_gan_losses_show_both_losses_and_the_tie(drawn):
    losses, slope = drawn["gan_losses"].axes
    lines = {line.get_label(): line for line in losses.lines}
    np.testing.assert_array_equal(
        lines["generator"].get_ydata(), [r["generator_nats"] for r in GAN_ROWS]
    )
    np.testing.assert_array_equal(lines["discriminator"].get_xdata(), STEPS)
    assert set(lines["ln 2: a tie"].get_ydata()) == {math.log(2)}
    steps = [row["step"] for row in GAN_ROWS if "slope_penalty" in row]
    np.testing.assert_array_equal(slope.lines[0].get_xdata(), steps)


def test_vae_losses_stack_to_the_bound(drawn):
    (axes,) = drawn["vae_losses"].axes
    total = [row["negative_elbo_nats"] for row in VAE_ROWS]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), total)
    lower, upper = (c.get_paths()[0].vertices[:, 1].max() for c in axes.collections)
    assert lower == 25
    assert upper == max(total)
    assert any(text.endswith("the prior: 25.0") for text in texts(drawn["vae_losses"]))


def test_a_notebook_shows_a_figure_once(tmp_path, monkeypatch):
    """Without `use_in_notebook` a figure unknown to pyplot would be shown as text."""
    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setattr("IPython.core.history.HistoryManager.enabled", False)
    with mpl.rc_context():
        shell = InteractiveShell.instance()
        try:
            style.use_in_notebook("svg")
            figure = charts.fig_agreement(AGREEMENT)
            shown, _ = shell.display_formatter.format(figure)
            again, _ = shell.display_formatter.format(figure)
        finally:
            InteractiveShell.clear_instance()
        assert mpl.rcParams["font.family"] == ["STIXGeneral"]
    assert set(shown) == {"text/plain", "image/svg+xml"}
    assert shown["image/svg+xml"] == again["image/svg+xml"]
    assert 'width="453' in shown["image/svg+xml"][:1000]  # 160 mm in points: not cropped
    assert plt.get_fignums() == []
