"""The registry of metrics → the page of all metrics: unit, direction, cadence, meaning, formula."""

import inspect
from functools import partial

from docs.hooks.tables import table
from momentum_opt.metrics.registry import METRIC_FUNCTIONS
from momentum_opt.vocabulary.metrics import FOR_COMPARISON, METRICS, Cadence, fewest_days

_INTRO = """\
# Metrics

Every metric that `objective.metric` may name, made from the registry (`momentum_opt/vocabulary/metrics.py`) and the
functions behind it. **Higher is better for most of them**: falls and losses are negative numbers. Where lower is better
a study minimises the metric: `worst` is then the largest of the windows, `mean_minus_std` their mean *plus* their
deviation, `turnover_penalty` is added, and `overfitting_penalty` counts what validation lies above train.

Symbols: $v$ is the pool's value at every minute of a slice, $T$ its minutes, $D = 1440$ the minutes of a day, $p$
prices, $R$ reserves, $n$ tokens, ρ = v_end/v_0, A = 365 D/T; std is the population's; percentiles interpolate
linearly. Blocks are consecutive from the slice's start and complete; returns of a block are those between its own
values; a drawdown is (v − running maximum)/running maximum. A slice begins anew with its own first value and reserves.
With longer bars the "minutes" are bars and D is the bars of a day.

A metric that is not finite (no drawdown, no variance, too few blocks) fails the trial with that reason; in the final
tables it is "–" and in JSON `null`. A configuration whose train windows, validation, test or folds are shorter than the
days that its `objective.metric` takes is refused before anything is computed.

**Cadence** is what a search has to compute for it:
"""

_CADENCES = {
    Cadence.DAILY: "days",
    Cadence.LAST_MINUTE: "days, last minute",
    Cadence.DAY_END: "days, last minutes of days",
    Cadence.MINUTE: "minutes",
}
_CADENCE_TEXTS = """\
- *days*: values at whole days from the slice's start. The cheapest.
- *days, last minute*: also value and prices at the slice's last minute.
- *days, last minutes of days*: also the value at the last minute of every day.
- *minutes*: every minute, simulated and reduced day by day.
"""

_OTHERS = """\
They agree with quantammsim's metrics of the same names and are rarely what a pool should be tuned for: they compound
returns of days to years, or take percentiles of minutes. Where a ratio, or what was compounded to a year, comes to
1,000,000 or more, tables and pages say "not meaningful", with the reason; JSON and parquet files hold the number."""


def page() -> str:
    """The page, in Markdown."""
    rows = {
        name: (
            f"`{name}`",
            info.description,
            _formula(name),
            info.direction,
            info.unit,
            _CADENCES[info.cadence],
            str(fewest_days(name)),
        )
        for name, info in METRICS.items()
    }
    usual = [row for name, row in rows.items() if not METRICS[name].for_comparison]
    others = [row for name, row in rows.items() if METRICS[name].for_comparison]
    head = ("name", "meaning", "formula", "better", "unit", "cadence", "days at least")
    units = (
        "Unit `ratio`: 1 is 100 %; `per year`: the same, annualised; `times per year`: 1 is once the pool's value in a "
        "year; `none`: a pure number."
    )
    parts = [_INTRO + "\n" + _CADENCE_TEXTS, units, table(head, usual), f"## {FOR_COMPARISON}", _OTHERS]
    return "\n\n".join([*parts, table(head, others)]) + "\n"


def _formula(name: str) -> str:
    """The first line of the function's docstring, with what the registry has fixed of it."""
    function = METRIC_FUNCTIONS[name]
    fixed = function.keywords if isinstance(function, partial) else {}
    bare = function.func if isinstance(function, partial) else function
    text = (
        (inspect.getdoc(bare) or "")
        .split("\n\n")[0]
        .replace("\n", " ")
        .replace("*", r"\*")
        .replace("_", r"\_")
        .rstrip(".")
    )
    words = {"days": "blocks of {:g} days", "percent": "percentile {:g}"}
    notes = [words[key].format(value).replace(" 1 days", " a day") for key, value in fixed.items()]
    return f"{text} ({', '.join(notes)})" if notes else text
