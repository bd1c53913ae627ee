"""Make a market of a DataFrame that a notebook holds, refusing what price files are refused for."""

import dataclasses
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64, Int64

from momentum_opt.errors import DataError
from momentum_opt.market.model import Market, TokenFile
from momentum_opt.market.oddities import find_oddities
from momentum_opt.market.price_file import Rows
from momentum_opt.market.row_checks import HIGHEST_CLOSE, LOWEST_CLOSE, divides_a_day
from momentum_opt.market.series import digest_rows
from momentum_opt.market.wording import minutes, utc
from momentum_opt.tokens import TOKEN_NAME
from momentum_opt.units import MS_PER_DAY, MS_PER_MINUTE, counted

if TYPE_CHECKING:
    import pandas as pd

WHERE = "Market.from_frame"
"""What messages call the place of a mistake."""

Times = Int64[np.ndarray, "time"]
Prices = Float64[np.ndarray, "time asset"]


def market_of_frame(frame: "pd.DataFrame", start: date | str | None) -> Market:
    """See `Market.from_frame`."""
    times, bar_ms = _times(frame)
    tokens, prices = _prices(frame, times)
    first = -(-int(times[0]) // MS_PER_DAY) * MS_PER_DAY if start is None else _day_ms(start)
    end = int(times[-1]) + bar_ms
    if not int(times[0]) <= first < end:
        wanted = "the first midnight" if start is None else f"start={start}"
        there = f"{utc(int(times[0]))} to {utc(int(times[-1]))}"
        raise DataError(f"{WHERE}: {wanted} is not among the times, {there}; give prices of that day, or another start")
    begin = first - (first - int(times[0])) // MS_PER_DAY * MS_PER_DAY
    return _market(tokens, times, prices, bar_ms, begin, first, end)


def cut(market: Market, start: date, end: date, burn_in_days: int) -> Market:
    """The same prices over the days [start, end), with up to so many whole days before.

    Raises:
        DataError: the market does not reach that far.
    """
    first, last = _day_ms(start), _day_ms(end)
    if not market.first_ms <= first < last <= market.end_ms:
        raise DataError(
            f"market: has prices from {utc(market.first_ms)} until {utc(market.end_ms)}, but the configuration asks "
            f"for {start} to {end}; give more prices, or change `window`"
        )
    begin = first - min(burn_in_days, (first - market.first_ms) // MS_PER_DAY) * MS_PER_DAY
    bar_ms = market.bar_minutes * MS_PER_MINUTE
    kept = _market(market.tokens, market.times_ms, market.prices, bar_ms, begin, first, last)
    return dataclasses.replace(kept, external=market.external)


def _market(
    tokens: tuple[str, ...], times: Times, prices: Prices, bar_ms: int, begin: int, first: int, end: int
) -> Market:
    """The rows from `begin` to before `end`, of a pool that starts at `first`."""
    rows = slice(*times.searchsorted([begin, end]))
    times, prices = times[rows], np.ascontiguousarray(prices[rows])
    prices.setflags(write=False)
    return Market(
        tokens=tokens,
        bar_minutes=bar_ms // MS_PER_MINUTE,
        first_ms=begin,
        prices=prices,
        start_row=(first - begin) // bar_ms,
        burn_in_days=(first - begin) // MS_PER_DAY,
        files=tuple(_described(token, times, prices[:, place]) for place, token in enumerate(tokens)),
        oddities=find_oddities(tokens, prices, times),
    )


def _described(token: str, times: Times, closes: Float64[np.ndarray, "time"]) -> TokenFile:
    digest = digest_rows(Rows(WHERE, np.arange(len(times)), times, closes))
    return TokenFile(
        token=token,
        path=None,
        sha256=digest,
        first_ms=int(times[0]),
        last_ms=int(times[-1]),
        rows=len(times),
        filled_minutes=0,
        longest_gap_minutes=0,
    )


def _times(frame: "pd.DataFrame") -> tuple[Times, int]:
    """UTC ms of every row, and of one bar: all of them on one grid without a gap."""
    zone: Any = getattr(frame.index, "tz", None)
    if not hasattr(frame.index, "tz"):
        raise DataError(
            f"{WHERE}: the index holds {frame.index.dtype}, not times; set a DatetimeIndex, as with "
            "frame.set_index(pd.to_datetime(times, utc=True))"
        )
    if zone is None or str(zone) not in ("UTC", "utc", "UTC+00:00"):
        found = "have no time zone" if zone is None else f"are in {zone}"
        fix = 'tz_localize("UTC") where they are UTC' if zone is None else 'tz_convert("UTC")'
        raise DataError(f"{WHERE}: the times of the index {found}; give them in UTC, as with frame.{fix}")
    index: Any = frame.index
    if index.hasnans:
        raise DataError(f"{WHERE}: row {int(np.argmax(index.isna()))} of the index has no time (NaT); drop such rows")
    times = index.as_unit("ms").asi8.astype(np.int64)
    if len(times) < 2:
        found = counted(len(times), "row")
        raise DataError(f"{WHERE}: {found}, too few to tell the bar length; give two days or more")
    steps = np.diff(times)
    if (at := _first(steps == 0)) is not None:
        raise DataError(
            f"{WHERE}: more than one row at {utc(int(times[at]))}; keep one, as with frame[~frame.index.duplicated()]"
        )
    if (at := _first(steps < 0)) is not None:
        raise DataError(f"{WHERE}: {utc(int(times[at + 1]))} stands after {utc(int(times[at]))}; frame.sort_index()")
    bar_ms = int(steps.min())
    if not divides_a_day(bar_ms) or (times % bar_ms).any():
        at = _first(times % bar_ms != 0) or 0
        raise DataError(
            f"{WHERE}: rows {minutes(bar_ms)} apart, as at {utc(int(times[at]))}, are not on a grid of whole minutes "
            'that divide a day; resample them, as with frame.resample("1min").last()'
        )
    if (at := _first(steps > bar_ms)) is not None:
        raise DataError(
            f"{WHERE}: no rows between {utc(int(times[at]))} and {utc(int(times[at + 1]))}, on a grid of "
            f'{minutes(bar_ms)}; fill the gap, as with frame.resample("{bar_ms // MS_PER_MINUTE}min").last().ffill()'
        )
    return times, bar_ms


def _prices(frame: "pd.DataFrame", times: Times) -> tuple[tuple[str, ...], Prices]:
    """Tokens in alphabetical order, and their prices."""
    names = [str(name) for name in frame.columns]
    if not names or len(set(names)) < len(names):
        raise DataError(f"{WHERE}: the columns must be tokens, each once, but are {', '.join(names) or 'none'}")
    for name in names:
        if TOKEN_NAME.fullmatch(name) is None:
            raise DataError(f"{WHERE}: the column {name!r} is no name of a token; name columns as in BTC, ETH")
    order = sorted(range(len(names)), key=names.__getitem__)
    try:
        prices = frame.iloc[:, order].to_numpy(np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{WHERE}: not all prices are numbers; convert them, as with frame.astype(float)") from None
    wrong = np.argwhere(~((prices >= LOWEST_CLOSE) & (prices <= HIGHEST_CLOSE)))
    if len(wrong):
        row, column = (int(one) for one in wrong[0])
        value = float(prices[row, column])
        more = f" (and {len(wrong) - 1:,} more)" if len(wrong) > 1 else ""
        raise DataError(
            f"{WHERE}: {names[order[column]]} at {utc(int(times[row]))} is {value:g}{more}; prices must be finite and "
            "positive, from 1e-30 to 1e30: drop or fill such rows, as with frame.ffill()"
        )
    return tuple(names[place] for place in order), prices


def _first(wrong: "np.ndarray[Any, Any]") -> int | None:
    places = np.flatnonzero(wrong)
    return int(places[0]) if len(places) else None


def _day_ms(moment: date | str) -> int:
    try:
        day = date.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError:
        raise DataError(f'{WHERE}: start={moment!r} is no day; write it as in "2023-01-31"') from None
    if isinstance(day, datetime) and (day.hour, day.minute, day.second, day.microsecond) != (0, 0, 0, 0):
        raise DataError(f"{WHERE}: start={moment} is a time of a day; give a day, which begins at midnight UTC")
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
