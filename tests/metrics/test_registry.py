"""Every metric of the vocabulary, against the plain numpy reference, the golden numbers and its laws."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentum_opt.errors import UsageError
from momentum_opt.metrics.path import SlicePath
from momentum_opt.metrics.registry import METRIC_FUNCTIONS, cadence_of, evaluate
from momentum_opt.vocabulary.metrics import METRICS, Cadence, fewest_days
from tests.metrics.paths import oracle, random_values, slice_path
from tests.reference import golden_cases
from tests.shared_data import needs_shared

ALL = list(METRICS)
FIELDS = {
    Cadence.DAILY: ("daily", "constant_weight"),
    Cadence.LAST_MINUTE: ("daily", "constant_weight", "weights_moved", "last", "hodl_last", "uniform_hodl_last"),
    Cadence.DAY_END: ("daily", "constant_weight", "weights_moved", "last", "hodl_last", "uniform_hodl_last", "day_end"),
    Cadence.MINUTE: SlicePath._fields,
}
RATIOS = ("sharpe", "daily_sharpe", "daily_log_sharpe")
FALLS = ("greatest_draw_down", "max_drawdown", "weekly_max_drawdown", "ulcer")


@partial(jax.jit, static_argnums=1)
def evaluate_all(path, bars_per_day):
    return evaluate(ALL, path, bars_per_day)


evaluate_some = jax.jit(evaluate, static_argnums=(0, 2))


def at_cadence(path: SlicePath, cadence: Cadence) -> SlicePath:
    return SlicePath(**{name: getattr(path, name) for name in FIELDS[cadence]})


def assert_same(found, wanted, names=ALL, rtol=1e-9):
    """Equal where the oracle is finite, and not finite where it is not."""
    for name in names:
        if np.isfinite(wanted[name]):
            np.testing.assert_allclose(found[name], wanted[name], rtol=rtol, atol=1e-15, err_msg=name)
        else:
            assert not np.isfinite(found[name]), name


def test_registry_and_vocabulary_name_the_same_metrics():
    assert list(METRIC_FUNCTIONS) == ALL
    with pytest.raises(TypeError):
        METRIC_FUNCTIONS["returns"] = METRIC_FUNCTIONS["sharpe"]  # type: ignore[index]


@pytest.mark.parametrize("name", ALL)
def test_each_metric_reads_no_more_than_its_cadence(name):
    path = slice_path(random_values(65, 24), 24)
    cadence = METRICS[name].cadence
    assert METRICS[name].description
    assert cadence_of([name]) == cadence
    assert np.isfinite(evaluate_some((name,), at_cadence(path, cadence), 24)[name])
    if cadence > Cadence.DAILY:
        with pytest.raises(ValueError, match="of the path, which is None"):
            evaluate_some((name,), at_cadence(path, Cadence(cadence - 1)), 24)


def test_cadence_of_several_is_the_largest():
    assert cadence_of([]) == Cadence.DAILY
    assert cadence_of(["daily_log_sharpe", "returns", "weekly_var_95%_trad"]) == Cadence.DAY_END


def test_unknown_names_are_refused():
    with pytest.raises(UsageError, match="`sharp` is no metric; choose one of daily_log_sharpe"):
        cadence_of(["sharp"])
    with pytest.raises(UsageError, match="`sharp` is no metric"):
        evaluate(["sharp"], slice_path(random_values(2, 24), 24), 24)


@pytest.mark.parametrize(("days", "bars_per_day"), [(65, 1440), (30, 1440), (100, 24), (95, 1), (60, 2)])
def test_equals_the_reference(days, bars_per_day):
    values = random_values(days, bars_per_day)
    assert_same(evaluate_all(slice_path(values, bars_per_day), bars_per_day), oracle(values, bars_per_day))


@pytest.mark.parametrize("days", [1, 2, 6, 7, 13, 14, 29])
def test_too_few_blocks_are_not_finite(days):
    values = random_values(days, 24)
    found, wanted = evaluate_all(slice_path(values, 24), 24), oracle(values, 24)
    assert_same(found, wanted)
    assert not np.isfinite(found["monthly_rovar"])
    assert not np.isfinite(found["ulcer"])
    assert np.isfinite(found["weekly_max_drawdown"]) == (days >= 7)
    assert np.isfinite(found["weekly_var_95%_trad"]) == (days >= 14)
    assert np.isfinite(found["daily_log_sharpe"]) == (days >= 3)


@pytest.mark.parametrize("days", [2, 6, 20, 29, 90])
def test_the_smallest_number_of_days_is_enough_and_no_more_than_that(days):
    """What the configuration is checked by: from there on a metric is a number; before, it may be undefined."""
    found = evaluate_all(slice_path(random_values(days, 24), 24), 24)
    for name in ALL:
        if fewest_days(name) <= days:
            assert not np.isnan(found[name]), name
    undefined = {name for name in ALL if np.isnan(found[name])}
    assert all(fewest_days(name) > days for name in undefined)


def test_a_ratio_of_one_return_is_no_number():
    """Of one return there is no deviation; an epsilon in its place made ±1e7 of it."""
    found = evaluate_all(slice_path(random_values(2, 24), 24), 24)
    for name in ("daily_log_sharpe", "daily_sharpe", "sortino", "cvar_95"):
        assert np.isnan(found[name]), name


def test_a_single_bar_is_not_finite_without_an_exception():
    found = evaluate_all(slice_path(np.array([1e6]), 1), 1)
    finite = {name for name in ALL if np.isfinite(found[name])}
    assert finite == {"returns", "returns_over_hodl", "returns_over_uniform_hodl", "greatest_draw_down", "max_drawdown"}


def test_a_constant_value_has_no_variance():
    found = evaluate_all(slice_path(np.full(65 * 24, 1e6), 24), 24)
    for name in (*RATIOS, "sortino", "calmar", "sterling", "daily_raroc", "weekly_rovar"):
        assert not np.isfinite(found[name]), name


def test_constant_returns_have_no_variance():
    """Steady growth differs from a constant return by rounding, which is no deviation to divide by."""
    found = evaluate_all(slice_path(1e6 * np.exp(1e-5 * np.arange(65 * 24)), 24), 24)
    for name in RATIOS:
        assert np.isnan(found[name]), name


def test_an_invalid_candidate_is_not_finite_and_spoils_no_other():
    values = random_values(65, 24, (3,))
    values[700:, 1] = np.nan
    found = evaluate_all(slice_path(values, 24), 24)
    for name in ALL:
        assert np.isnan(found[name][1]) or name == "weight_turnover", name  # which does not read the value
    for candidate in (0, 2):
        assert_same({name: found[name][candidate] for name in ALL}, oracle(values[:, candidate], 24))


@needs_shared
@pytest.mark.parametrize("name", ["zero_fee_daily_3", "fee_100bps_gas_arbfee"])
def test_golden_metrics(name):
    path, case = golden_cases.reference_path(name), golden_cases.load(name)
    first, last = case.prices[case.start_row], case.prices[-1]
    found = evaluate_all(slice_path(path.value, 1440, path.reserves[0], first, last), 1440)
    wanted = golden_cases.CASES[name]["expected"]["metrics"]
    assert set(wanted) <= set(ALL)
    assert_same(found, {key: np.nan if value is None else value for key, value in wanted.items()}, wanted, rtol=1e-6)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), exponent=st.floats(-3, 3))
def test_scaling_the_value_changes_no_metric(seed, exponent):
    path = slice_path(random_values(65, 24, seed=seed), 24)
    factor = 10.0**exponent
    assert path.flows is not None
    flows, worth = path.flows._asdict(), ("mean_value", "traded", "fees")
    values = ("daily", "last", "day_end", "minute", "hodl_last", "uniform_hodl_last")
    scaled = path._replace(
        **{name: getattr(path, name) * factor for name in values},
        flows=path.flows._replace(**{name: flows[name] * factor for name in worth}),
    )
    assert_same(evaluate_all(scaled, 24), jax.tree.map(np.asarray, evaluate_all(path, 24)))


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_rising_value_never_falls(seed):
    found = evaluate_all(slice_path(np.sort(random_values(65, 24, seed=seed)), 24), 24)
    for name in FALLS:
        assert found[name] == 0.0, name
    for name in ("calmar", "sterling", "sortino"):
        assert not np.isfinite(found[name]), name


@pytest.mark.parametrize("batch", [(1,), (2, 3)])
def test_a_batch_equals_its_singles(batch):
    values = random_values(65, 24, batch)
    together = evaluate_all(slice_path(values, 24), 24)
    for index in np.ndindex(batch):
        single = jax.tree.map(np.asarray, evaluate_all(slice_path(values[(slice(None), *index)], 24), 24))
        assert_same({name: together[name][index] for name in ALL}, single, rtol=1e-12)


def test_vmap_equals_the_batch_axis():
    path = slice_path(random_values(65, 24, (3,)), 24)
    mapped = jax.jit(jax.vmap(lambda one: evaluate(ALL, one, 24), in_axes=-1, out_axes=-1))(path)
    together = evaluate_all(path, 24)
    for name in ALL:
        np.testing.assert_allclose(mapped[name], together[name], rtol=1e-12, err_msg=name)


@pytest.mark.slow
def test_jit_equals_eager():
    path = slice_path(random_values(65, 24, (3,)), 24)
    eager = evaluate(ALL, path, 24)
    for name, value in evaluate_all(path, 24).items():
        assert value.dtype == jnp.float64
        assert value.shape == (3,)
        np.testing.assert_allclose(value, eager[name], rtol=1e-12)


@cache
def slopes() -> tuple[dict, dict]:
    """Of every metric along one direction: in reverse mode, and as a difference quotient; compiled together."""
    values = random_values(62, 4, seed=3)
    direction = np.random.default_rng(1).normal(size=values.shape) * values

    def metrics(size):
        path = slice_path(values + size * direction, 4)
        return {name: METRIC_FUNCTIONS[name](path, 4) for name in ALL}

    step, found = 1e-7, jax.jit(metrics)
    above, below = found(step), found(-step)
    quotients = {name: (above[name] - below[name]) / (2 * step) for name in ALL}
    return jax.jit(jax.jacrev(metrics))(0.0), quotients


@pytest.mark.parametrize("name", ALL)
def test_gradient_equals_a_difference_quotient(name):
    gradients, quotients = slopes()
    np.testing.assert_allclose(gradients[name], quotients[name], rtol=1e-4)
