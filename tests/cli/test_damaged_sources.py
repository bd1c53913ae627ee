"""More damaged inputs: sources of an import, price files and files of costs; each is exit code 2 and one line."""

import bz2
import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.damage import FIRST_MS, HOUR_MS, Damage, Site, line, removed, replaced, table, written
from tests.cli.test_damaged_inputs import SOUND_COSTS, SOUND_TRADES, Row, assert_refused, each, site, sound

__all__ = ["site", "sound"]  # fixtures

HEAD = "time,symbol,close\n"
AT = FIRST_MS // 1000


def dead_link(path: Path) -> None:
    """A link to nowhere in its place."""
    path.unlink()
    path.symlink_to("nowhere")


def folder(path: Path) -> None:
    """A folder in its place."""
    path.unlink()
    path.mkdir()


def zipped(**members: str) -> Damage:
    """A zip in its place."""

    def damage(path: Path) -> None:
        path.unlink()
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return damage


def rows(*symbols: str) -> str:
    return HEAD + "".join(f"{AT + 3600 * hour},{symbol},1.5\n" for hour, symbol in enumerate(symbols))


EXPORTS = [
    Row("two symbols", written(rows("XBTUSD", "ETHUSD")), r"'XBTUSD' \(line 2\), 'ETHUSD' \(line 3\); say .*--where"),
    Row("another symbol", written(rows("ETHUSD", "ETHUSD")), r"symbol is 'ETHUSD', which is not XBT; give .*--where"),
    Row("a quote as a symbol", written(rows("ETHXBT", "ETHXBT")), r"symbol is 'ETHXBT', which is not XBT; give"),
    Row("no such column", written(rows("XBTUSD", "XBTUSD")), r"no column symbl; it has .*: did you mean symbol\?",
        ("--where", "symbl=XBTUSD")),
    Row("no such symbol", written(rows("XBTUSD", "XBTUSD")), r"no row has 'XBTUSDT' .*; did you mean XBTUSD\?",
        ("--where", "symbol=XBTUSDT")),
    Row("no such column of a wide table",
        written("time,close," + ",".join(f"f{n}" for n in range(200)) + "\n1,1" + ",0" * 200 + "\n"),
        r"no column lose; it has .* and 190 more: did you mean close\?", ("--columns", "time=time,close=lose")),
    Row("torn JSON", written("[[1672531200000,1,2,0.5,1,1],[16725"), r"row 1: not valid JSON .*; download it again"),
    Row("JSON with a key twice", written('[{"time":1,"time":2,"close":1}]'), r"'time' stands twice .*; keep one"),
    Row("JSON nested too deep", written("[" * 100_000), r"nested too deep; give rows such as"),
    Row("JSON without rows", written('{"data": []}'), r"JSON, not a table; give CSV"),
    Row("JSON of two arrays", written('{"a":[[1,2]],"b":[[1,2]]}'), r"2 arrays of rows, a, b; give one of them"),
    Row("JSON of another symbol", written(json.dumps({"symbol": "ETHUSD", "data": [[FIRST_MS, 1, 2, 0.5, 1, 1]] * 2})),
        r"symbol is 'ETHUSD', which is not XBT; give"),
    Row("feather of version 1", written(b"FEA1" + bytes(40)), r"a feather file of version 1; write it again"),
    Row("7z", written(b"7z\xbc\xaf\x27\x1c\0\4"), r"a 7z archive; unpack it first"),
    Row("RAR", written(b"Rar!\x1a\x07\x01\0"), r"a RAR archive; unpack it first"),
    Row("XLS", written(bytes.fromhex("d0cf11e0a1b11ae1")), r"an old Excel workbook \(\.xls\); save the sheet as CSV"),
    Row("XLSX", zipped(**{"xl/workbook.xml": "x"}), r"an Excel workbook; save the sheet as CSV"),
    Row("HDF5", written(b"\x89HDF\r\n\x1a\n"), r"an HDF5 file; write it again as CSV or parquet"),
    Row("pickle", written(b"\x80\x04\x95abc"), r"a Python pickle, .*; write it again"),
    Row("UTF-16", written("time,close\n".encode("utf-16")), r"not text in UTF-8, but in UTF-16; save it as UTF-8"),
    Row("Latin-1", written("time,close,ö\n1,2,3\n".encode("latin-1")), r"cannot be read \(not UTF-8.*; save it as UTF"),
    Row("packed twice", written(gzip.compress(bz2.compress(b"x"))), r"packed twice \(gzip with bz2 inside\); unpack"),
    Row("torn bz2", written(bz2.compress(b"time,close\n" * 99)[:50]), r"cannot be read \(.*; download it again"),
    Row("a zip in a zip", zipped(**{"a.zip": "x"}), r"no \.csv in it, but a\.zip; unpack it"),
    Row("a zip of macOS's files alone", zipped(**{"__MACOSX/._a.csv": "x"}), r"no \.csv in it, but nothing; give a"),
    Row("what macOS keeps", written(b"\0\5\x16\7"), r"what macOS keeps beside a file; leave it out"),
    Row("days before months", line(1, "31/01/2023 00:00,1,1,1,1,1,1"),
        r"line 1: the time '31/01/2023 00:00' .*; mend .*--time-format .*'%d/%m/%Y %H:%M'"),
    Row("a comma for thousands", written("time;close\n2023-01-01;1,042\n"), r"1,042 may be 1\.042 or 1042; write"),
    Row("zones here and there", written("time,close\n2023-01-01T00:00Z,1\n2023-01-01T01:00,1\n"),
        r"line 3: .* has no time zone, and the others have; mend"),
    Row("an unknown zone", lambda _: None, r"no such time zone; did you mean Europe/London\?",
        ("--time-zone", "Europe/Londn")),
    Row("minutes with an hourly tail",
        written("time,close\n" + "".join(f"{AT + 60 * m},1\n" for m in [*range(300), *range(300, 3000, 60)])),
        r"bars of 1 minute, but of 60 from .*; import one part only|make all bars 60 minutes with --bar 60"),
    Row("more columns than the header", written("time,close\n2023-01-01,42,5\n"), r"3 columns, the header names 2; "),
    Row("a dead link", dead_link, r"a link to nowhere, which is not there; mend the link"),
    Row("a folder", folder, r"no file that could be imported; they end in"),
]  # fmt: skip


