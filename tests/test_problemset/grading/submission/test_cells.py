import json

import nbformat.v4 as nb
import pytest

from problemset.grading.submission import cells
from problemset.grading.submission.intake import IntakeError


@pytest.fixture
def written(tmp_path):
    """Writes cells as a notebook; gives its path."""

    def write(*listed):
        path = tmp_path / "report.ipynb"
        path.write_text(json.dumps(nb.new_notebook(cells=list(listed))), "utf-8")
        return path

    return write


def test_each_code_cell_has_the_item_of_the_last_heading(written):
    output = nb.new_output("stream", name="stdout", text="ten")
    path = written(
        nb.new_code_cell("a = 1"),
        nb.new_markdown_cell("# Problem 2: interpolation\n\nThe first 10. images"),
        nb.new_code_cell("b = 2"),
        nb.new_markdown_cell("text\n\n## 2b. Ten images\n\nSee 3c."),
        nb.new_code_cell("c = 3", outputs=[output], execution_count=3),
        nb.new_code_cell(""),
        nb.new_raw_cell("## 2e. Not prose"),
        nb.new_markdown_cell("## Problem 4"),
        nb.new_code_cell("d = 4"),
    )
    found = cells.read(path)
    assert [(cell.problem, cell.item) for cell in found] == [
        ("", ""),
        ("2", ""),
        ("2", "2b"),
        ("2", "2b"),
        ("4", ""),
    ]
    assert [cell.source for cell in found] == ["a = 1", "b = 2", "c = 3", "", "d = 4"]
    assert (found[2].count, found[2].outputs) == (3, [output])
    assert (found[0].count, found[0].outputs) == (None, [])


def test_any_problem_and_letter_may_be_in_a_heading(written):
    path = written(
        nb.new_markdown_cell("# 9z. Last"),
        nb.new_code_cell("a = 1"),
        nb.new_markdown_cell("# Problem 7"),
        nb.new_code_cell("b = 2"),
        nb.new_markdown_cell("# 2nd thoughts, 0a. and 10 more"),
        nb.new_code_cell("c = 3"),
    )
    found = [(cell.problem, cell.item) for cell in cells.read(path)]
    assert found == [("9", "9z"), ("7", ""), ("7", "")]


def test_source_may_be_a_list_of_lines(written):
    path = written(nb.new_markdown_cell(""), nb.new_code_cell(""))
    content = json.loads(path.read_text("utf-8"))
    content["cells"][0]["source"] = ["# Problem 3\n", "\n", "## 3c. Decoded\n"]
    content["cells"][1]["source"] = ["a = 1\n", "b = 2"]
    path.write_text(json.dumps(content), "utf-8")
    (cell,) = cells.read(path)
    assert (cell.item, cell.source) == ("3c", "a = 1\nb = 2")


@pytest.mark.parametrize(
    ("source", "computes"),
    [
        ("", False),
        ("# only words", False),
        ("import torch\nfrom x import y", False),
        ("figures.show(path)\n42", False),
        ("%matplotlib inline\n!ls", False),
        ("a = 1", True),
        ("class Net(Base):\n    pass", True),
        ("for batch in batches:\n    step(batch)", True),
        ("!pip install torch\nnet = Net()", True),
        ("files = !ls", True),
    ],
)
def test_what_computes_is_more_than_imports_and_calls(source, computes, written):
    (cell,) = cells.read(written(nb.new_code_cell(source)))
    assert cell.computes == computes


def test_a_training_is_known_by_its_tag(written):
    tagged = nb.new_code_cell("a = 1", metadata={"tags": ["x", "training"]})
    other = nb.new_code_cell("a = 1", metadata={"tags": ["trainings"]})
    found = cells.read(written(tagged, other, nb.new_code_cell("a = 1")))
    assert [cell.training for cell in found] == [True, False, False]


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"cells": [1]}', '{"cells": [{"outputs": []}]}', "{", "NaN"]
)
def test_what_is_no_notebook_is_said_in_one_line(content, tmp_path):
    path = tmp_path / "report.ipynb"
    path.write_text(content, "utf-8")
    with pytest.raises(IntakeError, match=r"report\.ipynb") as error:
        cells.read(path)
    assert "\n" not in str(error.value)
