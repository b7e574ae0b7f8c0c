"""Common style of all figures, and the page layout of the picture figures.

Figures are 160 mm wide, the width of the text, so that nothing is scaled and 8 pt stays 8 pt.
They are not registered with pyplot, so a notebook shows each exactly once, as a cell's value.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

TEXT_WIDTH_MM = 160.0
INCHES_A_MM = 1 / 25.4

INK = "#1a1a1a"
MUTED = "#6e6e6e"
HAIRLINE = "#c4c4c4"
GAN = "#d55e00"  # Okabe and Ito's palette, which colour-blind readers can tell apart
VAE = "#0072b2"
ALERT = "#aa3377"  # an unexpected digit

SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#8c4a00", "#e8a04c", "#ffffff", "#7f9ccb", "#23407e"]
)
SIGNED_LIMIT = 3.0  # standard deviations; values beyond it are clipped

Arguments = ParamSpec("Arguments")


def rc_params() -> dict[Any, Any]:
    """Matplotlib settings for all figures."""
    return {
        "font.family": "STIXGeneral",  # ships with matplotlib and matches a serif text
        "mathtext.fontset": "stix",
        "font.size": 9.0,
        "axes.labelsize": 9.0,
        "axes.titlesize": 9.0,
        "axes.titlelocation": "left",
        "axes.titlepad": 5.0,
        "axes.linewidth": 0.6,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": True,
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 8.0,
        "ytick.labelsize": 8.0,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "xtick.minor.size": 1.5,
        "ytick.minor.size": 1.5,
        "lines.linewidth": 1.2,
        "legend.frameon": False,
        "figure.dpi": 300.0,  # also for the images inside an SVG
        "savefig.dpi": 300.0,
        "savefig.pad_inches": 0.0,
        "svg.hashsalt": "latentwalk",  # makes the SVG's bytes reproducible
        "image.interpolation": "nearest",
    }


def styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Make a drawing function use the common style, whatever settings are active in its caller."""

    @functools.wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with mpl.rc_context(rc_params()):
            figure = draw(*args, **kwargs)
            figure.draw_without_rendering()  # creates the remaining ticks in this style
        return figure

    return drawn


def use_in_notebook(figure_format: str = "svg") -> None:
    """Set up a notebook to show figures in this style, at full size and with reproducible bytes.

    Without this call a notebook prints a figure that pyplot does not know as text. Call it once, in
    the document's first cell. Outside IPython it only sets the style.
    """
    mpl.rcParams.update(rc_params())
    try:
        from IPython.core.getipython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return
    if get_ipython() is not None:
        extra = {"metadata": {"Date": None}} if figure_format == "svg" else {}
        set_matplotlib_formats(figure_format, bbox_inches=None, **extra)


def blank(height_mm: float) -> Figure:
    """Make an empty figure as wide as the text.

    An invisible border keeps the full size in notebooks that crop a figure to its content.
    """
    figure = Figure(figsize=(TEXT_WIDTH_MM * INCHES_A_MM, height_mm * INCHES_A_MM))
    figure.add_artist(Rectangle((0, 0), 1, 1, fill=False, linewidth=0))
    return figure


def sheet(height_mm: float) -> tuple[Figure, Axes]:
    """Make a figure whose invisible axes measure millimetres from the top left corner."""
    figure = blank(height_mm)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_autoscale_on(False)
    axes.set(xlim=(0, TEXT_WIDTH_MM), ylim=(height_mm, 0))
    return figure, axes


def add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Place axes on a figure, in millimetres from its top left corner."""
    wide, tall = figure.get_size_inches() / INCHES_A_MM
    return figure.add_axes((left / wide, 1 - (top + height) / tall, width / wide, height / tall))


def draw_image(
    axes: Axes, image: np.ndarray, x: float, y: float, side: float, frame: str = HAIRLINE
) -> AxesImage:
    """Draw one image (1, 28, 28) in [0, 1], ink black on white, its top left corner at (x, y)."""
    extent = (x, x + side, y + side, y)
    drawn = axes.imshow(image[0], cmap="gray_r", vmin=0, vmax=1, extent=extent, aspect="auto")
    draw_frame(axes, x, y, side, side, frame)
    return drawn


def draw_frame(
    axes: Axes, x: float, y: float, width: float, height: float, color: str = HAIRLINE
) -> None:
    """Draw a frame: thin in the default colour, thick in any other."""
    weight = 0.5 if color == HAIRLINE else 1.4
    axes.add_patch(
        Rectangle((x, y), width, height, fill=False, edgecolor=color, linewidth=weight, zorder=3)
    )


def write(axes: Axes, x: float, y: float, text: str, size: float = 8.0, **options: object) -> None:
    """Write text on a sheet, by default centred on (x, y)."""
    settings: dict[str, object] = {"ha": "center", "va": "center", "fontsize": size}
    axes.text(x, y, text, **(settings | options))  # type: ignore[arg-type]


def percent(share: float) -> str:
    """Format a share as whole percent; from 99.5 % on write "> 99 %", never 100 %."""
    return "> 99 %" if share >= 0.995 else f"{100 * share:.0f} %"
