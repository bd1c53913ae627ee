"""Metrics and objective of a simulated pool by SPEC §10 and §11 in plain numpy, from the oracle's bars."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.reference.metrics import all_metrics, flow_metrics
from tests.reference.minute_loop import Path
from tests.simulation.cases import Case

Days = tuple[int, int]

_STILL: dict[tuple[object, ...], tuple[np.ndarray, Path]] = {}
"""With the prices, so that no others get their identity."""


def slice_metrics(
    case: Case, path: Path, days: Days, *, constant_weight: Path | None = None, exchange_cost: float = 0.0
) -> dict[str, float]:
    """Every metric on whole days [first, end), re-based to the slice's first reserves and prices.

    `constant_weight` is the path that the information ratio compares with: of equal weights, unless given.
    """
    D = 1440 // case.pool.bar_minutes
    rows = slice(days[0] * D, days[1] * D)
    prices = case.prices[case.start_row :][rows]
    baseline = constant_weight_path(case, np.full(case.n, 1.0 / case.n)) if constant_weight is None else constant_weight
    flows = flow_metrics(
        path.value[rows], path.weights[rows], path.reserves[rows], prices, path.fees_lp[rows], baseline.value[rows], D,
        exchange_cost,
    )  # fmt: skip
    return all_metrics(path.value[rows], path.reserves[rows][0], prices[0], prices[-1], D) | flows


def constant_weight_path(case: Case, weights: np.ndarray) -> Path:
    """The pool that keeps `weights`, on the same prices and costs; each is simulated once."""
    key = id(case.prices), case.start_row, repr(case.pool), tuple(weights.tolist())
    if key not in _STILL:
        still = replace(case, pool=replace(case.pool, rule="constant_weight"))
        _STILL[key] = case.prices, still.reference({"initial_weights": weights})
    return _STILL[key][1]


def slice_turnover(case: Case, path: Path, days: Days) -> float:
    """Mean over the bars of the slice of Σ |Δ(R p/V)|."""
    D = 1440 // case.pool.bar_minutes
    shares = path.reserves * case.prices[case.start_row :] / path.value[:, None]
    return float(np.abs(np.diff(shares[days[0] * D : days[1] * D], axis=0)).sum(axis=1).mean())


def windows_of(train_days: int, windows: int) -> list[Days]:
    """Train days split as evenly as possible, earlier slices longer."""
    edges = np.cumsum([0, *(len(part) for part in np.array_split(np.arange(train_days), windows))])
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))


AGGREGATES: dict[str, Callable[[np.ndarray], float]] = {
    "mean": lambda x: float(x.mean()),
    "worst": lambda x: float(x.min()),
    "mean_minus_std": lambda x: float(x.mean() - x.std()),
}


def plain_objective(
    case: Case,
    path: Path,
    metric: str,
    train_days: int,
    total_days: int,
    *,
    how: str = "mean",
    windows: int = 1,
    overfitting: float = 0.0,
    turnover: float = 0.0,
) -> float:
    """Aggregate over the train windows − overfitting · max(0, aggregate − validation); turnover off every slice.

    A metric of which less is better counts as the loss that it is: with its sign turned.
    """
    sign = -1.0 if metric in ("weight_turnover", "volume", "lvr") else 1.0

    def measured(days: Days) -> float:
        return sign * slice_metrics(case, path, days)[metric] - turnover * slice_turnover(case, path, days)

    reached = AGGREGATES[how](np.array([measured(days) for days in windows_of(train_days, windows)]))
    return reached - overfitting * max(0.0, reached - measured((train_days, total_days))) if overfitting else reached
