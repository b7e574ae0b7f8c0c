"""The contract of a submission as data: its files, their arrays, and the items that read them.

Packing, the completeness report and the table in docs/submission.md all use it. Each check states
the shapes that it needs independently; a test compares the two.
"""

from dataclasses import dataclass
from typing import Literal

from latentwalk.shapes import IMAGE_SHAPE, NUM_CLASSES

STEPS = 10  # steps of a path, and images per digit
NOTEBOOK, PAPER = "report.ipynb", "report.pdf"
FORMULAS, CLAIMS = "results/1.json", "results/claims.json"
VARIANTS = ("gan_10d", "gan_onehot")
"""Further networks that a notebook may compare with the contract's; packed if they exist."""
NOTEBOOK_RUN = "notebook-run.json"
"""File in the grader's private copy with the results of running the notebook; not in the
contract."""
NOTEBOOK_CHECKS = "notebook_"
"""Name prefix of the checks that require running the notebook."""
BY_A_PERSON = ("1a", "1b", "3d", "3e", "5a")
FIGURES = ("2b", "2e", "3c", "4d")
"""Items whose figure shows the images of an array."""


@dataclass(frozen=True)
class ArrayRule:
    """One array of an archive."""

    name: str
    """Such as `strip.images`."""
    shape: tuple[int | str, ...]
    """A text stands for a size that a network decides, see `NETWORKS`."""
    items: tuple[str, ...]
    """Items of the rubric whose checks read it."""
    holds: Literal["images", "numbers", "labels"] = "numbers"
    """Images: in [0, 1], 1 is ink. Labels: whole numbers 0 ... 9. Numbers: any finite ones."""
    note: str = ""
    """Anything that the shape does not say."""

    def __str__(self) -> str:
        sizes = ", ".join(map(str, self.shape)) + ("," if len(self.shape) == 1 else "")
        return f"`{self.name}` ({sizes}){self.note}"


@dataclass(frozen=True)
class NetworkRule:
    """One trained network."""

    name: str
    """Name used by `latentwalk train`."""
    size: str
    """The contract's symbol for the number of entries that the network turns into an image."""
    labels: bool | None
    """Whether its input ends in a one-hot label; None for a network that is not a GAN."""


@dataclass(frozen=True)
class FileRule:
    """One file of a submission."""

    name: str
    """Its path in the submission."""
    says: str
    """What it holds, in words; empty where `arrays` says so."""
    items: tuple[str, ...]
    """Items of the rubric that are judged by it, by a check or by a person."""
    arrays: tuple[ArrayRule, ...] = ()
    network: NetworkRule | None = None

    @property
    def holds(self) -> str:
        """Description of the content: the words, or all arrays with their shapes."""
        return self.says or ", ".join(map(str, self.arrays))


def _archive(item: str, *arrays: ArrayRule) -> FileRule:
    items = sorted({item for array in arrays for item in array.items})
    return FileRule(f"results/{item}.npz", "", tuple(items), arrays)


def _weights(network: NetworkRule, says: str, *items: str) -> FileRule:
    return FileRule(f"weights/{network.name}.safetensors", says, items, network=network)


def _images(name: str, *count: int, items: tuple[str, ...]) -> ArrayRule:
    return ArrayRule(name, (*count, *IMAGE_SHAPE), items, "images")


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
    ),
    FileRule(NOTEBOOK, "the executed notebook", tuple(sorted((*BY_A_PERSON, *FIGURES)))),
    _weights(NETWORKS["gan"], "the GAN, without labels", "2a", "2b", "2e", "3d", "3e", "4a"),
    _weights(NETWORKS["vae"], "the variational autoencoder", "3a", "3b", "3c", "3d", "3e"),
    _weights(NETWORKS["cgan"], "the conditional GAN", "4a", "4b", "4c", "4d"),
    FileRule(
        FORMULAS,
        "Problem 1 as formulas: steps, closed forms, a counter-example; see below",
        ("1a", "1b"),
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
        ArrayRule("labels", (2,), ("2c", "3b"), "labels"),
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
)
"""Every file that the contract names, in reading order."""
TOP_LEVEL = frozenset(file.name.partition("/")[0] for file in FILES)
"""Files and folders at the top of a submission."""


def table() -> str:
    """The table in docs/submission.md, as Markdown."""
    rows = [f"| `{file.name}` | {file.holds} | {', '.join(file.items)} |" for file in FILES]
    return "\n".join(["| file | what it holds | read for |", "|--|--|--|", *rows])
