"""Hold a walk-forward against its four rules (SPEC §13); a headline says no more than the first of them allows."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from momentum_opt.evidence.bootstrap import FEWEST_DAYS, sharpe_interval
from momentum_opt.evidence.detectable import Detectable, detectable
from momentum_opt.evidence.findings import Rule, Verdict
from momentum_opt.evidence.moments import moments_of
from momentum_opt.evidence.verdict import beside
from momentum_opt.evidence.walk_forward import POOL, CurveFindings, FoldDays
from momentum_opt.units import counted
from momentum_opt.vocabulary.names import PERIOD_LABELS

AHEAD: Final = "ahead"
UNCONFIRMED: Final = "not confirmed"
INSIGNIFICANT: Final = "not significant"
UNDECIDED: Final = "not decided"

WORDS: Final = {
    AHEAD: "ahead of the constant-weight pool; all four rules are met over these out-of-sample days",
    UNCONFIRMED: "not confirmed; the excess over the constant-weight pool is significant, but not every rule is met",
    INSIGNIFICANT: "not significant; the excess over the constant-weight pool can be chance",
    UNDECIDED: "not decided; the out-of-sample days do not allow a test",
}

MIN_PROBABILITY: Final = 0.95
MIN_FOLDS: Final = 0.6
"""Smallest share of folds ahead of the constant-weight pool."""
MAX_SPREAD: Final = 0.5
"""Spread of the winners over the search ranges, as a share of what random winners show; it must be below."""


def walk_verdict(
    days: FoldDays,
    curves: Mapping[str, CurveFindings],
    spread: float | None,
    random: float,
    *,
    n_folds: int,
    draws: int,
    seed: int,
) -> Verdict:
    """The rules on finished folds, and what they come to.

    Args:
        days: joined out-of-sample days.
        curves: findings of the pool and every baseline over them.
        spread: of the winners over the search ranges; None where nothing was searched.
        random: what random winners of as many folds show.
        n_folds: folds that were asked for; with fewer than these the verdict is not decided.
        draws: of the bootstrap.
        seed: of the bootstrap.
    """
    done = len(np.unique(days.fold))
    rules = (
        _excess(days, draws, seed),
        _baselines(curves),
        _folds(days),
        _spread(spread, random, done),
    )
    if done < n_folds:
        return Verdict(UNDECIDED, f"{UNDECIDED}; {done} of {counted(n_folds, 'fold')} are done", rules)
    outcome = _outcome(rules)
    return Verdict(outcome, WORDS[outcome], rules)


def walk_detectable(days: FoldDays) -> Detectable | None:
    """What the first rule could find over the joined days, in the large-sample form of PSR; nothing is selected on."""
    excess = moments_of(days.returns[POOL] - days.returns["constant_weight"])
    if not np.isfinite(excess.sharpe):
        return None
    own = float(excess.sharpe), float(excess.skewness), float(excess.kurtosis)
    return detectable(*own, len(days.time_ms), 0.0, MIN_PROBABILITY, "0")


def _outcome(rules: tuple[Rule, ...]) -> str:
    significant = rules[0].met
    if significant is None:
        return UNDECIDED
    if not significant:
        return INSIGNIFICANT
    return AHEAD if all(rule.met for rule in rules) else UNCONFIRMED


def _excess(days: FoldDays, draws: int, seed: int) -> Rule:
    """P(excess Sharpe ratio > 0): share of the studentised bootstrap's draws that put it above zero."""
    name = "excess"
    excess = days.returns[POOL] - days.returns["constant_weight"]
    interval = sharpe_interval(excess, draws=draws, seed=seed)
    if interval is None:
        few = f"fewer than {FEWEST_DAYS} out-of-sample days" if len(excess) < FEWEST_DAYS else "they do not vary"
        return Rule(name, None, None, MIN_PROBABILITY, f"probability of a positive excess Sharpe ratio: {few}")
    value = 1.0 - interval.not_positive
    words = (
        f"probability of a positive excess Sharpe ratio {beside(value, MIN_PROBABILITY, 3)}, bootstrap over "
        f"{counted(len(excess), 'joined day')} (required ≥ {MIN_PROBABILITY:.2f})"
    )
    return Rule(name, value >= MIN_PROBABILITY, value, MIN_PROBABILITY, words)


def _baselines(curves: Mapping[str, CurveFindings]) -> Rule:
    name, own = "baselines", curves[POOL].annual_sharpe
    ratios = {label: curves[key].annual_sharpe for key, label in PERIOD_LABELS.items() if key in curves}
    known = {label: ratio for label, ratio in ratios.items() if ratio is not None}
    if own is None or not known:
        return Rule(name, None, None, 0.0, "annual Sharpe ratio: the joined returns do not vary")
    apart = own - max(known.values())
    shown = ", ".join(f"{label} {ratio:.2f}" for label, ratio in known.items())
    words = f"annual Sharpe ratio {own:.2f}; {shown} (required: above each of them)"
    return Rule(name, apart > 0.0, apart, 0.0, words)


def _folds(days: FoldDays) -> Rule:
    excess = days.returns[POOL] - days.returns["constant_weight"]
    numbers = np.unique(days.fold)
    ahead = sum(float(excess[days.fold == number].sum()) > 0.0 for number in numbers)
    share = ahead / len(numbers)
    words = (
        f"ahead of the constant-weight pool in {ahead} of {counted(len(numbers), 'fold')} "
        f"(required ≥ {100 * MIN_FOLDS:g} % of them)"
    )
    return Rule("folds", share >= MIN_FOLDS, share, MIN_FOLDS, words)


def _spread(spread: float | None, random: float, n_folds: int) -> Rule:
    name = "spread"
    if spread is None or n_folds < 2:
        why = "no parameter was searched" if spread is None else "a single fold has none"
        return Rule(name, None, None, MAX_SPREAD, f"spread of the winners over the search ranges: {why}")
    words = (
        f"spread of the winners over the search ranges {spread:.3f}, of random winners {random:.3f} "
        f"(required < {MAX_SPREAD * random:.3f}, half of that)"
    )
    return Rule(name, spread < MAX_SPREAD * random, spread / random, MAX_SPREAD, words)
