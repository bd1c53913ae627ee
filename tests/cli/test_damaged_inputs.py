"""A hundred damaged inputs: each is exit code 2 and one line with file, place and remedy, and nothing is written."""

import re
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from momentum_opt.cli.app import main
from tests.cli.damage import (
    FIRST_MS,
    HOUR_MS,
    Damage,
    Site,
    build,
    cut,
    document,
    line,
    put,
    removed,
    renamed_in_latin_1,
    replaced,
    snapshot,
    table,
    written,
)
from tests.market.importing.sources import bars, kraken
from tests.sample_runs import run


class Row(NamedTuple):
    """One damaged input: what is done to it, and what the line must say besides the file's name."""

    name: str
    damage: Damage
    said: str
    options: tuple[str, ...] = ()


PRICES = [
    Row("missing", removed, r"no such file; there are BBB, CCC: import it"),
    Row("empty file", written(b""), r"not a readable parquet file .*; export or download it again"),
    Row("text", written("unix,close\n1,2\n"), r"not a readable parquet file"),
    Row("cut in half", cut(0.5), r"not a readable parquet file"),
    Row("cut by its last bytes", cut(0.99), r"not a readable parquet file"),
    Row("a name that is not UTF-8", renamed_in_latin_1, r"not a readable parquet file .*; export or download it again"),
    Row("no rows", table(lambda c: {name: column[:0] for name, column in c.items()}), r"no rows; export it again"),
    Row("no close", table(lambda c: {"unix": c["unix"]}), r"no column `close`; it has unix; rename or add"),
    Row("no unix", table(lambda c: {"close": c["close"]}), r"no column `unix` .*; rename or add"),
    Row("times as text", table(lambda c: c | {"unix": c["unix"].astype(str)}), r"`unix` is \w+, not int64.*; convert"),
    Row("closes as float32", table(lambda c: c | {"close": c["close"].astype("f4")}), r"`close` is float, not float64"),
    Row("seconds", table(lambda c: c | {"unix": c["unix"] // 1000}), r"looks like seconds; convert it"),
    Row("microseconds", table(lambda c: c | {"unix": c["unix"] * 1000}), r"looks like microseconds; convert it"),
    Row("one time far off", put("unix", 100, 10**17), r"looks like nanoseconds|looks like microseconds"),
    Row("null time", table(lambda c: c | {"unix": pa.array(c["unix"], mask=np.arange(480) == 99)}), r"row 99: .*null"),
    Row("NaN", put("close", 100, np.nan), r"row 100 \(2023-01-05 04:00 UTC\): `close` is null or NaN; .*mend"),
    Row("null", table(lambda c: c | {"close": pa.array(c["close"], mask=np.arange(480) == 99)}), r"row 99 .*null"),
    Row("infinite", put("close", 100, np.inf), r"row 100 .*`close` is inf; .*mend or delete"),
    Row("zero", put("close", slice(100, 103), 0.0), r"row 100 .*`close` is 0 \(and 2 more such rows\)"),
    Row("negative", put("close", 100, -3.5), r"row 100 .*`close` is -3\.5"),
    Row("duplicate", put("unix", 100, FIRST_MS + 99 * HOUR_MS), r"row 100: duplicate time, .*; keep one row per time"),
    Row("unsorted", put("unix", 100, FIRST_MS + 97 * HOUR_MS - 60_000), r"row 100: times are not sorted, .*; sort"),
    Row("newest first", table(lambda c: {n: v[::-1] for n, v in c.items()}), r"times are not sorted"),
    Row("off the grid", put("unix", 100, FIRST_MS + 100 * HOUR_MS + 720_000), r"row 100: .*not on the grid of 60 min"),
    Row("hours and a half", table(lambda c: c | {"unix": FIRST_MS + np.arange(480) * 5_400_000 * 7}),
        r"the bar length, .* is 630 minutes; .*resample"),
    Row("half an hour off", put("unix", 100, FIRST_MS + 100 * HOUR_MS + 1_800_000),
        r"bar lengths differ .*AAA_USD\.parquet 30 \(as in row 101, 2023-01-05 05:00 UTC\).*; .*mend the stray row"),
    Row("other bars", table(lambda c: {n: v[::2] for n, v in c.items()}), r"bar lengths differ .*; .*resample"),
    Row("gap", table(lambda c: {n: np.delete(v, np.s_[100:140]) for n, v in c.items()}),
        r"row 99: after 2023-01-05 03:00 UTC a gap of 2,400 minutes .*; mend the file, raise `max_gap_minutes`"),
    Row("ends early", table(lambda c: {n: v[:200] for n, v in c.items()}), r"the window needs prices up to .*; end on"),
    Row("begins late", table(lambda c: {n: v[200:] for n, v in c.items()}), r"the window starts .*; start between"),
    Row("column twice", table(lambda c: pa.table([c["unix"], c["close"], c["close"]], ["unix", "close", "close"])),
        r"2 columns are named `close`; keep one"),
]  # fmt: skip

YAML = [
    Row("missing", removed, r"no such file; give the path of a configuration"),
    Row("tab", line(2, "\troot: prices"), r":2: not valid YAML: .*; mend this line"),
    Row("open bracket", line(3, "tokens: [AAA, BBB"), r":\d: not valid YAML"),
    Row("a list", written("- a\n- b\n"), r":1: not a mapping; write"),
    Row("nested too deep", written("tokens: " + "[" * 5000 + "]" * 5000), r"not valid YAML: nested too deep; give"),
    Row("bytes", written(b"\xff\xfe\x00tokens"), r"cannot be read as text .*; give a YAML file in UTF-8"),
    Row("control character", written("tokens: [A\x01]\n"), r"not valid YAML: .*; remove"),
    Row("misspelt key", replaced("n_trials", "n_trails"), r":15: search\.n_trails: unknown key; did you mean n_trials"),
    Row("misspelt section", replaced("pool:", "poool:"), r":8: poool: unknown key; "),
    Row("key twice", line(16, "  n_trials: 9"), r":15: search\.n_trials: given twice, on lines 15 and 16; keep one"),
    Row("text for a number", line(15, "  n_trials: many"), r":15: search\.n_trials: not a number \('many'\); give"),
    Row("out of range", line(15, "  n_trials: 0"), r":15: search\.n_trials: out of range \(0\); give"),
    Row("infinite", line(9, "  max_memory_days: .inf"), r":9: pool\.max_memory_days: not a finite number .*; give"),
    Row("no date", line(5, "  start: 2023-02-30"), r":5: window\.start: not a date .*; write it as"),
    Row("end before start", line(6, "  end: 2023-01-02"), r":6: window\.end: not after window\.start .*; give a date"),
    Row("one token", line(3, "tokens: [AAA]"), r":3: tokens: 1 token given; list 2 to 8"),
    Row("token twice", line(3, "tokens: [AAA, AAA]"), r":3: tokens\[1\]: the same token twice .*; list"),
    Row("path as a token", line(3, "tokens: [AAA, ../BBB]"), r":3: tokens\[1\]: not a token name .*; use letters"),
    Row("unknown metric", line(8, "objective: {metric: sharp}\npool:"), r":8: objective\.metric: unknown value .*;"),
    Row("section as a number", line(9, "  3"), r":8: pool: not a section \(3\); write its keys below"),
    Row("unknown alias", line(9, "  rule: *nowhere"), r":9: not valid YAML: .*alias.*; mend this line"),
    Row("period", line(9, "  chunk_period: 90\n  weight_interpolation_period: 60"),
        r"chunk_period: not a multiple of .*; give"),
    Row("folder missing", line(2, "  root: nowhere"), r"nowhere: no such folder; name the folder"),
    Row("folder a file", line(2, "  root: best.json"), r"best\.json: this is a file, not a folder; name the folder"),
]  # fmt: skip

# In best.json, replayed as it is.
BEST = [
    Row("missing", removed, r"no such file; give the path of a best\.json"),
    Row("empty", written(""), r"not valid JSON .*; give"),
    Row("torn", cut(0.7), r"not valid JSON .*; give"),
    Row("a list", written("[1, 2]"), r"not a JSON object; give"),
    Row("binary", written(b"\x80\x81\x82"), r"; give"),
    Row("nested too deep", written('{"params":' + "[" * 100_000 + "]" * 100_000 + "}"), r"; give"),
    Row("a number of many digits", written('{"params": {"k": ' + "9" * 5000 + "}}"), r"; give"),
    Row("no params", document(lambda d: d.pop("params")), r'has no "params"; give'),
    Row("params a list", document(lambda d: d.update(params=[1])), r'has no "params"; give'),
    Row("unknown name", document(lambda d: d["params"].update(logk=1)), r"unknown parameter logk; use"),
    Row("a token lacks", document(lambda d: d["params"]["log_k"].pop("AAA")), r"log_k: names the tokens .*; give"),
    Row("NaN", document(lambda d: d["params"]["log_k"].update(AAA=float("nan"))), r"log_k.* finite.*; "),
    Row("text", document(lambda d: d["params"]["log_k"].update(AAA="4")), r"params\.log_k: '4' is no number; give"),
    Row("null", document(lambda d: d["params"]["log_k"].update(AAA=None)), r"params\.log_k: None is no number; give"),
    Row("a switch", document(lambda d: d["params"].update(log_k=True)), r"params\.log_k: True is no number; give"),
    Row("too large", document(lambda d: d["params"].update(log_k=10**400)), r"params\.log_k: .*too large.*; give"),
    Row("both", document(lambda d: d["params"].update(memory_days=3)), r"both params\.memory_days and .*; keep one"),
    Row("no k", document(lambda d: d["params"].pop("log_k")), r"is missing exactly one of log_k, k, absolute_k "),
    Row("negative memory", document(lambda d: d.update(params={"k_per_day": 1, "memory_days": -1})), r"above 0.*; "),
    Row("weights", document(lambda d: d["params"].update(initial_weights=0.5)), r"; "),
    Row("fingerprint a text", document(lambda d: d.update(fingerprint="x")), r"fingerprint.*; give"),
    Row("fingerprint without tokens", document(lambda d: d["fingerprint"].pop("tokens")), r"fingerprint: .*tokens.*; "),
    Row("fingerprint's version", document(lambda d: d["fingerprint"].update(schema_version=99)),
        r"fingerprint: schema_version: this version reads 1 only \(99\); use"),
    Row("fingerprint's key", document(lambda d: d["fingerprint"].update(maximum_change=-1)), r"change: out.*; give"),
    Row("no fingerprint", document(lambda d: d.pop("fingerprint")), r"holds params alone; give .* --config"),
    Row("data a text", document(lambda d: d.update(data="x")), r"data or objective section cannot be read .*; give"),
    Row("data without files", document(lambda d: d["data"].pop("files")), r"cannot be read .*; give"),
    Row("a recorded time", document(lambda d: d["data"]["files"][0].update(first="soon")), r"cannot be read .*; give"),
    Row("a recorded token", document(lambda d: d["data"]["files"][0].update(token="ZZZ")), r"not those of .*; give"),
    Row("no objective", document(lambda d: d.pop("objective")), r"cannot be read .*; give"),
    Row("a recorded digest", document(lambda d: d["data"]["files"][0].update(sha256="0")),
        r"prices of AAA are not those .*; give the folder with the old ones"),
]  # fmt: skip

# In the run folder of a tune that is to go on: its fingerprint.json.
RUNS = [
    Row("torn", cut(0.5), r"not valid JSON .*; give"),
    Row("a list", written("[]"), r"not a JSON object; give"),
    Row("emptied", written("{}"), r"cannot be read; give another --run-dir"),
    Row("fingerprint a text", document(lambda d: d.update(fingerprint="x")), r"cannot be read; give another --run-dir"),
    Row("another run's", document(lambda d: d["fingerprint"].update(maximum_change=1e-4)),
        r"pool\.maximum_change 0\.0001 → 0\.0003; undo the change, or give another --run-dir"),
    Row("other prices", document(lambda d: d["data"]["files"][1].update(sha256="0" * 64)),
        r"prices of BBB 000000000000 → \w{12}; undo the change"),
    Row("no prices", document(lambda d: d.update(data=None)), r"cannot be read; give another --run-dir"),
    Row("lost", removed, r"run: not empty and not a run folder; give another --run-dir"),
]  # fmt: skip

# Its journal; what is torn at the end is cut off with a warning, and so is no refusal.
JOURNALS = [
    Row("torn in the middle", line(3, '{"op_code'), r"study\.journal:3: .*; restore"),
    Row("no entry in the middle", line(2, "[]"), r"study\.journal:2: .*; restore"),
    Row("another program's lines", line(2, '{"a": 1}'), r"study\.journal.*; "),
    Row("unknown operation", line(2, '{"op_code": 99, "worker_id": "x"}'), r"study\.journal.*; "),
    Row("first line lost", line(1, ""), r"study\.journal:1: .*; restore"),
    Row("bytes", written(bytes(range(256)) * 4), r"study\.journal.*; "),
]

EXPORTS = [
    Row("missing", removed, r"no such file; name files, folders"),
    Row("empty", written(""), r"the file is empty; download it again"),
    Row("a web page", written("<html><body>404</body></html>"), r"a web page, not a table; .*download it again"),
    Row("JSON", written('{"error": []}'), r"JSON, not a table; give CSV"),
    Row("bytes", written(bytes(range(256))), r"not text in UTF-8; give CSV"),
    Row("torn line", line(9, "1674280800,100.0"), r"line 9: 2 columns instead of 7; .*mend it or download"),
    Row("text for a close", line(9, "1674288000,1,1,1,abc,1,1"), r"line 9: the close is 'abc', no number; mend or del"),
    Row("text for a time", line(9, "yesterday,1,1,1,1,1,1"), r"line 9: the time is 'yesterday', no number; mend"),
    Row("no close", line(9, "1674288000,1,1,1,,1,1"), r"line 9 .*`close` is null or NaN; .*mend or delete"),
    Row("zero", line(9, "1674288000,1,1,1,0,1,1"), r"line 9 .*`close` is 0; .*mend or delete"),
    Row("negative", line(9, "1674288000,1,1,1,-1,1,1"), r"line 9 .*`close` is -1; .*mend or delete"),
    Row("a time of no era", line(9, "16,1,1,1,1,1,1"), r"line 9: the time 16 is in no unit of our era .*; mend"),
    Row("off the grid", line(9, "1674288030,1,1,1,1,1,1"), r"08:00:30.*not on the grid of 60 minutes.*; label"),
    Row("two closes", line(9, "1674284400,1,1,1,1,1,1"), r"the close is [\d.]+ and [\d.]+ in .*; leave one"),
    Row("other columns", written("a;b;c\n1;2;3\n"), r"none of them is known as the time; give for example --columns"),
    Row("other bars", written(kraken(bars(50))), r"AAA_USD.parquet: holds bars of 60 minutes, .* has 1; give --bar 60",
        ("--token", "AAA")),
    Row("another format", lambda _: None, r"7 columns without a header, not laid out as binance; say",
        ("--format", "binance")),
    Row("another unit", lambda _: None, r"line 1: the time \d+ is not in milliseconds.*; mend", ("--time-unit", "ms")),
]  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("sound")).folder


@pytest.fixture
def site(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A copy to damage; a command that writes where it should not would write there."""
    folder = shutil.copytree(sound, tmp_path / "site")
    monkeypatch.chdir(folder)
    return Site(folder)


def assert_refused(site: Site, file: str, said: str, capsys: pytest.CaptureFixture[str], *arguments: Any) -> None:
    before = snapshot(site.folder)
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert caught.value.code == 2, captured.err
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("error: ")
    assert file in lines[0], lines[0]
    assert re.search(said, lines[0]), lines[0]
    assert re.search(r"; \w+", lines[0]), f"no remedy: {lines[0]}"
    assert len(lines[0]) < 1000
    assert snapshot(site.folder) == before


def each(rows: list[Row]) -> Callable[..., Any]:
    return pytest.mark.parametrize("row", rows, ids=[row.name for row in rows])


TABLES = {
    "inputs": ("PRICES", "YAML", "BEST", "RUNS", "JOURNALS", "EXPORTS", "EXTERNAL"),
    "configuration": ("YAML", "JSON"),
    "numbers": ("DAYS", "SIZES", "VALUES"),
    "runs": ("BEST", "EDITED", "FINGERPRINTS", "TABLES"),
    "sources": ("EXPORTS", "CONSTANTS", "PRICES", "COSTS"),
    "storages": ("SERVERS", "PLACES", "CHANGES"),
}
"""All tables of damaged inputs, by the end of their module's name."""


def test_the_table_is_long_enough():
    modules = {part: import_module(f"tests.cli.test_damaged_{part}") for part in TABLES}  # these import this one
    tables = [getattr(modules[part], name) for part, names in TABLES.items() for name in names]
    assert len(PRICES) + len(YAML) + len(BEST) + len(RUNS) + len(EXPORTS) >= 60
    assert sum(map(len, tables)) > 120


@each(PRICES)
def test_price_files(site: Site, row: Row, capsys: pytest.CaptureFixture[str]):
    row.damage(site.prices())
    assert_refused(site, "AAA_USD.parquet", row.said, capsys, "tune", site.config, "--run-dir", site.folder / "new")


@each(YAML)
def test_configurations(site: Site, row: Row, capsys: pytest.CaptureFixture[str]):
    row.damage(site.config)
    says_where = not row.said.startswith(("chunk_period", "nowhere", r"best\.json"))
    file = "config.yaml" if says_where else ""
    assert_refused(site, file, row.said, capsys, "tune", site.config, "--run-dir", site.folder / "new")


@each(BEST)
def test_results(site: Site, row: Row, capsys: pytest.CaptureFixture[str]):
    row.damage(site.best)
    out = site.folder / "out"
    assert_refused(site, "best.json", row.said, capsys, "backtest", "--params", site.best, "--out", out)


@each(RUNS)
def test_run_folders(site: Site, row: Row, capsys: pytest.CaptureFixture[str]):
    row.damage(site.run / "fingerprint.json")
    assert_refused(site, str(site.run), row.said, capsys, "tune", site.config, "--run-dir", site.run)


@each(JOURNALS)
def test_journals(site: Site, row: Row, capsys: pytest.CaptureFixture[str]):
    row.damage(site.journal)
    assert_refused(site, str(site.run), row.said, capsys, "tune", site.config, "--run-dir", site.run)


@each(EXPORTS)
def test_exports(site: Site, row: Row, capsys: pytest.CaptureFixture[str]):
    row.damage(site.export)
    out = ("--token", "XBT", "--out", site.folder / "prices")
    assert_refused(site, site.export.name, row.said, capsys, "data", "import", site.export, *out, *row.options)


START_MS = FIRST_MS + 3 * 24 * HOUR_MS
SOUND_COSTS = "unix,value\n" + "".join(f"{START_MS + day * 24 * HOUR_MS},0.001\n" for day in range(13))
SOUND_TRADES = "unix,token_in,token_out,amount_in\n" + "".join(
    f"{START_MS + hour * HOUR_MS},AAA,BBB,1.5\n" for hour in range(20)
)
_SECOND = START_MS + 24 * HOUR_MS

# Files of the costs section: the key, the sound content, and what is done to it.
EXTERNAL = [
    *(
        (key, SOUND_COSTS, row)
        for key in ("fees", "gas_cost", "arb_fees", "lp_supply")
        for row in (
            Row("empty", written(""), r"not a readable csv file .*; export it again"),
            Row("no rows", written("unix,value\n"), r"the file has no rows; export it again"),
            Row("no times", replaced("unix", "time"), r"; "),
            Row("text for a value", line(3, f"{_SECOND},abc"), r"row 1: `value` is 'abc', not a number; mend"),
            Row("negative", line(3, f"{_SECOND},-1"), r"row 1 .*`value` is -1; it must be a .*number >=? 0.*: mend"),
            Row("no value", line(3, f"{_SECOND},"), r"row 1 .*`value` is null or NaN; .*mend"),
            Row("duplicate", line(3, f"{START_MS},0.001"), r"row 1 .*duplicate time, .*; keep one row per time"),
            Row("unsorted", line(4, f"{_SECOND - HOUR_MS},0.001"), r"row 2 .*times are not sorted, .*; sort"),
            Row("seconds", line(3, "1672531200,0.001"), r"looks like seconds; convert"),
            Row("begins late", line(2, f"{START_MS + HOUR_MS},0.001"), r"the window runs from .*; add a row"),
        )
    ),
    ("fees", SOUND_COSTS, Row("a fee of one", line(3, f"{_SECOND},1"), r"row 1 .*`value` is 1; it must be .*< 1")),
    *(
        ("trades", SOUND_TRADES, row)
        for row in (
            Row("empty", written(""), r"not a readable csv file .*; export it again"),
            Row("no amount", replaced("amount_in", "amount"), r"no column `amount_in`; it has .*; rename or add"),
            Row("unknown token", line(3, f"{START_MS},XXX,BBB,1"), r"row 1 .*`token_in` is 'XXX'; the pool holds"),
            Row("the same token", line(3, f"{START_MS},AAA,AAA,1"), r"row 1 .*are both AAA; mend or delete"),
            Row("no amount given", line(3, f"{START_MS},AAA,BBB,0"), r"row 1 .*`amount_in` is 0; it must be .*> 0: m"),
            Row("text for an amount", line(3, f"{START_MS},AAA,BBB,x"), r"row 1: `amount_in` is 'x', not a number; m"),
            Row("unsorted", line(4, f"{START_MS},AAA,BBB,1"), r"row 2 .*times are not sorted, .*; sort"),
            Row("microseconds", line(21, f"{START_MS * 1000},AAA,BBB,1"), r"looks like microseconds; convert"),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("key", "content", "row"), EXTERNAL, ids=[f"{key} {row.name}" for key, _, row in EXTERNAL])
def test_files_of_costs(site: Site, key: str, content: str, row: Row, capsys: pytest.CaptureFixture[str]):
    path = site.folder / f"{key}.csv"
    path.write_text(content)
    row.damage(path)
    run_dir = site.folder / "new"
    setting = f"costs.{key}={path.name}"
    assert_refused(site, path.name, row.said, capsys, "tune", site.config, "--set", setting, "--run-dir", run_dir)


@pytest.mark.parametrize("command", ["tune", "backtest", "import"])
def test_in_real_processes(site: Site, command: str):
    """The same in processes of their own, one of each kind."""
    if command == "tune":
        PRICES[19].damage(site.prices())
        arguments = ["tune", site.config]
    elif command == "backtest":
        BEST[2].damage(site.best)
        arguments = ["backtest", "--params", site.best, "--out", site.folder / "out"]
    else:
        EXPORTS[5].damage(site.export)
        arguments = ["data", "import", site.export, "--token", "XBT", "--out", site.folder / "prices"]
    before = snapshot(site.folder)
    done = run(*arguments, cwd=site.folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert snapshot(site.folder) == before
