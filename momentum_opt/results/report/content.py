"""What a report tells of: a run folder's files in, read once and checked, plain values and tables out."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from momentum_opt.errors import MissingFileError, RunFolderError
from momentum_opt.evidence.findings import Findings
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.evidence import read_evidence
from momentum_opt.results.holdout import Looks, count_looks, looks_words, recorded_holdout
from momentum_opt.results.parquet import REMADE, read_parquet
from momentum_opt.results.records import read_best
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.results.tear_sheet import TearSheet, tear_sheet
from momentum_opt.vocabulary.names import BASELINE_LABELS

LAYOUT: Final = 5
"""Goes up whenever the same files would give another page."""

_VALUES: Final = ("value", *(f"{name}_value" for name in BASELINE_LABELS))
"""Columns of a daily.parquet that must be numbers."""

Document = Mapping[str, Any]
Border = tuple[str, pd.Timestamp, pd.Timestamp]


@dataclass(frozen=True)
class Content:
    """Everything a page shows.

    Attributes:
        name: of the run, or of the parameter set.
        document: best.json, or summary.json of a backtest.
        fingerprint: what was simulated.
        looks: evaluations of the test period; None where they are not counted.
        inputs: digest of all files that went in; a page with the same one is up to date.
        daily: the replay day by day; None where there is none.
        trials: finished trials without their block sums; None for a backtest.
        findings: evidence.json; None where there is none.
        missing: why a part is not there, one line each.
    """

    name: str
    document: Document
    fingerprint: Fingerprint
    looks: Looks | None
    inputs: str
    daily: pd.DataFrame | None = None
    trials: pd.DataFrame | None = None
    findings: Findings | None = None
    missing: tuple[str, ...] = ()

    @property
    def tokens(self) -> tuple[str, ...]:
        """Names, in the order of the pool."""
        return self.fingerprint.tokens

    @property
    def objective_column(self) -> str:
        """Column of the trials that ranks them: the objective, or the first of several."""
        return self.fingerprint.objective.columns[0]

    @property
    def has_test(self) -> bool:
        """Whether figures of days of a test period are shown."""
        own_window = self.document.get("window") is not None
        return "test" in self.document["metrics"] or (own_window and self.document.get("holdout") is not None)

    def tear_sheet(self) -> TearSheet | None:
        """The tear sheet of the replay, with statistics of every period that is shown; None without a replay."""
        if self.daily is None or len(self.daily) < 2:
            return None
        return period_sheet(self.daily, self.fingerprint, self.document["metrics"])

    def looks_words(self) -> str:
        """How often the test period was evaluated, where figures of it are shown; a page says so once."""
        words = looks_words(self.looks)
        return f"{words[0].upper()}{words[1:]}." if self.has_test else ""

    def borders(self) -> list[Border]:
        """Name, first day and end of every period that is shown: an interrupted study shows no test."""
        return period_borders(self.fingerprint, self.document["metrics"])


def period_borders(fingerprint: Fingerprint, shown: Collection[str]) -> list[Border]:
    """Name, first day and end of those periods, in the order of time.

    Args:
        fingerprint: what was simulated.
        shown: names; a window of the user's own is one period under another name.
    """
    periods, start = fingerprint.periods, pd.Timestamp(_start(fingerprint), tz="UTC")
    named = {"train": periods.train, "validation": periods.validation, "test": periods.test}
    if not set(shown) <= set(named):
        named = dict.fromkeys(shown, periods.train)
    return [
        (name, start + pd.Timedelta(days=days[0]), start + pd.Timedelta(days=days[1]))
        for name, days in named.items()
        if name in shown and days is not None and days[1] > days[0]
    ]


def period_sheet(daily: pd.DataFrame, fingerprint: Fingerprint, shown: Collection[str]) -> TearSheet:
    """The tear sheet of a daily.parquet, with statistics of each of the periods `shown`."""
    return tear_sheet(daily, {name: (begin, end) for name, begin, end in period_borders(fingerprint, shown)})


def run_content(folder: RunFolder) -> Content:
    """Read a run folder.

    Raises:
        RunFolderError: it is no run folder, has no result yet, or a file in it cannot be read.
    """
    if not folder.fingerprint.is_file():
        raise RunFolderError(f"{folder.path}: not a run folder (no fingerprint.json); give the folder that tune wrote")
    if not folder.best.is_file():
        raise RunFolderError(f"{folder.path}: has no best.json yet; let tune finish first")
    best = read_best(folder.best)
    fingerprint = Fingerprint.from_dict(best["fingerprint"], name=f"{folder.best}: fingerprint")
    daily = read_table(folder.daily, numbers=_VALUES)
    trials = read_table(folder.trials, numbers=("number", *fingerprint.objective.columns))
    findings, why = _findings(folder, best)
    missing = [why] if why else []
    missing += [
        f"{path.name} is not in the run folder" for path, table in _tables(folder, daily, trials) if table is None
    ]
    return Content(
        name=folder.path.resolve().name,
        document=best,
        fingerprint=fingerprint,
        looks=count_looks(folder.path, recorded_holdout(best)),
        inputs=run_inputs(folder, best),
        daily=daily,
        trials=trials,
        findings=findings,
        missing=tuple(missing),
    )


def run_sheet(folder: RunFolder, best: Document) -> TearSheet:
    """The tear sheet of a run's winner.

    Raises:
        RunFolderError: its daily.parquet is not there, or cannot be read.
    """
    daily = read_table(folder.daily, numbers=_VALUES)
    if daily is None:
        raise RunFolderError(f"{folder.daily}: is not there; {REMADE}")
    fingerprint = Fingerprint.from_dict(best["fingerprint"], name=f"{folder.best}: fingerprint")
    return period_sheet(daily, fingerprint, best["metrics"])


def run_inputs(folder: RunFolder, best: Document) -> str:
    """Digest of what a run's report is made from: its files, and the evaluations of its test period by any run."""
    looks = looks_words(count_looks(folder.path, recorded_holdout(best)))
    return digest_of((folder.best, folder.trials, folder.daily, folder.evidence), looks)


