"""The contract of a submission as data: its files, their arrays, and the items that read them.

Packing, the completeness report and the table in docs/submission.md all use it. Each check states
the shapes that it needs independently; a test compares the two.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from latentwalk.data.shapes import IMAGE_SHAPE, NUM_CLASSES
from problemset.assignment import ArrayRule, FileRule, Look, PackError, Sizes
from problemset.grading.submission.layout import NOTEBOOK, PAPER

if TYPE_CHECKING:  # see `problemset.assignment`
    import numpy as np

    from problemset.grading.submission.opened import Submission

STEPS = 10  # steps of a path, and images per digit
FORMULAS, CLAIMS = "results/1.json", "results/claims.json"
VARIANTS = ("gan_10d", "gan_onehot")
"""Further networks that a notebook may compare with the contract's; packed if they exist."""
NOTEBOOK_CHECKS = frozenset(f"notebook_repeats_problem_{n}" for n in (2, 3, 4))
"""The checks that need the notebook to be run."""
BY_A_PERSON = ("1a", "1b", "3d", "3e", "5a")
FIGURES = ("2b", "2e", "3c", "4d")
"""Items whose figure shows the images of an array."""
TRAINING_ITEMS = frozenset({"2a", "3a", "4c"})
"""Items in whose cells a model may be trained, which is not repeated."""
CODE = ("2a", "3a", "4a", "4b", "4c")
"""Items that ask for a network or for a change of one, whose code the notebook holds."""


@dataclass(frozen=True)
class NetworkRule:
    """One trained network."""

    name: str
    """Name used by `latentwalk train`."""
    size: str
    """The contract's symbol for the size of the input that the network turns into an image."""
    labels: bool | None
    """Whether its input ends in a one-hot label; None for a network that is not a GAN."""


def _archive(item: str, *arrays: ArrayRule) -> FileRule:
    items = sorted({item for array in arrays for item in array.items})
    mend = "save it again with numpy.savez"
    return FileRule(f"results/{item}.npz", "", tuple(items), arrays, mend=mend)


def _weights(name: str, says: str, *items: str, optional: bool = False) -> FileRule:
    return FileRule(
        f"weights/{name}.safetensors",
        says,
        items,
        look=partial(_look_at_network, name),
        source=partial(_valid_weights, name),
        made_by=f"`latentwalk train {name}` makes it",
        mend=f"`latentwalk train {name}` makes it again",
        optional=optional,
    )


def _images(name: str, *count: int, items: tuple[str, ...]) -> ArrayRule:
    return ArrayRule(name, (*count, *IMAGE_SHAPE), items, problem=partial(_pixel_problem, name))


def _pixel_problem(name: str, images: "np.ndarray", file: str) -> str:
    low, high = images.min(), images.max()
    if low >= 0 and high <= 1:
        return ""
    return f"{name} of {file} has pixels from {low:.3g} to {high:.3g}, expected 0 to 1"


def _label_problem(labels: "np.ndarray", file: str) -> str:
    if set(labels.tolist()) <= set(range(NUM_CLASSES)):
        return ""
    return f"labels is {labels.tolist()}, expected whole numbers 0 to 9"


def _valid_weights(name: str) -> Path | None:
    from latentwalk.model_zoo import weights_files

    return weights_files.valid_file(name)


def _look_at_network(name: str, submission: "Submission", sizes: Sizes) -> Look:
    """Open a network and record the size that it decides, or compare it with the known one."""
    from latentwalk.checks import networks, shared

    rule, mend = NETWORKS[name], f"`latentwalk train {name}` makes it again"
    verdict = shared.opens(submission, name, rule.labels)
    config = networks.open_network(submission, name).config
    if not verdict.passed:
        return Look("misfit", verdict.says, mend)
    entries = getattr(config, "input_size", config.latent_size)
    wanted = sizes.get(rule.size, entries)
    sizes[rule.size] = entries
    if rule.size == "d":
        # 4a asks for ten times the noise, 4b for a one-hot label
        sizes["10 d + 10"] = 10 * entries + 10
    says = f"input size {entries}"
    if entries == wanted:
        return Look("ok", f"intact, {says}")
    mend = f"train it with --latent-size {wanted - 10}"
    return Look("misfit", f"{says}, expected {rule.size} = {wanted}", mend)


def _look_at_formulas(submission: "Submission", sizes: Sizes) -> Look:
    from latentwalk.checks import problem1

    steps = problem1.look_through(submission)
    return Look("ok", f"{steps} steps; closed forms and counter-example")


def _look_at_claims(submission: "Submission", sizes: Sizes) -> Look:
    from latentwalk.checks import claims

    return Look("ok", f"{len(claims.claims_of(submission))} claims")


