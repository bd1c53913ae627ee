"""Damaged configurations, JSON files and `--set` values: one line with place and remedy, exit code 2, within bounds."""

import json
import re
import time
from pathlib import Path

import pytest

from momentum_opt.cli.app import main
from momentum_opt.errors import RunFolderError
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.results.files import read_json, write_json
from momentum_opt.results.holdout import count_looks
from tests.cli.damage import CONFIG, Site, replaced, snapshot, written
from tests.cli.test_damaged_inputs import Row, assert_refused, each, site, sound

__all__ = ["site", "sound"]

SECONDS = 10.0
"""Well under it on an idle machine; what is not bounded takes minutes."""

_FLAT = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
ALIASES = _FLAT + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))
_MERGED = (f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 10))
MERGES = "a0: &a0 {x: 1}\n" + "".join(_MERGED)

YAML = [
    Row("aliases of aliases", written(ALIASES), r"more than 5,000 values once its aliases are written out; give fewer"),
    Row("merges of merges", written(MERGES), r"more than 5,000 values once its aliases are written out; give fewer"),
    Row("many keys", written(CONFIG + "".join(f"k{i}: 1\n" for i in range(700_000))), r"larger than 256 KiB\); give"),
    Row("many values", written(f"tokens: [{'A,' * 6000}]\n"), r"more than 5,000 keys and values; give fewer"),
    Row("a long scalar", written(CONFIG + f"x: {'y' * 10**6}\n"), r"larger than 256 KiB\); give"),
    Row("a long key", written(CONFIG + f"{'z' * 900}: 1\n"), r":18: z+ … z+: unknown key; known here"),
    Row("deep", written(f"tokens: {'[' * 60}{']' * 60}\n"), r"nested too deep; give at most 50 levels"),
    Row("merges itself", replaced("pool:\n", "pool: &a\n  <<: *a\n"), r":8: pool: contains itself; write"),
    Row("merges a number", replaced("pool:\n", "pool:\n  <<: 3\n"), r":9: pool\.<<: merges what is no m"),
    Row("merges a list of numbers", replaced("pool:\n", "pool:\n  <<: [1]\n"), r":9: pool\.<<: merges"),
    Row("leading zeros", replaced("n_trials: 8", "n_trials: 010"), r"\('010'\); write it without lead.*: 10"),
    Row("commas", replaced("days: 2", "days: 1,500"), r"\('1,500'\); write a point before decimals"),
    Row("sexagesimal", replaced("n_trials: 8", "n_trials: 1:30"), r"not a number \('1:30'\); give a whole"),
    Row("hexadecimal", replaced("n_trials: 8", "n_trials: 0x10"), r"not a number \('0x10'\); give a whole"),
    Row("too many trials", replaced("n_trials: 8", "n_trials: 1e30"),
        r"n_trials: out of range \(1e\+30\); give a whole number >= 1 and <= 1000000000"),
    Row("of thousands of digits", replaced("n_trials: 8", f"n_trials: {'9' * 5000}"), r"n_trials: .*; "),
    Row("in Latin-1", written((CONFIG + "# é\n").encode("latin-1")), r"not UTF-8: byte 0xe9 in line 18\); give"),
    Row("UTF-16 without a mark", written(CONFIG.encode("utf-16-le")), r"holds zero bytes.*; give a YAML file in UTF-8"),
    Row("a zero in a path", replaced("root: prices", r'root: "a\0b"'), r"data\.root: not a path .*; write"),
    Row("a home of nobody", replaced("root: prices", "root: ~nobody-of-this-name/x"), r"root: the home.*; w"),
]  # fmt: skip

