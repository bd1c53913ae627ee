"""Open prices, run folder and study, and check that they are of one run. Light: imports no JAX."""

import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from momentum_opt.api.callbacks import ignore
from momentum_opt.api.prices import market_of
from momentum_opt.errors import MomentumOptError, RunFolderError, StudyError
from momentum_opt.fingerprint import Fingerprint, check_bar
from momentum_opt.market import Market
from momentum_opt.results.files import folder_in_the_way
from momentum_opt.results.records import read_best
from momentum_opt.results.run_folder import (
    WARM_START,
    RunFolder,
    WarmStarts,
    check_same_run,
    open_run_folder,
    recorded_study,
    recorded_warm_start,
    run_identity,
)
from momentum_opt.study.known import require_known
from momentum_opt.study.places import storage_file
from momentum_opt.study.storage import RESTORE, DurableStudy, JournalStore, Store, open_store
from momentum_opt.study.trials import TrialRecord
from momentum_opt.units import counted

Document = dict[str, Any]


class LostTrialsWarning(UserWarning):
    """The study holds fewer trials than the results in its folder tell of."""


@dataclass(frozen=True)
class Run:
    """One run, ready to go on.

    Attributes:
        fingerprint: what is searched and how.
        market: its prices.
        folder: where its files are.
        study: its trials.
        known: parameters that its search begins with.
    """

    fingerprint: Fingerprint
    market: Market
    folder: RunFolder
    study: DurableStudy
    known: WarmStarts = ()


def open_run(
    fingerprint: Fingerprint,
    run_dir: Path,
    config_text: str,
    study_name: str | None = None,
    *,
    known: WarmStarts | None = None,
    resume: bool = False,
    before_new: Callable[[], None] = ignore,
) -> Run:
    """Load the prices, and open run folder and study, creating them if they do not exist.

    Args:
        fingerprint: what to search and how.
        run_dir: run folder.
        config_text: the configuration as the user wrote it, kept in a new folder.
        study_name: of a new study; None takes `search.study_name`, or the name of the folder.
        known: parameters to begin with; None takes those that the run began with, if it is there.
        resume: refuse to begin a new study.
        before_new: called before a new folder is made; what it raises leaves nothing behind.

    Raises:
        ConfigError: a period is no multiple of the bar, or ranges are asked for around known parameters, and there are
            none.
        RunFolderError: folder or study are of another run, or there is nothing to resume.
        StorageError: `search.storage` cannot be opened.
    """
    market = market_of(fingerprint)
    check_bar(fingerprint, market.bar_minutes)  # before anything is written
    if not RunFolder(run_dir).fingerprint.exists():
        before_new()
    name = fingerprint.search.study_name or study_name or run_dir.name
    if fingerprint.search.storage != "journal":
        run = _open_elsewhere(fingerprint, market, run_dir, config_text, name, known, resume=resume)
    else:
        if resume and not RunFolder(run_dir).fingerprint.exists():
            raise RunFolderError(f"{run_dir}: nothing to resume: no run folder; leave --resume out to begin")
        known = recorded_warm_start(RunFolder(run_dir)) if known is None else known
        require_known(fingerprint, known)
        folder = open_run_folder(run_dir, config_text, fingerprint, market, name, known)
        name = fingerprint.search.study_name or recorded_study(folder)
        store = JournalStore(folder.journal)
        if fingerprint.search.study_name is None and store.names() and name not in store.names():
            raise RunFolderError(
                f"{folder.journal}: holds no study {name}, which the run was made with, but "
                f"{', '.join(store.names())}; {RESTORE}"
            )
        study = _study(store, name, fingerprint, market, known)
        run = Run(fingerprint, market, folder, study, known)
    _warn_of_lost_trials(run)
    return run


