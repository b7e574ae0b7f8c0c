"""The grader: it recomputes what a submission claims and trusts none of it."""
