"""Limits of metrics: violation, merit and order against plain loops; studies whose free optimum breaks a limit."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import create_trial
from pandas.testing import assert_frame_equal

from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.best import limits_section
from momentum_opt.results.report.wording import limits_words
from momentum_opt.results.tables import trials_table
from momentum_opt.study import improvement
from momentum_opt.study.evaluation import BatchScores, Evaluator
from momentum_opt.study.improvement import improver_of
from momentum_opt.study.ledger import Ledger
from momentum_opt.study.limits import excesses, limits_of, merit, merits, violation_of
from momentum_opt.study.loop import Study
from momentum_opt.study.samplers import sobol_numbers
from momentum_opt.study.scoring import Scores
from momentum_opt.study.screening import best_rows
from momentum_opt.study.space import search_space
from momentum_opt.study.storage import JournalStore
from momentum_opt.study.trials import TrialRecord, best_record, pareto_front, record_of
from momentum_opt.vocabulary.names import SAMPLERS
from tests.sample_runs import smoke

TURNOVER = 3.0
LIMITED = (f"objective.limits.weight_turnover.max={TURNOVER}",)
"""The best sets of the sample turn over 6 a year; a constant-weight pool nothing."""

TWO = "objective.limits={weight_turnover: {min: 2, max: 5}, returns: {min: 0}}"
VALUES = st.floats(-100, 100)
SMALL = st.integers(-3, 3).map(float)


def violation_in_a_loop(turnover: float, returns: float) -> float:
    """Of `TWO`: distances in units of the limits; those of a limit at 0 as they are."""
    violation = 0.0
    if turnover < 2:
        violation += (2 - turnover) / 2
    if turnover > 5:
        violation += (turnover - 5) / 5
    if returns < 0:
        violation += -returns
    return violation


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8))
def test_a_violation_is_the_sum_of_the_shares_by_which_limits_are_broken(rows: list[tuple[float, float]]):
    turnover, returns = np.array(rows).T
    metrics = {"weight_turnover": turnover, "returns": returns, "sharpe": np.full(len(rows), np.nan)}
    limits = limits_of(smoke(TWO).objective)
    wanted = [violation_in_a_loop(*row) for row in rows]
    found = violation_of(excesses(metrics, limits))
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found == 0.0, np.array(wanted) == 0.0)


def beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Deb's rules for (objective, violation)."""
    if (one[1] > 0) != (other[1] > 0):
        return not one[1] > 0
    return one[1] < other[1] if one[1] > 0 else one[0] > other[0]


PAIRS = st.tuples(SMALL, st.sampled_from([0.0, 0.0, 1e-3, 0.5, 40.0]))


@given(PAIRS, PAIRS)
def test_merits_rank_as_the_rules_say(one: tuple[float, float], other: tuple[float, float]):
    assert (merit(*one) > merit(*other)) == beats(one, other)
    both = merits(*np.array([one, other]).T)
    assert both.tolist() == [merit(*one), merit(*other)]


def records(values: Sequence[tuple[Sequence[float], float]]) -> list[TrialRecord]:
    """One record per (objectives, violation); without objectives it failed."""
    return [
        TrialRecord(number, {}, tuple(objectives), {}, {}, None if objectives else "broken", violation=violation)
        for number, (objectives, violation) in enumerate(values)
    ]


@given(st.lists(PAIRS, min_size=1, max_size=12))
def test_the_winner_is_the_one_that_no_other_beats(pairs: list[tuple[float, float]]):
    trials = records([((objective,), violation) for objective, violation in pairs])
    best, ledger = best_record(trials), Ledger()
    assert best is not None
    pair = best.objectives[0], best.violation
    assert not any(beats(other, pair) for other in pairs)
    equal = [other for other in pairs if other[1] == pair[1] and other[0] == pair[0]]
    assert pairs.index(equal[0]) == best.number
    for trial in trials:
        ledger.add(trial)
    assert ledger.best == best


@given(st.lists(st.tuples(st.tuples(SMALL, SMALL, SMALL), st.sampled_from([0.0, 0.5, 2.0])), min_size=1, max_size=10))
def test_a_front_is_of_the_trials_that_keep_the_limits(rows: list[tuple[tuple[float, float, float], float]]):
    trials = records(rows)
    least = min(violation for _, violation in rows)
    wanted = [number for number, (_, violation) in enumerate(rows) if violation == least]
    wanted = [
        number
        for number in wanted
        if not any(
            (np.array(rows[other][0]) >= rows[number][0]).all() and rows[other][0] != rows[number][0]
            for other in wanted
        )
    ]
    assert [one.number for one in pareto_front(trials)] == wanted
    ledger = Ledger()
    for trial in trials:
        ledger.add(trial)
    assert ledger.best == best_record(trials)


@given(st.lists(PAIRS, min_size=1, max_size=12), st.integers(1, 12))
def test_the_kept_of_a_screening_keep_the_limits_first(pairs: list[tuple[float, float]], keep: int):
    objectives, violations = np.array(pairs).T
    failed = np.arange(len(pairs)) % 5 == 4
    places = [place for place in range(len(pairs)) if not failed[place]]
    order = sorted(places, key=lambda place: (violations[place], -objectives[place], place))
    assert best_rows(objectives[:, None], failed, keep, violations).tolist() == order[:keep]


