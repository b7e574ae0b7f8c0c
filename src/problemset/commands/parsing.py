"""Shared code of the commands: option parsing from a dataclass, and the result of a command."""

import contextlib
import io
import re
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

HELP = ("-h", "--help")
_FRAME = "╭╮╰╯│─"  # characters of the box that tyro draws around an error message
_WORDS = {  # patterns in error messages, and their replacements
    r"^Error parsing (?!-)\S+: ": "",
    r"\b[A-Z]\w*Config\.(\w+) is": r"--\1 is",
    r" is (inf|nan), expected ": r" is \1, expected a finite number, ",
    r"invalid literal for int\(\) with base 10: ('.*?')": r"\1 is no whole number",
    r"could not convert string to float: ('.*?')": r"\1 is no number",
}
Options = TypeVar("Options")


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


def parse(
    kind: type[Options],
    arguments: Sequence[str],
    program: str,
    description: str,
    default: Options | None = None,
) -> Options:
    """Parse command-line options into a dataclass.

    Args:
        kind: a dataclass with one field per option.
        arguments: the arguments after the command.
        program: how the reader invoked the command, for usage and error messages.
        description: text for the top of the help.
        default: default values of the options; those of the class if omitted.

    Raises:
        HelpAsked: contains the options with their docstrings.
        UsageError: one line in place of tyro's box, or a value that the dataclass refuses.
    """
    import tyro  # imported here because the general help does not need it

    # tyro checks the encoding of standard output before it draws a box
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return tyro.cli(
                kind,
                prog=program,
                description="",
                args=arguments,
                default=tyro.MISSING_NONPROP if default is None else default,
            )
    except ValueError as error:  # raised by the dataclass
        raise UsageError(_in_words(str(error))) from error
    except SystemExit as stop:
        said.seek(0)
        if not stop.code:
            usage, _, options = said.read().rstrip().partition("\n\n")
            raise HelpAsked(f"{usage}\n\n{filled(description)}\n\n{options}") from None
        problem = _in_words(_first_part(said.read()))
        raise UsageError(f"{problem} (`{program} --help` lists the options)") from None


def take_model(arguments: Sequence[str], names: Sequence[str], program: str) -> str:
    """Return the model's name, which is the first argument.

    Raises:
        UsageError: the name is missing or unknown.
    """
    got = repr(arguments[0]) if arguments else "nothing"
    if not arguments or arguments[0] not in names:
        raise UsageError(f"after `{program}` comes a model, got {got}, expected {', '.join(names)}")
    return arguments[0]


def filled(text: str) -> str:
    """Wrap paragraphs to the terminal's width; indented lines are wrapped only if too long."""
    width = shutil.get_terminal_size().columns
    pieces: list[str] = []
    for line in text.strip("\n").splitlines():
        if pieces and line and not line.startswith(" ") and not pieces[-1].startswith((" ", "\n")):
            pieces[-1] += f" {line}"
        else:
            pieces.append(line or "\n")
    lines = []
    for piece in pieces:
        indent = " " * (len(piece) - len(piece.lstrip(" ")))
        hanging = indent and indent + "    "
        lines += textwrap.wrap(piece, width, subsequent_indent=hanging, drop_whitespace=True,
                               break_long_words=False, break_on_hyphens=False) or [""]  # fmt: skip
    return "\n".join(lines)


def _in_words(problem: str) -> str:
    """Rephrase an error from tyro, Python or a dataclass in terms of the command line."""
    if found := re.match(r"Missing from [^:]+: (.+?) \(required\)$", problem):
        words = found[1].split()
        named = 2 if words[0].startswith("-") else 1  # an option is followed by its placeholder
        return f"{' '.join(words[:named])} is missing: {' '.join(words[named:])}"
    for pattern, better in _WORDS.items():
        problem = re.sub(pattern, better, problem)
    return re.sub(r"--[a-z_]+", lambda option: option[0].replace("_", "-"), problem)


def _first_part(box: str) -> str:
    """Text of a box up to its first rule, without its title, on one line."""
    words = []
    for line in box.splitlines()[1:]:
        inner = line.strip(" " + _FRAME)
        if not inner:
            break
        words.append(inner)
    return " ".join(words).rstrip(".") or "these arguments are not understood"
