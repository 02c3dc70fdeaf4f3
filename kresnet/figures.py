"""What the figures share: their look, and saving them whole."""

import contextlib
import io
import re
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kresnet.files import replace_file
from kresnet.printable import printable

# Six of Okabe and Ito, told apart by the colour-blind, and four more for larger
# studies; all can be seen on black as on white.
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
    *("#9467BD", "#8C6D31", "#7F7F7F", "#17A2A2"),
)
GREY = "#999999"
# Inches. Text of 10 points stays legible at the width of a phone.
WIDTH = 4.8
CURVE_SIZE = WIDTH, 3.6
PANEL_HEIGHT = 2.45  # of several below one another
LEGEND_HEIGHT = 0.3
WIDEST_TITLE = 52  # characters
DARK_GREY = "#666666"
LONGEST_NAME = 120  # characters; file systems take 255


@dataclass(frozen=True)
class ReportFigure:
    """A figure with what must be said of it.

    Attributes:
        kind: "curves", "losses", "confusion" or an instrument's name.
        title: Its name.
        caption: How to read it.
        description: What can be seen, for those who do not see it.
        figure: The figure.
        number: Among the figures of the report.
    """

    kind: str
    title: str
    caption: str
    description: str
    figure: Figure
    number: int = 0

    @property
    def name(self) -> str:
        """The name of its files, without their endings."""
        words = re.sub(r"[^a-z0-9]+", "-", self.title.lower())
        words = words.strip("-")[:LONGEST_NAME]
        return f"{self.place}-{self.kind}-{words}"

    @property
    def place(self) -> str:
        """The beginning of the ids of its parts in the page."""
        return f"figure{self.number}"


Colour = str | tuple[float, float, float, float]


@dataclass(frozen=True)
class Panel:
    """One of several axes with the same networks.

    Attributes:
        xlabel: What is counted, in integers.
        lines: Places and values, one line for each run.
    """

    xlabel: str
    lines: Sequence[tuple[Sequence[int], Sequence[float]]]


def palette_of(labels: Sequence[str]) -> dict[str, Colour]:
    """A colour for each network, in the order of the labels of the runs."""
    names = list(dict.fromkeys(labels))
    found: Sequence[Colour] = COLOURS[: len(names)]
    if len(names) > len(COLOURS):
        places = [(i + 0.5) / len(names) for i in range(len(names))]
        found = [colormaps["turbo"](place) for place in places]
    return dict(zip(names, found, strict=True))


def new_figure(width: float, height: float) -> Figure:
    """A figure in inches, outside of pyplot's global state."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def set_title(axes: Axes, title: str) -> None:
    """Puts a title above axes, in as many lines as it needs, up to four."""
    lines = textwrap.fill(
        printable(title), WIDEST_TITLE, max_lines=4, placeholder=" …"
    )
    axes.set_title(lines, parse_math=False, fontsize="medium")


def legend_below(figure: Figure, handles: Sequence[Line2D]) -> None:
    """Puts a legend below the axes, in as many columns as names leave."""
    lengths = sorted(len(str(each.get_label())) for each in handles)
    columns = 1
    if sum(lengths[-2:]) < 58:  # characters
        columns = 3 if sum(lengths[-3:]) < 54 else 2
    legend = figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize="small" if lengths[-1] < 60 else "x-small",
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def network_handles(
    labels: Sequence[str], palette: dict[str, Colour]
) -> list[Line2D]:
    """The colours of the networks, with how many runs have each label."""
    handles = []
    for label, colour in palette.items():
        count = sum(each == label for each in labels)
        runs = f" ({count} runs)" if count > 1 else ""
        handles.append(Line2D([], [], color=colour, label=label + runs))
    return handles


def stacked_panels(
    panels: Sequence[Panel], labels: Sequence[str], ylabel: str, title: str
) -> Figure:
    """Draws panels below one another, the first at the top.

    Each line of a panel has a label, that of its network, and a network the
    same colour in all of them.
    """
    figure = new_figure(WIDTH, LEGEND_HEIGHT + len(panels) * PANEL_HEIGHT)
    palette = palette_of(labels)
    every = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axes, panel in zip(every, panels, strict=True):
        for label, (x, y) in zip(labels, panel.lines, strict=True):
            axes.plot(
                x,
                y,
                color=palette[label],
                linewidth=1.2,
                marker="o",
                markersize=4 if len(x) == 1 else 2,
                label=label,
            )
        axes.set(xlabel=panel.xlabel, ylabel=ylabel)
        axes.margins(x=0.02)
        axes.grid(alpha=0.3)
        axes.locator_params("x", integer=True)
    set_title(every[0], title)
    legend_below(figure, network_handles(labels, palette))
    return figure


def layer_lines(values: Iterable[Sequence[float]]) -> list:
    """Lines of a panel with one value for each layer, counted from 1."""
    return [(range(1, len(each) + 1), each) for each in values]


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
        with _without_glyph_warnings():
            figure.savefig(buffer, format="png", dpi=150)
        content = buffer.getvalue()
    replace_file(path, content)
    return path


def svg_bytes(figure: Figure, transparent: bool = False) -> bytes:
    """A figure as an SVG file, the same bytes each time, its text as text."""
    buffer = io.BytesIO()
    with (
        matplotlib.rc_context(
            {"svg.fonttype": "none", "svg.hashsalt": "kresnet"}
        ),
        _without_glyph_warnings(),
    ):
        figure.savefig(
            buffer,
            format="svg",
            metadata={"Date": None},
            transparent=transparent,
        )
    return buffer.getvalue()


@contextlib.contextmanager
def _without_glyph_warnings() -> Iterator[None]:
    """Names of classes may be of a script that Matplotlib's font lacks.

    A PNG shows boxes there; an SVG holds the text, and the reader's font.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ ")
        yield
