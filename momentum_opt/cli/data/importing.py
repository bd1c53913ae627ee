"""`momentum-opt data import`: price data as exchanges, archives and trading frameworks write them, to a price file."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from momentum_opt.cli.config import AsJson
from momentum_opt.cli.stopping import in_phase
from momentum_opt.errors import UsageError
from momentum_opt.formats import PREFERENCES, TEXT_FORMATS, TIME_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from momentum_opt.market.importing import Columns, ImportReport


def _one_of(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]])


def import_prices(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE…",
            help="Files, folders or patterns: CSV, JSON, parquet, feather; text also as zip, gz, bz2, xz, zst.",
        ),
    ] = None,
    token: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Token that the prices are of; names the file. Else taken from a name such as AVAX_USDT-1h.json.",
            show_default=False,
        ),
    ] = "",
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of the price file.")] = Path("data/prices"),
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help=f"{_one_of(TEXT_FORMATS)}; else recognised.",
            show_default=False,
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="time=…,close=…[,volume=…]",
            help="Columns to read, by name or by number from 1; time=DATE+TIME joins two.",
            show_default=False,
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE",
            help="Read only rows with this value, as symbol=BTCUSDT of a table of several symbols; may be repeated.",
            show_default=False,
        ),
    ] = None,
    time_unit: Annotated[
        str | None,
        typer.Option(help=f"{_one_of(TIME_UNITS)}; else read off the times.", show_default=False),
    ] = None,
    time_zone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE", help="Zone of times that name none, as Europe/London; else UTC.", show_default=False
        ),
    ] = None,
    time_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT", help="How times are written, as '%d/%m/%Y %H:%M'; else ISO 8601.", show_default=False
        ),
    ] = None,
    member: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN", help="Which tables of a zip to read, where it has several.", show_default=False
        ),
    ] = None,
    prefer: Annotated[
        str | None,
        typer.Option(
            help=f"{_one_of(PREFERENCES)}: which of two differing closes to keep; else refused.", show_default=False
        ),
    ] = None,
    quote: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN|FILE",
            help="Prices in USD of the token that the pair is quoted in, as BTC for ETH_BTC.",
            show_default=False,
        ),
    ] = None,
    skip_unquoted: Annotated[
        bool, typer.Option("--skip-unquoted", help="Leave out bars that the quote has no price for.")
    ] = False,
    constant: Annotated[
        float | None,
        typer.Option(
            metavar="PRICE", help="One price for all bars from --start to --end, for a stablecoin.", show_default=False
        ),
    ] = None,
    bar: Annotated[
        int | None,
        typer.Option(
            metavar="MINUTES", help="Bar of the price file; shorter ones are put together.", show_default=False
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="DATE", help="First day to import, UTC.", show_default=False)
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="DATE", help="Day after the last one.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Turn price data into a price file, or add them to the one that is there; nothing is filled in."""
    from momentum_opt.cli.data.progress import FileProgress
    from momentum_opt.market.importing import ImportRequest, import_prices

    request = ImportRequest(
        sources=tuple(sources or ()),
        token=token,
        out=out,
        format=form,
        columns=_columns(columns),
        where=_where(where or []),
        time_unit=time_unit,
        time_zone=time_zone,
        time_format=time_format,
        member=member,
        prefer=prefer,
        quote=quote,
        skip_unquoted=skip_unquoted,
        constant=constant,
        bar_minutes=bar,
        start=_day("--start", start),
        end=_day("--end", end),
    )
    in_phase("prices were imported", "the price file is as it was; run the command again")
    with FileProgress() as progress:
        report = import_prices(request, lambda number, total, source: progress(number, total, source.name))
    for line in [*_differences(report), *_notes(report)]:
        typer.echo(line, err=True)
    if as_json:
        typer.echo(json.dumps(_document(report), allow_nan=False))
        return
    for line in _lines(report):
        typer.echo(line)


