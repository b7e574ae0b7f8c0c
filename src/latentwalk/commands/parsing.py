"""What the commands share: their options from a dataclass, and what they hand back."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

HELP = ("-h", "--help")
_FRAME = "╭╮╰╯│─"  # of the box that tyro draws around a complaint
Options = TypeVar("Options")


class HelpAsked(Exception):
    """The reader wants the help, which is the message, and nothing else."""


class UsageError(ValueError):
    """The command line says something that the command does not understand."""


@dataclass(frozen=True)
class Outcome:
    """What a command has to say when it is done."""

    text: str
    """For standard output."""
    exit_code: int = 0
    """0, or 1 when the command worked and found something wrong."""


def parse(
    kind: type[Options],
    arguments: Sequence[str],
    program: str,
    description: str,
    default: Options | None = None,
) -> Options:
    """Read options.

    Args:
        kind: a dataclass, one option a field.
        arguments: what follows the command.
        program: how the reader called it, such as `latentwalk sample gan`.
        description: for the top of the help.
        default: what the options are when not given; the class's own defaults if left out.

    Raises:
        HelpAsked: with the options and their docstrings.
        UsageError: one line instead of tyro's box.
        ValueError: from the dataclass, for a value out of range.
    """
    import tyro  # here, because `latentwalk --help` does without

    # tyro looks at the encoding of standard output before it draws a box
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            return tyro.cli(
                kind,
                prog=program,
                description=description,
                args=arguments,
                default=tyro.MISSING_NONPROP if default is None else default,
            )
    except SystemExit as stop:
        said.seek(0)
        if not stop.code:
            raise HelpAsked(said.read().rstrip()) from None
        problem = _first_part(said.read())
        raise UsageError(f"{problem} (`{program} --help` lists the options)") from None


def take_model(arguments: Sequence[str], names: Sequence[str], program: str) -> str:
    """Give the model's name, which comes first.

    Raises:
        UsageError: there is none, or no such model.
    """
    got = repr(arguments[0]) if arguments else "nothing"
    if not arguments or arguments[0] not in names:
        raise UsageError(f"after `{program}` comes a model, got {got}, expected {', '.join(names)}")
    return arguments[0]


def _first_part(box: str) -> str:
    """The words of a box up to its first rule, without its title, in one line."""
    words = []
    for line in box.splitlines()[1:]:
        inner = line.strip(" " + _FRAME)
        if not inner:
            break
        words.append(inner)
    return " ".join(words).rstrip(".") or "these arguments are not understood"
