"""Prices of a DataFrame: the market that files of the same prices give, and what is refused."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from momentum_opt import Market, load_market
from momentum_opt.errors import DataError
from momentum_opt.market.frame import cut
from tests.sample_runs import SAMPLE, TOKENS

START, END = date(2023, 3, 1), date(2023, 3, 4)


@pytest.fixture(scope="module")
def files() -> Market:
    return load_market(SAMPLE, TOKENS, start=START, end=END, burn_in_days=2)


def frame_of(market: Market) -> pd.DataFrame:
    index = pd.DatetimeIndex(pd.to_datetime(market.times_ms, unit="ms", utc=True))
    return pd.DataFrame(market.prices.copy(), index=index, columns=list(market.tokens))


def test_it_is_the_market_of_the_files(files: Market):
    frame = frame_of(files)[list(reversed(TOKENS))]
    found = Market.from_frame(frame, "2023-03-01")
    for name in ("tokens", "bar_minutes", "first_ms", "start_row", "burn_in_days", "oddities", "start_ms", "end_ms"):
        assert getattr(found, name) == getattr(files, name)
    np.testing.assert_array_equal(found.prices, files.prices)
    assert not found.prices.flags.writeable
    assert [one.sha256 for one in found.files] == [one.sha256 for one in files.files]
    assert found.root is None
    frame.iloc[:] = 1.0
    np.testing.assert_array_equal(found.prices, files.prices)  # a copy


def test_without_a_start_it_is_the_first_midnight(files: Market):
    found = Market.from_frame(frame_of(files).iloc[60:])
    assert (found.start_row, found.burn_in_days) == (0, 0)
    assert found.start_ms == files.first_ms + 86_400_000


def test_it_is_cut_to_the_days_asked_for(files: Market):
    found = cut(Market.from_frame(frame_of(files)), START, date(2023, 3, 3), 1)
    wanted = load_market(SAMPLE, TOKENS, start=START, end=date(2023, 3, 3), burn_in_days=1)
    np.testing.assert_array_equal(found.prices, wanted.prices)
    assert (found.start_row, found.burn_in_days, found.first_ms) == (1440, 1, wanted.first_ms)
    assert [one.sha256 for one in found.files] == [one.sha256 for one in wanted.files]
    with pytest.raises(DataError, match="has prices from 2023-02-27 00:00 UTC until 2023-03-04 00:00 UTC, but"):
        cut(found if found.first_ms == files.first_ms else files, START, date(2023, 3, 5), 1)


def test_bars_of_an_hour(files: Market):
    found = Market.from_frame(frame_of(files)[::60])
    assert found.bar_minutes == 60
    assert len(found.prices) == 5 * 24


def _without_row(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(frame.index[700])


def _with_nan(frame: pd.DataFrame) -> pd.DataFrame:
    frame.iloc[7, 1] = np.nan
    return frame


def _swapped(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.iloc[[0, 2, 1, *range(3, len(frame))]]


def _duplicated(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame.iloc[:5], frame.iloc[4:]])


def _nat(frame: pd.DataFrame) -> pd.DataFrame:
    frame.index = frame.index[:3].append(pd.DatetimeIndex([pd.NaT], tz="UTC")).append(frame.index[4:])
    return frame


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one.reset_index(drop=True), "the index holds int64, not times; set a DatetimeIndex"),
        (
            lambda one: one.tz_localize(None),
            r"have no time zone; give them in UTC, as with frame.tz_localize\(",
        ),
        (lambda one: one.tz_convert("Asia/Tokyo"), r"are in Asia/Tokyo; give them in UTC, as with frame.tz_convert"),
        (_nat, "row 3 of the index has no time"),
        (_duplicated, "more than one row at 2023-02-27 00:04 UTC; keep one"),
        (_swapped, "2023-02-27 00:01 UTC stands after 2023-02-27 00:02 UTC; frame.sort_index"),
        (_without_row, "no rows between 2023-02-27 11:39 UTC and 2023-02-27 11:41 UTC, on a grid of 1 minute; fill"),
        (lambda one: one[::7], "rows 7 minutes apart, .* are not on a grid of whole minutes"),
        (lambda one: one.shift(freq="1s"), "are not on a grid of whole minutes"),
        (_with_nan, "SYNB at 2023-02-27 00:07 UTC is nan; prices must be finite and positive"),
        (lambda one: one * -1.0, r"SYNA at 2023-02-27 00:00 UTC is -.* \(and 21,599 more\)"),
        (lambda one: one.astype(object).replace(one.iloc[0, 0], "x"), "not all prices are numbers"),
        (lambda one: one.rename(columns={"SYNA": "a b"}), "the column 'a b' is no name of a token"),
        (lambda one: one.rename(columns={"SYNA": "SYNB"}), "tokens, each once, but are SYNB, SYNB, SYNUSD"),
        (lambda one: one[[]], "tokens, each once, but are none"),
        (lambda one: one[:1], "1 row, too few"),
    ],
)
def test_what_is_refused(files: Market, change, said: str):
    with pytest.raises(DataError, match=said) as raised:
        Market.from_frame(change(frame_of(files)))
    assert len(raised.value.problems) == 1
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("start", "said"),
    [("2024-01-01", "start=2024-01-01 is not among the times"), ("soon", "start='soon' is no day; write it as in"),
     (pd.Timestamp("2023-03-01 12:00", tz="UTC"), "is a time of a day")],
)  # fmt: skip
def test_a_start_that_is_none(files: Market, start, said: str):
    with pytest.raises(DataError, match=said):
        Market.from_frame(frame_of(files), start)
