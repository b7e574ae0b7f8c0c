"""Grade submissions: take them in, run checks in isolation, score, and write results."""
