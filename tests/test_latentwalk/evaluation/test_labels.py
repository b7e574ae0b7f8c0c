import pytest
import torch

from latentwalk.evaluation.intervals import wilson_interval
from latentwalk.evaluation.labels import label_agreement, label_histogram


def test_agreement_overall_and_per_digit():
    asked = torch.arange(10).repeat_interleave(20)
    predicted = asked.clone()
    predicted[:5] = 6  # a quarter of the zeros
    predicted[-1] = 4  # one nine
    agreement = label_agreement(predicted, asked)
    assert agreement.overall == wilson_interval(194, 200)
    assert agreement.per_digit[0] == wilson_interval(15, 20)
    assert agreement.per_digit[9] == wilson_interval(19, 20)
    assert all(digit.value == 1 for digit in agreement.per_digit[1:9])
    assert len(agreement.per_digit) == 10


def test_agreement_of_a_model_that_ignores_its_label_is_chance():
    rng = torch.Generator().manual_seed(0)
    asked = torch.arange(10).repeat(1000)
    agreement = label_agreement(torch.randint(10, (10_000,), generator=rng), asked)
    assert agreement.overall.low < 0.1 < agreement.overall.high
    assert agreement.overall.high < 0.11


def test_histogram_and_its_distance():
    data = torch.arange(10).repeat(5)
    histogram = label_histogram(torch.tensor([0, 0, 1, 1]), data)
    assert histogram.shares.tolist() == [0.5, 0.5] + [0] * 8
    assert histogram.data_shares.tolist() == [0.1] * 10
    assert histogram.total_variation == pytest.approx(0.8)
    assert label_histogram(data.flip(0), data).total_variation == 0


def test_histogram_of_fair_draws_is_about_as_far_as_the_docstring_says():
    rng = torch.Generator().manual_seed(0)
    data = torch.arange(10)
    draws = torch.randint(10, (40, 10_000), generator=rng)
    distances = torch.tensor([label_histogram(row, data).total_variation for row in draws])
    assert float(distances.mean()) == pytest.approx(0.012, abs=0.001)


def test_wrong_labels_are_named():
    asked = torch.arange(10)
    with pytest.raises(ValueError, match=r"predicted has shape \(9,\), expected \(10\)"):
        label_agreement(asked[:9], asked)
    with pytest.raises(ValueError, match="digit 0 was never asked for"):
        label_agreement(asked[1:], asked[1:])
    with pytest.raises(ValueError, match="predicted has values in"):
        label_agreement(asked + 1, asked)
    with pytest.raises(ValueError, match="expected integer labels"):
        label_histogram(asked.float(), asked)
    with pytest.raises(ValueError, match="labels is empty"):
        label_histogram(asked[:0], asked)
