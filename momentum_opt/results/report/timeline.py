"""A view along time: curves or stacked areas, periods marked, every value of a day on hover.

Views of one page move together: the page's script copies the shown range of time, which each keeps in the parameter
`zoom_<key>`, from the one that was moved to the others. A click on a name in the legend hides its series.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from momentum_opt.results.report.palette import ink
from momentum_opt.results.report.plot import Spec, by_width, line_at, quantity, scale_of, shown, table, thinned

Values = NDArray[np.float64]

_DAY_MS: Final = 86_400_000
WHEEL: Final = "wheel![event.ctrlKey || event.metaKey || event.shiftKey]"
"""Turning the wheel alone scrolls the page."""


@dataclass(frozen=True)
class Curve:
    """A series: its label, values along time, colour (CSS), dashes (none: solid), and whether its line is thicker."""

    label: str
    values: Values
    colour: str
    dashes: tuple[float, ...] = ()
    thick: bool = False


@dataclass(frozen=True)
class Period:
    """A part of the time axis; its border is drawn at `begin` where that is not the first day."""

    name: str
    begin: pd.Timestamp
    end: pd.Timestamp


@dataclass(frozen=True)
class Axis:
    """The y axis: number format of ticks and of the tooltip, domain, whether it is logarithmic, title."""

    ticks: str = "~g"
    values: str = ".4f"
    domain: tuple[float, float] | None = None
    log: bool = False
    title: str | None = None


@dataclass(frozen=True)
class Timeline:
    """What a view along time shows.

    Attributes:
        key: of the figure.
        time: of the rows.
        curves: drawn in this order, so the last one is on top.
        axis: of y.
        height: pixels.
        periods: to be marked.
        stacked: whether the curves are areas on top of each other.
        filled: label of a curve whose distance from zero is tinted.
        level: y of a line across.
    """

    key: str
    time: pd.Series
    curves: Sequence[Curve]
    axis: Axis = field(default_factory=Axis)
    height: int = 240
    periods: Sequence[Period] = ()
    stacked: bool = False
    filled: str | None = None
    level: float | None = None

    def view(self) -> Spec:
        """The specification."""
        rows = thinned(len(self.time))
        ms = milliseconds(self.time)[rows]
        columns: dict[str, Any] = {
            "time": ms,
            **{f"c{place}": one.values[rows] for place, one in enumerate(self.curves)},
        }
        return {
            "height": self.height,
            "data": table(columns),
            "layer": [
                self._series(f"{ms[0]}", f"{ms[-1]}"),
                *self._filled(),
                *self._level(),
                *_borders(self.periods, int(ms[0]), int(ms[-1])),
                self._hover("%Y-%m-%d" if not (ms[:-1] % _DAY_MS).any() else "%Y-%m-%d %H:%M"),
            ],
        }

    def _series(self, first: str, last: str) -> Spec:
        """Lines or areas, with what can be done to them: zoom, and series hidden by the legend."""
        names = {f"c{place}": one.label for place, one in enumerate(self.curves)}
        scale: Spec = {"domain": [float(first), float(last)], "type": "utc", "nice": False}
        encoding: Spec = {
            "x": {**_time(), "scale": scale, "axis": {"labelOverlap": True, "tickCount": {"expr": "width / 90"}}},
            "y": self._y("value"),
            "color": {
                "field": "series",
                "type": "nominal",
                "scale": scale_of({one.label: one.colour for one in self.curves}),
                "legend": self._legend(),
            },
        }
        mark: Spec = {"type": "area" if self.stacked else "line", "clip": True}
        if not self.stacked:
            dashes = scale_of({one.label: list(one.dashes) or [1, 0] for one in self.curves})
            series = {"field": "series", "type": "nominal", "legend": self._legend()}
            encoding["strokeDash"] = {**series, "scale": dashes}
            thick = [f"datum.series === {json.dumps(one.label)}" for one in self.curves if one.thick]
            condition = {"condition": {"test": " || ".join(thick), "value": 2.2}} if thick else {}
            encoding["strokeWidth"] = {**condition, "value": 1.4}
        zoom = {"type": "interval", "encodings": ["x"], "zoom": WHEEL}
        return {
            "params": [
                {"name": f"zoom_{self.key}", "select": zoom, "bind": "scales"},
                {
                    "name": f"shown_{self.key}",
                    "select": {"type": "point", "fields": ["series"], "toggle": "true"},
                    "bind": "legend",
                    "value": [{"series": label} for label in names.values()],
                },
            ],
            "transform": [
                {"fold": list(names), "as": ["column", "value"]},
                {"calculate": f"{_object(names)}[datum.column]", "as": "series"},
                {"filter": {"param": f"shown_{self.key}", "empty": False}},
            ],
            "mark": mark,
            "encoding": encoding,
        }

    def _legend(self) -> Spec:
        many = len(self.curves)
        columns = by_width(min(many, 4 if self.stacked else 2), many)
        look = (
            {"symbolType": "square", "symbolSize": 120} if self.stacked else {"symbolType": "stroke", "symbolSize": 300}
        )
        named = any(one.name for one in self.periods)
        return {"title": None, "offset": 22 if named else 8, "columns": columns, **look}

    def _y(self, name: str) -> Spec:
        scale: Spec = {"type": "log"} if self.axis.log else {"zero": self.stacked or self.filled is not None}
        if self.axis.domain is not None:
            scale["domain"] = list(self.axis.domain)
        stack = {"stack": "zero"} if self.stacked else {}
        return quantity(name, self.axis.title, scale=scale, axis={"format": self.axis.ticks}, **stack)

    def _filled(self) -> list[Spec]:
        for place, one in enumerate(self.curves):
            if one.label == self.filled:
                mark = {"type": "area", "color": one.colour, "opacity": 0.18, "clip": True}
                return [{"mark": mark, "encoding": {"x": _time(), "y": self._y(f"c{place}")}}]
        return []

    def _level(self) -> list[Spec]:
        return [] if self.level is None else [line_at(self.level, role="constant")]

    def _hover(self, form: str) -> Spec:
        """A line at the day nearest to the pointer, and what all series are there."""
        found = {"condition": {"param": f"hover_{self.key}", "empty": False, "value": 0.7}, "value": 0}
        # With `nearest`, Vega-Lite finds times and numbers where they are, but no text.
        date = {"field": "time", "type": "temporal", "timeUnit": "utcyearmonthdatehoursminutes", "title": "date",
                "format": form}  # fmt: skip
        lines = [shown(f"c{place}", one.label, self.axis.values) for place, one in enumerate(self.curves)]
        select = {
            "type": "point", "on": "pointerover", "clear": "pointerout", "nearest": True, "fields": ["time"],
        }  # fmt: skip
        return {
            "params": [{"name": f"hover_{self.key}", "select": select}],
            "mark": {"type": "rule", "color": ink("ink"), "clip": True},
            "encoding": {"x": _time(), "opacity": found, "tooltip": [date, *lines]},
        }


def milliseconds(time: pd.Series) -> NDArray[np.int64]:
    """Times as Vega counts them."""
    return time.dt.tz_convert(None).to_numpy().astype("datetime64[ms]").astype(np.int64)


def _borders(periods: Sequence[Period], first: int, last: int) -> list[Spec]:
    """A dashed line where a period begins, and its name as far as there is room."""
    rows: list[Spec] = []
    inside: list[Spec] = []
    for one in periods:
        begin, end = max(first, int(one.begin.timestamp() * 1000)), min(last, int(one.end.timestamp() * 1000))
        if begin < end:
            rows.append({"begin": begin, "end": end, "name": one.name})
            inside += rows[-1:] if begin > first else []
    x = {**_time(), "field": "begin"}
    lines: list[Spec] = [
        {
            "data": {"values": inside},
            "mark": {"type": "rule", "color": ink("muted"), "strokeDash": [3, 3], "clip": True},
            "encoding": {"x": x},
        }
    ]
    if not any(row["name"] for row in rows):
        return lines if inside else []
    left, right = "max(0, scale('x', datum.begin))", "min(width, scale('x', datum.end))"
    room = {"expr": f"max(1, {right} - {left} - 6)"}
    mark = {"type": "text", "align": "left", "baseline": "bottom", "dx": 4, "dy": -3, "color": ink("muted"),
            "limit": room, "clip": False}  # fmt: skip
    place: Spec = {"x": {"value": {"expr": left}}, "y": {"value": 0}}
    words = {
        "data": {"values": rows}, "mark": mark, "encoding": {**place, "text": {"field": "name", "type": "nominal"}},
    }  # fmt: skip
    return [*(lines if inside else []), words]


def _time() -> Spec:
    return {"field": "time", "type": "temporal", "title": None, "scale": {"type": "utc"}}


def _object(names: Mapping[str, str]) -> str:
    """A literal of Vega's expressions."""
    return "{" + ", ".join(f"{key}: {json.dumps(label)}" for key, label in names.items()) + "}"
