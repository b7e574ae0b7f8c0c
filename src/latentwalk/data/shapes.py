"""Constants of MNIST, the axis letters, and two checks with clear error messages.

Axis letters used in trailing comments: B batch, C channels, H W height and width,
Z latent, K classes, S steps on a path, P pairs.
"""

from collections.abc import Sequence
from typing import Any

IMAGE_SIDE = 28
IMAGE_SHAPE = (1, IMAGE_SIDE, IMAGE_SIDE)
NUM_PIXELS = IMAGE_SIDE * IMAGE_SIDE
NUM_CLASSES = 10


def check_shape(name: str, array: Any, expected: Sequence[int | None]) -> None:
    """Refuse an array whose shape is not the expected one.

    Args:
        name: name of the array, for the message.
        array: anything with a `.shape` (NumPy array or tensor).
        expected: one entry per axis; `None` allows any size.

    Raises:
        ValueError: states the actual and the expected shape.
    """
    shape = tuple(array.shape)
    fits = len(shape) == len(expected) and all(
        want is None or want == got for got, want in zip(shape, expected, strict=True)
    )
    if not fits:
        wanted = "(" + ", ".join("any" if want is None else str(want) for want in expected) + ")"
        raise ValueError(f"{name} has shape {shape}, expected {wanted}")


def check_range(name: str, array: Any, low: float, high: float) -> None:
    """Refuse an empty array, or one with a value that is NaN or outside [low, high].

    Raises:
        ValueError: states the actual and the expected range.
    """
    if 0 in tuple(array.shape):
        raise ValueError(f"{name} is empty, expected values in [{low:g}, {high:g}]")
    smallest, largest = float(array.min()), float(array.max())
    if not (low <= smallest and largest <= high):  # NaN fails both comparisons
        raise ValueError(
            f"{name} has values in [{smallest:g}, {largest:g}], expected [{low:g}, {high:g}]"
        )
