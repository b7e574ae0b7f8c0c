"""Whether numbers look random: independent draws that are uniform between 0 and 1.

Draws of another distribution are put through its distribution function first. Honest draws are
doubted about once in a million times, whatever their number.
"""

import numpy as np

UNEVEN, TOO_EVEN = 3.0, 0.25
"""Kolmogorov's statistic of honest draws is outside these bounds once in ten million times."""
RELATED = 6.0
"""Largest correlation, in standard deviations of that of honest draws."""
FEWEST = 100
"""Fewer draws than this are doubted, because they show too little."""


def doubt(draws: np.ndarray) -> str:
    """Find a reason to believe that draws were not made at random.

    Columns must be spread evenly, but no more evenly than by chance, and must not be correlated
    with each other, or with what was drawn before. No row may be there twice.

    Args:
        draws: (N, D) floating point numbers, one row per draw.

    Returns:
        The reason in words, or an empty string.
    """
    count, columns = draws.shape
    if count < FEWEST:
        return f"there are {count} draws, expected {FEWEST} or more"
    if draws.min() < 0 or draws.max() > 1:
        return f"numbers go from {draws.min():.4g} to {draws.max():.4g}, expected 0 to 1"
    ranks = (np.arange(count)[:, None] + 0.5) / count
    gaps = np.abs(np.sort(draws, axis=0) - ranks).max(axis=0) * count**0.5
    for column, gap in enumerate(gaps):
        if not TOO_EVEN < gap < UNEVEN:
            how = "unevenly" if gap >= UNEVEN else "evenly"
            return f"column {column} is spread more {how} than by chance"
    both = np.vstack([draws[1:].T, draws[:-1].T])
    related = np.abs(np.corrcoef(both) - np.eye(2 * columns)).max() * count**0.5
    if related > RELATED:
        return f"numbers are correlated ({related:.1f} standard deviations)"
    different = len(np.unique(draws, axis=0))
    return (
        "" if different == count else f"{count - different} of {count} draws repeat an earlier one"
    )
