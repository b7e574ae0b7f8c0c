"""Text that must be printed as it is, whatever it holds: a name with `#`, `$`, `*` or `<b>`."""

import re
from dataclasses import dataclass

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def markdown_literal(text: str) -> str:
    r"""Escape text so that pandoc's markdown prints it character for character.

    Every ASCII punctuation mark gets a backslash. Runs of white space, also line breaks, become
    one space (they would look like one anyway); control characters become U+FFFD.

    Args:
        text: anything, of any length.

    Returns:
        One line of inline markdown, the empty string for empty text.

    Source: Pandoc User's Guide, extension `all_symbols_escapable`.
    """
    one_line = " ".join(_UNPRINTABLE.sub("\ufffd", text).split())
    return _PUNCTUATION.sub(r"\\\1", one_line)


def plain(text: str) -> str:
    """What a reader sees of `markdown_literal(text)`; for tests and checks."""
    return " ".join(_UNPRINTABLE.sub("\ufffd", text).split())


@dataclass(frozen=True)
class Literal:
    """Text that inline code may hand over: `{python} Literal(name)`.

    Quarto escapes only some of a plain string's marks (not `$`, `<`, `~` or `@`); markdown it
    leaves alone, so an object that says it is markdown comes out alike from both engines.
    """

    text: str

    def _repr_markdown_(self) -> str:
        return markdown_literal(self.text)

    def __str__(self) -> str:
        return self.text
