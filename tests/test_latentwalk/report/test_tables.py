import html
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pypandoc
import pytest
from tiny import CGAN, CLASSIFIER, GAN, VAE

from latentwalk.evaluation.intervals import Estimate
from latentwalk.experiments.problem4 import InputReading, InputReadings
from latentwalk.experiments.quality import Quality, QualityRow
from latentwalk.experiments.smoothness import Difference, Smoothness, SmoothnessRow
from latentwalk.models.classifier import Classifier
from latentwalk.models.gan import Generator
from latentwalk.models.vae import Vae
from latentwalk.report import sentences, tables
from problemset import rubric
from problemset.student import Student

UNESCAPED_PIPE = re.compile(r"(?<!\\)\|")
HALF = Estimate(0.5, 0.25, 0.75)
REFERENCE_RUN = Student(name=None, hours=None)


@pytest.mark.parametrize(
    ("labels", "automatic", "says", "not_said"),
    [
        ((6, 8), True, "The rule is fixed in advance", "by hand"),
        ((6, 8), False, "picked by hand: numbers 2 and 5, a 6 and an 8.", "The rule"),
        ((8, 8), False, "picked by hand: numbers 2 and 5. Both are read as an 8", "The rule"),
    ],
)
def test_the_text_of_2c_follows_the_pair(labels, automatic, says, not_said):
    ends = SimpleNamespace(
        indices=(2, 5), labels=labels, automatic=automatic, same_digit=labels[0] == labels[1]
    )
    text = sentences.picked(ends)
    assert says in text
    assert not_said not in text
    assert ("need not leave this digit" in text) == ends.same_digit


def model(network, seconds, device="CPU (A)", precision="float32"):
    """What a table reads of `weights_files.Released`."""
    steps = network.config.steps
    versions = {"torch": "2.14.1", "precision": precision}
    metadata = SimpleNamespace(
        seconds=seconds, device=device, threads=2, versions=versions, steps=steps
    )
    recipe = SimpleNamespace(config=network.config, purpose="Problem 9")
    return SimpleNamespace(network=network, recipe=recipe, metadata=metadata)


RELEASED = {
    "classifier": model(Classifier(CLASSIFIER), 60.0),
    "gan": model(Generator(GAN), 90.0),
    "vae": model(Vae(VAE), 30.0),
    "cgan": model(Generator(CGAN), 120.0),
}
QUALITY = Quality(
    mixture_components=3,
    floor=0.1,
    num_images=100,
    rows=tuple(
        QualityRow(
            name,
            np.zeros((12, 1, 28, 28)),
            HALF,
            Estimate(ratio, ratio - 0.1, ratio + 0.1),
            Estimate(0.1234, 0.1, 0.2),
            HALF,
            0.0123,
            np.full(10, 0.1),
            Estimate(1.02, 0.99, 1.05),
            *[HALF] * 3,
            Estimate(0.512, 0.5, 0.523),
        )
        for name, ratio in (("real digits", 1.0), ("GAN samples", 12.34))
    ),
)
WALKS = tuple(
    SmoothnessRow(
        name,
        7,
        {m: Estimate(value + i, 0, 9) for i, m in enumerate(tables.SMOOTHNESS_COLUMNS)},
        {m: Estimate(value - i, 0, 9) for i, m in enumerate(tables.SMOOTHNESS_COLUMNS)},
        3,
        np.zeros(5),
        np.zeros(5),
        np.zeros(5),
    )
    for name, value in (("GAN, random inputs", -1.25), ("VAE, test images", 0.5))
)
SMOOTHNESS = Smoothness(
    num_pairs=7,
    num_steps=5,
    rows=WALKS,
    blurred=WALKS[0],
    margins={"GAN, random inputs": Estimate(-0.25, -0.5, 0.0), "VAE, test images": HALF},
    differences=(
        Difference(
            "GAN", "VAE", {m: Estimate(-0.5, -0.75, -0.25) for m in tables.SMOOTHNESS_COLUMNS}
        ),
    ),
    inversion_error=HALF,
    reconstruction_error=HALF,
)
WITHOUT_LABEL = InputReading(
    name="d (Problem 2)",
    input_shape=(100, 3),
    latent_size=3,
    one_hot_entries=0,
    first_layer_parameters=1568,
    parameters=12_345,
    steps=20_000,
    ratio=Estimate(3.21, 3.0, 3.4),
    agreement=None,
)
WITH_LABEL = replace(
    WITHOUT_LABEL,
    name="10 d + 10",
    latent_size=30,
    one_hot_entries=10,
    input_shape=(100, 40),
    first_layer_parameters=16_072,
    parameters=1_234_567,
    steps=3000,
    ratio=Estimate(2, 1.9, 2.1),
    agreement=Estimate(0.9912, 0.985, 0.995),
)
READINGS = InputReadings(floor=0.1, rows=(WITHOUT_LABEL, WITH_LABEL))
MADE = {
    "quality": tables.quality(QUALITY),
    "variety": tables.variety(QUALITY),
    "smoothness": tables.smoothness(SMOOTHNESS),
    "same digit": tables.same_digit(SMOOTHNESS),
    "differences": tables.differences(SMOOTHNESS),
    "input readings": tables.input_readings(READINGS),
    "configurations": tables.configurations(RELEASED),
    "computing": tables.computing(RELEASED),
    "items": tables.items(rubric.load()),
}