def _columns(text: str | None) -> "Columns | None":
    if text is None:
        return None
    from momentum_opt.market.importing import Columns

    pairs = [part.partition("=") for part in text.split(",")]
    given = {name.strip(): value.strip() for name, equals, value in pairs if equals and value.strip()}
    if len(given) != len(pairs) or not {"time", "close"} <= set(given) <= {"time", "close", "volume"}:
        raise UsageError(f"--columns {text}: not columns; write time=NAME,close=NAME and, if there is one, volume=NAME")
    return Columns(given["time"], given["close"], given.get("volume"))


def _where(conditions: Sequence[str]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for condition in conditions:
        column, equals, value = condition.partition("=")
        if not equals or not column.strip() or not value.strip():
            raise UsageError(f"--where {condition}: not a condition; write COLUMN=VALUE, such as symbol=BTCUSDT")
        found.append((column.strip(), value.strip()))
    return tuple(found)


def _day(option: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text}: not a date; write it as 2022-06-01") from None


def _differences(report: "ImportReport") -> "Iterator[str]":
    from momentum_opt.market.importing.merge import describe_difference

    for one in report.overlap.listed:
        yield f"differs: {describe_difference(one)}"
    if more := report.overlap.differing - len(report.overlap.listed):
        yield f"differs: {more:,} more times"


def _notes(report: "ImportReport") -> "Iterator[str]":
    """What a user may not expect of what was done."""
    if report.other_pair is not None:
        yield f"note: the sources' names say {report.other_pair}; they were imported as {report.token}"
    if any(source.zoneless for source in report.sources):
        yield "note: times without a time zone were read as UTC; if they are local times, say so with --time-zone"


def _lines(report: "ImportReport") -> "Iterator[str]":
    from momentum_opt.market.wording import utc

    done = f"{report.new:,} new" if report.written else "nothing new, left as it was"
    yield f"{report.token}: {report.path}, {report.bars:,} bars of {_minutes(report.bar_minutes)}, {done}"
    yield f"from {utc(report.first_ms)} to {utc(report.last_ms)}"
    if report.sources:
        formats = ", ".join(dict.fromkeys(source.format for source in report.sources))
        units = ", ".join(dict.fromkeys(unit for source in report.sources for unit in source.units))
        yield f"sources: {_files(len(report.sources))}; format {formats}; times in {units}"
    named = dict.fromkeys(f"{column} {value}" for source in report.sources for column, value in source.identity)
    if named:
        yield f"prices of: {', '.join(named)}"
    if unsorted := sum(source.unsorted for source in report.sources):
        yield f"sorted: {unsorted:,} rows stood in the wrong order"
    if report.resampled_from is not None:
        yield f"put together: bars of {_minutes(report.resampled_from)} to bars of {_minutes(report.bar_minutes)}"
    if report.unquoted:
        yield f"left out: {report.unquoted:,} bars without a price of the quote"
    if report.overlap.equal or report.overlap.differing:
        yield f"given more than once: {report.overlap.equal:,} equal closes, {report.overlap.differing:,} differing"
    yield _gaps(report)


def _gaps(report: "ImportReport") -> str:
    from momentum_opt.market.wording import utc

    if report.longest_gap_after_ms is None:
        return "gaps: none"
    longest = f"the longest {_minutes(report.longest_gap_minutes)} after {utc(report.longest_gap_after_ms)}"
    return f"gaps: {report.gaps:,}, {_minutes(report.missing_minutes)} missing, {longest}; not filled"


def _minutes(count: int) -> str:
    return f"{count:,} minute{'s' * (count != 1)}"


def _files(count: int) -> str:
    return f"{count:,} file{'s' * (count != 1)}"


def _document(report: "ImportReport") -> dict[str, Any]:
    content = asdict(report)
    content["path"] = str(report.path)
    content["overlap"]["listed"] = [one._asdict() for one in report.overlap.listed]
    return {"schema_version": 1, **content}
