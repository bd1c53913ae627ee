"""What the loop of SPEC §9 reads: prices on the bar grid in, one entry per step of every block out.

A step is an arbitrage, or every bar where more happens than arbitrage. A block holds the steps at the bars with block
start < t ≤ block end; the first bar of all, where nothing can be gained, is left out, and T, one bar after the data,
takes the last price and changes nothing that is read. Blocks with fewer steps than others are padded.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Bool, Float, Int
from momentum_opt.pool.costs import Costs
from momentum_opt.pool.outside import Span, Swaps
from momentum_opt.simulation.external_bars import ExternalBars
from momentum_opt.simulation.spec import SimulationSpec

Prices = NDArray[np.float64]


class VaryingCosts(NamedTuple):
    """Costs that are files; None where one number holds throughout."""

    fees: Float[Array, "*step"] | None = None
    gas_cost: Float[Array, "*step"] | None = None
    arb_fees: Float[Array, "*step"] | None = None

    def over(self, fixed: Costs) -> Costs:
        """The costs of a step."""
        return fixed._replace(**{name: value for name, value in self._asdict().items() if value is not None})


class Step(NamedTuple):
    """The steps of the loop; leading axes day, block and step, or none for one of them."""

    tau: Float[Array, "*step"]
    """Bars from the chunk's start."""
    price: Float[Array, "*step asset"]
    costs: VaryingCosts
    acts: Bool[Array, "*step"] | None
    """Whether the pool is arbitraged; None: at every step."""
    growth: Float[Array, "*step"] | None
    """Pool tokens there are over those at the bar before; None: their number never changes."""
    span: Span | None
    """Which outside swaps are done; None: there are none."""


class CostInputs(NamedTuple):
    """The steps of every block."""

    steps: Step
    before_end: Int[Array, "day block"]
    """How many of the block's steps are not later than its last bar."""
    length: Int[Array, "day block"]
    """How many steps the block has; the rest is padding."""
    supply: Float[Array, "day block bar"] | None
    """Pool tokens there are at each bar, as a multiple of those at bar 0; None: their number never changes."""


class WalkedSteps(NamedTuple):
    """The same as a kernel of its own walks them: those of the blocks of one day, or of all days with an axis more."""

    price: Float[Array, "*day block step asset"]
    moved: Float[Array, "*day block step"]
    """Bars that the weights have moved, min(τ, m)."""
    costs: Float[Array, "*day b s cost"]
    """In the order of `Costs`; one block and one step where they are numbers."""
    before_end: Int[Array, "*day block"]
    """How many steps are not later than the block's last bar."""
    length: Int[Array, "*day block"]
    """How many steps there are."""


class StartSwaps(NamedTuple):
    """All outside swaps, and what minute 0 needs to do its own: it has no step."""

    swaps: Swaps
    span: Span
    costs: VaryingCosts
    """Of minute 0."""


def cost_inputs(window: Prices, spec: SimulationSpec, external: ExternalBars) -> CostInputs:
    """Build the steps of `spec` from the prices (time, asset) of the simulated window."""
    number = np.arange(spec.n_blocks)
    start = number[:, None] * spec.block
    first = start // spec.stride + 1
    last = (start + spec.block) // spec.stride
    index = first + np.arange(-(-spec.block // spec.stride))
    bar = np.minimum(index, last) * spec.stride
    offset = number[:, None] % spec.blocks_per_chunk * spec.block
    known = np.minimum(bar, spec.n_bars - 1)

    def per_day(values: NDArray[np.generic]) -> Array:
        return _per_day(values, spec)

    steps = Step(
        tau=per_day((offset + bar - start).astype(np.float64)),
        price=per_day(window[known]),
        costs=VaryingCosts(**{name: per_day(values[known]) for name, values in external.costs.items()}),
        acts=None if spec.stride == spec.arb else per_day(bar % spec.arb == 0),
        growth=None if external.supply is None else per_day(_growth(external.supply)[bar]),
        span=None if external.trades is None else Span(*map(per_day, _span(external.trades.bar, bar, spec))),
    )
    return CostInputs(
        steps=steps,
        before_end=per_day(((start + spec.block - 1) // spec.stride - first + 1)[:, 0]),
        length=per_day((last - first + 1)[:, 0]),
        supply=None if external.supply is None else per_day(external.supply.reshape(spec.n_blocks, spec.block)),
    )


def start_swaps(external: ExternalBars) -> StartSwaps | None:
    """The list of outside swaps; None where there is no such file.

    A file without one in the window gives a list of one that no bar does: a list of none could not be read from.
    """
    trades = external.trades
    if trades is None:
        return None
    none = (0, int(not len(trades.bar)))
    swaps = Swaps(*(jnp.asarray(np.pad(x, none)) for x in (trades.token_in, trades.token_out, trades.amount)))
    at_start = Span(jnp.asarray(0), jnp.asarray(int((trades.bar == 0).sum())))
    return StartSwaps(
        swaps, at_start, VaryingCosts(**{name: jnp.asarray(values[0]) for name, values in external.costs.items()})
    )


def swap_spans(external: ExternalBars, spec: SimulationSpec) -> Span | None:
    """(time,) which swaps are each bar's."""
    if external.trades is None:
        return None
    return Span(*map(jnp.asarray, _span(external.trades.bar, np.arange(spec.n_bars), spec)))


def step_bars(spec: SimulationSpec) -> NDArray[np.int64]:
    """(day, block, step) the bar of every step, as `cost_inputs` lays them out."""
    first = np.arange(spec.n_blocks)[:, None] * spec.block // spec.stride + 1
    bar = (first + np.arange(-(-spec.block // spec.stride))) * spec.stride
    return bar.reshape(spec.n_days, spec.blocks_per_day, -1)


def _growth(supply: NDArray[np.float64]) -> NDArray[np.float64]:
    """(time + 1,) supply over the one a bar before; 1 at bar 0 and at T."""
    return np.concatenate([[1.0], supply[1:] / supply[:-1], [1.0]])


def _span(
    trade_bar: NDArray[np.int64], bar: NDArray[np.int64], spec: SimulationSpec
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First swap and number of swaps at each of `bar`; none at T."""
    edges = trade_bar.searchsorted(np.arange(spec.n_bars + 2))
    return edges[bar], edges[bar + 1] - edges[bar]


def _per_day(values: NDArray[np.generic], spec: SimulationSpec) -> Array:
    return jnp.asarray(values.reshape(spec.n_days, spec.blocks_per_day, *values.shape[1:]))


def walked_steps(inputs: CostInputs, fixed: Costs, spec: SimulationSpec) -> WalkedSteps:
    """The steps of all days for a kernel, with costs that are numbers taken from `fixed`."""
    tau = inputs.steps.tau
    shape = tau.shape if any(value is not None for value in inputs.steps.costs) else (tau.shape[0], 1, 1)
    return WalkedSteps(
        price=inputs.steps.price,
        moved=jnp.minimum(tau, float(spec.interpolation)),
        costs=jnp.stack([jnp.broadcast_to(value, shape) for value in inputs.steps.costs.over(fixed)], axis=-1),
        before_end=inputs.before_end.astype(jnp.int32),
        length=inputs.length.astype(jnp.int32),
    )