def cells(markdown):
    """The header and the rows of a pipe table as they are written, without the line of rules."""
    lines = [
        line.removeprefix("| ").removesuffix(" |").split(" | ") for line in markdown.split("\n")
    ]
    return [lines[0], *lines[2:]]


def column(markdown, name):
    header, *rows = cells(markdown)
    return [row[header.index(name)] for row in rows]


@pytest.mark.parametrize("markdown", MADE.values(), ids=MADE)
def test_pipe_tables_have_as_many_cells_in_each_row(markdown):
    lines = markdown.split("\n")
    assert len({len(UNESCAPED_PIPE.findall(line)) for line in lines}) == 1
    assert all(line.startswith("| ") and line.endswith(" |") for line in lines)
    rules = lines[1].strip("| ").split(" | ")
    flush_left = [rule.startswith(":") for rule in rules]
    assert flush_left == sorted(flush_left, reverse=True)
    for rule, *column in zip(rules, *cells(markdown), strict=True):
        assert re.fullmatch(r":-+|-+:", rule)
        name, *below = column  # pandoc makes the column as wide; a name may break at its spaces
        assert len(rule) == max(3, *map(len, [*name.split(), *below]))
    assert len(lines) > 2


def test_pandoc_reads_the_same_cells():
    page = pypandoc.convert_text("\n\n".join(MADE.values()), "html", format="markdown-smart")
    found = page.split("<table")[1:]
    for markdown, table in zip(MADE.values(), found, strict=True):
        shown = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in table.split("<tr")]
        text = [[html.unescape(re.sub("<.*?>", "", cell)) for cell in row] for row in shown[1:]]
        written = [
            [cell.replace("`", "").replace("\\|", "|") for cell in row] for row in cells(markdown)
        ]
        assert [[" ".join(cell.split()) for cell in row] for row in text] == written


@pytest.mark.parametrize("markdown", MADE.values(), ids=MADE)
def test_negative_numbers_have_a_typographic_minus(markdown):
    assert not re.search(r"(^|[ (])-\d", "\n".join(" ".join(row) for row in cells(markdown)))


def test_smoothness_shows_the_means_with_their_sign():
    assert column(MADE["smoothness"], "steadiness") == ["−1.25 ± 4.50", "0.50 ± 4.50"]
    assert column(MADE["smoothness"], "paths") == ["GAN, random inputs", "VAE, test images"]
    assert column(MADE["smoothness"], "sharpness drop") == ["3.75 ± 4.50", "5.50 ± 4.50"]
    assert column(MADE["smoothness"], "margin") == ["−0.25 ± 0.25", tables.number(HALF)]


def test_paths_within_a_digit_are_shown_beside():
    assert column(MADE["same digit"], "steadiness") == ["−1.25 ± 4.50", "0.50 ± 4.50"]
    assert column(MADE["same digit"], "sharpness drop") == ["−6.25 ± 4.50", "−4.50 ± 4.50"]
    assert column(MADE["same digit"], "pairs") == ["3", "3"]


def test_differences_are_shown_with_their_intervals():
    assert column(MADE["differences"], "paths") == ["GAN, less VAE"]
    assert column(MADE["differences"], "realism") == ["−0.50 ± 0.25"]


def test_estimates_are_written_with_their_interval():
    assert tables.number(Estimate(1.234, 1.1, 1.36)) == "1.23 ± 0.13"
    assert tables.number(Estimate(12.34, 11, 13), 1) == "12.3 ± 1.0"
    assert tables.number(Estimate(-0.001, -0.1, 0.1)) == "0.00 ± 0.10", "no negative zero"
    assert tables.number(Estimate(-1.5, -1.75, -1.25)) == "−1.50 ± 0.25", "a real minus sign"
    assert tables.percent(Estimate(0.9912, 0.985, 0.995)) == "99.12 (98.50 to 99.50)"


