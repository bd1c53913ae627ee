"""Times as sources write them in (numbers of any unit, timestamps, ISO 8601 text), UTC milliseconds out.

A number of our era says by its size which unit it has: seconds have 9 to 10 digits, milliseconds 12 to 13,
microseconds 15 to 16, nanoseconds 18 to 19. Text and timestamps without a time zone count as UTC where the user names
no zone, and are reported as such.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Bool, Int64

Times = Int64[np.ndarray, "row"]
ArrowArray = Any
"""A pyarrow array; pyarrow ships no types."""

UNIT_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds", "iso": "ISO 8601 text",
        "format": "text of the given format",
    }
)  # fmt: skip
_ABOUT_UNIT = "name the column with --columns and its unit with --time-unit"
ZONELESS: Final = "no zone"
"""Among the units of a source: its times have no time zone, and none was given."""

# Milliseconds of 1973 to 2286: below, a number is in no unit of our era; the units' ranges do not meet.
_LOWEST_MS, _HIGHEST_MS = 10**11, 10**13
_PER_MS: Final[Mapping[str, int]] = MappingProxyType({"ms": 1, "us": 1000, "ns": 10**6})
_HOUR_OF_TWELVE = r"\d{4}-\d\d-\d\d \d\d-[AP]M"
_NAMED_UTC = r"(?i)\s*(?:UTC|GMT|Z)$"
_ZONE = r"(?i)(?:\d\s*(?:Z|UTC|GMT)|[T\s]\d\d?(?::?\d\d){0,2}(?:[.,]\d+)?\s*[-+]\d\d(?::?\d\d)?)$"
_DAY_FIRST = re.compile(r"(\d\d?)([-./])(\d\d?)[-./](\d{4}|\d\d)(.*)")
_FRACTION_AFTER_COMMA = r"(:\d\d),(\d+)"


@dataclass(frozen=True, slots=True)
class TimeOptions:
    """The user's word on the times.

    Args:
        unit: one of `TIME_UNITS`; None reads it off.
        zone: the time zone of times that have none, such as `Europe/London`; None reads them as UTC.
        form: how text is written, as for `strptime`, such as `%d/%m/%Y %H:%M`; None reads ISO 8601.
    """

    unit: str | None = None
    zone: str | None = None
    form: str | None = None


class TimesError(ValueError):
    """A time that cannot be read: its position in the array, what is wrong, and what to do besides mending it."""

    def __init__(self, at: int, what: str, remedy: str = "") -> None:
        self.at = at
        self.what = what
        self.remedy = remedy
        super().__init__(what)


def to_ms(raw: ArrowArray, told: TimeOptions = TimeOptions()) -> tuple[Times, frozenset[str]]:
    """Times in UTC milliseconds, and the units that they were in, with `ZONELESS` where they have no zone.

    Args:
        raw: numbers, timestamps, dates or text.
        told: what the user said of them.

    Raises:
        TimesError: a time that is missing, in no known unit, in another one than said, or finer than a millisecond.
    """
    if raw.null_count:
        raise TimesError(int(np.flatnonzero(raw.is_null().to_numpy(zero_copy_only=False))[0]), "the time is missing")
    kind, unit = raw.type, told.unit
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _from_timestamps(raw, told)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        if unit not in (None, "iso"):
            raise TimesError(0, f"the time is text ({raw[0].as_py()!r}), not {UNIT_NAMES[unit or 'iso']}")
        return _from_text(raw, told)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise TimesError(0, f"the time is of type {kind}")
    if told.form is not None:
        return _from_text(raw.cast(pa.string()), told)
    return _from_numbers(_whole(raw.to_numpy(zero_copy_only=False)), unit)


def _from_timestamps(raw: ArrowArray, told: TimeOptions) -> tuple[Times, frozenset[str]]:
    """Timestamps and dates; those with a time zone are stored in UTC."""
    fine = raw.cast(pa.timestamp("ns")) if pa.types.is_date(raw.type) else raw
    zoned = pa.types.is_timestamp(fine.type) and fine.type.tz is not None
    fine = fine.cast(pa.timestamp(fine.type.unit))
    numbers, unit = fine.cast(pa.int64()).to_numpy(), fine.type.unit
    _check_era(_looks_like(numbers, unit), lambda at: str(fine[at]))
    if not zoned and told.zone is not None:
        local = pd.Series(fine.to_numpy())
        return _in_ms(_placed(local, told.zone), lambda at: str(fine[at])), frozenset({"timestamps"})
    ms = numbers * 1000 if unit == "s" else _divided(numbers, _PER_MS[unit])
    return ms, frozenset({"timestamps"} if zoned else {"timestamps", ZONELESS})


def _placed(local: "pd.Series[Any]", zone: str) -> "pd.Series[Any]":
    """Local times with their zone; those that a change of the clocks makes double or leaves out are refused."""
    moments = local.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    wrong = np.flatnonzero((moments.isna() & local.notna()).to_numpy())
    if len(wrong):
        at = int(wrong[0])
        raise TimesError(
            at,
            f"the time {local.iloc[at]} comes twice or not at all in {zone}, where clocks change",
            "give times in UTC",
        )
    return moments


def _in_ms(moments: "pd.Series[Any]", show: Callable[[int], str]) -> Times:
    numbers = moments.dt.tz_convert("UTC").dt.as_unit("us").to_numpy("datetime64[us]").astype(np.int64)
    _check_era(_looks_like(numbers, "us"), show)
    return _divided(numbers, 1000)


def _check_era(good: Bool[np.ndarray, "row"], show: Callable[[int], str]) -> None:
    if not good.all():
        at = int(np.flatnonzero(~good)[0])
        raise TimesError(at, f"the time {show(at)} lies outside of 1973 to 2286")


def _whole(numbers: np.ndarray) -> Times:
    if numbers.dtype.kind in "iu":
        if numbers.dtype.kind == "u" and len(numbers) and numbers.max() > np.iinfo(np.int64).max:
            raise TimesError(int(numbers.argmax()), f"the time {numbers.max()} is in no known unit")
        return numbers.astype(np.int64)
    wrong = np.flatnonzero(~(np.isfinite(numbers) & (np.abs(numbers) < 2.0**53) & (numbers == np.floor(numbers))))
    if len(wrong):
        at = int(wrong[0])
        raise TimesError(at, f"the time {numbers[at].item()!r} is no whole number")
    return numbers.astype(np.int64)


def _from_numbers(numbers: Times, unit: str | None) -> tuple[Times, frozenset[str]]:
    if unit == "iso":
        raise TimesError(0, f"the time is a number ({numbers[0]}), not ISO 8601 text")
    ms = np.zeros_like(numbers)
    known = np.zeros(len(numbers), bool)
    units: set[str] = set()
    for name in ("s", "ms", "us", "ns"):
        of_unit = _looks_like(numbers, name)
        if of_unit.any():
            units.add(name)
            at = np.flatnonzero(of_unit)
            ms[at] = numbers[at] * 1000 if name == "s" else _divided(numbers[at], _PER_MS[name], at)
        known |= of_unit
    if not known.all():
        at = int(np.flatnonzero(~known)[0])
        raise TimesError(
            at, f"the time {numbers[at]} is in no unit of our era (seconds to nanoseconds since 1970)", _ABOUT_UNIT
        )
    if unit is not None and units - {unit}:
        at = int(np.flatnonzero(~_looks_like(numbers, unit))[0])
        raise TimesError(at, f"the time {numbers[at]} is not in {UNIT_NAMES[unit]}", _ABOUT_UNIT)
    return ms, frozenset(units)


def _looks_like(numbers: Times, unit: str) -> Bool[np.ndarray, "row"]:
    if unit == "s":
        return (numbers >= _LOWEST_MS // 1000) & (numbers < _HIGHEST_MS // 1000)
    return (numbers >= _LOWEST_MS * _PER_MS[unit]) & (numbers // _PER_MS[unit] < _HIGHEST_MS)


def _divided(numbers: Times, by: int, at: np.ndarray | None = None) -> Times:
    wrong = np.flatnonzero(numbers % by)
    if len(wrong):
        place = int(wrong[0])
        where = place if at is None else int(at[place])
        raise TimesError(where, f"the time {numbers[place]} is finer than a millisecond")
    return numbers // by


def _from_text(raw: ArrowArray, told: TimeOptions) -> tuple[Times, frozenset[str]]:
    text = pd.Series(raw.to_pandas(), dtype="str").str.strip()
    zoned = text.str.contains(_ZONE, regex=True) if told.form is None else np.zeros(len(text), bool)
    has_zone = np.asarray(zoned, bool)
    if has_zone.any() and not has_zone.all():
        at = int(np.flatnonzero(has_zone != has_zone[0])[0])
        which = ("has no time zone", "the others have") if has_zone[0] else ("has a time zone", "the others have none")
        raise TimesError(at, f"the time {text.iloc[at]!r} {which[0]}, and {which[1]}")
    if len(text) and has_zone.all():
        moments = pd.to_datetime(text.str.replace(_NAMED_UTC, "Z", regex=True), format="ISO8601", utc=True,
                                 errors="coerce")  # fmt: skip
    else:
        moments = _local(text, told)
    wrong = np.flatnonzero(moments.isna().to_numpy())
    if len(wrong):
        at = int(wrong[0])
        remedy = f"say with --time-format how times are written, such as {_form_of(text.iloc[at])!r}"
        raise TimesError(at, _not_read(text.iloc[at], told), remedy)
    zoneless = frozenset({ZONELESS} if told.zone is None and moments.dt.tz is None else ())
    if moments.dt.tz is None:
        moments = _placed(moments, told.zone or "UTC")
    unit = "iso" if told.form is None else "format"
    return _in_ms(moments, lambda at: repr(text.iloc[at])), zoneless | {unit}


def _local(text: "pd.Series[str]", told: TimeOptions) -> "pd.Series[Any]":
    """Times of text without a zone, or of the user's format, which may hold one."""
    form = told.form
    if form is None and len(text) and text.iloc[:1].str.fullmatch(_HOUR_OF_TWELVE).all():
        form = "%Y-%m-%d %I-%p"
    if form is None:
        plain = text.str.replace(_FRACTION_AFTER_COMMA, r"\1.\2", regex=True)
        return pd.to_datetime(plain, format="ISO8601", errors="coerce")
    return pd.to_datetime(text, format=form, errors="coerce", utc="%z" in form.lower())


def _form_of(text: str) -> str:
    """A format that a time of day, month and year may be written in."""
    match = _DAY_FIRST.match(text)
    if match is None:
        return "%d/%m/%Y %H:%M"
    _, sign, second, year, rest = match.groups()
    days = ("%m", "%d") if int(second) > 12 else ("%d", "%m")
    clock = re.sub(r"\d\d?:\d\d:\d\d", "%H:%M:%S", rest)
    clock = re.sub(r"\d\d?:\d\d", "%H:%M", clock)
    return sign.join([*days, "%Y" if len(year) == 4 else "%y"]) + clock


def _not_read(text: str, told: TimeOptions) -> str:
    if told.form is not None:
        return f"the time {text!r} is not written as --time-format {told.form!r} says"
    return f"the time {text!r} is neither a number nor ISO 8601 such as 2023-01-31T23:59:00Z"
