"""Figures of the search: objective trial by trial, train against validation, importances of the parameters."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from momentum_opt.results.report.canvas import MANY_POINTS, Canvas, Plot
from momentum_opt.results.report.content import Content, finite
from momentum_opt.results.report.palette import POINT, light
from momentum_opt.results.report.wording import number, parameter_label
from momentum_opt.study.importance import parameter_importances
from momentum_opt.study.trials import NEIGHBOURHOOD
from momentum_opt.units import counted
from momentum_opt.vocabulary.metrics import METRICS

_SHOWN: Final = 0.99
"""Share of the trials, the better ones, that the axes are made for."""

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
    low, high = sorted(sign * limit for limit in _limits(sign * values))

    def draw(canvas: Canvas) -> None:
        (axes,) = canvas.panels(180)
        _points(canvas, axes, numbers, values)
        axes.step(numbers, best, where="post", color=light("pool"), lw=1.6, label="best so far")
        axes.set_ylim(low, high)
        axes.set_xlabel("trial")
        canvas.legend(axes, 2)

    beyond = int(((values < low) | (values > high)).sum())
    side = "below" if sign > 0 else "above"
    cut = f" {counted(beyond, 'trial')} {'lies' if beyond == 1 else 'lie'} {side} the axis." if beyond else ""
    mean = ", mean over the windows" if content.fingerprint.objective.multi_objective else ""
    return Plot(
        key="history",
        title="Objective, trial by trial",
        alt=f"Points of the objective of {counted(len(values), 'trial')} and a line of the best so far, which ends at "
        f"{number(float(best[-1]))} and last improved at trial {risen}.",
        caption=f"{content.fingerprint.objective.metric}{mean} on train. The best value came with trial {risen:,} of "
        f"{len(values):,}.{cut}",
        draw=draw,
    )


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
    limits = [_shown_limits(values, sign, pool, constant, place) for place, values in enumerate((x, y))]

    def draw(canvas: Canvas) -> None:
        (axes,) = canvas.panels(280 if canvas.narrow else 320, left=58.0)
        _points(canvas, axes, x[known], y[known], label="trial")
        axes.axline((0.0, 0.0), slope=1.0, color=light("muted"), lw=0.9, dashes=(3.0, 3.0))
        for place, marker, role, label in (
            (constant, "s", "constant", "constant-weight pool"),
            (pool, "D", "hodl", "winner"),
        ):
            if place is not None:
                axes.plot(*place, marker, color=light(role), ms=7.5, mec=light("paper"), mew=1.0, label=label, ls="")
        axes.set_xlim(*limits[0])
        axes.set_ylim(*limits[1])
        axes.set_xlabel(f"train {metric}")
        axes.set_ylabel(f"validation {metric}")
        canvas.legend(axes, 3, columnspacing=1.0 if canvas.narrow else 2.0, handletextpad=0.2)

    rank = _rank_correlation(x[known], y[known])
    outside = int(((x < limits[0][0]) | (x > limits[0][1]) | (y < limits[1][0]) | (y > limits[1][1]))[known].sum())
    cut = f" {outside:,} of {counted(int(known.sum()), 'trial')} lie outside the axes." if outside else ""
    return Plot(
        key="scatter",
        title="Train against validation",
        alt=f"Points of {metric} on validation over {metric} on train for {counted(int(known.sum()), 'trial')}; rank "
        f"correlation {number(rank, 2)}.",
        caption=f"Every trial's {metric} on the days it was chosen on, and on the days that follow (rank correlation "
        f"{number(rank, 2)}). On the dashed line both are equal.{cut}",
        draw=draw,
    )


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

    def draw(canvas: Canvas) -> None:
        (axes,) = canvas.panels(
            18.0 * len(keys) + 6.0, left=116.0 if canvas.narrow else 130.0, top=4.0, right=40.0, bottom=4.0
        )
        bars = axes.barh(range(len(keys)), shares, color=light("pool"), height=0.62)
        axes.set_yticks(range(len(keys)), labels)
        axes.set_ylim(-0.6, len(keys) - 0.4)
        axes.bar_label(bars, [f"{100 * share:.0f} %" for share in shares], padding=4, color=light("ink"), fontsize=10.0)
        axes.set_xlim(0.0, 1.05 * max(shares))
        axes.tick_params(axis="x", labelbottom=False, length=0)
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)

    words = ", ".join(f"{label} {100 * share:.0f} %" for label, share in zip(labels[::-1], shares[::-1], strict=True))
    return Plot(
        key="importance",
        title="Importance of the parameters",
        alt=f"Bars of each parameter's share: {words}.",
        caption="How much each parameter decides whether a trial is among the best tenth (PED-ANOVA, Watanabe et al. "
        "2023), as shares of 100 %. It tells of the trials that were run: a parameter that the search soon held fixed "
        "shows less than it matters.",
        draw=draw,
    )


def _points(canvas: Canvas, axes: object, x: Values, y: Values, label: str = "trial") -> None:
    del canvas
    many = len(x) > MANY_POINTS
    axes.plot(  # type: ignore[attr-defined]
        x,
        y,
        "o",
        ms=2.4 if many else 3.2,
        color=POINT,
        mew=0,
        alpha=0.35 if many else 0.75,
        rasterized=many,
        label=label,
    )


def _limits(values: Values, *others: object) -> tuple[float, float]:
    """Where the better trials and the marked places lie, with a little room."""
    marks = [pair[others[-1]] for pair in others[:-1] if pair is not None] if others else []  # type: ignore[index]
    low = float(np.nanquantile(values, 1.0 - _SHOWN))
    # The best are dense, and one disaster must not press them into a line.
    middle, top = (float(np.nanquantile(values, share)) for share in (0.5, 1.0))
    low = max(low, top - 6.0 * (top - middle)) if top > middle else low
    low, top = min([low, *marks]), max([top, *marks])
    room = 0.04 * (top - low) or 0.5
    return low - room, top + room


def _shown_limits(
    values: Values, sign: int, pool: tuple[float, float] | None, constant: tuple[float, float] | None, place: int
) -> list[float]:
    """The limits of an axis of a metric, of which the values with the higher `sign · value` are the better ones."""
    turned = [None if pair is None else (sign * pair[0], sign * pair[1]) for pair in (pool, constant)]
    return sorted(sign * limit for limit in _limits(sign * values, *turned, place))


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
