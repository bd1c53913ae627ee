"""Merging, appending, quotes, constants and bars: against plain dictionaries, and what must be refused."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentum_opt.errors import DataError, UsageError
from momentum_opt.market import load_market
from momentum_opt.market.importing import ImportRequest, import_prices
from momentum_opt.market.importing.merge import merge, resample
from momentum_opt.market.importing.raw import Series
from tests.market.importing.sources import FIRST_MS, MINUTE_MS, bars, binance, coinbase, kraken
from tests.market.importing.test_formats import imported, refused, text


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_append_in_parts_is_the_whole_at_once_and_again_changes_nothing(tmp_path: Path):
    data = bars(300)
    pieces = [text(tmp_path, kraken(data.part(part)), f"{number}.csv")
              for number, part in enumerate((slice(0, 120), slice(100, 230), slice(230, 300)))]  # fmt: skip
    first, *_ = imported(tmp_path, pieces[2])
    assert (first.new, first.bars) == (70, 70)
    second, *_ = imported(tmp_path, pieces[0])
    assert (second.new, second.bars, second.gaps, second.missing_minutes) == (120, 190, 1, 110)
    assert (second.longest_gap_minutes, second.longest_gap_after_ms) == (110, FIRST_MS + 119 * MINUTE_MS)
    third, unix, close = imported(tmp_path, pieces[1])
    assert (third.new, third.gaps, third.overlap.equal, third.overlap.differing) == (110, 0, 20, 0)
    np.testing.assert_array_equal(unix, data.unix)
    np.testing.assert_array_equal(close, data.close)
    before = state(tmp_path)
    again, *_ = imported(tmp_path, *pieces)
    assert (again.written, again.new) == (False, 0)
    assert state(tmp_path) == before
    assert not list(tmp_path.rglob(".*"))


def test_the_price_file_is_one_that_a_run_can_load(tmp_path: Path):
    data = bars(4 * 1440)
    imported(tmp_path, text(tmp_path, coinbase(data)))
    market = load_market(tmp_path / "out", ["X"], start=date(2024, 1, 2), end=date(2024, 1, 5), burn_in_days=1)
    np.testing.assert_array_equal(market.prices[:, 0], data.close)


def test_differing_closes_are_listed_and_refused(tmp_path: Path):
    data = bars(50)
    changed = data.close.copy()
    changed[[10, 20]] += 1.0
    other = type(data)(data.unix, data.open, data.high + 2, data.low, changed, data.volume)
    one, two = text(tmp_path, kraken(data), "one.csv"), text(tmp_path, kraken(other), "two.csv")
    request = ImportRequest(sources=(str(one), str(two)), token="X", out=tmp_path / "out")
    with pytest.raises(DataError) as caught:
        import_prices(request)
    assert len(caught.value.problems) == 2
    assert caught.value.problems[0] == (
        f"2024-01-01 00:10 UTC: the close is {data.close[10]} in {one}, {changed[10]} in {two}; "
        "leave one of them out, or give --prefer first or last"
    )
    assert not (tmp_path / "out").exists()
    for prefer, wanted in (("first", data.close), ("last", changed)):
        report, _, close = imported(tmp_path, one, two, prefer=prefer)
        np.testing.assert_array_equal(close, wanted)
        assert (report.overlap.equal, report.overlap.differing) == (48, 2) if prefer == "first" else True
        assert [one.time_ms for one in report.overlap.listed][:2] == data.unix[[10, 20]].tolist()


def test_many_differing_closes_are_counted(tmp_path: Path):
    files = [text(tmp_path, kraken(bars(100, seed=seed)), f"{seed}.csv") for seed in (0, 1)]
    with pytest.raises(DataError) as caught:
        imported(tmp_path, *files)
    assert len(caught.value.problems) == 21
    assert "more times have differing closes; give --prefer first or last" in caught.value.problems[-1]


@settings(max_examples=100)
@given(
    sources=st.lists(
        st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1.0, 2.0])), min_size=1, max_size=30),
        min_size=1,
        max_size=4,
    ),
    prefer=st.sampled_from(["first", "last"]),
)
def test_merging_is_a_dictionary(sources: list[list[tuple[int, float]]], prefer: str):
    series = [
        Series(str(n), np.array([t for t, _ in rows]), np.array([c for _, c in rows]), np.full(len(rows), np.nan))
        for n, rows in enumerate(sources)
    ]
    wanted: dict[int, float] = {}
    for rows in sources:
        for time, close in rows:
            wanted[time] = wanted.get(time, close) if prefer == "first" else close
    merged, overlap = merge(series, prefer)
    assert dict(zip(merged.unix.tolist(), merged.close.tolist(), strict=True)) == wanted
    assert merged.unix.tolist() == sorted(wanted)
    given_times = [time for rows in sources for time, _ in rows]
    assert overlap.equal + overlap.differing == len(given_times) - len(wanted)
    all_closes = {time: {c for rows in sources for t, c in rows if t == time} for time in wanted}
    assert (overlap.differing > 0) == any(len(closes) > 1 for closes in all_closes.values())


@pytest.mark.parametrize("to", [5, 60, 1440])
def test_resampling_is_pandas_last(to: int):
    rng = np.random.default_rng(to)
    kept = np.sort(rng.choice(3 * 1440, 2500, replace=False))
    unix = FIRST_MS + MINUTE_MS * kept
    series = Series("x", unix, rng.uniform(1, 2, 2500), rng.uniform(0, 1, 2500))
    found = resample(series, 1, to)
    grouped = pd.DataFrame({"close": series.close, "volume": series.volume}).groupby(unix // (to * MINUTE_MS))
    wanted = grouped.agg({"close": "last", "volume": "sum"})
    if kept[-1] + 1 < -(-(kept[-1] + 1) // to) * to:
        wanted = wanted.iloc[:-1]  # the data do not reach the end of the last bar
    assert (found.unix // (to * MINUTE_MS)).tolist() == wanted.index.tolist()
    np.testing.assert_array_equal(found.close, wanted["close"])
    np.testing.assert_allclose(found.volume, wanted["volume"])


def test_a_last_bar_that_is_not_whole_waits_for_the_next_import(tmp_path: Path):
    data = bars(150)
    report, unix, _ = imported(tmp_path, text(tmp_path, kraken(data.part(slice(0, 100)))), bar_minutes=60)
    assert (unix.tolist(), report.resampled_from, report.bar_minutes) == ([FIRST_MS], 1, 60)
    _, unix, close = imported(tmp_path, text(tmp_path, kraken(data), "more.csv"), bar_minutes=60)
    assert unix.tolist() == [FIRST_MS, FIRST_MS + 60 * MINUTE_MS]
    assert close.tolist() == data.close[[59, 119]].tolist()


def test_other_columns_of_the_file_stay(tmp_path: Path):
    data = bars(100)
    (tmp_path / "out").mkdir()
    older = data.part(slice(0, 60))
    table = pa.table({"unix": older.unix, "open": older.open, "close": older.close, "note": ["mine"] * 60})
    pq.write_table(table, tmp_path / "out" / "X_USD.parquet")
    imported(tmp_path, text(tmp_path, kraken(data.part(slice(50, 100)))))
    found = pq.read_table(tmp_path / "out" / "X_USD.parquet").to_pandas()
    assert list(found["note"].fillna("-")) == ["mine"] * 60 + ["-"] * 40
    np.testing.assert_array_equal(found["open"][:60], older.open)
    assert found["open"][60:].isna().all()
    np.testing.assert_array_equal(found["close"], data.close)
    np.testing.assert_allclose(found["volume"][60:], data.volume[60:])


def test_volumes_of_another_type_stay_as_they_are(tmp_path: Path):
    data = bars(100)
    (tmp_path / "out").mkdir()
    table = pa.table({"unix": data.unix[:60], "close": data.close[:60], "volume": np.arange(60)})
    pq.write_table(table, tmp_path / "out" / "X_USD.parquet")
    imported(tmp_path, text(tmp_path, kraken(data)))
    found = pq.read_table(tmp_path / "out" / "X_USD.parquet")
    assert found.column("volume").to_pylist() == [*range(60), *[None] * 40]
    assert found.column("close").to_pylist() == data.close.tolist()


def test_a_pandas_index_becomes_a_column(tmp_path: Path):
    data = bars(100)
    (tmp_path / "out").mkdir()
    index = pd.RangeIndex(data.unix[0], data.unix[49] + 1, MINUTE_MS, name="unix")
    pd.DataFrame({"close": data.close[:50]}, index=index).to_parquet(tmp_path / "out" / "X_USD.parquet")
    report, unix, close = imported(tmp_path, text(tmp_path, kraken(data)))
    assert report.new == 50
    np.testing.assert_array_equal(unix, data.unix)
    np.testing.assert_array_equal(close, data.close)


def test_a_damaged_price_file_is_not_added_to(tmp_path: Path):
    data = bars(50)
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "X_USD.parquet"
    pq.write_table(pa.table({"unix": data.unix[::-1], "close": data.close}), path)
    assert "times are not sorted" in refused(tmp_path, text(tmp_path, kraken(data)))
    path.write_bytes(b"torn")
    assert "not a readable parquet file" in refused(tmp_path, tmp_path / "source.csv")


def test_bars_that_do_not_fit_the_file_are_refused(tmp_path: Path):
    minutes, hours = text(tmp_path, kraken(bars(200))), text(tmp_path, kraken(bars(50, bar_minutes=60)), "h.csv")
    assert "bar lengths differ: 1 minutes in" in refused(tmp_path, minutes, hours)
    imported(tmp_path, minutes)
    assert "h.csv has 60; give another --out" in refused(tmp_path, hours)
    assert "bars of 60 minutes make no bars of 90" not in refused(tmp_path, hours, bar_minutes=120)
    assert "make no bars of 32; give --bar as a multiple" in refused(
        tmp_path, text(tmp_path, kraken(bars(50, bar_minutes=5)), "f.csv"), bar_minutes=32
    )


def test_bars_without_trades_may_be_missing(tmp_path: Path):
    """Kraken leaves out minutes without a trade: the user says that they are minutes all the same."""
    data = bars(100)
    sparse = type(data)(*(getattr(data, name)[::5] for name in ("unix", "open", "high", "low", "close", "volume")))
    path = text(tmp_path, kraken(sparse))
    assert imported(tmp_path / "five", path)[0].bar_minutes == 5
    report, *_ = imported(tmp_path, path, bar_minutes=1)
    assert (report.bar_minutes, report.gaps, report.missing_minutes) == (1, 19, 76)


def test_one_more_bar_can_be_added(tmp_path: Path):
    data = bars(100)
    imported(tmp_path, text(tmp_path, kraken(data.part(slice(0, 99)))))
    report, unix, _ = imported(tmp_path, text(tmp_path, kraken(data.part(slice(99, 100))), "one.csv"))
    assert (report.new, len(unix)) == (1, 100)
    off = type(data)(data.unix[:1] + 30_000, *(data.part(slice(0, 1)).__dict__[n] for n in
                     ("open", "high", "low", "close", "volume")))  # fmt: skip
    said = refused(tmp_path, text(tmp_path, kraken(off), "off.csv"))
    assert "2024-01-01 00:00:30.000 UTC is not on the grid of 1 minutes" in said


def test_a_pair_quoted_in_another_token(tmp_path: Path):
    base, quote = bars(100), bars(140, seed=3, first_ms=FIRST_MS - 10 * MINUTE_MS)
    import_prices(ImportRequest(
        sources=(str(text(tmp_path, kraken(quote), "btc.csv")),), token="BTC", out=tmp_path / "out"))  # fmt: skip
    path = text(tmp_path, binance(base), "ETHBTC-1m-2024-01.csv")
    _, unix, close = imported(tmp_path, path, quote="BTC")
    np.testing.assert_array_equal(unix, base.unix)
    np.testing.assert_array_equal(close, base.close * quote.close[10:110])
    again, *_ = imported(tmp_path, path, quote=str(tmp_path / "btc.csv"))
    assert again.written is False


def test_a_quote_that_lacks_times(tmp_path: Path):
    base = bars(100)
    holes = np.delete(np.arange(100), [7, 50])
    quote = type(base)(*(getattr(base, n)[holes] for n in ("unix", "open", "high", "low", "close", "volume")))
    path, other = text(tmp_path, kraken(base), "b.csv"), text(tmp_path, kraken(quote), "q.csv")
    said = refused(tmp_path, path, quote=str(other))
    assert "lacks 2 of the 100 times" in said
    assert "2024-01-01 00:07 UTC, 2024-01-01 00:50 UTC; import the quote for them first" in said
    report, unix, _ = imported(tmp_path, path, quote=str(other), skip_unquoted=True)
    assert (report.unquoted, len(unix), report.gaps) == (2, 98, 2)
    assert "no such file, and no" in refused(tmp_path, path, quote="DOGE")
    hours = text(tmp_path, kraken(bars(50, bar_minutes=60)), "h.csv")
    assert "its bars of 60 minutes make no bars of 1" in refused(tmp_path, path, quote=str(hours))
    far = text(tmp_path, kraken(bars(50, first_ms=FIRST_MS + 100 * 86_400_000)), "far.csv")
    assert "no time in common" in refused(tmp_path, path, quote=str(far))


def test_bars_and_their_quote_are_put_together_before_they_are_multiplied(tmp_path: Path):
    base, quote = bars(240), bars(240, seed=4)
    path, other = text(tmp_path, kraken(base), "b.csv"), text(tmp_path, kraken(quote), "q.csv")
    _, _, close = imported(tmp_path, path, quote=str(other), bar_minutes=60)
    np.testing.assert_array_equal(close, (base.close * quote.close)[59::60])


def test_a_constant_only_by_name_and_for_given_days(tmp_path: Path):
    days = {"start": date(2024, 1, 1), "end": date(2024, 1, 3)}
    report, unix, close = imported(tmp_path, constant=1.0, **days)
    assert (report.bars, report.bar_minutes, set(close)) == (2880, 1, {1.0})
    assert (unix[0], unix[-1]) == (FIRST_MS, FIRST_MS + 2879 * MINUTE_MS)
    longer, *_ = imported(tmp_path, constant=1.0, start=date(2024, 1, 2), end=date(2024, 1, 4))
    assert (longer.new, longer.bars) == (1440, 4320)
    hours, *_ = imported(tmp_path / "hours", constant=0.5, bar_minutes=60, **days)
    assert hours.bars == 48
    assert imported(tmp_path / "hours", constant=0.5, start=days["end"], end=date(2024, 1, 4))[0].bars == 72
    with pytest.raises(DataError, match=r"the close is 1\.0 in"):
        imported(tmp_path, constant=0.99, **days)


def test_only_some_days_of_a_source(tmp_path: Path):
    path = text(tmp_path, kraken(bars(3 * 1440)))
    report, unix, _ = imported(tmp_path, path, start=date(2024, 1, 2), end=date(2024, 1, 3))
    assert (report.bars, unix[0]) == (1440, FIRST_MS + 86_400_000)
    assert "no bar is left" in refused(tmp_path, path, start=date(2025, 1, 2))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"token": ""}, "not a token name"),
        ({"token": "../X"}, "not a token name"),
        ({"bar_minutes": 7}, "not a divisor of a day's 1440 minutes"),
        ({"format": "bianance"}, "--format bianance: unknown; give one of binance, kraken"),
        ({"time_unit": "sec"}, "--time-unit sec: unknown; give one of s, ms, us, ns, iso"),
        ({"prefer": "best"}, "--prefer best: unknown; give one of first, last"),
        ({"start": date(2024, 1, 2), "end": date(2024, 1, 2)}, "--end 2024-01-02: not after --start"),
        ({"sources": ()}, "no SOURCE; name files or folders, or give --constant"),
        ({"constant": 1.0}, "--constant stands beside a SOURCE"),
        ({"constant": 0.0, "sources": ()}, "--constant 0: not a price"),
        ({"constant": float("nan"), "sources": ()}, "--constant nan: not a price"),
        ({"constant": 1.0, "sources": ()}, "--constant: no days are given; give --start"),
        ({"constant": 1.0, "sources": (), "quote": "BTC"}, "--constant stands beside --quote"),
    ],
)
def test_requests_that_make_no_sense(tmp_path: Path, options: dict[str, object], said: str):
    request = {"sources": ("x.csv",), "token": "X", "out": tmp_path / "out"} | options
    with pytest.raises(UsageError) as caught:
        import_prices(ImportRequest(**request))
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_changed_meanwhile_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    data = bars(100)
    imported(tmp_path, text(tmp_path, kraken(data.part(slice(0, 50)))))
    path = tmp_path / "out" / "X_USD.parquet"
    original = pq.write_table

    def meanwhile(*args: object, **options: object) -> None:
        original(*args, **options)
        path.write_bytes(path.read_bytes() + b" ")

    monkeypatch.setattr(pq, "write_table", meanwhile)
    with pytest.raises(DataError, match="changed by another program while this import ran; run it again"):
        imported(tmp_path, text(tmp_path, kraken(data), "more.csv"))
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["X_USD.parquet"]


def test_a_folder_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "out").write_text("a file")
    assert "a file, not a folder; name another one with --out" in refused(tmp_path, text(tmp_path, kraken(bars())))
