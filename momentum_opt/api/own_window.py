"""Simulate over a window of the user's own (SPEC §11): one period, and whether its days are out of sample."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from momentum_opt.api.prices import telling_options
from momentum_opt.errors import MomentumOptError, UsageError
from momentum_opt.fingerprint import Fingerprint, replace_values
from momentum_opt.market import newest_bar
from momentum_opt.results.files import read_json
from momentum_opt.results.holdout import recorded_holdout
from momentum_opt.results.look_lines import Holdout, holdout_in, holdout_of
from momentum_opt.units import MS_PER_DAY

OUT_OF_SAMPLE: Final = "out of sample"
IN_SAMPLE: Final = "in sample"
MIXED: Final = "mixed"
UNKNOWN: Final = "backtest"
"""Of parameters that no search of this program found, where they were tuned is not known."""

_ONE_PERIOD: Final = {
    "window.test_end": None, "window.validation_fraction": 0, "objective.windows": 1,
    "objective.overfitting_penalty": 0, "objective.multi_objective": False, "objective.metrics": None,
    "walk_forward": None,
}  # fmt: skip
"""A window of the user's own is one period; what a study would split or score there does not matter."""


def with_window(fingerprint: Fingerprint, start: date | None, end: date | None, root: Path) -> Fingerprint:
    """The same pool over other days, all of them one period.

    Args:
        fingerprint: of the pool.
        start: first day; None keeps that of the window.
        end: the day after the last one; None takes the last whole day of the prices in `root`.
        root: folder of the price files.

    Raises:
        UsageError: the window is shorter than two days.
        ConfigError: it is too short for the objective's metric.
        DataError: the prices cannot be used.
    """
    first = start or fingerprint.window.start
    if end is None:
        with telling_options():
            newest = newest_bar(root, fingerprint.tokens)
        end = datetime.fromtimestamp(newest.end_ms // MS_PER_DAY * MS_PER_DAY / 1000, UTC).date()
    if end - first < timedelta(days=2):
        raise UsageError(f"--start, --end: from {first} to {end} are less than two days; give a longer window")
    window = {"window.start": str(first), "window.end": str(end)}
    return replace_values(fingerprint, {**window, **_ONE_PERIOD}, name=f"--start, --end: from {first} to {end}")


def sample_label(document: Mapping[str, Any], start: date, end: date) -> str:
    """Whether days lie after all those that a result was tuned on: train and validation, which chose it.

    `mixed` is every period that is neither wholly after them nor wholly among them; so is one before them, since who
    tuned later knew it.

    Args:
        document: best.json or another params file.
        start: first day.
        end: the day after the last one.
    """
    tuned = tuned_days(document)
    if tuned is None:
        return UNKNOWN
    if start >= tuned[1]:
        return OUT_OF_SAMPLE
    return IN_SAMPLE if tuned[0] <= start and end <= tuned[1] else MIXED


def tuned_days(document: Mapping[str, Any]) -> tuple[date, date] | None:
    """First day that the result of a search was tuned on, and the day after the last; None of other parameters."""
    if "trial" not in document or "fingerprint" not in document:
        return None
    window = Fingerprint.from_dict(document["fingerprint"]).window
    return window.start, window.end


def evaluated_holdouts(
    document: Mapping[str, Any], params_file: Path, fingerprint: Fingerprint, root: Path | None
) -> tuple[Holdout, ...]:
    """The test periods that a simulation reads days of: its own, and the recorded one where they overlap.

    Args:
        document: best.json or another params file.
        params_file: its path.
        fingerprint: of the simulation.
        root: folder of the prices that it reads; None where they are in memory.
    """
    own, recorded = holdout_of(fingerprint, root), _recorded(document, params_file)
    found = [] if own is None else [own]
    if recorded is not None and not (own is not None and recorded.is_same(own)):
        first, end = str(fingerprint.window.start), str(fingerprint.last_day)
        if first < recorded.end and recorded.start < end:
            found.append(recorded)
    return tuple(found)


def _recorded(document: Mapping[str, Any], params_file: Path) -> Holdout | None:
    """The test period of a result; of a fold of a walk-forward that of its record."""
    fold = params_file.parent / "out_of_sample.json"
    if fold.is_file():
        try:
            return holdout_in(read_json(fold, "a fold's record"))
        except MomentumOptError:
            return None
    return recorded_holdout(document)
