"""What the figures share: their look, and saving them whole."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kresnet.errors import write_error

# Two of Okabe and Ito's colours, told apart by the colour-blind.
BLUE, ORANGE = "#0072B2", "#D55E00"
GREY = "0.6"


def new_figure(width: float, height: float) -> Figure:
    """A figure in inches, outside of pyplot's global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> Path:
    """Saves as PNG at 150 dots an inch.

    Raises:
        CannotWriteError: The file cannot be written.
        DiskFullError: The disk is full.
    """
    try:
        figure.savefig(path, dpi=150)
    except OSError as error:
        raise write_error(path, error) from error
    return path
