"""One price file in, what there is to know about it before it is used out: span, bar, gaps, oddities and its digest.

A file is read twice in batches (the bar length has to be known before a gap is one), so memory does not follow its
length. Nothing is refused here that can still be described.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from jaxtyping import Float64, Int64

from momentum_opt.errors import DataError
from momentum_opt.market.price_file import Batch, PriceFile, open_price_file, read_batches
from momentum_opt.market.row_checks import HIGHEST_CLOSE, LOWEST_CLOSE, divides_a_day
from momentum_opt.units import MS_PER_MINUTE

JUMP: Final = 0.2
"""Relative change from one close to the next from which it counts as a jump."""


class _Digest(Protocol):
    """What hashlib makes."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        ...


@dataclass(slots=True)
class Tally:
    """How often something was found, and the largest of it with the time (UTC ms) where it begins."""

    count: int = 0
    largest: float = 0.0
    at_ms: int | None = None

    def add(self, sizes: Float64[np.ndarray, "found"], times: Int64[np.ndarray, "found"]) -> None:
        """Count what was found; of equal sizes the earliest is named."""
        self.count += len(sizes)
        if len(sizes) and (largest := float(sizes.max())) > self.largest:
            self.largest, self.at_ms = largest, int(times[int(sizes.argmax())])


@dataclass(slots=True)
class _Run:
    """The stretch of like bars that is open at the end of a batch."""

    length: int = 0
    begin_ms: int = 0


@dataclass(slots=True)
class FileStats:
    """What a file holds; times in UTC ms, `largest` of gaps in minutes, of runs in bars, of jumps relative.

    Attributes:
        rows: all rows of the file.
        first_ms: smallest time.
        last_ms: largest time.
        bar_minutes: the smallest spacing where it is a proper bar, else the usual one; None where neither is.
        missing_minutes: minutes without a row between the first and the last one.
        gaps: spacings longer than the bar.
        duplicates: rows with the time of the row before.
        unsorted: rows earlier than the row before.
        off_grid: rows that are not on the grid of the bar.
        bad_closes: closes that are null, NaN, infinite, zero or negative.
        jumps: changes of more than `JUMP` from one close to the next.
        unchanged: stretches of at least two equal closes.
        zero_volume: stretches of bars with no volume; None where the file has no volumes.
        sha256: of all rows, as a run records it for the rows that it uses.
    """

    rows: int
    first_ms: int
    last_ms: int
    bar_minutes: int | None
    missing_minutes: int = 0
    gaps: Tally = field(default_factory=Tally)
    duplicates: Tally = field(default_factory=Tally)
    unsorted: Tally = field(default_factory=Tally)
    off_grid: Tally = field(default_factory=Tally)
    bad_closes: Tally = field(default_factory=Tally)
    jumps: Tally = field(default_factory=Tally)
    unchanged: Tally = field(default_factory=Tally)
    zero_volume: Tally | None = None
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class FileAudit:
    """A token's file: what it holds, or why it cannot be read."""

    token: str
    path: Path
    stats: FileStats | None
    problems: tuple[str, ...] = ()


def audit_file(root: Path, token: str) -> FileAudit:
    """Describe the file of `token` in `root`; a file that cannot be read is described by its problem."""
    try:
        file = open_price_file(root, token)
        return FileAudit(token, file.path, _stats(file))
    except DataError as error:
        return FileAudit(token, root / f"{token}_USD.parquet", None, error.problems)


