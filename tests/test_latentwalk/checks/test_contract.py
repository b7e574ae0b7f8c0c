"""The contract as data against the document that states it and the checks that read by it."""

import ast
from pathlib import Path

import numpy as np
import places
import pytest

from latentwalk.assignment import ASSIGNMENT
from latentwalk.checks import contract, registry, shared
from latentwalk.checks.networks import NETWORKS
from latentwalk.data.shapes import NUM_CLASSES
from latentwalk.models import gan, vae
from problemset import rubric
from problemset.grading.submission import intake
from problemset.grading.submission.opened import Submission, SubmissionError

ROOT = places.ROOT
CHECKS = Path(registry.__file__).parent
NO_CHECKS = ("registry", "shared", "contract", "grader", "networks", "thumbnails")
READING = sorted(path for path in CHECKS.glob("*.py") if path.stem not in NO_CHECKS)
# what is no array and no network, and who reads it
BESIDES = {
    "problem1": {"document"},
    "claims": {"document", "pdf_text"},
    "problem5": {"pdf_text"},
    "notebook": {"notebook_run"},
    "figures": {"notebook_cells", "pdf_pictures"},
}
SIZES = {"shared.STEPS": shared.STEPS, "NUM_CLASSES": NUM_CLASSES}
# what the checks call to read a submission, and where its arguments are: the file, the array, the
# shape, and the axes that it adds to the shape by itself
READERS = {
    "submission.array": (0, 1, 2, ()),
    "open_images": (1, 2, 3, (1, 28, 28)),
    "shared.inputs_of": (1, 2, 3, ("any",)),
    "open_network": (1, None, None, ()),
    "shared.opens": (1, None, None, ()),
}


def item_of():
    """Check to item, as the rubric has it."""
    return {check.check: item.id for item in rubric.load() for check in item.checks}


def size_of(node):
    """A size of a shape in a check: a number, None for any, or `any` for what is computed."""
    if isinstance(node, ast.Constant):
        return node.value
    return SIZES.get(ast.unparse(node), "any")


def reads():
    """What each check reads: (check, file, array, shape); array and shape None for weights."""
    for path in READING:
        tree = ast.parse(path.read_text("utf-8"))
        calls = {
            node.name: [call for call in ast.walk(node) if isinstance(call, ast.Call)]
            for node in tree.body
            if isinstance(node, ast.FunctionDef)
        }
        for name in calls.keys() & registry.CHECKS.keys():
            parts = [ast.unparse(call.func) for call in calls[name]]  # what it leaves to others
            for call in (call for part in (name, *parts) for call in calls.get(part, ())):
                words = ast.unparse(call.func)
                if words in READERS:
                    yield name, *asked(words, call)


def asked(words, call):
    file, array, shape, more = READERS[words]
    names = [call.args[place] for place in (file, array) if place is not None]
    assert all(isinstance(name, ast.Constant) for name in names), "the test cannot follow names"
    if array is None:
        return f"weights/{names[0].value}.safetensors", None, None
    node = call.args[shape]
    sizes = tuple(map(size_of, node.elts)) if isinstance(node, ast.Tuple) else None
    return f"results/{names[0].value}.npz", names[1].value, sizes and sizes + more


def rules():
    return {(file.name, rule.name): rule for file in contract.FILES for rule in file.arrays}


def test_the_document_has_the_contract_s_table():
    text = (ROOT / "docs/submission.md").read_text("utf-8")
    assert f"\n\n{ASSIGNMENT.table()}\n\n" in text
    sizes = text.partition("They decide the sizes: ")[2].partition("\n\n")[0]
    sizes = sizes.replace("\n", " ")
    for network in contract.NETWORKS.values():
        assert f"{network.size} " in sizes, network.size


def test_each_array_that_a_check_asks_for_is_in_the_contract_with_its_shape():
    found = list(reads())
    assert len(found) >= 40
    for check, file, array, shape in found:
        if array is None:
            assert file in {rule.name for rule in contract.FILES}, check
            continue
        rule = rules()[file, array]
        if shape is None:  # built from a network, such as `labels_are_one_hot`'s
            continue
        assert len(shape) == len(rule.shape), (check, array)
        for wanted, promised in zip(shape, rule.shape, strict=True):
            # a check may take any size where the contract promises one, to say more of a wrong one
            assert wanted in (None, "any", promised), (check, array, shape)


def test_the_contract_says_which_items_read_what():
    item, read = item_of(), {}
    for check, file, array, _ in reads():
        read.setdefault((file, array), set()).add(item[check])
    for file in contract.FILES:
        for rule in file.arrays:
            assert set(rule.items) == read.pop((file.name, rule.name)), rule.name
            assert list(rule.items) == sorted(rule.items)
        if file.name.startswith("weights/") and not file.optional:
            assert set(file.items) == read.pop((file.name, None)), file.name
    assert read == {}


def test_no_check_reads_in_another_way():
    """Else the tests above would not see it."""
    for path in READING:
        tree = ast.parse(path.read_text("utf-8"))
        used = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute)]
        of_submission = {n.attr for n in used if ast.unparse(n.value) == "submission"}
        assert of_submission <= {"array"} | BESIDES.get(path.stem, set())


def test_all_items_are_judged_by_some_file():
    assert {item for file in contract.FILES for item in file.items} == {i.id for i in rubric.load()}
    for_a_person = {item.id for item in rubric.load() if item.reader}
    assert set(contract.BY_A_PERSON) == for_a_person


def test_the_intake_takes_every_file_of_the_contract(tmp_path):
    for file in contract.FILES:
        (tmp_path / "s" / file.name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "s" / file.name).touch()
    taken = intake.take_in(tmp_path / "s", tmp_path / "scratch")
    assert set(taken.files) == {file.name for file in contract.FILES}
    assert taken.ignored == ()


def test_the_networks_are_those_that_can_be_opened():
    assert contract.NETWORKS.keys() == NETWORKS.keys()
    assert contract.STEPS == shared.STEPS
    assert contract.NETWORKS["vae"].labels is None
    assert NETWORKS["gan"] == NETWORKS["cgan"] == (gan.Generator, gan.GanConfig)
    assert NETWORKS["vae"] == (vae.Vae, vae.VaeConfig)


def test_text_is_no_number(tmp_path):
    (tmp_path / "results").mkdir()
    np.savez(tmp_path / "results/2c.npz", labels=np.array(["3", "4"]))
    with pytest.raises(
        SubmissionError, match=r"labels of results/2c.npz is text, expected numbers"
    ):
        Submission(tmp_path).array("2c", "labels", (2,))
