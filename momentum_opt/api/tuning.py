"""A fingerprint in, a study and its run folder out: search, replay the winner, write what was found (SPEC §12, §15)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from momentum_opt import device
from momentum_opt.api.evidence import find_evidence
from momentum_opt.api.prices import market_of
from momentum_opt.api.replaying import check_replay
from momentum_opt.errors import ConfigError, StudyError
from momentum_opt.evidence.findings import Findings
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.results.best import StudyFacts, best_document
from momentum_opt.results.files import read_json, write_json
from momentum_opt.results.run_folder import (
    RunFolder,
    append_test_look,
    check_same_run,
    open_run_folder,
    run_identity,
)
from momentum_opt.results.tables import daily_bars, replay_table, trials_table, write_table
from momentum_opt.study.constant_weight import constant_weight_log_growth
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.journal import open_journal, open_storage, sole_run
from momentum_opt.study.loop import Outcome, Progress, Study
from momentum_opt.study.replay import Replay, replay
from momentum_opt.study.space import SearchSpace, search_space
from momentum_opt.study.trials import TrialRecord, best_record

Document = dict[str, Any]


@dataclass(frozen=True)
class TuneResult:
    """How a tune ended.

    Attributes:
        folder: the run folder.
        best: the content of best.json.
        outcome: all finished trials, and why the study stopped.
        space: what was searched.
        findings: luck or skill, the content of evidence.json; None where it was left out.
    """

    folder: RunFolder
    best: Document
    outcome: Outcome
    space: SearchSpace
    findings: Findings | None


def tune(
    fingerprint: Fingerprint,
    run_dir: Path,
    *,
    config_text: str = "",
    command: str = "tune",
    on_start: Callable[[RunFolder, Market, SearchSpace], None] = lambda *_: None,
    on_batch: Callable[[Progress], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TuneResult:
    """Search, replay the winner, and write the run folder (SPEC §12, §15).

    The same call goes on where an earlier one stopped. Test is looked at once, for the winner.

    Args:
        fingerprint: what to search and how.
        run_dir: run folder; made if it is not there.
        config_text: the configuration as the user wrote it, kept in the folder.
        command: noted in the list of looks at the test.
        on_start: called once when prices and search space are known.
        on_batch: called after every batch.
        should_stop: asked between batches; True ends the study early, with its results written.

    Raises:
        ConfigError: the configuration asks for what cannot be done.
        RunFolderError: the folder holds another run, or another tune is at work in it.
        StorageError: `search.storage` cannot be opened.
        StudyError: every candidate failed, or the study was stopped before its first batch.
        ReplayMismatchError: the winner's replay did not give its tuned value.
    """
    device.configure()
    search = fingerprint.search
    if search.screen:
        raise ConfigError([f"search.screen: this version does not screen candidates ({search.screen}); set it to 0"])
    space = search_space(fingerprint)
    market = market_of(fingerprint)
    evaluator = Evaluator(
        fingerprint,
        market,
        batch_size=search.batch_size,
        precision=fingerprint.device.precision,
        constant_weight=constant_weight_log_growth(fingerprint, market) if fingerprint.evidence.enabled else None,
    )
    elsewhere = None if search.storage == "journal" else open_storage(search.storage)
    folder = open_run_folder(run_dir, config_text, fingerprint, market)
    with sole_run(folder.lock):
        on_start(folder, market, space)
        name = search.study_name or run_dir.name
        study = Study(fingerprint, space, evaluator, elsewhere or open_journal(folder.journal), name)
        identity = run_identity(fingerprint, market)
        check_same_run(f"study {name}", study.claim(identity), identity, "give another search.study_name")
        outcome = study.run(search.n_trials, on_batch=on_batch, should_stop=should_stop)
        if outcome.records:
            write_table(folder.trials, trials_table(outcome.records, space, fingerprint))
        winner = _winner(outcome, fingerprint)
        best, replayed = _settled(folder, outcome, winner), None
        if best is None:
            best, replayed = _settle(folder, fingerprint, market, space, outcome, winner, name, command)
        findings = find_evidence(folder, market, space, evaluator, outcome, winner, replayed)
    return TuneResult(folder, best, outcome, space, findings)


def _winner(outcome: Outcome, fingerprint: Fingerprint) -> TrialRecord:
    winner = best_record(outcome.records)
    if winner is not None:
        return winner
    if not outcome.records:
        raise StudyError(f"the study was stopped ({outcome.stopped}) before its first batch; run the command again")
    reasons = [record.fail_reason or "unknown" for record in outcome.records]
    common = max(set(reasons), key=reasons.count)
    raise StudyError(
        f"all {len(reasons)} candidates failed, most often because: {common}; "
        f"widen search.parameters, or choose another objective.metric than {fingerprint.objective.metric}"
    )


def _settled(folder: RunFolder, outcome: Outcome, winner: TrialRecord) -> Document | None:
    """best.json, where it already tells of this winner among these trials."""
    if not folder.best.exists():
        return None
    best = read_json(folder.best, "best.json")
    same = best["trial"] == winner.number and best["study"]["n_trials"] == len(outcome.records)
    return best if same else None


def _settle(
    folder: RunFolder,
    fingerprint: Fingerprint,
    market: Market,
    space: SearchSpace,
    outcome: Outcome,
    winner: TrialRecord,
    name: str,
    command: str,
) -> tuple[Document, Replay]:
    """Replay the winner, check that it gives its tuned value, note the look at its test, and write what was found."""
    params = space.params(winner.numbers)
    tuned = winner.objectives
    if fingerprint.device.precision != "float64":
        exact = Evaluator(fingerprint, market, batch_size=1).score([params])
        tuned = tuple(float(value) for value in exact.objectives[0])
    replayed = replay(fingerprint, market, params)
    check_replay(tuned, replayed.objectives, f"trial {winner.number}")
    facts = StudyFacts(name, len(outcome.records), sum(record.failed for record in outcome.records))
    best = best_document(fingerprint, market, params, replace(winner, objectives=tuned), replayed, facts)
    if "test" in replayed.metrics:  # first: a kill in between must not hide the look
        append_test_look(folder.test_looks, command, best["params"])
    write_table(folder.daily, replay_table(replayed, market, daily_bars(market)))
    write_json(folder.best, best)
    return read_json(folder.best, "best.json"), replayed
