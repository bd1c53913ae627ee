"""A layer of bars: how many values lie between two edges."""

import numpy as np

from momentum_opt.evidence.findings import Histogram
from momentum_opt.results.report.palette import ink
from momentum_opt.results.report.plot import Spec, quantity, scale_of, shown, table


def histogram_bars(histogram: Histogram, title: str, *, border: float | None = None, form: str = ".4g") -> Spec:
    """Bars; those whose middle lies at or below a border in another colour.

    Args:
        histogram: edges and counts.
        title: of the values' axis.
        border: None colours all alike.
        form: number format of the edges.
    """
    edges = np.array(histogram.edges)
    middle = (edges[1:] + edges[:-1]) / 2
    columns = {"low": edges[:-1], "high": edges[1:], "count": list(histogram.counts)}
    axis = {"axis": {"format": ".0%"}} if form.endswith("%") else {}
    encoding: Spec = {
        "x": quantity("low", title, scale={"zero": False, "nice": False}, **axis),
        "x2": {"field": "high"},
        "y": quantity("count"),
        "y2": {"datum": 0},
        "tooltip": [shown("low", "from", form), shown("high", "to", form), shown("count", "count", ",")],
    }
    mark: Spec = {"type": "rect", "opacity": 0.8, "color": ink("pool")}
    if border is not None:
        sides = {"below the median": ink("hodl"), "above": ink("pool")}
        columns["side"] = np.where(middle <= border, *sides).tolist()
        legend = {"title": None, "symbolType": "square"}
        encoding["color"] = {"field": "side", "type": "nominal", "scale": scale_of(sides), "legend": legend}
    return {"data": table(columns), "mark": mark, "encoding": encoding}
