"""Deployment values against the oracle (tests/reference), and their JSON section there and back."""

import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from momentum_opt.errors import ParamsError
from momentum_opt.onchain.deploying import build_deployment, stored_weights
from momentum_opt.onchain.deployment import parse_section
from momentum_opt.onchain.fixed_point import ONE, from_decimal
from tests.onchain.pools import START_MS, given_pool
from tests.reference import estimator
from tests.reference.minute_loop import Pool
from tests.reference.plan import capped_decay, plan_weights, rule_k

ADDRESSES = {"A": "0x" + "c" * 40, "B": "0x" + "A" * 40, "C": "0x" + "0b" * 20}
ORDER = ("C", "B", "A")
COLUMNS = [2, 1, 0]


def close(found: tuple[int, ...], wanted: Any, rtol: float) -> None:
    np.testing.assert_allclose([value / ONE for value in found], np.asarray(wanted)[COLUMNS], rtol=rtol)


def test_every_value_in_ascending_address_order():
    given = given_pool(Pool(), 3, 6)
    last_ms = START_MS + 3 * 86_400_000
    deployment = build_deployment(given.params, given.fingerprint, given.history(last_ms), ADDRESSES, 0.2)
    assert deployment.tokens == ORDER
    assert deployment.addresses == tuple(ADDRESSES[token] for token in ORDER)
    lamb = capped_decay(given.params, given.case.pool, 3)
    readouts = plan_weights(given.case.prices, given.case.start_row, given.params, given.case.pool).readouts
    close(deployment.lamb, lamb, 1e-14)
    close(deployment.kappa, rule_k(given.params, lamb, given.case.pool), 1e-12)
    close(deployment.moving_averages, readouts.ewma[2], 1e-13)  # row u − 1 is the state at minute uP, and u is 3
    close(deployment.intermediates, readouts.running_a[2], 1e-9)
    assert deployment.epsilon_max == from_decimal("0.432")
    assert deployment.guard_rail == int(Fraction(repr(0.1 / 3)) * ONE)
    assert deployment.update_interval == 86400
    assert deployment.max_trade_size_ratio == from_decimal("0.2")
    assert deployment.first_update == last_ms // 1000 + 86400
    assert sum(deployment.initial_weights) == ONE
    floored = [int(Fraction(float(given.params["initial_weights"][column])) * 10**9) * 10**9 for column in COLUMNS]
    assert list(deployment.initial_weights[:2]) == floored[:2]
    assert deployment.initial_weights[2] == ONE - sum(floored[:2])


def test_a_decay_above_the_cap_is_exported_at_the_cap():
    given = given_pool(Pool(max_memory_days=20.0), 3, 3, logit_lamb=[7.0, 1.0, 7.5])
    deployment = build_deployment(given.params, given.fingerprint, given.history(START_MS))
    cap = estimator.decay(20.0, 1440)
    assert [value / ONE for value in deployment.lamb] == pytest.approx([cap, 1 / (1 + np.exp(-1.0)), cap], rel=1e-13)


def test_scalar_forms_where_all_tokens_agree():
    given = given_pool(Pool(), 3, 3, logit_lamb=2.0, log_k=5.0)
    deployment = build_deployment(given.params, given.fingerprint, given.history(START_MS), ADDRESSES)
    assert (len(deployment.lamb), len(deployment.kappa)) == (1, 1)
    given = given_pool(Pool(), 3, 3, logit_lamb=2.0, log_k=[5.0, 5.0, 5.5])
    deployment = build_deployment(given.params, given.fingerprint, given.history(START_MS), ADDRESSES)
    assert (len(deployment.lamb), len(deployment.kappa)) == (1, 3)


def test_stored_weights_take_nine_decimals_and_give_the_rest_to_the_last():
    third = ONE // 3
    assert stored_weights((third, third, third)) == (333_333_333 * 10**9, 333_333_333 * 10**9, 333_333_334 * 10**9)


def test_the_section_there_and_back():
    given = given_pool(Pool(), 3, 3)
    deployment = build_deployment(given.params, given.fingerprint, given.history(START_MS), ADDRESSES)
    section = json.loads(json.dumps(deployment.to_section(), allow_nan=False))
    assert parse_section(section, ORDER, deployment.first_update, "it") == deployment
    assert all(isinstance(value, str) for value in section["initialMovingAverages"])
    assert isinstance(section["updateInterval"], int)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lambda": None}, r"it: contract\.lambda: not a list of 1 or 3"),
        ({"lambda": ["1", "2"]}, r"lambda: not a list of 1 or 3"),
        ({"epsilonMax": 0.432}, r"epsilonMax: 0\.432 is no whole number in quotes"),
        ({"epsilonMax": "0.432"}, r"epsilonMax: '0\.432' is no whole number"),
        ({"updateInterval": "86400"}, r"updateInterval: not whole seconds \('86400'\)"),
        ({"ruleParameters": [["1"], ["1000000000000000000"]]}, r"ruleParameters: one row of κ"),
        ({"ruleParameters": [["1", "1"]]}, r"ruleParameters: not a list of 1 or 3"),
        ({"initialWeights": ["1"]}, r"initialWeights: not a list of 3"),
        ({"tokens": ["0x"]}, r"tokens: not a list of 3 addresses"),
        ({"tokens": ["0x", "0x", "0x"]}, r"tokens: not all addresses of 40"),
        ({"fee": "1"}, r"contract: unknown key fee"),
    ],
)
def test_a_damaged_section(change: dict[str, Any], said: str):
    given = given_pool(Pool(), 3, 3)
    section = build_deployment(given.params, given.fingerprint, given.history(START_MS), ADDRESSES).to_section()
    with pytest.raises(ParamsError, match=said):
        parse_section({**section, **change}, ORDER, 0, "it")
    for key in change:
        if key in section:
            lacking = {name: value for name, value in section.items() if name != key}
            with pytest.raises(ParamsError, match=f"it: contract: lacks {key}"):
                parse_section(lacking, ORDER, 0, "it")
