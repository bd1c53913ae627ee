"""Every source format, as its publisher writes it, comes out as the bars that went in; what is none is refused."""

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from momentum_opt.errors import DataError, UsageError
from momentum_opt.market.importing import Columns, ImportReport, ImportRequest, import_prices
from momentum_opt.market.importing import text as importing_text
from tests.market.importing.sources import (
    TEXTS,
    Bars,
    bars,
    binance,
    coinbase,
    cryptodatadownload,
    kraken,
    semicolons,
    tables,
    write_zip,
)
from tests.market.price_files import write_table

DATA = bars()
NAMED = {name: name.split()[0] for name in TEXTS}


def imported(
    folder: Path, *sources: Path, token: str = "X", **options: object
) -> tuple[ImportReport, np.ndarray, np.ndarray]:
    """Import as a token; the report, and times and closes of the price file."""
    request = ImportRequest(sources=tuple(map(str, sources)), token=token, out=folder / "out", **options)
    report = import_prices(request)
    table = pq.read_table(report.path)
    return report, table.column("unix").to_numpy(), table.column("close").to_numpy()


def refused(folder: Path, *sources: Path, error: type[UsageError] = DataError, **options: object) -> str:
    """The one line that a refused import says; nothing is written."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(error) as caught:
        imported(folder, *sources, **options)
    assert sorted(folder.rglob("*")) == before
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def text(folder: Path, content: str, name: str = "source.csv") -> Path:
    path = folder / name
    path.write_text(content)
    return path


def assert_bars(unix: np.ndarray, close: np.ndarray, data: Bars = DATA) -> None:
    np.testing.assert_array_equal(unix, data.unix)
    np.testing.assert_array_equal(close, data.close)


@pytest.mark.parametrize("name", TEXTS)
def test_text_formats(tmp_path: Path, name: str):
    report, unix, close = imported(tmp_path, text(tmp_path, TEXTS[name](DATA)), token="BTC")
    assert_bars(unix, close)
    assert report.sources[0].format == NAMED[name]
    assert (report.new, report.bars, report.gaps, report.bar_minutes) == (200, 200, 0, 1)
    volume = pq.read_table(report.path).column("volume").to_numpy()
    np.testing.assert_allclose(volume, DATA.volume)


def test_tables(tmp_path: Path):
    paths = tables(DATA, tmp_path)
    assert len(paths) == 6
    for name, path in paths.items():
        report, unix, close = imported(tmp_path / name, path)
        assert_bars(unix, close)
        assert report.sources[0].format == path.suffix[1:]


@pytest.mark.parametrize("bar_minutes", [5, 60, 1440])
def test_other_bars_are_recognised(tmp_path: Path, bar_minutes: int):
    data = bars(30, bar_minutes=bar_minutes)
    report, unix, close = imported(tmp_path, text(tmp_path, kraken(data)))
    assert_bars(unix, close, data)
    assert report.bar_minutes == bar_minutes


def test_zip_and_gzip(tmp_path: Path):
    packed = write_zip(tmp_path / "BTCUSDT-1m-2024-01.zip", **{"BTCUSDT-1m-2024-01.csv": binance(DATA)})
    assert_bars(*imported(tmp_path, packed)[1:])
    squeezed = tmp_path / "x.csv.gz"
    squeezed.write_bytes(gzip.compress(coinbase(DATA).encode()))
    assert imported(tmp_path, squeezed)[0].written is False


def test_a_zip_of_several_tables_asks_which(tmp_path: Path):
    other = bars(seed=1)
    path = write_zip(tmp_path / "k.zip", **{"XBTUSD_1.csv": kraken(DATA), "ETHUSD_1.csv": kraken(other), "a.txt": "x"})
    assert "3 tables in it: ETHUSD_1.csv, XBTUSD_1.csv, a.txt; say which with --member" in refused(tmp_path, path)
    assert "nothing in it is called SOL*; it has" in refused(tmp_path, path, member="SOL*")
    assert_bars(*imported(tmp_path, path, member="XBT*")[1:])


def test_files_mixed_across_units_and_headers(tmp_path: Path):
    """Binance's files are in milliseconds until 2024 and in microseconds from 2025 on."""
    parts = [DATA.part(slice(0, 70)), DATA.part(slice(70, 140)), DATA.part(slice(140, 200))]
    files = [
        text(tmp_path, binance(parts[2], per_ms=1000, header=True), "BTCUSDT-1m-2025-01.csv"),
        text(tmp_path, binance(parts[0]), "BTCUSDT-1m-2024-11.csv"),
        text(tmp_path, binance(parts[1], header=True), "BTCUSDT-1m-2024-12.csv"),
    ]
    report, unix, close = imported(tmp_path, *files)
    assert_bars(unix, close)
    assert [source.units for source in report.sources] == [("microseconds",), ("milliseconds",), ("milliseconds",)]


