"""The loop over the minutes (SPEC §9) as machine code of its own: weights of every block in, reserves of every day out.

XLA runs each operation of a minute over all candidates before the next; here a tile of candidates stays in registers
and the first-level cache while it walks through a block. The arbitrage is not written a second time: the kernel's
source is made of the traced formula of `pool/costs.py`, kept in the user's cache and compiled by Numba, once per number
of tokens. A block whose trades are too large for the short series is run again with the exact functions, and the
candidates that need it take that result, as in the XLA loop.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array
from momentum_opt.pool.costs import Costs, Trade, arbitrage_minute
from momentum_opt.pool.series import EXACT, SHORT, SMALL, Functions
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

TILE = 64
"""Candidates that walk through a block together."""

LANES = 8
"""A tile is filled up to a multiple of this, so that its loops are whole vectors."""

Values = NDArray[np.float64]
Counts = NDArray[np.int64]


class Walk(NamedTuple):
    """What the kernel reads; candidates last, C contiguous."""

    origin: Values
    """(block, asset, candidate) weights at the start of the block's chunk."""
    move: Values
    """(block, asset, candidate) change of the weights per bar."""
    first_reserves: Values
    """(asset, candidate) before the first step."""
    price: Values
    """(block, step, asset)"""
    moved: Values
    """(block, step) bars that the weights have moved, min(τ, m)."""
    costs: Values
    """(block, step, cost) in the order of `Costs`; one block and one step where they are numbers."""
    before_end: Counts
    """(block,) how many steps are not later than the block's last bar."""
    length: Counts
    """(block,) how many steps there are."""
    first_price: Values
    """(asset,) at bar 0."""
    exchange_cost: Values
    """(1,) what V^R pays on the exchange."""


class Walked(NamedTuple):
    """Reserves at the end of each day, and at its last bar; (day, asset, candidate)."""

    reserves: Values
    before: Values
    inside: Values
    """(day, row, candidate) the rows of the watch at the day's last bar."""
    after: Values
    """(day, row, candidate) the same one step later, at the first bar of the next day."""


def walk(inputs: Walk, trade: Trade, blocks_per_day: int, watch: Watch) -> Walked:
    """Run all candidates through all blocks, on the calling thread alone and without Python's lock.

    Raises:
        ValueError: the number of candidates is no multiple of `LANES`.
    """
    blocks, assets, candidates = inputs.origin.shape
    if candidates % LANES:
        raise ValueError(f"{candidates} candidates are no multiple of {LANES}")
    days, rows = blocks // blocks_per_day, len(watch.rows)
    found = Walked(*(np.empty((days, height, candidates)) for height in (assets, assets, rows, rows)))
    with one_compiles:
        kernel = _compiled(assets, trade, watch)
    kernel(*inputs, blocks_per_day, *found)
    return found


def why_not(n_assets: int, trade: Trade, watch: Watch) -> str | None:
    """Why there can be no kernel for `n_assets` tokens on this machine; None where there is one, compiled by then."""
    return why_no(lambda: _compiled(n_assets, trade, watch))


class UnitCosts(Costs):
    """Costs whose fusion barrier is the constant 1, which costs a kernel nothing."""

    @property
    def unit(self) -> Array:
        """The constant."""
        return jnp.ones(())


@lru_cache
def _compiled(n_assets: int, trade: Trade, watch: Watch) -> Kernel:
    """The kernel for `n_assets` tokens."""
    return COMPILER.compiled(_source(n_assets, trade, watch))


_AXES: Final = {
    "origin": 3, "move": 3, "first_reserves": 2, "price": 3, "moved": 2, "costs": 3, "first_price": 1,
    "exchange_cost": 1,
}  # fmt: skip
"""Of the floating arrays of `Walk`; the others are counts along one axis."""


def _signature() -> Any:
    """Types of the kernel's arguments: `Walk`, which may be read-only, blocks per day, `Walked`."""
    read = [array_of(_AXES[name]) if name in _AXES else array_of(1, counts=True) for name in Walk._fields]
    written = [array_of(3, readonly=False)] * len(Walked._fields)
    return nothing_of(*read, integer(), *written)


COMPILER: Final = Compiler(_signature)


