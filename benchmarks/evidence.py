"""`make bench-evidence`: how often a whole tune finds something, on synthetic markets whose trend is known.

    python -m benchmarks.evidence [--markets 20] [--strengths 0 1 2] [--first-seed 0]

Each market is one path of two risky tokens and a stable one, minute by minute: a common and an own part of the noise,
Student-t with 4 degrees of freedom, its scale a slow random factor, as crypto's is. Each risky token drifts by
`strength` times its daily volatility over the square root of 365, up or down in spells of 20 days on average, so that
who knew the direction would earn an annual Sharpe ratio of `strength` from it. At strength 0 there is nothing to find,
and every "found" is a false alarm. A market lasts 365 days of train and validation, after 120 days of history, and 365
fresh days of test, on which nothing was tuned.

A tune has all defaults. It found something where its first rule is met (the deflated Sharpe ratio), and everything
where all are. Shares stand with their Clopper–Pearson intervals of 95 %.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import beta

from benchmarks import RESULTS
from momentum_opt import device
from momentum_opt.api.tuning import tune
from momentum_opt.evidence.verdict import ALL_MET, SOME_MET
from momentum_opt.fingerprint import Fingerprint, load_fingerprint
from momentum_opt.results.best import versions
from momentum_opt.units import MINUTES_PER_DAY, MINUTES_PER_YEAR, MS_PER_MINUTE

HISTORY, TRAIN, TEST = 120, 365, 365
"""Days."""
FIRST: Final = pd.Timestamp("2021-01-01", tz="UTC")
TOKENS: Final = ("AAA", "BBB", "USD")
VOLATILITY: Final = (0.6, 0.8)
"""Of the risky tokens, per square root of a year."""
COMMON: Final = 0.7
"""Correlation of their noise."""
SPELL_DAYS: Final = 20.0
"""Mean length of a trend."""
PERSISTENCE, SHOCK = 0.97, 0.08
"""Of the hourly logarithm of the noise's scale."""


@dataclass(frozen=True)
class Tuned:
    """What a tune found on one market.

    Attributes:
        strength: of the trend.
        seed: of the market.
        outcome: of the verdict.
        deflated_sharpe: of the winner's excess over the constant-weight pool.
        train_excess: its Sharpe ratio per year in excess of the constant-weight pool, over train.
        test_excess: the same on the fresh days.
        candidates: scored.
    """

    strength: float
    seed: int
    outcome: str
    deflated_sharpe: float
    train_excess: float
    test_excess: float
    candidates: int

    @property
    def found(self) -> bool:
        """Whether the verdict's first rule is met."""
        return self.outcome in (ALL_MET, SOME_MET)


def main() -> None:
    """Tune, count and write down."""
    options = _options()
    device.configure()
    began = time.perf_counter()
    rows: list[Tuned] = []
    for strength in options.strengths:
        for seed in range(options.first_seed, options.first_seed + options.markets):
            rows.append(_tuned(strength, seed))
        _print(strength, [row for row in rows if row.strength == strength])
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = {
        "schema_version": 1,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": f"{os.cpu_count()} cores, {device.describe_devices()}",
        "versions": versions(),
        "tunes": [asdict(row) for row in rows],
    }
    (RESULTS / "evidence.json").write_text(json.dumps(text, indent=2) + "\n")
    print(f"{len(rows)} tunes in {time.perf_counter() - began:.0f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markets", type=int, default=20)
    parser.add_argument("--strengths", type=float, nargs="+", default=[0.0])
    parser.add_argument("--first-seed", type=int, default=0)
    return parser.parse_args()


