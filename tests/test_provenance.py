import dataclasses
import json
import math
import platform
import textwrap
from dataclasses import dataclass

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from latentwalk import paths, provenance, shapes
from latentwalk.provenance import RecipeKey, WeightsMetadata, code_digest, recipe_key


@dataclass(frozen=True)
class Config:
    latent_size: int = 16
    betas: tuple = (0.0, 0.99)


CODE = '''
"""What the module is for."""

import math


class Net:
    """What the class is for."""

    width: int = 3
    """What the field is for."""

    def forward(self, x, *, scale=1.5, **others):
        """What the function is for."""
        if x > 0:
            pass
        return f"{x!r:>{self.width}}" + 'ab' "c" + str(math.pi * scale)
'''

SAME = '''
import math
class Net:
    # a comment
    width: int = 3
    def forward(
        self,
        x, *,
        scale = 1.50,
        **others,
    ):
        if (x > 0):
            """nothing"""
        # another
        return (f'{x!r:>{self.width}}' + "abc"
                + str(math.pi*scale))
'''


@pytest.fixture
def digest_of(tmp_path):
    def of(code):
        (tmp_path / "m.py").write_text(textwrap.dedent(code))
        return code_digest(tmp_path / "m.py")

    return of


def test_comments_docstrings_and_formatting_do_not_change_the_key(digest_of):
    assert digest_of(CODE) == digest_of(SAME)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.5", "1.25"),
        ("x > 0", "x >= 0"),
        ("'ab'", "'aB'"),
        ("width: int = 3", "width: int = 4"),
        ("self.width", "self.height"),
        ("!r", "!s"),
        (":>{", ":<{"),
        ("*, scale", "scale"),
        ("import math\n", "import math\nprint('x')\n"),
        ("return ", ""),
    ],
)
def test_every_change_of_the_code_changes_the_key(digest_of, old, new):
    assert CODE.count(old) >= 1
    assert digest_of(CODE.replace(old, new)) != digest_of(CODE)


def test_code_digest_is_the_same_under_every_python(digest_of):
    """Computed under Python 3.11.7; 3.12.1 and 3.13.0 give the same."""
    assert digest_of(CODE) == "68714ae97aeeca9d7cf002801cf80f9cdea371cd600665d0fae180efa4260fe7"


def test_a_string_in_use_is_not_a_docstring(digest_of):
    assert digest_of("x = 'a'") != digest_of("x = 'b'")
    assert digest_of("def f():\n    return 'a'") != digest_of("def f():\n    return 'b'")
    assert digest_of("def f(x='a'): pass") != digest_of("def f(x='b'): pass")
    assert digest_of("'a'") == digest_of("'b'")
    assert digest_of("b'a'\n1\nNone") != digest_of("")


@given(st.one_of(st.text(max_size=8), st.floats(), st.integers(), st.binary(max_size=4)))
def test_constants_of_different_values_differ(value):
    kinds = {int: 1, float: 1.0, str: "1", bytes: b"1"}
    canonical = provenance._canonical(provenance.ast.parse(f"x = {value!r}"))
    for kind, other in kinds.items():
        same = type(value) is kind and repr(value) == repr(other)
        assert (canonical == provenance._canonical(provenance.ast.parse(f"x = {other!r}"))) == same


@pytest.mark.parametrize("content", [b"def f(:", b"\xff\xfe", b"x = 1\0"])
def test_a_file_that_is_not_python_is_refused(tmp_path, content):
    (tmp_path / "m.py").write_bytes(content)
    with pytest.raises(ValueError, match=r"m\.py cannot be read as Python"):
        code_digest(tmp_path / "m.py")


def test_a_missing_source_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"none\.py cannot be read"):
        recipe_key(Config(), [tmp_path / "none.py"], "d")


def test_recipe_key_takes_modules_and_files():
    key = recipe_key(Config(), [shapes, provenance.Path(paths.__file__)], "d")
    assert key.code.keys() == {"shapes.py", "paths.py"}
    assert key.configuration == {"latent_size": 16, "betas": [0.0, 0.99]}
    assert key == recipe_key(dataclasses.asdict(Config()), [paths, shapes], "d")
    assert len(key.digest) == 64


