"""How the time of a batch without costs grows with days, tokens, chunks and candidates; and the memory of a large one.

    python -m benchmarks.growth            table of the slopes, as JSON
    python -m benchmarks.growth memory     peak memory of 8 tokens, 3 years, 1,024 candidates, as JSON

On random walks, because real prices end somewhere. A slope is the exponent of a power law through the medians.
"""

import json
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from benchmarks.measuring import Row, median_seconds, random_columns, row, seconds
from benchmarks.memory import peak_mib
from momentum_opt import device
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.space import search_space

START = date(2022, 6, 1)
HISTORY = 365
DAYS, TOKENS, BATCH, CHUNK = 457, 3, 1024, 1440
VARIED = {
    "days": (228, 457, 914),
    "tokens": (2, 4, 8),
    "batch": (512, 1024, 2048, 4096, 8192),
    "chunks per day": (1, 4, 24),
}
SLOPE_TARGET = 1.1
LARGE = {"days": 3 * 365, "tokens": 8, "batch": 1024}


def main() -> None:
    """Print what was asked for as JSON."""
    device.configure()
    if sys.argv[1:] == ["memory"]:
        evaluator, columns = _case(**LARGE)
        print(json.dumps({"seconds": seconds(lambda: evaluator.score_columns(columns)), "peak_mib": peak_mib()}))
        return
    print(json.dumps({what: times_of(what) for what in VARIED}))


def times_of(what: str) -> list[tuple[int, float]]:
    """Median seconds of a batch for every value of what is varied."""
    found: list[tuple[int, float]] = []
    for value in VARIED[what]:
        settings = {"chunk": CHUNK // value} if what == "chunks per day" else {what: value}
        evaluator, columns = _case(**settings)
        seconds(lambda: evaluator.score_columns(columns))  # noqa: B023  # compiles, before the next turn
        found.append((value, median_seconds(lambda: evaluator.score_columns(columns))))  # noqa: B023
    return found


def slope_rows(times: dict[str, list[tuple[int, float]]]) -> list[Row]:
    """The exponents, and the times they come from."""
    rows: list[Row] = []
    for what, points in times.items():
        rows += [row(f"growth, {what} = {value}", taken, "s per batch") for value, taken in points]
        rows.append(row(f"growth, {what}: exponent", slope(points), f"(target {SLOPE_TARGET} at most)"))
    return rows


def slope(points: list[tuple[int, float]]) -> float:
    """The exponent p of the power law t ∝ x^p, by least squares in the logarithms."""
    x, y = np.log(np.array(points, float)).T
    return float(np.polyfit(x, y, 1)[0])


def draw(times: dict[str, list[tuple[int, float]]], path: Path) -> None:
    """A picture of all of them, each relative to its first point."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "growth"
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for (what, points), mark in zip(times.items(), "osD^", strict=True):
        x, y = np.array(points, float).T
        axes.loglog(x / x[0], y / y[0], marker=mark, label=f"{what}: exponent {slope(points):.2f}")
    ends = np.array([1.0, 24.0])
    axes.loglog(ends, ends, color="0.6", linestyle="--", label="in proportion")
    axes.set(xlabel="times as much", ylabel="times as long")
    axes.legend(frameon=False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def _case(
    days: int = DAYS, tokens: int = TOKENS, batch: int = BATCH, chunk: int = CHUNK
) -> tuple[Evaluator, dict[str, np.ndarray]]:
    names = [f"T{number}" for number in range(tokens)]
    fingerprint = Fingerprint.from_dict(
        {
            "tokens": names,
            "startDateString": START.isoformat(),
            "endDateString": (START + timedelta(days=days)).isoformat(),
            "chunk_period": chunk,
        },
        name="growth",
    )
    rows = (HISTORY + days) * 1440
    walk = np.random.default_rng(0).normal(0.0, 5e-4, (rows, tokens)).cumsum(axis=0)
    market = Market(tuple(names), 1, 0, 100.0 * np.exp(walk), HISTORY * 1440, HISTORY, ())
    evaluator = Evaluator(fingerprint, market, batch_size=batch)
    return evaluator, dict(random_columns(search_space(fingerprint), batch))


if __name__ == "__main__":
    main()
