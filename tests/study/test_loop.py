from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.results.tables import trials_table
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.evaluation import BatchScores, Evaluator
from momentum_opt.study.journal import TornJournalWarning
from momentum_opt.study.ledger import Outcome, Progress
from momentum_opt.study.loop import Study
from momentum_opt.study.space import search_space
from momentum_opt.study.storage import ForeignTrialsWarning, JournalStore
from momentum_opt.study.trials import best_record
from momentum_opt.vocabulary.names import SAMPLERS
from tests.sample_runs import smoke

Start = Callable[..., Study]
WEIGHTS = "search.parameters.initial_weights_logits={low: -10, high: 10}"


@pytest.fixture(scope="module")
def market() -> Market:
    return market_of(smoke())


@pytest.fixture(scope="module")
def evaluator(market: Market) -> Evaluator:
    """Scores all studies here that differ in their search alone."""
    return Evaluator(smoke(), market, batch_size=8)


@pytest.fixture
def start(evaluator: Evaluator, tmp_path: Path) -> Start:
    """Begin, or go on with, the study in a journal."""

    def begin(fingerprint: Fingerprint, journal: str = "study.journal", scorer: Evaluator = evaluator) -> Study:
        store = JournalStore(tmp_path / journal)
        durable = store.open_study("one", 3 if fingerprint.objective.multi_objective else 1, {"it": "is this one"})
        return Study(fingerprint, search_space(fingerprint), scorer, durable)

    return begin


def table(outcome: Outcome, fingerprint: Fingerprint) -> pd.DataFrame:
    return trials_table(outcome.records, search_space(fingerprint), fingerprint)


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert_frame_equal(one, other, check_exact=True)


def after(batches: int) -> Callable[[], bool]:
    """Asks to stop once that many batches have run."""
    asked = iter([False] * batches)
    return lambda: next(asked, True)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_interrupted_and_resumed_equals_uninterrupted(sampler: str, start: Start):
    fingerprint = smoke(f"search.sampler={sampler}", "search.screen=0", "search.generations=10")
    whole = start(fingerprint, "whole").run(28)
    assert whole.stopped == "finished"
    for stops in (1, 2, 3, 4):  # the last run finds nothing to do
        outcome = start(fingerprint).run(28, should_stop=after(1))
        assert len(outcome.records) == min(8 * stops, 28)
        assert outcome.stopped == ("finished" if stops == 4 else "interrupted")
    same(table(outcome, fingerprint), table(whole, fingerprint))
    same(table(start(fingerprint).run(28), fingerprint), table(whole, fingerprint))
    assert [record.number for record in outcome.records] == list(range(28))


def test_the_seed_decides(start: Start):
    first, again, other = (
        table(start(smoke(f"search.seed={seed}"), journal).run(16), smoke())
        for journal, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    same(first, again)
    same(first.iloc[:1], other.iloc[:1])  # the initial values
    assert not set(first["objective"][1:]) & set(other["objective"][1:])


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("kept", [8, 9, 15])
def test_a_batch_cut_short_inside_the_append_is_completed(sampler: str, kept: int, start: Start, tmp_path: Path):
    fingerprint = smoke(f"search.sampler={sampler}", "search.screen=0", "search.generations=10")
    whole = start(fingerprint, "whole").run(16)
    lines = (tmp_path / "whole").read_bytes().splitlines(keepends=True)
    head = len(lines) - 16  # the study and its identity
    cut = b"".join(lines[: head + kept])
    torn = b"" if kept == 8 else lines[head + kept][: 100 if kept < 15 else -1]
    (tmp_path / "cut").write_bytes(cut + torn)
    if torn:
        with pytest.warns(TornJournalWarning):
            study = start(fingerprint, "cut")
    else:
        study = start(fingerprint, "cut")
    resumed = study.run(16)
    same(table(resumed, fingerprint), table(whole, fingerprint))
    durable = optuna.load_study(study_name="one", storage=JournalStore(tmp_path / "cut").storage).trials
    assert [trial.number for trial in durable] == list(range(16))
    assert [trial.values for trial in durable] == [list(record.objectives) for record in whole.records]
    assert not any(
        trial.state in (optuna.trial.TrialState.RUNNING, optuna.trial.TrialState.WAITING) for trial in durable
    )


def test_an_append_that_stops_midway(start: Start, monkeypatch: pytest.MonkeyPatch):
    fingerprint = smoke()
    whole = start(fingerprint, "whole").run(24)
    study = start(fingerprint)
    add_trial, left = study.durable.study.add_trial, iter(range(11))

    def dying(trial: optuna.trial.FrozenTrial) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        add_trial(trial)

    monkeypatch.setattr(study.durable.study, "add_trial", dying)
    with pytest.raises(KeyboardInterrupt):
        study.run(24)
    assert len(start(fingerprint).durable.finished()) == 8  # the batch was taken back as a whole
    same(table(start(fingerprint).run(24), fingerprint), table(whole, fingerprint))


def foreign(fingerprint: Fingerprint) -> list[optuna.trial.FrozenTrial]:
    """What another program may add: an absurd value, and a modest one that would win."""
    distributions = search_space(fingerprint).distributions
    middle = {name: (one.low + one.high) / 2 for name, one in distributions.items()}  # type: ignore[attr-defined]
    return [
        optuna.trial.create_trial(value=1e9),
        optuna.trial.create_trial(value=50.0, params=middle, distributions=distributions),
        optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL),
    ]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "qmc"])
