"""Minute metrics from day summaries, against the same metrics on the whole minute path."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentum_opt.metrics.registry import evaluate
from momentum_opt.metrics.summary import METRIC_NEEDS, Needs, needs_of, start_days, summarise_day, track
from momentum_opt.metrics.tails import add_to_tail, lowest_of, start_tail, tail_percentile
from momentum_opt.vocabulary.metrics import METRICS, Cadence
from tests.metrics.paths import oracle, random_values, slice_path

MINUTE = tuple(name for name, info in METRICS.items() if info.cadence == Cadence.MINUTE)
DAYS, PERIODS, WINDOWS = 75, ((0, 40), (40, 75)), ((0, 13), (13, 26), (26, 40))
SLICES = [(0, days) for days in PERIODS] + [(1, days) for days in WINDOWS]


@partial(jax.jit, static_argnums=(1, 2))
def summaries(values, D, needs):
    """All days of the values (time, batch), on the tracks of periods and windows."""
    marks = tuple(track(slices, DAYS) for slices in (PERIODS, WINDOWS))
    days = values.reshape(DAYS, D, *values.shape[1:])
    start = start_days(values[0], needs, 2, D)
    return jax.lax.scan(lambda state, day: summarise_day(state, day[0], {}, {}, day[1], needs), start, (days, marks))[1]


@partial(jax.jit, static_argnums=(1, 2))
def from_summary(values, D, names):
    kept = summaries(values, D, needs_of(names))
    return [
        evaluate(names, path._replace(minute=None, summary=kept.part(*days, number)), D)
        for number, days in SLICES
        for path in [slice_path(values[days[0] * D : days[1] * D], D)]
    ]


def test_every_minute_metric_has_its_needs():
    assert set(METRIC_NEEDS) == set(MINUTE)
    assert needs_of(["returns", "daily_log_sharpe"]) == Needs()
    assert needs_of(["weekly_raroc", "daily_var_95%"]).tails == ((1, 5.0), (7, 5.0))


@pytest.mark.parametrize("D", [24, pytest.param(1440, marks=pytest.mark.slow), 1])
def test_every_slice_equals_the_oracle(D):
    values = random_values(DAYS, D, (3,))
    found = from_summary(values, D, MINUTE)
    for (_, (first, end)), metrics in zip(SLICES, found, strict=True):
        for lane in range(3):
            wanted = oracle(values[first * D : end * D, lane], D)
            for name in MINUTE:
                if np.isfinite(wanted[name]):
                    np.testing.assert_allclose(metrics[name][lane], wanted[name], rtol=1e-11, err_msg=name)
                else:
                    assert not np.isfinite(metrics[name][lane]), name


def test_a_broken_candidate_is_not_finite_and_spoils_no_other():
    values = random_values(DAYS, 24, (3,))
    values[50:, 1] = np.nan
    for (_, (first, end)), metrics in zip(SLICES, from_summary(values, 24, MINUTE), strict=True):
        for name in MINUTE:
            assert not np.isfinite(metrics[name][1]), name
            wanted = oracle(values[first * 24 : end * 24, 2], 24)[name]
            assert np.isfinite(metrics[name][2]) == np.isfinite(wanted), name


def test_only_what_is_needed_is_kept():
    kept = summaries(random_values(DAYS, 24, (2,)), 24, needs_of(["max_drawdown", "weekly_var_99%"]))
    assert kept.mean is None
    assert kept.tails == {}
    assert kept.fall.shape == (DAYS, 2)
    assert [own.squares for own in kept.tracks] == [None, None]
    assert [set(own.tails) for own in kept.tracks] == [{(7, 1.0)}] * 2


@given(st.integers(0, 3), st.integers(0, 999))
@settings(max_examples=30)
def test_the_lowest_with_repeats(distinct, seed):
    values = np.random.default_rng(seed).integers(-1, 10**distinct + 1, (40, 4)) * 1e-5
    found = LOWEST(jnp.asarray(values))
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(values, axis=0)[:12])


LOWEST = jax.jit(lambda values: lowest_of(values, 12))


@partial(jax.jit, static_argnums=(1, 2))
def gathered(values, percent, parts):
    tail = start_tail(values[0], len(values), percent)
    for part in jnp.split(values, parts):
        tail = add_to_tail(tail, part)
    return tail, tail_percentile(tail, len(values), percent)


@pytest.mark.parametrize(("count", "percent", "parts"), [(1, 5.0, 1), (2, 1.0, 2), (21, 5.0, 3), (100, 1.0, 4)])
def test_a_tail_is_the_percentile(count, percent, parts):
    values = np.random.default_rng(count).normal(size=(count, 2))
    tail, found = gathered(values, percent, parts)
    assert tail.numbers.shape[0] <= max(2, 0.05 * count + 2)
    np.testing.assert_allclose(found, np.percentile(values, percent, axis=0), rtol=1e-13)
