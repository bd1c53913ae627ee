"""Price arrays of the engines: prices on the bar grid in, chunk prices, price moments and log ratios out (SPEC §6, §8).

Computed once per data set with numpy on the host; the simulation only reads them.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Bool, Float, Int
from momentum_opt.simulation.cost_inputs import CostInputs, StartSwaps, cost_inputs, start_swaps
from momentum_opt.simulation.external_bars import ExternalBars
from momentum_opt.simulation.spec import SimulationSpec

Prices = NDArray[np.float64]


class ArbitrageInputs(NamedTuple):
    """Where inside each block the pool is arbitraged, for the engine that sums the log ratios.

    A block holds at most A arbitrages, at the bars o + 1 … o + K counted from its chunk's start. Blocks with fewer
    repeat their last one, which adds nothing.
    """

    tau: Float[Array, "day block arb"]
    """Bars from the chunk's start to each arbitrage."""
    log_ratio: Float[Array, "day block arb asset"]
    """log of the price at each arbitrage over the price at the one before it."""
    before_end: Int[Array, "day block"]
    """How many of the block's arbitrages are not later than its last bar (0: none)."""
    happens: Bool[Array, "day block"]
    """Whether the block has any arbitrage; a block shorter than q may have none."""


class BarInputs(NamedTuple):
    """Every bar of a block and the first of the next one, for metrics that read minutes."""

    price: Float[Array, "day block bar asset"]
    """Prices; at T those of the last bar."""
    last_arb: Int[Array, "day block bar"] | None
    """How many of the block's arbitrages are not later; None where every bar has one, or there are costs."""
    arb_price: Float[Array, "day block bar asset"] | None
    """Prices at the last arbitrage at or before the bar; None likewise."""


class BlockInputs(NamedTuple):
    """One entry per block of the simulation, in order; what a scan over the blocks reads."""

    chunk_price: Float[Array, "day block asset"]
    """Prices at the block's first bar."""
    updates: Bool[Array, "day block"]
    """Whether a chunk starts here; False only inside chunks that last several days."""
    moves: Float[Array, "day block"]
    """0 in the first chunk, which holds the initial weights, else 1."""
    offset: Float[Array, "day block"]
    """o, bars from the chunk's start to the block's."""
    mu0: Float[Array, "day block asset"] | None
    """μ0 of the block, for the closed form."""
    mu1: Float[Array, "day block asset"] | None
    """μ1 of the block, for the closed form; in units of arbitrage steps."""
    arb: ArbitrageInputs | None
    """For the engine that sums the log ratios, and where metrics read minutes without costs."""
    cost: CostInputs | None = None
    """For the engine with costs."""
    bars: BarInputs | None = None
    """Where metrics read minutes."""


class DayInputs(NamedTuple):
    """Prices at day boundaries. Boundary k is minute kD; the last one, T, lies one bar after the data."""

    price: Float[Array, "boundary asset"]
    """Prices at each boundary; at T those of the last bar."""
    last_price: Float[Array, "day asset"]
    """Prices at the last bar of each day."""
    arb_price: Float[Array, "boundary asset"]
    """Prices at the last arbitrage at or before each boundary."""
    before_price: Float[Array, "day asset"]
    """Prices at the last arbitrage at or before each day's last bar."""
    constant_weight: Float[Array, " day"] | None = None
    """log growth of the constant-weight pool since minute 0 at each day's first bar; where excess returns are asked."""
    supply: Float[Array, " boundary"] | None = None
    """Pool tokens there are at each boundary, as a multiple of those at minute 0; None: their number never changes."""
    last_supply: Float[Array, " day"] | None = None
    """The same at the last bar of each day."""


class MarketArrays(NamedTuple):
    """All price arrays of one simulation."""

    burn_in: Float[Array, "chunk asset"]
    """Chunk prices before start, c_0 first; at least one row, the start itself where there is no history."""
    blocks: BlockInputs
    days: DayInputs
    outside: StartSwaps | None = None
    """Outside trades, for the engine with costs."""


def market_arrays(
    prices: Prices,
    start_row: int,
    spec: SimulationSpec,
    external: ExternalBars | None = None,
    *,
    bars: bool = False,
) -> MarketArrays:
    """Build the arrays of `spec` from prices (time, asset) on the bar grid; row `start_row` is minute 0.

    Rows before `start_row` are history; rows after the simulated window are ignored. `external` is read by the engine
    with costs only. `bars`: for a simulation with a `Reduction`, which reads every bar.
    """
    external = external or ExternalBars()
    window = prices[start_row : start_row + spec.n_bars]
    first = start_row - spec.burn_in_chunks * spec.chunk
    burn_in = prices[first : start_row : spec.chunk] if spec.burn_in_chunks else window[:1]
    return MarketArrays(
        burn_in=_as_input(burn_in),
        blocks=_block_inputs(window, spec, external, bars=bars),
        days=_day_inputs(window, spec, external),
        outside=start_swaps(external),
    )


