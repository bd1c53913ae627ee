"""Cases with varying costs, outside trades and LP supply: a market that holds them, and the oracle on the same rows."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import External, Market
from momentum_opt.market.external import HeldSeries, Trades
from tests.reference.minute_loop import Path, Trade, simulate
from tests.simulation.cases import Case


@dataclass(frozen=True)
class ExternalCase:
    """A case and what its files would hold: (T,) costs by name, trades as the oracle takes them, (T,) supply."""

    case: Case
    costs: dict[str, np.ndarray]
    trades: tuple[Trade, ...] = ()
    supply: np.ndarray | None = None

    @property
    def bars(self) -> int:
        return len(self.case.prices) - self.case.start_row

    @cached_property
    def market(self) -> Market:
        market = self.case.market
        times = market.times_ms[market.start_row :]
        costs = {name: HeldSeries(times, values) for name, values in self.costs.items()}
        trades = None
        if self.trades:
            bar, token_in, token_out, amount = (np.array(column) for column in zip(*self.trades, strict=True))
            trades = Trades(times[bar], token_in, token_out, amount)
        supply = None if self.supply is None else HeldSeries(times, self.supply)
        return replace(market, external=External(costs, trades, supply))

    def fingerprint(self, days: int | None = None, val_fraction: float = 0.0, **keys: Any) -> Fingerprint:
        files: dict[str, Any] = {name: f"{name}.csv" for name in self.costs}
        flow = {
            "trades": "trades.csv" if self.trades else None,
            "lp_supply": "lp.csv" if self.supply is not None else None,
        }
        return self.case.fingerprint(days, val_fraction, **files, costs=flow, **keys)

    def reference(self, params: dict[str, np.ndarray]) -> Path:
        """The oracle's path of the whole pool."""
        case = self.case
        pool = replace(case.pool, **self.costs)
        return simulate(case.prices, case.start_row, params, pool, trades=self.trades, lp_supply=self.supply)

    def of_first_tokens(self, path: Path) -> Path:
        """The part of a path that belongs to the pool tokens of bar 0, which is what metrics are about."""
        if self.supply is None:
            return path
        share = self.supply / self.supply[0]
        return replace(
            path,
            value=path.value / share,
            reserves=path.reserves / share[:, None],
            fees_lp=path.fees_lp / share,
        )


def random_trades(case: Case, count: int, seed: int = 0) -> tuple[Trade, ...]:
    """Trades in order of time, some in one bar and some in the first; one in ten is larger than the pool takes."""
    generator = np.random.default_rng(seed)
    bars = np.sort(generator.integers(0, len(case.prices) - case.start_row, count))
    bars[:2] = 0
    bars[count // 2 : count // 2 + 3] = bars[count // 2]
    found: list[Trade] = []
    for number, bar in enumerate(bars.tolist()):
        token_in, token_out = generator.permutation(case.n)[:2].tolist()
        worth = 3e7 if number % 10 == 5 else float(generator.uniform(10.0, 2e3))
        found.append((bar, token_in, token_out, worth / case.prices[case.start_row + bar, token_in]))
    return tuple(found)


def random_supply(bars: int, seed: int = 0) -> np.ndarray:
    """A supply that changes at one bar in fifty."""
    generator = np.random.default_rng(seed)
    return 700.0 * np.cumprod(np.where(generator.random(bars) < 0.02, generator.uniform(0.8, 1.25, bars), 1.0))


def held(values: np.ndarray, bars: int, length: int) -> np.ndarray:
    """`values` in turn, `length` bars each."""
    return np.resize(np.repeat(values, length), bars)
