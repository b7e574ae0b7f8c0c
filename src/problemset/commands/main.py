"""The shared part of command lines: find the command, run it, report errors in one line.

A command's module is imported only when the command is chosen, because some take seconds to import
and `--help` should be fast. This is the only module that prints.
"""

import importlib
import io
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from problemset.commands.parsing import HELP, HelpAsked, UsageError, did_you_mean

if TYPE_CHECKING:
    from problemset.assignment import Assignment


@dataclass(frozen=True)
class Program:
    """A command line."""

    name: str
    """Name of the command, and of the distribution whose version it prints."""
    summary: str
    """What it is for, in one line."""
    commands: Mapping[str, str]
    """Name to purpose; the module of the same name has a function `run`."""
    examples: Mapping[str, str]
    """Command to what it produces."""
    assignment: str = ""
    """Reference of the assignment for the general commands; empty: the one in the rubric."""
    own_commands: str = ""
    """Package with the modules of the other commands."""
    general: Sequence[str] = ("render", "pack", "check-submission", "grade")
    """Commands of any assignment; their modules are in this package."""
    packages: Sequence[str] = ("problemset",)
    """Packages whose errors are about the input or this machine, rather than bugs."""


def main(program: Program, arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        program: the command line.
        arguments: the words after the program's name; `sys.argv[1:]` if omitted.

    Returns:
        The exit code: 0; 1 if a command ran and found a problem; 2 for an error, reported in one
        line; 130 if interrupted.
    """
    _prepare_streams()
    _show_messages(program)
    words = list(sys.argv[1:] if arguments is None else arguments)
    show_traceback = words[:1] == ["--traceback"]
    try:
        code = _dispatch(program, words[show_traceback:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _complain(program, "interrupted; run the same command again to resume", 130)
    except BrokenPipeError:  # `latentwalk doctor | head -1`
        # otherwise Python would fail again when it flushes the closed pipe at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, RuntimeError) as error:
        if show_traceback or not _is_expected(program, error):
            raise
        return _complain(program, f"error: {_one_line(error)}", 2)
    return code


def _prepare_streams() -> None:
    """Let any text be printed, even to a terminal that lacks its characters or a closed stream."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _show_messages(program: Program) -> None:
    """Print log messages to standard error, so that standard output holds only the outcome."""
    handler = logging.StreamHandler()
    for package in program.packages:
        logger = logging.getLogger(package)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO)


def _dispatch(program: Program, words: list[str]) -> int:
    """Find the command and run it."""
    if not words:
        print(_overview(program), file=sys.stderr)
        return 2
    if words[0] in (*HELP, "help"):
        if words[1:] and words[1] not in (*HELP, "help"):
            return _dispatch(program, [*words[1:], "--help"])
        print(_overview(program))
        return 0
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"{program.name} {version(program.name)}")
        return 0
    if words[0] not in program.commands:
        known = [*program.commands, *HELP, "--version", "--traceback"]
        meant = did_you_mean(words[0], known)
        if words[0].startswith("-") and not meant:
            meant = "; options come after the command"
        lists = f"`{program.name} --help` lists the commands"
        raise UsageError(f"there is no command {words[0]!r}{meant} ({lists})")
    module = words[0].replace("-", "_")
    try:
        if words[0] in program.general:
            command = importlib.import_module(f"problemset.commands.{module}")
            outcome = command.run(_assignment(program), words[1:])
        else:
            command = importlib.import_module(f"{program.own_commands}.{module}")
            outcome = command.run(words[1:])
    except HelpAsked as help_text:
        print(help_text)
        return 0
    print(outcome.text)
    return outcome.exit_code


def _assignment(program: Program) -> "Assignment":
    """Find the assignment, which may be in the project's own folder."""
    assignment = importlib.import_module("problemset.assignment")
    if program.assignment:
        return assignment.load(program.assignment)
    rubric = importlib.import_module("problemset.rubric")
    root = str(importlib.import_module("problemset.workspace").project_root())
    # the assignment's module may be in the project's folder, such as checks.py
    if root not in sys.path:
        sys.path.insert(0, root)
    return assignment.load(rubric.assignment_reference())


def _overview(program: Program) -> str:
    names = max(map(len, program.commands))
    commands = [f"  {name:<{names}}  {purpose}" for name, purpose in program.commands.items()]
    examples = [f"  {command}\n      {yields}" for command, yields in program.examples.items()]
    return "\n".join(
        [
            f"usage: {program.name} COMMAND [OPTIONS]\n\n{program.summary}\n\ncommands:",
            *commands,
            "\nexamples:",
            *examples,
            f"\n`{program.name} COMMAND --help` explains a command. Output goes to build/.",
            f"`{program.name} --traceback COMMAND ...` shows where an error comes from.",
        ]
    )


def _is_expected(program: Program, error: Exception) -> bool:
    """Whether an error comes from the user's input or this machine, rather than from a bug."""
    ours = type(error).__module__.partition(".")[0] in program.packages
    return ours or isinstance(error, ValueError | OSError)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        named = f"{error.filename}: " if error.filename else ""
        return f"{named}{error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def _complain(program: Program, line: str, code: int) -> int:
    print(f"{program.name}: {line}", file=sys.stderr, flush=True)
    return code
