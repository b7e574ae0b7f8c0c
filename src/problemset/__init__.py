"""Literate reports with autograded checks: what any course can use."""
