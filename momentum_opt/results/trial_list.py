"""Select rows and columns of a run's trials. Light: no JAX, no Optuna."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from momentum_opt.errors import MissingFileError, RunFolderError, UsageError
from momentum_opt.fingerprint import Fingerprint, choose_among
from momentum_opt.fingerprint.sections import Objective
from momentum_opt.results.parquet import REMADE, read_parquet
from momentum_opt.results.records import read_identity
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.study.pareto import balanced_row, knee_row, pareto_rows
from momentum_opt.units import counted
from momentum_opt.vocabulary.metrics import METRICS
from momentum_opt.vocabulary.rules import RULES

Row = dict[str, Any]

_CONDITION: Final = re.compile(r"\s*(\S+)\s*(>=|<=|==|!=|=|>|<)\s*(.*\S)\s*")
START: Final = "start_"
"""Before the columns of where a trial's improvement began."""

DEPLOYED: Final = ("max_drawdown", "weight_turnover", "fee_yield")
"""Metrics of train that decide a deployment; the first and the last are known of the best trials alone."""

_SMALLEST_FIRST: Final = ("number", "state", "source", "fail_reason", "violation")
_COMPARE: Final = {
    ">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal, "=": np.equal, "==": np.equal,
    "!=": np.not_equal,
}  # fmt: skip


@dataclass(frozen=True)
class TrialList:
    """Trials of a run.

    Attributes:
        rows: one row per trial.
        fingerprint: of the run.
        folder: where it lies.
    """

    rows: pd.DataFrame
    fingerprint: Fingerprint
    folder: RunFolder

    @property
    def objectives(self) -> tuple[str, ...]:
        """The columns of the objective."""
        return self.fingerprint.objective.columns

    def lower_is_better(self, column: str) -> bool:
        """Whether the best rows have the smallest numbers in a column: of an objective, or of a metric."""
        aim = self.fingerprint.objective
        signs = dict(zip(self.objectives, aim.signs, strict=True))
        metric = METRICS.get(column.removeprefix("train_").removeprefix("validation_"))
        return signs.get(column, 1 if metric is None else metric.sign) < 0

    @property
    def default_columns(self) -> list[str]:
        """What is shown where no columns are named: objective, validation, readable parameters, their starts."""
        metrics, limited = self.fingerprint.objective.names, self.fingerprint.objective.limits
        names = ["number", "pick", "state", "source", "near", "points", *self.objectives, "feasible", "violation"]
        names += [
            *(f"validation_{metric}" for metric in metrics),
            "train_returns",
            *(f"train_{name}" for name in (*limited, *DEPLOYED)),
        ]
        names = list(dict.fromkeys(names))
        rule, tokens = RULES[self.fingerprint.pool.rule], self.fingerprint.tokens
        names += [f"{start}{name}_{token}" for start in ("", START) for name in rule.leading_forms for token in tokens]
        return [name for name in names if name in self.rows]


def read_trials(path: Path) -> TrialList:
    """The trials of the run in a folder, as its last tune wrote them.

    Raises:
        MissingFileError: no run folder, or no tune of it has ended yet.
        RunFolderError: its files cannot be read.
    """
    folder = RunFolder(path)
    if not folder.fingerprint.exists():
        raise MissingFileError(f"{path}: not a run folder; give the folder that a tune has named")
    if not folder.trials.exists():
        raise MissingFileError(
            f"{path}: no {folder.trials.name} yet: it is written when a tune ends; wait for it, or give the tune's "
            "command again and stop it with Ctrl-C"
        )
    _, fingerprint = read_identity(folder)
    # A table of an older version holds the sums per block too.
    rows = read_parquet(folder.trials, REMADE, numbers=("number", *fingerprint.objective.columns), without="block_")
    if not {"state", "fail_reason"} <= set(rows):
        raise RunFolderError(f"{folder.trials}: not a table of trials; {REMADE}")
    return TrialList(rows, fingerprint, folder)


def choose_rows(
    trials: TrialList,
    *,
    where: Sequence[str] = (),
    state: str | None = None,
    sort: str | None = None,
    reverse: bool = False,
) -> TrialList:
    """The trials that meet every condition, in the order asked for.

    Args:
        trials: of a run.
        where: conditions such as `objective > 0.5` or `source = screen`.
        state: COMPLETE or FAIL; None takes both.
        sort: a column; the best or largest first, but number, state, source, fail_reason and violation smallest first.
            None is the objective, of trials that keep the limits before the others by their violation; or the number
            where there are several objectives.
        reverse: turn that round.

    Raises:
        UsageError: an unknown column or state, or a condition that is none.
    """
    rows = trials.rows
    for condition in where:
        rows = rows[_meets(rows, condition)]
    if state is not None:
        states = ("COMPLETE", "FAIL")
        if state.upper() not in states:
            raise UsageError(f"--state: unknown state ({state}); {choose_among(state, states)}")
        rows = rows[rows["state"] == state.upper()]
    by = known_column(rows, sort or (trials.objectives[0] if len(trials.objectives) == 1 else "number"), "--sort")
    smallest_first = by in _SMALLEST_FIRST or trials.lower_is_better(by)
    rows = rows.sort_values(by, ascending=smallest_first != reverse, kind="stable", na_position="last")
    if sort is None and "violation" in rows and len(trials.objectives) == 1:
        rows = rows.sort_values("violation", ascending=not reverse, kind="stable", na_position="last")
    return TrialList(rows, trials.fingerprint, trials.folder)


def first_rows(trials: TrialList, limit: int | None) -> TrialList:
    """At most `limit` rows; None takes all."""
    rows = trials.rows if limit is None else trials.rows.head(limit)
    return TrialList(rows, trials.fingerprint, trials.folder)


