"""Numbers and names as the report writes them: values in, short text in the units of the field out."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from momentum_opt.fingerprint.sections import Objective
from momentum_opt.vocabulary.metrics import METRICS, NOT_MEANINGFUL, figure, meaningless
from momentum_opt.vocabulary.names import PERIOD_LABELS

NOT_ASSESSED: Final = "not assessed; an older version made this walk-forward; its command again judges it"

FEWEST_TO_ANNUALISE: Final = 90
"""Days of the shortest period whose annualised figures mean something (SPEC §11)."""
TOO_SHORT: Final = f"* annualised from fewer than {FEWEST_TO_ANNUALISE} days: not meaningful"

ABSENT: Final = "–"

CURVE_LABELS: Final[Mapping[str, str]] = {"pool": "tuned pool", **PERIOD_LABELS}
"""Curve of a walk-forward → its name; its baselines begin anew with each fold."""

BASELINE_ROLES: Final[Mapping[str, str]] = {
    "hodl": "hodl",
    "uniform_hodl": "uniform",
    "constant_weight": "constant",
    "rebalanced": "rebalanced",
}
"""Baseline → its colour."""

RETURN_PARTS: Final[Mapping[str, str]] = {
    "total": "log return",
    "hodl": f"= {PERIOD_LABELS['hodl']}",
    "weights": "+ moving the weights",
    "lvr": "− loss versus rebalancing",
    "fees": "fees earned, over the mean value",
}
"""Part of a period's log return → its label; total = hodl + weights − lvr, and fees are part of the total."""

_PARAMETERS: Final[Mapping[str, str]] = {
    "log_k": "k per day",
    "k": "k per day",
    "absolute_k": "absolute k",
    "logit_lamb": "memory",
    "logit_delta_lamb": "second memory",
    "initial_weights_logits": "initial weight",
    "initial_weights": "initial weight",
    "joint": "all at once",
}


def number(value: float | None, digits: int = 4) -> str:
    """A plain number to so many significant digits."""
    if value is None or not math.isfinite(value):
        return ABSENT
    text = f"{value:,.{digits}g}" if 1e-4 <= abs(value) < 1e6 or value == 0 else f"{value:.{digits - 1}e}"
    if "e" in text and abs(value) < 1e6 and abs(value) >= 1:
        text = f"{value:,.0f}"
    return text.replace("-", "−")


def percent(value: float | None) -> str:
    """A share or return in percent."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"{100 * value:,.2f} %".replace("-", "−")


def metric_number(name: str, value: float | None, digits: int = 4) -> str:
    """A metric as a plain number; a figure that could mean nothing is not shown."""
    return NOT_MEANINGFUL if meaningless(name, value) else number(value, digits)


def metric_value(name: str, value: float | None) -> str:
    """A metric in its unit; a figure that could mean nothing is not shown."""
    if meaningless(name, value):
        return NOT_MEANINGFUL
    unit = METRICS[name].unit if name in METRICS else "none"
    if unit == "times per year":
        return f"{number(value)} a year" if value is not None and math.isfinite(value) else ABSENT
    if unit == "none":
        plain = value is not None and abs(value) < 1e5
        return f"{value:,.3f}".replace("-", "−") if plain else number(value, 3)
    return percent(value)


def too_short(name: str, value: float | None, days: int | None) -> str:
    """The mark of a number that was annualised from too few days; nothing of others, or where there is no number."""
    annualised = name in METRICS and METRICS[name].is_annualised and value is not None and math.isfinite(value)
    annualised = annualised and not meaningless(name, value)
    return "*" if annualised and days is not None and days < FEWEST_TO_ANNUALISE else ""


def meaningless_note(figures: Iterable[tuple[str, float | None]]) -> str:
    """Why figures of metrics are not shown, as a sentence without its full stop; empty where all are.

    Args:
        figures: names and values.
    """
    reasons: dict[str, list[str]] = {}
    for name, value in figures:
        reason = meaningless(name, value)
        if reason and name not in reasons.setdefault(reason, []):
            reasons[reason].append(name)
    told = "; ".join(f"of {', '.join(names)} {reason}" for reason, names in reasons.items())
    return f"{NOT_MEANINGFUL}: {told}" if told else ""


def limit_words(limit: Mapping[str, Any]) -> str:
    """A limit as a reader has it: `at least -0.25`, `at most 20`, `from 5 to 20`."""
    low, high = limit.get("min"), limit.get("max")
    if low is not None and high is not None:
        return f"from {low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}"


def limits_words(limits: Mapping[str, Mapping[str, Any]]) -> str:
    """Whether limits are kept, and each figure beside its limit; those that are broken are named as such."""
    figures = [
        f"{name} {'–' if one['value'] is None else figure(name, one['value'], '.4g')} ({limit_words(one)}"
        f"{'' if one['kept'] else ': broken'})"
        for name, one in limits.items()
    ]
    return f"{'kept' if all(one['kept'] for one in limits.values()) else 'not kept'}; {', '.join(figures)}"


def unbroken(text: str) -> str:
    """Text whose numbers stay with their percent signs."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def parameter_label(key: str) -> str:
    """A sampled number in words: `log_k_BTC` → `k per day, BTC`."""
    for name in sorted(_PARAMETERS, key=len, reverse=True):
        if key == name:
            return _PARAMETERS[name]
        if key.startswith(f"{name}_"):
            return f"{_PARAMETERS[name]}, {key.removeprefix(f'{name}_')}"
    return key


def objective_labels(aim: Objective) -> tuple[str, ...]:
    """What each objective is: the metric, and what the windows of train were brought to, such as `mean of calmar`."""
    if aim.multi_objective:
        return tuple(f"{part} of {aim.metric}" for part in aim.parts)
    if aim.windows == 1:
        return aim.names
    words = {"mean": "mean of {}", "worst": "worst of {}", "mean_minus_std": "mean − std of {}"}
    return tuple(words[aim.aggregate].format(name) for name in aim.names)


def plain_ticks(value: float, _: object = None) -> str:
    """A tick of a logarithmic axis without exponents where it can be read."""
    return f"{value:,.0f}" if 1 <= value < 1e5 else f"{value:g}"


def efficiency_words(summary: Mapping[str, Any]) -> str:
    """The efficiency of a walk-forward with its standard error, or why there is none, from its walk_forward.json."""
    value, error, reason = (summary.get(f"efficiency{tail}") for tail in ("", "_error", "_reason"))
    metric = summary["metric"]
    inside, outside = (metric_number(metric, summary[f"mean_{period}_sample"]) for period in ("in", "out_of"))
    means = f"mean {metric} {inside} in sample, {outside} out of sample"
    if value is None:
        return f"efficiency undefined: {reason or 'the in-sample sum is not above zero'}; {means}"
    shown = number(value, 3) if error is None else f"{number(value, 3)}, standard error {number(error, 2)}"
    return f"efficiency {shown} (Σ out of sample / Σ in sample; {means})"


def random_spread(summary: Mapping[str, Any]) -> float:
    """Spread of as many winners drawn evenly from a range; a walk_forward.json of an older version lacks it."""
    return float(summary.get("random_spread", 12.0**-0.5))
