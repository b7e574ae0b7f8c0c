"""What a check found, and the points of all checks together."""