def choose_columns(trials: TrialList, columns: str | None) -> TrialList:
    """The named columns, separated by commas; `all` for every one, None for a few.

    Raises:
        UsageError: an unknown column.
    """
    if columns == "all":
        return trials
    names = trials.default_columns if columns is None else [name.strip() for name in columns.split(",")]
    chosen = [known_column(trials.rows, name, "--columns") for name in names]
    return TrialList(trials.rows[chosen], trials.fingerprint, trials.folder)


def pareto_list(trials: TrialList) -> TrialList:
    """The Pareto front, best in the first objective first; column `pick`: balanced, knee, or the best of an objective.

    It is that of the trials that keep the limits; where none does, of those with the smallest violation. Of trials that
    are alike in all objectives it has the first.

    Raises:
        UsageError: the run has a single objective, or no complete trial.
    """
    if len(trials.objectives) == 1:
        raise UsageError(
            f"--pareto: the run in {trials.folder.path} has one objective; a front needs objective.metrics or "
            "objective.multi_objective"
        )
    front = front_rows(trials.rows, trials.fingerprint.objective)
    if front.empty:
        raise UsageError(f"--pareto: no complete trial in {trials.folder.path}; list the others with --state FAIL")
    return TrialList(front, trials.fingerprint, trials.folder)


def front_rows(rows: pd.DataFrame, aim: Objective) -> pd.DataFrame:
    """The rows on the Pareto front as `pareto_list` has them, with their column `pick`; those alike once, the first."""
    complete = rows[rows["state"] == "COMPLETE"].sort_values("number")
    if "violation" in complete:
        complete = complete[complete["violation"] == complete["violation"].min()]
    complete = complete.drop_duplicates([*aim.columns])
    if complete.empty:
        return complete.assign(pick="")
    signs = np.array(aim.signs)
    front = complete.iloc[pareto_rows(signs * complete[list(aim.columns)].to_numpy(np.float64))].copy()
    values = signs * front[list(aim.columns)].to_numpy(np.float64)
    front.insert(1, "pick", [", ".join(names) for names in picks(values, aim)])
    return front.sort_values(aim.columns[0], ascending=bool(signs[0] < 0), kind="stable")


def picks(front: np.ndarray, aim: Objective) -> list[list[str]]:
    """What each row of a front is picked for: `balanced`, `knee`, and the best of each objective.

    Those are `best mean`, `best worst`, `steadiest`, or `best calmar` and the like.
    """
    names: list[list[str]] = [[] for _ in front]
    names[balanced_row(front)].append("balanced")
    names[knee_row(front)].append("knee")
    for column, part in enumerate(aim.parts):
        name = "steadiest" if part == "steadiness" else f"best {part}"
        names[int(np.argmax(front[:, column]))].append(name)
    return names


def partly_known(trials: TrialList, names: Iterable[str]) -> list[str]:
    """A line for each of the columns `names` that only some of the complete trials have."""
    complete = trials.rows[trials.rows["state"] == "COMPLETE"]
    lines: list[str] = []
    for name in dict.fromkeys(names):
        known = int(complete[name].notna().sum()) if name in complete else 0
        if name.startswith(("train_", "validation_")) and 0 < known < len(complete):
            lines.append(f"{name} is known of {counted(known, 'trial')}, the best when the tune ended")
    return lines


def condition_columns(where: Sequence[str]) -> list[str]:
    """The columns that conditions name; what is no condition names none."""
    return [match.group(1) for match in map(_CONDITION.fullmatch, where) if match]


def find_trial(trials: TrialList, number: int) -> Row:
    """One trial, every column of it.

    Raises:
        UsageError: there is no such trial.
    """
    found = trials.rows[trials.rows["number"] == number]
    if found.empty:
        numbers = trials.rows["number"]
        held = f"it holds {numbers.min()} to {numbers.max()}" if len(numbers) else "it holds none"
        raise UsageError(f"no trial {number} in {trials.folder.path}; {held}")
    return as_rows(found)[0]


def as_rows(table: pd.DataFrame) -> list[Row]:
    """Rows as plain values; None where a number is not there."""
    records = table.to_dict("records")
    return [{str(name): _plain(value) for name, value in record.items()} for record in records]


def as_csv(table: pd.DataFrame) -> str:
    """The table as CSV, numbers in full."""
    return table.to_csv(index=False)


def known_column(rows: pd.DataFrame, name: str, option: str) -> str:
    """`name`, if it is a column.

    Raises:
        UsageError: it is none.
    """
    names = [str(column) for column in rows.columns]
    if name in names:
        return name
    raise UsageError(f"{option}: unknown column ({name}); {choose_among(name, names)}")


def _meets(rows: pd.DataFrame, condition: str) -> "pd.Series[bool]":
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise UsageError(f'--where: not a condition ({condition}); write for example "objective > 0.5"')
    name, sign, text = match.groups()
    column = rows[known_column(rows, name, "--where")]
    if pd.api.types.is_bool_dtype(column):
        text = {"true": "1", "false": "0"}.get(text.lower(), text)
    if not pd.api.types.is_numeric_dtype(column):
        if sign in ("=", "==", "!="):
            same = column == text.strip("'\"")
            return same if sign != "!=" else ~same
        raise UsageError(f"--where: {name} holds words ({condition}); compare it with = or !=")
    try:
        number = float(text)
    except ValueError:
        raise UsageError(f"--where: {text} is no number ({condition}); {name} holds numbers") from None
    return pd.Series(_COMPARE[sign](column.to_numpy(np.float64), number), index=rows.index)


def _plain(value: Any) -> Any:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
