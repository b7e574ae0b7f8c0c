"""Code shared by the command line's commands."""
