"""The training loop, what it keeps on disk, and what makes kept weights outdated."""
