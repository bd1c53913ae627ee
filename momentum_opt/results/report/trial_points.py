"""Trials on a figure: what is known of each, on hover and by a click, and which of them are drawn."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from momentum_opt.results.report.content import Content, finite
from momentum_opt.results.report.palette import ink
from momentum_opt.results.report.plot import Spec, by_width, scale_of, shown, table, thinned
from momentum_opt.results.report.timeline import WHEEL
from momentum_opt.results.report.wording import objective_labels
from momentum_opt.vocabulary.rules import FORM_LABELS, leading_forms

Values = NDArray[np.float64]

BRUSH: Final = "[pointerdown[event.shiftKey], window:pointerup] > window:pointermove!"
"""Dragging with Shift chooses trials; alone it moves the axes."""
_MOVE: Final = "[pointerdown[!event.shiftKey], window:pointerup] > window:pointermove!"
LEFT_OUT: Final[Spec] = {"test": "chosen !== null && !chosen[datum.number]", "value": 0.04}
"""The opacity of trials that a brush has left out."""
_SHOWN: Final = 0.99
"""Share of the trials, the better ones, that axes are made for."""
_MOST_TRIALS: Final = 3000
"""Trials that are drawn at most."""
_MANY: Final = 1500
"""Trials beyond which their points are fainter."""


TRIAL_PARAMS: Final[list[Spec]] = [{"name": "picked", "value": None}, {"name": "chosen", "value": None}]
"""What the page's script sets in every figure of trials: the number of the one that was clicked, and of those that were
brushed, as keys of an object."""


@dataclass(frozen=True)
class TrialTable:
    """A table that the page's script fills with the trials of the figures, those that were brushed or else all.

    Attributes:
        caption: what it shows.
        note: how to read it.
        best_last: whether the smallest objective is the best one.
    """

    caption: str
    note: str
    best_last: bool


def trial_table(content: Content) -> TrialTable:
    """The trials as a table beside their figures."""
    note = (
        "The best objective first; a heading sorts. Drag over points with Shift, or after Select, to see those trials "
        "alone, here and in the other figures; a row marks its trial there. momentum-opt trials RUN has every column."
    )
    return TrialTable("Trials", note, content.fingerprint.objective.signs[0] < 0)


def drawn_trials(count: int) -> NDArray[np.intp]:
    """Places of those that are drawn."""
    return thinned(count, _MOST_TRIALS)


def drawn_words(count: int) -> str:
    """A sentence where not all are; begins with a space."""
    return f" {_MOST_TRIALS:,} of {count:,} are drawn, evenly chosen." if count > _MOST_TRIALS else ""


def better_limits(values: Values, marks: Collection[float], sign: int) -> list[float]:
    """Limits of an axis: where the better trials and the marked places lie, with a little room.

    Args:
        values: (trial,) NaN where there is none.
        marks: that must be seen.
        sign: −1 where lower values are better.
    """
    turned = sign * values
    low = float(np.nanquantile(turned, 1.0 - _SHOWN))
    # The best are dense, and one disaster must not press them into a line.
    middle, top = (float(np.nanquantile(turned, share)) for share in (0.5, 1.0))
    low = max(low, top - 6.0 * (top - middle)) if top > middle else low
    seen = [sign * mark for mark in marks]
    low, top = min([low, *seen]), max([top, *seen])
    room = 0.04 * (top - low) or 0.5
    return sorted((sign * (low - room), sign * (top + room)))


def objective_field(place: int) -> str:
    """Column of an objective in a figure's data."""
    return "objective" if place == 0 else f"o{place}"


