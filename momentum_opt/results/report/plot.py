"""Figures as Vega-Lite: one definition each, for the page (interactive) and for SVG and PNG files (as they stand).

A view is a Vega-Lite specification without width, colours being CSS variables of the page (`ink`). The page draws it as
wide as there is room, and follows light, dark and print without drawing anew; `vega.svg` sets a width and the light
colours.
"""

import csv
import io
import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from momentum_opt.results.report.palette import FONT, ink, light

Spec = dict[str, Any]

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"
WIDE: Final = 640
"""Width of the files' drawing area in pixels, shared by views side by side."""
MOST_ROWS: Final = 1500
"""Points of a curve that are drawn at most."""
_NARROW: Final = 480
"""Pixels below which a view has no room for a legend in one line."""
_OF_WHOLE: Final = ("params", "usermeta")
_SHARED: Final = ("color", "strokeDash", "shape")
"""Scales that views of one file would share, each being one of its own on the page."""

_CONFIG: Final[Spec] = {
    "aria": False,  # of single marks; the figure as a whole has a description
    "background": "transparent",
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": ink("ink"),
        "titleColor": ink("ink"),
        "domainColor": ink("muted"),
        "tickColor": ink("muted"),
        "gridColor": ink("hairline"),
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 150,
    },
    "axisX": {"grid": False},
    "axisY": {"tickCount": 5, "titlePadding": 10},
    "legend": {
        "labelColor": ink("ink"),
        "titleColor": ink("ink"),
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 0,
        "orient": "top",
        "offset": 8,
    },
    "text": {"color": ink("ink"), "fontSize": 12},
    "title": {"color": ink("ink"), "fontSize": 13, "fontWeight": "normal", "anchor": "start"},
    "range": {"heatmap": {"scheme": "cividis"}},
}


@dataclass(frozen=True)
class Plot:
    """A figure of the report.

    Attributes:
        key: name of its files, and of its place on the page.
        title: what it shows.
        alt: what it says, for those who cannot see it.
        caption: how to read it.
        views: Vega-Lite specifications without width.
        columns: views side by side where there is room.
        log: whether its y axis is logarithmic at first; None where it always is as it is.
    """

    key: str
    title: str
    alt: str
    caption: str
    views: tuple[Spec, ...]
    columns: int = 1
    log: bool | None = None


def for_page(view: Spec) -> Spec:
    """A view that is as wide as its place on the page."""
    return {"$schema": SCHEMA, "config": _CONFIG, "autosize": {"type": "fit-x", "contains": "padding"},
            "width": "container", **view}  # fmt: skip


def for_file(plot: Plot) -> Spec:
    """All views of a plot side by side, in the light colours, as wide as a file is."""
    width = (WIDE - 70 * (plot.columns - 1)) // plot.columns
    views = [{"width": width, **view} for view in plot.views]
    whole = (
        views[0]
        if len(views) == 1
        else {
            # Only a whole figure may have these; views of one figure share them.
            "params": [*{one["name"]: one for view in views for one in view.get("params", ())}.values()],
            "concat": [{name: part for name, part in view.items() if name not in _OF_WHOLE} for view in views],
            "columns": plot.columns,
            "spacing": 30,
            "resolve": {"scale": dict.fromkeys(_SHARED, "independent")},
        }
    )
    config = {**_CONFIG, "background": light("paper")}
    text = json.dumps({"$schema": SCHEMA, "config": config, "padding": 8, **whole})
    text = re.sub(r"var\(--(\w+)\)", lambda match: light(match[1]), text)
    # In a concatenation the signal `width` is not that of a view.
    return json.loads(re.sub(r'"expr": "[^"]*"', lambda match: re.sub(r"\bwidth\b", str(width), match[0]), text))


def table(columns: Mapping[str, Collection[Any]]) -> Spec:
    """Columns of numbers or texts as inline data, to six digits; infinities are NaN, which is drawn nowhere."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*map(_cells, columns.values()), strict=True))
    parse = {
        name: "string" if any(isinstance(value, str) for value in values) else "number"
        for name, values in columns.items()
    }
    return {"values": written.getvalue(), "format": {"type": "csv", "parse": parse}}


def _cells(values: Collection[Any]) -> list[str]:
    # Numpy's numbers one by one take several times as long as Python's.
    return [_cell(value) for value in (values.tolist() if isinstance(values, np.ndarray) else values)]


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | np.integer):
        return str(value)
    return f"{value:.6g}" if math.isfinite(value) else "NaN"


def thinned(count: int, most: int = MOST_ROWS) -> NDArray[np.intp]:
    """Rows to draw of so many: all, or `most` evenly chosen with the first and the last."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def quantity(field: str, title: str | None = None, **more: Any) -> Spec:
    """An encoding of numbers."""
    return {"field": field, "type": "quantitative", "title": title, **more}


def shown(field: str, title: str, form: str | None = None) -> Spec:
    """A line of a tooltip; with a number format, or as text."""
    if form is None:
        return {"field": field, "type": "nominal", "title": title}
    return {"field": field, "type": "quantitative", "title": title, "format": form}


def by_width(narrow: int, wide: int) -> Spec:
    """A number that depends on how wide a view is."""
    return {"expr": f"width < {_NARROW} ? {narrow} : {wide}"}


def scale_of(labels: Mapping[str, Any]) -> Spec:
    """A scale of named series: label → its colour, shape or dashes."""
    return {"domain": list(labels), "range": list(labels.values())}


def line_at(
    value: float, *, along: str = "y", role: str = "muted", dash: tuple[int, ...] = (), size: float = 1
) -> Spec:
    """A layer: one straight line across the view at a value of an axis."""
    mark: Spec = {"type": "rule", "color": ink(role), "size": size, "clip": True}
    return {"data": {"values": [{"at": value}]}, "mark": {**mark, "strokeDash": list(dash)} if dash else mark,
            "encoding": {along: quantity("at")}}  # fmt: skip
