"""How the report writes its numbers."""


def rounded(value: float, digits: int = 2) -> str:
    """Write a number with a real minus sign, and zero without one: −0.12, 0.00."""
    return plain(value, digits).replace("-", "−")


def plain(value: float, digits: int = 2) -> str:
    """Write the same for a program to read: -0.12, 0.00."""
    return f"{round(value, digits) + 0.0:.{digits}f}"
