"""The beginning of a table in, what it is and where its columns stand out.

A layout is recognised by its header or, where there is none, by the number of columns and the order of the prices in
them. What could be read in two ways is refused with what to give.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from momentum_opt.errors import DataError, listing
from momentum_opt.formats import CLOSE, HEADERLESS, HIGH, LOW, OPEN, TIME, VOLUME
from momentum_opt.market.identity import plain
from momentum_opt.market.importing.reading import (
    TIME_COLUMNS,
    Key,
    Reading,
    find_column,
    key_columns,
    time_places,
)

_DELIMITERS = ",;\t|"
_COMMENT = re.compile(r"#|https?://|www\.", re.IGNORECASE)
_MARKUP = re.compile(r"<(!|\?|html|head|body|script|table)", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_WITH_COMMA = re.compile(r"[-+]?\d+,\d+")
_MAYBE_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")
_DATE = re.compile(r"\d{4}[-./]\d\d?[-./]\d\d?|\d{8}")
_CLOCK = re.compile(r"\d\d?:\d\d(:\d\d([.,]\d+)?)?|\d{6}")

SHORT_NAMES: Final = {"t": TIME, "o": OPEN, "h": HIGH, "l": LOW, "c": CLOSE, "v": VOLUME}
"""Names of columns in the answers of some exchanges; taken where both `t` and `c` are there."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is laid out.

    Args:
        name: the format.
        delimiter: between columns of text.
        decimal: the sign before the fraction of a number.
        skipped: lines before the first row.
        width: columns of a row.
        times: position of the time, from 0; of date and time of day where these are two columns.
        close: likewise.
        volume: likewise; None where there is none.
        keys: columns that tell rows of different prices apart.
        first_time: the time of the first row as text.
    """

    name: str
    delimiter: str
    decimal: str
    skipped: int
    width: int
    times: tuple[int, ...]
    close: int
    volume: int | None
    keys: tuple[Key, ...]
    first_time: str

    @property
    def kept(self) -> dict[int, str]:
        """Positions that are read, with what each is."""
        volume = {} if self.volume is None else {self.volume: VOLUME}
        return dict.fromkeys(self.times, TIME) | {self.close: CLOSE} | volume


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a table: comments above, the header if there is one, and some rows.

    Args:
        name: the file, for messages.
        delimiter: between columns of text.
        decimal: the sign before the fraction of a number.
        comments: lines above.
        header: names as `plain` makes them.
        rows: fields as text, numbers with a decimal point.
    """

    name: str
    delimiter: str
    decimal: str
    comments: list[str]
    header: list[str] | None
    rows: list[list[str]]

    def find(self, given: str, option: str) -> int:
        """Position of a column that the user names."""
        return find_column(self.name, self.header, len(self.rows[0]), given, option)


def recognise(head: Head, reading: Reading) -> Layout:
    """The layout of a table that begins with `head`.

    Raises:
        DataError: it is no table of prices, or could be read in two ways.
    """
    width = len(head.rows[0])
    named = width if head.header is None else len(head.header)
    if width > named and any(field.strip() for field in head.rows[0][named:]):
        hint = "; where commas stand inside of numbers, separate columns by ;" if head.delimiter == "," else ""
        what = f"its first row has {width} columns, the header names {named}"
        raise DataError(f"{head.name}: {what}; mend the file{hint}")
    if (columns := reading.columns) is not None:
        volume = None if columns.volume is None else head.find(columns.volume, "--columns")
        chosen = "columns", time_places(columns.time, head.find), head.find(columns.close, "--columns"), volume
    elif head.header is not None:
        chosen = _by_header(head, reading.format)
    else:
        chosen = _by_position(head, reading.format)
    found, times, close, volume = chosen
    if max(*times, close, volume or 0) >= width:
        raise DataError(f"{head.name}: its first row has {width} columns, fewer than the header names; mend the file")
    first = [field.strip() for field in head.rows[0]]
    fractions = [place for place, field in enumerate(first) if is_number(field) and not field.isdecimal()]
    keys = key_columns(head.header, reading, head.find, (*times, close, volume), fractions)
    if max((key.place for key in keys), default=0) >= width:
        raise DataError(f"{head.name}: its first row has {width} columns, fewer than the header names; mend the file")
    skipped = len(head.comments) + (head.header is not None)
    time = " ".join(first[place] for place in times)
    return Layout(found, head.delimiter, head.decimal, skipped, width, times, close, volume, keys, time)


def is_number(text: str) -> bool:
    """Whether a field is a decimal number."""
    return _NUMBER.fullmatch(text.strip()) is not None


def is_json(text: str) -> bool:
    """Whether a text begins as JSON does."""
    return text.lstrip("\ufeff \t\r\n").startswith(("{", "["))