def _open_elsewhere(
    fingerprint: Fingerprint,
    market: Market,
    run_dir: Path,
    config_text: str,
    name: str,
    known: WarmStarts | None,
    *,
    resume: bool,
) -> Run:
    """The same where the study is not in the run folder: nothing is written before the study is known to be ours."""
    file = storage_file(fingerprint.search.storage)
    if resume and file is not None and not file.exists():
        raise RunFolderError(f"{file}: nothing to resume: no such file; leave --resume out to begin")
    store = open_store(fingerprint.search.storage, run_dir)
    there = store.find_study(name)
    known = _known_of(there) if known is None else known
    require_known(fingerprint, known)
    if there is not None:
        _check_study(there, fingerprint, market, known)
    elif resume:
        raise RunFolderError(f"{store.where}: nothing to resume: no study {name}; leave --resume out to begin")
    folder = open_run_folder(run_dir, config_text, fingerprint, market, name, known)
    return Run(fingerprint, market, folder, _study(store, name, fingerprint, market, known), known)


def _known_of(study: DurableStudy | None) -> WarmStarts:
    """The parameters that a study began with."""
    recorded = None if study is None else study.identity
    return () if recorded is None else recorded.get(WARM_START, ())


def _metric_names(fingerprint: Fingerprint) -> list[str]:
    """What Optuna's dashboard calls the objectives; where lower is better, the negative is maximised."""
    aim = fingerprint.objective
    names = [f"{aim.metric} {part}" if aim.multi_objective else part for part in aim.parts]
    return [name if sign > 0 else f"minus {name}" for name, sign in zip(names, aim.signs, strict=True)]


def _study(store: Store, name: str, fingerprint: Fingerprint, market: Market, known: WarmStarts) -> DurableStudy:
    names = _metric_names(fingerprint)
    study = store.open_study(name, len(names), run_identity(fingerprint, market, known), names)
    _check_study(study, fingerprint, market, known)
    return study


def _check_study(study: DurableStudy, fingerprint: Fingerprint, market: Market, known: WarmStarts) -> None:
    recorded = study.identity
    remedy = "give another search.study_name"
    if recorded is None:
        if study.holds_trials():
            raise RunFolderError(f"study {study.name}: its trials are not of momentum-opt; {remedy}")
        return
    check_same_run(f"study {study.name}", recorded, run_identity(fingerprint, market, known), remedy)
    study.require_objectives(len(fingerprint.objective.parts))
    study.finished()  # a damaged trial is refused before anything is written


def _warn_of_lost_trials(run: Run) -> None:
    told = read_best(run.folder.best)["study"]["n_trials"] if run.folder.best.exists() else 0
    there = run.study.count_sampled()
    if there < told:
        warnings.warn(
            f"{run.folder.best}: tells of {counted(told, 'trial')}, but the study holds {there}; the others are lost, "
            "and the study goes on from those it holds",
            LostTrialsWarning,
            stacklevel=2,
        )


@contextmanager
def held(run: Run) -> Generator[None]:
    """Keep other processes from writing the results of a run while this one does.

    Raises:
        StudyError: the system refuses to write them.
    """
    try:
        with run.folder.held():
            yield
    except OSError as error:
        if isinstance(error, MomentumOptError):
            raise
        where = error.filename or run.folder.path
        raise StudyError(
            folder_in_the_way(error)
            or f"{where}: the results cannot be written ({error.strerror or error}); the trials are safe: make room, "
            "or make it writable, and run the command again"
        ) from error


def has_test(fingerprint: Fingerprint, best: Document) -> bool:
    """Whether a best.json has figures of the test period, or there is none."""
    return fingerprint.periods.test is None or "test" in best["metrics"]


def settled_best(
    run: Run, winner: TrialRecord, records: Sequence[TrialRecord], *, with_test: bool = True
) -> Document | None:
    """best.json, where it already tells of this winner among these trials.

    Args:
        run: an opened run.
        winner: its best trial.
        records: all finished trials.
        with_test: whether figures of the test period, if there is one, must be in it.
    """
    folder = run.folder
    if not all(path.exists() for path in (folder.best, folder.trials, folder.daily)):
        return None
    best = read_best(folder.best)
    n_trials = sum(record.counts for record in records)
    same = best["trial"] == winner.number and best["study"]["n_trials"] == n_trials
    same = same and (not with_test or has_test(run.fingerprint, best))
    return best if same and best["study"]["name"] == run.study.name else None
