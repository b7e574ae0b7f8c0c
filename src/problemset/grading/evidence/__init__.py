"""Evidence that several checks use: the notebook's cells and outputs."""
