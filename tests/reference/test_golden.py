"""The oracle against all numbers of the golden simulation file, with SPEC §18's tolerances."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tests.reference import golden_cases
from tests.reference.golden_cases import CASES, Floats
from tests.reference.metrics import all_metrics
from tests.reference.minute_loop import zero_cost_longdouble
from tests.shared_data import needs_shared

pytestmark = needs_shared
each_case = pytest.mark.parametrize("name", list(CASES))


def value_tolerance(name: str) -> float:
    case = CASES[name]["case"]
    return 1e-8 if any(case.get(key) for key in ("fees", "gas_cost", "arb_fees")) else 1e-9


def last_and_every_day(rows: Floats, expected: Mapping[str, Any], quantity: str) -> tuple[Floats, Floats]:
    found = np.concatenate([rows[::1440], rows[-1:]])
    return found, np.array([*expected[f"daily_{quantity}"], expected[f"final_{quantity}"]])


@each_case
def test_every_case_uses_only_known_keys(name: str) -> None:
    known = {"name", "tokens", "start", "end", "burn_in_days", "params", "wip"}
    pool = golden_cases.load_case(CASES[name]["case"]).pool
    assert {key for key in CASES[name]["case"] if key not in known} <= set(vars(pool))


@each_case
@pytest.mark.parametrize("quantity", ["value", "reserves"])
def test_values_and_reserves(name: str, quantity: str) -> None:
    path, expected = golden_cases.reference_path(name), CASES[name]["expected"]
    assert len(path.value) == expected["minutes"]
    found, wanted = last_and_every_day(getattr(path, quantity), expected, quantity)
    np.testing.assert_allclose(found, wanted, rtol=value_tolerance(name), atol=0)


@each_case
def test_weights(name: str) -> None:
    path, expected = golden_cases.reference_path(name), CASES[name]["expected"]
    found, wanted = last_and_every_day(path.weights, expected, "weights")
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)
    np.testing.assert_allclose(path.weights[1440:1470], expected["minute_weights_day2"], rtol=0, atol=1e-9)


@each_case
def test_values_inside_days(name: str) -> None:
    path, expected = golden_cases.reference_path(name), CASES[name]["expected"]
    tolerance = value_tolerance(name)
    np.testing.assert_allclose(path.value[::360][:40], expected["six_hour_value"], rtol=tolerance, atol=0)
    np.testing.assert_allclose(path.value[1440:1560], expected["minute_value_day2"], rtol=tolerance, atol=0)


@pytest.mark.parametrize("name", [name for name in CASES if "readouts" in CASES[name]["expected"]])
@pytest.mark.parametrize("readout", ["ewma", "running_a", "gradients"])
def test_readouts(name: str, readout: str) -> None:
    path, wanted = golden_cases.reference_path(name), CASES[name]["expected"]["readouts"][readout]
    np.testing.assert_allclose(getattr(path, readout)[:10], wanted, rtol=1e-8, atol=0)


@each_case
def test_metrics(name: str) -> None:
    path, loaded = golden_cases.reference_path(name), golden_cases.load(name)
    found = all_metrics(path.value, path.reserves[0], loaded.prices[loaded.start_row], loaded.prices[-1])
    wanted = CASES[name]["expected"]["metrics"]
    assert set(wanted) <= set(found)
    for metric, value in wanted.items():
        if value is None:
            assert not np.isfinite(found[metric]), metric
        else:
            assert found[metric] == pytest.approx(value, rel=1e-6, abs=0), metric


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("zero_fee") and "gas" not in name])
def test_extended_precision_path_agrees(name: str) -> None:
    value, reserves = zero_cost_longdouble(*golden_cases.load(name))
    path = golden_cases.reference_path(name)
    np.testing.assert_allclose(value.astype(float), path.value, rtol=2e-12, atol=0)
    np.testing.assert_allclose(reserves.astype(float), path.reserves, rtol=2e-12, atol=0)
