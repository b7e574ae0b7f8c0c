"""Problem 1 as plain text, `results/1.json`, so that other programs can evaluate it.

See docs/submission.md. The formulas are in sympy's syntax, with the symbols of `symbolic`.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from latentwalk.derivations import counterexample, symbolic
from latentwalk.derivations.symbolic import Step
from problemset import file_io, workspace

FIRST_OF_1B = "eq-bayes"  # the steps of 1a come before it


def save(steps: Iterable[Step]) -> Path:
    """Write the steps, the closed forms and one counter-example.

    Raises:
        WriteError: the results folder cannot be written.
    """
    path = workspace.results_dir() / "1.json"
    file_io.write_if_changed(path, json.dumps(as_text(steps), indent=1) + "\n")
    return path


def as_text(steps: Iterable[Step]) -> dict[str, Any]:
    """Return the content that `save` writes."""
    terms, case = symbolic.linear_gaussian_terms(), counterexample.counterexamples()[0]
    written: list[dict[str, Any]] = []
    item = "1a"
    for step in steps:
        item = "1b" if step.label == FIRST_OF_1B else item
        written.append(
            {
                "item": item,
                "says": step.name,
                "left": str(step.left),
                "right": str(step.right),
                "full_support": symbolic.FULL_SUPPORT in step.given,
            }
        )
    return {
        "steps": written,
        "formulas": {
            "gaussian_divergence": str(symbolic.gaussian_kl_expression()),
            "divergence_from_prior": str(symbolic.vae_kl_expression()),
            "bound": str(terms.bound),
            "log_evidence": str(terms.log_evidence),
        },
        "counterexample": {
            "q": [str(value) for value in case.q],
            "joint": [str(value) for value in case.joint],
            "printed_gap": str(case.printed_gap),
        },
    }
