"""`data check` and `data import` as a user meets them: output, JSON, exit codes."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from momentum_opt.cli.app import main
from tests.market.importing.sources import bars, binance, coinbase, kraken, write_zip
from tests.sample_runs import SAMPLE, SMOKE, run

SAMPLE_WINDOW = "2023-03-01:2023-04-26"


def code(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["data", *map(str, arguments)])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    captured = capsys.readouterr().out
    return json.loads(captured, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_check_shows_every_file_and_the_verdict(capsys: pytest.CaptureFixture[str]):
    assert code("check", SAMPLE, "--tokens", "SYNA,SYNUSD", "--window", SAMPLE_WINDOW, "--history", "30") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert lines[:5] == [
        f"SYNA  {SAMPLE}/SYNA_USD.parquet",
        "  first           2023-01-01 00:00 UTC",
        "  last            2024-02-04 23:59 UTC",
        "  bars            576,000 of 1 minute",
        "  gaps            none",
    ]
    assert "  common window   2023-01-01 to 2024-02-05 (exclusive)" in lines
    verdict = (
        "  a run           of 2023-03-01 to 2023-04-26 (exclusive) can go ahead, with 30 days of history before it"
    )
    assert verdict in lines


def test_check_of_a_configuration_is_what_its_run_would_use(capsys: pytest.CaptureFixture[str]):
    assert code("check", "--config", SMOKE, "--json") == 0
    found = document(capsys)
    assert (found["accepted"], found["problems"], found["window"]) == (True, [], ["2023-03-01", "2023-04-26"])
    assert found["engine"].startswith("closed_form: ")
    assert [file["rows"] for file in found["used"]] == [(56 + 30) * 1440] * 3
    assert [len(file["sha256"]) for file in found["files"]] == [64] * 3
    assert code("check", "--config", SMOKE, "--set", "window.test_end=2025-01-01") == 2
    captured = capsys.readouterr()
    assert captured.out.splitlines()[-1] == "  a run           would be refused; the reasons are on stderr"
    assert len(captured.err.splitlines()) == 3
    assert all("end on 2024-02-05 or earlier" in line for line in captured.err.splitlines())


def test_check_compares_the_bar_with_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert code("sample", "--out", tmp_path / "hours", "--bar", "60", "--days", "120") == 0
    capsys.readouterr()
    config = ("check", tmp_path / "hours", "--config", SMOKE)
    assert code(*config) == 0
    assert "engine          in_chunk: steps too large" in capsys.readouterr().out
    assert code(*config, "--set", "pool.chunk_period=30") == 2
    assert "pool.chunk_period: not a multiple of the prices' bar of 60 minutes (30)" in capsys.readouterr().err


def test_check_of_a_broken_folder_prints_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shutil.copy(SAMPLE / "SYNA_USD.parquet", tmp_path)
    (tmp_path / "BAD_USD.parquet").write_text("no parquet")
    assert code("check", tmp_path, "--json") == 2
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert [file["token"] for file in found["files"]] == ["BAD", "SYNA"]
    assert found["accepted"] is False
    assert captured.err == f"error: {found['problems'][0]}\n"
    assert "BAD_USD.parquet: not a readable parquet file" in captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no folder of price files is named; give FOLDER, or --config"),
        (["nowhere"], "nowhere: no such folder"),
        ([SAMPLE, "--window", "2023-03-01"], "--window 2023-03-01: not two dates"),
        ([SAMPLE, "--window", "2023-03-01:2023-03-01"], "the end is not after the start"),
        ([SAMPLE, "--tokens", "SYNA,,"], "not a list of distinct names"),
        ([SAMPLE, "--tokens", "SYNX"], "SYNX_USD.parquet: no such file; did you mean SYNB?"),
        ([SAMPLE, "--set", "search.seed=1"], "nothing to override; give --config"),
        ([SAMPLE, "--config", "nope.yaml"], "nope.yaml: no such file"),
    ],
)
def test_check_refuses(arguments: list[str | Path], said: str, capsys: pytest.CaptureFixture[str]):
    assert code("check", *arguments) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert said in errors[0]


def test_import_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    data = bars(200)
    write_zip(tmp_path / "BTCUSDT-1m-2024-01.zip", **{"BTCUSDT-1m-2024-01.csv": binance(data.part(slice(0, 120)))})
    (tmp_path / "BTCUSDT-1m-2024-02.csv").write_text(binance(data.part(slice(100, 200)), per_ms=1000))
    asked = ("import", tmp_path, "--token", "BTC", "--out", tmp_path / "prices")
    assert code(*asked) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.splitlines() == [
        f"BTC: {tmp_path}/prices/BTC_USD.parquet, 200 bars of 1 minute, 200 new",
        "from 2024-01-01 00:00 UTC to 2024-01-01 03:19 UTC",
        "sources: 2 files; format binance; times in milliseconds, microseconds",
        "given more than once: 20 equal closes, 0 differing",
        "gaps: none",
    ]
    assert code(*asked, "--json") == 0
    found = document(capsys)
    assert (found["written"], found["new"], found["bars"], found["schema_version"]) == (False, 0, 200, 1)
    assert [source["format"] for source in found["sources"]] == ["binance", "binance"]
    assert pd.read_parquet(found["path"])["close"].tolist() == data.close.tolist()


def test_import_says_what_it_had_to_do_to_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    rows = [f"{1704067200 + 60 * minute},{minute + 1}\n" for minute in (*range(10), 4, *range(30, 40))]
    Path("a.csv").write_text("time,close\n" + "".join(rows[:4] + rows[5:10] + rows[4:5] + rows[11:]))
    assert code("import", "a*.csv", "--token", "X", "--out", "out", "--bar", "5") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "sorted: 1 rows stood in the wrong order" in lines
    assert "put together: bars of 1 minute to bars of 5 minutes" in lines
    assert "gaps: 1, 20 minutes missing, the longest 20 minutes after 2024-01-01 00:05 UTC; not filled" in lines
    assert pd.read_parquet("out/X_USD.parquet")["close"].tolist() == [5.0, 10.0, 35.0, 40.0]


def test_import_lists_differences_that_the_user_settles(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "a.csv").write_text(kraken(bars(50)))
    (tmp_path / "b.csv").write_text(kraken(bars(50, seed=1)))
    asked = ("import", tmp_path / "a.csv", tmp_path / "b.csv", "--token", "X", "--out", tmp_path / "out")
    assert code(*asked) == 2
    refused = capsys.readouterr()
    assert refused.out == ""
    assert len(refused.err.splitlines()) == 21
    assert not (tmp_path / "out").exists()
    assert code(*asked, "--prefer", "last") == 0
    settled = capsys.readouterr()
    assert sum(line.startswith("differs: ") for line in settled.err.splitlines()) == 21
    assert re.search(r"given more than once: \d+ equal closes, \d+ differing", settled.out)


def test_import_options_reach_the_importer(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "x.csv").write_text("when;last\n" + "".join(f"{1704067200 + 60 * n};{n + 1}\n" for n in range(3000)))
    asked = ("import", tmp_path / "x.csv", "--token", "X", "--out", tmp_path / "out", "--json")
    options = ("--columns", "time=when,close=last", "--time-unit", "s", "--bar", "5", "--start", "2024-01-02",
               "--end", "2024-01-03")  # fmt: skip
    assert code(*asked, *options) == 0
    found = document(capsys)
    assert (found["bars"], found["bar_minutes"], found["resampled_from"]) == (288, 5, 1)
    constant = ("import", "--token", "USDC", "--constant", "1.0", "--start", "2024-01-01", "--end", "2024-01-02")
    assert code(*constant, "--out", tmp_path / "out") == 0
    assert "USDC" in capsys.readouterr().out


def test_import_says_whose_prices_it_read_and_when(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = "".join(f"2024-01-01 00:{minute:02},BTCUSDT,{minute + 1}\n" for minute in range(9))
    (tmp_path / "ETH_USDT-1m.csv").write_text("time,symbol,close\n" + rows)
    asked = ("import", tmp_path / "ETH_USDT-1m.csv", "--token", "BTC", "--out", tmp_path / "out")
    assert code(*asked) == 0
    captured = capsys.readouterr()
    assert "prices of: symbol BTCUSDT" in captured.out.splitlines()
    assert captured.err.splitlines() == [
        "note: the sources' names say ETH_USDT; they were imported as BTC",
        "note: times without a time zone were read as UTC; if they are local times, say so with --time-zone",
    ]
    assert code(*asked, "--time-zone", "UTC", "--json") == 0
    found = document(capsys)
    assert (found["token"], found["other_pair"]) == ("BTC", "ETH_USDT")
    assert found["sources"][0]["identity"] == [["symbol", "BTCUSDT"]]
    assert found["sources"][0]["zoneless"] is False


def test_import_of_one_symbol_among_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = "".join(f"{1704067200 + 60 * n},{symbol},{n + 1}\n" for n in range(9) for symbol in ("BTCUSDT", "ETHUSDT"))
    (tmp_path / "two.csv").write_text("timestamp,symbol,close\n" + rows)
    asked = ("import", tmp_path / "two.csv", "--token", "BTC", "--out", tmp_path / "out")
    assert code(*asked) == 2
    assert "'BTCUSDT' (line 2), 'ETHUSDT' (line 3); say which with --where symbol=BTCUSDT" in capsys.readouterr().err
    assert code(*asked, "--where", "symbol=BTCUSDT") == 0
    assert "prices of: symbol BTCUSDT" in capsys.readouterr().out


def test_import_takes_the_token_from_the_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = [[1704067200000 + 60_000 * n, 1, 2, 0.5, 1.5, 7] for n in range(9)]
    (tmp_path / "AVAX_USDT-1m.json").write_text(json.dumps(rows))
    assert code("import", tmp_path / "AVAX_USDT-1m.json", "--out", tmp_path / "out") == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"AVAX: {tmp_path}/out/AVAX_USD.parquet, 9 bars of 1 minute, 9 new\n")
    assert captured.err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x.csv", "--token", "X", "--where", "symbol"], "--where symbol: not a condition; write COLUMN=VALUE"),
        (["x.csv", "--token", "X", "--where", "=B"], "--where =B: not a condition; write COLUMN=VALUE"),
        (["x.csv"], "--token '': not a token name; use letters"),
        (["x.csv", "--token", "X"], "x.csv: no such file; name files, folders or a pattern"),
        (["--token", "X"], "no SOURCE"),
        (["x.csv", "--token", "X", "--columns", "close"], "--columns close: not columns; write time=NAME,close=NAME"),
        (["x.csv", "--token", "X", "--columns", "time=a,open=b"], "write time=NAME,close=NAME"),
        (["x.csv", "--token", "X", "--start", "yesterday"], "--start yesterday: not a date"),
    ],
)
def test_import_refuses(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert code("import", *arguments) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert said in errors[0]
    assert list(tmp_path.iterdir()) == []


def test_from_a_download_to_a_run_in_real_processes(tmp_path: Path):
    """Import two tokens and a constant, check them, and see what a run would say."""
    days = 40 * 1440
    (tmp_path / "BTC.csv").write_text(coinbase(bars(days)))
    done = run("data", "import", "BTC.csv", "--token", "BTC", "--out", "prices", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert code("import", tmp_path / "BTC.csv", "--token", "ETH", "--out", tmp_path / "prices") == 0
    constant = ("--constant", "1.0", "--start", "2024-01-01", "--end", "2024-02-10")
    assert code("import", "--token", "USDC", *constant, "--out", tmp_path / "prices") == 0
    (tmp_path / "c.yaml").write_text(
        "data: {root: prices}\ntokens: [BTC, ETH, USDC]\nwindow: {start: 2024-01-11, end: 2024-02-10}\n"
    )
    done = run("data", "check", "--config", "c.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "of 2024-01-11 to 2024-02-10 (exclusive) can go ahead, with 10 days of history" in done.stdout
    refused = run("data", "check", "--config", "c.yaml", "--set", "window.start=2023-12-01", cwd=tmp_path)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
