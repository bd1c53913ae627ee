from dataclasses import replace
from typing import Any

import pytest

from momentum_opt.errors import ConfigError
from momentum_opt.onchain.deployment import Deployment
from momentum_opt.onchain.fixed_point import ONE, from_decimal
from momentum_opt.onchain.rules import check_deployable, deployment_rules, simulation_rules
from tests.onchain.pools import given_pool
from tests.reference.minute_loop import Pool
from tests.shared_data import golden, needs_shared

CREATES: list[dict[str, Any]] = [v for v in golden("onchain_vectors.json") if "Factory.create" in v["function"]]

GOOD = Deployment(
    tokens=("A", "B"),
    addresses=None,
    lamb=(ONE // 2,),
    kappa=(ONE, 2 * ONE),
    epsilon_max=ONE // 10,
    guard_rail=ONE // 20,
    update_interval=86400,
    max_trade_size_ratio=ONE // 10,
    initial_weights=(ONE // 2, ONE // 2),
    moving_averages=(ONE, ONE),
    intermediates=(0, -ONE),
    first_update=0,
)


def broken(deployment: Deployment) -> list[str]:
    return [check.rule for check in deployment_rules(deployment) if not check.holds]


def created(values: dict[str, Any]) -> Deployment:
    """A golden pool as a deployment."""

    def row(key: str) -> tuple[int, ...]:
        return tuple(from_decimal(value) for value in values[key])

    return Deployment(
        tokens=("A", "B"),
        addresses=None,
        lamb=row("lambda"),
        kappa=row("kappa"),
        epsilon_max=from_decimal(values["epsilon_max"]),
        guard_rail=from_decimal(values["absolute_weight_guard_rail"]),
        update_interval=values["update_interval_s"],
        max_trade_size_ratio=from_decimal(values["max_trade_size_ratio"]),
        initial_weights=row("initial_weights"),
        moving_averages=row("initial_moving_averages"),
        intermediates=row("initial_intermediate_values"),
        first_update=0,
    )


@needs_shared
@pytest.mark.parametrize("vector", [pytest.param(v, id=v["test_name"]) for v in CREATES])
def test_what_the_contract_refuses(vector: dict[str, Any]):
    inputs = vector["inputs"]
    assert inputs["base_params"]["n"] == 2
    checks = deployment_rules(created({**inputs["base_params"], **inputs["changed"]}))
    reverts = [check.reverts_with for check in checks if not check.holds and check.reverts_with]
    expected = vector["expected"]["reverts_with"]
    assert reverts == ([] if expected is None else [expected])


def test_a_good_pool_keeps_every_rule():
    assert broken(GOOD) == []


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"kappa": (ONE, 0)}, "κ > 0"),
        ({"kappa": (ONE, ONE, ONE)}, "κ: one or one per token"),
        ({"lamb": (ONE // 2,) * 3}, "λ: one or one per token"),
        ({"lamb": (ONE // 2, 0)}, "0 < λ < 1"),
        ({"lamb": (ONE,)}, "0 < λ < 1"),
        ({"lamb": (0,)}, "0 < λ < 1"),
        ({"epsilon_max": ONE + 1}, "0 < epsilonMax ≤ 1"),
        ({"guard_rail": ONE // 100 - 1}, "0.01 ≤ guard rail < 1/n"),
        ({"guard_rail": ONE // 2}, "0.01 ≤ guard rail < 1/n"),
        ({"max_trade_size_ratio": 3 * ONE // 10 + 1}, "0 < maxTradeSizeRatio ≤ 0.3"),
        ({"initial_weights": (ONE // 2, ONE // 2 - 10**9)}, "initial weights sum to 1"),
        ({"initial_weights": (ONE // 50, ONE - ONE // 50)}, "initial weights ≥ guard rail"),
        ({"initial_weights": (ONE // 2 + 1, ONE // 2 - 1)}, "initial weights have nine decimals"),
        ({"moving_averages": (ONE, 17 * 10**19 * ONE)}, "|moving average|, |a| < 1.7e20"),
        ({"intermediates": (-17 * 10**19 * ONE, 0)}, "|moving average|, |a| < 1.7e20"),
        ({"update_interval": 0}, "updateInterval > 0"),
        ({"addresses": ("0x" + "b" * 40, "0x" + "A" * 40)}, "addresses ascending"),
        ({"addresses": ("0x" + "b" * 40, "0x" + "B" * 40)}, "addresses ascending"),
    ],
)
def test_one_broken_rule(change: dict[str, Any], rule: str):
    assert rule in broken(replace(GOOD, **change))
    assert len(broken(replace(GOOD, **change))) == 1


def test_the_ends_of_the_ranges_are_kept():
    ends = {
        "epsilon_max": ONE,
        "guard_rail": ONE // 100,
        "max_trade_size_ratio": 3 * ONE // 10,
        "intermediates": (-17 * 10**19 * ONE + 1, 0),
    }
    for name, value in ends.items():
        assert broken(replace(GOOD, **{name: value})) == [], name
    for n, kept in ((1, False), (2, True), (3, True), (7, True), (8, True), (9, False)):
        named = broken(replace(GOOD, tokens=tuple("ABCDEFGHI"[:n]), lamb=(1,), kappa=(1,)))
        assert ("2 to 8 tokens" not in named) is kept, n


def test_what_the_simulation_may_and_the_contract_cannot():
    pool = Pool(use_alt_lamb=True, weight_interpolation_method="approx_optimal", weight_interpolation_period=720)
    found = [check.rule for check in simulation_rules(given_pool(pool, 2, 2).fingerprint) if not check.holds]
    assert found == ["use_alt_lamb is off", "linear interpolation", "m = P"]


def test_all_reasons_at_once():
    fingerprint = given_pool(Pool(use_alt_lamb=True, weight_interpolation_period=720), 2, 2).fingerprint
    bad = replace(GOOD, kappa=(0,), epsilon_max=2 * ONE)
    with pytest.raises(ConfigError) as caught:
        check_deployable([*simulation_rules(fingerprint), *deployment_rules(bad)])
    problems = caught.value.problems
    assert len(problems) == 4
    assert problems[0] == (
        "not deployable: use_alt_lamb is off: pool.use_alt_lamb: true; the contract keeps one average, with one decay; "
        "tune with pool.use_alt_lamb: false"
    )
    assert "epsilonMax = maximum_change·m = 2;" in problems[3]
    assert "the contract says INV_EPMX" in problems[3]
