"""The minutes of the closed form (SPEC §8) as machine code: starts of blocks in, what is watched of every day out.

Without costs a block is rebuilt from its first bar: the value grows by e^(Σ w ℓ − Σ w′ log(w′/w)) from bar to bar. XLA
would keep every bar of all candidates between one operation and the next; here a tile of candidates walks through a
block in registers and the first-level cache, and only what is watched (`watch`) leaves it. The growth is not written a
second time: the kernel's source is made of the traced formula of `pool/arbitrage.py`.
"""

from functools import lru_cache
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array
from momentum_opt.pool.arbitrage import small_token_growth
from momentum_opt.simulation.block_bars import SMALL_GROWTH, exp_series
from momentum_opt.simulation.minute_kernel import LANES, TILE
from momentum_opt.simulation.numba_source import (
    Compiler,
    Kernel,
    array_of,
    indented,
    integer,
    nothing_of,
    one_compiles,
    why_no,
)
from momentum_opt.simulation.straight_line import straight_line
from momentum_opt.simulation.watch import Row, Step, Watch, begin_day, watch_lines

Values = NDArray[np.float64]

_LARGEST_COST: Final = 0.01
"""No step of the closed form, whose weights move by a twentieth at most, costs more of the log value."""


class FreeBars(NamedTuple):
    """Prices as the kernel reads them; C contiguous."""

    log_ratio: Values
    """(block, step, asset) ℓ, from each bar to the next one; to minute T, which has no price, 0."""
    ratio: Values
    """(block, step, asset) e^ℓ."""
    large: NDArray[np.int64]
    """(block, step) 1 where a value may grow by more than the short series serves."""
    moving: NDArray[np.int64]
    """(block,) bars that the weights still move."""


class FreeStarts(NamedTuple):
    """Candidates at the first bars of blocks; C contiguous."""

    weights: Values
    """(block, asset, candidate)"""
    step: Values
    """(block, asset, candidate) per bar, while they move."""
    value: Values
    """(block, candidate)"""


def free_bars(window: Values, block: int, moving: NDArray[np.int64]) -> FreeBars:
    """The prices of a simulation.

    Args:
        window: (bar, asset) prices, whole blocks of them.
        block: bars of a block.
        moving: (block,) bars that the weights still move.
    """
    ratio = np.ones_like(window)
    ratio[:-1] = window[1:] / window[:-1]
    ratio = ratio.reshape(-1, block, window.shape[1])
    log_ratio = np.diff(np.log(np.vstack([window, window[-1:]])), axis=0).reshape(ratio.shape)
    large = np.abs(log_ratio).max(axis=2) > SMALL_GROWTH - _LARGEST_COST
    return FreeBars(log_ratio, ratio, large.astype(np.int64), np.ascontiguousarray(moving, np.int64))


def walk_free(
    bars: FreeBars, starts: FreeStarts, exchange_cost: float, blocks_per_day: int, watch: Watch
) -> tuple[Values, Values]:
    """Run all candidates through all blocks, on the calling thread alone and without Python's lock.

    Returns:
        (day, row, candidate) the rows of the watch at each day's last bar, and one step later.

    Raises:
        ValueError: the number of candidates is no multiple of `LANES`.
    """
    blocks, assets, candidates = starts.weights.shape
    if candidates % LANES:
        raise ValueError(f"{candidates} candidates are no multiple of {LANES}")
    shape = blocks // blocks_per_day, len(watch.rows), candidates
    inside, after = np.empty(shape), np.empty(shape)
    with one_compiles:
        kernel = _compiled(assets, watch)
    kernel(*bars, *starts, np.array([exchange_cost]), blocks_per_day, inside, after)
    return inside, after


def why_not_free(n_assets: int, watch: Watch) -> str | None:
    """Why there can be no kernel for `n_assets` tokens on this machine; None where there is one, compiled by then."""
    return why_no(lambda: _compiled(n_assets, watch))


@lru_cache
def _compiled(n_assets: int, watch: Watch) -> Kernel:
    return COMPILER.compiled(_source(n_assets, watch))


def _signature() -> Any:
    read = [array_of(3), array_of(3), array_of(2, counts=True), array_of(1, counts=True)]
    starts = [array_of(3), array_of(3), array_of(2)]
    return nothing_of(*read, *starts, array_of(1), integer(), *[array_of(3, readonly=False)] * 2)


COMPILER: Final = Compiler(_signature)


