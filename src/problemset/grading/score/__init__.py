"""Results of checks, and the points of all checks together."""
