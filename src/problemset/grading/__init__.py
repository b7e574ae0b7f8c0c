"""Grade submissions: take them in, run checks in isolation, compute scores, and write results."""
