"""One file per model, read top to bottom: configuration, networks, losses, step, sampling."""
