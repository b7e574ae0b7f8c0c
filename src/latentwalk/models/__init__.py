"""One file per model, in reading order: configuration, networks, losses, step, sampling."""
