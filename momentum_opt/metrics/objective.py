"""From a metric on train windows and validation to the number that a study maximises (SPEC §11)."""

import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, PerCandidate
from momentum_opt.metrics.blocks import lowest
from momentum_opt.vocabulary.names import Aggregate

Scalar = Float[Array, ""] | float


def aggregate(per_window: Float[Array, "window *batch"], how: Aggregate) -> PerCandidate:
    """One number from the windows: their mean, the worst of them, or the mean less the population std.

    Raises:
        ValueError: `how` is none of the three.
    """
    match how:
        case "mean":
            return jnp.mean(per_window, axis=0)
        case "worst":
            return lowest(per_window)
        case "mean_minus_std":
            return jnp.mean(per_window, axis=0) - jnp.std(per_window, axis=0)
    raise ValueError(f"`how` must be mean, worst or mean_minus_std, but got {how!r}")


def mean_worst_steadiness(per_window: Float[Array, "window *batch"]) -> Float[Array, "objective *batch"]:
    """(mean, worst, −std) over the windows, in this order: what a multi-objective study maximises."""
    return jnp.stack([jnp.mean(per_window, axis=0), lowest(per_window), -jnp.std(per_window, axis=0)])


def less_turnover(
    metric: Float[Array, "*slices"], turnover: Float[Array, "*slices"] | None, turnover_penalty: Scalar
) -> Float[Array, "*slices"]:
    """The metric − turnover_penalty · turnover, slice by slice; as it is where no turnover was measured (None)."""
    return metric if turnover is None else metric - turnover_penalty * turnover


def objective(
    train_windows: Float[Array, "window *batch"],
    validation: Float[Array, "*batch"] | None,
    turnover_windows: Float[Array, "window *batch"] | None,
    turnover_validation: Float[Array, "*batch"] | None,
    how: Aggregate,
    overfitting_penalty: Scalar,
    turnover_penalty: Scalar,
) -> PerCandidate:
    """A trial's objective: aggregate − overfitting_penalty · max(0, aggregate − validation), turnover subtracted first.

    Args:
        train_windows: the metric on each train window.
        validation: the metric on the validation days; None without such days: then there is no overfitting term.
        turnover_windows: mean turnover per minute of each train window; None where it was not measured.
        turnover_validation: the same of the validation days.
        how: aggregate over the windows (static).
        overfitting_penalty: at least 0; may be traced. With 0 the validation metric does not enter at all, so one that
            is not finite leaves the objective as it is.
        turnover_penalty: at least 0; may be traced.

    Returns:
        One number per candidate, higher is better; not finite where a metric that enters is not.
    """
    reached = aggregate(less_turnover(train_windows, turnover_windows, turnover_penalty), how)
    if validation is None:
        return reached
    confirmed = less_turnover(validation, turnover_validation, turnover_penalty)
    excess = jnp.maximum(0.0, reached - confirmed)
    return reached - jnp.where(jnp.asarray(overfitting_penalty) > 0.0, overfitting_penalty * excess, 0.0)