def _source(n: int, watch: Watch) -> str:
    row = _rows(n, watch)
    return _MODULE.format(
        tile=TILE, n=n, rows=len(watch.rows), value=2 * n + watch.rows.index("value"),
        begin_day=indented(begin_day(row, watch), 5),
        prices=indented([f"l{i}, x{i} = log_ratio[block, bar, {i}], ratio[block, bar, {i}]" for i in range(n)], 4),
        short=indented(_growth_lines(n, exact=False), 6), exact=indented(_growth_lines(n, exact=True), 6),
        watched=indented([*_weight_lines(n), *watch_lines(row, watch, _step(n))], 5),
    )  # fmt: skip


def _rows(n: int, watch: Watch) -> Row:
    """Where the watch stands in the state of a lane, behind weights at the block's start and their steps."""
    return lambda name: f"state[{2 * n + watch.rows.index(name)}, lane]"


def _weight_lines(n: int) -> list[str]:
    """Weights b_i before a step and w_i after it."""
    return [
        line
        for i in range(n)
        for line in (
            f"b{i} = state[{i}, lane] + state[{n + i}, lane] * before",
            f"w{i} = state[{i}, lane] + state[{n + i}, lane] * behind",
        )
    ]


def _growth_lines(n: int, *, exact: bool) -> list[str]:
    """What the value of a lane is multiplied by in a step, from its weights and the log ratios l_i."""

    def formula(*numbers: Array) -> Array:
        before, after, log_ratio = (numbers[k * n : (k + 1) * n] for k in range(3))
        parts = [small_token_growth(*one) for one in zip(before, after, log_ratio, strict=True)]
        growth = sum(parts[1:], parts[0])
        return jnp.exp(growth) if exact else exp_series(growth)

    names = [f"{letter}{i}" for letter in "bwl" for i in range(n)]
    prefix = "exact_" if exact else "short_"
    lines, (factor,) = straight_line(jax.make_jaxpr(formula)(*[jnp.ones(())] * len(names)), names, prefix=prefix)
    return [*_weight_lines(n), *lines, f"grown[lane] = {factor}"]


def _step(n: int) -> Step:
    """Perfect arbitrage: R_i p_i = w_i V at every bar; price ratios x_i."""

    def over_tokens(term: str) -> str:
        return " + ".join(term.format(i=i) for i in range(n))

    return Step(
        now="then * grown[lane]",
        traded=over_tokens("abs(w{i} * now - b{i} * x{i} * then)"),
        gross=over_tokens("b{i} * x{i}"),
        rebalanced=over_tokens("abs(w{i} * gross - b{i} * x{i})"),
        income="0.0",
        shares=over_tokens("abs(w{i} - b{i})"),
    )


_MODULE = '''"""Made by momentum_opt.simulation.free_kernel, and KEEP by what compiles it."""

import math

import numpy as np
from numba import njit

TILE, N, ROWS = {tile}, {n}, {rows}


@njit
def choose(first_one, one, other):
    """A call, as a branch in every line would make Numba slow."""
    return one if first_one else other


# A product and a sum may be one instruction; nothing else may be changed, NaN least of all.
@njit(nogil=True, error_model="numpy", fastmath={{"contract"}}, cache=KEEP)
def walk(log_ratio, ratio, large, moving, weights, step, value_of, exchange_cost, blocks_per_day, inside, after):
    exchange = exchange_cost[0]
    blocks, bars, candidates = log_ratio.shape[0], log_ratio.shape[1], weights.shape[2]
    state, at_last_bar = np.empty((2 * N + ROWS, TILE)), np.empty((ROWS, TILE))
    grown = np.empty(TILE)
    for begin in range(0, candidates, TILE):
        lanes = min(TILE, candidates - begin)
        for block in range(blocks):
            for i in range(N):
                for lane in range(lanes):
                    state[i, lane] = weights[block, i, begin + lane]
                    state[N + i, lane] = step[block, i, begin + lane]
            if block % blocks_per_day == 0:
                for lane in range(lanes):
                    value = value_of[block, begin + lane]
                    {begin_day}
            for lane in range(lanes):
                state[{value}, lane] = value_of[block, begin + lane]
            for bar in range(bars):
                if bar == bars - 1:
                    for i in range(ROWS):
                        for lane in range(lanes):
                            at_last_bar[i, lane] = state[2 * N + i, lane]
                before, behind = float(min(bar, moving[block])), float(min(bar + 1, moving[block]))
                {prices}
                if large[block, bar]:
                    for lane in range(lanes):
                        {exact}
                else:
                    for lane in range(lanes):
                        {short}
                for lane in range(lanes):
                    {watched}
            if block % blocks_per_day == blocks_per_day - 1:
                day = block // blocks_per_day
                for i in range(ROWS):
                    for lane in range(lanes):
                        inside[day, i, begin + lane] = at_last_bar[i, lane]
                        after[day, i, begin + lane] = state[2 * N + i, lane]
'''
