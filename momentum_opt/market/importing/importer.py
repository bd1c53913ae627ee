"""A request to import in; one price file written, and a report of what came from where out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from momentum_opt.errors import DataError, MissingFileError
from momentum_opt.market.identity import check_same_identity
from momentum_opt.market.importing.merge import Overlap, merge, own_bar, resample, through
from momentum_opt.market.importing.packed import text_files
from momentum_opt.market.importing.pairs import check_one_pair, is_other, token_of
from momentum_opt.market.importing.raw import Series
from momentum_opt.market.importing.reading import Reading
from momentum_opt.market.importing.request import ImportReport, ImportRequest, SourceReport, check_request
from momentum_opt.market.importing.sources import by_time, read_file, read_source, source_files
from momentum_opt.market.importing.spacing import check_one_spacing
from momentum_opt.market.importing.target import Target, check_loadable, open_target, write_target
from momentum_opt.market.limits import MOST_BARS
from momentum_opt.market.load import utc_ms
from momentum_opt.market.price_file import SUFFIX
from momentum_opt.market.wording import utc
from momentum_opt.paths import file_fault
from momentum_opt.tokens import TOKEN_NAME
from momentum_opt.units import MS_PER_MINUTE, counted

OnSource = Callable[[int, int, SourceReport], None]


def import_prices(request: ImportRequest, on_source: OnSource = lambda *_: None) -> ImportReport:
    """Read all sources, merge them with what the price file holds, and write it.

    Nothing is written unless everything could be read and agrees. The same call again changes nothing.

    Args:
        request: what to import.
        on_source: called after each file with its number, how many there are, and what it gave.

    Raises:
        UsageError: the request contradicts itself.
        DataError: a source, the quote or the existing price file cannot be used, or closes differ.
    """
    request = _with_token(request)
    check_request(request)
    target = open_target(request.out, request.token)
    there = None if target.existing is None else own_bar(target.existing)
    if request.constant is not None:
        sources: list[SourceReport] = []
        own, overlap, pair = request.bar_minutes or there or 1, Overlap(), None
        fresh = _constant(request, own)
        ends = 0
    else:
        sources, fresh, own, overlap, ends, pair = _gather(request, there, on_source)
    bar = request.bar_minutes or own
    fresh = resample(fresh, own, bar, ends)
    unquoted = 0
    if request.quote is not None:
        fresh, unquoted = through(fresh, _quote(request, bar), skip=request.skip_unquoted)
    if not len(fresh):
        raise DataError(f"{request.token}: no bar is left after --start, --end and --bar; widen them")
    check_loadable(fresh.name, fresh)
    whole, met = _with_existing(target, fresh, there, bar, request.prefer)
    check_loadable(str(target.path), whole)
    written = write_target(target, whole)
    other = pair if pair is not None and is_other(pair, request.token) else None
    done = _Done(request.token, target, whole, bar, own if own != bar else None, overlap + met, unquoted, other)
    return _report(done, sources, written=written)


def _with_token(request: ImportRequest) -> ImportRequest:
    """The request with the token that the names of the sources hold, where the user gave none."""
    if request.token or request.constant is not None:
        return request
    try:
        files = source_files(request.sources, request.member)
    except DataError:
        return request  # the missing token is what is said first
    pair = check_one_pair([file.member or file.path.name for file in files])
    return request if pair is None else replace(request, token=token_of(pair))


def _limits(request: ImportRequest) -> tuple[int | None, int | None]:
    start, end = request.start, request.end
    return (None if start is None else utc_ms(start)), (None if end is None else utc_ms(end))


def _constant(request: ImportRequest, bar_minutes: int) -> Series:
    first, end = _limits(request)
    assert first is not None
    assert end is not None
    count = (end - first) // (bar_minutes * MS_PER_MINUTE)
    if count > MOST_BARS:
        raise DataError(f"--constant: {count:,} bars from --start to --end, more than {MOST_BARS:,}; give fewer days")
    unix = np.arange(first, end, bar_minutes * MS_PER_MINUTE, dtype=np.int64)
    close = np.full(len(unix), request.constant, np.float64)
    return Series(f"--constant {request.constant:g}", unix, close, np.full(len(unix), np.nan))


def _gather(
    request: ImportRequest, there: int | None, on_source: OnSource
) -> tuple[list[SourceReport], Series, int, Overlap, int, str | None]:
    """All sources as one series, its bar, what came more than once, the last bar's end, and the pair they are named by.

    Args:
        request: what to import.
        there: bar of the price file that is to be added to; None where there is none.
        on_source: called after each file.
    """
    files = source_files(request.sources, request.member)
    pair = check_one_pair([file.member or file.path.name for file in files])
    reports: list[SourceReport] = []
    series: list[Series] = []
    bars: dict[str, int] = {}
    overlap, ends, first, end = Overlap(), 0, *_limits(request)
    for number, file in enumerate(files, start=1):
        report, one, within = read_source(file, request)
        every = one.between(None, end)
        if end is not None and len(every) < len(one):
            ends = max(ends, end)  # the source goes on beyond what is imported of it
        one = every.between(first, None)
        bar = own_bar(one)
        if bar is not None:
            bars[one.name] = bar
            ends = max(ends, check_one_spacing(one, bar, request.bar_minutes))
        reports.append(report)
        series.append(one)
        overlap += within
        on_source(number, len(files), report)
        if sum(map(len, series)) > MOST_BARS:
            raise DataError(f"{file.name}: with it the sources have more than {MOST_BARS:,} rows; import it by itself")
    check_same_identity([(one.name, one.identity) for one in reports], [column for column, _ in request.where])
    if not any(map(len, series)):
        raise DataError(f"{request.token}: no bar is left after --start, --end and --bar; widen them")
    _check_bars(bars, request.bar_minutes)
    merged, between = merge(series, request.prefer)
    bar = _bar_of(merged, request.bar_minutes, there)
    return reports, merged, bar, overlap + between, ends, pair


def _bar_of(merged: Series, wanted: int | None, there: int | None) -> int:
    """The bar of the sources: their smallest spacing, unless the user says that bars were left out."""
    own = own_bar(merged)
    if own is None:
        alone = wanted or there
        if alone is None:
            raise DataError(f"{merged.name}: one bar alone, too little to tell its length; say it with --bar")
        return alone
    if wanted is not None and own > wanted and own % wanted == 0:
        return wanted
    if wanted is not None and wanted % own:
        raise DataError(f"{merged.name}: bars of {own} minutes make no bars of {wanted}; give --bar as a multiple")
    return own


def _check_bars(bars: dict[str, int], wanted: int | None) -> None:
    """Sources with different bars are not mixed unless the user says what they are."""
    if len(set(bars.values())) <= 1 or wanted is not None:
        return
    shortest, longest = min(bars, key=lambda name: bars[name]), max(bars, key=lambda name: bars[name])
    raise DataError(
        f"bar lengths differ: {bars[shortest]} minutes in {shortest}, {bars[longest]} in {longest}; import them into "
        f"different folders, or say with --bar {bars[shortest]} that the second has such bars with many left out"
    )


def _quote(request: ImportRequest, bar_minutes: int) -> Series:
    """The quote's prices in bars of `bar_minutes`."""
    assert request.quote is not None
    path = Path(request.quote)
    if (fault := file_fault(path)) is None and not path.exists():
        path = request.out / f"{request.quote}{SUFFIX}"
        fault = file_fault(path)
    if fault is not None:
        raise DataError(f"--quote {path}: {fault[0]}; {fault[1]}")
    if not path.exists():
        raise MissingFileError(
            f"--quote {request.quote}: no such file, and no {path}; import the quote token first, or name its file"
        )
    found = [by_time(read_file(file, Reading(token=_quote_token(request))))[0] for file in text_files(path, None)]
    series, _ = merge(found, None)
    own = own_bar(series)
    if own is None or bar_minutes % own:
        raise DataError(
            f"{series.name}: its bars of {own or 'unknown'} minutes make no bars of {bar_minutes}; give --bar as a "
            "multiple of both"
        )
    return resample(series, own, bar_minutes)


