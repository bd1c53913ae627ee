import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from pandas.testing import assert_frame_equal
from scipy.stats import qmc

from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.tables import screen_table, trials_table
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.ledger import Outcome, Progress
from momentum_opt.study.loop import Study
from momentum_opt.study.screening import Screened, best_rows, kept_trials, screen
from momentum_opt.study.space import search_space
from momentum_opt.study.storage import DurableStudy, ForeignTrialsWarning, JournalStore
from momentum_opt.vocabulary.names import SAMPLERS
from tests.sample_runs import smoke

SCREEN = ("search.screen=100", "search.screen_keep=12")
WEIGHTS = "search.parameters.initial_weights_logits={low: -10, high: 10}"


WIDTH = 32
"""Of the chunks here, and of the evaluator: one compilation for all."""


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Evaluator, "most", WIDTH)


@pytest.fixture(scope="module")
def evaluator() -> Evaluator:
    return Evaluator(smoke(), market_of(smoke()), batch_size=WIDTH)


def nothing(*_: object) -> None:
    """Nobody watches."""


def screened(fingerprint: Fingerprint, evaluator: Evaluator) -> Screened:
    found = screen(fingerprint, search_space(fingerprint), evaluator, nothing, lambda: False)
    assert found is not None
    return found


def durable(folder: Path, name: str = "study.journal") -> DurableStudy:
    return JournalStore(folder / name).open_study("one", 1, {"it": "is this one"})


def table(outcome: Outcome, fingerprint: Fingerprint) -> pd.DataFrame:
    return trials_table(outcome.records, search_space(fingerprint), fingerprint)


def after(times: int) -> Callable[[], bool]:
    asked = iter([False] * times)
    return lambda: next(asked, True)


def test_every_candidate_is_a_point_of_one_sequence_scored_as_a_trial_is(evaluator: Evaluator):
    ranges = "search.parameters={k_per_day: {SYNA: [2, 300]}, memory_days: {SYNB: [1, 9]}}"
    fingerprint = smoke(*SCREEN, "search.seed=3", ranges)
    space, found = search_space(fingerprint), screened(fingerprint, evaluator)
    units = qmc.Sobol(6, rng=np.random.default_rng(3)).random_base2(7)[:100]
    low, high = np.array([(one.low, one.high) for one in space.ranges.values()]).T
    np.testing.assert_allclose(found.numbers, low + units * (high - low), rtol=1e-12)
    sets = [space.params(dict(zip(space.ranges, row, strict=True))) for row in found.numbers.tolist()]
    alone = evaluator.score(sets)
    np.testing.assert_allclose(found.scores.objectives, alone.objectives, rtol=1e-9)
    np.testing.assert_allclose(found.scores.validation["returns"], alone.validation["returns"], rtol=1e-9)
    ranked = sorted(range(100), key=lambda place: (-found.scores.objectives[place, 0], place))
    assert found.kept.tolist() == ranked[:12]
    assert not found.problems


def test_no_candidate_fails_for_its_initial_weights(evaluator: Evaluator):
    """Those under the floor are moved to it; what is in the table and in the study was simulated."""
    fingerprint = smoke(*SCREEN, WEIGHTS)
    space, found = search_space(fingerprint), screened(fingerprint, evaluator)
    rows = screen_table(found, space, fingerprint)
    assert set(rows["state"]) == {"COMPLETE"}
    lowest = rows[[f"initial_weights_{token}" for token in fingerprint.tokens]].min(axis=1)
    assert lowest.min() >= fingerprint.pool.minimum_weight
    assert (lowest < 1.001 * fingerprint.pool.minimum_weight).sum() > 10
    kept = kept_trials(found, space, fingerprint)
    keys = [f"initial_weights_logits_{token}" for token in fingerprint.tokens]
    for trial, place in zip(kept, found.kept, strict=True):
        assert [trial.params[key] for key in keys] == rows.loc[place, keys].tolist()


