from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from momentum_opt.fingerprint.periods import Periods, split_periods

START = date(2022, 6, 1)


def test_a_year_and_three_months():
    periods = split_periods(START, date(2023, 6, 1), date(2023, 9, 1), 0.2)
    assert periods == Periods(train=(0, 292), validation=(292, 365), test=(365, 457))
    assert periods.total_days == 457


def test_half_rounds_to_even():
    for days, validation in ((5, 2), (15, 8), (25, 12)):
        periods = split_periods(START, START + timedelta(days=days), None, 0.5)
        assert periods.validation == (days - validation, days)


def test_no_validation():
    assert split_periods(START, START + timedelta(days=9), None, 0.0) == Periods((0, 9), (9, 9), None)


def test_earlier_windows_are_longer():
    assert Periods((0, 11), (11, 14), None).train_windows(4) == ((0, 3), (3, 6), (6, 9), (9, 11))


@given(st.integers(1, 2000), st.integers(1, 50))
def test_windows_cover_train_once(days: int, windows: int):
    slices = Periods((0, days), (days, days), None).train_windows(windows)
    lengths = [last - first for first, last in slices]
    assert [day for first, last in slices for day in range(first, last)] == list(range(days))
    assert lengths == sorted(lengths, reverse=True)
    assert max(lengths) - min(lengths) <= 1
