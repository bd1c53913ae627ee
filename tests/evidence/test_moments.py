"""Central sums against scipy on the whole sample, however it is cut."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from momentum_opt.evidence.moments import Moments, block_moments, combined, moments_of
from momentum_opt.study.block_sums import (
    ROWS,
    as_columns,
    block_lengths,
    block_sums,
    column_names,
    decoded,
    encoded,
    with_counts,
)


def returns(days: int, candidates: int, seed: int = 0) -> np.ndarray:
    return 0.001 + 0.02 * np.random.default_rng(seed).standard_t(5, (days, candidates))


def test_moments_are_scipys():
    values = returns(300, 4)
    found = moments_of(values)
    np.testing.assert_allclose(found.sharpe, values.mean(axis=0) / values.std(axis=0), rtol=1e-14)
    np.testing.assert_allclose(found.skewness, stats.skew(values), rtol=1e-12)
    np.testing.assert_allclose(found.kurtosis, stats.kurtosis(values, fisher=False), rtol=1e-12)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(0, 99))
def test_however_the_days_are_cut_the_whole_comes_back(lengths: list[int], seed: int):
    values = returns(sum(lengths), 2, seed) + 50.0  # a mean far from zero, where careless sums lose their digits
    pieces = np.split(values, np.cumsum(lengths)[:-1])
    parts = Moments(*(np.stack(column) for column in zip(*map(moments_of, pieces), strict=True)))
    for found, wanted in zip(combined(parts), moments_of(values), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def test_what_does_not_vary_has_no_ratio():
    still = moments_of(np.full((10, 1), 0.5))
    assert np.isnan(still.sharpe).all()
    assert np.isnan(still.skewness).all()


@pytest.mark.parametrize("days", [291, 288, 17, 16, 9])
def test_block_sums_are_the_moments_of_the_days_in_each_block(days: int):
    """16 equal blocks, oldest first; what they leave out at the old end is the last column."""
    values, baseline = returns(days, 3), returns(days, 1, seed=1)[:, 0]
    log_value = np.concatenate([np.zeros((1, 3)), np.cumsum(values, axis=0)]) + 13.8
    log_baseline = np.concatenate([[0.0], np.cumsum(baseline)]) + 2.0
    sums = with_counts(np.asarray(block_sums(jnp.asarray(log_value), jnp.asarray(log_baseline), 16)), days)
    length, rest = divmod(days, 16)
    assert block_lengths(days, 16) == [length] * 16 + [rest]
    places = [slice(rest + length * block, rest + length * (block + 1)) for block in range(16)] + [slice(0, rest)]
    for excess, series in ((False, values), (True, values - baseline[:, None])):
        found = block_moments(sums, excess=excess)
        for column, place in enumerate(places):
            one = series[place]
            assert (found.n[column] == len(one)).all()
            if len(one):
                for mine, wanted in zip(found, moments_of(one), strict=True):
                    np.testing.assert_allclose(mine[column], wanted, rtol=1e-9, atol=1e-15)
        whole = combined(found)
        np.testing.assert_allclose(whole.sharpe, moments_of(series).sharpe, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(whole.kurtosis, moments_of(series).kurtosis, rtol=1e-9)


def test_sums_as_text_and_as_columns_are_the_same_numbers():
    sums = np.random.default_rng(0).standard_normal((5, len(ROWS), 17))
    np.testing.assert_array_equal(decoded(encoded(sums[3])), sums[3])
    columns = as_columns(sums)
    assert list(columns) == column_names(16)
    assert len(columns) == len(ROWS) * 17
    np.testing.assert_array_equal(columns["block_n_0"], sums[:, 0, 0])
    np.testing.assert_array_equal(columns["block_m2_15"], sums[:, 2, 15])
    np.testing.assert_array_equal(columns["block_excess_m4_rest"], sums[:, 8, 16])


def test_a_text_that_holds_something_else_is_refused():
    with pytest.raises(ValueError, match="reshape"):
        decoded("AAAAAAAAAAA=")