def _quote_token(request: ImportRequest) -> str | None:
    """The token of the quote where --quote names one, and no file."""
    return request.quote if request.quote is not None and TOKEN_NAME.fullmatch(request.quote) else None


def _with_existing(
    target: Target, fresh: Series, there: int | None, bar: int, prefer: str | None
) -> tuple[Series, Overlap]:
    """The whole new content of the price file; what is there counts as the first source."""
    if there is not None and there != bar:
        raise DataError(
            f"{target.path}: holds bars of {counted(there, 'minute')}, {fresh.name} has {bar}; "
            f"give {_as_there(there, bar)}another --out"
        )
    off = np.flatnonzero(fresh.unix % (bar * MS_PER_MINUTE))
    if len(off):  # a bar alone, which has no spacing that could have told
        time = utc(int(fresh.unix[off[0]]))
        raise DataError(f"{fresh.name}: {time} is not on the grid of {bar} minutes; label each bar with its start")
    return (fresh, Overlap()) if target.existing is None else merge([target.existing, fresh], prefer)


def _as_there(there: int, bar: int) -> str:
    """How to import bars of another length to those that are there; longer ones hold too little for it."""
    return f"--bar {there} or " if there % bar == 0 else ""


@dataclass(frozen=True, slots=True)
class _Done:
    """What was made of the sources."""

    token: str
    target: Target
    whole: Series
    bar_minutes: int
    resampled_from: int | None
    overlap: Overlap
    unquoted: int
    other_pair: str | None


def _report(done: _Done, sources: Sequence[SourceReport], *, written: bool) -> ImportReport:
    unix, there = done.whole.unix, done.target.existing
    gaps = np.diff(unix) - done.bar_minutes * MS_PER_MINUTE
    longest = int(gaps.argmax()) if len(gaps) and gaps.max() > 0 else None
    return ImportReport(
        token=done.token,
        path=done.target.path,
        written=written,
        sources=tuple(sources),
        bars=len(unix),
        new=len(unix) - (0 if there is None else len(there)),
        bar_minutes=done.bar_minutes,
        resampled_from=done.resampled_from,
        first_ms=int(unix[0]),
        last_ms=int(unix[-1]),
        overlap=done.overlap,
        unquoted=done.unquoted,
        other_pair=done.other_pair,
        gaps=int((gaps > 0).sum()),
        missing_minutes=int(gaps[gaps > 0].sum()) // MS_PER_MINUTE,
        longest_gap_minutes=0 if longest is None else int(gaps[longest]) // MS_PER_MINUTE,
        longest_gap_after_ms=None if longest is None else int(unix[longest]),
    )