def _source(n_assets: int, trade: Trade, watch: Watch) -> str:
    """One function, as a function of several would be optimised once for each that calls it."""
    short = _block_lines("state", "at_last_bar", n_assets, trade, SHORT, watch)
    exact = _block_lines("again", "exactly", n_assets, trade, EXACT._replace(stacked=False), watch)
    return _MODULE.format(
        tile=TILE, small=SMALL, n=n_assets, rows=len(watch.rows), short=indented(short, 3), exact=indented(exact, 4),
        costs=indented([f"{cost} = costs[0, 0, {k}]" for k, cost in enumerate(Costs._fields)], 1),
        first_value=" + ".join(f"first[{i}, begin + lane] * first_price[{i}]" for i in range(n_assets)),
        begin_day=indented(begin_day(_rows("state", n_assets, watch), watch), 4),
        end_day=indented(_end_day(n_assets, watch), 6),
    )  # fmt: skip


def _rows(state: str, n: int, watch: Watch) -> Row:
    """Where the watch stands in the state of a lane, behind the rows of the pool."""
    return lambda name: f"{state}[{4 * n + 1 + watch.rows.index(name)}, lane]"


def _end_day(n: int, watch: Watch) -> list[str]:
    """The watch at the first bar of the next day."""
    if not watch.rows:
        return ["pass"]
    row = _rows("state", n, watch)
    return [f"value = {row('value')}", *begin_day(row, watch)]


def _step(reserves: Sequence[str], income: str) -> Step:
    """A step from reserves r_i at prices q_i and weights b_i to these, p_i and w_i."""

    def over_tokens(term: str) -> str:
        return " + ".join(term.format(i=i, new=new) for i, new in enumerate(reserves))

    return Step(
        now=over_tokens("{new} * p{i}"),
        traded=over_tokens("abs({new} - r{i}) * p{i}"),
        gross=over_tokens("b{i} * x{i}"),
        rebalanced=over_tokens("abs(w{i} * gross - b{i} * x{i})"),
        income=income,
        shares=over_tokens("abs({new} * p{i} * over_now - r{i} * q{i} * over_then)"),
    )


def _block_lines(state: str, at_last_bar: str, n: int, trade: Trade, functions: Functions, watch: Watch) -> list[str]:
    """All steps of a block for a tile.

    The rows of `state` are reserves, weights at the last arbitrage, the block's origins and moves, the largest z met,
    and those of the watch.
    """

    def rows(letter: str) -> list[str]:
        return [f"{letter}{i}" for i in range(n)]

    def formula(*numbers: Any) -> tuple[Any, ...]:
        reserves, prices, before, weights = (numbers[k * n : (k + 1) * n] for k in range(4))
        outcome = arbitrage_minute(reserves, prices, before, weights, UnitCosts(*numbers[4 * n :]), trade, functions)
        income = (outcome.income.liquidity_providers,) if watch.flows else ()
        return (*outcome.reserves, outcome.reach, *income)

    names = [*rows("r"), *rows("p"), *rows("b"), *rows("w"), *Costs._fields]
    lines, results = straight_line(jax.make_jaxpr(formula)(*[jnp.ones(())] * len(names)), names, prefix=f"{state}_")
    reserves, reach, income = results[:n], results[n], results[-1]
    one_lane = [
        *(f"r{i} = {state}[{i}, lane]" for i in range(n)),
        *(f"b{i} = {state}[{n + i}, lane]" for i in range(n)),
        *(f"w{i} = {state}[{2 * n + i}, lane] + {state}[{3 * n + i}, lane] * bars" for i in range(n)),
        *lines,
        *(f"{state}[{i}, lane] = {reserve}" for i, reserve in enumerate(reserves)),
        *(f"{state}[{n + i}, lane] = w{i}" for i in range(n)),
        f"reach = {state}[{4 * n}, lane]",
        f"{state}[{4 * n}, lane] = choose({reach} > reach, {reach}, reach)",
        *watch_lines(_rows(state, n, watch), watch, _step(reserves, income)),
    ]
    keep = ["for i in range(N):", "    for lane in range(lanes):", f"        {at_last_bar}[i, lane] = {state}[i, lane]"]
    if watch.rows:
        row = f"        {at_last_bar}[N + i, lane] = {state}[4 * N + 1 + i, lane]"
        keep += ["for i in range(ROWS):", "    for lane in range(lanes):", row]
    before = [
        f"q{i} = first_price[{i}] if block == 0 else price[block - 1, length[block - 1] - 1, {i}]" for i in range(n)
    ]
    return [
        *keep,
        *(before if watch.rows else []),
        "for step in range(length[block]):",
        "    bars = moved[block, step]",
        *(f"    p{i} = price[block, step, {i}]" for i in range(n)),
        *(f"    x{i} = p{i} / q{i}" for i in range(n) if watch.rows),
        "    if varies:",
        *(f"        {cost} = costs[block, step, {k}]" for k, cost in enumerate(Costs._fields)),
        "    for lane in range(lanes):",
        *("        " + line for line in one_lane),
        *(f"    q{i} = p{i}" for i in range(n) if watch.rows),
        "    if step == before_end[block] - 1:",
        *("        " + line for line in keep),
    ]


