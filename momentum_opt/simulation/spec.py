"""What one compiled simulation is compiled for: a fingerprint in, the hashable shapes, periods and branches out.

Everything that a sweep may change without a new compilation (parameters, prices, caps, initial value) is not here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from momentum_opt.errors import UsageError
from momentum_opt.fingerprint import EngineName, Fingerprint, check_bar, choose_engine
from momentum_opt.market.external import External
from momentum_opt.pool.costs import Trade
from momentum_opt.units import MINUTES_PER_DAY
from momentum_opt.vocabulary.names import Interpolation
from momentum_opt.vocabulary.rules import DEFAULT_RULE

MinuteLoop = Literal["xla", "pallas"]
"""What walks the minutes of the engine with costs: XLA's loop, or the kernel of `minute_pallas`."""


@dataclass(frozen=True)
class SimulationSpec:
    """Static description of a simulation; periods are counted in bars.

    Attributes:
        n_assets: number of tokens.
        n_days: whole days from start to the end of the last period.
        bars_per_day: D of SPEC §10.
        chunk: P, bars between two updates; divides a day or is a multiple of one.
        interpolation: m, bars during which the weights move after an update.
        arb: q, bars between two arbitrages.
        method: how weights move inside a chunk.
        engine: which of the engines of SPEC §8 runs.
        use_alt_lamb: whether the gradient's denominator has a decay of its own.
        burn_in_chunks: chunk prices before start, c_0 included.
        rule: name of the rule that moves the weights, of `pool.registry`.
        trade: what an arbitrage trades, where it costs something.
        every_bar: whether the loop with costs stops at every bar, for outside trades, changes of the supply or minute
            values, and not at arbitrages only.
        minute_loop: what walks the minutes of the engine with costs; see `minute_gpu`.
    """

    n_assets: int
    n_days: int
    bars_per_day: int
    chunk: int
    interpolation: int
    arb: int
    method: Interpolation
    engine: EngineName
    use_alt_lamb: bool
    burn_in_chunks: int
    rule: str = DEFAULT_RULE
    trade: Trade = "pair"
    every_bar: bool = False
    minute_loop: MinuteLoop = "xla"

    @property
    def arbitrages_daily(self) -> bool:
        """Whether the first bar of every day is one at which the pool is arbitraged."""
        return self.bars_per_day % self.arb == 0

    @property
    def stride(self) -> int:
        """Bars from one step of the loop with costs to the next."""
        return 1 if self.every_bar else self.arb

    @property
    def bar_minutes(self) -> int:
        """Minutes per bar."""
        return MINUTES_PER_DAY // self.bars_per_day

    @property
    def block(self) -> int:
        """Bars of a block, the unit of the scan: a chunk, or a day where the chunk is longer."""
        return min(self.chunk, self.bars_per_day)

    @property
    def blocks_per_day(self) -> int:
        """Blocks in a day."""
        return self.bars_per_day // self.block

    @property
    def blocks_per_chunk(self) -> int:
        """Blocks in a chunk; above one where a chunk lasts several days."""
        return self.chunk // self.block

    @property
    def n_blocks(self) -> int:
        """Blocks in the whole simulation."""
        return self.n_days * self.blocks_per_day

    @property
    def n_bars(self) -> int:
        """T, bars in the whole simulation."""
        return self.n_days * self.bars_per_day


def simulation_spec(
    fingerprint: Fingerprint, *, bar_minutes: int, burn_in_days: int, external: External | None = None
) -> SimulationSpec:
    """The static part of `fingerprint` on bars of `bar_minutes` with `burn_in_days` days of history before start.

    Args:
        fingerprint: the run.
        bar_minutes: of the prices.
        burn_in_days: days of prices before start.
        external: what was read from the files that the fingerprint names.

    Raises:
        ConfigError: a period is no multiple of the bar.
        UsageError: the fingerprint names a file that was not read.
    """
    check_bar(fingerprint, bar_minutes)
    pool, costs = fingerprint.pool, fingerprint.costs
    external = external or External()
    unread = sorted(costs.files.keys() ^ external.names)
    if unread:
        raise UsageError(f"costs.{unread[0]}: its file and what was read do not belong together; take `market_of`")
    return SimulationSpec(
        n_assets=fingerprint.n_assets,
        n_days=fingerprint.periods.total_days,
        bars_per_day=MINUTES_PER_DAY // bar_minutes,
        chunk=pool.chunk_period // bar_minutes,
        interpolation=pool.weight_interpolation_period // bar_minutes,
        arb=costs.arb_minutes(bar_minutes) // bar_minutes,
        method=pool.weight_interpolation_method,
        engine=choose_engine(fingerprint, bar_minutes).name,
        use_alt_lamb=pool.use_alt_lamb,
        burn_in_chunks=MINUTES_PER_DAY * burn_in_days // pool.chunk_period,
        rule=pool.rule,
        trade=_trade(costs.fees, external),
        every_bar=bool({"trades", "lp_supply"} & external.names),
    )


def _trade(fees: float | Path, external: External) -> Trade:
    """What an arbitrage trades: a file may say the one thing for some minutes and the other for the rest."""
    charged = external.costs["fees"].value > 0 if isinstance(fees, Path) else [fees > 0]
    if all(charged):
        return "pair"
    return "either" if any(charged) else "all"
