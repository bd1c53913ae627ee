"""Figures of the search: objective trial by trial, train against validation, importances of the parameters."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from momentum_opt.results.report.content import Content, finite
from momentum_opt.results.report.palette import POINT, ink
from momentum_opt.results.report.plot import Plot, Spec, quantity, shown, table
from momentum_opt.results.report.trial_points import better_limits, drawn_trials, drawn_words, trial_points
from momentum_opt.results.report.wording import metric_number, number, objective_labels, parameter_label
from momentum_opt.study.importance import parameter_importances
from momentum_opt.study.trials import NEIGHBOURHOOD
from momentum_opt.units import counted
from momentum_opt.vocabulary.metrics import METRICS

_LINE: Final = "M-1,-0.15H1V0.15H-1Z"
"""The symbol of a line, as SVG has paths."""

Values = NDArray[np.float64]


def search_plots(content: Content) -> list[Plot]:
    """History, train against validation, importances: those that the trials allow."""
    if content.trials is None or not len(content.trials):
        return []
    plots = [_history(content, content.trials), _scatter(content, content.trials)]
    return [plot for plot in plots if plot is not None]


def importance_plots(content: Content) -> list[Plot]:
    """Importances of the parameters, where there are trials enough to say something."""
    plot = _importances(content, content.trials) if content.trials is not None else None
    return [] if plot is None else [plot]


def _history(content: Content, trials: pd.DataFrame) -> Plot | None:
    values = finite(trials[content.objective_column])
    if np.isnan(values).all():
        return None
    numbers = trials["number"].to_numpy()
    sign = content.fingerprint.objective.signs[0]
    ranked = sign * values
    if "feasible" in trials and trials["feasible"].any():  # the others cannot win
        ranked = np.where(trials["feasible"].to_numpy(bool), ranked, np.nan)
    best = sign * np.fmax.accumulate(ranked)
    risen = int(numbers[np.nanargmax(ranked)])
    low, high = better_limits(values, (), sign)

    label = objective_labels(content.fingerprint.objective)[0]
    beyond = int(((values < low) | (values > high)).sum())
    side = "below" if sign > 0 else "above"
    cut = f" {counted(beyond, 'trial')} {'lies' if beyond == 1 else 'lie'} {side} the axis." if beyond else ""
    metric = content.fingerprint.objective.metric
    return Plot(
        key="history",
        title="Objective, trial by trial",
        alt=f"Points of the objective of {counted(len(values), 'trial')} and a line of the best so far, which ends at "
        f"{metric_number(metric, float(best[-1]))} and last improved at trial {risen}.",
        caption=f"{label} on train. The best value came with trial {risen:,} of "
        f"{len(values):,}.{cut}{drawn_words(len(values))}",
        views=(_history_view(content, trials, best, (low, high)),),
    )


def _history_view(content: Content, trials: pd.DataFrame, best: Values, domain: tuple[float, float]) -> Spec:
    rows = drawn_trials(len(trials))
    scale = {"domain": list(domain)}
    label = objective_labels(content.fingerprint.objective)[0]
    steps = table({"number": trials["number"].to_numpy()[rows], "best": best[rows]})
    line = {
        "data": steps,
        "mark": {"type": "line", "interpolate": "step-after", "color": ink("pool"), "strokeWidth": 2, "clip": True},
        "encoding": {"x": quantity("number", "trial"), "y": quantity("best", label, scale=scale)},
    }
    legend = {"trial": (POINT, "circle"), "best so far": (ink("pool"), _LINE)}
    ends = [int(trials["number"].min()), int(trials["number"].max())]
    x = quantity("number", "trial", scale={"domain": ends, "nice": False})
    y = quantity("objective", label, scale=scale)
    points = trial_points(content, trials, "history", x, y, legend, ["x"])
    return {"height": 220, **points, "layer": [*points["layer"], line]}


def _scatter(content: Content, trials: pd.DataFrame) -> Plot | None:
    metric = content.fingerprint.objective.metric
    columns = (f"train_{metric}", f"validation_{metric}")
    if not set(columns) <= set(trials):
        return None
    x, y = (finite(trials[column]) for column in columns)
    known = ~(np.isnan(x) | np.isnan(y))
    if known.sum() < 2:
        return None
    metrics, baselines = content.document["metrics"], content.document["baselines"]
    pool = _pair(metrics, metric)
    constant = _pair({name: table["constant_weight"] for name, table in baselines.items()}, metric)
    sign = METRICS[metric].sign
    marks = [place for place in (pool, constant) if place is not None]
    limits = [better_limits(values, [place[axis] for place in marks], sign) for axis, values in enumerate((x, y))]

    rank = _rank_correlation(x[known], y[known])
    outside = int(((x < limits[0][0]) | (x > limits[0][1]) | (y < limits[1][0]) | (y > limits[1][1]))[known].sum())
    cut = f" {outside:,} of {counted(int(known.sum()), 'trial')} lie outside the axes." if outside else ""
    return Plot(
        key="scatter",
        title="Train against validation",
        alt=f"Points of {metric} on validation over {metric} on train for {counted(int(known.sum()), 'trial')}; rank "
        f"correlation {number(rank, 2)}.",
        caption=f"Every trial's {metric} on the days it was chosen on, and on the days that follow (rank correlation "
        f"{number(rank, 2)}). On the dashed line both are equal.{cut}{drawn_words(int(known.sum()))}",
        views=(_scatter_view(content, trials[known], limits, {"constant-weight pool": constant, "winner": pool}),),
    )


def _scatter_view(
    content: Content, trials: pd.DataFrame, limits: list[list[float]], places: Mapping[str, tuple[float, float] | None]
) -> Spec:
    metric = content.fingerprint.objective.metric
    x, y = (
        quantity(
            period, f"{period} {metric}", scale={"domain": domain, "nice": False, "zero": False}, axis={"grid": True}
        )
        for period, domain in zip(("train", "validation"), limits, strict=True)
    )
    looks = {"constant-weight pool": (ink("constant"), "square"), "winner": (ink("hodl"), "diamond")}
    looks = {name: look for name, look in looks.items() if places[name] is not None}
    points = trial_points(content, trials, "scatter", x, y, {"trial": (POINT, "circle"), **looks}, ["x", "y"])
    ends = [min(one[0] for one in limits), max(one[1] for one in limits)]
    equal = {
        "data": {"values": [{"train": end, "validation": end} for end in ends]},
        "mark": {"type": "line", "color": ink("muted"), "strokeWidth": 1, "strokeDash": [3, 3], "clip": True},
        "encoding": {"x": x, "y": y},
    }
    mark = {"type": "point", "filled": True, "size": 110, "opacity": 1, "stroke": ink("paper"), "strokeWidth": 1,
            "clip": True}  # fmt: skip
    marked = [
        {
            "data": {"values": [{"train": place[0], "validation": place[1], "what": name}]},
            "mark": mark,
            "encoding": {
                "x": x, "y": y, "color": {"datum": name}, "shape": {"datum": name},
                "tooltip": [shown("what", "point"), shown("train", "train", ".4f"),
                            shown("validation", "validation", ".4f")],
            },
        }
        for name, place in places.items() if place is not None
    ]  # fmt: skip
    return {"height": 340, **points, "layer": [*points["layer"], equal, *marked]}


def _importances(content: Content, trials: pd.DataFrame) -> Plot | None:
    if "source" in trials:  # points near the winner say what its surroundings are like, not what decides
        trials = trials[trials["source"] != NEIGHBOURHOOD]
    params = {
        name: {token: finite(trials[f"{name}_{token}"]) for token in content.tokens}
        for name in content.document["params"]
        if all(f"{name}_{token}" in trials for token in content.tokens)
    }
    found = parameter_importances(
        params, content.fingerprint.objective.signs[0] * finite(trials[content.objective_column])
    )
    if not found:
        return None
    keys = sorted(found, key=found.__getitem__)
    labels, shares = [parameter_label(key) for key in keys], [found[key] for key in keys]

    words = ", ".join(f"{label} {100 * share:.0f} %" for label, share in zip(labels[::-1], shares[::-1], strict=True))
    return Plot(
        key="importance",
        title="Importance of the parameters",
        alt=f"Bars of each parameter's share: {words}.",
        caption="How much each parameter decides whether a trial is among the best tenth (PED-ANOVA, Watanabe et al. "
        "2023), as shares of 100 %. It tells of the trials that were run: a parameter that the search soon held fixed "
        "shows less than it matters.",
        views=(_importance_view(labels[::-1], shares[::-1]),),
    )


def _importance_view(labels: list[str], shares: list[float]) -> Spec:
    x = quantity("share", None, axis=None, scale={"domain": [0.0, 1.2 * max(shares)]})
    axis = {"ticks": False, "domain": False, "labelPadding": 6}
    y = {"field": "parameter", "type": "nominal", "sort": None, "title": None, "axis": axis}
    share = shown("share", "importance", ".1%")
    bar = {"mark": {"type": "bar", "color": ink("pool"), "height": {"band": 0.65}},
           "encoding": {"x": x, "y": y, "tooltip": [shown("parameter", "parameter"), share]}}  # fmt: skip
    text = {**share, "format": ".0%"}
    label = {"mark": {"type": "text", "align": "left", "dx": 4}, "encoding": {"x": x, "y": y, "text": text}}
    data = table({"parameter": labels, "share": shares})
    return {"height": 20 * len(labels), "data": data, "layer": [bar, label]}


def _pair(table: Mapping[str, Mapping[str, float | None]], metric: str) -> tuple[float, float] | None:
    found = [table.get(period, {}).get(metric) for period in ("train", "validation")]
    if any(value is None or not np.isfinite(value) for value in found):
        return None
    return float(found[0] or 0.0), float(found[1] or 0.0)


def _rank_correlation(x: Values, y: Values) -> float:
    ranks = [pd.Series(values).rank().to_numpy() for values in (x, y)]
    if any(np.ptp(one) == 0 for one in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