_MODULE = '''"""Made by momentum_opt.simulation.minute_kernel, which says as well whether to KEEP what is compiled."""

import math

import numpy as np
from numba import njit

TILE, SMALL, N, ROWS = {tile}, {small!r}, {n}, {rows}


@njit
def choose(first_one, one, other):
    """A call, as a branch in every line would make Numba slow."""
    return one if first_one else other


# A product and a sum may be one instruction; nothing else may be changed, NaN least of all.
@njit(nogil=True, error_model="numpy", fastmath={{"contract"}}, cache=KEEP)
def walk(
    origin, move, first, price, moved, costs, before_end, length, first_price, exchange_cost, blocks_per_day,
    reserves, before, inside, after,
):
    exchange = exchange_cost[0]
    blocks, candidates = origin.shape[0], origin.shape[2]
    varies = costs.shape[0] > 1 or costs.shape[1] > 1
    {costs}
    height = 4 * N + 1 + ROWS
    state, again = np.empty((height, TILE)), np.empty((height, TILE))
    at_last_bar, exactly = np.empty((N + ROWS, TILE)), np.empty((N + ROWS, TILE))
    for begin in range(0, candidates, TILE):
        lanes = min(TILE, candidates - begin)
        for i in range(N):
            for lane in range(lanes):
                state[i, lane] = first[i, begin + lane]
                state[N + i, lane] = origin[0, i, begin + lane]
        if ROWS:
            for lane in range(lanes):
                value = {first_value}
                {begin_day}
        for block in range(blocks):
            for lane in range(lanes):
                whole = 0.0
                for i in range(N):
                    state[2 * N + i, lane] = origin[block, i, begin + lane]
                    state[3 * N + i, lane] = move[block, i, begin + lane]
                    whole += state[2 * N + i, lane] + state[3 * N + i, lane]
                state[4 * N, lane] = 0.0
                if not math.isfinite(whole):  # no trade would be found, and the pool would look like holding
                    for i in range(N):
                        state[i, lane] = np.nan
            for row in range(height):
                for lane in range(lanes):
                    again[row, lane] = state[row, lane]
            {short}
            largest = 0.0
            for lane in range(lanes):
                largest = max(largest, state[4 * N, lane])
            if largest > SMALL:
                {exact}
                for lane in range(lanes):
                    if state[4 * N, lane] > SMALL:
                        for i in range(N):
                            state[i, lane] = again[i, lane]
                            at_last_bar[i, lane] = exactly[i, lane]
                        for i in range(ROWS):
                            state[4 * N + 1 + i, lane] = again[4 * N + 1 + i, lane]
                            at_last_bar[N + i, lane] = exactly[N + i, lane]
            if block % blocks_per_day == blocks_per_day - 1:
                day = block // blocks_per_day
                for i in range(N):
                    for lane in range(lanes):
                        reserves[day, i, begin + lane] = state[i, lane]
                        before[day, i, begin + lane] = at_last_bar[i, lane]
                for i in range(ROWS):
                    for lane in range(lanes):
                        inside[day, i, begin + lane] = at_last_bar[N + i, lane]
                        after[day, i, begin + lane] = state[4 * N + 1 + i, lane]
                if ROWS:
                    for lane in range(lanes):
                        {end_day}
'''