@given(st.lists(PAIRS, max_size=9), st.integers(1, 5), st.sampled_from([0.0, 0.5, 3.0]))
def test_early_stopping_waits_while_limits_are_broken_less(
    pairs: list[tuple[float, float]], patience: int, share: float
):
    """A rise is a feasible objective higher by the share; before one is feasible, any step towards it."""
    ledger = Ledger()
    for trial in records([((objective,), violation) for objective, violation in pairs]):
        ledger.add(trial)
    before, after = pairs[: max(0, len(pairs) - patience)], pairs[max(0, len(pairs) - patience) :]
    stalled = len(pairs) > patience
    if stalled:
        best = max(before, key=lambda pair: merit(*pair))
        for pair in after:
            rise = pair[0] - best[0] >= share * abs(best[0]) if best[1] == 0.0 else True
            stalled &= not (beats(pair, best) and rise)
    assert ledger.has_stalled(patience, share) == stalled


def test_a_violation_is_read_from_optunas_constraints():
    constraints = {"returns": 0.25, "weight_turnover": 0.0, "sharpe": 0.5}
    trial = create_trial(value=1.0, constraints=constraints)
    assert record_of(trial).violation == 0.75
    assert record_of(create_trial(value=1.0)).violation == 0.0


def bowl(units: Any) -> Any:
    """Highest at (0.8, 0.5); at most 0.3 of the first number is allowed, so the best is (0.3, 0.5)."""
    return -((units[0] - 0.8) ** 2) - (units[1] - 0.5) ** 2


def constrained(units: Any) -> Any:
    limits = limits_of(smoke("objective.limits.returns.max=0.3").objective)
    return improvement._scored(Scores(bowl(units)[None], {"returns": units[0]}, {}), limits)


def test_evolution_and_ascent_end_at_the_constrained_optimum():
    rng, keys, lanes, generations = np.random.default_rng(2), 2, 16, 60
    draws = np.concatenate(
        [
            rng.standard_cauchy((generations, 1, 1, lanes)),
            rng.standard_normal((generations, 1, 1, lanes)),
            rng.random((generations, 3 + keys, 1, lanes)),
        ],
        axis=1,
    )
    starts = jnp.asarray(0.5 + 0.5 * rng.random((keys, 1, lanes)))  # every one breaks the limit
    fitness = constrained(starts.reshape(keys, lanes)).fitness.reshape(1, lanes)
    assert (fitness < -1e29).all()
    evolve = jax.jit(lambda *start: improvement._evolved(lambda units: constrained(units).fitness, *start))
    free = jnp.tile(jnp.arange(keys)[:, None, None], (1, 1, lanes))
    units, found = evolve(starts, fitness, free, jnp.asarray(draws))
    best = units[:, 0, int(jnp.argmax(found[0]))]
    np.testing.assert_allclose(best, [0.3, 0.5], atol=2e-3)
    assert best[0] <= 0.3
    climbed, reached = jax.jit(lambda *start: improvement._climbed(constrained, *start, 100))(starts[:, 0], fitness[0])
    assert (reached >= fitness[0]).all()
    top = climbed[:, int(jnp.argmax(reached))]
    assert top[0] <= 0.3
    np.testing.assert_allclose(top, [0.3, 0.5], atol=0.03)


def test_a_limited_metric_that_is_not_finite_fails_its_candidate_with_the_reason():
    train = {"calmar": np.array([1.0, np.nan]), "returns": np.array([1.0, 1.0])}
    limits = limits_of(smoke("objective.limits={calmar: {min: 2}, returns: {min: 0}}").objective)
    scores = BatchScores(np.ones((2, 1)), train, {}, None, excesses(train, limits))
    assert scores.problem(0) is None
    assert scores.excesses_of(0) == {"calmar": 0.5, "returns": 0.0}
    assert scores.problem(1) == "calmar is not finite (nan), and has a limit"
    assert BatchScores(np.full((1, 1), np.nan), {}, {}).problem(0) == "objective is not finite (nan)"


def begin(fingerprint: Fingerprint, evaluator: Evaluator, journal: Path) -> Study:
    durable = JournalStore(journal).open_study("one", len(fingerprint.objective.signs), {"it": "is this one"})
    return Study(fingerprint, search_space(fingerprint), evaluator, durable)


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    fingerprint = smoke(*LIMITED)
    return Evaluator(fingerprint, market_of(fingerprint), batch_size=8)


