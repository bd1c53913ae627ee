"""The arbitrage of SPEC §9, one at a time, against the oracle's scalar arithmetic and its laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentum_opt.pool.costs import Costs, Outcome, arbitrage_once
from momentum_opt.pool.series import EXACT, SHORT, SMALL, Functions
from momentum_opt.pool.swap import Swap, all_tokens, best_pair
from tests.reference import arbitrage

SIZES = st.sampled_from([1e-9, 1e-6, 1e-4, 1e-3, 1e-2, 0.3])
FUNCTIONS = pytest.mark.parametrize("functions", [SHORT, EXACT], ids=["short", "exact"])


def pools(size: float, n: int, seed: int, count: int = 64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(asset, pool) reserves, prices and weights whose prices are about `size` off in the logarithm."""
    generator = np.random.default_rng(seed)
    weights = 0.02 + (1.0 - 0.02 * n) * generator.dirichlet(np.ones(n), count).T
    prices = np.exp(generator.uniform(-3.0, 8.0, (n, count)))
    reserves = 1e6 * weights / prices * np.exp(generator.uniform(-size, size, (n, count)))
    return reserves, prices, weights


def swap_of(reserves, prices, weights, fee: float, functions: Functions) -> Swap:
    worth = tuple(jnp.asarray(reserves * prices / weights))
    tokens = tuple(jnp.asarray(weights))
    if fee == 0.0:
        return all_tokens(worth, tokens, functions)
    return best_pair(worth, tokens, jnp.asarray(1.0 - fee), jnp.asarray(1.0), functions)


def costs(fees: float = 0.003, gas: float = 0.0, arb: float = 0.0, noise: float = 0.0, split: float = 0.0) -> Costs:
    return Costs(*(jnp.asarray(value) for value in (fees, gas, arb, noise, split)))


def once(pool, terms: Costs) -> Outcome:
    tokens = (tuple(jnp.asarray(part)) for part in pool)
    return arbitrage_once(*tokens, terms, "pair" if float(terms.fees) > 0.0 else "all", EXACT)


@given(st.floats(-SMALL, SMALL))
def test_short_series_equal_the_exact_functions(z: float) -> None:
    for short, exact, reach in zip(SHORT[1:], EXACT[1:], (1.0, 2.0, 2.0), strict=True):
        at = jnp.asarray(reach * z)
        assert float(short(at)) == pytest.approx(float(exact(at)), rel=1e-14, abs=1e-300)


def test_curvature_has_no_seam() -> None:
    x = np.array([0.0999999, 0.1000001, -0.0999999, -0.1000001, 3.0, -3.0])
    np.testing.assert_allclose(EXACT.curvature(jnp.asarray(x)), 2 * (np.expm1(-x) + x) / x**2, rtol=1e-13)


@FUNCTIONS
@given(SIZES, st.integers(2, 8), st.sampled_from([0.0, 1e-5, 0.003, 0.1]), st.integers(0, 99))
@settings(max_examples=60)
def test_swap_equals_the_oracle(functions: Functions, size: float, n: int, fee: float, seed: int) -> None:
    reserves, prices, weights = pools(size, n, seed, 8)
    swap = swap_of(reserves, prices, weights, fee, functions)
    for lane in range(reserves.shape[1]):
        if functions is SHORT and swap.reach[lane] > SMALL:
            continue
        given_pool = [part[:, lane].tolist() for part in (reserves, prices, weights)]
        wanted = arbitrage.best_pair_swap(*given_pool, 1.0 - fee) if fee else arbitrage.zero_fee_swap(*given_pool)
        changes = np.array([change[lane] for change in swap.changes])
        if wanted is None:
            assert not changes.any()
            continue
        np.testing.assert_allclose(changes, np.array(wanted.changes) / reserves[:, lane], rtol=1e-11, atol=2e-15)
        value = (reserves * prices)[:, lane].sum()
        assert float(swap.profit[lane]) == pytest.approx(
            wanted.profit, rel=1e-6 if size < 1e-6 else 1e-9, abs=1e-24 * value
        )


@given(
    SIZES, st.sampled_from([2, 3, 8]), st.sampled_from([0.0, 0.003, 0.05]), st.sampled_from([0.0, 0.5, 300.0]),
    st.sampled_from([0.0, 5e-4, 0.02]), st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=40)
