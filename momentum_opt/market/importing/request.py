"""What an import is asked to do, and what it says that it did."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

from momentum_opt.errors import UsageError, choose_among
from momentum_opt.formats import PREFERENCES, TEXT_FORMATS, TIME_UNITS
from momentum_opt.market.importing.merge import Overlap
from momentum_opt.market.importing.reading import Columns, Reading
from momentum_opt.market.importing.times import TimeOptions
from momentum_opt.market.row_checks import HIGHEST_CLOSE, LOWEST_CLOSE
from momentum_opt.tokens import TOKEN_NAME
from momentum_opt.units import MINUTES_PER_DAY

_LONGEST_TOKEN: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What to import.

    Args:
        sources: files, folders or patterns; none with `constant`.
        token: the name that the price file gets; empty takes it from the names of the sources.
        out: its folder.
        format: one of `TEXT_FORMATS`; None recognises it.
        columns: which columns to read; None finds them by their names or places.
        where: columns with the value that a row must have to be read, such as ("symbol", "BTCUSDT").
        time_unit: one of `TIME_UNITS`; None reads it off the times.
        time_zone: of times that have none, such as `Europe/London`; None reads them as UTC.
        time_format: how times are written, as for `strptime`; None reads ISO 8601.
        member: pattern of the names to read in a zip.
        prefer: one of `PREFERENCES`: which of two differing closes of one time to keep; None refuses them.
        quote: token or file of the prices that the closes are quoted in.
        skip_unquoted: leave out bars that the quote has no price for.
        constant: one price for every bar.
        bar_minutes: bar of the price file; shorter ones are put together.
        start: first day to import.
        end: day after the last one.
    """

    sources: tuple[str, ...]
    token: str
    out: Path
    format: str | None = None
    columns: Columns | None = None
    where: tuple[tuple[str, str], ...] = ()
    time_unit: str | None = None
    time_zone: str | None = None
    time_format: str | None = None
    member: str | None = None
    prefer: str | None = None
    quote: str | None = None
    skip_unquoted: bool = False
    constant: float | None = None
    bar_minutes: int | None = None
    start: date | None = None
    end: date | None = None

    @property
    def reading(self) -> Reading:
        """How the sources are to be read."""
        times = TimeOptions(self.time_unit, self.time_zone, self.time_format)
        return Reading(self.format, self.columns, self.where, times, self.token)


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One file read.

    Attributes:
        name: file, and member of an archive.
        format: how it was laid out.
        units: of its times.
        zoneless: whether its times have no zone, and none was given.
        identity: its columns that name a symbol, an exchange and the like, with their one value.
        bars: that it gave.
        first_ms: first of them, UTC ms.
        last_ms: last of them.
        unsorted: rows that stood earlier than the one before.
    """

    name: str
    format: str
    units: tuple[str, ...]
    zoneless: bool
    identity: tuple[tuple[str, str], ...]
    bars: int
    first_ms: int
    last_ms: int
    unsorted: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did; times in UTC ms.

    Attributes:
        token: that was imported.
        path: the price file.
        written: False where it already held all of it.
        sources: one per file read.
        bars: in the price file now.
        new: of them not there before.
        bar_minutes: bar of the price file.
        resampled_from: bar of the sources, where it was shorter.
        first_ms: first bar of the file.
        last_ms: last bar of the file.
        overlap: times that came more than once.
        unquoted: bars left out because the quote has no price.
        other_pair: the pair that the names of the sources hold, where it is not one of the token; else None.
        gaps: stretches without a bar.
        missing_minutes: in all of them.
        longest_gap_minutes: the longest.
        longest_gap_after_ms: the bar before it; None without gaps.
    """

    token: str
    path: Path
    written: bool
    sources: tuple[SourceReport, ...]
    bars: int
    new: int
    bar_minutes: int
    resampled_from: int | None
    first_ms: int
    last_ms: int
    overlap: Overlap
    unquoted: int
    other_pair: str | None
    gaps: int
    missing_minutes: int
    longest_gap_minutes: int
    longest_gap_after_ms: int | None


def check_request(request: ImportRequest) -> None:
    """Refuse what no file could satisfy.

    Raises:
        UsageError: options that contradict one another, or a value out of range.
    """
    if not TOKEN_NAME.fullmatch(request.token):
        raise UsageError(f"--token {request.token!r}: not a token name; use letters, digits and . _ + -, such as BTC")
    if len(request.token) > _LONGEST_TOKEN:
        raise UsageError(f"--token: a name of {len(request.token)} characters; use at most {_LONGEST_TOKEN}")
    words = {
        "--format": (request.format, TEXT_FORMATS),
        "--time-unit": (request.time_unit, TIME_UNITS),
        "--prefer": (request.prefer, PREFERENCES),
    }
    for option, (given, known) in words.items():
        if given is not None and given not in known:
            raise UsageError(f"{option} {given}: unknown; give one of {', '.join(known)}")
    _check_times(request)
    bar = request.bar_minutes
    if bar is not None and (bar < 1 or MINUTES_PER_DAY % bar):
        raise UsageError(
            f"--bar {bar}: not a divisor of a day's {MINUTES_PER_DAY} minutes; give for example 1, 5 or 60"
        )
    if request.start is not None and request.end is not None and not request.start < request.end:
        raise UsageError(f"--end {request.end}: not after --start {request.start}; the end is the day after the last")
    if request.constant is None:
        if not request.sources:
            raise UsageError("no SOURCE; name files or folders, or give --constant 1.0 for a stablecoin")
        return
    others = {"a SOURCE": request.sources, "--quote": request.quote, "--columns": request.columns,
              "--format": request.format, "--where": request.where, "--time-zone": request.time_zone,
              "--time-format": request.time_format}  # fmt: skip
    beside = [name for name, given in others.items() if given]
    if beside:
        raise UsageError(f"--constant stands beside {beside[0]}; give one of the two")
    if not LOWEST_CLOSE <= request.constant <= HIGHEST_CLOSE:
        bounds = f"{LOWEST_CLOSE:g} to {HIGHEST_CLOSE:g}"
        raise UsageError(f"--constant {request.constant:g}: not a price; give a number above 0, from {bounds}")
    if request.start is None or request.end is None:
        raise UsageError(
            "--constant: no days are given; give --start and --end (exclusive), such as --start 2021-01-01"
        )


def _check_times(request: ImportRequest) -> None:
    zone = request.time_zone
    if zone is not None and zone not in available_timezones():
        hint = choose_among(zone, sorted(available_timezones()))
        raise UsageError(f"--time-zone {zone}: no such time zone; {hint}")
    if request.time_format is not None and request.time_unit is not None:
        raise UsageError("--time-format stands beside --time-unit; give one of the two")
    if request.time_format is not None and "%" not in request.time_format:
        raise UsageError(f"--time-format {request.time_format}: no format; write for example '%d/%m/%Y %H:%M'")
