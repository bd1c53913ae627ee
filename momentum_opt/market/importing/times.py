"""Times as sources write them in (numbers of any unit, timestamps, ISO 8601 text), UTC milliseconds out.

A number of our era says by its size which unit it has: seconds have 9 to 10 digits, milliseconds 12 to 13,
microseconds 15 to 16, nanoseconds 18 to 19. Text and timestamps without a time zone count as UTC.
"""

from collections.abc import Callable, Mapping
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
    {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds", "iso": "ISO 8601 text"}
)

# Milliseconds of 1973 to 2286: below, a number is in no unit of our era; the units' ranges do not meet.
_LOWEST_MS, _HIGHEST_MS = 10**11, 10**13
_PER_MS: Final[Mapping[str, int]] = MappingProxyType({"ms": 1, "us": 1000, "ns": 10**6})
_HOUR_OF_TWELVE = r"\d{4}-\d\d-\d\d \d\d-[AP]M"


class TimesError(ValueError):
    """A time that cannot be read: its position in the array, and what is wrong with it."""

    def __init__(self, at: int, what: str) -> None:
        self.at = at
        self.what = what
        super().__init__(what)


def to_ms(raw: ArrowArray, unit: str | None = None) -> tuple[Times, frozenset[str]]:
    """Times in UTC milliseconds, and the units that they were in.

    Args:
        raw: numbers, timestamps, dates or text.
        unit: one of `TIME_UNITS` where the user said; None reads it off.

    Raises:
        TimesError: a time that is missing, in no known unit, in another one than `unit`, or finer than a millisecond.
    """
    if raw.null_count:
        raise TimesError(int(np.flatnonzero(raw.is_null().to_numpy(zero_copy_only=False))[0]), "the time is missing")
    kind = raw.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _from_timestamps(raw), frozenset({"timestamps"})
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        if unit not in (None, "iso"):
            raise TimesError(0, f"the time is text ({raw[0].as_py()!r}), not {UNIT_NAMES[unit or 'iso']}")
        return _from_text(raw), frozenset({"iso"})
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise TimesError(0, f"the time is of type {kind}")
    numbers = _whole(raw.to_numpy(zero_copy_only=False))
    return _from_numbers(numbers, unit)


def _from_timestamps(raw: ArrowArray) -> Times:
    """Timestamps and dates; those with a time zone are stored in UTC."""
    fine = raw.cast(pa.timestamp("ns")) if pa.types.is_date(raw.type) else raw
    if pa.types.is_timestamp(fine.type):
        fine = fine.cast(pa.timestamp(fine.type.unit))
    numbers, unit = fine.cast(pa.int64()).to_numpy(), fine.type.unit
    _check_era(_looks_like(numbers, unit), lambda at: str(fine[at]))
    return numbers * 1000 if unit == "s" else _divided(numbers, _PER_MS[unit])


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
        raise TimesError(at, f"the time {numbers[at]!r} is no whole number")
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
        raise TimesError(at, f"the time {numbers[at]} is in no unit of our era (seconds to nanoseconds since 1970)")
    if unit is not None and units - {unit}:
        at = int(np.flatnonzero(~_looks_like(numbers, unit))[0])
        raise TimesError(at, f"the time {numbers[at]} is not in {UNIT_NAMES[unit]}")
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


def _from_text(raw: ArrowArray) -> Times:
    text = pd.Series(raw.to_pandas(), dtype="str").str.strip()
    if len(text) and text.iloc[:1].str.fullmatch(_HOUR_OF_TWELVE).all():
        moments = pd.to_datetime(text, format="%Y-%m-%d %I-%p", utc=True, errors="coerce")
    else:
        moments = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    wrong = np.flatnonzero(moments.isna().to_numpy())
    if len(wrong):
        at = int(wrong[0])
        raise TimesError(
            at, f"the time {text.iloc[at]!r} is neither a number nor ISO 8601 such as 2023-01-31T23:59:00Z"
        )
    numbers = moments.dt.as_unit("us").to_numpy("datetime64[us]").astype(np.int64)
    _check_era(_looks_like(numbers, "us"), lambda at: repr(text.iloc[at]))
    return _divided(numbers, 1000)