def test_trials_of_another_program_change_nothing(sampler: str, start: Start):
    fingerprint = smoke(f"search.sampler={sampler}", "search.screen=0", "search.generations=10")
    whole = start(fingerprint, "whole").run(24)
    study = start(fingerprint)
    study.run(24, should_stop=after(1))
    study.durable.study.add_trials(foreign(fingerprint))
    with pytest.warns(ForeignTrialsWarning, match=r"3 trials of another program or search \(8, 9, 10\) left out"):
        resumed = start(fingerprint).run(24, on_batch=(seen := list[Progress]()).append)
    assert [one.done for one in seen] == [16, 24]
    same(*(table(one, fingerprint).drop(columns="number") for one in (resumed, whole)))
    assert [record.number for record in resumed.records] == [*range(8), *range(11, 27)]
    best = best_record(resumed.records)
    assert best is not None
    assert best.objectives == best_record(whole.records).objectives  # type: ignore[union-attr]


def test_more_trials_go_on(start: Start):
    few = table(start(smoke()).run(16), smoke())
    more = table(start(smoke()).run(32), smoke())
    same(more.iloc[:16], few)
    same(more, table(start(smoke(), "whole").run(32), smoke()))
    assert len(start(smoke()).run(8).records) == 32  # fewer than there are: nothing to do


def test_progress(start: Start):
    seen: list[Progress] = []
    start(smoke()).run(8)
    outcome = start(smoke()).run(20, on_batch=seen.append)
    assert [(one.done, one.total, one.new, one.failed) for one in seen] == [(16, 20, 8, 0), (20, 20, 12, 0)]
    best = seen[-1].best
    assert best is not None
    assert best.objectives[0] == max(record.objectives[0] for record in outcome.records)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_sampled_initial_weights_never_fail_and_a_resumed_study_is_the_same(start: Start, sampler: str):
    """Most draws leave a weight under the floor; what is simulated and recorded are the nearest that do not."""
    fingerprint = smoke(f"search.sampler={sampler}", "search.screen=0", "search.generations=10", WEIGHTS)
    outcome = start(fingerprint).run(24)
    rows = table(outcome, fingerprint)
    assert set(rows["state"]) == {"COMPLETE"}
    lowest = rows[[f"initial_weights_{token}" for token in fingerprint.tokens]].min(axis=1)
    assert lowest.min() >= fingerprint.pool.minimum_weight
    assert (lowest < 1.001 * fingerprint.pool.minimum_weight).any()
    start(fingerprint, "two.journal").run(8)
    same(table(start(fingerprint, "two.journal").run(24), fingerprint), rows)


def test_a_failing_candidate_fails_alone(market: Market, start: Start, monkeypatch: pytest.MonkeyPatch):
    fingerprint = smoke("search.sampler=random")
    scorer = Evaluator(fingerprint, market, batch_size=8)
    score = scorer.score

    def broken(sets: Sequence[ParamSet]) -> BatchScores:
        scores = score(sets)
        scores.objectives[1::3] = np.nan
        return scores

    monkeypatch.setattr(scorer, "score", broken)
    rows = table(start(fingerprint, scorer=scorer).run(16), fingerprint)
    failed = ([False, True, False] * 3)[:8] * 2
    assert rows["state"].tolist() == ["FAIL" if one else "COMPLETE" for one in failed]
    assert rows["objective"].isna().tolist() == failed
    assert set(rows["fail_reason"][failed]) == {"objective is not finite (nan)"}
    assert rows["fail_reason"][[not one for one in failed]].isna().all()
    same(table(start(fingerprint, scorer=scorer).run(16), fingerprint), rows)  # the reasons are durable


def test_a_metric_that_is_not_finite_fails(market: Market, start: Start):
    """Prices that stand still: constant returns have no Sharpe ratio, and no epsilon makes one of them."""
    still = replace(market, prices=np.ones_like(market.prices))
    outcome = start(smoke(), scorer=Evaluator(smoke(), still, batch_size=8)).run(8)
    assert {record.fail_reason for record in outcome.records} == {"objective is not finite (nan)"}
    assert all(record.failed for record in outcome.records)


def test_early_stopping(start: Start):
    rule = "search.early_stopping={patience: 12}"
    outcome = start(smoke(rule)).run(400)
    values = [record.objectives[0] for record in outcome.records]
    assert outcome.stopped == "early stopping"

    def stalled(n: int) -> bool:
        return n > 12 and max(values[n - 12 : n]) <= max(values[: n - 12])

    assert [stalled(n) for n in range(8, len(values), 8)] == [False] * (len(values) // 8 - 1)
    assert stalled(len(values))
    assert len(start(smoke(rule)).run(400).records) == len(values)


def test_the_timeout_stops_between_batches(start: Start, monkeypatch: pytest.MonkeyPatch):
    clock: Iterator[float] = iter(float(second) for second in range(100))
    monkeypatch.setattr("momentum_opt.study.loop.time.monotonic", lambda: next(clock))
    outcome = start(smoke("search.timeout=4")).run(400)
    assert outcome.stopped == "timeout"
    assert 0 < len(outcome.records) < 400
    assert len(outcome.records) % 8 == 0


def test_several_objectives(market: Market, start: Start):
    fingerprint = smoke("objective.multi_objective=true", "objective.windows=3")
    assert fingerprint.search.sampler == "nsga2"
    scorer = Evaluator(fingerprint, market, batch_size=8)
    whole = start(fingerprint, "whole", scorer).run(24)
    start(fingerprint, scorer=scorer).run(24, should_stop=after(1))
    resumed = start(fingerprint, scorer=scorer).run(24)
    same(table(resumed, fingerprint), table(whole, fingerprint))
    for record in whole.records:
        mean, worst, steadiness = record.objectives
        assert worst <= mean
        assert steadiness <= 0
