"""Cells with the tag `definitions`: imports give way to the source of what they import."""

import ast
import sys
import textwrap

import pytest

from problemset.render.errors import DocumentError
from problemset.render.source.definitions import Definitions, DefinitionsError
from problemset.render.source.document import read_document

SHAPES = '''
SIDE = 28
"""Pixels along one side."""


def area() -> int:
    return SIDE * SIDE
'''
MODEL = '''
import math
import os.path as paths
from functools import cache, partial

from toy.shapes import SIDE, area


@cache
def half(x):  # a comment stays
    """Half of x."""
    return _double(x) / 4 + math.pi * 0


def _double(x):
    return 2 * x


class Net:
    """A network."""

    size = area()

    def run(self):
        return half(self.size), paths.sep
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    package = tmp_path / "toy"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "shapes.py").write_text(SHAPES)
    (package / "model.py").write_text(MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "toy"]:
        del sys.modules[name]


def expected(text):
    return textwrap.dedent(text).strip("\n")


def test_definitions_come_with_what_they_need_and_in_their_own_words(toy):
    assert Definitions().replace("from toy.model import half") == expected('''
        import math
        from functools import cache
        from toy.model import _double


        @cache
        def half(x):  # a comment stays
            """Half of x."""
            return _double(x) / 4 + math.pi * 0
        ''')
    assert "toy.model" not in sys.modules  # parsed, not imported


def test_a_later_cell_uses_what_earlier_ones_define_and_import(toy):
    cells = Definitions()
    first = cells.replace("from toy.shapes import SIDE, area")
    assert first == expected('''
        SIDE = 28
        """Pixels along one side."""


        def area() -> int:
            return SIDE * SIDE
        ''')
    second = cells.replace("from toy.model import Net, half, _double")
    assert "import toy" not in second
    assert "from toy" not in second
    assert second.startswith(
        "import math\nimport os.path as paths\nfrom functools import cache\n\n"
    )
    third = cells.replace("from toy.model import half")
    assert third.startswith("@cache")  # its imports are there already
    names: dict = {}
    for code in (first, second):
        exec(code, names)
    names["SIDE"] = 1  # what a reader changes is what the rest uses
    assert names["area"]() == 1
    assert names["Net"]().run()[0] == 28 * 28 / 2


def test_the_source_has_the_same_syntax_tree_as_the_package(toy):
    drawn = ast.parse(Definitions().replace("from toy.model import Net"))
    net = next(node for node in ast.parse(MODEL).body if getattr(node, "name", "") == "Net")
    assert ast.dump(drawn.body[-1]) == ast.dump(net)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import toy.model", "expected only lines of the form"),
        ("from toy.model import half as h", "expected only lines of the form"),
        ("from toy.model import *", "expected only lines of the form"),
        ("from toy.model import half\nx = 1", "expected only lines of the form"),
        ("from . import model", "expected only lines of the form"),
        ("from toy.model import third", "toy.model does not define third"),
        ("from toy.model import math", "toy.model does not define math"),
        ("from toy.nothing import x", "there is no source of a module toy.nothing"),
        ("from nowhere.at.all import x", "there is no source of a module nowhere.at.all"),
        ("from math import pi", "there is no source of a module math"),
        ("from toy.model import", "not Python"),
    ],
)
def test_anything_but_definitions_is_refused(toy, code, says):
    with pytest.raises(DefinitionsError, match=says):
        Definitions().replace(code)


def test_a_document_holds_the_definitions_and_keeps_the_options(toy, tmp_path):
    qmd = tmp_path / "report.qmd"
    cell = "```{python}\n#| label: net\n#| tags: [definitions]\nfrom toy.shapes import area\n```\n"
    qmd.write_text(f"# A\n\n{cell}")
    (found,) = (chunk for chunk in read_document(qmd).chunks if hasattr(chunk, "options"))
    assert found.code.endswith("def area() -> int:\n    return SIDE * SIDE")
    assert found.source == f"#| label: net\n#| tags: [definitions]\n{found.code}"
    qmd.write_text(f"# A\n\n{cell.replace('[definitions]', '[other]')}")
    (found,) = (chunk for chunk in read_document(qmd).chunks if hasattr(chunk, "options"))
    assert found.code == "from toy.shapes import area"
    qmd.write_text(f"# A\n\n{cell.replace('area', 'volume')}")
    with pytest.raises(DocumentError, match=r"report.qmd:4: toy.shapes does not define volume"):
        read_document(qmd)