@each(EXPORTS)
def test_exports(site: Site, row: Row, capsys: pytest.CaptureFixture[str]):
    row.damage(site.export)
    file = "" if row.name == "an unknown zone" else site.export.name
    out = ("--token", "XBT", "--out", site.folder / "prices")
    assert_refused(site, file, row.said, capsys, "data", "import", site.export, *out, *row.options)


CONSTANTS = [
    Row("before 1973", lambda _: None, r"--constant 1: 1969-01-01 00:00 UTC lies outside of .*; give days",
        ("--start", "1969-01-01", "--end", "1969-02-01")),
    Row("from before 1973 on", lambda _: None, r"1970-01-01 00:00 UTC lies outside of .*; give days",
        ("--start", "1970-01-01", "--end", "1975-01-01")),
    Row("eight thousand years", lambda _: None, r"bars from --start to --end, more than 20,000,000; give fewer days",
        ("--start", "2000-01-01", "--end", "9999-01-01")),
    Row("a name of 300 characters", lambda _: None, r"a name of 300 characters; use at most 64",
        ("--start", "2020-01-01", "--end", "2020-01-02", "--token", "X" * 300)),
]  # fmt: skip


@each(CONSTANTS)
def test_constants(site: Site, row: Row, capsys: pytest.CaptureFixture[str]):
    out = ("--token", "USDC", "--out", site.folder / "prices", "--constant", "1")
    assert_refused(site, "", row.said, capsys, "data", "import", *out, *row.options)


@pytest.mark.parametrize(
    ("every", "close", "said"),
    [
        (7 * 3600, "1.5", r"is 420 minutes; .*: resample"),
        (60, "1e-200", r"`close` is 1e-200 .*; prices must be finite"),
    ],
)
def test_what_the_loader_would_refuse_is_not_written(
    site: Site, every: int, close: str, said: str, capsys: pytest.CaptureFixture[str]
):
    site.export.write_text("time,close\n" + "".join(f"{AT + every * n},{close}\n" for n in range(50)))
    options = ("--bar", "60") if every > 60 else ("--quote", site.export)
    out = ("--token", "XBT", "--out", site.folder / "prices", *options)
    assert_refused(site, site.export.name, said, capsys, "data", "import", site.export, *out)


def with_symbols(*symbols: str) -> Damage:
    """A column `symbol` with these values, as often as they fit."""
    return table(lambda columns: columns | {"symbol": np.resize(np.array(symbols), len(columns["unix"]))})


PRICES = [
    Row("a folder", folder, r"a folder, not a file; name a file"),
    Row("a dead link", dead_link, r"a link to nowhere, which is not there; mend the link"),
    Row("another symbol", with_symbols("BBBUSD"), r"its symbol is 'BBBUSD', which is not AAA; use prices of AAA"),
    Row("two symbols", with_symbols("AAAUSD", "BBBUSD"), r"column symbol has 2 values: .*; make the price file anew"),
    Row("200 columns", table(lambda c: {"close": c["close"], **{f"c{n}": c["unix"] for n in range(200)}}),
        r"no column `unix` .*; it has close, c0, .* and 189 more; rename"),
    Row("gone, with what macOS keeps in its place",
        lambda path: path.rename(path.with_name(f"._{path.name}")) and None, r"no such file; there are BBB, CCC: imp"),
]  # fmt: skip


@each(PRICES)
def test_price_files(site: Site, row: Row, capsys: pytest.CaptureFixture[str]):
    row.damage(site.prices())
    assert_refused(site, "AAA_USD.parquet", row.said, capsys, "tune", site.config, "--run-dir", site.folder / "new")


