"""Where memetic batches start, and studies that they make up: notes, costs, refusals, resumption."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from momentum_opt.api.prices import market_of
from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.improvement import LANES_PER_TRIAL, Effort, Improved, Improver
from momentum_opt.study.loop import Study
from momentum_opt.study.memetic import DISTANCE, FIRST_BATCHES, Finished, Memetic, _told, apart
from momentum_opt.study.space import search_space
from momentum_opt.study.storage import JournalStore
from tests.sample_runs import smoke

KEYS = 6
MEMETIC = ("search.sampler=memetic", "search.generations=4", "search.steps=1", "search.screen=0")


def memetic(*, refines: bool = False, worker: int = 0, seed: int = 0) -> Memetic:
    """Without an improver: every point is told where it started."""
    return Memetic(search_space(smoke()), None, 16, seed, worker, refines=refines)


def finished(count: int, screened: int = 0, seed: int = 3) -> Finished:
    ranges = list(search_space(smoke()).ranges.values())
    units = np.random.default_rng(seed).random((count, KEYS))
    numbers = np.stack(
        [one.low + column * (one.high - one.low) for column, one in zip(units.T, ranges, strict=True)], axis=1
    )
    return Finished(numbers, np.random.default_rng(seed + 1).random(count), np.arange(count) < screened)


NONE_KNOWN = np.zeros((0, KEYS))


def starts(search: Memetic, trials: Finished, number: int, total: int = 0) -> NDArray[np.float64]:
    return search.propose(trials, number, total, 16, NONE_KNOWN).numbers


def test_a_batch_follows_from_seed_worker_number_and_trials_alone():
    trials = finished(200)
    for number in (0, FIRST_BATCHES):
        again = [starts(memetic(), trials, number) for _ in range(2)]
        np.testing.assert_array_equal(*again)
        for other in (memetic(seed=1), memetic(worker=2)):
            assert not np.isin(starts(other, trials, number), again[0]).all(axis=1).all()
        assert not np.array_equal(starts(memetic(), trials, number, total=16), again[0])


def test_the_first_batches_start_from_the_best_screened_and_from_random_points_in_turn():
    trials = finished(100, screened=60)
    ranked = trials.numbers[:60][np.argsort(-trials.objectives[:60])]
    found, expected = starts(memetic(), trials, 0), ranked[:16]
    order = np.lexsort(found.T), np.lexsort(expected.T)
    np.testing.assert_allclose(found[order[0]], expected[order[1]], rtol=1e-12)
    for number in range(1, FIRST_BATCHES, 2):
        assert not np.isclose(starts(memetic(), trials, number)[:, None], trials.numbers[None]).all(axis=2).any()


def test_later_batches_keep_the_best_trial_and_some_fresh_points():
    trials = finished(300)
    found = starts(memetic(), trials, FIRST_BATCHES)
    best = trials.numbers[np.argmax(trials.objectives)]
    assert np.isclose(found, best, rtol=1e-9).all(axis=1).any()
    ranges = np.array([(one.low, one.high) for one in search_space(smoke()).ranges.values()])
    assert (found >= ranges[:, 0]).all()
    assert (found <= ranges[:, 1]).all()


def test_refinements_stay_near_the_best_and_come_every_other_time():
    trials = finished(300)
    near = Finished(trials.numbers[:1].repeat(300, axis=0), trials.objectives, trials.screened)
    width = np.array([one.high - one.low for one in search_space(smoke()).ranges.values()])
    spread = np.random.default_rng(0).uniform(-0.1, 0.1, near.numbers.shape) * width
    low = np.array([one.low for one in search_space(smoke()).ranges.values()])
    near = Finished(np.clip(near.numbers + spread, low, low + width), near.objectives, near.screened)
    search = memetic(refines=True)
    refined = starts(search, near, FIRST_BATCHES + 1)
    assert (np.abs(refined - near.numbers[0]) / width < 0.2).all()
    other = starts(search, near, FIRST_BATCHES + 2)
    assert not (np.abs(other - near.numbers[0]) / width < 0.2).all()


def test_known_points_come_first_as_they_are():
    trials, known = finished(0), finished(2, seed=8).numbers
    proposed = memetic().propose(trials, 0, 0, 16, known)
    np.testing.assert_array_equal(proposed.numbers[:2], known)
    assert len(proposed.numbers) == len(proposed.starts) == len(proposed.points) == 16


def test_elites_lie_apart_and_the_best_of_a_neighbourhood_stands_for_it():
    units = np.array([[0.5, 0.5], [0.5 + DISTANCE / 2, 0.5], [0.9, 0.1], [0.5, 0.5 + 2 * DISTANCE]])
    assert apart(units, DISTANCE, 8) == [0, 2, 3]
    assert apart(units, DISTANCE, 2) == [0, 2]


@pytest.fixture(scope="module")
def market() -> Market:
    return market_of(smoke())


def study_of(fingerprint: Fingerprint, market: Market, path: Path) -> tuple[Study, Evaluator]:
    size = fingerprint.search.batch_size
    evaluator = Evaluator(fingerprint, market, batch_size=size)
    proposals = None
    if fingerprint.proposes_without_costs:
        proposals = Evaluator(fingerprint.without_costs(), market, batch_size=size)
    durable = JournalStore(path / "journal").open_study("one", 1, {"digest": fingerprint.digest})
    return Study(fingerprint, search_space(fingerprint), evaluator, durable, proposals), evaluator


def test_trials_note_where_they_started_and_how_many_points_were_scored(market: Market, tmp_path: Path):
    fingerprint = smoke(*MEMETIC)
    study, _ = study_of(fingerprint, market, tmp_path)
    outcome = study.run(16)
    scored = 8 * LANES_PER_TRIAL * (1 + 4 + 2)  # of each batch, those of lanes that are not told included
    points = [record.points for record in outcome.records]
    assert points[0] == 1  # the first trial, as it is
    assert sum(points[1:8]) == sum(points[8:]) == scored
    assert max(points[1:8]) - min(points[1:8]) <= 1
    trials = study.durable.finished()
    for trial in trials:
        assert {f"start_{key}" for key in trial.params} <= trial.user_attrs.keys()
    moved = [
        trial for trial in trials if trial.params != {key: trial.user_attrs[f"start_{key}"] for key in trial.params}
    ]
    assert len(moved) > 8


def test_a_short_batch_compiles_nothing_and_keeps_the_best_lanes(market: Market, tmp_path: Path):
    fingerprint = smoke(*MEMETIC)
    study, _ = study_of(fingerprint, market, tmp_path)
    short = study.run(5)
    (tmp_path / "whole").mkdir()
    whole, _ = study_of(fingerprint, market, tmp_path / "whole")
    best = sorted((record.objectives[0] for record in whole.run(8).records[1:]), reverse=True)
    found = sorted((record.objectives[0] for record in short.records[1:]), reverse=True)
    assert len(found) == 4
    assert set(found) < set(best)
    assert found[0] == best[0]


def test_the_best_lanes_that_lie_apart_are_told_and_the_best_of_the_others_fill_up():
    units = np.array([[0.5, 0.5 + DISTANCE / 2, 0.1, 0.9, 0.5 - DISTANCE / 2], [0.5, 0.5, 0.5, 0.5, 0.5]])
    improved = Improved(units, np.array([5.0, 4.0, 3.0, 1.0, 2.0]))
    assert _told(improved, 3).tolist() == [0, 2, 3]
    assert _told(improved, 4).tolist() == [0, 1, 2, 3]
    assert _told(Improved(units, np.array([5.0, 4.0, 3.0, -np.inf, 2.0])), 2).tolist() == [0, 2]


def test_every_second_island_of_fresh_points_gives_tokens_the_same_memory(market: Market):
    """Bred islands are free, and so is everything but memories that have the same range."""
    fingerprint = smoke(*MEMETIC, "search.batch_size=64", "search.parameters.logit_lamb={high: {SYNA: 2}}")
    evaluator, space = Evaluator(fingerprint, market, batch_size=64), search_space(fingerprint)
    improver = Improver(evaluator, space, 64, Effort(1, 0))
    search = Memetic(space, improver, 64, 0, 0, refines=False)
    keys = list(space.ranges)
    same = {
        key for key in keys if key.startswith("logit_lamb") and space.ranges[key] == space.ranges["logit_lamb_SYNB"]
    }
    assert 2 <= len(same) < 3
    drawn = [search._ties(improver.width // 2, np.random.default_rng(seed)) for seed in range(100)]
    free = np.arange(len(keys))
    tied = 0
    for ties in drawn:
        assert ties.shape == (improver.width, len(keys))
        assert (ties[: improver.width // 2] == free).all()
        for first in range(improver.width // 2, improver.width, improver.island):
            island = ties[first : first + improver.island]
            assert (island == island[0]).all()
            copies = {keys[place] for place in np.flatnonzero(island[0] != free)}
            assert copies <= same
            assert {keys[place] for place in island[0]} >= set(keys) - same
            tied += bool(copies)
    islands = len(drawn) * improver.width // 2 // improver.island
    assert 0.4 < tied / islands < 0.6


def test_with_costs_every_trial_is_scored_with_full_costs(market: Market, tmp_path: Path):
    """Screened ones too; proposals come from the engine without costs."""
    fingerprint = smoke(*MEMETIC, "costs.fees=0.003", "search.screen=32", "search.screen_keep=4")
    assert fingerprint.proposes_without_costs
    assert not fingerprint.without_costs().costs.has_costs
    study, evaluator = study_of(fingerprint, market, tmp_path)
    seen = []
    outcome = study.run(8 * (FIRST_BATCHES + 2), on_screened=seen.append)
    space = search_space(fingerprint)
    found = evaluator.score([space.params(record.numbers) for record in outcome.records]).objectives[:, 0]
    np.testing.assert_allclose([record.objectives[0] for record in outcome.records], found, rtol=1e-12)
    assert [record.source for record in outcome.records[:4]] == ["screen"] * 4
    kept = seen[0].scores.objectives[seen[0].kept, 0]
    assert not np.allclose(kept, found[:4], rtol=1e-6)
    np.testing.assert_allclose(kept, found[:4], rtol=0.3, atol=0.3)
    assert {record.points for record in outcome.records[-8:]} == {1}  # a refinement
    assert {record.points for record in outcome.records[-16:-8]} == {7 * LANES_PER_TRIAL}


def test_with_the_same_costs_nothing_is_improved_without_them(market: Market, tmp_path: Path):
    fingerprint = smoke(*MEMETIC, "costs.fees=0.003", "search.proposals=same")
    study, _ = study_of(fingerprint, market, tmp_path)
    assert {record.points for record in study.run(16).records} == {1}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("objective.multi_objective=true", "objective.windows=2"), "cannot search for several objectives"),
        (("objective.metric=max_drawdown",), "cannot climb max_drawdown, which needs every minute's value"),
        (
            ("objective.turnover_penalty=1", "costs.arb_frequency=60"),
            "cannot climb with a turnover_penalty where arb_frequency is not 1",
        ),
    ],
)
def test_what_cannot_be_climbed_is_refused_with_the_sampler_that_serves(settings: tuple[str, ...], said: str):
    with pytest.raises(ConfigError, match=rf"{said} \('memetic'\); take nsga2"):
        smoke("search.sampler=memetic", *settings)


def test_a_key_that_came_later_is_in_the_digest_only_where_it_is_not_at_its_default():
    """So the digests of earlier runs stay, and their results are not taken for edited ones."""
    defaults = ("search.generations=100", "search.steps=8", "search.proposals=auto")
    text = smoke(*defaults).canonical_json()
    assert not any(name in text for name in ("generations", "steps", "proposals"))
    assert '"generations":401' in smoke("search.generations=401", *defaults[1:]).canonical_json()
