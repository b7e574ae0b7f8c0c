"""What several checks look at: the notebook's cells and outputs."""