def test_candidates_that_fail_are_told_and_never_kept(evaluator: Evaluator):
    fingerprint = smoke(*SCREEN)
    space, found = search_space(fingerprint), screened(fingerprint, evaluator)
    values = found.scores.objectives.copy()
    values[::7] = np.nan
    failed = np.isnan(values[:, 0])
    reasons = dict.fromkeys(np.flatnonzero(failed).tolist(), "objective is not finite (nan)")
    best = best_rows(values, failed, 12, np.zeros(len(values)))
    broken = Screened(found.numbers, found.scores._replace(objectives=values), reasons, best)
    rows = screen_table(broken, space, fingerprint)
    assert rows["state"].tolist() == ["FAIL" if one else "COMPLETE" for one in failed]
    assert rows["objective"].isna().tolist() == failed.tolist()
    kept = rows[rows["kept"]]
    assert set(kept["state"]) == {"COMPLETE"}
    assert kept["objective"].min() >= rows["objective"].nlargest(len(kept)).min()


def test_several_objectives_keep_whole_fronts():
    objectives = np.array([[1.0, 1, 1], [3, 3, 0], [0, 3, 3], [3, 0, 3], [2, 2, 2], [9, 9, 9], [0, 0, 0]])
    failed = np.array([False] * 5 + [True, False])
    whole = np.zeros(7)
    kept = best_rows(objectives, failed, 4, whole).tolist()
    assert kept[0] == 4  # closest to the ideal (3, 3, 3)
    assert set(kept) == {1, 2, 3, 4}
    assert best_rows(objectives, failed, 9, whole).tolist()[4:] == [0, 6]
    assert best_rows(objectives, np.ones(7, bool), 9, whole).size == 0


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_best_enter_first_and_a_resume_changes_nothing(sampler: str, evaluator: Evaluator, tmp_path: Path):
    fingerprint = smoke(*SCREEN, f"search.sampler={sampler}")
    space, found = search_space(fingerprint), screened(fingerprint, evaluator)
    times: list[Screened] = []

    def study(name: str) -> Study:
        return Study(fingerprint, space, evaluator, durable(tmp_path, name))

    whole = study("whole").run(20, on_screened=times.append)
    assert len(times) == 1
    assert [record.source for record in whole.records] == ["screen"] * 12 + ["sampler"] * 20
    assert len(whole.sampled) == 20
    assert [record.objectives[0] for record in whole.records[:12]] == sorted(
        found.scores.objectives[found.kept, 0].tolist(), reverse=True
    )
    assert [record.number for record in whole.records] == list(range(32))
    # Killed in the middle of adding the kept ones, then stopped between batches.
    durable(tmp_path, "cut").append(kept_trials(found, space, fingerprint)[:5])
    study("cut").run(20, on_screened=times.append, should_stop=after(6))
    assert len(times) == 2
    resumed = study("cut").run(20, on_screened=times.append)
    assert len(times) == 2
    assert_frame_equal(table(resumed, fingerprint), table(whole, fingerprint), check_exact=True)


def test_qmc_goes_on_in_the_sequence(evaluator: Evaluator, tmp_path: Path):
    fingerprint = smoke(*SCREEN, "search.sampler=qmc")
    space = search_space(fingerprint)
    outcome = Study(fingerprint, space, evaluator, durable(tmp_path)).run(8)
    units = qmc.Sobol(6, rng=np.random.default_rng(0)).random_base2(7)[100:107]  # the first trial takes no point
    low, high = np.array([(one.low, one.high) for one in space.ranges.values()]).T
    numbers = [[record.numbers[key] for key in space.ranges] for record in outcome.sampled[1:]]
    np.testing.assert_allclose(numbers, low + units * (high - low), rtol=1e-12)


@pytest.mark.parametrize("sampler", ["cmaes", "nsga2"])
def test_samplers_begin_where_the_screening_ended(sampler: str, evaluator: Evaluator, tmp_path: Path):
    plain, after_screening = smoke(f"search.sampler={sampler}"), smoke(*SCREEN, f"search.sampler={sampler}")
    values = []
    for name, fingerprint in (("plain", plain), ("screened", after_screening)):
        outcome = Study(fingerprint, search_space(fingerprint), evaluator, durable(tmp_path, name)).run(24)
        values.append(np.median([record.objectives[0] for record in outcome.sampled[1:]]))
    assert values[1] > values[0]