def digest_of(paths: Iterable[Path], words: str = "") -> str:
    """Digest of files' contents and words, with the page's layout; a file that is not there counts as empty."""
    digest = hashlib.sha256(f"{LAYOUT} {words}".encode())
    for path in paths:
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.name} {len(content)} ".encode() + content)
    return digest.hexdigest()


def read_table(path: Path, remedy: str = REMADE, numbers: Sequence[str] = ()) -> pd.DataFrame | None:
    """A parquet file without the sums per block, in which `numbers` must be columns; None where there is none.

    Raises:
        RunFolderError: it cannot be read.
    """
    return read_parquet(path, remedy, numbers=numbers, without="block_") if path.is_file() else None


def finite(values: Any) -> NDArray[np.float64]:
    """Values as floats, NaN where one is missing or infinite."""
    numbers = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _findings(folder: RunFolder, best: Document) -> tuple[Findings | None, str]:
    """The findings about this winner, and else why there are none."""
    if not folder.evidence.is_file():
        return None, "evidence.json is not in the run folder: the study was stopped, or evidence was left out"
    try:
        found = read_evidence(folder.evidence)
    except (RunFolderError, MissingFileError) as error:
        return None, str(error)
    if found.trial != best["trial"] or found.candidates.trials != best["study"]["n_trials"]:
        return None, "evidence.json tells of another winner or other trials; tune again: it is made anew"
    return found, ""


def _tables(folder: RunFolder, daily: Any, trials: Any) -> tuple[tuple[Path, Any], ...]:
    return (folder.daily, daily), (folder.trials, trials)


def _start(fingerprint: Fingerprint) -> date:
    return fingerprint.window.start