def split_text(head: str, name: str) -> Head:
    """The header and the first rows of a text file that begins with `head`, whole lines.

    Raises:
        DataError: there is no table in it.
    """
    lines = head.splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")
    if not first:
        raise DataError(f"{name}: the file is empty; download it again or leave it out")
    if _MARKUP.match(first):
        raise DataError(f"{name}: a web page, not a table; the download went wrong: download it again")
    comments: list[str] = []
    while lines and (not lines[0].strip() or _COMMENT.match(lines[0].strip())):
        comments.append(lines.pop(0))
    delimiter = _delimiter(lines[0]) if lines else ","
    fields = [row for row in csv.reader(lines, delimiter=delimiter) if row]
    if not fields or len(fields[0]) < 2:
        raise DataError(f"{name}: no columns; give a file with at least a time and a close, separated by commas")
    decimal, fields = _decimal(fields, name)
    header = None if any(is_number(field) or _DATE.match(field.strip()) for field in fields[0]) else fields.pop(0)
    if not fields:
        raise DataError(f"{name}: a header and no rows; download it again or leave it out")
    return Head(name, delimiter, decimal, comments, header and [plain(field) for field in header], fields)


def _delimiter(line: str) -> str:
    """The sign between columns; commas that stand inside of numbers are none."""
    for sign in _DELIMITERS[1:]:
        pieces = [piece.strip().strip('"') for piece in line.split(sign)]
        if len(pieces) > 1 and all(_WITH_COMMA.fullmatch(piece) for piece in pieces if "," in piece):
            return sign
    return max(_DELIMITERS, key=line.count)


def _decimal(rows: list[list[str]], name: str) -> tuple[str, list[list[str]]]:
    """The sign before fractions, and the rows with a point in its place."""
    with_comma = [field.strip() for row in rows for field in row if _WITH_COMMA.fullmatch(field.strip())]
    if not with_comma:
        return ".", rows
    if all(_MAYBE_THOUSANDS.fullmatch(field) for field in with_comma):
        field = with_comma[0]
        point, without = field.replace(",", "."), field.replace(",", "")
        raise DataError(
            f"{name}: {field} may be {point} or {without}; write numbers with a decimal point and without commas"
        )
    return ",", [[field.replace(",", ".") if _WITH_COMMA.fullmatch(field.strip()) else field for field in row]
                 for row in rows]  # fmt: skip


_Chosen = tuple[str, tuple[int, ...], int, int | None]


def _by_header(head: Head, wanted: str | None) -> _Chosen:
    header = head.header or []
    about = f"{head.name}: its columns are {listing(header)}"
    advice = "give for example --columns time=NAME,close=NAME"
    found = _name_of(head)
    if wanted is not None and wanted != found:
        raise DataError(f"{about}, which is the format {found}, not {wanted}; give --format {found}, or leave it out")
    if {"t", "c"} <= set(header) and CLOSE not in header:
        header = [SHORT_NAMES.get(name, name) for name in header]
    times = [name for name in TIME_COLUMNS if name in header]
    if found == "cryptodatadownload":
        times = times[:1]  # `unix`, with the same time as text beside it in `date`
    if found == "binance":
        times = ["open_time"]
    if set(times) == {"date", "time"} and _is_clock(head.rows[0], header.index("date"), header.index("time")):
        times = ["date", "time"]
    elif len(times) != 1:
        what = f"{' and '.join(times)} could both be the time" if times else "none of them is known as the time"
        raise DataError(f"{about}: {what}; {advice}")
    closes = [place for place, name in enumerate(header) if name == CLOSE]
    if len(closes) != 1 or any(header.count(name) != 1 for name in times):
        what = "none of them is named close" if not closes else "one name stands twice"
        raise DataError(f"{about}: {what}; {advice}")
    volumes = [place for place, name in enumerate(header) if name == VOLUME or name.startswith("volume_")]
    return found, tuple(map(header.index, times)), closes[0], volumes[0] if volumes else None


def _is_clock(row: Sequence[str], date: int, time: int) -> bool:
    """Whether a date and a time of day stand at these places."""
    return (
        max(date, time) < len(row)
        and _DATE.fullmatch(row[date].strip()) is not None
        and _CLOCK.fullmatch(row[time].strip()) is not None
    )


def _name_of(head: Head) -> str:
    header = head.header or []
    if any("cryptodatadownload" in line.lower() for line in head.comments) or (
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


def _by_position(head: Head, wanted: str | None) -> _Chosen:
    if wanted == "cryptodatadownload":
        raise DataError(f"{head.name}: no header, which cryptodatadownload files have; leave --format out")
    if len(head.rows[0]) > 2 and _is_clock(head.rows[0], 0, 1):
        joined = replace(head, rows=[[" ".join(row[:2]), *row[2:]] for row in head.rows])
        name, _, close, volume = _by_position(joined, wanted)
        return name, (0, 1), close + 1, None if volume is None else volume + 1
    width = len(head.rows[0])
    layouts = {wanted: HEADERLESS[wanted]} if wanted else HEADERLESS
    fitting = [name for name, (wide, columns) in layouts.items() if wide == width and _in_order(head.rows, columns)]
    if not fitting:
        like = f"not laid out as {wanted}" if wanted else "of no layout that is known by its columns alone"
        raise DataError(
            f"{head.name}: {width} columns without a header, {like}; say which are which, counted from 1, such as "
            f"--columns time=1,close={5 if width >= 5 else 2}"
        )
    # Rows without any movement fit Coinbase's order and the usual one alike; the close stands in the same column.
    _, positions = HEADERLESS[fitting[0]]
    return fitting[0], (positions.index(TIME),), positions.index(CLOSE), positions.index(VOLUME)


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
