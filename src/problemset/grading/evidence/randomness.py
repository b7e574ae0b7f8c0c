"""Whether numbers look random: independent draws that are uniform between 0 and 1.

Draws of another distribution are put through its distribution function first. Honest draws are
doubted about once in a million times, whatever their number.
"""

import itertools

import numpy as np

UNEVEN, TOO_EVEN = 3.0, 0.25
"""Kolmogorov's statistic of honest draws is outside these bounds once in ten million times."""
RELATED = 6.0
"""Largest correlation, in standard deviations of that of honest draws."""
ROUNDING = 1e-6
"""Excess over 1 that float32 draws may have after a calculation."""
MOST_NEAR = 20
"""Most draws that are close to others, or to mirror images of others, in two columns at once."""
UNSTEADY = 6.0
"""Largest deviation of the scatter between blocks of honest draws, in standard deviations."""
BLOCK = 100
FEWEST = 100
"""Fewer draws than this are doubted, because they show too little."""


def doubt(draws: np.ndarray) -> str:
    """Find a reason to believe that draws were not made at random.

    Columns must be spread evenly, but no more evenly than by chance, and must not be correlated
    with each other, or with what was drawn before. No row may be there twice, and no two columns
    may hold copies or mirror images of other rows, even slightly changed.

    Args:
        draws: (N, D) floating point numbers, one row per draw.

    Returns:
        The reason in words, or an empty string.
    """
    count, columns = draws.shape
    if count < FEWEST:
        return f"there are {count} draws, expected {FEWEST} or more"
    if draws.min() < 0 or draws.max() > 1 + ROUNDING:
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
    if different < count:
        return f"{count - different} of {count} draws repeat an earlier one"
    cells = np.floor(np.abs(2 * draws - 1) * count).astype(np.int64)
    for first, second in itertools.combinations(range(columns), 2):
        near = count - len(np.unique(cells[:, first] * (count + 1) + cells[:, second]))
        if near > MOST_NEAR:
            return f"columns {first} and {second} of {near} draws are copies of others or mirrored"
    return ""


def arranged(events: np.ndarray) -> str:
    """Find a reason to believe that independent events were put into another order.

    Args:
        events: (N,) whether each of N independent events of equal probability happened.

    Returns:
        The reason in words, or an empty string.
    """
    share, blocks = float(events.mean()), len(events) // BLOCK
    counts = events[: blocks * BLOCK].reshape(blocks, BLOCK).sum(axis=1)
    scatter = counts.var() / (BLOCK * share * (1 - share))
    off = (scatter - 1) / (2 / blocks) ** 0.5
    if abs(off) <= UNSTEADY:
        return ""
    how = "more" if off > 0 else "less"
    return f"the events of each {BLOCK} in a row vary {how} than by chance"
