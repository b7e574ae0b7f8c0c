"""The figure on the web page in which the trained networks run: what it needs, and its script."""
