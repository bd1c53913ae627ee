"""Draw the overfitting statistics: logits, and where the winner stands among randomly drawn candidates."""

import numpy as np
from matplotlib.axes import Axes

from momentum_opt.evidence.findings import Distribution, Findings, Histogram, NonAdaptiveFindings, OverfittingFindings
from momentum_opt.results.report.canvas import Canvas, Plot
from momentum_opt.results.report.palette import light
from momentum_opt.results.report.wording import number


def luck_plots(findings: Findings | None) -> list[Plot]:
    """Overfitting logits and the spread of unchosen candidates, those that were computed."""
    if findings is None:
        return []
    plots = [_spread(findings.non_adaptive)] if findings.non_adaptive.distributions else []
    overfitting = findings.excess.overfitting
    return plots if overfitting is None else [_logits(overfitting), *plots]


def _logits(found: OverfittingFindings) -> Plot:
    def draw(canvas: Canvas) -> None:
        (axes,) = canvas.panels(150)
        _bars(axes, found.logits, below=0.0)
        axes.axvline(0.0, color=light("ink"), lw=1.0)
        axes.set_xlabel("logit of the out-of-sample rank")
        axes.plot([], [], "s", color=light("hodl"), label="below the median")
        axes.plot([], [], "s", color=light("pool"), label="above")
        canvas.legend(axes, 2)

    share = f"{100 * found.probability:.1f} %"
    return Plot(
        key="overfitting",
        title="Out-of-sample rank of the in-sample best",
        alt=f"Histogram of {found.n_halves:,} logits; {share} are at or below zero.",
        caption=f"Train is cut into blocks of days and halved in {found.n_halves:,} ways. In {share} of them the best "
        f"of {found.n_candidates:,} candidates in one half is at or below the median in the other: the probability of "
        "backtest overfitting (PBO), of returns in excess of the constant-weight pool.",
        draw=draw,
    )


def _spread(found: NonAdaptiveFindings) -> Plot:
    count = len(found.distributions)

    def draw(canvas: Canvas) -> None:
        panels = (
            canvas.panels(*[120.0] * count, between=56.0, bottom=22.0)
            if canvas.narrow
            else canvas.panels(140.0, columns=count, beside=40.0, bottom=22.0)
        )
        for axes, one in zip(panels, found.distributions, strict=True):
            _bars(axes, one.histogram)
            axes.set_title(one.name)
            if one.winner is not None:
                axes.axvline(one.winner, color=light("hodl"), lw=1.8)
                axes.plot([], [], color=light("hodl"), lw=1.8, label="winner")
                canvas.legend(axes, 1, right=True)

    kind = (
        "screened candidates" if found.source == "screened" else "parameter sets drawn at random from the search ranges"
    )
    places = f"The winner: {'; '.join(map(_place, found.distributions))}"
    return Plot(
        key="unchosen",
        title="The winner among randomly drawn candidates",
        alt=f"Histograms of {found.scored:,} candidates. {places}.",
        caption=f"{found.scored:,} {kind}. {places}. An optimiser should stand far to the right in its objective; on "
        "validation, which did not choose it, that is worth something.",
        draw=draw,
    )


def _place(one: Distribution) -> str:
    if one.winner is None or one.percentile is None:
        return f"{one.name} not known"
    share = "all" if one.percentile == 100.0 else f"{number(one.percentile, 3)} %"
    return f"{one.name} {number(one.winner)}, better than {share} of them"


def _bars(axes: Axes, histogram: Histogram, below: float | None = None) -> None:
    """Bars; those whose middle lies at or below a border in another colour."""
    edges = np.array(histogram.edges)
    middle = (edges[1:] + edges[:-1]) / 2
    under = np.zeros(len(middle), bool) if below is None else middle <= below
    for part, role in ((under, "hodl"), (~under, "pool")):
        if part.any():
            counts = np.array(histogram.counts)[part]
            axes.bar(edges[:-1][part], counts, np.diff(edges)[part], align="edge", color=light(role), alpha=0.75, lw=0)
    axes.grid(visible=False, axis="x")