def test_one_file_may_mix_units_too(tmp_path: Path):
    """CryptoDataDownload has had files that change from seconds to milliseconds on the way."""
    new, old = DATA.part(slice(100, 200)), DATA.part(slice(0, 100))
    lines = cryptodatadownload(new, milliseconds=True) + "".join(cryptodatadownload(old).splitlines(True)[2:])
    report, unix, close = imported(tmp_path, text(tmp_path, lines), token="BTC")
    assert_bars(unix, close)
    assert report.sources[0].units == ("milliseconds", "seconds")


def test_hours_of_twelve_as_older_cryptodatadownload_files_have_them(tmp_path: Path):
    lines = ["https://www.CryptoDataDownload.com", "Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USD"]
    lines += [f"2021-01-0{day} {hour:02}-{half},BTCUSD,1,1,1,{day}.{hour},5,6"
              for day in (2, 1) for half in ("PM", "AM") for hour in (11, 1, 12)]  # fmt: skip
    _, unix, close = imported(tmp_path, text(tmp_path, "\n".join(lines)), token="BTC")
    assert [int(time) for time in (unix - unix[0]) // 3_600_000] == [0, 1, 11, 12, 13, 23, 24, 25, 35, 36, 37, 47]
    assert close.tolist()[:3] == [1.12, 1.1, 1.11]


def test_columns_by_name_and_number_with_time_zones(tmp_path: Path):
    path = text(tmp_path, semicolons(DATA))
    said = refused(tmp_path, path)
    assert "its columns are when, last, note: none of them is known as the time; give for example --columns" in said
    _, unix, close = imported(tmp_path, path, columns=Columns("When", "Last"))
    np.testing.assert_array_equal(unix, DATA.unix - 2 * 3_600_000)  # +02:00 is two hours ahead of UTC
    np.testing.assert_array_equal(close, DATA.close)
    assert imported(tmp_path, path, columns=Columns("1", "2"))[0].written is False
    assert "no column Lst; it has when, last, note" in refused(tmp_path, path, columns=Columns("When", "Lst"))
    assert "no column 4" in refused(tmp_path, path, columns=Columns("1", "4"))
    twice = text(tmp_path, "when,last,last\n1704067200,1,2\n", "twice.csv")
    assert "several columns are named last; give its number" in refused(
        tmp_path, twice, columns=Columns("when", "last")
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("<!DOCTYPE html>\n<html>", "a web page, not a table"),
        ('{"code": 1}', "JSON, not a table"),
        ("[[1,2]]", "2 columns without a header"),
        ("[1]", "JSON, not a table"),
        ("time,close\n", "a header and no rows"),
        ("close\n1\n", "no columns"),
        ("unix,date,close\n1704067200,2024-01-01,1\n", "unix and date could both be the time; give for example"),
        ("time,open\n1704067200,1\n", "none of them is named close"),
        ("time,close,close\n1704067200,1,1\n", "one name stands twice"),
        ("1704067200,1,2\n1704067260,1,2\n", "3 columns without a header"),
        ("1704067200,5,1,9,3,2\n" * 20, "6 columns without a header"),
        ("time,close\nyesterday,1\n", "line 2: the time 'yesterday' is neither a number nor ISO 8601"),
        ("time,close\n1704067200,1\n1704067260,abc\n", "line 3: the close is 'abc', no number"),
        ("time,close\n1704067200,1\n170406726O,2\n", "line 3: the time is '170406726O', no number"),
        ("time,close\n1704067200.0,1\n170406726O,2\n", "line 3: the time is '170406726O', no number"),
        ("time,close,volume\n1704067200,1\n1704067260,2\n", "its first row has 2 columns, fewer than the header names"),
        ("time,close\n1901-02-03,1\n1901-02-04,2\n", "line 2: the time '1901-02-03' lies outside of 1973 to 2286"),
        ("time,close\n1704067200,1\n1704067260\n", "line 3: 1 column instead of 2; the line is torn"),
        ("time,close\n1704067200,1\n1704067260,2,3\n", "line 3: 3 columns instead of 2"),
        ("time,close\n1704067200,1\n1704067260,\n", "line 3 (2024-01-01 00:01 UTC): `close` is null"),
        ("time,close\n1704067200,1\n1704067260,0\n", "line 3 (2024-01-01 00:01 UTC): `close` is 0;"),
        ("time,close\n1704067200,1\n1704067260,-3\n", "`close` is -3"),
        ("time,close\n1704067200,1\n1704067260,inf\n", "`close` is inf"),
        ("time,close\n1704067200,1\n,2\n", "line 3: the time is missing"),
        ("time,close\n17,1\n18,2\n", "line 2: the time 17 is in no unit of our era"),
        ("time,close\n1704067200.5,1\n1704067260.5,2\n", "is no whole number"),
        ("time,close\n1704067200000001,1\n1704067260000001,2\n", "is finer than a millisecond"),
        ("time,close\n1704067200,1\n1704067230,2\n", "is 0.5 minutes; it must be whole minutes that divide 1440"),
        ("time,close\n1704067260,1\n1704067680,2\n1704068100,3\n", "is 7 minutes; it must be whole minutes"),
        ("time,close\n1704067200,1\n", "one bar alone, too little to tell its length; say it with --bar"),
        ("time,close\n1704067200,1\n1704067200,2\n", "the close is 1.0 and 2.0 in"),
        ("time,close\n2024-01-01T00:00:00Z,1\n2024-13-01T00:01:00Z,2\n", "line 3: the time '2024-13-01T00:01:00Z'"),
    ],
)  # fmt: skip
def test_what_is_no_price_data(tmp_path: Path, content: str, said: str):
    path = text(tmp_path, content)
    line = refused(tmp_path, path)
    assert said in line
    assert str(path) in line
    assert ";" in line, "every message says what to do"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"format": "kraken"}, "12 columns without a header, not laid out as kraken"),
        ({"format": "cryptodatadownload"}, "no header, which cryptodatadownload files have"),
        ({"time_unit": "s"}, "line 1: the time 1704067200000 is not in seconds"),
        ({"time_unit": "iso"}, "the time is a number (1704067200000), not ISO 8601"),
    ],
)
def test_a_users_word_is_checked(tmp_path: Path, options: dict[str, str], said: str):
    assert said in refused(tmp_path, text(tmp_path, binance(DATA)), **options)


