"""Metrics and objective of a simulated pool by SPEC §10 and §11 in plain numpy, from the oracle's bars."""

from collections.abc import Callable

import numpy as np

from tests.reference.metrics import all_metrics
from tests.reference.minute_loop import Path
from tests.simulation.cases import Case

Days = tuple[int, int]


def slice_metrics(case: Case, path: Path, days: Days) -> dict[str, float]:
    """Every metric on whole days [first, end), re-based to the slice's first reserves and prices."""
    D = 1440 // case.pool.bar_minutes
    rows = slice(days[0] * D, days[1] * D)
    prices = case.prices[case.start_row :][rows]
    return all_metrics(path.value[rows], path.reserves[rows][0], prices[0], prices[-1], D)


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
    """Aggregate over the train windows − overfitting · max(0, aggregate − validation); turnover off every slice."""

    def measured(days: Days) -> float:
        return slice_metrics(case, path, days)[metric] - turnover * slice_turnover(case, path, days)

    reached = AGGREGATES[how](np.array([measured(days) for days in windows_of(train_days, windows)]))
    return reached - overfitting * max(0.0, reached - measured((train_days, total_days))) if overfitting else reached
