"""The first lines of a text file in, what it is and where its columns stand out.

A layout is recognised by its header or, where there is none, by the number of columns and the order of the prices in
them. What could be read in two ways is refused with what to give.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from momentum_opt.errors import DataError
from momentum_opt.formats import CLOSE, HEADERLESS, HIGH, LOW, OPEN, TIME, VOLUME

TIME_COLUMNS: Final = (
    "unix", "unix_timestamp", "timestamp", "open_time", "opentime", "time", "date", "datetime", "start",
)  # fmt: skip
"""Column names, in lower case with _ for blanks, that hold the time of a bar's start."""

_DELIMITERS = ",;\t|"
_COMMENT = re.compile(r"#|https?://|www\.", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class Columns:
    """The user's word on which column is which: names of a header, or numbers from 1."""

    time: str
    close: str
    volume: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text file is laid out.

    Args:
        name: the format.
        delimiter: between columns.
        skipped: lines before the first row.
        width: columns of a row.
        time: position of the column, from 0.
        close: likewise.
        volume: likewise; None where there is none.
        first_time: the time of the first row as text.
    """

    name: str
    delimiter: str
    skipped: int
    width: int
    time: int
    close: int
    volume: int | None
    first_time: str


@dataclass(frozen=True, slots=True)
class _Head:
    """The beginning of a file: comments above, the header if there is one, and some rows."""

    name: str
    delimiter: str
    comments: list[str]
    header: list[str] | None
    rows: list[list[str]]


def recognise(head: str, name: str, *, wanted: str | None = None, columns: Columns | None = None) -> Layout:
    """The layout of a file that begins with `head`.

    Args:
        head: the first lines, whole ones.
        name: the file, for messages.
        wanted: one of `TEXT_FORMATS` where the user said which.
        columns: where the user said which column is which.

    Raises:
        DataError: it is no table of prices, or could be read in two ways.
    """
    parts = _split(head, name)
    if columns is not None:
        chosen = "columns", *(_chosen(parts, given) for given in (columns.time, columns.close, columns.volume))
    elif parts.header is not None:
        chosen = _by_header(parts, wanted)
    else:
        chosen = _by_position(parts, wanted)
    found, time, close, volume = chosen
    assert time is not None
    assert close is not None
    width = len(parts.rows[0])
    if max(time, close, volume or 0) >= width:
        raise DataError(f"{name}: its first row has {width} columns, fewer than the header names; mend the file")
    skipped = len(parts.comments) + (parts.header is not None)
    return Layout(found, parts.delimiter, skipped, width, time, close, volume, parts.rows[0][time].strip())


def is_number(text: str) -> bool:
    """Whether a field is a decimal number."""
    return _NUMBER.fullmatch(text.strip()) is not None


def _split(head: str, name: str) -> _Head:
    lines = head.splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")
    if not first:
        raise DataError(f"{name}: the file is empty; download it again or leave it out")
    if first.startswith("<"):
        raise DataError(f"{name}: a web page, not a table; the download went wrong: download it again")
    if first.startswith(("{", "[")):
        raise DataError(f"{name}: JSON, not a table; give CSV, parquet or feather")
    comments: list[str] = []
    while lines and (not lines[0].strip() or _COMMENT.match(lines[0].strip())):
        comments.append(lines.pop(0))
    delimiter = max(_DELIMITERS, key=lambda sign: lines[0].count(sign)) if lines else ","
    fields = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    if not fields or len(fields[0]) < 2:
        raise DataError(f"{name}: no columns; give a file with at least a time and a close, separated by commas")
    header = None if any(is_number(field) for field in fields[0]) else fields.pop(0)
    if not fields:
        raise DataError(f"{name}: a header and no rows; download it again or leave it out")
    return _Head(name, delimiter, comments, header and [_plain(field) for field in header], fields)


def _plain(field: str) -> str:
    return re.sub(r"[\s_]+", "_", field.strip().strip('"').lower())


def _chosen(parts: _Head, given: str | None) -> int | None:
    """Position of a column that the user named, by its header or its number from 1."""
    if given is None:
        return None
    if parts.header is not None and _plain(given) in parts.header:
        if parts.header.count(_plain(given)) > 1:
            raise DataError(f"{parts.name}: several columns are named {given}; give its number, from 1, in --columns")
        return parts.header.index(_plain(given))
    if given.isdecimal() and 1 <= int(given) <= len(parts.rows[0]):
        return int(given) - 1
    there = ", ".join(parts.header) if parts.header else f"{len(parts.rows[0])} columns without names"
    raise DataError(f"{parts.name}: no column {given}; it has {there}: mend --columns (numbers count from 1)")


_Chosen = tuple[str, int | None, int | None, int | None]


def _by_header(parts: _Head, wanted: str | None) -> _Chosen:
    header = parts.header or []
    about = f"{parts.name}: its columns are {', '.join(header)}"
    advice = "give for example --columns time=NAME,close=NAME"
    found = _name_of(parts)
    if wanted is not None and wanted != found:
        raise DataError(f"{about}, which is the format {found}, not {wanted}; give --format {found}, or leave it out")
    times = [name for name in TIME_COLUMNS if name in header]
    if found == "cryptodatadownload":
        times = times[:1]  # `unix`, with the same time as text beside it in `date`
    if found == "binance":
        times = ["open_time"]
    closes = [place for place, name in enumerate(header) if name == CLOSE]
    if len(times) != 1:
        what = f"{' and '.join(times)} could both be the time" if times else "none of them is known as the time"
        raise DataError(f"{about}: {what}; {advice}")
    if len(closes) != 1 or header.count(times[0]) != 1:
        what = "none of them is named close" if not closes else "one name stands twice"
        raise DataError(f"{about}: {what}; {advice}")
    volumes = [place for place, name in enumerate(header) if name == VOLUME or name.startswith("volume_")]
    return found, header.index(times[0]), closes[0], volumes[0] if volumes else None


def _name_of(parts: _Head) -> str:
    header = parts.header or []
    if any("cryptodatadownload" in line.lower() for line in parts.comments) or (
        "symbol" in header and any(name in header for name in ("unix", "unix_timestamp", "date"))
    ):
        return "cryptodatadownload"
    if "open_time" in header and "close_time" in header:
        return "binance"
    if header[1:5] == [LOW, HIGH, OPEN, CLOSE]:
        return "coinbase"
    if header[1:5] == [OPEN, HIGH, LOW, CLOSE] and header[-1] in ("trades", "count") and len(header) in (7, 8):
        return "kraken"
    return "ohlcv"


def _by_position(parts: _Head, wanted: str | None) -> _Chosen:
    width = len(parts.rows[0])
    if wanted == "cryptodatadownload":
        raise DataError(f"{parts.name}: no header, which cryptodatadownload files have; leave --format out")
    layouts = {wanted: HEADERLESS[wanted]} if wanted else HEADERLESS
    fitting = [name for name, (wide, columns) in layouts.items() if wide == width and _in_order(parts.rows, columns)]
    if not fitting:
        like = f"not laid out as {wanted}" if wanted else "of no layout that is known by its columns alone"
        raise DataError(
            f"{parts.name}: {width} columns without a header, {like}; say which are which, counted from 1, such as "
            "--columns time=1,close=5"
        )
    # Rows without any movement fit Coinbase's order and the usual one alike; the close stands in the same column.
    _, positions = HEADERLESS[fitting[0]]
    return fitting[0], positions.index(TIME), positions.index(CLOSE), positions.index(VOLUME)


def _in_order(rows: Sequence[Sequence[str]], names: Sequence[str]) -> bool:
    """Whether high is the highest price and low the lowest in nearly all rows, with the columns taken as `names` say.

    Rows that hold no numbers are left out: they are refused by their line, when the file is read.
    """
    fitting, readable = 0, 0
    for row in rows:
        if len(row) < len(names) or not all(is_number(field) for field in row[1 : len(names)]):
            continue
        price = {name: float(field) for name, field in zip(names[1:], row[1:], strict=False)}
        fitting += all(price[LOW] <= price[name] <= price[HIGH] for name in (OPEN, CLOSE))
        readable += 1
    return fitting >= 0.9 * max(readable, 1)
