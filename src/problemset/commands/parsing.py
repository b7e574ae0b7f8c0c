"""Shared code of the commands: the parser of their options, and the result of a command."""

import argparse
import re
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

HELP = ("-h", "--help")


class HelpAsked(Exception):
    """Raised when help was requested; the message is the help text."""


class UsageError(ValueError):
    """The command line contains something that the command does not understand."""


@dataclass(frozen=True)
class Outcome:
    """Result of a finished command."""

    text: str
    """Text for standard output."""
    exit_code: int = 0
    """0, or 1 when the command ran and found a problem."""


class _HelpFormatter(
    argparse.RawDescriptionHelpFormatter,
    argparse.ArgumentDefaultsHelpFormatter,
    argparse.MetavarTypeHelpFormatter,
):
    """Keeps the lines of the description; states types, and the defaults that say something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, "") else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """Parses a command's arguments; raises what argparse would print before it exits."""

    def __init__(self, program: str, description: str) -> None:
        super().__init__(
            prog=program,
            description=filled(description),
            formatter_class=_HelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments.

        Raises:
            UsageError: always, one line.
        """
        raise UsageError(f"{message} (`{self.prog} --help` lists the options)")

    def print_help(self, file: Any = None) -> NoReturn:
        """Give the help.

        Raises:
            HelpAsked: always, with the description and the options.
        """
        raise HelpAsked(self.format_help().rstrip())


def take_model(arguments: Sequence[str], names: Sequence[str], program: str) -> str:
    """Return the model's name, which is the first argument.

    Raises:
        UsageError: the name is missing or unknown.
    """
    got = repr(arguments[0]) if arguments else "nothing"
    if not arguments or arguments[0] not in names:
        raise UsageError(f"name a model after `{program}`: got {got}, expected {', '.join(names)}")
    return arguments[0]


def filled(text: str) -> str:
    """Wrap paragraphs to the terminal's width; indented lines are wrapped only if too long."""
    width = shutil.get_terminal_size().columns

    def wrapped(found: re.Match[str]) -> str:
        hanging = " " * 8 if found[0].startswith(" ") else ""
        return textwrap.fill(
            found[0],
            width,
            subsequent_indent=hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )

    return re.sub(r"(?m)^\S.*(?:\n\S.*)*|^ .*", wrapped, text.strip("\n"))
