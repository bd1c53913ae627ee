"""JSON of candles in every form that frameworks, exchanges and pandas write, and what is none of them."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from momentum_opt.errors import DataError
from momentum_opt.market.importing import Columns, ImportRequest, import_prices, json_values
from tests.market.importing.sources import Bars, bars
from tests.market.importing.test_formats import assert_bars, imported, refused, text
from tests.shared_data import SHARED, needs_shared

DATA = bars()


def candles(data: Bars, *, quoted: bool = False, per_ms: float = 1) -> list[list[Any]]:
    rows = zip(*(column.tolist() for column in (data.open, data.high, data.low, data.close, data.volume)), strict=True)
    kind: Callable[[float], Any] = str if quoted else float
    return [[int(time * per_ms), *map(kind, row)] for time, row in zip(data.unix.tolist(), rows, strict=True)]


def objects(data: Bars) -> list[dict[str, Any]]:
    names = ("time", "open", "high", "low", "close", "volume")
    return [dict(zip(names, row, strict=True)) for row in candles(data)]


def frame() -> pd.DataFrame:
    return pd.DataFrame({"unix": DATA.unix, "close": DATA.close, "volume": DATA.volume})


FORMS: dict[str, Callable[[], str]] = {
    "arrays, as freqtrade": lambda: json.dumps(candles(DATA)),
    "arrays, indented": lambda: json.dumps(candles(DATA), indent=2),
    "arrays in seconds and text": lambda: json.dumps(candles(DATA, quoted=True, per_ms=1e-3)),
    "Binance's answer": lambda: json.dumps([[*row, row[0] + 59_999, "1", 2, "3", "4", "0"] for row in candles(DATA)]),
    "Coinbase's answer": lambda: json.dumps([[t // 1000, lo, hi, o, c, v]
                                             for t, o, hi, lo, c, v in candles(DATA)][::-1]),
    "objects": lambda: json.dumps(objects(DATA)),
    "objects, one per line": lambda: "\n".join(map(json.dumps, objects(DATA))) + "\n",
    "arrays, one per line": lambda: "\n".join(map(json.dumps, candles(DATA))),
    "data": lambda: json.dumps({"code": "0", "data": candles(DATA)}),
    "rows deep inside": lambda: json.dumps({"result": {"category": "spot", "list": candles(DATA)}, "retCode": 0}),
    "columns of one letter": lambda: json.dumps(
        {"t": (DATA.unix // 1000).tolist(), "c": DATA.close.tolist(), "v": DATA.volume.tolist(), "s": ["X"] * 200}
    ),
    "pandas records": lambda: frame().to_json(orient="records", double_precision=15),
    "pandas lines": lambda: frame().to_json(orient="records", lines=True, double_precision=15),
    "pandas split": lambda: frame().to_json(orient="split", double_precision=15),
    "pandas table": lambda: frame().to_json(orient="table", double_precision=15),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_forms(tmp_path: Path, name: str):
    report, unix, close = imported(tmp_path, text(tmp_path, FORMS[name](), "x.json"))
    assert_bars(unix, close)
    assert report.sources[0].format.startswith("JSON (")


@needs_shared
def test_a_file_of_freqtrade_with_its_token_in_the_name(tmp_path: Path):
    path = shutil.copy(SHARED / "data" / "formats" / "AVAX_USDT-1h.json", tmp_path)
    rows = json.loads(Path(path).read_text())
    report = import_prices(ImportRequest(sources=(str(path),), token="", out=tmp_path / "out"))
    assert (report.token, report.path.name, report.bar_minutes) == ("AVAX", "AVAX_USD.parquet", 60)
    found = pd.read_parquet(report.path)
    assert found["unix"].tolist() == [row[0] for row in rows]
    assert found["close"].tolist() == [row[4] for row in rows]


@pytest.mark.parametrize(
    ("name", "token"),
    [
        ("AVAX_USDT-1h.json", "AVAX"),
        ("ETH_USDT-1m.json.gz", "ETH"),
        ("SOL_USDT_USDT-1h-futures.json", "SOL"),
        ("BTCUSDT-1m-2024-01.json", "BTC"),
        ("XBTUSD_1.json", "BTC"),
    ],
)
def test_the_token_is_taken_from_the_name(tmp_path: Path, name: str, token: str):
    content = json.dumps(candles(DATA)).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    report = import_prices(ImportRequest(sources=(str(tmp_path / name),), token="", out=tmp_path / "out"))
    assert (report.token, report.bars) == (token, 200)


def test_blocks_of_any_size_give_the_same_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Brackets and commas inside of texts included, which look like the end of a row."""
    monkeypatch.setattr(json_values, "_CHUNK", 100)
    rows = [{**row, "note": 'a],b},{"c":[1],'} for row in objects(DATA)]
    for content in (json.dumps(rows), json.dumps(candles(DATA), indent=1), "\n".join(map(json.dumps, rows))):
        assert_bars(*imported(tmp_path / str(len(content)), text(tmp_path, content, "x.json"))[1:])


