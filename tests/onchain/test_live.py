"""A live pool, step by step, against the oracle's plan of the whole history (tests/reference)."""

import json
from pathlib import Path

import numpy as np
import pytest

from momentum_opt.errors import DataError, ParamsError, RunFolderError
from momentum_opt.onchain.history import ChunkHistory
from momentum_opt.onchain.live import Position, advance, end_weights, first_position, with_weights
from momentum_opt.results.files import write_json
from momentum_opt.results.weights_state import read_state, state_document
from tests.onchain.pools import START_MS, Given, given_pool
from tests.reference.minute_loop import Pool
from tests.reference.plan import plan_weights

POOLS = {
    "daily": (Pool(), 3, 12),
    "short memory cap, six hours": (Pool(chunk_period=360, max_memory_days=2.5), 4, 6),
    "m < P": (Pool(chunk_period=720, weight_interpolation_period=240, minimum_weight=0.02), 3, 6),
    "two decays": (Pool(chunk_period=720, use_alt_lamb=True), 3, 6),
    "approx_optimal": (Pool(weight_interpolation_method="approx_optimal"), 3, 6),
    "three days": (Pool(chunk_period=4320), 3, 12),
    "hours": (Pool(chunk_period=1440, bar_minutes=60, arb_frequency=60), 3, 12),
}


def followed(given: Given, history: ChunkHistory) -> Position:
    first = first_position(history.prices[0], given.params, given.fingerprint)
    return advance(first, history.after(int(history.times_ms[0])), given.params, given.fingerprint)


RARE = ("m < P", "approx_optimal", "hours")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in RARE else []) for name in POOLS]
)
def test_against_the_oracle(name: str):
    pool, n, days = POOLS[name]
    given = given_pool(pool, n, days)
    plan = plan_weights(given.case.prices, given.case.start_row, given.params, pool)
    position = followed(given, given.history())
    updates = len(plan.readouts.ewma) - 1
    np.testing.assert_allclose(position.carry["ewma"], plan.readouts.ewma[updates], rtol=1e-13)
    np.testing.assert_allclose(position.carry["running_a"], plan.readouts.running_a[updates], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(position.move.start, plan.positions[-1], atol=1e-13)
    np.testing.assert_allclose(np.asarray(position.move.step) * pool.bar_minutes, plan.steps[-1], atol=1e-15)
    end = plan.positions[-1] + plan.steps[-1] * pool.interpolation_rows
    np.testing.assert_allclose(end_weights(position.move, given.fingerprint), end, atol=1e-13)


def test_a_hundred_days_with_a_state_file_equal_one_pass(tmp_path: Path):
    given = given_pool(Pool(chunk_period=1440, bar_minutes=60, arb_frequency=60), 3, 101)
    state = tmp_path / "state.json"
    history = given.history()
    times = history.times_ms[history.times_ms >= START_MS]
    position = followed(given, given.history(int(times[0])))
    write_json(state, state_document(position, int(times[0]), given.params, given.fingerprint))
    for time in times[1:]:
        found = read_state(state, given.params, given.fingerprint)
        assert found is not None
        before, before_ms = found
        since = given.history(int(time)).after(before_ms)
        assert len(since.times_ms) == 1
        position = advance(before, since, given.params, given.fingerprint)
        write_json(state, state_document(position, int(time), given.params, given.fingerprint))
    assert len(times) == 101
    whole = followed(given, history)
    np.testing.assert_allclose(position.carry["ewma"], whole.carry["ewma"], rtol=1e-12)
    np.testing.assert_allclose(position.carry["running_a"], whole.carry["running_a"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(position.move.start, whole.move.start, rtol=1e-12)
    np.testing.assert_allclose(position.move.target, whole.move.target, rtol=1e-12)
    plan = plan_weights(given.case.prices, given.case.start_row, given.params, given.case.pool)
    np.testing.assert_allclose(position.move.start, plan.positions[-1], atol=1e-12)


def test_up_to_the_start_the_weights_rest():
    given = given_pool(Pool(), 3, 4)
    for days in (-2, 0):
        position = followed(given, given.history(START_MS + days * 86_400_000))
        np.testing.assert_array_equal(position.move.start, given.params["initial_weights"])
        np.testing.assert_array_equal(position.move.step, 0.0)
        assert np.asarray(position.carry["running_a"]).any()


def test_other_current_weights():
    """The same change is asked of the weights that the pool really has."""
    given = given_pool(Pool(), 3, 6, k=0.1)
    del given.params["log_k"]
    position = followed(given, given.history())
    moved = with_weights(position, np.array([0.5, 0.3, 0.2]), given.fingerprint)
    np.testing.assert_allclose(np.asarray(moved.move.target) - [0.5, 0.3, 0.2], position.change, atol=1e-12)
    assert moved.carry is position.carry


def test_a_time_without_a_price():
    given = given_pool(Pool(), 2, 2)
    with pytest.raises(DataError, match="no price there; prices reach from 2021-12-27"):
        given.history(START_MS + 10 * 86_400_000)
    with pytest.raises(DataError, match="not on a bar of 1 minutes"):
        given.history(START_MS + 1)


def altered(document: dict, **changes: object) -> dict:
    return {**json.loads(json.dumps(document)), **changes}


def test_a_state_that_is_not_this_pools(tmp_path: Path):
    given = given_pool(Pool(), 2, 4)
    path = tmp_path / "state.json"
    assert read_state(path, given.params, given.fingerprint) is None
    document = state_document(followed(given, given.history()), START_MS, given.params, given.fingerprint)
    other_params = {**given.params, "log_k": given.params["log_k"] + 1e-12}
    other_pool = given_pool(Pool(maximum_change=1e-4), 2, 4).fingerprint
    write_json(path, document)
    with pytest.raises(ParamsError, match="a pool with other parameters; give another --state"):
        read_state(path, other_params, given.fingerprint)
    with pytest.raises(ParamsError, match="a pool with other configuration and parameters"):
        read_state(path, other_params, other_pool)
    wrong = [
        ({"kind": "deployment"}, "not a state file"),
        ({"time": "yesterday"}, "cannot be read"),
        ({"change": {"A": 0.0}}, "cannot be read"),
        ({"change": {"A": 0.0, "B": None}}, "cannot be read"),
        ({"estimator": {}}, "cannot be read"),
    ]
    for change, said in wrong:
        write_json(path, altered(document, **change))
        with pytest.raises(ParamsError, match=said):
            read_state(path, given.params, given.fingerprint)
    write_json(path, altered(document, schema_version=2))
    with pytest.raises(RunFolderError, match=r"schema_version: 2 was written by a newer momentum-opt, .*; use"):
        read_state(path, given.params, given.fingerprint)
    write_json(path, document)
    edited = json.loads(path.read_text())
    edited["estimator"][next(iter(edited["estimator"]))]["A"] += 1e-9
    path.write_text(json.dumps(edited))
    with pytest.raises(RunFolderError, match=r"changed since it was written: estimator\.\w+; give the file as weights"):
        read_state(path, given.params, given.fingerprint)
