"""The grader: it re-derives and does not believe."""
