"""What the report shows of several seeds."""

import math

import pytest
import test_tables
from test_tables import cells, column

from latentwalk.model_zoo.seeds import Run
from latentwalk.report import seed_tables

RUNS = [
    Run(
        "gan",
        seed,
        "",
        "CPU",
        1.0,
        {"frechet_ratio": ratio, "GAN, random inputs: steadiness": -ratio},
    )
    for seed, ratio in ((1, 1.0), (2, 2.0), (3, 3.0))
]
MODELS = seed_tables.models({"gan": RUNS, "vae": RUNS[:1], "cgan": []})
NONE = seed_tables.models({"gan": []})
PATHS = seed_tables.paths(RUNS, ["GAN, random inputs"])


@pytest.mark.parametrize("markdown", [MODELS, NONE, PATHS])
def test_they_are_pipe_tables_as_all_others_are(markdown):
    test_tables.test_pipe_tables_have_as_many_cells_in_each_row(markdown)
    test_tables.test_negative_numbers_have_a_typographic_minus(markdown)


def test_seeds_are_averaged_and_what_was_not_measured_is_left_empty():
    assert column(MODELS, "ratio") == ["2.00 ± 2.48", ""]
    assert column(MODELS, "seeds") == ["3", "1"]
    assert column(MODELS, "likelihood") == ["", ""]
    assert column(PATHS, "steadiness") == ["−2.00 ± 2.48"]
    assert column(PATHS, "margin") == [""]
    assert cells(NONE)[1][0] == "none measured"
    assert seed_tables.note(RUNS, "frechet_ratio") == " (2.0 ± 2.5 over 3 seeds)"
    assert seed_tables.note(RUNS, "coverage_percent") == ""


def test_what_samples_teach_is_said_only_where_it_was_measured_of_all():
    def runs(model, value):
        return [
            Run(model, seed, "", "CPU", 1.0, {"taught_accuracy_percent": value + seed})
            for seed in (1, 3)
        ]

    values = {"cgan": 90, "gan": 80, "vae": 70, "classifier": 95}
    found = {model: runs(model, value) for model, value in values.items()}
    said = seed_tables.taught(found)
    places = [said.index(f"{value + 2:.2f} ± 12.71 %") for value in values.values()]
    assert places == sorted(places)
    assert "(means over 2, 2, 2 and 2 seeds)" in said
    assert seed_tables.taught(found | {"vae": found["vae"][:1]}) == ""


@pytest.mark.parametrize(
    ("ratio", "coverage", "said"),
    [
        (3.0, 90.0, "none of 2 (largest ratio 3.0, least coverage 90.0 %)"),
        (11.0, 90.0, "1 of 2 (largest ratio 11.0, least coverage 90.0 %)"),
        (3.0, 84.0, "1 of 2 (largest ratio 3.0, least coverage 84.0 %)"),
        (math.inf, 0.0, "1 of 2 (largest ratio inf, least coverage 0.0 %)"),
    ],
)
def test_a_training_that_diverged_or_lost_a_digit_is_counted(ratio, coverage, said):
    runs = [
        Run("gan", seed, "", "CPU", 1.0, {"frechet_ratio": r, "coverage_percent": c})
        for seed, r, c in ((1, 2.0, 92.0), (2, ratio, coverage))
    ]
    assert seed_tables.failures(runs) == said
    assert seed_tables.failures([]) == "none of 0"


def test_seeds_are_named():
    assert seed_tables.names(RUNS) == "1, 2 and 3"
    assert seed_tables.names(RUNS[:2]) == "1 and 2"
    assert seed_tables.names(RUNS[:1]) == "1"
    assert seed_tables.names([]) == "none"


def test_only_the_seeds_that_have_a_metric_are_counted():
    more = [*RUNS, Run("gan", 4, "", "CPU", 1.0, {"other": 1.0})]
    assert seed_tables.note(more, "frechet_ratio") == " (2.0 ± 2.5 over 3 seeds)"