def test_stopped_between_chunks(evaluator: Evaluator, tmp_path: Path):
    fingerprint = smoke("search.screen=80", "search.screen_keep=4")
    seen: list[Progress] = []
    study = Study(fingerprint, search_space(fingerprint), evaluator, durable(tmp_path))
    outcome = study.run(8, on_batch=seen.append, should_stop=after(2))
    assert (outcome.stopped, outcome.records) == ("interrupted", ())
    assert [(one.done, one.total, one.what) for one in seen] == [(32, 80, "candidates"), (64, 80, "candidates")]
    seen.clear()
    again = Study(fingerprint, search_space(fingerprint), evaluator, durable(tmp_path)).run(8, on_batch=seen.append)
    assert [(one.done, one.what) for one in seen] == [
        (32, "candidates"), (64, "candidates"), (80, "candidates"), (8, "trials"),
    ]  # fmt: skip
    best = seen[2].best
    assert best is not None
    assert best.objectives == again.records[0].objectives


def test_one_worker_screens_and_the_others_wait(evaluator: Evaluator, tmp_path: Path):
    fingerprint = smoke(*SCREEN, "search.sampler=random")
    space, times = search_space(fingerprint), list[Screened]()
    study = Study(fingerprint, space, evaluator, durable(tmp_path))
    worker = threading.Thread(target=lambda: study.run(8, on_screened=times.append))
    mine = durable(tmp_path)
    with mine.sole("screening") as is_mine:
        assert is_mine
        worker.start()
        worker.join(0.7)
        assert worker.is_alive()
        assert not mine.finished()
        mine.append(kept_trials(screened(fingerprint, evaluator), space, fingerprint))
    worker.join(60)
    assert not worker.is_alive()
    assert not times
    assert len(mine.finished()) == 20
    assert mine.count_sampled() == 8


def test_screening_beside_trials_of_another_program(evaluator: Evaluator, tmp_path: Path):
    fingerprint = smoke(*SCREEN, "search.sampler=random")
    study = durable(tmp_path)
    study.study.ask()  # one that is never told
    study.study.add_trial(optuna.trial.create_trial(value=1e9))
    times = list[Screened]()
    with pytest.warns(ForeignTrialsWarning, match="1 trial of another program"):
        outcome = Study(fingerprint, search_space(fingerprint), evaluator, study).run(8, on_screened=times.append)
    assert len(times) == 1
    assert (len(outcome.records), len(outcome.sampled)) == (20, 8)
    assert outcome.records[0].number == 2


def test_screened_candidates_do_not_use_up_the_patience(evaluator: Evaluator, tmp_path: Path):
    fingerprint = smoke(*SCREEN, "search.sampler=random", "search.early_stopping={patience: 16}")
    outcome = Study(fingerprint, search_space(fingerprint), evaluator, durable(tmp_path)).run(400)
    assert outcome.stopped == "early stopping"
    top = outcome.records[0].objectives[0]
    assert max(record.objectives[0] for record in outcome.sampled) <= top
    assert len(outcome.sampled) == 16


def test_plain_optuna_reads_the_study(evaluator: Evaluator, tmp_path: Path):
    fingerprint = smoke(*SCREEN, "search.sampler=cmaes")
    outcome = Study(fingerprint, search_space(fingerprint), evaluator, durable(tmp_path)).run(8)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "study.journal")))
    study = optuna.load_study(study_name="one", storage=storage)
    assert optuna.get_all_study_names(storage) == ["one"]
    for trial, record in zip(study.trials, outcome.records, strict=True):
        assert trial.params == record.numbers
        assert tuple(trial.values) == record.objectives
        assert trial.user_attrs["train_returns"] == record.train["returns"]
        assert trial.user_attrs.get("source", "sampler") == record.source
    assert study.best_trial.values == [max(record.objectives[0] for record in outcome.records)]
