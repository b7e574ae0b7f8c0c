"""Generic machinery for literate reports with autograded checks, for any course."""
