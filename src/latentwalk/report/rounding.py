"""Number formatting for the report."""


def rounded(value: float, digits: int = 2) -> str:
    """Format a number with a typographic minus sign, and zero without a sign: −0.12, 0.00."""
    return plain(value, digits).replace("-", "−")


def plain(value: float, digits: int = 2) -> str:
    """Format a number like `rounded`, but with an ASCII minus for programs: -0.12, 0.00."""
    return f"{round(value, digits) + 0.0:.{digits}f}"
