"""Numbers and names as the report writes them: values in, short text in the units of the field out."""

import math
from collections.abc import Mapping
from typing import Final

from momentum_opt.vocabulary.metrics import METRICS

ABSENT: Final = "–"

BASELINE_LABELS: Final[Mapping[str, str]] = {
    "hodl": "HODL",
    "uniform_hodl": "uniform HODL",
    "constant_weight": "constant-weight pool",
    "rebalanced": "rebalanced on an exchange",
}
BASELINE_ROLES: Final[Mapping[str, str]] = {
    "hodl": "hodl",
    "uniform_hodl": "uniform",
    "constant_weight": "constant",
    "rebalanced": "rebalanced",
}
"""Baseline → its colour."""

RETURN_PARTS: Final[Mapping[str, str]] = {
    "total": "log return",
    "hodl": "= HODL from the period's start",
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


def metric_value(name: str, value: float | None) -> str:
    """A metric in its unit."""
    unit = METRICS[name].unit if name in METRICS else "none"
    if unit == "times per year":
        return f"{number(value)} a year" if value is not None and math.isfinite(value) else ABSENT
    if unit == "none":
        plain = value is not None and abs(value) < 1e5
        return f"{value:,.3f}".replace("-", "−") if plain else number(value, 3)
    return percent(value)


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


def plain_ticks(value: float, _: object = None) -> str:
    """A tick of a logarithmic axis without exponents where it can be read."""
    return f"{value:,.0f}" if 1 <= value < 1e5 else f"{value:g}"
