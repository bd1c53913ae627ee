"""`make bench-selection`: what ways of choosing a pool are worth out of sample, on real prices, quarter by quarter.

    python -m benchmarks.selection [--windows 0:12] [--sets BTC/ETH/USDC …] [--results FILE] [--table] [--write]

A window is 365 days of train (a fifth of them validation) after 120 days of history, and 91 days that nobody tunes on;
windows are 91 days apart. In each of them one `tune` with all defaults is made, and every strategy chooses from what it
scored; then the chosen pools are simulated on, through the 91 days, beside the constant-weight pool:

- best of 64, best of 512: the best of so many quasi-random parameter sets (the first of the screening);
- screening: the best of all 4,096 of them;
- smoothed: of the 64 best of these the one whose 64 neighbours within 5 % of each range score best on average;
- worst of windows: the best of them by the lowest Sharpe ratio of four windows of train;
- penalised: the best of them by objective − max(0, objective − validation);
- memetic: the winner of the tune;
- gated: that winner where the first rule of its verdict is met, else constant weights; gated by all rules likewise.

What counts is the log return of the 91 days less that of the constant-weight pool, without costs, and with a fee of
0.3 % charged to both (the choice stays the one made without costs). Means stand with 95 % intervals of a stationary
bootstrap over calendar quarters, in which the quarters of all sets of tokens are drawn together, because they share a
market.

Every window is a line of the results file as soon as it is done, and is not run again: the command may be killed and
given again. `--write` puts the table into docs/deciding.md and draws its picture.
"""

import argparse
import json
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import RESULTS
from benchmarks.lines import Lines, Row, share
from benchmarks.measuring import shared_folder
from benchmarks.selection_table import table, write
from momentum_opt import device
from momentum_opt.api.prices import market_of
from momentum_opt.api.tuning import TuneResult, tune
from momentum_opt.evidence.moments import block_moments, combined
from momentum_opt.evidence.neighbourhood import Rows
from momentum_opt.evidence.scoring import ScoredRows
from momentum_opt.evidence.verdict import ALL_MET, SOME_MET
from momentum_opt.fingerprint import Fingerprint, load_fingerprint, replace_values
from momentum_opt.market import Market
from momentum_opt.pool import POOLS
from momentum_opt.results.tables import read_screened
from momentum_opt.study.constant_weight import constant_weight_log_growth
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.space import SearchSpace, search_space

HISTORY, TRAIN, TEST = 120, 365, 91
"""Days; train with its validation."""
FEE: Final = 0.003
KEPT, NEIGHBOURS, RADIUS = 64, 64, 0.05
"""Of `smoothed`: candidates, neighbours of each (itself one of them), and how far at most, as a share of the ranges."""
WINDOWS: Final = 4
FEW: Final = (64, 512)
TOLERANCE: Final = 1e-9
"""Between the winner's excess here and in its replay."""
WIDTH: Final = 16
"""Pools simulated together through the days that follow."""


@dataclass(frozen=True)
class Panel:
    """Tokens whose prices lie in one folder, and the days that windows may use after their history."""

    folder: str
    tokens: tuple[str, ...]
    first: str
    end: str

    @property
    def windows(self) -> list[str]:
        """Start of every window."""
        last = pd.Timestamp(self.end) - pd.Timedelta(days=TRAIN + TEST)
        return [f"{day:%Y-%m-%d}" for day in pd.date_range(self.first, last, freq=f"{TEST}D")]


PANELS: Final[Mapping[str, Panel]] = {
    "/".join(panel.tokens): panel
    for panel in (
        Panel("minute", ("BTC", "ETH", "USDC"), "2021-07-01", "2024-06-25"),
        Panel("minute", ("BTC", "ETH", "SOL", "USDC"), "2022-05-01", "2024-06-25"),
        Panel("hourly_2018", ("BTC", "ETH", "XRP"), "2018-10-11", "2022-10-11"),
        Panel("hourly_2018", ("BNB", "LTC", "TRX"), "2018-10-11", "2022-10-11"),
        Panel("hourly_2018", ("ADA", "BNB", "BTC", "ETH"), "2018-10-11", "2022-10-11"),
        Panel("hourly_2018", ("LTC", "TRX", "XLM", "XRP"), "2018-10-11", "2022-10-11"),
    )
}


def main() -> None:
    """Run the windows that the results file does not have yet, and print the table."""
    options = _options()
    lines = Lines(options.results, f"selection 1, {HISTORY}+{TRAIN}+{TEST} days, fee {FEE}", ("set", "start"))
    if not options.table:
        device.configure()
        lines.fill(
            _wanted(options),
            lambda key: _studied(PANELS[key["set"]], key["start"]),
            lambda key: f"{key['set']}, from {key['start']}",
        )
    rows = lines.rows()
    print(table(rows))
    if options.write:
        write(rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=share, default=range(100), metavar="A:B", help="of each set, B left out")
    parser.add_argument("--sets", nargs="+", default=list(PANELS), choices=list(PANELS))
    parser.add_argument("--results", type=Path, default=RESULTS / "selection.jsonl")
    parser.add_argument("--table", action="store_true", help="run nothing; print what the results file holds")
    parser.add_argument("--write", action="store_true", help="put table and picture into docs/deciding.md")
    return parser.parse_args()


def _wanted(options: argparse.Namespace) -> Iterator[Row]:
    """Window by window, so that a run that is cut short has something of every set."""
    for number in options.windows:
        for name in options.sets:
            starts = PANELS[name].windows
            if number < len(starts):
                yield {"set": name, "start": starts[number]}