def test_quality_shows_the_ratio_and_the_shares_in_percent():
    assert column(MADE["quality"], "images") == ["real digits", "GAN samples"]
    assert column(MADE["quality"], "Fréchet / floor")[1] == "12.3 ± 0.1"
    assert column(MADE["quality"], "sharpness")[0] == "0.123 ± 0.050"
    assert column(MADE["quality"], "shares off by") == ["1.2 %"] * 2


def test_variety_shows_shares_in_percent():
    assert column(MADE["variety"], "density") == ["1.02 ± 0.03"] * 2
    assert column(MADE["variety"], "nearer to training digits") == ["51.2 ± 1.2 %"] * 2
    assert column(MADE["variety"], "recall") == [tables.share(HALF)] * 2


def test_input_readings_show_sizes_and_agreement():
    header, plain, conditional = cells(MADE["input readings"])
    assert dict(zip(header, conditional, strict=True)) == {
        "input": WITH_LABEL.name,
        "tensor": "100 x 40",
        "label": "10",
        "first layer": f"{WITH_LABEL.first_layer_parameters:,}",
        "steps": f"{WITH_LABEL.steps:,}",
        "Fréchet / floor": tables.number(WITH_LABEL.ratio, 1),
        "label agreement": "99.1 (98.5 to 99.5) %",
    }
    assert {"d (Problem 2)", "100 x 3", "0", "3.2 ± 0.2", "no labels"} <= set(plain)
    assert {"100 x 40", "10", "16,072", "99.1 (98.5 to 99.5) %"} <= set(conditional)


def test_configurations_show_every_field_of_every_model():
    header, *rows = cells(MADE["configurations"])
    assert header == ["field", "`classifier`", "`gan`", "`vae`", "`cgan`"]
    shown = {name: dict(zip(header[1:], values, strict=True)) for name, *values in rows}
    for name, released in RELEASED.items():
        for field, value in vars(released.recipe.config).items():
            assert float(shown[field.replace("_", " ")][f"`{name}`"]) == pytest.approx(value)
    assert shown["latent size"]["`classifier`"] == ""
    assert shown["num classes"] == {"`classifier`": "", "`gan`": "0", "`vae`": "", "`cgan`": "10"}


def test_computing_counts_parameters_steps_and_minutes():
    size = sum(p.numel() for p in RELEASED["gan"].network.parameters())
    assert cells(MADE["computing"])[2] == ["`gan`", "Problem 9", f"{size:,}", "8", "1.5"]
    assert sentences.total_minutes(RELEASED) == pytest.approx(5)


def test_cores_are_counted_in_words():
    for threads, words in (
        (1, "one processor core"),
        (2, "two processor cores"),
        (16, "16 processor cores"),
    ):
        trained = SimpleNamespace(metadata=SimpleNamespace(threads=threads))
        assert sentences.cores(trained) == words


def test_hardware_names_each_machine_once():
    one = "CPU (A), 2 threads, PyTorch 2.14.1, float32"
    assert sentences.hardware(RELEASED) == one
    other = model(Generator(GAN), 1.0, device="CUDA (B)", precision="bfloat16")
    both = sentences.hardware({**RELEASED, "other": other})
    assert both == f"{one}; CUDA (B), 2 threads, PyTorch 2.14.1, bfloat16"


def test_hours_are_the_students_or_those_of_the_machine_said_to_be_so():
    assert sentences.hours(Student("A", 7.5), RELEASED) == "This assignment took 7.5 hours."
    assert sentences.hours(Student("A", 0.0), RELEASED) == "This assignment took 0 hours."
    words = sentences.hours(REFERENCE_RUN, RELEASED)
    assert "4 trainings took 5 minutes together" in words
    assert "no hours" in words


def test_readings_put_runs_together():
    assert sentences.readings(np.array([6, 6, 6, 9, 7, 7])) == "6 (3 times), 9, 7 (2 times)"
    assert sentences.readings([4]) == "4"


@pytest.mark.parametrize("name", ["Ann *Lee* $x_1$", "<b>#1</b> | \"q\" 'r' & `c`", "Zoë 🎓 @a"])
def test_byline_is_printed_as_the_name_was_written(name):
    words = sentences.byline(Student(name, None))._repr_markdown_()
    shown = pypandoc.convert_text(words, "plain", format="markdown", extra_args=["--wrap=none"])
    assert shown.strip() == name


def test_byline_of_the_reference_run_names_nobody():
    assert sentences.byline(REFERENCE_RUN).startswith("nobody; this is the reference run")


def test_items_show_all_hundred_points():
    assert sum(int(points) for points in column(MADE["items"], "points")) == 100
    assert column(MADE["items"], "item")[0] == "1a"
