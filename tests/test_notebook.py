"""The code in the report's notebook: the package's own, under its item, and in use."""

import ast
import copy
import importlib.util
from pathlib import Path

import nbformat
import pytest

from problemset import workspace
from problemset.render.execution.kernel import running_kernel
from problemset.render.formats import pdf_reader
from problemset.render.source.definitions import TAG

WITH_CODE = ("2a", "2b", "2c", "2d", "2e", "3a", "3b", "3c", "4a", "4b", "4c", "4d")
DEFINED = {  # what a reader must find, and in which package module it is
    "latentwalk.models.layers": {"ResidualBlock", "Encoder", "Decoder"},
    "latentwalk.models.gan": {
        "GanConfig",
        "Generator",
        "Discriminator",
        "draw_inputs",
        "discriminator_loss",
        "generator_loss",
        "update_discriminator",
        "update_generator",
        "train_step",
        "init",
    },
    "latentwalk.models.vae": {
        "VaeConfig",
        "Posterior",
        "Vae",
        "bernoulli_log_likelihood",
        "elbo_parts",
        "train_step",
    },
}
STEPS = """
from types import SimpleNamespace
import torch
from latentwalk.data import mnist
from latentwalk.training import short
work = SimpleNamespace(train=mnist.load("train"))
"""


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(workspace.build_dir() / "report.ipynb", as_version=4)


def labelled(notebook, label):
    (found,) = (c for c in notebook.cells if c.source.startswith(f"#| label: {label}\n"))
    return found


def definitions_of(tree):
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: ast.dump(node) for node in tree.body if isinstance(node, kinds)}


def differing(notebook):
    """Names that the notebook defines otherwise than the package, and those that it lacks."""
    tagged = [c for c in notebook.cells if TAG in c.metadata.get("tags", [])]
    shown = [definitions_of(ast.parse(cell.source)) for cell in tagged]
    wrong = set()
    for module, names in DEFINED.items():
        source = Path(importlib.util.find_spec(module).origin).read_text("utf-8")
        package = definitions_of(ast.parse(source))
        for name in names:
            if not any(cell.get(name) == package[name] for cell in shown):
                wrong.add(name)
    return wrong


def test_the_code_shown_is_the_package_s_own(notebook):
    assert differing(notebook) == set()
    altered = copy.deepcopy(notebook)
    cell = labelled(altered, "gan-networks")
    cell.source = cell.source.replace("images * 2 - 1", "images * 2")
    assert differing(altered) == {"Discriminator"}
    labelled(altered, "vae-training").source = ""
    assert differing(altered) == {"Discriminator", "bernoulli_log_likelihood", "elbo_parts"} | {
        "train_step"
    }


def test_every_item_that_a_program_answers_has_its_code(notebook):
    item, found = "", {}
    for cell in notebook.cells:
        heads = [line for line in cell.source.splitlines() if line.startswith("## ")]
        if cell.cell_type == "markdown" and heads:
            item = heads[-1].split()[1].rstrip(".")
        elif cell.cell_type == "code" and not cell.source.startswith(
            ("#| label: fig", "#| label: tbl")
        ):
            found.setdefault(item, []).append(cell)
    assert [item for item in WITH_CODE if item not in found] == []


def test_nothing_of_the_code_is_in_the_pdf():
    text = pdf_reader.pdf_text(workspace.build_dir() / "report.pdf")
    assert "Ten images" in text
    for code in (
        "nn.Module",
        "train_step",
        "largest difference",
        "discriminator_nats",
        "epsilon_start",
    ):
        assert code not in text


def test_a_reader_who_edits_the_discriminator_sees_the_losses_change(notebook, tmp_path):
    """The cells of 2a run with nothing else of the report, and their outputs depend on them."""
    networks, training, first = (
        labelled(notebook, label) for label in ("gan-networks", "gan-training", "gan-first-steps")
    )
    edited = networks.source.replace("self.encoder(images * 2 - 1)", "self.encoder(images * 9)")
    assert edited != networks.source
    sources = [STEPS, networks.source, training.source, first.source, edited, first.source]
    again = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in sources])
    with running_kernel(again, tmp_path) as client:
        for number, cell in enumerate(again.cells):
            client.execute_cell(cell, number)
    (saved,), (same,), (other,) = (c.outputs for c in (first, again.cells[3], again.cells[5]))
    assert same.text == saved.text
    assert other.text != saved.text
    assert other.text.count("discriminator_nats") == saved.text.count("discriminator_nats") > 1


def test_citations_are_resolved_and_the_works_are_listed(notebook):
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert any("(Kingma and Welling 2014)" in text for text in prose)
    assert prose[-1].startswith("# References\n\n")
    assert "Goodfellow, Ian" in prose[-1]
    assert not [text for text in prose if "[@" in text or "@fig" in text or "@eq" in text]


def test_figures_and_tables_have_captions_and_alternative_texts(notebook):
    for cell, after in zip(notebook.cells, notebook.cells[1:], strict=False):
        kind = next((k for k in ("fig", "tbl") if f"#| label: {k}-" in cell.source[:14]), None)
        if kind is None:
            continue
        name = {"fig": "Figure", "tbl": "Table"}[kind]
        assert after.source.startswith(f"**{name} "), cell.source[:60]
        if kind == "fig":
            (output,) = cell.outputs
            (image,) = (k for k in output.data if k.startswith("image/"))
            assert len(output.metadata[image]["alt"]) > 20
