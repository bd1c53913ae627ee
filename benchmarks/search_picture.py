"""Draw the regret of every sampler over time, a panel for each problem of `make bench-search`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure


def draw(path: Path, reports: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw medians as lines and quartiles as bands; the same bytes for the same figures.

    Args:
        path: of the SVG.
        reports: problem → its report.
    """
    with mpl.rc_context({"svg.hashsalt": "search", "svg.fonttype": "none", "font.size": 8}):
        columns = min(3, len(reports))
        rows = -(-len(reports) // columns)
        figure = Figure(figsize=(2.9 * columns, 2.4 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel in panels[len(reports) :]:
            panel.set_axis_off()
        for panel, (name, report) in zip(panels, reports.items(), strict=False):
            for place, row in enumerate(report["rows"]):
                low, middle, high = row["quartiles"]
                panel.plot(row["times"], middle, color=f"C{place}", lw=1.3, label=row["sampler"])
                panel.fill_between(row["times"], low, high, color=f"C{place}", alpha=0.15, lw=0)
            panel.set(title=name, xlabel="seconds", ylim=(0.0, 1.0), xlim=(0.0, report["seconds"]))
            panel.grid(visible=True, lw=0.3)
        panels[0].set_ylabel("regret")
        panels[0].legend(frameon=False, fontsize=7)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
