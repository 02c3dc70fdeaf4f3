"""What the figures share: their look, and saving them whole."""

import io
from pathlib import Path

import matplotlib
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kresnet.atomic_file import replace_file
from kresnet.errors import write_error

# Colours of Okabe and Ito, told apart by the colour-blind, and on black as on
# white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GREY = "#999999"
DARK_GREY = "#666666"


def colours(count: int) -> list:
    """As many colours as there are networks in a figure."""
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    return [colormaps["turbo"]((i + 0.5) / count) for i in range(count)]


def new_figure(width: float, height: float) -> Figure:
    """A figure in inches, outside of pyplot's global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> Path:
    """Saves as PNG at 150 dots an inch, or as SVG, by the file's ending.

    A file that is there is replaced in one step, or left as it was.

    Raises:
        CannotWriteError: The file cannot be written.
        DiskFullError: The disk is full.
    """
    if path.suffix == ".svg":
        content = svg_bytes(figure)
    else:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=150)
        content = buffer.getvalue()
    try:
        replace_file(path, content)
    except OSError as error:
        raise write_error(path, error) from error
    return path


def svg_bytes(figure: Figure, transparent: bool = False) -> bytes:
    """A figure as an SVG file, the same bytes each time, its text as text."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "kresnet"}
    ):
        figure.savefig(
            buffer,
            format="svg",
            metadata={"Date": None},
            transparent=transparent,
        )
    return buffer.getvalue()