def test_no_accepted_arbitrage_loses_money(size: float, n: int, fee: float, gas: float, arb: float, seed: int) -> None:
    """Net of gas and of what moving the tokens costs elsewhere; what is refused leaves every reserve as it is."""
    pool = pools(size, n, seed)
    after = np.stack(once(pool, costs(fees=fee, gas=gas, arb=arb)).reserves)
    change = (after - pool[0]) * pool[1]
    traded = np.any(after != pool[0], axis=0)
    net = -change.sum(axis=0) - gas - 0.5 * arb * np.abs(change).sum(axis=0)
    assert (net[traded] >= -1e-6).all()
    assert np.array_equal(after[:, ~traded], pool[0][:, ~traded])


def pair_profits(pool, gamma: float) -> np.ndarray:
    """(in, out, pool) profit of every pair by the oracle, one pair at a time."""
    reserves, prices, weights = pool
    n, count = reserves.shape
    found = np.zeros((n, n, count))
    for lane in range(count):
        for i in range(n):
            for j in range(n):
                if i != j:
                    # A pool of the two alone: SPEC's trade of a pair depends on nothing else.
                    two = [part[[i, j], lane].tolist() for part in (reserves, prices, weights)]
                    swap = arbitrage.best_pair_swap(*two, gamma)
                    if swap is not None and swap.changes[0] > 0.0:
                        found[i, j, lane] = swap.profit
    return found


@given(SIZES, st.sampled_from([2, 3, 4]), st.sampled_from([1e-4, 0.003, 0.05]), st.integers(0, 99))
@settings(max_examples=30)
def test_an_arbitraged_pair_offers_no_more(size: float, n: int, fee: float, seed: int) -> None:
    """The pair that was traded, in both directions; with three tokens and more others may still offer something."""
    pool = tuple(part[:, :8] for part in pools(size, n, seed))
    before = pair_profits(pool, 1.0 - fee)
    after = np.stack(once(pool, costs(fees=fee)).reserves)
    left = pair_profits((after, *pool[1:]), 1.0 - fee)
    for lane in range(8):
        moved = np.flatnonzero(after[:, lane] != pool[0][:, lane])
        assert len(moved) in (0, 2)
        if not len(moved):
            assert before[..., lane].max() <= 1e-15 * 1e6
            continue
        i, j = moved
        best = before[..., lane].max()
        assert max(before[i, j, lane], before[j, i, lane]) >= best * (1.0 - 1e-6)
        assert max(left[i, j, lane], left[j, i, lane]) <= 1e-9 * best + 1e-15 * 1e6


@given(SIZES, st.integers(3, 8), st.sampled_from([0.0, 0.003]), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_permuting_tokens_permutes_the_result(size: float, n: int, fee: float, random) -> None:
    pool = pools(size, n, random.randrange(100))
    order = random.sample(range(n), n)
    terms = costs(fees=fee, gas=1.0, noise=1.5, split=0.25)
    plain, moved = once(pool, terms), once([part[order] for part in pool], terms)
    np.testing.assert_allclose(np.stack(moved.reserves), np.stack(plain.reserves)[order], rtol=1e-13)
    for one, other in zip(moved.income, plain.income, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def test_fees_leave_and_stay_as_told() -> None:
    pool = pools(0.05, 3, 0)
    plain, shared = once(pool, costs()), once(pool, costs(split=0.25, noise=2.0))
    inflow = np.maximum(np.stack(plain.reserves) - pool[0], 0.0) * pool[1]
    np.testing.assert_allclose(plain.income.liquidity_providers, 0.003 * inflow.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(shared.income.protocol, 0.25 * 0.003 * inflow.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(shared.income.liquidity_providers, 0.75 * 3.0 * 0.003 * inflow.sum(axis=0), rtol=1e-12)
    gained = (np.stack(shared.reserves) - np.stack(plain.reserves)) * pool[1]
    earned = shared.income.liquidity_providers - shared.income.liquidity_providers / 3.0 - shared.income.protocol
    np.testing.assert_allclose(gained.sum(axis=0), earned, rtol=1e-8)


def test_a_lane_without_numbers_stays_alone() -> None:
    reserves, prices, weights = pools(0.05, 3, 0)
    broken = np.array(weights)
    broken[:, 3] = np.nan
    found = jax.tree.map(np.asarray, once((reserves, prices, broken), costs()))
    wanted = once((reserves, prices, weights), costs())
    rest = np.arange(64) != 3
    for one, other in zip(found.reserves, wanted.reserves, strict=True):
        assert np.array_equal(one[rest], np.asarray(other)[rest])
