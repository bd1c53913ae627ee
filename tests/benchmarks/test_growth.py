import pytest

from benchmarks.growth import slope, slope_rows


def test_a_power_law_gives_its_exponent():
    assert slope([(x, 3.0 * x**1.5) for x in (1, 2, 8, 9)]) == pytest.approx(1.5)


def test_rows_hold_the_times_and_the_exponent():
    rows = slope_rows({"days": [(1, 2.0), (2, 4.0)]})
    assert [one["figure"] for one in rows] == pytest.approx([2.0, 4.0, 1.0])
