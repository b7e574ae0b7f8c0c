"""Random points at which the formulas of Problem 1 are evaluated."""

import random

import mpmath

from problemset.formulas import Point

REAL = ("z", "x", "w", "b", "m", "m_1", "m_2", "mu", "logvar")
POSITIVE = ("t", "q_z", "p_z", "v", "v_1", "v_2", "s2")
"""Further symbols: `q[k]` sums to 1 over k = 1..K, `j[k]` is p(x, z_k), and `p_x` is p(x)."""


def random_point(seed: int, *, full_support: bool = False) -> Point:
    """Draw a rational point.

    Args:
        seed: determines the point.
        full_support: whether p(x) is the sum of p(x, z_k); otherwise it is larger, because q misses
            some outcomes.
    """
    rng = random.Random(seed)
    size = rng.randint(2, 4)
    weights = [rng.randint(1, 9) for _ in range(size)]
    q = tuple(mpmath.mpf(weight) / sum(weights) for weight in weights)
    joint = tuple(mpmath.mpf(rng.randint(1, 9)) / 40 for _ in range(size))
    missed = mpmath.mpf(rng.randint(1, 9)) / 40
    symbols = {name: mpmath.mpf(rng.randint(2, 20)) / 10 for name in POSITIVE}
    symbols |= {name: mpmath.mpf(rng.randint(-20, 20)) / 10 for name in REAL}
    symbols["p_x"] = sum(joint) if full_support else sum(joint) + missed
    return Point(symbols | {"K": size, "pi": mpmath.pi}, {"q": q, "j": joint})
