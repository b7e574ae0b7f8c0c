"""The table of all checks.

A check takes a submission, and the classifier and test digits of the staff, and returns a verdict.
A missing or damaged file raises `SubmissionError`, which fails only the checks that need the file.
"""

from latentwalk.checks import (
    claims,
    figures,
    notebook,
    problem1,
    problem2,
    problem3,
    problem4,
    problem5,
)
from latentwalk.checks.shared import Check

CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        problem1.steps_of_1a_hold,
        problem1.divergence_is_right,
        problem1.steps_of_1b_hold,
        problem1.bound_is_right,
        problem1.counterexample_refutes,
        problem2.gan_opens,
        problem2.gan_makes_digits,
        problem2.ten_images_regenerate,
        problem2.ten_inputs_differ,
        problem2.pair_is_from_the_ten,
        problem2.pair_is_labelled,
        problem2.path_has_ten_inputs,
        problem2.path_ends_are_exact,
        problem2.path_is_straight,
        problem2.path_images_regenerate,
        problem3.vae_opens,
        problem3.vae_reconstructs,
        problem3.originals_are_test_digits,
        problem3.codes_are_encoded,
        problem3.codes_are_straight,
        problem3.codes_decode,
        claims.quality_is_as_claimed,
        claims.quality_is_quoted,
        claims.smoothness_is_as_claimed,
        claims.smoothness_is_quoted,
        problem4.noise_is_ten_times_larger,
        problem4.labels_are_one_hot,
        problem4.cgan_opens,
        problem4.cgan_obeys,
        problem4.grid_regenerates,
        problem4.grid_is_fresh,
        problem4.grid_shows_its_digits,
        problem5.pledge_is_word_for_word,
        figures.figure_shows_2b,
        figures.figure_shows_2e,
        figures.figure_shows_3c,
        figures.figure_shows_4d,
        notebook.notebook_repeats_problem_2,
        notebook.notebook_repeats_problem_3,
        notebook.notebook_repeats_problem_4,
    )
}
"""All checks by their names in `rubric.yml`."""