_PARAMS = '{"params": {"k_per_day": 3, "memory_days": 1'
JSON = [
    Row("key twice", written(f'{_PARAMS}, "k_per_day": 4}}}}'), r"params\.k_per_day is given twice: keep one.*; give"),
    Row("section twice", written(f'{_PARAMS}}}, "params": {{}}}}'), r"params is given twice: keep one of them.*; give"),
    Row("token twice", written('{"params": {"k_per_day": {"AAA": 1, "AAA": 2}}}'), r"params\.k_per_day\.AAA is given"),
    Row("many names", written(f'{{"params": {{{", ".join(f""""k{i}": 1""" for i in range(9000))}}}}}'),
        r"unknown parameter k0, k1, .* and 8,990 more; use"),
    Row("many values", written(f'{{"params": [{"1, " * 300_000}1]}}'), r"holds more than 250,000 values\); give"),
    Row("large", written(f'{{"params": "{"x" * 20_000_000}"}}'), r"larger than 16 MiB\); give"),
    Row("deep", written(f'{{"params": {"[" * 200}{"]" * 200}}}'), r"nested too deep: more than 100 levels\); give"),
    Row("UTF-16 without a mark", written(f"{_PARAMS}}}}}".encode("utf-16-le")), r"holds zero bytes.*; give"),
]  # fmt: skip


@each(YAML)
def test_configurations(site: Site, row: Row, capsys: pytest.CaptureFixture[str]):
    row.damage(site.config)
    for command in (("config", "check"), ("tune",)):
        began = time.process_time()
        assert_first_refused(site, "config.yaml", row.said, capsys, *command, site.config)
        assert time.process_time() - began < SECONDS


def assert_first_refused(
    site: Site, file: str, said: str, capsys: pytest.CaptureFixture[str], *arguments: str | Path
) -> None:
    """Several mistakes may be told; one of the lines is as it should be, and all of them are short."""
    before = snapshot(site.folder)
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert (caught.value.code, captured.out) == (2, ""), captured.err
    assert all(line.startswith("error: ") and len(line) < 1000 for line in lines)
    assert any(file in line and re.search(said, line) for line in lines), captured.err
    assert len(lines) < 60
    assert snapshot(site.folder) == before


@each(JSON)
def test_params_files(site: Site, row: Row, capsys: pytest.CaptureFixture[str]):
    file = site.folder / "params.json"
    row.damage(file)
    arguments = ("--params", file, "--config", site.config)
    assert_refused(site, "params.json", row.said, capsys, "backtest", *arguments, "--out", site.folder / "out")


TWICE = r"digest is given twice: keep one of them"


def given_twice(file: Path) -> None:
    """Name the key `digest` at the top of a JSON file a second time."""
    text = file.read_text()
    file.write_text(text.rstrip().removesuffix("}") + ', "digest": "x"}')


def test_a_key_twice_is_refused_in_every_json(site: Site, capsys: pytest.CaptureFixture[str]):
    given_twice(site.best)
    given_twice(site.run / "fingerprint.json")
    tokens = site.folder / "tokens.yaml"
    tokens.write_text("AAA: 0x0000000000000000000000000000000000000001\n")
    assert_refused(site, "best.json", TWICE, capsys, "backtest", "--params", site.best)
    assert_refused(site, "best.json", TWICE, capsys, "weights", "--params", site.best)
    assert_refused(site, "best.json", TWICE, capsys, "export", "--params", site.best, "--addresses", tokens)
    assert_refused(site, "best.json", TWICE, capsys, "rehearse", "--params", site.best)
    assert_refused(site, "best.json", TWICE, capsys, "rehearse", "--deployment", site.best)
    assert_refused(site, "best.json", TWICE, capsys, "config", "import", site.best)
    assert_refused(site, "best.json", TWICE, capsys, "tune", site.config, "--from", site.best)
    run = site.run / "fingerprint.json"
    assert_refused(site, str(run), TWICE, capsys, "tune", site.run, "--resume")
    assert_refused(site, str(run), TWICE, capsys, "tune", site.config, "--run-dir", site.run)


def test_a_state_with_a_key_twice_is_refused(site: Site):
    given_twice(site.best)
    with pytest.raises(RunFolderError, match=TWICE):
        read_json(site.best, "a state file of weights")


def test_a_look_with_a_key_twice_counts_as_damaged(tmp_path: Path):
    (tmp_path / "fingerprint.json").write_text("{}")
    (tmp_path / "test_looks.jsonl").write_text('{"params": "a"}\n{"params": "a", "params": "b"}\n')
    looks = count_looks(tmp_path, None)
    assert (looks.count, looks.parameter_sets, looks.damaged) == (2, 1, 1)


ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


