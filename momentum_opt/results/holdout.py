"""Keep the ledger of evaluations of test periods (SPEC §11, §13), and count those of one period from every run.

An evaluation ("look") is noted in the run's own test_looks.jsonl and in the ledger of that name beside the run folders,
which all of them share. Both are read together, so that a run that was moved, a ledger that was lost or could not be
written, and the lists of older versions still count.
"""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from momentum_opt.errors import MomentumOptError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.look_lines import (
    LEDGER,
    Holdout,
    Look,
    append_lines,
    holdout_in,
    holdout_of,
    holdout_of_fold,
    is_run,
    looks_in,
    new_look,
    parsed_looks,
    read_lines,
    run_folders,
)


class UncountedLookWarning(UserWarning):
    """An evaluation of a test period that could not be noted."""


@dataclass(frozen=True)
class Looks:
    """How often a test period was evaluated.

    Attributes:
        count: evaluations; a damaged line counts: whatever it was, somebody looked. None where the ledger cannot be
            read, which is not zero.
        parameter_sets: different parameter sets among the lines that can be read.
        damaged: lines that cannot be read.
    """

    count: int | None
    parameter_sets: int
    damaged: int

    def words(self) -> str:
        """One line for beside test figures, whose being there is an evaluation."""
        if self.count is None:
            return f"test period evaluated: unknown ({LEDGER} cannot be read)"
        if self.count == 0:
            return f"test period evaluated at least once (no line of {LEDGER} tells of it)"
        sets = f", with {self.parameter_sets} parameter sets" if self.parameter_sets > 1 else ""
        lines = f"{self.damaged} damaged line{'s' * (self.damaged > 1)} of {LEDGER} counted"
        return f"test period evaluated {_times(self.count)}{sets}{f' ({lines})' if self.damaged else ''}"


def recorded_holdout(document: Mapping[str, Any]) -> Holdout | None:
    """The same of a best.json that may come from an older version, from its fingerprint and its folder of prices."""
    if "holdout" in document:
        return holdout_in(document)
    try:
        fingerprint = Fingerprint.from_dict(document["fingerprint"])
        return holdout_of(fingerprint, Path(document.get("data", {}).get("root", "")))
    except (MomentumOptError, KeyError, TypeError, AttributeError):
        return None


def note_look(
    folder: Path, holdout: Holdout, command: str, params: Mapping[str, Any], *, required: bool = False
) -> None:
    """Add an evaluation to a run's own list and to the shared ledger, together with what that one lacks.

    Args:
        folder: of a run or walk-forward.
        holdout: the test period that was evaluated.
        command: the command line.
        params: the parameters that were evaluated.
        required: whether to raise where the folder cannot be written; else whoever looks may only be allowed to read,
            and a warning says so where the shared ledger cannot be written either.

    Raises:
        OSError: the folder cannot be written, and it is `required`.
    """
    look = new_look(holdout, command, params)
    try:
        append_lines(folder / LEDGER, lambda _: [look.line])
    except OSError:
        if required:
            raise
    ledger = ledger_of(folder)
    try:
        append_lines(ledger, lambda known: _lacking(known, [look, *_beside(ledger)]))
    except OSError as error:
        warnings.warn(
            f"{ledger}: this evaluation of the test period could not be noted ({error.strerror}); make it writable to "
            "have evaluations counted over all runs",
            UncountedLookWarning,
            stacklevel=2,
        )


def count_looks(folder: Path, holdout: Holdout | None) -> Looks:
    """How often a test period was evaluated, by any run in the folder that `folder` lies in; all periods if None."""
    return _counted(_all_looks(folder), holdout)


def fold_looks(folder: Path, folds: Sequence[Mapping[str, Any]], tokens: Sequence[str]) -> list[Looks]:
    """Evaluations of the test period of each fold of a walk-forward.

    Args:
        folder: the walk-forward's.
        folds: their records.
        tokens: of the pool.
    """
    looks = _all_looks(folder)
    return [_counted(looks, holdout_of_fold(fold, tokens)) for fold in folds]


def ledger_of(folder: Path) -> Path:
    """The ledger beside a run folder; of a fold, beside its walk-forward."""
    parent = folder.resolve().parent
    return (parent.parent if is_run(parent) else parent) / LEDGER


def run_of(params_file: Path) -> Path | None:
    """The run folder that a params file lies in; None where it lies in none, so that nothing is counted."""
    folder = params_file.parent
    return folder if is_run(folder) else None


def looks_beside(params_file: Path, holdout: Holdout | None) -> Looks | None:
    """Evaluations of a test period as the run folder of a params file knows them; None outside of one."""
    folder = run_of(params_file)
    return None if folder is None else count_looks(folder, holdout)


def looks_words(looks: Looks | None) -> str:
    """One line for beside test figures."""
    if looks is None:
        return "evaluations of the test period: not counted (the parameters lie outside a run folder)"
    return looks.words()


def looks_document(looks: Looks | None) -> dict[str, int | None] | None:
    """The looks as plain values; None where they are not counted."""
    return None if looks is None else asdict(looks)


def fold_looks_words(looks: Sequence[Looks]) -> str:
    """One line for beside the figures of all folds."""
    counts = [one.count for one in looks]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return f"test periods evaluated: unknown ({LEDGER} cannot be read)"
    if not all(known):
        return f"each test period evaluated at least once ({LEDGER} does not tell of all folds)"
    damaged = f" (damaged lines of {LEDGER} counted)" if any(one.damaged for one in looks) else ""
    if len(set(known)) == 1:
        return f"each test period evaluated {_times(known[0])}{damaged}"
    most = known.index(max(known))
    return f"test periods evaluated {min(known)} to {known[most]} times, that of fold {most + 1} most often{damaged}"


def fold_looks_document(looks: Sequence[Looks]) -> dict[str, Any]:
    """The sums over all folds, and each fold's own."""
    counts = [one.count for one in looks]
    known = [count for count in counts if count is not None]
    return {
        "count": sum(known) if len(known) == len(counts) else None,
        "parameter_sets": sum(one.parameter_sets for one in looks),
        "damaged": max((one.damaged for one in looks), default=0),
        "folds": [asdict(one) for one in looks],
    }


def _all_looks(folder: Path) -> list[Look] | None:
    """Every line of the shared ledger and of the run folders beside it, once; None where it cannot be read."""
    ledger = ledger_of(folder)
    try:
        looks = {look.identity: look for look in parsed_looks(read_lines(ledger))}
        own = looks_in(folder)
    except OSError:
        return None
    for look in [*own, *_beside(ledger)]:
        looks.setdefault(look.identity, look)
    return list(looks.values())


def _beside(ledger: Path) -> list[Look]:
    """What the run folders beside a ledger noted themselves; one that cannot be read has told the ledger before."""
    looks: list[Look] = []
    for folder in run_folders(ledger.parent):
        with suppress(OSError):
            looks += looks_in(folder)
    return looks


def _counted(looks: Sequence[Look] | None, holdout: Holdout | None) -> Looks:
    if looks is None:
        return Looks(None, 0, 0)
    found = [look for look in looks if holdout is None or look.holdout is None or look.holdout.is_same(holdout)]
    known = {look.params for look in found if not look.is_damaged}
    return Looks(len(found), len(known), sum(look.is_damaged for look in found))


def _lacking(known: list[bytes], looks: Sequence[Look]) -> list[bytes]:
    """The lines of looks that a ledger does not have."""
    there = {one.identity for one in parsed_looks(known)}
    return list({one.identity: one.line for one in looks if one.identity not in there}.values())


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"
