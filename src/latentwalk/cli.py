"""Command line, `latentwalk COMMAND`: the only module that prints and exits.

A command's module is imported only when the command is chosen, because PyTorch takes seconds to
import and `latentwalk --help` should be fast.
"""

import importlib
import io
import os
import sys
from collections.abc import Sequence

from problemset.commands.parsing import HelpAsked

COMMANDS = {
    "data": "get MNIST and verify it",
    "train": "train a model of the report, or a variant of it",
    "sample": "write images that a trained model generates",
    "render": "make the report: PDF, web page and notebook",
    "pack": "make a submission from what the report has left in build/",
    "check-submission": "say what a submission lacks, before the deadline",
    "grade": "grade submissions by the rubric",
    "doctor": "say what this machine has, and how to mend what is missing",
}
_GENERAL = ("pack", "check_submission", "grade")  # commands that any assignment has
_EXAMPLES = {
    "latentwalk render": "build/report.pdf, .html and .ipynb",
    "latentwalk sample cgan --count 100 --seed 1 --out digits.npz": "ten of each digit",
    "latentwalk train gan --steps 500": "a variant; the report's weights stay",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the words after `latentwalk`; `sys.argv[1:]` if omitted.

    Returns:
        The exit code: 0; 1 if a command ran and found a problem; 2 for an error, reported in one
        line; 130 if interrupted.
    """
    _prepare_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    show_traceback = words[:1] == ["--traceback"]
    try:
        code = _dispatch(words[show_traceback:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _complain("interrupted; the same command goes on from what is saved", 130)
    except BrokenPipeError:  # `latentwalk doctor | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, RuntimeError) as error:
        if show_traceback or not _is_expected(error):
            raise
        return _complain(f"error: {_one_line(error)}", 2)
    return code


def _prepare_streams() -> None:
    """Let any text be printed, even to a terminal that lacks its characters or a closed stream."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _dispatch(words: list[str]) -> int:
    """Find the command and run it."""
    if not words:
        print(_overview(), file=sys.stderr)
        return 2
    if words[0] in ("-h", "--help", "help"):
        if words[1:]:
            return _dispatch([words[1], "--help"])
        print(_overview())
        return 0
    if words[0] == "--version":
        print(f"latentwalk {importlib.import_module('importlib.metadata').version('latentwalk')}")
        return 0
    if words[0] not in COMMANDS:
        raise ValueError(
            f"there is no command {words[0]!r}, expected {', '.join(COMMANDS)} "
            "(`latentwalk --help` explains them)"
        )
    name = words[0].replace("-", "_")
    try:
        if name in _GENERAL:
            homework = importlib.import_module("latentwalk.assignment").ASSIGNMENT
            command = importlib.import_module(f"problemset.commands.{name}")
            outcome = command.run(homework, words[1:], _say)
        else:
            outcome = importlib.import_module(f"latentwalk.commands.{name}").run(words[1:], _say)
    except HelpAsked as help_text:
        print(help_text)
        return 0
    print(outcome.text)
    return outcome.exit_code


def _overview() -> str:
    width, names = max(map(len, _EXAMPLES)), max(map(len, COMMANDS))
    commands = [f"  {name:<{names}}  {purpose}" for name, purpose in COMMANDS.items()]
    examples = [f"  {command:<{width}}  {yields}" for command, yields in _EXAMPLES.items()]
    return "\n".join(
        [
            "usage: latentwalk COMMAND [OPTIONS]\n",
            "GANs and VAEs on MNIST, walked between images: the homework report and its models.\n",
            "commands:", *commands, "\nexamples:", *examples,
            "\n`latentwalk COMMAND --help` explains a command. What is made goes to build/.",
            "`latentwalk --traceback COMMAND ...` shows where an error comes from.",
        ]
    )  # fmt: skip


def _is_expected(error: Exception) -> bool:
    """Whether an error comes from the user's input or this machine, rather than from a bug."""
    ours = type(error).__module__.startswith(("latentwalk.", "problemset."))
    return ours or isinstance(error, ValueError | OSError)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        named = f"{error.filename}: " if error.filename else ""
        return f"{named}{error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _say(line: str) -> None:
    """Print progress to standard error, so that standard output holds only the outcome."""
    print(line, file=sys.stderr, flush=True)


def _complain(line: str, code: int) -> int:
    _say(f"latentwalk: {line}")
    return code


if __name__ == "__main__":
    sys.exit(main())
