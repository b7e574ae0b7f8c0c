"""Before the deadline: make a submission, and say what one lacks."""
