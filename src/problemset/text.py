"""Text from elsewhere, such as a submission or an error, on one line of a message."""


def one_line(text: str, most: int) -> str:
    """One printable line of bounded length, whatever the text contains.

    Args:
        text: any text; white space becomes single spaces, and what cannot be printed `?`.
        most: maximum number of characters; a longer line is cut and ends in `...`.
    """
    line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return line if len(line) <= most else line[: most - 3] + "..."
