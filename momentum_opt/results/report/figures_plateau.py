"""Figures of the winner's neighbourhood: spread of the objective per parameter, and maps over k and memory."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from momentum_opt.evidence.findings import Cloud, Findings, HeatMap, PlateauFindings
from momentum_opt.fingerprint.sections import Objective
from momentum_opt.results.report.palette import ink
from momentum_opt.results.report.plot import Plot, Spec, by_width, quantity, scale_of, shown, table
from momentum_opt.results.report.wording import metric_number, number, parameter_label

_COLUMNS: Final = 3
_ROLES: Final = ("pool", "uniform", "hodl")
"""Colour per radius, smallest first."""
_WORST: Final = 0.1
"""Share of a map's cells, the worst ones, that share a colour, so that the better ones differ."""
_QUANTILES: Final = ("5 %", "25 %", "median", "75 %", "95 %")


def plateau_plots(findings: Findings | None, aim: Objective) -> list[Plot]:
    """Clouds and maps of the objective, those that were computed."""
    if findings is None or findings.plateau is None:
        return []
    found = findings.plateau
    clouds = [one for one in found.clouds if one.quantiles]
    plots = [_clouds(found, clouds, aim.metric)] if clouds else []
    maps = [one for one in found.heat_maps if any(value is not None for row in one.objective for value in row)]
    return [*plots, _maps(maps, aim.signs[0])] if maps else plots


def _clouds(found: PlateauFindings, clouds: list[Cloud], metric: str) -> Plot:
    kept = (
        ""
        if found.share_kept is None
        else (
            f" Of the sets with every parameter moved within {100 * found.radius:g} % of its range, "
            f"{100 * found.share_kept:.0f} % keep nine tenths of the gain over the constant-weight pool."
        )
    )
    return Plot(
        key="plateau",
        title="What happens when the parameters are a little off",
        alt=f"Spread of the objective around the winner's {metric_number(metric, found.winner)}, one row per "
        f"parameter.{kept}",
        caption="The objective of parameter sets near the winner, one parameter moved at a time and all at once, "
        f"within a share of each search range: median, middle half (thick), and 5 % to 95 % (thin).{kept}",
        views=(_cloud_view(found, clouds),),
    )


def _cloud_view(found: PlateauFindings, clouds: list[Cloud]) -> Spec:
    names = list(dict.fromkeys(one.parameter for one in clouds))
    names = [*(name for name in names if name == "joint"), *(name for name in names if name != "joint")]
    radii = sorted({one.radius for one in clouds})
    within = {radius: f"within {100 * radius:g} %" for radius in radii}
    labels = {label: ink(_ROLES[place % len(_ROLES)]) for place, label in enumerate(within.values())}
    columns: dict[str, list[Any]] = {
        "parameter": [parameter_label(one.parameter) for one in clouds],
        "within": [within[one.radius] for one in clouds],
        **{f"q{place}": [one.quantiles[place] for one in clouds] for place in range(len(_QUANTILES))},
    }
    rows: Spec = {
        "y": {
            "field": "parameter", "type": "nominal", "title": None, "sort": list(map(parameter_label, names)),
            "axis": {"ticks": False, "domain": False, "labelPadding": 6},
        },
        "yOffset": {"field": "within", "type": "nominal", "sort": list(labels)},
        "color": {
            "field": "within", "type": "nominal", "title": None,
            "scale": scale_of({**labels, "winner": ink("ink"), "constant weights": ink("constant")}),
            "legend": {"symbolType": "stroke", "columns": by_width(2, 5)},
        },
        "tooltip": [
            shown("parameter", "parameter"), shown("within", "moved"),
            *(shown(f"q{place}", name, ".4g") for place, name in enumerate(_QUANTILES)),
        ],
    }  # fmt: skip

    def span(low: int, high: int, size: float) -> Spec:
        encoding = {**rows, "x": _objective(f"q{low}"), "x2": {"field": f"q{high}"}}
        return {"mark": {"type": "rule", "size": size}, "encoding": encoding}

    middle = {"type": "point", "filled": True, "size": 55, "opacity": 1}
    layers = [span(0, 4, 1.2), span(1, 3, 5), {"mark": middle, "encoding": {**rows, "x": _objective("q2")}}]
    marks = {"winner": found.winner, "constant weights": found.baseline}
    for name, value in marks.items():
        if value is not None:
            encoding = {"x": _objective("at"), "color": {"datum": name}, "tooltip": [shown("at", name, ".4g")]}
            dash = {} if name == "winner" else {"strokeDash": [4, 3]}
            data = {"values": [{"at": value}]}
            layers.append({"data": data, "mark": {"type": "rule", "size": 1.5, **dash}, "encoding": encoding})
    return {"height": len(names) * (11 * len(radii) + 8), "data": table(columns), "layer": layers}


