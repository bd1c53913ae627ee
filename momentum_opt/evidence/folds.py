"""Lay out the folds of a walk-forward: what each is tuned on, and the days that follow (SPEC §13)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from momentum_opt.errors import ConfigError, StudyError
from momentum_opt.fingerprint import Fingerprint, replace_values
from momentum_opt.market import Market


@dataclass(frozen=True)
class Fold:
    """One fold; days are UTC, ends exclusive.

    Attributes:
        number: from 1.
        train_start: first day that is tuned on.
        test_start: first day after them, and first day that is evaluated.
        test_end: the day after the last one that is evaluated.
        counted_days: days of the test that enter the joined curve: those before the next fold's test.
    """

    number: int
    train_start: date
    test_start: date
    test_end: date
    counted_days: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"fold-{self.number:02d}"

    @property
    def test_start_ms(self) -> int:
        """Start of the test, UTC milliseconds."""
        return int(datetime.combine(self.test_start, datetime.min.time(), UTC).timestamp() * 1000)


def folds_of(fingerprint: Fingerprint) -> tuple[Fold, ...]:
    """All folds that fit between the window's start and the end of its last period.

    Raises:
        ConfigError: the configuration names no folds.
    """
    if fingerprint.walk_forward is None:
        fix = "give walk_forward.train_days and walk_forward.test_days, in the file or with --set"
        raise ConfigError([f"walk_forward: missing; {fix}"])
    return tuple(_folds(fingerprint))


def _folds(fingerprint: Fingerprint) -> Iterator[Fold]:
    asked = fingerprint.walk_forward
    assert asked is not None
    start, total = fingerprint.window.start, (fingerprint.last_day - fingerprint.window.start).days
    count = (total - asked.train_days - asked.test_days) // asked.step_days + 1
    for place in range(count):
        moved = place * asked.step_days
        test_start = start + timedelta(days=moved + asked.train_days)
        last = place == count - 1
        yield Fold(
            number=place + 1,
            train_start=start if asked.anchored else start + timedelta(days=moved),
            test_start=test_start,
            test_end=test_start + timedelta(days=asked.test_days),
            counted_days=asked.test_days if last else min(asked.test_days, asked.step_days),
        )


def tuning_fingerprint(fingerprint: Fingerprint, fold: Fold, study_name: str | None) -> Fingerprint:
    """What is tuned: the fold's train days and nothing after them, without evidence of its own.

    Args:
        fingerprint: the whole walk-forward's.
        fold: one fold of it.
        study_name: of the fold in a shared storage; None where each fold has a journal of its own.

    Raises:
        ConfigError: the fold's days are too few for validation or for the windows of the objective.
    """
    name = {} if study_name is None else {"search.study_name": study_name}
    return _with_window(fingerprint, fold, None, {"evidence.enabled": False, **name})


def evaluation_fingerprint(fingerprint: Fingerprint, fold: Fold) -> Fingerprint:
    """The same with the fold's test behind it, to be looked at once it is tuned."""
    return _with_window(fingerprint, fold, str(fold.test_end), {})


def _with_window(fingerprint: Fingerprint, fold: Fold, test_end: str | None, more: Mapping[str, Any]) -> Fingerprint:
    window = {
        "window.start": str(fold.train_start),
        "window.end": str(fold.test_start),
        "window.test_end": test_end,
        "walk_forward": None,
    }
    name = f"{fold.name} ({fold.train_start} to {fold.test_start})"
    return replace_values(fingerprint, {**window, **more}, name=name)


def check_blind(market: Market, fold: Fold) -> None:
    """Make sure that prices for a fold's tuning end before its test begins.

    Raises:
        StudyError: they do not.
    """
    if market.end_ms > fold.test_start_ms:
        raise StudyError(
            f"{fold.name}: its prices reach into its test (until {market.end_ms} ms, the test starts at "
            f"{fold.test_start_ms} ms); please report this"
        )
