"""One file per model, each read top to bottom: configuration, networks, losses, initial state, training step, sampling."""
