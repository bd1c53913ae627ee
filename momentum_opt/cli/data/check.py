"""`momentum-opt data check`: what is in a folder of price files, and what a run on them would say."""

import json
import math
from contextlib import nullcontext
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from momentum_opt.cli.config import AsJson, Data, Settings
from momentum_opt.cli.text_table import filled
from momentum_opt.errors import DataError, UsageError
from momentum_opt.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from momentum_opt.fingerprint import Fingerprint
    from momentum_opt.market.audit import FileAudit, FileStats, Tally
    from momentum_opt.market.check import FolderCheck

_WIDTH = 16
"""Columns of a label."""


def check(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Folder of price files.", show_default=False)
    ] = None,
    tokens: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Only these tokens; else all of the folder.", show_default=False)
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="START:END",
            help="Days to try, the end exclusive, such as 2022-06-01:2023-06-01; else those that all files cover.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="CONFIG", help="Take folder, tokens, window and limits from a configuration.", show_default=False
        ),
    ] = None,
    settings: Settings = None,
    data: Data = None,
    history: Annotated[int, typer.Option(metavar="DAYS", help="History wanted before the window.")] = 365,
    max_gap: Annotated[int, typer.Option(metavar="MINUTES", help="Longest gap that may be filled.")] = 1440,
    as_json: AsJson = False,
) -> None:
    """Describe price files, and say whether a run on them would go ahead; exit code 2 where it would not."""
    from momentum_opt.api.prices import telling_options
    from momentum_opt.cli.data.progress import FileProgress
    from momentum_opt.market.check import check_folder

    days = None if window is None else _window(window)
    names = None if tokens is None else _tokens(tokens)
    fingerprint = _fingerprint(config, settings or [])
    if folder is not None and data is not None:
        raise UsageError(f"{folder}, --data {data}: two folders; give one of them")
    folder = folder or data
    if fingerprint is not None:
        folder = folder or fingerprint.data.root
        names = names or list(fingerprint.tokens)
        days = days or (fingerprint.window.start, fingerprint.last_day)
        history = math.ceil(fingerprint.pool.max_memory_days)
        max_gap = fingerprint.data.max_gap_minutes
    if folder is None:
        raise UsageError("no folder of price files is named; give FOLDER, or --config with data.root, or --data FOLDER")
    named = telling_options() if fingerprint is not None else nullcontext()
    with named, FileProgress() as progress:
        found = check_folder(
            folder, names, window=days, burn_in_days=history, max_gap_minutes=max_gap,
            on_file=lambda number, total, token: progress(number - 1, total, token),
        )  # fmt: skip
    problems = [*found.problems]
    if fingerprint is not None and not problems:
        problems += _run_problems(fingerprint, found, folder)
    engine = _engine(fingerprint, found) if fingerprint is not None and not problems else None
    if as_json:
        typer.echo(json.dumps(_document(folder, found, problems, engine), allow_nan=False))
    else:
        for line in _lines(found, engine):
            typer.echo(line)
    if problems:
        raise DataError(problems)


def _window(text: str) -> tuple[date, date]:
    start, colon, end = text.partition(":")
    try:
        days = date.fromisoformat(start.strip()), date.fromisoformat(end.strip())
    except ValueError:
        days = None
    if not colon or days is None:
        raise UsageError(f"--window {text}: not two dates; write START:END, such as 2022-06-01:2023-06-01")
    if not days[0] < days[1]:
        raise UsageError(f"--window {text}: the end is not after the start; it is the day after the last one")
    return days


def _tokens(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) != len(names):
        raise UsageError(f"--tokens {text}: not a list of distinct names; write them as BTC,ETH,USDC")
    return names


def _fingerprint(config: Path | None, settings: list[str]) -> "Fingerprint | None":
    if config is None:
        if settings:
            raise UsageError("--set: nothing to override; give --config as well")
        return None
    from momentum_opt.fingerprint import load_fingerprint

    return load_fingerprint(config, settings)


def _run_problems(fingerprint: "Fingerprint", found: "FolderCheck", folder: Path) -> tuple[str, ...]:
    """What a run of the configuration would say beyond its prices: periods that do not fit the bar, other files."""
    from momentum_opt.api.prices import market_of
    from momentum_opt.fingerprint import check_bar

    assert found.survey is not None
    try:
        check_bar(fingerprint, found.survey.bar_minutes[0])
        market_of(fingerprint, root=folder)
    except UsageError as error:
        return error.problems
    return ()


def _engine(fingerprint: "Fingerprint", found: "FolderCheck") -> str:
    from momentum_opt.fingerprint import choose_engine

    assert found.survey is not None
    choice = choose_engine(fingerprint, found.survey.bar_minutes[0])
    return f"{choice.name}: {choice.reason}"


