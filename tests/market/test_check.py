"""`data check`: descriptions against pandas, oddities put in by hand, and verdicts against the loader itself."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from momentum_opt.errors import DataError, MissingFileError
from momentum_opt.market import hash_rows, load_market
from momentum_opt.market import price_file as price_file_module
from momentum_opt.market.audit import audit_file
from momentum_opt.market.check import check_folder
from tests.market.price_files import DAY_MS, FIRST_DAY, FIRST_MS, MINUTE_MS, times, walk, write, write_table
from tests.shared_data import minute_prices, needs_shared


def stats(folder: Path, token: str = "AAA"):
    found = audit_file(folder, token)
    assert found.problems == ()
    assert found.stats is not None
    return found.stats


@pytest.fixture(params=[1 << 17, 700])
def batch_rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """What is found does not depend on how the file is cut up for reading."""
    monkeypatch.setattr(price_file_module, "_BATCH_ROWS", request.param)
    return request.param


def test_a_sound_file(tmp_path: Path, batch_rows: int):
    del batch_rows
    unix, close = times(), walk(4 * 1440)
    write(tmp_path, "AAA", unix, close)
    found = stats(tmp_path)
    assert (found.rows, found.first_ms, found.last_ms, found.bar_minutes) == (5760, unix[0], unix[-1], 1)
    for tally in (found.gaps, found.duplicates, found.unsorted, found.off_grid, found.bad_closes, found.jumps):
        assert (tally.count, tally.at_ms) == (0, None)
    assert found.zero_volume is None
    assert found.sha256 == hash_rows(tmp_path, "AAA", int(unix[0]), int(unix[-1]))


def test_what_is_odd_is_counted_and_the_largest_named(tmp_path: Path, batch_rows: int):
    del batch_rows
    unix, close = times(), walk(4 * 1440)
    close[1000:1400] = close[1000]
    close[699:703] = close[699]  # across the batches of 700
    close[3000] *= 1.5
    close[4000] = np.nan
    volume = np.ones(len(unix))
    volume[650:750] = volume[2000] = 0.0
    kept = np.ones(len(unix), bool)
    kept[2000:2010] = kept[2500:2600] = False
    write_table(tmp_path, "AAA", pa.table({"unix": unix[kept], "close": close[kept], "volume": volume[kept]}))
    found = stats(tmp_path)
    assert (found.gaps.count, found.gaps.largest, found.gaps.at_ms) == (2, 100, unix[2499])
    assert found.missing_minutes == 110
    assert (found.jumps.count, found.jumps.at_ms) == (2, unix[3000])
    assert found.jumps.largest == pytest.approx(close[3000] / close[2999] - 1)
    assert (found.unchanged.count, found.unchanged.largest, found.unchanged.at_ms) == (2, 400, unix[1000])
    assert (found.bad_closes.count, found.bad_closes.at_ms) == (1, unix[4000])
    assert found.zero_volume is not None
    assert (found.zero_volume.count, found.zero_volume.largest, found.zero_volume.at_ms) == (1, 100, unix[650])


def test_broken_order_is_described_not_refused(tmp_path: Path, batch_rows: int):
    del batch_rows
    unix = times()
    unix[2001] = unix[2000]
    unix[3000:3002] = unix[[3001, 3000]]
    unix[4000] += 30_000
    write(tmp_path, "AAA", unix)
    found = stats(tmp_path)
    assert (found.duplicates.count, found.duplicates.at_ms) == (1, unix[2000])
    assert (found.unsorted.count, found.unsorted.largest) == (1, 1)
    assert (found.bar_minutes, found.off_grid.count, found.off_grid.at_ms) == (1, 1, unix[4000])


@pytest.mark.parametrize("seed", range(5))
def test_runs_and_gaps_are_those_that_pandas_finds(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(price_file_module, "_BATCH_ROWS", int(rng.integers(1, 50)))
    unix = FIRST_MS + MINUTE_MS * np.sort(rng.choice(600, 400, replace=False))
    close, volume = rng.choice([1.0, 2.0, 3.0], 400), rng.choice([0.0, 0.0, 1.0], 400)
    write_table(tmp_path, "AAA", pa.table({"unix": unix, "close": close, "volume": volume}))
    found = stats(tmp_path)

    def run_lengths(like: pd.Series) -> pd.Series:
        return like[like].groupby((~like).cumsum()[like]).size()

    flat = run_lengths(pd.Series(np.diff(close) == 0)) + 1
    idle = run_lengths(pd.Series(volume == 0))
    steps = np.diff(unix) // MINUTE_MS
    assert (found.unchanged.count, found.unchanged.largest) == (len(flat), flat.max())
    assert found.zero_volume is not None
    assert (found.zero_volume.count, found.zero_volume.largest) == (len(idle), idle.max())
    assert (found.gaps.count, found.gaps.largest, found.missing_minutes) == (
        int((steps > 1).sum()), steps.max() - 1, int((steps - 1).sum()),
    )  # fmt: skip


def test_a_broken_file_stands_in_the_table_beside_the_others(tmp_path: Path):
    write(tmp_path, "AAA", times())
    (tmp_path / "BBB_USD.parquet").write_bytes(b"torn")
    write(tmp_path, "CCC", times() // 1000)
    found = check_folder(tmp_path)
    assert [(file.token, file.stats is None) for file in found.files] == [("AAA", False), ("BBB", True), ("CCC", True)]
    assert "not a readable parquet file" in found.files[1].problems[0]
    assert len(found.problems) == 2
    assert found.common == (FIRST_DAY, FIRST_DAY + timedelta(days=4))


def test_the_verdict_is_the_loaders(tmp_path: Path):
    write(tmp_path, "AAA", times(days=9))
    write(tmp_path, "BBB", np.delete(times(days=9), np.s_[5 * 1440 : 5 * 1440 + 90]))
    first, last = FIRST_DAY + timedelta(days=2), FIRST_DAY + timedelta(days=8)
    for limit in (1440, 60):
        found = check_folder(tmp_path, window=(first, last), burn_in_days=1, max_gap_minutes=limit)
        asked = {"start": first, "end": last, "burn_in_days": 1, "max_gap_minutes": limit}
        assert found.survey is not None
        if limit == 60:
            with pytest.raises(DataError) as caught:
                load_market(tmp_path, ["AAA", "BBB"], **asked)
            assert found.problems == caught.value.problems
        else:
            market = load_market(tmp_path, ["AAA", "BBB"], **asked)
            assert (found.problems, found.survey.files) == ((), market.files)
            assert found.survey.burn_in_days == market.burn_in_days


def test_bars_that_differ_and_windows_that_do_not_meet(tmp_path: Path):
    write(tmp_path, "AAA", times())
    write(tmp_path, "BBB", times(bar_minutes=60))
    assert "bar lengths differ (minutes)" in check_folder(tmp_path).problems[0]
    assert check_folder(tmp_path, ["BBB"]).problems == ()
    write(tmp_path, "CCC", times() + 30 * DAY_MS)
    (line,) = check_folder(tmp_path, ["AAA", "CCC"]).problems
    assert "no whole day that all files cover" in line
    assert f"{tmp_path / 'CCC_USD.parquet'} begins on 2023-01-31" in line


def test_folders_without_price_files(tmp_path: Path):
    with pytest.raises(MissingFileError, match="holds no price file at all, that is none named <TOKEN>_USD"):
        check_folder(tmp_path)
    with pytest.raises(MissingFileError, match="no such folder"):
        check_folder(tmp_path / "nowhere")


@needs_shared
def test_real_prices_against_pandas():
    found = check_folder(minute_prices(), ["SOL"])
    frame = pd.read_parquet(minute_prices() / "SOL_USD.parquet").reset_index()
    steps = np.diff(frame["unix"]) // MINUTE_MS
    (file,) = found.files
    assert file.stats is not None
    assert file.stats.rows == len(frame)
    assert (file.stats.gaps.count, file.stats.gaps.largest) == ((steps > 1).sum(), steps.max() - 1)
    assert file.stats.jumps.count == (frame["close"].pct_change().abs() > 0.2).sum()
    assert found.common == (date(2022, 1, 1), date(2024, 6, 26))