def test_a_users_word_is_taken(tmp_path: Path):
    assert imported(tmp_path, text(tmp_path, binance(DATA)), format="binance", time_unit="ms")[0].written
    assert "the time is text ('2024-01-01T00:00:00Z'), not seconds" in refused(
        tmp_path, text(tmp_path, coinbase(DATA, as_iso=True), "iso.csv"), time_unit="s"
    )
    wrong = text(tmp_path, coinbase(DATA), "other.csv")
    assert "which is the format coinbase, not kraken" in refused(tmp_path, wrong, format="kraken")


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"PK\x03\x04 torn", "a.zip", "not a readable zip"),
        (b"\x1f\x8b\x08 torn", "a.csv.gz", "cannot be read ("),
        (b"\xff\xfet\x00i\x00m\x00e\x00", "a.csv", "not text in UTF-8"),
        (b"time,close\n\xe4\xf6,1\n", "a.csv", "cannot be read ("),
        (b"time,close\n1704067200,1\0\n", "a.csv", "not text in UTF-8"),
        (b"PAR1 and no more", "a.parquet", "not a readable parquet file"),
        (b"ARROW1\0\0 and no more", "a.feather", "not a readable feather file"),
    ],
)
def test_torn_files(tmp_path: Path, content: bytes, name: str, said: str):
    path = tmp_path / name
    path.write_bytes(content)
    line = refused(tmp_path, path)
    assert said in line
    assert str(path) in line


def test_damage_inside_a_zip_is_noticed(tmp_path: Path):
    path = write_zip(tmp_path / "a.zip", **{"a.csv": binance(DATA)})
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)
    path.write_bytes(content)
    assert "a.zip:a.csv: cannot be read (" in refused(tmp_path, path)


def test_a_torn_line_far_down_is_named(tmp_path: Path):
    lines = binance(bars(2000)).splitlines()
    lines[1800] = lines[1800][:30]
    assert "line 1801: " in refused(tmp_path, text(tmp_path, "\n".join(lines)))


def test_parquet_without_prices(tmp_path: Path):
    stamps = pa.array(DATA.unix, pa.timestamp("ms", "UTC"))
    for columns, said in (
        ({"date": stamps}, "none of them is named close"),
        ({"when": stamps, "close": DATA.close}, "none of them is known as the time"),
        ({"date": stamps, "time": stamps, "close": DATA.close}, "date and time could both be the time"),
        ({"date": stamps, "close": pa.array(["1"] * 200)}, "column close is string, no number"),
        ({"date": pa.array([True] * 200), "close": DATA.close}, "the time is of type bool"),
        ({"date": stamps.slice(0, 0), "close": DATA.close[:0]}, "no rows"),
    ):
        path = write_table(tmp_path, "S", pa.table(columns))
        assert said in refused(tmp_path, path)


