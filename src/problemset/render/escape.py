"""Text that must be printed literally, such as a name with `#`, `$`, `*` or `<b>`."""

import re
from dataclasses import dataclass

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def markdown_literal(text: str) -> str:
    r"""Escape text so that pandoc's markdown prints it character for character.

    Every ASCII punctuation mark gets a backslash. Runs of white space, line breaks included, become
    one space, as they would in print. Control characters become U+FFFD.

    Args:
        text: any text, of any length.

    Returns:
        One line of inline markdown; the empty string for empty text.

    Source: Pandoc User's Guide, extension `all_symbols_escapable`.
    """
    one_line = " ".join(_UNPRINTABLE.sub("\ufffd", text).split())
    return _PUNCTUATION.sub(r"\\\1", one_line)


def plain(text: str) -> str:
    """The text that `markdown_literal(text)` displays; for tests and checks."""
    return " ".join(_UNPRINTABLE.sub("\ufffd", text).split())


@dataclass(frozen=True)
class Literal:
    """Text for inline code to return: `{python} Literal(name)`.

    Quarto escapes only some special characters of a plain string (not `$`, `<`, `~` or `@`), but
    passes markdown through unchanged. An object with a markdown representation therefore renders
    the same with both engines.
    """

    text: str

    def _repr_markdown_(self) -> str:
        return markdown_literal(self.text)

    def __str__(self) -> str:
        return self.text