def _look_at_paper(submission: "Submission", sizes: Sizes) -> Look:
    from latentwalk.checks import problem5

    verdict = problem5.pledge(submission)
    if not verdict.passed:
        return Look("misfit", verdict.says, "put it into the report, word for word")
    return Look("ok", "opens, and has the pledge")


def _look_at_notebook(submission: "Submission", sizes: Sizes) -> Look:
    from latentwalk.checks import figures
    from problemset.grading.submission.opened import SubmissionError

    cells = submission.notebook_cells()
    if not any(cell.outputs for cell in cells):
        return Look(
            "misfit", "was not executed: no cell has an output", "`make report` makes it again"
        )
    for item in CODE:
        if not any(cell.computes for cell in cells if cell.item == item):
            says = f"has no code under a heading of {item}"
            return Look("misfit", says, "put the code that answers the item under its heading")
    for item in FIGURES:
        try:
            figures.pictures_of(submission, item)
        except SubmissionError as error:
            return Look("misfit", str(error), "draw the images of the item under its heading")
    return Look("ok", f"executed, {len(cells)} cells with code")


NETWORKS = {
    rule.name: rule
    for rule in (
        NetworkRule("gan", "d", labels=False),
        NetworkRule("vae", "z", labels=None),
        NetworkRule("cgan", "10 d + 10", labels=True),
    )
}
"""The networks by name, each with the size that it decides."""

FILES = (
    FileRule(
        PAPER,
        "the report, with the notebook's figures and the pledge of 5b word for word",
        tuple(sorted((*BY_A_PERSON, *FIGURES, "5b"))),
        look=_look_at_paper,
    ),
    FileRule(
        NOTEBOOK,
        "the executed notebook",
        tuple(sorted((*BY_A_PERSON, *FIGURES))),
        look=_look_at_notebook,
    ),
    _weights("gan", "the GAN, without labels", "2a", "2b", "2e", "3d", "3e", "4a"),
    _weights("vae", "the variational autoencoder", "3a", "3b", "3c", "3d", "3e"),
    _weights("cgan", "the conditional GAN", "4a", "4b", "4c", "4d"),
    FileRule(
        FORMULAS,
        "Problem 1 as formulas: steps, closed forms, a counter-example; see below",
        ("1a", "1b"),
        look=_look_at_formulas,
        mend="docs/submission.md says what belongs there",
    ),
    _archive(
        "2b",
        _images("images", STEPS, items=("2b", "2c")),
        ArrayRule("inputs", (STEPS, "d"), ("2b", "2c")),
    ),
    _archive(
        "2c",
        _images("images", 2, items=("2c",)),
        ArrayRule("inputs", (2, "d"), ("2c", "2d")),
        ArrayRule("labels", (2,), ("2c", "3b"), problem=_label_problem),
    ),
    _archive(
        "2e",
        ArrayRule("inputs", (STEPS, "d"), ("2d", "2e")),
        _images("strip.images", STEPS, items=("2e",)),
    ),
    _archive(
        "3c",
        _images("originals.images", 2, items=("3b",)),
        ArrayRule("codes", (STEPS, "z"), ("3b", "3c")),
        _images("strip.images", STEPS, items=("3c",)),
    ),
    FileRule(
        CLAIMS,
        "the numbers that 3d and 3e quote, and how the text prints them; see below",
        ("3d", "3e"),
        look=_look_at_claims,
        mend="docs/submission.md says what belongs there",
    ),
    _archive(
        "4d",
        _images("images", NUM_CLASSES, STEPS, items=("4d",)),
        ArrayRule(
            "inputs",
            (NUM_CLASSES, STEPS, "10 d + 10"),
            ("4b", "4d"),
            note=": noise, then the one-hot label",
        ),
    ),
    *(_weights(name, "", optional=True) for name in VARIANTS),
)
"""Every file that the contract names, in reading order."""


def check_weights(found: Mapping[str, Path]) -> None:
    """Refuse arrays that were made with other weights than those packed with them.

    Raises:
        PackError: naming the file.
    """
    from latentwalk.training import checkpoints

    for archive in (path for path in found.values() if path.suffix == ".npz"):
        record = archive.with_suffix(".json")  # written by `cache.save`
        if not record.is_file():
            continue
        weights = json.loads(record.read_text("utf-8"))["made_from"]["weights"]
        for name, _, digest in (word.partition(":") for word in weights.split()):
            packed = found.get(f"weights/{name}.safetensors")
            if packed and not checkpoints.load_weights(packed)[1].network_digest.startswith(digest):
                raise PackError(
                    f"{archive} was made with other weights than {packed}; set "
                    "LATENTWALK_WEIGHTS as for `make report`, or run `make report` again"
                )
