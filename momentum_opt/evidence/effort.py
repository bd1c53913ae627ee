"""Choose how much evidence is gathered: all that the configuration asks for, or as much as its verdict needs.

Quick evidence leaves out the heat maps and draws fewer random candidates; the neighbours that the verdict reads stay.
The variance of the candidates' Sharpe ratios then counts with the upper end of its interval (`statistics`), so fewer
draws never make the verdict laxer. Light: imports no JAX.
"""

from collections.abc import Sequence
from typing import Final

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.fingerprint.sections import Evidence
from momentum_opt.study.trials import TrialRecord
from momentum_opt.units import counted

RADII: Final = (0.02, 0.05, 0.1)
"""Largest moves of the clouds of neighbours, as fractions of a range."""

JOINT_FACTOR: Final = 4
"""Draws of a joint cloud for one of a single parameter's."""

QUICK_RANDOM: Final = 250
"""Random candidates of quick evidence at most."""


def settings_for(fingerprint: Fingerprint, records: Sequence[TrialRecord]) -> Evidence:
    """The `evidence` section that holds for these trials, with `quick` decided.

    Where the configuration leaves that open, evidence is quick with costs, where every candidate takes its time, if
    all that is asked for would be more candidates than the search has scored so far. It follows from the trials alone:
    whoever asks again is told the same.
    """
    asked = fingerprint.evidence
    quick = asked.quick
    if quick is None:
        quick = fingerprint.costs.has_costs and _full(fingerprint, records) > _scored(fingerprint, records)
    if not quick:
        return asked.model_copy(update={"quick": False})
    fewer = {"quick": True, "heat_map": 0, "random_baselines": min(asked.random_baselines, QUICK_RANDOM)}
    return asked.model_copy(update=fewer)


def quick_words(source: str, drawn: int) -> str:
    """What quick evidence has done without, in a line of the verdict: random or screened candidates, and how many."""
    return (
        f"quick evidence: {counted(drawn, f'{source} candidate')}, no heat maps; the deflated Sharpe ratio counts "
        "their variance at its upper 95 % limit (--evidence full: more candidates)"
    )


def _full(fingerprint: Fingerprint, records: Sequence[TrialRecord]) -> int:
    """Candidates of all evidence that the configuration asks for."""
    asked = fingerprint.evidence
    numbers = len(records[0].numbers) if records else 0
    random = 0 if fingerprint.search.screen else asked.random_baselines
    around = len(RADII) * (numbers + JOINT_FACTOR) * asked.plateau_draws
    return random + around + asked.heat_map**2 * len(fingerprint.tokens)


def _scored(fingerprint: Fingerprint, records: Sequence[TrialRecord]) -> int:
    """Candidates that the search scored as the evidence's are: not those that were proposed without costs."""
    sampled = [record for record in records if record.counts]
    return len(sampled) if fingerprint.proposes_without_costs else sum(record.points for record in sampled)