def _stats(file: PriceFile) -> FileStats:
    digest = hashlib.sha256()
    rows, bar_ms = _first_pass(file, digest)
    stats = FileStats(rows, file.first_ms, file.last_ms, None if bar_ms is None else bar_ms // MS_PER_MINUTE)
    _second_pass(file, stats, bar_ms, digest)
    stats.sha256 = digest.hexdigest()
    return stats


def _first_pass(file: PriceFile, digest: _Digest) -> tuple[int, int | None]:
    """Number of rows and the bar in ms; the times go into the digest."""
    rows, smallest, usual = 0, None, None
    last = np.empty(0, np.int64)
    for batch in read_batches(file):
        digest.update(batch.unix.astype("<i8", copy=False).tobytes())
        steps = np.diff(np.concatenate([last, batch.unix]))
        rising = steps[steps > 0]
        if len(rising):
            smallest = min(int(rising.min()), smallest or int(rising.max()))
            usual = usual or int(np.median(rising))
        rows, last = rows + len(batch.unix), batch.unix[-1:]
    return rows, next((step for step in (smallest, usual) if step is not None and divides_a_day(step)), None)


def _second_pass(file: PriceFile, stats: FileStats, bar_ms: int | None, digest: _Digest) -> None:
    last_time, last_close = np.empty(0, np.int64), np.empty(0)
    flat, idle = _Run(), _Run()
    for batch in read_batches(file):
        digest.update(batch.close.astype("<f8", copy=False).tobytes())
        times, closes = np.concatenate([last_time, batch.unix]), np.concatenate([last_close, batch.close])
        _note_times(stats, times, bar_ms)
        _note_closes(stats, batch, times, closes)
        if bar_ms is not None:
            off = batch.unix[batch.unix % bar_ms != 0]
            stats.off_grid.add((off % bar_ms) / MS_PER_MINUTE, off)
        # A stretch of equal closes has one bar more than there are equal neighbours; the first bar is added at its end.
        _note_runs(stats.unchanged, flat, closes[1:] == closes[:-1], times[:-1], extra=1)
        if batch.volume is not None:
            stats.zero_volume = stats.zero_volume or Tally()
            _note_runs(stats.zero_volume, idle, batch.volume == 0, batch.unix, extra=0)
        last_time, last_close = batch.unix[-1:], batch.close[-1:]
    _close_run(stats.unchanged, flat, extra=1)
    if stats.zero_volume is not None:
        _close_run(stats.zero_volume, idle, extra=0)


def _note_times(stats: FileStats, times: Int64[np.ndarray, "row"], bar_ms: int | None) -> None:
    steps, after = np.diff(times), times[:-1]
    stats.duplicates.add(np.ones(int((steps == 0).sum())), after[steps == 0])
    stats.unsorted.add(-steps[steps < 0] / MS_PER_MINUTE, after[steps < 0])
    if bar_ms is not None:
        long = steps > bar_ms
        missing = (steps[long] - bar_ms) / MS_PER_MINUTE
        stats.gaps.add(missing, after[long])
        stats.missing_minutes += int(missing.sum())


def _note_closes(
    stats: FileStats, batch: Batch, times: Int64[np.ndarray, "row"], closes: Float64[np.ndarray, "row"]
) -> None:
    bad = ~((batch.close >= LOWEST_CLOSE) & (batch.close <= HIGHEST_CLOSE))
    stats.bad_closes.add(np.ones(int(bad.sum())), batch.unix[bad])
    with np.errstate(all="ignore"):  # closes that are no prices are counted above
        change = np.abs(closes[1:] / closes[:-1] - 1.0)
    jump = np.isfinite(change) & (change > JUMP)
    stats.jumps.add(change[jump], times[1:][jump])


def _note_runs(tally: Tally, run: _Run, like: np.ndarray, times: Int64[np.ndarray, "row"], *, extra: int) -> None:
    """Add the stretches of True that end in this batch; the one that does not is left open in `run`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], like, [False]])))
    begins, ends = edges[::2], edges[1::2]
    if run.length and not (len(begins) and begins[0] == 0):
        _close_run(tally, run, extra=extra)
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if begin or not run.length:
            run.begin_ms, run.length = int(times[begin]), 0
        run.length += end - begin
        if end < len(like):
            _close_run(tally, run, extra=extra)


def _close_run(tally: Tally, run: _Run, *, extra: int) -> None:
    if run.length:
        tally.add(np.array([float(run.length + extra)]), np.array([run.begin_ms]))
        run.length = 0
