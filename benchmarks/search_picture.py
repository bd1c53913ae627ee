"""Draw the regret of every sampler over time, a panel for each problem of `make bench-search`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import matplotlib as mpl
from matplotlib.figure import Figure


class Curve(Protocol):
    """A sampler's regret over time, as `benchmarks.search.Line` has it."""

    @property
    def sampler(self) -> str:
        """Its name."""
        ...

    @property
    def times(self) -> Sequence[float]:
        """Seconds."""
        ...

    @property
    def quartiles(self) -> Sequence[Sequence[float]]:
        """(lower quartile, median, upper quartile), each at all times."""
        ...


def draw(path: Path, problems: Mapping[str, tuple[float, Sequence[Curve]]]) -> None:
    """Draw medians as lines and quartiles as bands; the same bytes for the same figures.

    Args:
        path: of the SVG.
        problems: name → seconds and curves.
    """
    samplers = list(dict.fromkeys(curve.sampler for _, curves in problems.values() for curve in curves))
    with mpl.rc_context({"svg.hashsalt": "search", "svg.fonttype": "none", "font.size": 8}):
        columns = min(3, len(problems))
        rows = -(-len(problems) // columns)
        figure = Figure(figsize=(2.9 * columns, 2.4 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel in panels[len(problems) :]:
            panel.set_axis_off()
        for panel, (name, (seconds, curves)) in zip(panels, problems.items(), strict=False):
            for curve in curves:
                low, middle, high = curve.quartiles
                colour = f"C{samplers.index(curve.sampler)}"
                panel.plot(curve.times, middle, color=colour, lw=1.3, label=curve.sampler)
                panel.fill_between(curve.times, low, high, color=colour, alpha=0.15, lw=0)
            panel.set(title=name, xlabel="seconds", ylim=(0.0, 1.0), xlim=(0.0, seconds))
            panel.grid(visible=True, lw=0.3)
        panels[0].set_ylabel("regret")
        panels[0].legend(frameon=False, fontsize=7)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
