"""Give the released weights the key of the code as it is, where it still computes the same.

To be run after code that training depends on was renamed, moved or rewritten.
"""

import logging
import sys

from latentwalk import paths
from latentwalk.model_zoo import recipes, weights_files
from latentwalk.training import checkpoints


def main() -> int:
    """Renew each released file; say which are stale."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    stale = 0
    for name in recipes.recipes():
        try:
            renewed = weights_files.renew(name)
        except checkpoints.WeightsError as error:
            print(error)
            stale += 1
        else:
            print(f"{name}: {'key renewed' if renewed else 'key is of the code as it is'}")
    checkpoints.write_manifest(paths.released_weights_dir())
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
