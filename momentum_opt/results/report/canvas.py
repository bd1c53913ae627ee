"""Where figures are drawn: a plot and a width in, an inline SVG or a PNG out.

A plot is drawn once per width. The wide one is for pages and print, the narrow one for telephones: text keeps its size
and the rest gives way. Sizes are in points, which are the units of the SVG's box.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from momentum_opt.results.report.palette import light
from momentum_opt.results.report.svg import inline

WIDE: Final = 640.0
NARROW: Final = 330.0
RASTER_DPI: Final = 150
MANY_POINTS: Final = 1500
"""Points beyond which they are drawn as pixels."""

_POINTS_PER_INCH: Final = 72.0
_STYLE: Final[Any] = {
    "font.size": 10.5,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10.5,
    "xtick.labelsize": 10.0,
    "ytick.labelsize": 10.0,
    "legend.fontsize": 10.0,
    "font.family": ["DejaVu Sans"],
    "svg.fonttype": "none",
    "svg.hashsalt": "momentum-opt",
    "text.color": light("ink"),
    "axes.labelcolor": light("ink"),
    "axes.titlecolor": light("ink"),
    "axes.edgecolor": light("muted"),
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": False,
    "grid.color": light("hairline"),
    "grid.linewidth": 0.8,
    "xtick.color": light("muted"),
    "ytick.color": light("muted"),
    "xtick.labelcolor": light("ink"),
    "ytick.labelcolor": light("ink"),
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.borderaxespad": 0.0,
    "legend.borderpad": 0.0,
    "lines.linewidth": 1.4,
    "path.simplify": True,
    "path.simplify_threshold": 0.3,
    "date.autoformatter.month": "%b %Y",
}


@dataclass(frozen=True)
class Plot:
    """A figure of the report.

    Attributes:
        key: name of its PNG, and of its place on the page.
        title: what it shows.
        alt: what it says, for those who cannot see it.
        caption: how to read it.
        draw: draws it.
    """

    key: str
    title: str
    alt: str
    caption: str
    draw: Callable[["Canvas"], None]


@dataclass
class Canvas:
    """A figure of one width.

    Attributes:
        narrow: whether it is for a narrow screen.
        figure: the figure, once `panels` has made it.
    """

    narrow: bool
    figure: Figure = field(default_factory=Figure)

    @property
    def width(self) -> float:
        """Points."""
        return NARROW if self.narrow else WIDE

    def panels(
        self,
        *heights: float,
        columns: int = 1,
        left: float = 52.0,
        right: float = 10.0,
        top: float = 24.0,
        between: float = 44.0,
        bottom: float = 40.0,
        beside: float = 56.0,
        share_x: bool = False,
    ) -> list[Axes]:
        """Axes row by row. All lengths are points: heights of the rows, and the room around and between them."""
        total = top + sum(heights) + between * (len(heights) - 1) + bottom
        self.figure.set_size_inches(self.width / _POINTS_PER_INCH, total / _POINTS_PER_INCH)
        wide = (self.width - left - right - beside * (columns - 1)) / columns
        made: list[Axes] = []
        above = top
        for height in heights:
            for column in range(columns):
                x, y = left + column * (wide + beside), total - above - height
                box = (x / self.width, y / total, wide / self.width, height / total)
                made.append(self.figure.add_axes(box, sharex=made[0] if share_x and made else None))
            above += height + between
        for axes in made:
            axes.yaxis.set_major_locator(MaxNLocator(5))
        return made

    def legend(self, axes: Axes, columns: int, *, above: float = 6.0, right: bool = False, **options: Any) -> None:
        """A legend some points above `axes`, from its left or right end."""
        height = axes.get_position().height * self.figure.get_figheight() * _POINTS_PER_INCH
        axes.legend(
            loc="lower right" if right else "lower left",
            bbox_to_anchor=(1.0 if right else 0.0, 1.0 + above / height),
            ncols=columns,
            **options,
        )


@dataclass(frozen=True)
class Drawing:
    """A plot as the page shows it: its inline SVGs, and its PNG."""

    plot: Plot
    wide: str
    narrow: str
    png: bytes


def draw(plot: Plot) -> Drawing:
    """Draw a plot at both widths."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # Dates of a few days at odd hours: their ticks are then fewer than asked for, which is all that happens.
        warnings.filterwarnings("ignore", "AutoDateLocator was unable to pick")
        wide, narrow = (_drawn(plot, narrow=narrow) for narrow in (False, True))
        return Drawing(
            plot,
            inline(_svg(wide), f"{plot.key}-wide", plot.title, plot.alt),
            inline(_svg(narrow), f"{plot.key}-narrow", plot.title, plot.alt),
            _png(wide),
        )


def _drawn(plot: Plot, *, narrow: bool) -> Figure:
    canvas = Canvas(narrow)
    FigureCanvasAgg(canvas.figure)
    plot.draw(canvas)
    return canvas.figure


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", dpi=RASTER_DPI, transparent=True, metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=RASTER_DPI, facecolor=light("paper"), metadata={"Software": None})
    return stream.getvalue()
