"""Find a number in a text."""

import re

_NUMBER = re.compile(r"(?<![\d.])\d+\.\d+(?!\d)")


def quotes(text: str, number: float, decimals: int = 3) -> bool:
    """Whether a text has a positive number, correctly rounded.

    Args:
        text: such as that of a PDF.
        number: as computed.
        decimals: minimum number of decimals in the text.
    """
    for found in _NUMBER.findall(text):
        given = len(found.partition(".")[2])
        if given >= decimals and abs(float(found) - number) <= 0.51 * 10.0**-given:
            return True
    return False