def test_columns_of_parquet_that_the_user_names(tmp_path: Path):
    """Days as dates and as whole floats, too."""
    days = DATA.unix[0] + 86_400_000 * np.arange(200)
    columns = {"day": pa.array(days, pa.timestamp("ms")).cast(pa.date32()), "s": days / 1000.0, "last": DATA.close}
    path = write_table(tmp_path, "S", pa.table(columns))
    for time in ("day", "s"):
        _, unix, close = imported(tmp_path, path, columns=Columns(time, "last"))
        np.testing.assert_array_equal(unix, days)
        np.testing.assert_array_equal(close, DATA.close)
    assert "no column price; mend --columns" in refused(tmp_path, path, columns=Columns("s", "price"))
    assert "a parquet file, not kraken; leave --format out" in refused(tmp_path, path, format="kraken")
    doubled = write_table(tmp_path, "D", pa.table([days, DATA.close, DATA.close], ["s", "last", "last"]))
    assert "more than one column last; mend" in refused(tmp_path, doubled, columns=Columns("s", "last"))


def test_unsigned_times_beyond_all_units(tmp_path: Path):
    path = write_table(tmp_path, "S", pa.table({"time": np.array([2**63 + 1, 5], np.uint64), "close": [1.0, 2.0]}))
    assert "the time 9223372036854775809 is in no known unit" in refused(tmp_path, path)


def test_a_zip_without_a_table(tmp_path: Path):
    path = write_zip(tmp_path / "a.zip", **{"readme.md": "nothing"})
    assert "no .csv in it, but readme.md; give a zip of CSV files" in refused(tmp_path, path)


def test_krakens_header_names_the_format(tmp_path: Path):
    header = "time,open,high,low,close,volume,trades\n"
    report, unix, close = imported(tmp_path, text(tmp_path, header + kraken(DATA)))
    assert [source.format for source in report.sources] == ["kraken"]
    assert_bars(unix, close)


def test_two_pairs_are_not_mixed(tmp_path: Path):
    files = [text(tmp_path, binance(DATA), f"{pair}-1m-2024-01.csv") for pair in ("BTCUSDT", "ETHUSDT")]
    assert "sources of two pairs, BTCUSDT (BTCUSDT-1m-2024-01.csv) and ETHUSDT" in refused(tmp_path, *files)


def test_sources_that_are_not_there(tmp_path: Path):
    assert "no such file; name files, folders or a pattern" in refused(tmp_path, tmp_path / "nowhere*.csv")
    (tmp_path / "empty").mkdir()
    assert "no file that could be imported; they end in .csv" in refused(tmp_path, tmp_path / "empty")


# Reads in blocks of one page from a stream that is slow after the first of them, as a network folder may be.
SLOW_READING = """
import io, sys, time
from contextlib import contextmanager
from momentum_opt.cli.app import main
from momentum_opt.market.importing import text

class Slow(io.BufferedReader):
    def read(self, size=-1):
        if self.tell() > 0:
            time.sleep(0.5)
        return super().read(size)

@contextmanager
def slow(file):
    yield Slow(io.FileIO(file.path))

text._BLOCK_BYTES = 4096
text.TextFile.open = slow
main(sys.argv[1:])
"""


def test_a_process_ends_after_a_torn_line_while_much_of_the_file_is_unread(tmp_path: Path):
    lines = binance(bars(2000)).splitlines()
    lines[10] = lines[10][:30]
    path = text(tmp_path, "\n".join(lines))
    arguments = ["data", "import", str(path), "--token", "X", "--out", str(tmp_path / "out")]
    run = subprocess.run([sys.executable, "-c", SLOW_READING, *arguments], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert f"error: {path}: line 11: " in run.stderr
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize("block_bytes", [200, 1000, 1 << 16])
def test_blocks_of_any_size_give_the_same_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int):
    monkeypatch.setattr(importing_text, "_BLOCK_BYTES", block_bytes)
    blanks = coinbase(DATA).replace("\n", "\r\n").replace("\r\n", "\r\n" * 500, 20).rstrip()
    report, unix, close = imported(tmp_path, text(tmp_path, coinbase(DATA)), text(tmp_path, blanks, "blanks.csv"))
    assert_bars(unix, close)
    assert (report.overlap.equal, report.overlap.differing) == (200, 0)


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importing_text, "_BLOCK_BYTES", 1000)
    path = text(tmp_path, coinbase(DATA) + f"{'9' * 2500},1,1,1,1,1\n")
    assert f"{path}: not a readable table (a line of more than 1000 bytes); download" in refused(tmp_path, path)