SOUND = json.dumps(candles(DATA))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (SOUND[:-40], "row 199: not valid JSON"),
        (SOUND[:-1], "row 199: not valid JSON (the file ends there)"),
        (SOUND + SOUND, "more behind the array of its 200 rows"),
        (SOUND.replace("],", "];", 1), "row 0: not valid JSON (';' after it)"),
        ("[]", "an empty JSON array"),
        ("{}", "JSON, not a table; give CSV"),
        ("[1]", "JSON, not a table; give CSV"),
        ("[[1704067200000,1],3]", "row 1: neither an array nor an object"),
        ('[[1704067200000,1,2,0.5,1,1],{"a":1}]', "row 1: an object among arrays"),
        ('[{"time":1704067200,"close":1},[1]]', "row 1: "),
        ("[[1704067200000,1,2,0.5,1,1],[1704067260000,1,2,0.5,1]]", "row 1: 5 values instead of 6"),
        (
            "[[1704067200000,1,2,0.5,NaN,1],[1704067260000,1,2,0.5,1,1]]",
            "row 0 (2024-01-01 00:00 UTC): `close` is null",
        ),
        ('[{"time":1704067200,"close":1},{"time":1704067260}]', "row 1 (2024-01-01 00:01 UTC): `close` is null"),
        ('[{"time":1704067200,"close":1},{"time":1704067260,"close":"x"}]', "row 1: the close is 'x', no number"),
        ('[{"time":1704067200,"close":1},{"time":1704067260,"close":[2]}]', "row 1: '[2]' is no plain value"),
        ('[{"time":1704067200,"close":1},{"time":null,"close":2}]', "row 1: the time is missing"),
        ('[{"time":1704067200,"time":1704067260,"close":1}]', "'time' stands twice in one JSON object; keep one"),
        ('{"prices":[[1,2]],"volumes":[[3,4]]}', "JSON with 2 arrays of rows, prices, volumes; give one of them"),
        ("[" * 100_000, "nested too deep"),
        ("[[1704067200000,1,2,0.5," + "9" * 5000 + ",1]]", "not valid JSON"),
        ('{"code":-1121,"msg":"Invalid symbol."}', "none of them is known as the time"),
    ],
)
def test_what_is_no_table(tmp_path: Path, content: str, said: str):
    line = refused(tmp_path, text(tmp_path, content, "x.json"))
    assert said in line
    assert "x.json: " in line
    assert ";" in line


def test_columns_are_named_by_number_or_key(tmp_path: Path):
    two = text(tmp_path, json.dumps([[row[0], row[4]] for row in candles(DATA)]), "two.json")
    assert "2 columns without a header" in refused(tmp_path, two)
    assert_bars(*imported(tmp_path, two, columns=Columns("1", "2"))[1:])
    named = text(tmp_path, json.dumps([{"when": row["time"], "last": row["close"]} for row in objects(DATA)]), "n.json")
    assert imported(tmp_path, named, columns=Columns("when", "last"))[0].written is False
    assert "did you mean last?" in refused(tmp_path, named, columns=Columns("when", "lst"))


def test_a_symbol_beside_the_rows_is_read_as_one_in_them(tmp_path: Path):
    path = text(tmp_path, json.dumps({"result": {"symbol": "ETHUSDT", "list": candles(DATA)}}), "x.json")
    assert "its symbol is 'ETHUSDT', which is not BTC" in refused(tmp_path, path, token="BTC")
    assert imported(tmp_path, path, token="ETH")[0].sources[0].identity == (("symbol", "ETHUSDT"),)
    assert_bars(*imported(tmp_path, path, token="BTC", where=(("symbol", "ETHUSDT"),))[1:])


def test_one_value_of_many_characters_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(json_values, "_CHUNK", 100)
    monkeypatch.setattr(json_values, "MOST_IN_ONE_VALUE", 2000)
    for content in (json.dumps({"data": candles(DATA)}), '[["' + "a" * 5000):
        with pytest.raises(DataError, match=r"of more than 0 million characters, the most that is read; give the rows"):
            imported(tmp_path, text(tmp_path, content, "x.json"))


def test_times_of_text_and_two_columns(tmp_path: Path):
    rows = [{"date": "2024-01-01", "time": f"00:{minute:02}:00", "close": 1.5} for minute in range(9)]
    report, unix, _ = imported(tmp_path, text(tmp_path, json.dumps(rows), "x.json"))
    np.testing.assert_array_equal(unix, DATA.unix[:9])
    assert report.sources[0].zoneless
