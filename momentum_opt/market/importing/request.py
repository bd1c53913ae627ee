"""What an import is asked to do, and what it says that it did."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from momentum_opt.errors import UsageError
from momentum_opt.formats import PREFERENCES, TEXT_FORMATS, TIME_UNITS
from momentum_opt.market.importing.layouts import Columns
from momentum_opt.market.importing.merge import Overlap
from momentum_opt.tokens import TOKEN_NAME
from momentum_opt.units import MINUTES_PER_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What to import.

    Args:
        sources: files, folders or patterns; none with `constant`.
        token: the name that the price file gets.
        out: its folder.
        format: one of `TEXT_FORMATS`; None recognises it.
        columns: which columns to read; None finds them by their names or places.
        time_unit: one of `TIME_UNITS`; None reads it off the times.
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
    time_unit: str | None = None
    member: str | None = None
    prefer: str | None = None
    quote: str | None = None
    skip_unquoted: bool = False
    constant: float | None = None
    bar_minutes: int | None = None
    start: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One file read; `unsorted` counts rows that stood earlier than the one before, times are UTC ms."""

    name: str
    format: str
    units: tuple[str, ...]
    bars: int
    first_ms: int
    last_ms: int
    unsorted: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did; times in UTC ms.

    Attributes:
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
        gaps: stretches without a bar.
        missing_minutes: in all of them.
        longest_gap_minutes: the longest.
        longest_gap_after_ms: the bar before it; None without gaps.
    """

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
    words = {
        "--format": (request.format, TEXT_FORMATS),
        "--time-unit": (request.time_unit, TIME_UNITS),
        "--prefer": (request.prefer, PREFERENCES),
    }
    for option, (given, known) in words.items():
        if given is not None and given not in known:
            raise UsageError(f"{option} {given}: unknown; give one of {', '.join(known)}")
    bar = request.bar_minutes
    if bar is not None and (bar < 1 or MINUTES_PER_DAY % bar):
        raise UsageError(
            f"--bar {bar}: not a divisor of a day's {MINUTES_PER_DAY} minutes; give for example 1, 5 or 60"
        )
    if request.start is not None and request.end is not None and not request.start < request.end:
        raise UsageError(f"--end {request.end}: not after --start {request.start}; the end is the day after the last")
    if request.constant is None:
        if not request.sources:
            raise UsageError("no SOURCE: name files or folders, or give --constant 1.0 for a stablecoin")
        return
    others = {"a SOURCE": request.sources, "--quote": request.quote, "--columns": request.columns,
              "--format": request.format}  # fmt: skip
    beside = [name for name, given in others.items() if given]
    if beside:
        raise UsageError(f"--constant stands beside {beside[0]}; give one of the two")
    if not 0 < request.constant < float("inf"):
        raise UsageError(f"--constant {request.constant:g}: not a price; give a number above 0")
    if request.start is None or request.end is None:
        raise UsageError("--constant: for which days? give --start and --end (exclusive), such as --start 2021-01-01")
