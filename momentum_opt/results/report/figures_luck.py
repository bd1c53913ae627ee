"""Figures of the overfitting statistics: logits, and where the winner stands among randomly drawn candidates."""

from momentum_opt.evidence.findings import Distribution, Findings, NonAdaptiveFindings, OverfittingFindings
from momentum_opt.results.report.histogram import histogram_bars
from momentum_opt.results.report.palette import ink
from momentum_opt.results.report.plot import Plot, Spec, line_at, quantity, scale_of, shown
from momentum_opt.results.report.wording import metric_number, number


def luck_plots(findings: Findings | None, metric: str) -> list[Plot]:
    """Overfitting logits and the spread of unchosen candidates in the objective's metric, those that were computed."""
    if findings is None:
        return []
    plots = [_spread(findings.non_adaptive, metric)] if findings.non_adaptive.distributions else []
    overfitting = findings.excess.overfitting
    return plots if overfitting is None else [_logits(overfitting), *plots]


def _logits(found: OverfittingFindings) -> Plot:
    bars = histogram_bars(found.logits, "logit of the out-of-sample rank", border=0.0)
    share = f"{100 * found.probability:.1f} %"
    return Plot(
        key="overfitting",
        title="Out-of-sample rank of the in-sample best",
        alt=f"Histogram of {found.n_halves:,} logits; {share} are at or below zero.",
        caption=f"Train is cut into blocks of days and halved in {found.n_halves:,} ways. In {share} of them the best "
        f"of {found.n_candidates:,} candidates in one half is at or below the median in the other: the probability of "
        "backtest overfitting (PBO), of returns in excess of the constant-weight pool.",
        views=({"height": 170, "layer": [bars, line_at(0.0, along="x", role="ink")]},),
    )


def _spread(found: NonAdaptiveFindings, metric: str) -> Plot:
    kind = (
        "screened candidates" if found.source == "screened" else "parameter sets drawn at random from the search ranges"
    )
    places = f"The winner: {'; '.join(_place(one, metric) for one in found.distributions)}"
    return Plot(
        key="unchosen",
        title="The winner among randomly drawn candidates",
        alt=f"Histograms of {found.scored:,} candidates. {places}.",
        caption=f"{found.scored:,} {kind}. {places}. An optimiser should stand far to the right in its objective; on "
        "validation, which did not choose it, that is worth something.",
        views=tuple(map(_distribution, found.distributions)),
        columns=len(found.distributions),
    )


def _distribution(one: Distribution) -> Spec:
    layers = [histogram_bars(one.histogram, one.name)]
    if one.winner is not None:
        encoding = {
            "x": quantity("winner", one.name),
            "color": {**shown("what", ""), "title": None, "scale": scale_of({"winner": ink("hodl")})},
            "tooltip": [shown("winner", "winner", ".4g")],
        }
        mark = {"type": "rule", "size": 2.5}
        layers.append(
            {"data": {"values": [{"winner": one.winner, "what": "winner"}]}, "mark": mark, "encoding": encoding}
        )
    return {"height": 160, "title": one.name, "layer": layers}


def _place(one: Distribution, metric: str) -> str:
    if one.winner is None or one.percentile is None:
        return f"{one.name} not known"
    share = "all" if one.percentile == 100.0 else f"{number(one.percentile, 3)} %"
    return f"{one.name} {metric_number(metric, one.winner)}, better than {share} of them"
