"""One module a command of the command line; `latentwalk.cli` picks, prints and exits."""