@pytest.mark.parametrize("sampler", sorted({*SAMPLERS} - {"memetic"}))
def test_the_winner_keeps_the_limit_that_better_trials_break(sampler: str, evaluator: Evaluator, tmp_path: Path):
    fingerprint = smoke(*LIMITED, f"search.sampler={sampler}", "search.screen=32", "search.screen_keep=8")
    outcome = begin(fingerprint, evaluator, tmp_path / "whole").run(48)
    rows = trials_table(outcome.records, search_space(fingerprint), fingerprint)
    over = np.maximum(0.0, rows["train_weight_turnover"] / TURNOVER - 1.0)
    np.testing.assert_allclose(rows["violation"], over, rtol=1e-12, atol=1e-15)
    assert rows["feasible"].tolist() == (rows["train_weight_turnover"] <= TURNOVER).tolist()
    best = best_record(outcome.records)
    assert best is not None
    kept = rows[rows["feasible"]]
    assert best.number == kept.loc[kept["objective"].idxmax(), "number"]
    screened = rows[rows["source"] == "screen"]
    assert screened["feasible"].tolist() == sorted(screened["feasible"], reverse=True)
    study = begin(fingerprint, evaluator, tmp_path / "again")
    stops = iter([False, False, True])
    study.run(48, should_stop=lambda: next(stops, True))
    again = begin(fingerprint, evaluator, tmp_path / "again").run(48)
    assert_frame_equal(trials_table(again.records, search_space(fingerprint), fingerprint), rows, check_exact=True)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "cmaes"])
def test_limits_guide_the_samplers_that_read_results(sampler: str, evaluator: Evaluator, tmp_path: Path):
    """More of the later trials keep the limit than of a search that knows nothing of it."""
    shares: list[float] = []
    for place, settings in enumerate((["objective.limits.weight_turnover.min=12"], [])):
        fingerprint = smoke(*settings, f"search.sampler={sampler}", "search.screen=0")
        scorer = evaluator.of_width(8)
        scorer._limits = limits_of(fingerprint.objective)
        outcome = begin(fingerprint, scorer, tmp_path / str(place)).run(96)
        later = [record for record in outcome.records if record.number >= 48]
        shares.append(float(np.mean([record.train["weight_turnover"] >= 12 for record in later])))
    assert shares[0] > 2 * shares[1] + 0.1


def test_memetic_searches_among_the_points_that_keep_the_limit(evaluator: Evaluator, tmp_path: Path):
    settings = ("search.sampler=memetic", "search.generations=4", "search.steps=1", "search.batch_size=16")
    fingerprint = smoke(*LIMITED, *settings, "search.screen=0")
    space = search_space(fingerprint)
    improver = improver_of(fingerprint, space, evaluator)
    assert improver is not None
    ranges = list(space.ranges.values())
    low, high = (np.array([getattr(one, end) for one in ranges])[:, None] for end in ("low", "high"))
    starts = (sobol_numbers(5, 0, improver.width, space.ranges).T - low) / (high - low)
    free = np.tile(np.arange(improver.keys)[:, None], (1, improver.width))
    found = improver.improve(starts, free, np.random.default_rng(0))
    for units, told in ((starts, None), (found.units, found.objectives)):
        scores = evaluator.score_columns(space.columns(low.T + units.T * (high - low).T))
        wanted = merits(scores.objectives[:, 0], scores.violations)
        if told is None:
            before = wanted
        else:
            np.testing.assert_allclose(told, wanted, rtol=1e-9)
            assert (wanted >= before).all()
            assert (before < -1e29).sum() > (wanted < -1e29).sum()
    whole = begin(fingerprint, evaluator, tmp_path / "whole").run(48)
    best = best_record(whole.records)
    assert best is not None
    assert best.violation == 0.0
    assert best.train["weight_turnover"] <= TURNOVER
    study = begin(fingerprint, evaluator, tmp_path / "again")
    stops = iter([False, True])
    study.run(48, should_stop=lambda: next(stops, True))
    again = begin(fingerprint, evaluator, tmp_path / "again").run(48)
    assert [(one.objectives, one.numbers, one.violation) for one in again.records] == [
        (one.objectives, one.numbers, one.violation) for one in whole.records
    ]


def test_a_document_says_which_limits_its_pool_keeps():
    fingerprint = smoke(
        "objective.limits={max_drawdown: {min: -0.25}, weight_turnover: {min: 1, max: 3}, ulcer: {min: -1}}"
    )
    metrics = {"train": {"max_drawdown": -0.2, "weight_turnover": 4.5, "ulcer": math.nan}}
    limits = limits_section(fingerprint, metrics)["limits"]
    assert {name: one["kept"] for name, one in limits.items()} == {
        "max_drawdown": True,
        "ulcer": False,
        "weight_turnover": False,
    }
    assert limits["max_drawdown"] == {"min": -0.25, "value": -0.2, "kept": True}
    del limits["ulcer"]
    assert limits_words(limits) == (
        "not kept; max_drawdown -0.2 (at least -0.25), weight_turnover 4.5 (from 1 to 3: broken)"
    )
    assert limits_words({"max_drawdown": limits["max_drawdown"]}) == "kept; max_drawdown -0.2 (at least -0.25)"
    assert limits_words({"calmar": {"min": 2.0, "value": 3e25, "kept": True}}) == (
        "kept; calmar not meaningful (at least 2)"
    )
    assert limits_section(smoke(), metrics) == {}
    assert limits_section(fingerprint, {"test": metrics["train"]}) == {}
