"""Differentiate the objective of a batch: candidates in, one number each and its exact slopes out.

For samplers that climb: everything is traced, so any number of steps fits into one compiled `lax.scan`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, PerAsset, PerCandidate
from momentum_opt.errors import UsageError
from momentum_opt.simulation import sensitivities
from momentum_opt.simulation.inputs import MarketArrays
from momentum_opt.simulation.spec import SimulationSpec
from momentum_opt.simulation.trajectory import Candidates, Settings
from momentum_opt.study.scoring import Penalties, Scores, ScoreSpec, cadence_needed, compared_growth, score, score_path
from momentum_opt.vocabulary.metrics import Cadence

Mode = Literal["sensitivities", "reverse"]
"""How slopes are found: by `simulation.sensitivities`, or by JAX's reverse mode through the engine."""


def why_not_differentiable(spec: SimulationSpec, scoring: ScoreSpec) -> str | None:
    """Why `objective_of` cannot serve, or None where it can."""
    if spec.engine == "with_costs":
        return "the engine with costs is not differentiated; use the one without costs"
    if scoring.multi_objective or scoring.metrics:
        return "several objectives have no one gradient; use a single one"
    if scoring.cadence == Cadence.MINUTE:
        return f"{scoring.metric} or its turnover penalty reads minute values, which are rebuilt; use a daily metric"
    return None


def mode_of(spec: SimulationSpec, scoring: ScoreSpec) -> Mode:
    """How `objective_of` is differentiated.

    Raises:
        UsageError: it is not.
    """
    problem = why_not_differentiable(spec, scoring)
    if problem is not None:
        raise UsageError(problem)
    return "sensitivities" if sensitivities.serves(spec) else "reverse"


def traced_candidates(params: Mapping[str, Array], n_assets: int) -> Candidates:
    """Candidates of (asset, batch) parameters; (1, batch) is one number for all tokens.

    Initial weights as `initial_weights`, or as the `initial_weights_logits` whose softmax they are.
    """
    spread = {name: jnp.broadcast_to(values, (n_assets, *values.shape[1:])) for name, values in params.items()}
    logits = spread.pop("initial_weights_logits", None)
    weights = spread.pop("initial_weights", None)
    if weights is None:
        if logits is None:
            raise UsageError("`params` must hold `initial_weights` or `initial_weights_logits`; add one of them")
        weights = jax.nn.softmax(logits, axis=0)
    return Candidates(weights, spread)


def objective_of(
    spec: SimulationSpec,
    scoring: ScoreSpec,
    arrays: MarketArrays,
    settings: Settings,
    penalties: Penalties,
    candidates: Candidates,
) -> PerCandidate:
    """The objective of each candidate, as `score` has it; take it under `jax.grad` or `jax.vjp` for its slopes.

    Only what the objective reads is computed; the rest is as `differentiable_scores` has it.

    Raises:
        UsageError: an objective that cannot be differentiated.
    """
    alone = objective_alone(scoring)
    return differentiable_scores(spec, alone, arrays, settings, penalties, candidates).objectives[0]


def differentiable_scores(
    spec: SimulationSpec,
    scoring: ScoreSpec,
    arrays: MarketArrays,
    settings: Settings,
    penalties: Penalties,
    candidates: Candidates,
) -> Scores:
    """What `score` gives, for slopes.

    A lane that is not finite stays alone with it. At the points without a derivative (rails, caps, the speed limit, the
    worst of several windows) it is a one-sided one.

    Raises:
        UsageError: an objective that cannot be differentiated.
    """
    if mode_of(spec, scoring) == "reverse":
        return score(spec, scoring, arrays, settings, penalties, candidates)
    path = sensitivities.boundary_path(spec, arrays, settings, candidates, scoring.cadence, scoring.ends)
    constant = compared_growth(spec, scoring, arrays, settings, candidates)
    return score_path(spec, scoring, arrays.days, path, None, penalties, constant)


def value_and_gradient(
    spec: SimulationSpec,
    scoring: ScoreSpec,
    arrays: MarketArrays,
    settings: Settings,
    penalties: Penalties,
    params: Mapping[str, PerAsset],
) -> tuple[PerCandidate, dict[str, PerAsset]]:
    """`objective_of` each candidate and its slope in every one of `params`, in their shapes; see `traced_candidates`.

    Raises:
        UsageError: an objective that cannot be differentiated.
    """

    def values(own: Mapping[str, PerAsset]) -> PerCandidate:
        candidates = traced_candidates(own, spec.n_assets)
        return objective_of(spec, scoring, arrays, settings, penalties, candidates)

    value, pull = jax.vjp(values, dict(params))
    return value, pull(jnp.ones_like(value))[0]


def objective_alone(scoring: ScoreSpec, limited: Iterable[str] = ()) -> ScoreSpec:
    """The scoring without the metrics that trials only record: of the objective's alone, and of those with limits."""
    names = tuple(dict.fromkeys((scoring.metric, *limited)))
    needed = cadence_needed(names, shares=scoring.shares)
    cadence = max(needed, Cadence.LAST_MINUTE)  # the turnover reads the slices' ends
    return replace(scoring, names=names, cadence=cadence, blocks=0)
