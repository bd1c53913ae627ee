"""What the user says of the sources, and which column is read as what."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from momentum_opt.errors import DataError, listing, nearest
from momentum_opt.market.identity import is_identity, plain
from momentum_opt.market.importing.times import TimeOptions

TIME_COLUMNS: Final = (
    "unix", "unix_timestamp", "timestamp", "open_time", "opentime", "time", "date", "datetime", "start", "ts",
    "date_time", "start_time", "timestamp_ms", "timestamp_utc", "time_utc", "date_utc", "datetime_utc",
    "time_period_start",
)  # fmt: skip
"""Column names, in lower case with _ for blanks, that hold the time of a bar's start."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The user's word on which column is which: names of a header, or numbers from 1; `date+time` joins two."""

    time: str
    close: str
    volume: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a source.

    Args:
        format: one of `TEXT_FORMATS` where the user said which.
        columns: where the user said which column is which.
        where: columns with the value that a row must have to be read.
        times: what the user said of the times.
        token: that a column which names one must agree with; None where any will do.
    """

    format: str | None = None
    columns: Columns | None = None
    where: tuple[tuple[str, str], ...] = ()
    times: TimeOptions = field(default_factory=TimeOptions)
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A column that tells rows of different prices apart.

    Args:
        column: its name, or its number from 1.
        place: from 0.
        wanted: the value that a row must have; None where the user chose none.
    """

    column: str
    place: int
    wanted: str | None = None


Find = Callable[[str, str], int]
"""Position of a column that the user names, with the option for messages."""


def time_places(given: str, find: Find) -> tuple[int, ...]:
    """Positions of the time: of one column or, with a + between them, of a date and a time of day."""
    try:
        return (find(given, "--columns"),)
    except DataError:
        parts = [part.strip() for part in given.split("+")]
        if len(parts) != 2 or not all(parts):
            raise
        return tuple(find(part, "--columns") for part in parts)


def key_columns(
    header: Sequence[str] | None, reading: Reading, find: Find, used: Sequence[int | None], fractions: Sequence[int]
) -> tuple[Key, ...]:
    """The columns that the user chooses rows by, and those whose names say that they name a symbol or the like.

    Args:
        header: names in lower case; None where there are none.
        reading: with the user's choice.
        find: position of a named column.
        used: positions that are read as time, close or volume.
        fractions: positions that hold broken numbers, which name nothing.

    Raises:
        DataError: rows are chosen by what is read as time, close or volume.
    """
    chosen = [Key(column, find(column, "--where"), value) for column, value in reading.where]
    for key in chosen:
        if key.place in used:
            what = "is read as time, close or volume"
            raise DataError(f"--where {key.column}={key.wanted}: this column {what}; choose rows by another column")
    taken = {*used, *fractions, *(key.place for key in chosen)}
    found = [
        Key(name, place) for place, name in enumerate(header or ()) if place not in taken and is_identity(plain(name))
    ]
    return (*chosen, *found)


def find_column(name: str, header: Sequence[str] | None, width: int, given: str, option: str) -> int:
    """Position of a column that the user names, by its header or its number from 1.

    Args:
        name: the source, for messages.
        header: names as `plain` makes them; None where there are none.
        width: columns that there are.
        given: the user's word.
        option: that it was given with.

    Raises:
        DataError: there is no such column, or more than one.
    """
    if header is not None and plain(given) in header:
        if header.count(plain(given)) > 1:
            raise DataError(f"{name}: several columns are named {given}; give its number, from 1, in {option}")
        return header.index(plain(given))
    if given.isdecimal() and 1 <= int(given) <= width:
        return int(given) - 1
    there = listing(header) if header else f"{width} columns without names"
    close = nearest(plain(given), header or ())
    hint = f"did you mean {close}? else " if close else ""
    raise DataError(f"{name}: no column {given}; it has {there}: {hint}mend {option} (numbers count from 1)")
