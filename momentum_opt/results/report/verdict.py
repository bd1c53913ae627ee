"""Show a verdict on the page: a headline, and every rule with its value and threshold. It never advises."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from momentum_opt.results.report.content import Content
from momentum_opt.results.report.wording import metric_value, number
from momentum_opt.results.verdict_section import further_lines, sweep_lines

DISCLAIMER: Final = "This describes past prices and how these parameters were found. It is no advice to invest."

Shown = Callable[[float], str]


def _share(value: float) -> str:
    """A share in percent, never rounded up to certainty."""
    shown = number(100.0 * value, 3)
    return f"{'> 99.9' if shown == '100' and value < 1.0 else shown} %"


def _probability(value: float) -> str:
    return f"{value:.3f}" if value < 0.9995 or value == 1.0 else "> 0.999"


def _two_decimals(value: float) -> str:
    return f"{value:.2f}"


_RULES: Final[Mapping[str, tuple[str, Shown, Shown]]] = {
    "deflated_sharpe": ("Deflated Sharpe ratio", _probability, lambda least: f"≥ {least:.2f}"),
    "overfitting": ("Probability of backtest overfitting", _two_decimals, lambda most: f"≤ {most:.2f}"),
    "validation": ("Holds on validation", _two_decimals, lambda _: "above the constant-weight pool"),
    "plateau": ("Robust to small changes", _share, lambda least: f"≥ {_share(least)}"),
    "excess": ("Probability of a positive excess Sharpe ratio", _probability, lambda least: f"≥ {least:.2f}"),
    "baselines": ("Sharpe ratio less the best baseline's", _two_decimals, lambda _: "> 0"),
    "folds": ("Folds ahead of the constant-weight pool", _share, lambda least: f"≥ {_share(least)}"),
    "spread": ("Spread of the winners over that of random ones", _two_decimals, lambda most: f"< {most:.2f}"),
}
"""Rule → its name on the page, how its value is written, and what is required of it."""

_MARKS: Final[Mapping[bool | None, tuple[str, str]]] = {
    True: ("met", "yes"),
    False: ("not met", "no"),
    None: ("not computed", "unknown"),
}


@dataclass(frozen=True)
class RuleLine:
    """A rule as the box shows it: name, met or not, the class of its mark, value, what is required, and words."""

    name: str
    mark: str
    kind: str
    value: str
    required: str
    words: str


@dataclass(frozen=True)
class VerdictBox:
    """Headline, explanation, rules, and what else is said of the search; `kind` is the outcome as a CSS class."""

    headline: str
    words: str
    kind: str
    rules: tuple[RuleLine, ...]
    disclaimer: str = DISCLAIMER
    notes: tuple[str, ...] = ()


def verdict_box(content: Content) -> VerdictBox | None:
    """The box of a tuned run; None for a backtest, which chooses nothing."""
    if "trial" not in content.document:
        return None
    if content.findings is None:
        why = next((line for line in content.missing if "evidence.json" in line), "evidence.json is missing")
        return VerdictBox("No verdict", f"{why}.", "unknown", (), notes=_notes(content))
    found = content.findings.verdict
    headline, _, words = found.words.partition("; ")
    metric = content.fingerprint.objective.metric
    return VerdictBox(
        sentence(headline).removesuffix("."),
        sentence(words),
        found.outcome.replace(" ", "-"),
        tuple(rule_line(asdict(rule), metric) for rule in found.rules),
        notes=_notes(content),
    )


def _notes(content: Content) -> tuple[str, ...]:
    """What could be found, and the further lines of the verdict: beside the rules, none of them."""
    found = content.findings
    notes = [] if found is None or found.detectable is None else [found.detectable.words]
    lines = [] if found is None else sweep_lines(found)
    for line in [*lines, *further_lines(content.document)]:
        notes.append(line["words"])
        if line["name"] == "limits" and not line["met"]:
            notes.append("no trial keeps all limits: this one comes nearest to it")
    return tuple(map(sentence, notes))


def rule_line(rule: Mapping[str, Any], metric: str = "") -> RuleLine:
    """A rule as evidence.json, best.json and walk_forward.json hold it.

    Args:
        rule: name, met, value, threshold, words.
        metric: the objective's metric, which the rule on validation is about.
    """
    name, shown, required = _RULES[rule["name"]]
    mark, kind = _MARKS[rule["met"]]
    words = rule["words"].partition(" (required")[0].partition(" (asked:")[0]  # an older version's words
    value = _value(rule, metric, shown)
    return RuleLine(name, mark, kind, value, required(rule["threshold"]), sentence(words))


def _value(rule: Mapping[str, Any], metric: str, shown: Shown) -> str:
    value = rule["value"]
    if value is None:
        return "–"
    return _apart(metric, value) if rule["name"] == "validation" else shown(value)


def _apart(metric: str, value: float) -> str:
    """How far a metric lies above or below another one."""
    return f"{metric_value(metric, abs(value))} {'above' if value > 0 else 'below'}"


def sentence(words: str) -> str:
    """Words with a capital, unless they begin with a metric's name, and a full stop."""
    if not words:
        return ""
    text = words if "_" in words.split()[0] else words[0].upper() + words[1:]  # names of metrics stay as they are
    return text if text.endswith(".") else f"{text}."
