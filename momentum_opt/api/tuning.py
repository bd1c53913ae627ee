"""Search, replay the winner and write the run folder (SPEC §12, §15).

A study that is finished is recognised without JAX, so that the same command again returns at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from momentum_opt.api.callbacks import ignore, never
from momentum_opt.api.opening import Run, open_run, settled_best
from momentum_opt.evidence.findings import Findings
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.paths import AnyPath
from momentum_opt.results.evidence import recorded_evidence
from momentum_opt.results.notebook import Tables
from momentum_opt.results.run_folder import RunFolder, WarmStarts
from momentum_opt.results.verdict_section import VERDICT, verdict_section
from momentum_opt.study.ledger import Ledger, Outcome, Progress

if TYPE_CHECKING:
    import pandas as pd

    from momentum_opt.results.report.content import Content
    from momentum_opt.results.tear_sheet import TearSheet
    from momentum_opt.study.space import SearchSpace

Document = dict[str, Any]


@dataclass(frozen=True, repr=False)
class TuneResult(Tables):
    """How a tune ended, with its tables and figures: `trials`, `daily`, `metrics`, `parameters`, `plot()`.

    Attributes:
        folder: the run folder.
        best: the content of best.json.
        outcome: all finished trials, and why the study stopped.
        findings: the content of evidence.json; None where it was left out.
    """

    folder: RunFolder
    best: Document
    outcome: Outcome
    findings: Findings | None

    @property
    def trials(self) -> "pd.DataFrame":
        """Every finished trial: state, objective, parameters per token, metrics of train and validation.

        The index is the number of the trial; the columns are those of trials.parquet.
        """
        from momentum_opt.results.trial_list import read_trials

        return read_trials(self.folder.path).rows.set_index("number")

    def content(self) -> "Content":
        """Everything that the page of the run shows."""
        from momentum_opt.results.report.content import run_content

        return run_content(self.folder)

    def __repr__(self) -> str:
        found, study = self.best["objective"], self.best["study"]
        return (
            f"<tune in {self.folder.path}: best of {study['n_trials']} trials is {self.best['trial']}, "
            f"{found['metric']} {found['value']}; {self.outcome.stopped}>"
        )

    @cached_property
    def tear_sheet(self) -> "TearSheet":
        """The winner's monthly returns, ratios, rolling figures, drawdowns, flows and parts, as DataFrames.

        Raises:
            RunFolderError: daily.parquet is not in the folder, or cannot be read.
        """
        from momentum_opt.results.report.content import run_sheet

        return run_sheet(self.folder, self.best)


def tune(
    fingerprint: Fingerprint,
    run_dir: AnyPath,
    *,
    config_text: str = "",
    command: str = "tune",
    study_name: str | None = None,
    known: WarmStarts | None = None,
    resume: bool = False,
    workers: int = 1,
    on_start: Callable[[RunFolder, Market, "SearchSpace"], None] | None = None,
    on_batch: Callable[[Progress], None] | None = None,
    on_message: Callable[[str], None] | None = None,
    on_phase: Callable[[str], None] | None = None,
    on_best: Callable[[Document, str], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    should_drop: Callable[[], bool] | None = None,
) -> TuneResult:
    """Search for the best parameters, replay the winner minute by minute, and write the run folder.

    The same call resumes a run that was stopped, and takes part where another process is at work. The test period is
    evaluated once per winner.

    Args:
        fingerprint: what to search and how.
        run_dir: run folder; made if it is not there.
        config_text: the configuration as the user wrote it, kept in the folder.
        command: noted in the list of looks at the test.
        study_name: of a new study where `search.study_name` names none; None takes the name of the folder.
        known: parameters to begin with, as `read_warm_starts` gives them; None takes those that the run began with.
        resume: refuse to begin a new study.
        workers: processes that search; more than one share the cores or GPUs of this machine.
        on_start: called once when prices and search space are known; not where the study is finished already.
        on_batch: called after every batch.
        on_message: called with a line about how this process searches, and every line that a worker process writes.
        on_phase: called with what begins: `prices`, `search`, `compile`, `replay`, `evidence`. Where the search was
            stopped, what follows still counts as part of it.
        on_best: called with the content of best.json and how the search ended as soon as the winner is replayed, which
            is before its verdict is known.
        should_stop: asked between batches; True ends the study early, with its results written.
        should_drop: asked while a batch is scored; True ends the study without that batch.

    Returns:
        The winner and every trial: `trials`, `daily`, `metrics`, `parameters`, `plot()`, and best.json in `best`.

    Raises:
        ConfigError: the configuration asks for what cannot be done.
        RunFolderError: folder or study are of another run, or damaged, or there is nothing to resume.
        StorageError: `search.storage` cannot be opened.
        StudyError: every candidate failed, the study was stopped before its first batch, or it cannot be saved.
        ReplayMismatchError: the winner's replay did not give its tuned value.
    """
    begin = on_phase or ignore
    begin("prices")
    run = open_run(
        fingerprint, Path(run_dir), config_text, study_name, known=known, resume=resume,
        before_new=lambda: _start_devices(workers),
    )  # fmt: skip
    try:
        done = _finished(run)
        if done is not None:
            return done
        from momentum_opt.api.neighbours import Scorer, search_on  # these import JAX
        from momentum_opt.api.searching import Watch
        from momentum_opt.api.settling import settle

        begin("search")
        watch = Watch(
            on_start or ignore, on_batch or ignore, on_message or ignore, begin, should_stop or never,
            should_drop or never,
        )  # fmt: skip
        scorer = Scorer(run)
        outcome, neighbourhood = search_on(run, watch, scorer, workers)
        settling = ignore if outcome.stopped == "interrupted" else begin
        best, records, findings = settle(run, outcome, command, scorer, neighbourhood, settling, on_best or ignore)
        return TuneResult(run.folder, best, Outcome(records, outcome.stopped, outcome.dropped), findings)
    finally:
        run.study.close()


def _start_devices(workers: int) -> None:
    """Start them before a new run is begun, so that one without any leaves nothing behind."""
    from momentum_opt import device  # imports JAX

    if workers > 1:
        device.leave_memory()  # to the workers
    device.configure()


def _finished(run: Run) -> TuneResult | None:
    """The result of a study that has all its trials, or has stalled, and whose results are written."""
    search, ledger = run.fingerprint.search, Ledger()
    for record in run.study.records():
        ledger.add(record)
    rule = search.early_stopping
    if ledger.sampled >= search.n_trials:
        stopped = "finished"
    elif rule is not None and ledger.has_stalled(rule.patience, rule.min_improvement):
        stopped = "early stopping"
    else:
        return None
    if ledger.best is None:
        return None
    best = settled_best(run, ledger.best, ledger.records)
    findings = recorded_evidence(run.folder.evidence, run.fingerprint, ledger.records, ledger.best)
    wanted = run.fingerprint.evidence.enabled
    if (
        best is None
        or best.get(VERDICT) != verdict_section(findings, best)
        or wanted != (findings is not None)
        or wanted != run.folder.evidence.exists()
    ):
        return None
    return TuneResult(run.folder, best, Outcome(tuple(ledger.records), stopped), findings)
