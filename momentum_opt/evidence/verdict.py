"""Hold the findings about a winner against the rules of the verdict (SPEC §13).

It says what the numbers say of skill and selection in the past, and never what to do with money.
"""

from typing import Final

from momentum_opt.evidence.findings import PlateauFindings, Rule, SharpeFindings, Verdict
from momentum_opt.fingerprint.sections import Verdict as Thresholds
from momentum_opt.units import counted
from momentum_opt.vocabulary.metrics import figure

_MOST_DECIMALS: Final = 6

ALL_MET: Final = "all met"
SOME_MET: Final = "some met"
NOTHING: Final = "nothing found"
UNDECIDED: Final = "not decided"

WORDS: Final = {
    ALL_MET: "evidence of skill; selection among {candidates} does not explain the result, and every rule is met",
    SOME_MET: "inconclusive; selection among {candidates} does not explain the result, but not every rule is met",
    NOTHING: "no evidence of skill; selection among {candidates} explains the result",
    UNDECIDED: "not decided; there are too few data to separate skill from selection",
}


def verdict(
    excess: SharpeFindings,
    plateau: PlateauFindings | None,
    validation: tuple[str, float | None, float | None],
    n_candidates: int,
    thresholds: Thresholds,
) -> Verdict:
    """Hold the findings against the rules; excess is over the constant-weight pool, as is the gain.

    Args:
        excess: of the returns in excess of the constant-weight pool.
        plateau: around the winner, or None.
        validation: a metric, and what winner and constant-weight pool have of it on validation, or None.
        n_candidates: N.
        thresholds: of the configuration.
    """
    rules = (
        _deflated(excess, n_candidates, thresholds.min_deflated_sharpe),
        _overfitting(excess, thresholds.max_overfitting),
        _validated(*validation),
        _plateau(plateau, thresholds.min_plateau),
    )
    return _judged(rules, n_candidates)


def verdict_among(given: Verdict, excess: SharpeFindings, n_candidates: int, thresholds: Thresholds) -> Verdict:
    """The same verdict with more candidates: the rules that read them anew, the others as they were.

    Args:
        given: the verdict.
        excess: what is found among all candidates.
        n_candidates: N.
        thresholds: of the configuration.
    """
    anew = {
        rule.name: rule
        for rule in (
            _deflated(excess, n_candidates, thresholds.min_deflated_sharpe),
            _overfitting(excess, thresholds.max_overfitting),
        )
    }
    return _judged(tuple(anew.get(rule.name, rule) for rule in given.rules), n_candidates)


def _judged(rules: tuple[Rule, ...], n_candidates: int) -> Verdict:
    outcome = _outcome(rules)
    return Verdict(outcome, WORDS[outcome].format(candidates=counted(n_candidates, "candidate")), rules)


def _outcome(rules: tuple[Rule, ...]) -> str:
    luck = rules[0].met
    if luck is None:
        return UNDECIDED
    if not luck:
        return NOTHING
    return ALL_MET if all(rule.met for rule in rules) else SOME_MET


def _deflated(excess: SharpeFindings, n_candidates: int, threshold: float) -> Rule:
    name, value = "deflated_sharpe", excess.deflated_sharpe
    if value is None:
        why = excess.reasons.get("sharpe") or excess.reasons.get("deflated_sharpe", "unknown")
        return Rule(name, None, None, threshold, f"deflated Sharpe ratio: {why}")
    shown, candidates = beside(value, threshold, 3), counted(n_candidates, "candidate")
    words = f"deflated Sharpe ratio {shown}, {candidates} (required ≥ {threshold:.2f})"
    return Rule(name, value >= threshold, value, threshold, words)


def _overfitting(excess: SharpeFindings, threshold: float) -> Rule:
    name, found = "overfitting", excess.overfitting
    if found is None:
        why = excess.reasons.get("overfitting", "unknown")
        return Rule(name, None, None, threshold, f"probability of backtest overfitting: {why}")
    value = found.probability
    words = f"probability of backtest overfitting {beside(value, threshold, 2)} (required ≤ {threshold:.2f})"
    return Rule(name, value <= threshold, value, threshold, words)


def _validated(metric: str, winner: float | None, baseline: float | None) -> Rule:
    name = "validation"
    if winner is None or baseline is None:
        return Rule(name, None, None, 0.0, f"{metric} on validation: there are no validation days that give it")
    own, constant = (figure(metric, value, ".4g") for value in (winner, baseline))
    words = f"{metric} on validation {own}, constant-weight pool {constant} (required: above it)"
    return Rule(name, winner > baseline, winner - baseline, 0.0, words)


def _plateau(found: PlateauFindings | None, threshold: float) -> Rule:
    name = "plateau"
    if found is None or found.share_kept is None:
        why = "no neighbours were asked for" if found is None else found.reason or "no neighbours were asked for"
        return Rule(name, None, None, threshold, f"neighbours that keep the gain: {why}")
    value = found.share_kept
    words = (
        f"{_share(value)} of the neighbours within {_share(found.radius)} of each range keep 90 % of the gain "
        f"(required ≥ {_share(threshold)})"
    )
    return Rule(name, value >= threshold, value, threshold, words)


def _share(value: float) -> str:
    """A share in percent, never rounded up to certainty."""
    if 0.999 < value < 1.0:
        return "more than 99.9 %"
    if 0.0 < value < 0.001:
        return "less than 0.1 %"
    return f"{100 * value:.3g} %"


def beside(value: float, threshold: float, digits: int) -> str:
    """A probability to so many decimals, and to more where fewer would put it on its threshold, on 0 or on 1."""
    exact = {0.0, 1.0, threshold}
    for more in range(digits, _MOST_DECIMALS + 1):
        text = f"{value:.{more}f}"
        if value in exact or float(text) not in exact:
            return text
    smallest = 10.0**-_MOST_DECIMALS
    if value > 0.5:
        return f"> {1.0 - smallest:.{_MOST_DECIMALS}f}"
    return f"< {smallest:.{_MOST_DECIMALS}f}"
