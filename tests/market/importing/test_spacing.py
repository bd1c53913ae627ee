"""A source whose bar changes on the way is not stored as if all bars were the shorter ones."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from momentum_opt.market.importing.raw import Series
from momentum_opt.market.importing.spacing import other_bars
from tests.market.importing.sources import FIRST_MS, MINUTE_MS
from tests.market.importing.test_formats import imported, refused, text


def spaced(*parts: tuple[int, int]) -> np.ndarray:
    """Times of so many bars of so many minutes each, part after part."""
    steps = np.concatenate([np.full(count, minutes) for count, minutes in parts])
    return FIRST_MS + MINUTE_MS * np.concatenate([[0], np.cumsum(steps)[:-1]])


def source(folder: Path, *parts: tuple[int, int]) -> Path:
    rows = "".join(f"{time},{100 + place % 7}\n" for place, time in enumerate(spaced(*parts).tolist()))
    return text(folder, "time,close\n" + rows)


def test_minutes_with_an_hourly_tail(tmp_path: Path):
    path = source(tmp_path, (3000, 1), (48, 60))
    said = refused(tmp_path, path)
    assert "bars of 1 minute, but of 60 from 2024-01-03 02:00 UTC to 2024-01-05 01:00 UTC" in said
    assert (
        "; import one part only, such as with --end 2024-01-03, make all bars 60 minutes with --bar 60, or say" in said
    )
    assert "bars of 1 minute, but of 60" in refused(tmp_path, path, bar_minutes=5)


def test_its_remedies_work(tmp_path: Path):
    path = source(tmp_path, (3000, 1), (48, 60))
    cut = imported(tmp_path / "cut", path, end=date(2024, 1, 3))[0]
    assert (cut.bars, cut.bar_minutes, cut.gaps) == (2880, 1, 0)
    _, unix, close = imported(tmp_path / "hours", path, bar_minutes=60)
    assert unix.tolist() == (FIRST_MS + 60 * MINUTE_MS * np.arange(98)).tolist()  # the last hour is whole
    assert close[:2].tolist() == [100 + 59 % 7, 100 + 119 % 7]
    assert close[-1] == 100 + 3047 % 7
    sparse = imported(tmp_path / "sparse", path, bar_minutes=1)[0]
    assert (sparse.bars, sparse.bar_minutes, sparse.longest_gap_minutes) == (3048, 1, 59)
    first = source(tmp_path, (48, 60), (3000, 1))
    assert "--start 2024-01-04" in refused(tmp_path, first)
    assert imported(tmp_path / "first", first, start=date(2024, 1, 4))[0].gaps == 0


@pytest.mark.parametrize(
    ("parts", "minutes"),
    [
        (((300, 1), (7, 60)), 60),
        (((300, 1), (30, 5), (300, 1)), 5),
        (((300, 60), (30, 1440)), 1440),
        (((300, 1), (20, 15), (20, 60)), 15),
    ],
)
def test_changes_of_other_kinds(tmp_path: Path, parts: tuple[tuple[int, int], ...], minutes: int):
    assert f", but of {minutes} from " in refused(tmp_path, source(tmp_path, *parts))


@pytest.mark.parametrize("share", [0.9, 0.5, 0.3, 0.1, 0.02])
def test_bars_left_out_at_random_are_no_change(share: float):
    """As in sources that leave out minutes without a trade: two years of them."""
    kept = np.flatnonzero(np.random.default_rng(int(100 * share)).random(1_000_000) < share)
    unix = FIRST_MS + MINUTE_MS * kept
    assert other_bars(Series("x", unix, np.ones(len(unix)), np.ones(len(unix))), 1) == []


def test_the_last_bar_waits_where_the_data_do_not_reach_its_end(tmp_path: Path):
    """A gap before the last row says nothing of how long that row's bar is."""
    path = source(tmp_path, (100, 1), (1, 60), (1, 60))
    _, unix, _ = imported(tmp_path, path, bar_minutes=60)
    assert unix.tolist() == [FIRST_MS, FIRST_MS + 60 * MINUTE_MS]
