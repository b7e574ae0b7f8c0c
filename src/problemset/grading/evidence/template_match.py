"""Find out whether a picture shows given images, at whatever size and position.

Each image is compared with every position of the picture, at the one size that fits best. The fit
is the correlation of grey levels, so brightness, contrast and the choice of light ink on dark paper
or dark ink on light paper do not matter.
"""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

FITS = 0.8
"""Minimum correlation between an image and the part of the picture that shows it. In the report's
figures it was 0.87 or more; another image of the same path seldom reaches 0.95."""
AS_WELL = 0.02
"""Correlations that differ by less than this count as equal; resampling causes such differences."""
SMALLEST = 16
"""Maximum number of images that may fill the picture's width side by side."""
LONGEST = 20
"""Maximum ratio of a picture's longer to its shorter side; beyond it the picture is not
searched."""
_COARSE, _FINE = 1.03, 1.005  # ratios between successive sizes that are tried
_PROBES = 2  # images used to find the size
_BESIDE = 3  # image pixels; two images are never this close together
_FLAT = 1e-3  # variance below which a part or an image counts as blank


def missing(picture: Image.Image, images: np.ndarray, in_order: bool = False) -> list[int]:
    """Find the images that a picture does not show.

    Args:
        picture: of any mode; may be upside down, as matplotlib stores it in a drawing.
        images: (N, S, S) float.
        in_order: whether they must follow one another from left to right, and row by row.

    Returns:
        Numbers, from 0, of the images without a matching place. A place matches if the image fits
        there at the common size, and fits as well as any other of the images. Blank images are not
        reported.
    """
    drawn = [n for n, image in enumerate(images) if image.var() > _FLAT]
    if not drawn or max(picture.size) > LONGEST * min(picture.size):
        return drawn
    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture.convert("RGBA"))
    upright = paper.convert("L")
    turned = upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    probes = images[drawn[:: max(1, len(drawn) // _PROBES)][:_PROBES]]
    side_length = images.shape[-1]
    least, most = max(1.0, upright.width / side_length / SMALLEST), min(upright.size) / side_length
    tried = [
        _best(side, probes, np.geomspace(least, most, _steps(least, most, _COARSE)))
        for side in (upright, turned)
    ]
    (_, size), side = max(zip(tried, (upright, turned), strict=True), key=lambda pair: pair[0])
    _, size = _best(side, probes, size * _FINE ** np.arange(-6.0, 7.0))
    fits = _fits(_shrunk(side, size), images)  # (N, Y, X)
    return drawn if fits is None else _unseen(fits, drawn, side_length, in_order)


def _steps(least: float, most: float, ratio: float) -> int:
    return 1 + max(0, int(np.ceil(np.log(max(most, 1.0) / least) / np.log(ratio))))


def _best(side: Image.Image, probes: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """The probes' best fit, and its size in picture pixels per image pixel."""
    found = []
    for size in sizes:
        fits = _fits(_shrunk(side, size), probes)
        found.append((-1.0 if fits is None else float(fits.max(axis=(1, 2)).mean()), float(size)))
    return max(found)


def _shrunk(side: Image.Image, size: float) -> np.ndarray:
    width, height = (max(1, round(length / size)) for length in side.size)
    small = side.resize((width, height), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64) / 255


def _fits(picture: np.ndarray, images: np.ndarray) -> np.ndarray | None:
    """Correlation of each image with each part of a picture, (N, Y, X) from 0 to 1.

    None if the picture is smaller than an image. The correlation theorem makes it fast.
    """
    height, width = picture.shape
    side = images.shape[-1]
    if min(height, width) < side:
        return None
    shape = _convenient(height), _convenient(width)
    spectrum = np.fft.rfft2(picture.astype(np.float32), shape)
    variance = _sums(picture**2, side) / side**2 - (_sums(picture, side) / side**2) ** 2
    spread = np.sqrt(np.maximum(variance, _FLAT))
    fits = np.empty((len(images), *spread.shape), dtype=np.float32)
    for fit, image in zip(fits, images, strict=True):
        mask = (image - image.mean()) / max(float(image.std()), _FLAT) / side**2
        turned = np.fft.rfft2(mask[::-1, ::-1].astype(np.float32), shape)
        whole = np.fft.irfft2(spectrum * turned, shape)
        # wrap-around at the edges only affects the part before this
        fit[:] = np.abs(whole[side - 1 : height, side - 1 : width]) / spread
    return fits


@functools.cache
def _convenient(length: int) -> int:
    """The next length whose Fourier transform is fast: no prime factor above 5."""
    rest = length
    for factor in (2, 3, 5):
        while rest % factor == 0:
            rest //= factor
    return length if rest == 1 else _convenient(length + 1)


def _sums(picture: np.ndarray, side: int) -> np.ndarray:
    """Sum over each square part of a picture, (Y, X)."""
    corner = np.pad(picture.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows = corner[side:] - corner[:-side]
    found: np.ndarray = rows[:, side:] - rows[:, :-side]
    return found


def _unseen(fits: np.ndarray, drawn: Sequence[int], side: int, in_order: bool) -> list[int]:
    """Numbers of the images without a matching place; see `missing`."""
    best = fits.max(axis=0)  # (Y, X), over all images
    around = sliding_window_view(np.pad(best, _BESIDE), 2 * (2 * _BESIDE + 1,)).max(axis=(2, 3))
    here = best >= around - AS_WELL  # a local maximum; next to it, another image may fit better
    unseen, row, column = [], -side, -side
    for number in drawn:
        rows, columns = np.nonzero(here & (fits[number] >= np.maximum(FITS, best - AS_WELL)))
        if in_order:
            half = side // 2
            beside = (np.abs(rows - row) <= half) & (columns > column + half)
            after = beside | (rows > row + half)
            rows, columns = rows[after], columns[after]
        if not len(rows):
            unseen.append(number)
            continue
        row = rows.min()
        column = columns[rows <= row + side // 2].min()
    return unseen
