"""Shared code of the commands: the parser of their options, and the result of a command."""

import argparse
import difflib
import itertools
import re
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

HELP = ("-h", "--help")
WIDEST_HELP = 80
"""Columns of a help text, even on a wider terminal."""


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


class _HelpFormatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Keeps the lines of the description; states the defaults that say something."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=help_width())

    def _get_help_string(self, action: argparse.Action) -> str | None:
        says_nothing = action.default in (None, "") or isinstance(action.default, bool)
        return action.help if says_nothing else super()._get_help_string(action)

    def _get_default_metavar_for_optional(self, action: argparse.Action) -> str:
        return "N" if action.type is int else "NUMBER" if action.type is float else "TEXT"


class Parser(argparse.ArgumentParser):
    """Parses a command's arguments; raises what argparse would print before it exits."""

    def __init__(self, program: str, description: str) -> None:
        super().__init__(
            prog=program,
            description=filled(description),
            formatter_class=_HelpFormatter,
            allow_abbrev=False,
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse a mistyped option before argparse misses the one that was meant.

        Raises:
            UsageError: an argument that the command does not have.
            HelpAsked: help was requested.
        """
        known = self._option_string_actions
        for word in itertools.takewhile(lambda word: word != "--", args):
            name = word.partition("=")[0]
            if re.match(r"-[^\d.\s]\S*$", name) and name not in known:
                self.error(f"there is no option {name}{did_you_mean(name, known)}")
        options, more = super().parse_known_args(args, namespace)
        if more:
            self.error(f"{' '.join(more)} is more than the command takes")
        return options, more

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments.

        Raises:
            UsageError: always, one line.
        """
        example = re.search(r"Example:\n +(.+)", self.description or "")
        if message.startswith("the following arguments are required") and example:
            message += f", such as in `{example[1]}`"
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
        meant = did_you_mean(arguments[0], [*names, *HELP]) if arguments else ""
        raise UsageError(
            f"name a model after `{program}`: got {got}, expected {', '.join(names)}{meant}"
        )
    return arguments[0]


def did_you_mean(got: str, known: Iterable[str]) -> str:
    """Name the known word that looks most like a mistyped one; an empty string if none does.

    Capitals, hyphens and underscores do not count, and the first letters of a word are enough.
    """
    words = {_plain(word): word for word in known}
    begins = [word for word in words if _plain(got) and word.startswith(_plain(got))]
    found = begins if len(begins) == 1 else difflib.get_close_matches(_plain(got), words, n=1)
    return f"; did you mean `{words[found[0]]}`?" if found else ""


def _plain(word: str) -> str:
    return re.sub(r"[-_]", "", word).casefold()


def help_width() -> int:
    """Columns for a help text: those of the terminal, but at most `WIDEST_HELP`."""
    return min(shutil.get_terminal_size().columns, WIDEST_HELP)


def filled(text: str) -> str:
    """Wrap paragraphs to the width of a help text; wrap indented lines only if too long."""
    width = help_width()

    def wrapped(found: re.Match[str]) -> str:
        # a list's second column, such as what a file holds, keeps its place
        column = re.match(r" +\S+ {2,}", found[0])
        hanging = " " * (column.end() if column else 8) if found[0].startswith(" ") else ""
        return textwrap.fill(
            found[0],
            width,
            subsequent_indent=hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )

    return re.sub(r"(?m)^\S.*(?:\n\S.*)*|^ .*", wrapped, text.strip("\n"))
