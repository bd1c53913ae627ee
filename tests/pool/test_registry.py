"""Every rule of the registry: what a new one must keep to is asked of it the day it is added."""

from abc import ABCMeta
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.pool import POOLS
from momentum_opt.pool.pool import Pool as AnyPool
from momentum_opt.results.parameters import readable_form
from momentum_opt.study.candidates import check_params, missing_params
from momentum_opt.study.space import search_space, start_params
from momentum_opt.vocabulary.rules import DEFAULT_RULE, RULES
from momentum_opt.vocabulary.schema import COMMON_PARAM_SCHEMA
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case, run_engine

CASE = Case.random(Pool(chunk_period=240, max_memory_days=2.0, minimum_weight=0.02), 3, 2, history=1, seed=2)
START = (CASE.start_row, 0)


def fingerprint_of(rule: str):
    return replace(CASE, pool=replace(CASE.pool, rule=rule)).fingerprint()


def test_the_tables_name_the_same_rules():
    assert list(POOLS) == list(RULES)
    assert next(iter(RULES)) == DEFAULT_RULE


FUNCTIONS = ("rule_constants", "rule_state", "read_price", "weight_change", "resting_params")


@pytest.mark.parametrize("left_out", FUNCTIONS)
def test_a_rule_without_one_of_its_functions_is_refused_when_it_is_made(left_out: str):
    functions = dict.fromkeys(set(FUNCTIONS) - {left_out}, lambda *_: None)
    with pytest.raises(TypeError, match=f"abstract method '?{left_out}"):
        ABCMeta("Lacking", (AnyPool,), functions)()


@pytest.mark.parametrize("rule", RULES)
def test_words_and_ranges(rule: str):
    info = RULES[rule]
    assert info.name == rule
    assert info.description
    assert COMMON_PARAM_SCHEMA.keys() <= info.schema.keys()
    assert POOLS[rule].get_param_schema().keys() == info.schema.keys()
    for spec in info.schema.values():
        assert spec.description
        assert spec.optuna is not None
        assert spec.optuna.low < spec.initial < spec.optuna.high


@pytest.mark.parametrize("rule", RULES)
def test_something_is_searched_from_a_start_that_runs(rule: str):
    fingerprint = fingerprint_of(rule)
    space = search_space(fingerprint)
    assert space.sampled
    for params in (start_params(fingerprint), space.params(space.first_trial)):
        assert missing_params(params, fingerprint) == []
        check_params(params, fingerprint)
        forms = readable_form(params, fingerprint)
        assert set(RULES[rule].leading_forms) <= set(forms)
        assert list(forms)[-1] == "initial_weights"


@pytest.mark.parametrize("rule", RULES)
def test_laws_of_a_rule(rule: str):
    """Changes sum to zero, no later price changes an earlier one, step by step is all at once, rest is rest."""
    fingerprint, pool, prices = fingerprint_of(rule), POOLS[rule], jnp.asarray(CASE.prices)
    params = start_params(fingerprint)
    outputs = jax.jit(lambda pool, params, prices: pool.calculate_rule_outputs(params, fingerprint, prices))
    changes = np.asarray(outputs(pool, params, prices))
    assert np.abs(changes.sum(axis=1)).max() <= 1e-13
    middle = len(changes) // 2
    later = prices.at[(middle + 1) * 240 + 1 :].multiply(jnp.array([2.0, 0.5, 1.1]))
    np.testing.assert_array_equal(np.asarray(outputs(pool, params, later))[: middle + 1], changes[: middle + 1])
    assert not np.asarray(outputs(pool, pool.resting_params(params), prices)).any()

    step = jax.jit(lambda carry, price: pool.calculate_rule_output_step(carry, price, params, fingerprint))
    carry = pool.get_initial_rule_state(prices[0], params, fingerprint)
    for place, price in enumerate(prices[240 : 5 * 240 : 240]):
        carry, change = step(carry, price)
        np.testing.assert_allclose(change, changes[place], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("rule", RULES)
def test_the_class_interface_gives_the_reserves_of_the_engine(rule: str):
    fingerprint, pool, prices = fingerprint_of(rule), POOLS[rule], jnp.asarray(CASE.prices)
    params = {name: jnp.asarray(values) for name, values in start_params(fingerprint).items()}
    reserves = pool.calculate_reserves_zero_fees(params, fingerprint, prices, START)
    case = replace(CASE, pool=replace(CASE.pool, rule=rule))
    np.testing.assert_allclose(
        reserves, run_engine(case, [start_params(fingerprint)]).minutes.reserves[..., 0], rtol=1e-11
    )
    names = ("k_per_day", "memory_length", "memory_length_delta", "weights_logits")
    initial = {f"initial_{name}": fingerprint[f"initial_{name}"] for name in names}
    sets = pool.init_base_parameters(initial, fingerprint, 3, 4)
    assert sets.keys() - {"subsidary_params"} == RULES[rule].schema.keys()
    trainable = [name for name, spec in RULES[rule].schema.items() if spec.trainable]
    assert all(np.ptp(np.asarray(sets[name]), axis=0).min() > 0 for name in trainable)
