"""The training loop, what it saves on disk, and what makes saved weights outdated."""
