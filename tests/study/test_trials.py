import itertools
import math

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState, create_trial

from momentum_opt.study.ledger import Ledger
from momentum_opt.study.trials import TrialRecord, best_record, metric_attributes, pareto_front, record_of

Objectives = tuple[float, ...]
SMALL = st.integers(-3, 3).map(float)


def record(number: int, *objectives: float) -> TrialRecord:
    return TrialRecord(number, {}, objectives, {}, {}, None if objectives else "broken")


def records(values: list[Objectives]) -> list[TrialRecord]:
    return [record(number, *objectives) for number, objectives in enumerate(values)]


@given(st.lists(st.one_of(st.just(()), st.tuples(SMALL)), max_size=12))
def test_the_best_of_one_objective_is_the_earliest_of_the_largest(values: list[Objectives]):
    best = best_record(records(values))
    scored = [(value[0], number) for number, value in enumerate(values) if value]
    if not scored:
        assert best is None
        return
    top = max(value for value, _ in scored)
    assert best is not None
    assert best.number == min(number for value, number in scored if value == top)


@given(st.lists(st.tuples(SMALL, SMALL, SMALL), min_size=1, max_size=12))
def test_the_front_against_its_definition(values: list[Objectives]):
    front = {one.number for one in pareto_front(records(values))}
    for number, mine in enumerate(values):
        beaten = False
        for other in values:
            no_worse = sum(b >= a for a, b in zip(mine, other, strict=True))
            better = sum(b > a for a, b in zip(mine, other, strict=True))
            beaten |= no_worse == 3 and better > 0
        assert (number in front) != beaten


@given(st.lists(st.tuples(SMALL, SMALL, SMALL), min_size=1, max_size=12))
def test_the_balanced_point_is_nearest_to_the_ideal(values: list[Objectives]):
    best = best_record(records(values))
    front = [one.objectives for one in pareto_front(records(values))]
    low = [min(column) for column in zip(*front, strict=True)]
    span = [max(column) - bottom for column, bottom in zip(zip(*front, strict=True), low, strict=True)]

    def distance(point: Objectives) -> float:
        scaled = [(v - b) / s if s else 1.0 for v, b, s in zip(point, low, span, strict=True)]
        return math.dist(scaled, (1.0, 1.0, 1.0))

    assert best is not None
    assert distance(best.objectives) == pytest.approx(min(map(distance, front)), abs=1e-12)


def test_the_balanced_point_by_hand():
    ends = [(10.0, 0.0, 0.0), (0.0, 10.0, 0.0), (0.0, 0.0, 10.0)]
    assert best_record(records([*ends, (6.0, 6.0, 6.0), (6.0, 6.0, 6.0), ()])) == record(3, 6.0, 6.0, 6.0)


def test_a_failed_trial_never_stands_on_the_front():
    assert best_record(records([(), (1.0, 1.0, 1.0), ()])) == record(1, 1.0, 1.0, 1.0)
    assert best_record(records([(), ()])) is None


def has_stalled(trials: list[TrialRecord], patience: int, share: float) -> bool:
    """What the ledger says, whether the trials came in order or not."""
    ledgers = [Ledger(), Ledger()]
    for ledger, order in zip(ledgers, (trials, [*trials[1::2], *trials[::2]]), strict=True):
        for one in order:
            ledger.add(one)
        assert ledger.records == trials
        assert ledger.failed == sum(one.failed for one in trials)
        assert ledger.best == best_record(trials)
    one, other = (ledger.has_stalled(patience, share) for ledger in ledgers)
    assert one == other
    return one


@given(
    values=st.lists(st.one_of(st.just(()), st.tuples(SMALL)), max_size=10),
    patience=st.integers(1, 6),
    share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
def test_stalling_against_its_definition(values: list[Objectives], patience: int, share: float):
    n = len(values)
    before = [value[0] for value in values[: max(0, n - patience)] if value]
    expected = n > patience and bool(before)
    if expected:
        best = max(before)
        for value in values[n - patience :]:
            expected &= not (value and value[0] > best and value[0] - best >= share * abs(best))
    assert has_stalled(records(values), patience, share) == expected


def test_a_study_that_always_rises_never_stalls():
    rising = records([(float(value),) for value in range(50)])
    assert not any(has_stalled(rising[:n], patience, 0.0) for n, patience in itertools.product(range(51), (1, 5, 20)))


def test_a_rise_too_small_counts_as_none():
    values = records([(100.0,), (101.0,), (102.0,)])
    assert not has_stalled(values, 2, 0.0)
    assert has_stalled(values, 2, 0.05)


def test_records_of_optuna_trials():
    study = optuna.create_study(direction="maximize")
    attributes = {"train_returns": 0.5, "train_calmar": None, "validation_returns": 0.25, "k_per_day_BTC": 4.0}
    study.add_trial(create_trial(value=2.0, user_attrs=attributes))
    study.add_trial(create_trial(state=TrialState.FAIL, user_attrs={"fail_reason": "too light"}))
    study.add_trial(create_trial(state=TrialState.FAIL))
    older = {"train": {"returns": 0.5, "calmar": None}, "validation": {"returns": 0.25}, "blocks": "AAAA"}
    study.add_trial(create_trial(value=2.0, user_attrs=older))
    good, light, bare, old = (record_of(trial) for trial in study.trials)
    assert (good.objectives, good.failed, good.fail_reason) == ((2.0,), False, None)
    assert good.train["returns"] == 0.5
    assert math.isnan(good.train["calmar"])
    assert good.validation == {"returns": 0.25}
    assert (light.objectives, light.failed, light.fail_reason) == ((), True, "too light")
    assert bare.fail_reason == "unknown"
    assert (old.train["returns"], old.validation, old.blocks) == (0.5, {"returns": 0.25}, "AAAA")


def test_metrics_as_strict_json():
    train = {"a": np.array([0.0, 1.0]), "b": np.array([0.0, math.nan]), "c": np.array([0.0, -math.inf])}
    found = metric_attributes(train, {"a": np.array([0.0, 2.0])}, 1)
    assert found == {"train_a": 1.0, "train_b": None, "train_c": None, "validation_a": 2.0}