def _lines(found: "FolderCheck", engine: str | None) -> "Iterator[str]":
    for file in found.files:
        yield from _file_lines(file)
        yield ""
    yield _line(
        "common window", "none" if found.common is None else f"{found.common[0]} to {found.common[1]} (exclusive)"
    )
    if found.problems or found.survey is None or found.window is None:
        yield _line("a run", "would be refused; the reasons are on stderr")
        return
    start, end = found.window
    history = f"{counted(found.survey.burn_in_days, 'day')} of history before it"
    yield _line("a run", f"of {start} to {end} (exclusive) can go ahead, with {history}")
    for file in found.survey.files:
        filled = f"{counted(file.filled_minutes, 'minute')} filled, longest gap {file.longest_gap_minutes:,}"
        same = [one.token for one in found.survey.files if one.sha256 == file.sha256 and one.token != file.token]
        alike = f", the same closes as {', '.join(same)}" if same else ""
        yield _line("", f"{file.token}: {counted(file.rows, 'row')}, {filled}, sha256 {file.sha256[:12]}{alike}")
    if engine is not None:
        yield _line("engine", engine)


def _file_lines(file: "FileAudit") -> "Iterator[str]":
    yield f"{file.token}  {file.path}"
    for problem in file.problems:
        yield _line("problem", problem)
    if file.stats is None:
        return
    from momentum_opt.market.wording import utc

    stats = file.stats
    bar = "no bar length" if stats.bar_minutes is None else f"of {_minutes(stats.bar_minutes)}"
    missing = f", {_minutes(stats.missing_minutes)} missing" if stats.gaps.count else ""
    yield _line("first", utc(stats.first_ms))
    yield _line("last", utc(stats.last_ms))
    yield _line("bars", f"{stats.rows:,} {bar}")
    yield _line("gaps", f"{_count(stats.gaps)}{missing}{_longest(stats.gaps, 'minutes', 'after')}")
    yield _line("duplicates", f"{_count(stats.duplicates)}{_at(stats.duplicates)}")
    yield _line("zero volume", _zero_volume(stats))
    yield _line(
        "unchanged", f"{_counted(stats.unchanged, 'run of equal closes')}{_longest(stats.unchanged, 'bars', 'from')}"
    )
    largest = f", the largest {stats.jumps.largest:.1%}{_at(stats.jumps)}" if stats.jumps.count else ""
    yield _line("jumps over 20 %", f"{_count(stats.jumps)}{largest}")
    for name, tally in (
        ("not sorted", stats.unsorted),
        ("off the grid", stats.off_grid),
        ("no prices", stats.bad_closes),
    ):
        if tally.count:
            yield _line(name, f"{counted(tally.count, 'row')}, the first{_at(tally)}")
    yield _line("sha256", stats.sha256)


def _zero_volume(stats: "FileStats") -> str:
    if stats.zero_volume is None:
        return "the file has no volumes"
    return f"{_counted(stats.zero_volume, 'run')}{_longest(stats.zero_volume, 'bars', 'from')}"


def _line(label: str, text: str) -> str:
    return filled(f"  {label:{_WIDTH}}{text}", " " * (_WIDTH + 2))


def _count(tally: "Tally") -> str:
    return f"{tally.count:,}" if tally.count else "none"


def _counted(tally: "Tally", what: str) -> str:
    """`none`, `1 run of equal closes` or `2 runs of equal closes`."""
    noun, _, rest = what.partition(" ")
    return f"{counted(tally.count, noun)}{' ' * bool(rest)}{rest}" if tally.count else "none"


def _minutes(count: int) -> str:
    return f"{count:,} minute{'s' * (count != 1)}"


def _longest(tally: "Tally", unit: str, word: str) -> str:
    if tally.at_ms is None:
        return ""
    from momentum_opt.market.wording import utc

    return f", the longest {tally.largest:,.10g} {unit[: -1 if tally.largest == 1 else None]} {word} {utc(tally.at_ms)}"


def _at(tally: "Tally") -> str:
    if tally.at_ms is None:
        return ""
    from momentum_opt.market.wording import utc

    return f" at {utc(tally.at_ms)}"


def _document(folder: Path, found: "FolderCheck", problems: list[str], engine: str | None) -> dict[str, Any]:
    survey = found.survey
    return {
        "schema_version": 1,
        "folder": str(folder),
        "files": [
            {
                "token": file.token,
                "path": str(file.path),
                "problems": file.problems,
                **({} if file.stats is None else asdict(file.stats)),
            }
            for file in found.files
        ],
        "common_window": None if found.common is None else [str(day) for day in found.common],
        "window": None if found.window is None else [str(day) for day in found.window],
        "burn_in_days": None if survey is None else survey.burn_in_days,
        "used": [{**asdict(file), "path": str(file.path)} for file in (() if survey is None else survey.files)],
        "engine": engine,
        "problems": problems,
        "accepted": not problems,
    }