def _studied(panel: Panel, start: str) -> Row:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fingerprint = _fingerprint(Path(folder), panel, start)
        result = tune(fingerprint, Path(folder) / "run")
        space, market = search_space(fingerprint), market_of(fingerprint)
        screened = read_screened(result.folder.screen, space, fingerprint)
    assert result.findings is not None
    verdict = result.findings.verdict
    picks = _picks(result, screened, space, fingerprint, market)
    free, charged = (_test_excess(picks, space, fingerprint, market, fee) for fee in (0.0, FEE))
    _check(result, free["memetic"])
    gates = {"gated": verdict.outcome in (ALL_MET, SOME_MET), "gated by all rules": verdict.outcome == ALL_MET}
    for excess in (free, charged):
        excess |= {name: excess["memetic"] if open_ else 0.0 for name, open_ in gates.items()}
    return {
        "outcome": verdict.outcome,
        "found": gates["gated"],
        "rules": {rule.name: rule.met for rule in verdict.rules},
        "test_start": f"{fingerprint.window.end}",
        "free": free,
        "charged": charged,
    }


def _check(result: TuneResult, excess: float) -> None:
    """Hold the winner's excess against the tune's own replay of the test, minute by minute.

    Raises:
        SystemExit: they differ.
    """
    pool = result.best["metrics"]["test"]["returns"]
    constant = result.best["baselines"]["test"]["constant_weight"]["returns"]
    replayed = float(np.log1p(pool) - np.log1p(constant))
    if abs(replayed - excess) > TOLERANCE:
        raise SystemExit(f"the winner's excess is {excess:g} here and {replayed:g} in its replay; please report this")


def _fingerprint(folder: Path, panel: Panel, start: str) -> Fingerprint:
    end, test_end = (f"{pd.Timestamp(start) + pd.Timedelta(days=days):%Y-%m-%d}" for days in (TRAIN, TRAIN + TEST))
    config = {
        "data": {"root": str(shared_folder() / "data" / panel.folder)},
        "tokens": list(panel.tokens),
        "window": {"start": start, "end": end, "test_end": test_end},
        "pool": {"max_memory_days": HISTORY},
    }
    (folder / "window.yaml").write_text(json.dumps(config))
    return load_fingerprint(folder / "window.yaml")


def _picks(
    result: TuneResult, screened: ScoredRows, space: SearchSpace, fingerprint: Fingerprint, market: Market
) -> dict[str, Rows]:
    """Strategy → the numbers that it chooses."""
    objective = np.nan_to_num(screened.objectives, nan=-np.inf)
    assert screened.validation is not None
    apart = np.nan_to_num(screened.objectives - screened.validation, nan=np.inf)
    ranks = {
        **{f"best of {count}": objective[:count] for count in FEW},
        "screening": objective,
        "worst of windows": lowest_of_windows(screened),
        "penalised": objective - np.maximum(0.0, apart),
    }
    picks = {name: screened.numbers[int(np.argmax(values))] for name, values in ranks.items()}
    top = screened.numbers[np.argsort(-objective, kind="stable")[:KEPT]]
    picks["smoothed"] = top[int(np.argmax(_smoothed(top, space, fingerprint, market)))]
    winner = next(one for one in result.outcome.records if one.number == result.best["trial"])
    picks["memetic"] = np.array([winner.numbers[name] for name in space.ranges])
    return picks


def lowest_of_windows(screened: ScoredRows) -> NDArray[np.float64]:
    """The lowest Sharpe ratio of the daily log returns over as many windows of whole blocks."""
    moments = block_moments(screened.sums, excess=False)
    blocks = np.array_split(np.arange(screened.sums.shape[2] - 1), WINDOWS)
    ratios = [combined(type(moments)(*(part[some] for part in moments))).sharpe for some in blocks]
    return np.nan_to_num(np.min(ratios, axis=0), nan=-np.inf)


def _smoothed(top: Rows, space: SearchSpace, fingerprint: Fingerprint, market: Market) -> NDArray[np.float64]:
    """Mean objective of each candidate and its neighbours."""
    low, high = space.bounds
    steps = np.random.default_rng(0).uniform(-RADIUS, RADIUS, (len(top), NEIGHBOURS, len(low))) * (high - low)
    steps[:, 0] = 0.0
    rows = np.clip(top[:, None] + steps, low, high).reshape(-1, len(low))
    growth = constant_weight_log_growth(fingerprint, market)
    evaluator = Evaluator(fingerprint, market, batch_size=len(rows), constant_weight=growth)
    found = evaluator.score_columns(space.columns(rows)).objectives[:, 0]
    return np.nan_to_num(found, nan=-np.inf).reshape(len(top), NEIGHBOURS).mean(axis=1)


def _test_excess(
    picks: Mapping[str, Rows], space: SearchSpace, fingerprint: Fingerprint, market: Market, fee: float
) -> dict[str, float]:
    """Log return of the test days less the constant-weight pool's: they take validation's place in a longer window."""
    values: dict[str, Any] = {
        "window.end": str(fingerprint.window.test_end),
        "window.test_end": None,
        "window.validation_fraction": TEST / (TRAIN + TEST),
        "costs.fees": fee,
    }
    longer = replace_values(fingerprint, values, name="test days")
    sets = [space.params(dict(zip(space.ranges, row.tolist(), strict=True))) for row in picks.values()]
    sets.append(POOLS[fingerprint.pool.rule].resting_params(space.start))
    scores = Evaluator(longer, market, batch_size=WIDTH).score(sets)
    *own, constant = np.log1p(scores.validation["returns"]).tolist()
    return {name: value - constant for name, value in zip(picks, own, strict=True)}


if __name__ == "__main__":
    main()
