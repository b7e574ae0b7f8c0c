import ast
import importlib
import textwrap

import hypothesis.strategies as st
import pytest
from hypothesis import given

from problemset import source_code
from problemset.source_code import canonical, dependencies, sha256

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


def digest_of(code):
    return sha256(canonical(ast.parse(textwrap.dedent(code))))


def test_comments_docstrings_and_formatting_do_not_change_the_key():
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
def test_every_change_of_the_code_changes_the_key(old, new):
    assert CODE.count(old) >= 1
    assert digest_of(CODE.replace(old, new)) != digest_of(CODE)


def test_code_digest_is_the_same_under_every_python():
    """Computed under Python 3.11.7; 3.12.1 and 3.13.0 give the same."""
    assert digest_of(CODE) == "68714ae97aeeca9d7cf002801cf80f9cdea371cd600665d0fae180efa4260fe7"


def test_a_string_in_use_is_not_a_docstring():
    assert digest_of("x = 'a'") != digest_of("x = 'b'")
    assert digest_of("def f():\n    return 'a'") != digest_of("def f():\n    return 'b'")
    assert digest_of("def f(x='a'): pass") != digest_of("def f(x='b'): pass")
    assert digest_of("'a'") == digest_of("'b'")
    assert digest_of("b'a'\n1\nNone") != digest_of("")


@given(st.one_of(st.text(max_size=8), st.floats(), st.integers(), st.binary(max_size=4)))
def test_constants_of_different_values_differ(value):
    kinds = {int: 1, float: 1.0, str: "1", bytes: b"1"}
    found = canonical(ast.parse(f"x = {value!r}"))
    for kind, other in kinds.items():
        same = type(value) is kind and repr(value) == repr(other)
        assert (found == canonical(ast.parse(f"x = {other!r}"))) == same


FILES = {
    "shapes": "SIDE = 28\nUNUSED = 1\n",
    "nets": """
        import math as m
        from toypackage.shapes import SIDE

        class Net:
            size = SIDE

            def forward(self, x):
                return helper(x) * m.pi

        def helper(x):
            return x + 1

        def unused(x):
            return x
        """,
    "loop": """
        from toypackage import nets
        from toypackage.nets import Net

        def train(steps):
            return nets.helper(steps), Net()
        """,
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a small package, perhaps with replacements, and digest what `loop.train` depends on."""
    monkeypatch.syspath_prepend(tmp_path)

    def digests(*replacements, files=FILES, entry="train"):
        source_code._module.cache_clear()
        source_code._definition_digest.cache_clear()
        source_code._references.cache_clear()
        folder = tmp_path / "toypackage"
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
        for name, text in files.items():
            text = textwrap.dedent(text)
            for old, new in replacements:
                text = text.replace(old, new)
            (folder / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        for name in [n for n in importlib.sys.modules if n.startswith("toypackage")]:
            del importlib.sys.modules[name]
        return dependencies(getattr(importlib.import_module("toypackage.loop"), entry))

    yield digests
    for cached in (source_code._module, source_code._definition_digest, source_code._references):
        cached.cache_clear()


def changed(before, after):
    names = before.keys() | after.keys()
    return {name for name in names if before.get(name) != after.get(name)}


def test_what_is_used_is_followed_through_imports_and_nothing_else(package):
    assert set(package()) == {"train", "helper", "Net", "Net.forward", "SIDE"}


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("x + 1", "x + 2", {"helper"}),
        ("SIDE = 28", "SIDE = 32", {"SIDE"}),
        ("* m.pi", "/ m.pi", {"Net.forward"}),
        ("import math as m", "import cmath as m", {"Net.forward"}),
        ("size = SIDE", "size = SIDE + 1", {"Net"}),
        ("helper(steps), Net()", "Net()", {"train"}),
    ],
)
def test_a_change_is_named_by_what_changed(package, old, new, names):
    assert changed(package(), package((old, new))) == names


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return x + 1", "# a comment\n    return (x + 1)"),
        ("UNUSED = 1", "UNUSED = 2"),
        ("def unused(x):", "def unused(y):"),
    ],
)
def test_what_does_not_matter_changes_nothing(package, old, new):
    assert package((old, new)) == package()


def test_a_definition_may_move_to_another_module(package):
    moved = dict(FILES)
    moved["tools"] = "def helper(x):\n    return x + 1\n"
    moved["nets"] = textwrap.dedent(FILES["nets"]).replace(
        "def helper(x):\n    return x + 1", "from toypackage.tools import helper"
    )
    before = package()
    assert package(files=moved) == before


def test_a_function_without_a_source_is_refused():
    with pytest.raises(ValueError, match="has no source that can be followed"):
        dependencies(eval("lambda: 1"))


def test_a_file_that_is_not_python_is_refused(package, tmp_path):
    package()
    (tmp_path / "toypackage" / "broken.py").write_text("def f(:")
    with pytest.raises(ValueError, match=r"broken\.py cannot be read as Python"):
        source_code._module("toypackage.broken")