def test_a_price_file_of_too_many_rows(site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("momentum_opt.market.price_file.MOST_ROWS", 480)
    table(lambda columns: {name: np.append(column, column[-1]) for name, column in columns.items()})(site.prices())
    said = r"481 rows, more than 480, the most that a price file may have; export it again"
    assert_refused(site, "AAA_USD.parquet", said, capsys, "tune", site.config, "--run-dir", site.folder / "new")


def test_hidden_files_are_no_price_files(site: Site, capsys: pytest.CaptureFixture[str]):
    from momentum_opt.cli.app import main

    for name in ("._AAA_USD.parquet", "._BBB_USD.parquet", ".DS_Store"):
        (site.folder / "prices" / name).write_bytes(b"\0\5\x16\7")
    with pytest.raises(SystemExit) as caught:
        main(["data", "check", str(site.folder / "prices"), "--json"])
    assert caught.value.code == 0
    assert [file["token"] for file in json.loads(capsys.readouterr().out)["files"]] == ["AAA", "BBB", "CCC"]


def without_header(path: Path) -> None:
    """The first line is gone."""
    path.write_text(path.read_text().split("\n", 1)[1])


COSTS = [
    ("fees", SOUND_COSTS, Row("no header", without_header, r"no header, its first line is .*; put .* unix,value")),
    ("gas_cost", SOUND_COSTS, Row("no header", without_header, r"no header, .*; put a line with the names")),
    ("trades", SOUND_TRADES, Row("no header", without_header, r"no header, .*; put .* unix,token_in,token_out,amount")),
    ("fees", SOUND_COSTS, Row("another name", replaced("unix", "time"), r"no column `unix` .*has time, value; rename")),
    ("fees", SOUND_COSTS.replace(",", ";"), Row("semicolons", lambda _: None, r"separated by ';'; separate them by")),
    ("fees", SOUND_COSTS, Row("no values", written("unix\n1\n"), r"one column of values .*has none; add one")),
    ("fees", SOUND_COSTS, Row("packed", written(gzip.compress(b"x")), r"a compressed file; unpack it first")),
    ("fees", SOUND_COSTS, Row("parquet", written(b"PAR1"), r"a parquet file; name it \.parquet")),
    ("fees", SOUND_COSTS, Row("a folder", folder, r"a folder, not a file .*; name a file")),
    ("fees", SOUND_COSTS, Row("a dead link", dead_link, r"a link to nowhere, which is not there .*; mend the link")),
    ("fees", SOUND_COSTS, Row("gone", removed, r"no such file .*; give the path of a file that exists")),
]  # fmt: skip


@pytest.mark.parametrize(("key", "content", "row"), COSTS, ids=[f"{key} {row.name}" for key, _, row in COSTS])
def test_files_of_costs(site: Site, key: str, content: str, row: Row, capsys: pytest.CaptureFixture[str]):
    path = site.folder / f"{key}.csv"
    path.write_text(content)
    row.damage(path)
    setting = f"costs.{key}={path.name}"
    new = site.folder / "new"
    assert_refused(site, path.name, row.said, capsys, "tune", site.config, "--set", setting, "--run-dir", new)


@pytest.mark.parametrize("damage", [folder, dead_link])
def test_configurations_and_results(site: Site, damage: Damage, capsys: pytest.CaptureFixture[str]):
    damage(site.config)
    damage(site.best)
    new = site.folder / "new"
    assert_refused(site, "config.yaml", "; ", capsys, "config", "check", site.config)
    assert_refused(site, "best.json", "; ", capsys, "backtest", "--params", site.best, "--out", new)


@pytest.mark.parametrize("named", ["config.yaml", "best.json", "AAA_USD.parquet", "fees.csv", "XBTUSD_60.csv"])
def test_no_permission(site: Site, named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Said by the system when it is asked, because tests may run as a user who may read everything."""
    (site.folder / "fees.csv").write_text(SOUND_COSTS)
    monkeypatch.setattr("os.access", lambda path, _: Path(path).name != named)
    commands = {
        "best.json": ("backtest", "--params", site.best, "--out", site.folder / "new"),
        "fees.csv": ("tune", site.config, "--set", "costs.fees=fees.csv", "--run-dir", site.folder / "new"),
        "XBTUSD_60.csv": ("data", "import", site.export, "--token", "XBT", "--out", site.folder / "prices"),
    }
    command = commands.get(named, ("tune", site.config, "--run-dir", site.folder / "new"))
    assert_refused(site, named, r"no permission to read it.*; change its permissions", capsys, *command)


def test_rows_of_a_parquet_file_of_costs_are_bounded(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("momentum_opt.market.table_file.MOST_ROWS", 10)
    unix = FIRST_MS + HOUR_MS * np.arange(480)
    pq.write_table(pa.table({"unix": unix, "value": np.full(480, 1e-3)}), site.folder / "fees.parquet")
    arguments = ("tune", site.config, "--set", "costs.fees=fees.parquet", "--run-dir", site.folder / "new")
    assert_refused(site, "fees.parquet", r"480 rows, more than 10, the most that is read; give", capsys, *arguments)