def test_modules_in_packages_have_their_folder_in_the_name():
    from latentwalk.models import nets

    assert recipe_key({}, [nets], "d").code.keys() == {"models/nets.py"}


def test_digest_depends_on_each_part():
    key = RecipeKey({"a": 1}, "d", {"m.py": "c"})
    others = [
        RecipeKey({"a": 2}, "d", {"m.py": "c"}),
        RecipeKey({"a": 1}, "e", {"m.py": "c"}),
        RecipeKey({"a": 1}, "d", {"m.py": "x"}),
        RecipeKey({"a": 1}, "d", {"n.py": "c"}),
    ]
    assert len({other.digest for other in [key, *others]}) == 5
    assert all(key.changes(other) for other in others)
    assert key.changes(RecipeKey({"a": 1}, "d", {"m.py": "c"})) == ""


def test_changes_are_named():
    was = RecipeKey({"a": 1, "gone": 2, "same": 3}, "d", {"m.py": "c", "n.py": "c"})
    now = RecipeKey({"a": 1.5, "new": 4, "same": 3}, "e", {"m.py": "x", "n.py": "c"})
    assert was.changes(now).split("; ") == [
        "configuration field a changed from 1 to 1.5",
        "configuration field gone was removed (was 2)",
        "configuration field new is new (4)",
        "the training data changed",
        "the code of m.py changed",
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), {1, 2}])
def test_a_configuration_that_json_cannot_hold_is_refused(value):
    with pytest.raises(ValueError, match="configuration is not numbers, strings and lists"):
        recipe_key({"a": value}, [], "d")


KEY = RecipeKey({"latent_size": 16}, "d", {"m.py": "c"})


def metadata(**changes):
    usual = {
        "name": "gan", "recipe": KEY, "seed": 1, "steps": 10, "versions": {"torch": "2"},
        "device": "CPU (x)", "threads": 2, "seconds": 1.5, "metrics": {"fid": 2.0},
    }  # fmt: skip
    return WeightsMetadata(**usual | changes)


@given(
    st.text(),
    st.integers(-(2**63), 2**63),
    st.floats(0, 1e12),
    st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
)
def test_metadata_survives_json(name, seed, seconds, metrics):
    meta = metadata(name=name, seed=seed, seconds=seconds, metrics=metrics)
    text = json.dumps(meta.to_json(), sort_keys=True)
    assert WeightsMetadata.from_json(json.loads(text)) == meta
    assert json.loads(text)["recipe_key"] == KEY.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"name": 1}, {"seed": 1.5}, {"seed": True}, {"steps": -1}, {"threads": 0},
        {"seconds": math.nan}, {"seconds": math.inf}, {"seconds": "1"},
        {"metrics": {"a": math.nan}}, {"metrics": {"a": "1"}},
        {"metrics": [1]}, {"versions": None}, {"recipe": {}},
    ],
)  # fmt: skip
def test_metadata_out_of_range_is_refused(changes):
    (name,) = changes
    with pytest.raises(ValueError, match=f"weights metadata: (metric )?{name[:6]}|metric a"):
        metadata(**changes)


@pytest.mark.parametrize("name", ["name", "recipe", "metrics", "tensor_digest"])
def test_metadata_with_a_missing_field_is_refused(name):
    saved = metadata().to_json()
    del saved[name]
    with pytest.raises(ValueError, match=f"{name} is missing"):
        WeightsMetadata.from_json(saved)


@pytest.mark.parametrize("part", ["configuration", "data_digest", "code"])
def test_recipe_with_a_missing_part_is_refused(part):
    saved = metadata().to_json()
    saved["recipe"] = {**saved["recipe"], part: 5}
    with pytest.raises(ValueError, match=f"recipe's {part} is 5"):
        WeightsMetadata.from_json(saved)


def test_unknown_fields_are_left_out():
    saved = metadata().to_json() | {"later": 1}
    assert WeightsMetadata.from_json(saved) == metadata()


def test_versions_and_device_name_something():
    versions = provenance.library_versions()
    assert versions["python"] == platform.python_version()
    assert versions["torch"] == torch.__version__
    assert {"numpy", "safetensors", "torchvision"} < versions.keys()
    assert provenance.device_name(torch.device("cpu")).startswith("CPU (")
    assert "()" not in provenance.device_name(torch.device("cpu"))
