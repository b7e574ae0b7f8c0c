"""One module per command; `latentwalk.cli` picks the command, prints its output and exits."""