def _as_input(array: NDArray[np.generic]) -> Array:
    return jnp.asarray(array)


def _per_day(values: NDArray[np.generic], spec: SimulationSpec) -> Array:
    return _as_input(values.reshape(spec.n_days, spec.blocks_per_day, *values.shape[1:]))


def _block_inputs(window: Prices, spec: SimulationSpec, external: ExternalBars, *, bars: bool) -> BlockInputs:
    number = np.arange(spec.n_blocks)
    per_chunk = spec.blocks_per_chunk
    offset = (number % per_chunk * spec.block).astype(np.float64)
    closed = spec.engine == "closed_form"
    mu0, mu1 = _moments(window, offset, spec) if closed else (None, None)
    steps = spec.engine == "in_chunk" or (closed and bars)
    return BlockInputs(
        chunk_price=_per_day(window[:: spec.block], spec),
        updates=_per_day(number % per_chunk == 0, spec),
        moves=_per_day((number >= per_chunk).astype(np.float64), spec),
        offset=_per_day(offset, spec),
        mu0=None if mu0 is None else _per_day(mu0, spec),
        mu1=None if mu1 is None else _per_day(mu1, spec),
        arb=arbitrage_inputs(window, spec) if steps else None,
        cost=cost_inputs(window, spec, external) if spec.engine == "with_costs" else None,
        bars=_bar_inputs(window, spec) if bars else None,
    )


def _bar_inputs(window: Prices, spec: SimulationSpec) -> BarInputs:
    start = np.arange(spec.n_blocks)[:, None] * spec.block
    bar, padded = start + np.arange(spec.block + 1), _with_end(window)
    if spec.arb == 1 or spec.engine == "with_costs":
        return BarInputs(_per_day(padded[bar], spec), None, None)
    return BarInputs(
        price=_per_day(padded[bar], spec),
        last_arb=_per_day(bar // spec.arb - start // spec.arb, spec),
        arb_price=_per_day(padded[bar // spec.arb * spec.arb], spec),
    )


def _with_end(window: Prices) -> Prices:
    """The window and minute T, which has no price and takes the last one; values at T − 1 are found back from there."""
    return np.vstack([window, window[-1:]])


def _moments(window: Prices, offset: NDArray[np.float64], spec: SimulationSpec) -> tuple[Prices, Prices]:
    """μ0 and μ1 per block: Σ ℓ(τ) and Σ min(τ, m′) ℓ(τ) over the block's arbitrage steps, m′ = max(m − o, 0)."""
    log_ratio = np.diff(np.log(_with_end(window)[:: spec.arb]), axis=0)
    log_ratio = log_ratio.reshape(spec.n_blocks, spec.block // spec.arb, spec.n_assets)
    tau = np.arange(spec.block // spec.arb, dtype=np.float64)
    left = np.maximum(spec.interpolation - offset, 0.0) / spec.arb
    moved = np.minimum(tau, left[:, None])
    return log_ratio.sum(axis=1), np.einsum("bt,bta->ba", moved, log_ratio)


def arbitrage_inputs(window: Prices, spec: SimulationSpec) -> ArbitrageInputs:
    """Arbitrage bars of every block: those t ≡ 0 mod q with block start < t ≤ block end, padded by the last one."""
    number = np.arange(spec.n_blocks)
    start = number[:, None] * spec.block
    offset = number[:, None] % spec.blocks_per_chunk * spec.block
    first = start // spec.arb + 1
    last = (start + spec.block) // spec.arb
    index = np.minimum(first + np.arange(-(-spec.block // spec.arb)), last)
    bar = index * spec.arb
    log_price = np.log(_with_end(window))
    previous = np.concatenate([first - 1, index[:, :-1]], axis=1) * spec.arb
    return ArbitrageInputs(
        tau=_per_day((offset + bar - start).astype(np.float64), spec),
        log_ratio=_per_day(log_price[bar] - log_price[previous], spec),
        before_end=_per_day(((start + spec.block - 1) // spec.arb - first + 1)[:, 0], spec),
        happens=_per_day((last >= first)[:, 0], spec),
    )


def _day_inputs(window: Prices, spec: SimulationSpec, external: ExternalBars) -> DayInputs:
    boundary = np.arange(spec.n_days + 1) * spec.bars_per_day
    end = boundary[1:] - 1
    padded = _with_end(window)

    def last_arbitrage(bar: NDArray[np.int64]) -> NDArray[np.int64]:
        return bar // spec.arb * spec.arb

    supply = external.supply
    return DayInputs(
        price=_as_input(padded[boundary]),
        last_price=_as_input(padded[end]),
        arb_price=_as_input(padded[last_arbitrage(boundary)]),
        before_price=_as_input(padded[last_arbitrage(end)]),
        supply=None if supply is None else _as_input(supply[np.minimum(boundary, spec.n_bars - 1)]),
        last_supply=None if supply is None else _as_input(supply[end]),
    )
