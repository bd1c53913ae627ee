"""The verdict box: findings in, a headline and rules with their thresholds out. It never advises."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from momentum_opt.evidence.findings import Rule
from momentum_opt.results.report.content import Content
from momentum_opt.results.report.wording import metric_value, number

DISCLAIMER: Final = "This describes past prices and how these parameters were found. It is no advice to invest."

_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "deflated_sharpe": ("More than luck", "at least"),
    "overfitting": ("Not overfitted", "at most"),
    "validation": ("Holds on validation", "above"),
    "plateau": ("Not on a needle's point", "at least"),
}
"""Rule → its name on the page, and how the value is compared with the threshold."""

_MARKS: Final[Mapping[bool | None, tuple[str, str]]] = {
    True: ("met", "yes"),
    False: ("not met", "no"),
    None: ("not computed", "unknown"),
}


@dataclass(frozen=True)
class RuleLine:
    """A rule as the box shows it: name, met or not, the class of its mark, value, what is asked, and words."""

    name: str
    mark: str
    kind: str
    value: str
    asked: str
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
        return VerdictBox("Luck or skill was not assessed", f"{why}.", "unknown", (), notes=_notes(content))
    found = content.findings.verdict
    headline, _, words = found.words.partition(": ")
    return VerdictBox(
        _sentence(headline).removesuffix("."),
        _sentence(words),
        found.outcome.replace(" ", "-"),
        tuple(_line(rule, content.fingerprint.objective.metric) for rule in found.rules),
        notes=_notes(content),
    )


def _notes(content: Content) -> tuple[str, ...]:
    """Whether the search has converged: said beside the rules, and none of them."""
    measured = content.document.get("convergence")
    return () if measured is None else (_sentence(f"search {measured['words']}"),)


def _line(rule: Rule, metric: str) -> RuleLine:
    name, comparison = _NAMES.get(rule.name, (rule.name.replace("_", " "), "asked"))
    mark, kind = _MARKS[rule.met]
    if rule.name == "validation":
        value, asked = _apart(metric, rule.value), "above the constant-weight pool"
    else:
        value, asked = _share(rule.value), f"{comparison} {_share(rule.threshold)}"
    return RuleLine(name, mark, kind, value, asked, _sentence(rule.words.partition(" (asked:")[0]))


def _apart(metric: str, value: float | None) -> str:
    """How far a metric lies above or below another one."""
    if value is None:
        return "–"
    return f"{metric_value(metric, abs(value))} {'above' if value > 0 else 'below'}"


def _share(value: float | None) -> str:
    """A share in percent, never rounded up to certainty."""
    if value is None:
        return "–"
    shown = number(100.0 * value, 3)
    return f"{'> 99.9' if shown == '100' and value < 1.0 else shown} %"


def _sentence(words: str) -> str:
    if not words:
        return ""
    text = words if "_" in words.split()[0] else words[0].upper() + words[1:]  # names of metrics stay as they are
    return text if text.endswith(".") else f"{text}."
