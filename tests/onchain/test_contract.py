"""The contract model against exact results of the deployed contract (golden), and laws that no golden number shows."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentum_opt.onchain.contract import ContractPool, ContractSettings, update
from momentum_opt.onchain.fixed_point import ONE, from_decimal
from momentum_opt.onchain.guard import clamp, guarded_weights, limit_speed
from momentum_opt.onchain.motion import STORED_UNIT, Motion, resting, set_off
from momentum_opt.onchain.rule import (
    RuleParameters,
    RuleState,
    are_valid_parameters,
    next_intermediates,
    next_moving_averages,
    price_gradients,
    wanted_weights,
)
from tests.shared_data import golden, needs_shared

VECTORS: list[dict[str, Any]] = golden("onchain_vectors.json")
RUNS: list[dict[str, Any]] = (golden("onchain_pools.json") or {"runs": []})["runs"]


def row(values: Sequence[str]) -> tuple[int, ...]:
    return tuple(from_decimal(value) for value in values)


def vectors(function: str) -> list[Any]:
    """The golden vectors of a function, with `function` a part of its name."""
    found = [pytest.param(v["inputs"], v["expected"], id=v["test_name"]) for v in VECTORS if function in v["function"]]
    assert found or not VECTORS
    return found


@needs_shared
@pytest.mark.parametrize("number", range(len(RUNS)))
def test_golden_pools(number: int):
    run = RUNS[number]
    rule = RuleParameters(row(run["lambda"]), row(run["kappa"]), bool(run["use_raw_price"]))
    rail = from_decimal(run["absolute_weight_guard_rail"])
    deployed = ContractSettings(rule, from_decimal(run["epsilon_max"]), rail, run["update_interval_s"])
    state = RuleState(row(run["initial_moving_averages"]), row(run["initial_intermediate_values"]))
    pool = ContractPool(state, resting(row(run["initial_weights"]), run["created_at"]))
    for expected in run["updates"]:
        pool = update(pool, row(expected["oracle_prices"]), expected["block_timestamp"], deployed).pool
        assert pool.motion.weights == row(expected["stored_weights"])
        assert pool.motion.multipliers == row(expected["stored_multipliers_per_second"])
        assert pool.motion.stop == expected["last_interpolation_time"]
        assert pool.state.moving_averages == row(expected["moving_averages"])
        assert pool.state.intermediates == row(expected["gradient_state_a"])
        assert pool.motion.at(expected["query_timestamp"]) == row(expected["normalized_weights_at_query"])


@needs_shared
@pytest.mark.parametrize(("inputs", "expected"), vectors("validParameters"))
def test_valid_parameters(inputs: Any, expected: Any):
    assert are_valid_parameters([row(values) for values in inputs["rule_parameters"]]) == expected["valid"]


@needs_shared
@pytest.mark.parametrize(("inputs", "expected"), vectors("_getWeights"))
def test_wanted_weights(inputs: Any, expected: Any):
    prices, lamb, averages = row(inputs["data"]), row(inputs["lambda"]), row(inputs["moving_averages"])
    intermediates = next_intermediates(row(inputs["previous_alphas"]), prices, averages, lamb)
    parameters = RuleParameters(lamb, row(inputs["kappa"]), bool(inputs["use_raw_price"]))
    wanted = wanted_weights(row(inputs["prev_weights"]), RuleState(averages, intermediates), prices, parameters)
    assert wanted == row(expected["new_weights"])


@needs_shared
@pytest.mark.parametrize(("inputs", "expected"), vectors("_calculateQuantAMMGradient"))
def test_gradients(inputs: Any, expected: Any):
    lamb, intermediates = row(inputs["lambda"]), row(inputs["initial_gradient_state_a"])
    steps = zip(inputs["prices"], inputs["moving_averages"], expected["gradients_dp_dt"], strict=True)
    for prices, averages, gradients in steps:
        intermediates = next_intermediates(intermediates, row(prices), row(averages), lamb)
        assert price_gradients(intermediates, lamb) == row(gradients)


@needs_shared
@pytest.mark.parametrize(("inputs", "expected"), vectors("_calculateQuantAMMMovingAverage"))
def test_moving_averages(inputs: Any, expected: Any):
    averages = next_moving_averages(row(inputs["prev_moving_averages"]), row(inputs["data"]), row(inputs["lambda"]))
    assert averages == row(expected["saved_moving_averages"])


@needs_shared
@pytest.mark.parametrize(("inputs", "expected"), vectors("_clampWeights"))
def test_clamp(inputs: Any, expected: Any):
    rail = from_decimal(inputs["absolute_weight_guard_rail"])
    assert clamp(row(inputs["weights"]), rail) == row(expected["clamped_weights"])


@needs_shared
@pytest.mark.parametrize(("inputs", "expected"), vectors("_normalizeWeightUpdates"))
def test_limit_speed(inputs: Any, expected: Any):
    new = limit_speed(row(inputs["prev_weights"]), row(inputs["new_weights"]), from_decimal(inputs["epsilon_max"]))
    assert sum(new) == from_decimal(expected["sum"])
    if "weight_0" in expected:
        assert new[0] == from_decimal(expected["weight_0"])


def inside(given: str) -> list[int]:
    """A few values of a golden range `low .. high`, or the one value that is given."""
    low, _, high = given.partition(" .. ")
    first, last = from_decimal(_plain(low)), from_decimal(_plain(high or low))
    return [first + (last - first) * part // 7 for part in range(8)]


def _plain(text: str) -> str:
    return "0.000000000000000001" if text == "1e-18" else text


@needs_shared
@pytest.mark.parametrize(("inputs", "expected"), vectors("_guardQuantAMMWeights"))
def test_guarded_weights(inputs: Any, expected: Any):
    previous, result = row(inputs["prev_weights"]), row(expected["guarded_weights"])
    wanted = inputs["new_weights"]
    if isinstance(wanted, str):  # x in 0.91 .. 0.9999999999999, 1-x
        assert wanted == "x in 0.91 .. 0.9999999999999, 1-x"
        pairs = [(x, ONE - x) for x in inside("0.91 .. 0.9999999999999")]
    else:
        pairs = [row(wanted)]
    for pair in pairs:
        for largest_change in inside(inputs["epsilon_max"]):
            for rail in inside(inputs["absolute_weight_guard_rail"]):
                assert guarded_weights(previous, pair, rail, largest_change) == result


@needs_shared
@pytest.mark.parametrize(("inputs", "expected"), vectors("_calculateMultiplerAndSetWeights"))
def test_set_off(inputs: Any, expected: Any):
    now, rail = inputs["block_timestamp_s"], from_decimal(inputs["absolute_weight_guard_rail"])
    current, target = row(inputs["current_weights"]), row(inputs["updated_weights"])
    motion = set_off(current, target, inputs["update_interval_s"], rail, now)
    assert motion.weights == row(expected["stored_weights"])
    assert motion.multipliers == row(expected["multipliers_per_second"])
    if "last_interpolation_time_unix_s" in expected:
        assert motion.stop == expected["last_interpolation_time_unix_s"]


@needs_shared
@pytest.mark.parametrize(("inputs", "expected"), vectors("getNormalizedWeights"))
def test_weights_at_a_time(inputs: Any, expected: Any):
    motion = Motion(
        row(inputs["weights"]), row(inputs["multipliers_per_second"]), 0, inputs["last_interpolation_after_s"]
    )
    shown = motion.at(inputs["seconds_after_set_weights"])
    named = row(expected["normalized_weights"])
    assert shown[: len(named)] == named


@needs_shared
@pytest.mark.parametrize(("inputs", "expected"), vectors("quantAMMPack32Array"))
def test_nine_decimals_are_kept(inputs: Any, expected: Any):
    kept = row(inputs["values"])
    motion = set_off(kept, kept, 60, STORED_UNIT, 0)
    assert motion.weights == row(expected["round_trip"])
    assert motion.multipliers == (0,) * len(kept)
    assert motion.stop is None


def test_what_is_behind_the_ninth_decimal_is_cut_off_toward_zero():
    start, target = (ONE // 3, ONE - ONE // 3), (ONE // 3 + 70 * STORED_UNIT, ONE - ONE // 3 - 70 * STORED_UNIT)
    motion = set_off(start, target, 60, ONE // 10, 1000)
    assert motion.weights == (333_333_333 * STORED_UNIT, 666_666_666 * STORED_UNIT)
    assert motion.multipliers == (STORED_UNIT, -STORED_UNIT)
    assert motion.at(1060) == (333_333_393 * STORED_UNIT, 666_666_606 * STORED_UNIT)


def test_a_line_goes_past_its_target_until_a_rail():
    """0.5 → 0.6 in 100 s, rail 0.1: the target is passed at 100 s, the rail is reached at 400 s."""
    motion = set_off((ONE // 2, ONE // 2), (6 * ONE // 10, 4 * ONE // 10), 100, ONE // 10, 0)
    assert motion.stop == 400
    assert motion.at(200) == (7 * ONE // 10, 3 * ONE // 10)
    assert motion.at(10_000) == motion.at(400) == (9 * ONE // 10, ONE // 10)


def test_the_rail_above_counts_where_a_token_comes_to_it_first():
    """Weights that sum to one come to it no sooner than to the one below."""
    motion = set_off((ONE // 2, ONE // 2), (6 * ONE // 10, 45 * ONE // 100), 100, ONE // 10, 0)
    assert motion.stop == 400


def test_a_weight_past_its_rail_that_is_sent_further_stands_still():
    """As a weight scaled below the floor may be for four tokens and more (SPEC §7)."""
    for beyond in (STORED_UNIT, ONE // 20):
        below = ONE // 10 - beyond
        motion = set_off((below, ONE - below), (below - ONE // 1000, ONE - below + ONE // 1000), 100, ONE // 10, 50)
        assert motion.stop == 50
        assert motion.at(80) == (below, ONE - below)


@settings(max_examples=60)
@given(st.data())
def test_laws_of_the_guard(data: st.DataObject):
    """The sum is one to the last unit, and no weight moves further than epsilonMax but for the repair of the sum."""
    n = data.draw(st.integers(2, 8))
    rail = data.draw(st.integers(ONE // 100, ONE // n - 1))
    cuts = sorted(data.draw(st.lists(st.integers(0, ONE - n * rail), min_size=n - 1, max_size=n - 1)))
    shares = [high - low for low, high in zip([0, *cuts], [*cuts, ONE - n * rail], strict=True)]
    previous = tuple(rail + share for share in shares)
    changes = data.draw(st.lists(st.integers(-ONE, ONE), min_size=n, max_size=n))
    changes[-1] -= sum(changes)
    limit = data.draw(st.integers(1, ONE))
    wanted = tuple(w + u for w, u in zip(previous, changes, strict=True))
    guarded = guarded_weights(previous, wanted, rail, limit)
    assert sum(guarded) == ONE
    assert max(abs(new - old) for new, old in zip(guarded, previous, strict=True)) <= limit + 4 * n
    if n < 4:
        assert min(guarded) >= rail - 4 * n