def known_of(content: Content, rows: pd.DataFrame) -> tuple[dict[str, Any], list[Spec]]:
    """Columns of a figure's data, and the lines of the tooltip that read them: number, objectives, metric, parameters.

    Args:
        content: the run.
        rows: of its trials.
    """
    aim = content.fingerprint.objective
    columns: dict[str, Any] = {"number": rows["number"].to_numpy()}
    lines = [shown("number", "trial", ",d")]
    labels = objective_labels(aim) if aim.several else ("objective",)
    for place, (column, label) in enumerate(zip(aim.columns, labels, strict=True)):
        columns[objective_field(place)] = finite(rows[column])
        lines.append(shown(objective_field(place), label, ".5g"))
    for period in ("train", "validation"):
        if f"{period}_{aim.metric}" in rows:
            columns[period] = finite(rows[f"{period}_{aim.metric}"])
            lines.append(shown(period, f"{period} {aim.metric}", ".5g"))
    for place, (column, label) in enumerate(parameter_columns(content, rows).items()):
        columns[f"p{place}"] = finite(rows[column])
        lines.append(shown(f"p{place}", label, ".4g"))
    return columns, lines


def parameter_columns(content: Content, rows: pd.DataFrame) -> dict[str, str]:
    """Columns of the readable parameters, token by token → their labels."""
    forms = [(form, token) for form in leading_forms(content.document["readable"]) for token in content.tokens]
    known = [(form, token) for form, token in forms if f"{form}_{token}" in rows]
    return {f"{form}_{token}": f"{FORM_LABELS.get(form, form)}, {token}" for form, token in known}


def told_by_click(lines: list[Spec]) -> Spec:
    """What the page's script writes out of a trial that was clicked."""
    return {"trial": [{name: line[name] for name in ("field", "title", "format")} for line in lines]}


def trial_points(
    content: Content,
    trials: pd.DataFrame,
    key: str,
    x: Spec,
    y: Spec,
    looks: Mapping[str, tuple[str, str]],
    zoomed: list[str],
) -> Spec:
    """The trials as points, with all that is known of each on hover, and the one that was picked by a click.

    `picked` is its number: the page's script sets it in every figure, and writes out what `usermeta` names.

    Args:
        content: the run.
        trials: of it.
        key: of the figure.
        x: encoding.
        y: encoding.
        looks: kind of point → its colour and symbol; `trial` is that of these.
        zoomed: the axes that zoom.
    """
    rows = trials.iloc[drawn_trials(len(trials))]
    columns, lines = known_of(content, rows)
    legend = {"title": None, "symbolOpacity": 1, "columns": by_width(2, len(looks))}
    name = {"field": "what", "type": "nominal", "legend": legend}
    opacity = 0.35 if len(rows) > _MANY else 0.7
    zoom = {"type": "interval", "encodings": zoomed, "zoom": WHEEL, "translate": _MOVE}
    look = {"fill": ink("pool"), "fillOpacity": 0.1, "stroke": ink("pool")}
    brush = {"type": "interval", "encodings": ["x", "y"], "on": BRUSH, "translate": False, "zoom": False, "mark": look}
    points = {
        "params": [
            {"name": f"span_{key}", "select": zoom, "bind": "scales"},
            {"name": f"brush_{key}", "select": brush},
        ],
        "transform": [{"calculate": "'trial'", "as": "what"}],
        "mark": {"type": "point", "filled": True, "size": 22, "clip": True, "cursor": "pointer"},
        "encoding": {
            "x": x,
            "y": y,
            "color": {**name, "scale": scale_of({one: look[0] for one, look in looks.items()})},
            "shape": {**name, "scale": scale_of({one: look[1] for one, look in looks.items()})},
            "opacity": {"condition": LEFT_OUT, "value": opacity},
            "tooltip": lines,
        },
    }
    picked = {
        "transform": [{"filter": "datum.number === picked"}],
        "mark": {"type": "point", "size": 160, "strokeWidth": 2, "color": ink("ink"), "opacity": 1, "clip": True},
        "encoding": {"x": x, "y": y},
    }
    return {
        "usermeta": told_by_click(lines),
        "params": TRIAL_PARAMS,
        "data": {"name": "trials", **table(columns)},
        "layer": [points, picked],
    }
