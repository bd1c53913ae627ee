"""Which neighbours of a winner enter a study, what they note, and what samplers and early stopping make of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial

from momentum_opt.api.prices import market_of
from momentum_opt.study.evaluation import BatchScores, Evaluator
from momentum_opt.study.evolution import PopulationSampler
from momentum_opt.study.ledger import Ledger
from momentum_opt.study.loop import Study
from momentum_opt.study.memetic import Finished, Memetic
from momentum_opt.study.neighbours import (
    BETTER_SHARE,
    Cut,
    better_rows,
    cut_short,
    latest_rounds,
    margin,
    neighbour_trials,
)
from momentum_opt.study.space import search_space
from momentum_opt.study.storage import JournalStore
from momentum_opt.study.trials import TrialRecord, best_record, record_of
from tests.sample_runs import smoke

SPACE = search_space(smoke())
LOW, HIGH = np.array([(one.low, one.high) for one in SPACE.ranges.values()]).T


def numbers_of(count: int, seed: int = 0) -> np.ndarray:
    return LOW + (HIGH - LOW) * np.random.default_rng(seed).random((count, len(LOW)))


def test_better_means_by_more_than_a_hundredth_of_the_gain():
    """Winner 3 over a pool of 1: from 3.02 on; copies once, the best first, none that failed or lies outside."""
    numbers = numbers_of(8)
    numbers[5] = numbers[4]
    numbers[6, 0] = HIGH[0] + 1e-9
    objectives = np.array([3.019, 3.021, 2.0, 5.0, 4.0, 4.0, 9.0, np.nan])[:, None]
    kept = np.zeros(8), 0.0
    assert better_rows(objectives, numbers, (3.0,), 1.0, SPACE, 9, *kept).tolist() == [3, 4, 1]
    assert better_rows(objectives, numbers, (3.0,), 1.0, SPACE, 2, *kept).tolist() == [3, 4]
    assert better_rows(objectives, numbers, (9.0,), 1.0, SPACE, 9, *kept).tolist() == []


def test_a_neighbour_that_breaks_a_limit_enters_only_where_it_breaks_it_less():
    objectives = np.array([9.0, 5.0, 4.0, 1.0, np.nan])[:, None]
    violations = np.array([0.1, 0.0, 0.995, 0.5, 0.0])
    arguments = objectives, numbers_of(5), (3.0,), 1.0, SPACE, 9, violations
    assert better_rows(*arguments, 0.0).tolist() == [1]
    assert better_rows(*arguments, 1.0).tolist() == [1, 0, 3]
    assert better_rows(*arguments, 0.2).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("winner", "baseline", "wanted"), [(3.0, 1.0, 2.0), (-1.0, 1.0, 2.0), (-3.0, np.nan, 3.0), (1.0, 1.0, 0.0)]
)
def test_the_margin_is_a_hundredth_of_the_distance_to_the_constant_weight_pool(
    winner: float, baseline: float, wanted: float
):
    assert margin(winner, baseline) == pytest.approx(BETTER_SHARE * wanted)


def test_of_several_objectives_none_may_be_worse():
    objectives = np.array([[2.0, 1.0, 0.0], [2.0, 0.9, 5.0], [2.0, 1.0, -0.1], [1.0, 9.0, 9.0], [3.0, 1.0, 0.0]])
    winner = (1.0, 1.0, 0.0)
    assert better_rows(objectives, numbers_of(5), winner, 0.0, SPACE, 9, np.zeros(5), 0.0).tolist() == [4, 0]


def scores_of(objectives: Sequence[float]) -> BatchScores:
    values = np.array(objectives)
    return BatchScores(values[:, None], {"returns": 2.0 * values}, {"returns": np.full(len(values), np.nan)})


def entered(rows: Sequence[int], near: int, count: int = 10, sampler: str = "nsga2") -> list[FrozenTrial]:
    numbers = numbers_of(count, seed=near)
    fingerprint = smoke(f"search.sampler={sampler}")
    scores = scores_of(np.arange(float(count)).tolist())
    return neighbour_trials(np.array(rows), numbers, scores, near, SPACE, fingerprint, [])


def test_neighbours_note_their_source_and_count_the_whole_neighbourhood():
    trials = [record_of(trial) for trial in entered([9, 8, 7], near=4)]
    assert [(one.source, one.near, one.near_count) for one in trials] == [("neighbourhood", 4, 3)] * 3
    assert sum(one.points for one in trials) == 10
    assert [one.points for one in trials[1:]] == [1, 1]
    assert [one.objectives for one in trials] == [(9.0,), (8.0,), (7.0,)]
    assert [one.train["returns"] for one in trials] == [18.0, 16.0, 14.0]
    wanted = [dict(zip(SPACE.ranges, numbers_of(10, seed=4)[row].tolist(), strict=True)) for row in (9, 8, 7)]
    assert [dict(one.numbers) for one in trials] == wanted
    assert not any(one.counts for one in trials)


def record(number: int, value: float, near: int | None = None, near_count: int = 0) -> TrialRecord:
    source = "sampler" if near is None else "neighbourhood"
    return TrialRecord(number, {}, (value,), {}, {}, None, source, near=near, near_count=near_count)


def test_rounds_since_the_last_trial_of_the_sampler():
    rounds = [record(0, 1.0), record(1, 2.0, 0, 1), record(2, 1.5)]
    assert latest_rounds(rounds) == []
    rounds += [record(3, 3.0, 1, 2), record(4, 2.5, 1, 2), record(5, 4.0, 3, 3), record(6, 3.5, 3, 3)]
    assert [[one.number for one in found] for found in latest_rounds(rounds)] == [[3, 4], [5, 6]]
    assert cut_short(rounds) == Cut(near=3, there=2)
    assert cut_short([*rounds, record(7, 3.2, 3, 3)]) is None
    assert cut_short(rounds[:5]) is None


def stalled_plainly(records: Sequence[TrialRecord], patience: int) -> bool:
    """No rise since the last `patience` trials of the sampler began."""
    asked = [place for place, one in enumerate(records) if one.counts]
    if len(asked) < patience or asked[-patience] == 0:
        return False
    first = asked[-patience]
    return max(one.objectives[0] for one in records[first:]) <= max(one.objectives[0] for one in records[:first])


def test_neighbours_are_a_rise_and_take_no_part_of_the_patience():
    rng = np.random.default_rng(5)
    for _ in range(30):
        ledger, records = Ledger(), list[TrialRecord]()
        for number in range(40):
            near = 0 if number and rng.random() < 0.3 else None
            records.append(record(number, float(rng.integers(60)), near))
            ledger.add(records[-1])
            assert ledger.has_stalled(6, 0.0) == stalled_plainly(records, 6)
            assert ledger.sampled == sum(one.near is None for one in records)


def test_cmaes_begins_anew_at_the_best_neighbour():
    """The population after neighbours is the first one of a study that begins there."""
    fingerprint = smoke("search.sampler=cmaes")
    trials = entered([9, 8], near=4)

    def batch(before: int) -> np.ndarray:
        study = optuna.create_study(direction="maximize")
        for number in numbers_of(before, seed=1).tolist():
            params = dict(zip(SPACE.ranges, number, strict=True))
            study.add_trial(
                optuna.trial.create_trial(value=1.0, params=params, distributions=dict(SPACE.distributions))
            )
        study.add_trials(trials)
        study.sampler = PopulationSampler(0, 7, 16, SPACE.distributions, skip=before + 2, mean=trials[0].params)
        asked = [study.ask(fixed_distributions=dict(SPACE.distributions)).params for _ in range(16)]
        return np.array([[one[key] for key in SPACE.ranges] for one in asked])

    np.testing.assert_array_equal(batch(32), batch(0))
    place = (batch(0) - numbers_of(10, seed=4)[9]) / (HIGH - LOW)
    assert np.abs(place).mean() < 0.2
    assert fingerprint.search.sampler == "cmaes"


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(smoke(), market_of(smoke()), batch_size=8)


@pytest.mark.parametrize("sampler", ["nsga2", "cmaes", "memetic", "tpe"])
def test_the_search_goes_on_after_neighbours_as_it_would_after_a_restart(
    sampler: str, evaluator: Evaluator, tmp_path: Path
):
    fingerprint = smoke(f"search.sampler={sampler}", "search.screen=0", "search.generations=2", "search.steps=0")

    def study(name: str) -> Study:
        durable = JournalStore(tmp_path / name).open_study("one", 1, {"it": "is this one"})
        return Study(fingerprint, SPACE, evaluator, durable)

    whole = study("whole")
    whole.run(16)
    best = best_record(whole.durable.records())
    assert best is not None
    rows, numbers = np.array([3, 1]), numbers_of(5, seed=8)
    objectives = best.objectives[0] + 0.1 * np.arange(1.0, 6.0)
    near = neighbour_trials(
        rows, numbers, scores_of(objectives.tolist()), best.number, SPACE, fingerprint, whole.durable.finished()
    )
    whole.durable.append(near)
    outcome = study("whole").run(40)
    assert [one.source for one in outcome.records[16:18]] == ["neighbourhood"] * 2
    assert (len(outcome.records), len(outcome.sampled)) == (42, 40)
    assert len({tuple(one.numbers.values()) for one in outcome.records}) > 38
    (tmp_path / "again").write_bytes(b"".join((tmp_path / "whole").read_bytes().splitlines(keepends=True)[:-16]))
    again = study("again").run(40)
    assert [one.numbers for one in again.records] == [one.numbers for one in outcome.records]


def test_the_generation_after_neighbours_is_bred_from_them_too(evaluator: Evaluator, tmp_path: Path):
    """Crossover hands numbers on as they are, so children of the best trial have some of its numbers."""
    fingerprint = smoke()
    durable = JournalStore(tmp_path / "study").open_study("one", 1, {"it": "is this one"})
    Study(fingerprint, SPACE, evaluator, durable).run(16)
    (trial,) = neighbour_trials(
        np.array([0]), numbers_of(1), scores_of([9.0]), 3, SPACE, fingerprint, durable.finished()
    )
    durable.append([trial])
    children = Study(fingerprint, SPACE, evaluator, durable).run(32).records[17:]
    assert any(child.numbers[key] == value for child in children for key, value in trial.params.items())


def test_a_memetic_study_starts_from_the_screened_trials_and_breeds_from_neighbours(
    evaluator: Evaluator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fingerprint = smoke(
        "search.sampler=memetic", "search.generations=2", "search.steps=0", "search.screen=16", "search.screen_keep=8"
    )
    seen: list[Finished] = []
    propose = Memetic.propose

    def watched(self: Memetic, finished: Finished, *rest: object) -> object:
        seen.append(finished)
        return propose(self, finished, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Memetic, "propose", watched)
    durable = JournalStore(tmp_path / "study").open_study("one", 1, {"it": "is this one"})
    Study(fingerprint, SPACE, evaluator, durable).run(8)
    durable.append(entered([9, 8], near=0, sampler="memetic"))
    Study(fingerprint, SPACE, evaluator, durable).run(16)
    assert seen[0].screened.tolist() == [True] * 8
    assert seen[1].screened.tolist() == [True] * 8 + [False] * 10
    assert seen[1].objectives[-2:].tolist() == [9.0, 8.0]