def closes(strength: float, seed: int, days: int) -> dict[str, np.ndarray]:
    """Closes of every token, minute by minute; see the head of this module."""
    rng = np.random.default_rng([seed, round(1000 * strength)])
    count = days * MINUTES_PER_DAY
    scale = _scale(rng, days)
    per_minute = 1.0 / np.sqrt(MINUTES_PER_YEAR)
    common = _shocks(rng, count)
    found: dict[str, np.ndarray] = {}
    for token, volatility in zip(TOKENS, VOLATILITY, strict=False):
        noise = np.sqrt(COMMON) * common + np.sqrt(1.0 - COMMON) * _shocks(rng, count)
        turns = rng.random(days) < 1.0 / SPELL_DAYS
        direction = np.where((np.cumsum(turns) + rng.integers(2)) % 2, 1.0, -1.0)
        # per day: strength × daily volatility / √365 = strength × annual volatility / 365
        drift = np.repeat(strength * volatility * direction, MINUTES_PER_DAY) / MINUTES_PER_YEAR
        steps = volatility * per_minute * scale * noise
        found[token] = 100.0 * np.exp(np.cumsum(steps + drift - 0.5 * (volatility * per_minute) ** 2))
    found[TOKENS[-1]] = 1.0 + 1e-4 * np.repeat(rng.standard_normal(days), MINUTES_PER_DAY)
    return found


def _shocks(rng: np.random.Generator, count: int) -> np.ndarray:
    """Student-t with 4 degrees of freedom, scaled to variance one."""
    return rng.standard_t(4, count) / np.sqrt(2.0)


def _scale(rng: np.random.Generator, days: int) -> np.ndarray:
    """The noise's scale, minute by minute: an autoregression of its logarithm, with a mean square of one."""
    logs = np.zeros(days * 24)
    shocks = SHOCK * rng.standard_normal(days * 24)
    for hour in range(1, days * 24):
        logs[hour] = PERSISTENCE * logs[hour - 1] + shocks[hour]
    spread = SHOCK**2 / (1.0 - PERSISTENCE**2)
    return np.repeat(np.exp(logs - spread), 60)


def _tuned(strength: float, seed: int) -> Tuned:
    with tempfile.TemporaryDirectory() as folder:
        fingerprint = _fingerprint(Path(folder), strength, seed)
        result = tune(fingerprint, Path(folder) / "run")
    assert result.findings is not None
    excess = result.findings.excess
    metrics = result.best["metrics"]
    return Tuned(
        strength,
        seed,
        result.findings.verdict.outcome,
        float("nan") if excess.deflated_sharpe is None else excess.deflated_sharpe,
        metrics["train"]["information_ratio"],
        metrics["test"]["information_ratio"],
        result.findings.candidates.distinct,
    )


def _fingerprint(folder: Path, strength: float, seed: int) -> Fingerprint:
    days = HISTORY + TRAIN + TEST
    first = FIRST.value // 10**6
    unix = first + MS_PER_MINUTE * np.arange(days * MINUTES_PER_DAY)
    for token, close in closes(strength, seed, days).items():
        pd.DataFrame({"unix": unix, "close": close}).to_parquet(folder / f"{token}_USD.parquet", index=False)
    start, end, test_end = (
        (FIRST + pd.Timedelta(days=passed)).strftime("%Y-%m-%d")
        for passed in (HISTORY, HISTORY + TRAIN, HISTORY + TRAIN + TEST)
    )
    config = {
        "data": {"root": "."},
        "tokens": list(TOKENS),
        "window": {"start": start, "end": end, "test_end": test_end},
        "pool": {"max_memory_days": HISTORY},
        "search": {"seed": seed},
    }
    (folder / "market.yaml").write_text(json.dumps(config))
    return load_fingerprint(folder / "market.yaml")


def _print(strength: float, rows: Sequence[Tuned]) -> None:
    found = sum(row.found for row in rows)
    every = sum(row.outcome == ALL_MET for row in rows)
    low, high = _interval(found, len(rows))
    median = statistics.median(row.train_excess for row in rows)
    print(
        f"strength {strength:g}: found {found} of {len(rows)} (95 % interval {low:.1%} to {high:.1%}), "
        f"all rules met {every}; annual excess Sharpe ratio, median: train {median:.2f}, "
        f"test {statistics.median(row.test_excess for row in rows):.2f}; "
        f"deflated Sharpe ratio, largest {max(row.deflated_sharpe for row in rows):.3f}; "
        f"candidates, median {statistics.median(row.candidates for row in rows):,.0f}",
        flush=True,
    )


def _interval(found: int, count: int) -> tuple[float, float]:
    """Clopper–Pearson, 95 %."""
    low = 0.0 if found == 0 else float(beta.ppf(0.025, found, count - found + 1))
    high = 1.0 if found == count else float(beta.ppf(0.975, found + 1, count - found))
    return low, high


if __name__ == "__main__":
    main()
