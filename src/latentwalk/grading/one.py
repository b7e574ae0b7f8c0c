"""What runs in a check's own process: one check of one submission."""

import dataclasses
import functools
import importlib
import re
from pathlib import Path
from typing import Any

import torch

from latentwalk import data
from latentwalk.grading.checks.known import CHECKS
from latentwalk.grading.checks.shared import Staff
from latentwalk.grading.submission import Fault, Submission
from latentwalk.model_zoo import recipes, weights_files
from latentwalk.models.classifier import Classifier
from latentwalk.sealed import WeightsError
from problemset.grading.sandbox import forkserver_client
from problemset.grading.score.verdict import Verdict


def run(check: str, folder: str) -> dict[str, Any]:
    """Carry out a check.

    Args:
        check: one of `CHECKS`.
        folder: the submission's private copy.

    Returns:
        The verdict's fields; a fault of the submission becomes a failed check.

    Raises:
        WeightsError: the staff's classifier has no valid weights.
    """
    torch.set_num_threads(
        forkserver_client.threads()
    )  # the forkserver, from which this was forked, uses one
    try:
        verdict = CHECKS[check](Submission(Path(folder)), staff())
    except Fault as fault:
        verdict = Verdict(False, str(fault))
    return dataclasses.asdict(verdict)


def pages(folder: str) -> dict[str, int]:
    """Find the page of the PDF on which each item of the homework begins; omit items not found.

    Raises:
        Fault: there is no PDF, or it cannot be read.
    """
    found: dict[str, int] = {}
    for number, text in enumerate(Submission(Path(folder)).pdf_pages(), start=1):
        for item in re.findall(r"^\s*([1-5][a-e])[.)]\s", text, re.MULTILINE):
            found.setdefault(item, number)
    return found


def prepare() -> None:
    """Load, once per forkserver, the data that all checks need; this module imports the libraries.

    Raises:
        WeightsError: the staff's classifier has no valid weights.
        DataError: MNIST cannot be obtained.
    """
    staff()
    importlib.import_module("torchmetrics.image.fid")  # `frechet_distance` imports it lazily


@functools.cache
def staff() -> Staff:
    """Load the classifier, from valid weights only: a check has no time to train one."""
    path = weights_files.valid_file("classifier")
    if path is None:
        words = "the judge has no valid weights; run `latentwalk train classifier` first"
        raise WeightsError(words)
    judge = weights_files.read(path, recipes.get("classifier")).network
    assert isinstance(judge, Classifier)
    return Staff(judge, data.load("test"))
