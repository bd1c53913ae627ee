"""What only minutes tell of the best trials (SPEC §12): their parameters in, worst drawdown and fee yield of train out.

Trials that are scored by daily values say nothing of these two, which decide whether a pool is to be had at all. So a
tune scores its best trials with them when it ends.
"""

from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.simulation.engine import simulate
from momentum_opt.simulation.inputs import MarketArrays, market_arrays
from momentum_opt.simulation.spec import SimulationSpec, simulation_spec
from momentum_opt.simulation.trajectory import Candidates, Settings
from momentum_opt.simulation.worst_fall import BlockPaths, worst_falls
from momentum_opt.study.candidates import ParamColumns, settings_of, stack_columns
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.programs import compiled, keepable, shapes_of
from momentum_opt.study.sharding import on_a_core
from momentum_opt.vocabulary.metrics import Cadence

MOST: Final = 64
"""How many trials are scored: one width, so that it is compiled once."""

DRAWDOWN, FEES = MINUTE_FIGURES = ("max_drawdown", "fee_yield")

Values = NDArray[np.float64]


def minute_figures(fingerprint: Fingerprint, market: Market, columns: ParamColumns) -> dict[str, Values]:
    """`MINUTE_FIGURES` of train → (candidate,), of at most `MOST` candidates.

    Raises:
        ConfigError: a period is no multiple of the market's bar.
    """
    spec = simulation_spec(
        fingerprint, bar_minutes=market.bar_minutes, burn_in_days=market.burn_in_days, external=market.external
    )
    if spec.engine == "closed_form" and spec.arb == 1:
        falls = _falls_without_costs(fingerprint, market, columns, spec)
        return {DRAWDOWN: falls, FEES: np.zeros_like(falls)}
    precision = fingerprint.device.precision
    count = next(iter(columns.values())).shape[1]
    evaluator = Evaluator(fingerprint, market, batch_size=count, precision=precision, recorded=MINUTE_FIGURES)
    train = evaluator.score_columns(columns).train
    return {name: train[name] for name in MINUTE_FIGURES}


@keepable
class _Starts(NamedTuple):
    origin: Array
    step: Array
    log_value: Array


class _Starting:
    """Where the blocks of a simulation start, of arrays alone."""

    def __init__(self, spec: SimulationSpec) -> None:
        self._spec = spec
        self.identity = repr((type(self).__name__, spec))

    def __call__(self, arrays: MarketArrays, settings: Settings, candidates: Candidates) -> _Starts:
        found: Any = simulate(self._spec, arrays, settings, candidates, Cadence.MINUTE).blocks
        return _Starts(found.chunk.origin, found.chunk.step, found.log_value)


def _falls_without_costs(
    fingerprint: Fingerprint, market: Market, columns: ParamColumns, spec: SimulationSpec
) -> Values:
    count = next(iter(columns.values())).shape[1]
    first, end = (day * spec.blocks_per_day for day in fingerprint.periods.train)
    with on_a_core():
        arguments = (
            market_arrays(market.prices, market.start_row, spec),
            settings_of(fingerprint, jnp.float64),
            jax.tree.map(jnp.asarray, stack_columns(columns, MOST, np.float64)),
        )
        starts = jax.device_get(compiled(_Starting(spec), *shapes_of(arguments), ())(*arguments))

    def of_train(values: Any) -> Values:
        return np.asarray(values).reshape(spec.n_blocks, *values.shape[2:])[first:end, ..., :count]

    origin, step, log_value = map(of_train, starts)
    offset = np.arange(first, end) % spec.blocks_per_chunk * spec.block
    moved = np.minimum(offset, spec.interpolation).astype(np.float64)
    paths = BlockPaths(origin + step * moved[:, None, None], step, log_value, spec.interpolation - moved)
    bars = market.prices[market.start_row :][first * spec.block : end * spec.block]
    return worst_falls(paths, np.log(bars).reshape(end - first, spec.block, spec.n_assets))
