"""Limits of metrics (SPEC §11): how far a candidate breaks them, and what that makes of its rank.

Candidates are compared by the rules of Deb (Computer Methods in Applied Mechanics and Engineering 186, 2000): one that
keeps every limit beats one that does not; of two that do not, the smaller violation wins; of two that do, the larger
objective. The functions are plain arithmetic and serve NumPy and JAX arrays alike.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from momentum_opt.fingerprint.sections import Objective

INFEASIBLE: Final = 1e30
"""Merits of candidates that break a limit lie at −INFEASIBLE and below; no objective does."""

ROUNDING: Final = 1e-9
"""Excess that still keeps a limit: a replay differs from the tune by as much."""

Values = NDArray[np.float64]


class Bound(NamedTuple):
    """One side of a limit."""

    value: Any
    unit: Any
    """What a violation is measured in: |value|, or 1 where the value is 0."""


class Limit(NamedTuple):
    """Both sides of a metric's limit; None where there is none."""

    least: Bound | None
    most: Bound | None


Limits = Mapping[str, Limit]


def limits_of(aim: Objective) -> dict[str, Limit]:
    """Metric → limit."""
    return {name: Limit(_bound(limit.min), _bound(limit.max)) for name, limit in aim.limits.items()}


def _bound(value: float | None) -> Bound | None:
    return None if value is None else Bound(value, abs(value) or 1.0)


def excess(value: Any, limit: Limit) -> Any:
    """By how much a value breaks a limit, as a share of the limit: max(0, (min − v)/|min|, (v − max)/|max|).

    0 where it keeps it; not finite where the value is not.
    """
    beyond = 0.0 * value
    if limit.least is not None:
        beyond = beyond + _positive((limit.least.value - value) / limit.least.unit)
    if limit.most is not None:
        beyond = beyond + _positive((value - limit.most.value) / limit.most.unit)
    return beyond


def _positive(value: Any) -> Any:
    return (abs(value) + value) / 2.0


def limits_document(aim: Objective) -> dict[str, dict[str, float]]:
    """Metric → its `min`, `max` or both, as documents hold them."""
    return {name: limit.model_dump(exclude_none=True) for name, limit in aim.limits.items()}


def keeps(value: float, limit: Mapping[str, Any]) -> bool:
    """Whether a value keeps a limit, as documents hold it (`min`, `max`), but for rounding."""
    return bool(excess(value, Limit(_bound(limit.get("min")), _bound(limit.get("max")))) <= ROUNDING)


def excesses(metrics: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Metric → `excess` of its value."""
    return {name: excess(metrics[name], limit) for name, limit in limits.items()}


def violation_of(parts: Mapping[str, Any]) -> Any:
    """The violation of a candidate: the sum of its excesses; 0 where it keeps every limit."""
    return sum(parts.values(), start=0.0)


def infeasible_merit(violation: Any) -> Any:
    """The merit of a candidate that breaks a limit: below every objective, and the higher the smaller its violation."""
    return -INFEASIBLE * (1.0 + violation)


def merits(objectives: Values, violations: Values) -> Values:
    """One number per candidate that ranks them: the objective where the violation is 0, else `infeasible_merit`."""
    return np.where(violations > 0.0, infeasible_merit(violations), objectives)


def merit(objective: float, violation: float) -> float:
    """The same of a single candidate."""
    return infeasible_merit(violation) if violation > 0.0 else objective
