import dataclasses
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from latentwalk.models import classifier, gan, vae
from latentwalk.models.configuration import check_positive, config_class, field_docstrings

REAL = {"classifier": classifier.ClassifierConfig, "gan": gan.GanConfig, "vae": vae.VaeConfig}


@pytest.mark.parametrize("model", REAL)
def test_the_class_without_pytorch_has_the_fields_and_checks_of_the_real_one(model):
    alone, real = config_class(model), REAL[model]
    assert dataclasses.asdict(alone()) == dataclasses.asdict(real())
    assert list(field_docstrings(model)) == [field.name for field in dataclasses.fields(real)]
    assert all(field_docstrings(model).values())
    messages = []
    for kind in (alone, real):
        with pytest.raises(ValueError, match="expected") as error:
            kind(width=0)
        messages.append(str(error.value))
    assert messages == [f"{real.__name__}.width is 0, expected more than 0"] * 2


@dataclass(frozen=True)
class Config:
    rate: float = 0.1
    count: int = 3
    offset: float = 0.0

    def __post_init__(self):
        check_positive(self, zero_allowed=("offset",))


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("rate", 0.0, "more than 0"),
        ("rate", -0.1, "more than 0"),
        ("rate", float("nan"), "more than 0"),
        ("rate", float("inf"), "more than 0"),
        ("count", 0, "more than 0"),
        ("count", -3, "more than 0"),
        ("offset", -1e-9, "0 or more"),
        ("offset", float("nan"), "0 or more"),
    ],
)
def test_numbers_out_of_range_are_named(field, value, wanted):
    with pytest.raises(ValueError, match="expected") as error:
        Config(**{field: value})
    assert str(error.value) == f"Config.{field} is {value}, expected {wanted}"


def test_numbers_in_range_and_fields_without_numbers_pass():
    assert Config(rate=1e-12, count=1, offset=0.0).offset == 0
    check_positive(SimpleNamespace(name="", flag=False))
