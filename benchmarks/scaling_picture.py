"""The picture of docs/scaling.md: throughput by number of workers in, an SVG of the same bytes every time out."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.fleet import Outcome


def draw(path: Path, curves: Mapping[str, Mapping[int, Outcome]], batch: int, score: Mapping[str, float]) -> None:
    """Draw throughput, and what it would be if scoring were all, against the number of workers.

    Args:
        path: of the SVG.
        curves: load → workers → outcome.
        batch: trials per batch.
        score: load → seconds per batch.
    """
    with mpl.rc_context({"svg.hashsalt": "scaling", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        axes = figure.subplots()
        for colour, (load, found) in zip(("C0", "C1", "C2"), curves.items(), strict=True):
            workers = list(found)
            label = f"{load} ({score[load]:.2g} s per batch)"
            axes.plot(workers, [one.throughput for one in found.values()], "o-", ms=3, color=colour, label=label)
            axes.plot(workers, [n * batch / score[load] for n in workers], ":", lw=1, color=colour)
        axes.set(xscale="log", yscale="log", xlabel="workers on one study", ylabel="trials per second")
        axes.plot([], [], ":", color="grey", label="if scoring were all")
        axes.grid(visible=True, which="major", lw=0.4)
        axes.legend(frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