def encoded(text: str, encoding: str) -> bytes:
    """The text with the mark of its encoding, as Windows writes it."""
    return (text if encoding in ("utf-8-sig", "utf-16", "utf-32") else f"\ufeff{text}").encode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_files_with_a_byte_order_mark_are_read(site: Site, encoding: str):
    plain = load_fingerprint(site.config)
    site.config.write_bytes(encoded(CONFIG.replace("\n", "\r\n"), encoding))
    assert load_fingerprint(site.config) == plain
    content = json.loads(site.best.read_text())
    site.best.write_bytes(encoded(json.dumps(content), encoding))
    assert read_json(site.best, "a best.json") == content


MOVED = [
    ("tune", "config.yaml", "--run-dir", "new"),
    ("walk-forward", "config.yaml", "--set", "walk_forward={train_days: 10, test_days: 3}", "--run-dir", "new"),
    ("backtest", "--params", "best.json"),
    ("backtest", "--params", "best.json", "--config", "config.yaml"),
    ("rehearse", "--params", "best.json"),
    ("data", "check", "--config", "config.yaml"),
    ("tune", "run", "--resume"),
]
DATA_ALONE = [("weights", "--params", "best.json"), ("export", "--params", "best.json", "--addresses", "tokens.yaml")]


@pytest.mark.parametrize("how", ["moved", "emptied"])
@pytest.mark.parametrize("command", [*MOVED, *DATA_ALONE], ids=" ".join)
def test_moved_prices(site: Site, how: str, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    lines = [f"{token}: 0x{number:040x}" for number, token in enumerate(("AAA", "BBB", "CCC"), start=1)]
    (site.folder / "tokens.yaml").write_text("\n".join(lines))
    for file in (site.best, site.run / "fingerprint.json"):  # written for the folder that the site is a copy of
        recorded = json.loads(file.read_text())["data"]["root"]
        content = json.loads(file.read_text().replace(recorded, str(site.folder / "prices")))
        write_json(file, {key: value for key, value in content.items() if key != "checksums"})
    (site.folder / "prices").rename(site.folder / "elsewhere")
    if how == "emptied":
        (site.folder / "prices").mkdir()
    what = "no such folder" if how == "moved" else "holds no price file at all"
    options = "--data FOLDER" if command in DATA_ALONE else "--data FOLDER or --set data.root=FOLDER"
    said = f"{what}.*; name the folder that holds the price files with {options}$"
    assert_refused(site, "prices", said, capsys, *command)


def test_params_of_a_deployment_that_are_no_table(site: Site, capsys: pytest.CaptureFixture[str]):
    content = json.loads(site.best.read_text())
    source = {name: content[name] for name in ("fingerprint", "data")}
    deployment = {
        "kind": "deployment",
        "tokens": ["AAA", "BBB", "CCC"],
        "contract": {},
        "source": {**source, "params": 3},
    }
    file = site.folder / "deployment.json"
    file.write_text(json.dumps({"schema_version": 1, "first_update": "2023-01-05T00:00:00Z", **deployment}))
    said = r"params are no table \(3\); give a table"
    assert_refused(site, "deployment.json", said, capsys, "rehearse", "--deployment", file)


def test_long_values_are_not_printed_whole(site: Site, capsys: pytest.CaptureFixture[str]):
    content = json.loads(site.best.read_text())
    site.best.write_text(json.dumps({**content, "params": {"log_k": "9" * 5000}}))
    assert_refused(site, "best.json", r"log_k: '9+\.\.\. is no number; give", capsys, "backtest", "--params", site.best)
    recorded = json.loads((site.run / "fingerprint.json").read_text())
    recorded["fingerprint"]["maximum_change"] = "9" * 5000
    (site.run / "fingerprint.json").write_text(json.dumps(recorded))
    said = r'maximum_change "9+\.\.\. → 0\.0003; undo'
    assert_refused(site, str(site.run), said, capsys, "tune", site.config, "--run-dir", site.run)
