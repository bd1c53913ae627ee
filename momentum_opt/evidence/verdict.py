"""The verdict (SPEC §13): findings and thresholds in; rules met, not met or not computed, in plain words, out.

It says what the numbers say of luck and skill in the past, and never what to do with money.
"""

from typing import Final

from momentum_opt.evidence.findings import PlateauFindings, Rule, SharpeFindings, Verdict
from momentum_opt.fingerprint.sections import Verdict as Thresholds
from momentum_opt.units import counted

ALL_MET: Final = "all met"
SOME_MET: Final = "some met"
NOTHING: Final = "nothing found"
UNDECIDED: Final = "not decided"

WORDS: Final = {
    ALL_MET: "all rules are met: over these days the winner did better than luck and the constant-weight pool explain",
    SOME_MET: "not all rules are met: the winner stands out from luck, but the rest does not bear it out",
    NOTHING: "nothing was found: the best of so many candidates would look like this by luck alone",
    UNDECIDED: "not decided: there is too little to tell luck from skill",
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
    outcome = _outcome(rules)
    return Verdict(outcome, WORDS[outcome], rules)


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
        return Rule(name, None, None, threshold, f"excess Sharpe ratio: {why}")
    words = (
        f"{_share(value)} sure that the excess Sharpe ratio beats the luck of {counted(n_candidates, 'candidate')} "
        f"(asked: at least {_share(threshold)})"
    )
    return Rule(name, value >= threshold, value, threshold, words)


def _overfitting(excess: SharpeFindings, threshold: float) -> Rule:
    name, found = "overfitting", excess.overfitting
    if found is None:
        why = excess.reasons.get("overfitting", "unknown")
        return Rule(name, None, None, threshold, f"probability of overfitting: {why}")
    value = found.probability
    words = (
        f"in {_share(value)} of the halvings the best of one half is below the other's median "
        f"(asked: at most {_share(threshold)})"
    )
    return Rule(name, value <= threshold, value, threshold, words)


def _validated(metric: str, winner: float | None, baseline: float | None) -> Rule:
    name = "validation"
    if winner is None or baseline is None:
        return Rule(name, None, None, 0.0, f"{metric} on validation: there are no validation days that give it")
    words = f"{metric} on validation {winner:.4g}, constant-weight pool {baseline:.4g} (asked: more than it)"
    return Rule(name, winner > baseline, winner - baseline, 0.0, words)


def _plateau(found: PlateauFindings | None, threshold: float) -> Rule:
    name = "plateau"
    if found is None or found.share_kept is None:
        why = "no neighbours were asked for" if found is None else found.reason or "no neighbours were asked for"
        return Rule(name, None, None, threshold, f"neighbours that keep the gain: {why}")
    value = found.share_kept
    words = (
        f"{_share(value)} of the neighbours within {_share(found.radius)} of each range keep 90 % of the gain "
        f"(asked: at least {_share(threshold)})"
    )
    return Rule(name, value >= threshold, value, threshold, words)


def _share(value: float) -> str:
    """A share in percent, never rounded up to certainty."""
    if 0.999 < value < 1.0:
        return "more than 99.9 %"
    if 0.0 < value < 0.001:
        return "less than 0.1 %"
    return f"{100 * value:.3g} %"
