"""Ranges, starting values and sampling of the parameter schema (SPEC §4)."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from momentum_opt.errors import MomentumOptError, UnknownParameterError
from momentum_opt.vocabulary.schema import (
    COMMON_PARAM_SCHEMA,
    MOMENTUM_PARAM_SCHEMA,
    OptunaRange,
    ParamSpec,
    exp2,
    get_optuna_range,
    get_param_value,
    logistic,
    sample_in_range,
)

SCHEMA = MOMENTUM_PARAM_SCHEMA
# initial, low, high, as the table of SPEC §4 has them
TABLE = {
    "log_k": (4.32, -6.6, 12.0),
    "logit_lamb": (4.0, -4.0, 8.0),
    "logit_delta_lamb": (0.0, -5.0, 5.0),
    "initial_weights_logits": (1.0, -10.0, 10.0),
}


def overridden(**config):
    return {"optimisation_settings": {"optuna_settings": {"parameter_config": config}}}


def test_the_schema_is_the_table_of_the_spec():
    assert {name: (spec.initial, spec.optuna.low, spec.optuna.high) for name, spec in SCHEMA.items()} == TABLE
    assert [name for name, spec in SCHEMA.items() if not spec.trainable] == ["initial_weights_logits"]
    assert list(COMMON_PARAM_SCHEMA) == ["initial_weights_logits"]
    for spec in SCHEMA.values():
        assert spec.description
        assert not spec.optuna.log_scale
        assert not spec.optuna.scalar
        assert spec.optuna.low < spec.initial < spec.optuna.high


def test_schemas_and_specs_cannot_be_changed():
    with pytest.raises(TypeError):
        SCHEMA["log_k"] = ParamSpec(1.0)  # type: ignore[index]
    with pytest.raises(AttributeError):
        SCHEMA["log_k"].initial = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 1.0, "high": 1.0}, "`low < high` must hold, but got low=1.0, high=1.0"),
        ({"low": 2.0, "high": 1.0}, "`low < high` must hold"),
        ({"low": -math.inf, "high": 1.0}, "`low` and `high` must be finite, but got low=-inf"),
        ({"low": 0.0, "high": math.nan}, "`low` and `high` must be finite"),
        ({"low": 0.0, "high": 1.0, "log_scale": True}, "`low > 0` must hold with `log_scale`, but got low=0.0"),
    ],
)
def test_what_is_no_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        OptunaRange(**arguments)


def test_starting_values_go_from_given_over_fingerprint_to_schema():
    sources = [{"initial_log_k": 1.0}, {"log_k": 2.0}, {"initial_log_k": 3.0}, {"log_k": 4.0}]
    given_values, fingerprint = sources[0] | sources[1], sources[2] | sources[3]
    assert get_param_value("log_k", given_values, fingerprint, SCHEMA) == 1.0
    assert get_param_value("log_k", sources[1], fingerprint, SCHEMA) == 2.0
    assert get_param_value("log_k", {}, fingerprint, SCHEMA) == 3.0
    assert get_param_value("log_k", {}, sources[3], SCHEMA) == 4.0
    assert get_param_value("log_k", {}, {}, SCHEMA) == 4.32
    assert get_param_value("other", {"other": None}, {}, SCHEMA) is None  # a given value counts, whatever it is


def test_unknown_parameters_are_refused():
    with pytest.raises(
        UnknownParameterError, match=r"`log_q` is in neither .* the schema knows initial_weights_logits"
    ):
        get_param_value("log_q", {}, {}, SCHEMA)
    with pytest.raises(KeyError, match="`log_q` is not in the schema"):
        get_optuna_range("log_q", {}, SCHEMA)
    assert issubclass(UnknownParameterError, MomentumOptError)


def test_ranges_take_the_overrides_of_the_fingerprint():
    assert get_optuna_range("log_k", {}, SCHEMA) == SCHEMA["log_k"].optuna
    assert get_optuna_range("log_k", overridden(logit_lamb={"low": 0.0}), SCHEMA) == SCHEMA["log_k"].optuna
    found = get_optuna_range("log_k", overridden(log_k={"low": 1.0, "scalar": True}), SCHEMA)
    assert found == OptunaRange(1.0, 12.0, scalar=True)
    logs = get_optuna_range("log_k", overridden(log_k={"low": 1.0, "high": 2.0, "log_scale": True}), SCHEMA)
    assert logs == OptunaRange(1.0, 2.0, log_scale=True)
    with pytest.raises(ValueError, match=r"`low < high` must hold, but got low=13\.0"):
        get_optuna_range("log_k", overridden(log_k={"low": 13.0}), SCHEMA)


def test_a_parameter_without_a_range_has_one_only_by_override():
    schema = {"fixed": ParamSpec(1.0)}
    assert get_optuna_range("fixed", {}, schema) is None
    assert get_optuna_range("fixed", overridden(fixed={"low": 0.0, "high": 1.0}), schema) == OptunaRange(0.0, 1.0)


@given(unit=st.floats(0, 1), low=st.floats(-50, 50), width=st.floats(1e-3, 100))
def test_samples_lie_in_the_range_in_order(unit, low, width):
    bounds = OptunaRange(low, low + width)
    found = sample_in_range(unit, bounds)
    assert bounds.low <= found <= bounds.high or found == pytest.approx(bounds.high)
    assert sample_in_range(0.0, bounds) == bounds.low
    assert sample_in_range(1.0, bounds) == pytest.approx(bounds.high)
    assert found == pytest.approx(low + unit * width)


@given(unit=st.floats(0, 1), low=st.floats(1e-6, 10), factor=st.floats(1.01, 1e6))
def test_log_samples_are_uniform_in_the_logarithm(unit, low, factor):
    found = sample_in_range(unit, OptunaRange(low, low * factor, log_scale=True))
    assert math.log(found) == pytest.approx(math.log(low) + unit * math.log(factor), abs=1e-9)


def test_samples_of_arrays():
    np.testing.assert_allclose(sample_in_range(np.array([0.0, 0.5, 1.0]), OptunaRange(-1.0, 3.0)), [-1.0, 1.0, 3.0])
    logs = sample_in_range(np.array([0.0, 0.5, 1.0]), OptunaRange(1.0, 100.0, log_scale=True))
    np.testing.assert_allclose(logs, [1.0, 10.0, 100.0])


def test_transforms_for_display():
    assert SCHEMA["log_k"].transform is exp2
    assert exp2(4.0) == 16.0
    assert logistic(0.0) == 0.5
    for logit in (-4.0, 4.0, 8.0):
        assert logistic(logit) == pytest.approx(1 / (1 + math.exp(-logit)), rel=1e-15)
    assert logistic(-1000.0) == 0.0
    assert logistic(1000.0) == 1.0