def _objective(field: str) -> Spec:
    return quantity(field, "objective", scale={"zero": False}, axis={"grid": True})


def _maps(maps: list[HeatMap], sign: int) -> Plot:
    values = [np.array([[np.nan if x is None else x for x in row] for row in one.objective]) for one in maps]
    every = np.concatenate([one[np.isfinite(one)] for one in values])
    low, high = sorted((sign * float(np.quantile(sign * every, _WORST)), sign * float((sign * every).max())))
    where = "; ".join(
        f"{one.token}: {number(one.winner_k_per_day, 3)} per day, {number(one.winner_memory_days, 3)} days"
        for one in maps
    )
    worst = "lowest" if sign > 0 else "highest"
    return Plot(
        key="maps",
        title="Objective over k and memory",
        alt=f"Heat maps of the objective over k per day and memory, one per token. The winner lies at {where}.",
        caption="The objective on train over k per day and memory of one token, everything else as the winner has it; "
        "the cross is the winner. A good winner lies on a broad bright area, not on a lone bright cell. The "
        f"{worst} {100 * _WORST:.0f} % share a colour.",
        views=tuple(_map(one, own, (low, high), sign) for one, own in zip(maps, values, strict=True)),
        columns=min(_COLUMNS, len(maps)),
    )


def _map(one: HeatMap, values: NDArray[np.float64], limits: tuple[float, float], sign: int) -> Spec:
    k, memory = np.array(one.k_per_day), np.array(one.memory_days)
    k_edges, memory_edges = _edges(k), _edges(memory)
    rows, cells = np.indices(values.shape).reshape(2, -1)
    columns = {
        "k": k[cells],
        "memory": memory[rows],
        "objective": values[rows, cells],
        "left": k_edges[cells],
        "right": k_edges[cells + 1] * _overlap(k_edges),
        "below": memory_edges[rows],
        "above": memory_edges[rows + 1] * _overlap(memory_edges),
    }
    colour: Spec = {
        **quantity("objective", "objective"),
        "scale": {"domain": list(limits), "clamp": True, "scheme": "cividis", "reverse": sign < 0},
        "legend": {"format": ".3~g", "gradientLength": 110, "gradientThickness": 8,
                   "tickCount": 3, "direction": "horizontal"},
    }  # fmt: skip
    axis = {"format": "~g", "tickCount": 4, "labelOverlap": True, "grid": False}
    x, y = (
        {"scale": {"type": "log", "nice": False, "domain": [float(edges[0]), float(edges[-1])]}, "axis": axis}
        for edges in (k_edges, memory_edges)
    )
    tooltip = [shown("k", "k per day", ".4g"), shown("memory", "memory, days", ".4g"),
               shown("objective", "objective", ".4g")]  # fmt: skip
    cell = {
        "transform": [{"filter": "isFinite(datum.objective)"}],
        "mark": {"type": "rect", "clip": True},
        "encoding": {
            "x": quantity("left", "k per day", **x), "x2": {"field": "right"},
            "y": quantity("below", "memory (days)", **y), "y2": {"field": "above"}, "color": colour, "tooltip": tooltip,
        },
    }  # fmt: skip
    mark = {"type": "point", "shape": "cross", "angle": 45, "filled": True, "size": 150, "color": "#ffffff",
            "stroke": "#000000", "strokeWidth": 1, "opacity": 1}  # fmt: skip
    winner = {
        "data": {"values": [{"k": one.winner_k_per_day, "memory": one.winner_memory_days, "what": "winner"}]},
        "mark": mark,
        "encoding": {"x": quantity("k", "k per day"), "y": quantity("memory", "memory (days)"),
                     "tooltip": [shown("what", "point"), *tooltip[:2]]},
    }  # fmt: skip
    title = "all tokens" if one.token == "all" else one.token
    return {"height": 200, "title": title, "data": table(columns), "layer": [cell, winner]}


def _edges(middles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Borders of cells around points of a logarithmic axis."""
    logs = np.log(middles)
    if len(logs) < 2:
        return np.exp(np.array([logs[0] - 0.5, logs[0] + 0.5]))
    inner = (logs[1:] + logs[:-1]) / 2
    return np.exp(np.concatenate([[2 * logs[0] - inner[0]], inner, [2 * logs[-1] - inner[-1]]]))


def _overlap(edges: NDArray[np.float64]) -> float:
    """Factor by which a cell is drawn a little too wide, so that no paper shows between it and the next."""
    return float((edges[-1] / edges[0]) ** (0.06 / (len(edges) - 1)))
