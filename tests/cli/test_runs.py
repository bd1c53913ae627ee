"""`runs`: every run of a folder with its numbers; damaged and unfinished ones as such; sorted; in any width."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from momentum_opt.cli.app import main
from momentum_opt.cli.runs import runs_text
from momentum_opt.results.files import write_json
from momentum_opt.results.run_list import ListedRun, list_runs, listed_run, sorted_runs
from tests.cli.test_folds import summary
from tests.sample_runs import ROOT, copy_of, environment, tuned


def run(*arguments: str | Path) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code


@pytest.fixture
def folder(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, one without a result, one that is damaged, and what is no run."""
    source = tuned(tmp_path_factory.getbasetemp())[1]
    runs = tmp_path / "runs"
    for name in ("finished", "unfinished", "damaged", "stopped"):
        copy_of(source, runs).rename(runs / name)
    (runs / "unfinished" / "best.json").unlink()
    (runs / "damaged" / "best.json").write_text("{")
    stopped = runs / "stopped" / "best.json"
    best = json.loads(stopped.read_text())
    del best["checksums"]
    stopped.write_text(json.dumps({**best, "verdict": None, "created": "2020-01-01T00:00:00Z"}))
    (runs / "no run").mkdir()
    (runs / "test_looks.jsonl").touch()
    return runs


def test_numbers_are_those_of_best_json(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert run("runs", folder, "--json") == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)["runs"]
    best = json.loads((folder / "finished" / "best.json").read_text())
    assert [one["name"] for one in found] == ["finished", "stopped", "damaged", "unfinished"]
    assert [one["state"] for one in found] == ["finished", "unfinished", "damaged", "unfinished"]
    first = found[0]
    assert first["objective"] == [best["objective"]["value"]]
    assert first["validation"] == best["metrics"]["validation"][best["objective"]["metric"]]
    assert (first["trials"], first["created"]) == (best["study"]["n_trials"], best["created"])
    assert (first["outcome"], first["n_rules"]) == (best["verdict"]["outcome"], len(best["verdict"]["rules"]))
    assert first["rules_met"] == sum(rule["met"] is True for rule in best["verdict"]["rules"])
    (line,) = shown.err.splitlines()
    assert line.startswith("note: damaged is damaged: ")
    assert "best.json: not valid JSON" in line


def test_the_list_is_a_table(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert run("runs", folder) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "objective: daily_log_sharpe (mean)"
    assert [line.split()[0] for line in lines[3:]] == ["finished", "stopped", "damaged", "unfinished"]
    assert run("runs", folder / "finished") == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert run("runs", folder, "--sort", "name") == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[3:]]
    assert names == sorted(names)


def test_what_cannot_be_listed_is_one_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run("runs", folder / "no run") == 0
    assert capsys.readouterr().out == f"{folder / 'no run'}: no run in it; momentum-opt tune CONFIG begins one\n"
    for arguments, said in [
        ((tmp_path / "none",), "none: no such folder; name a folder that exists: give the folder that holds the runs"),
        ((folder / "test_looks.jsonl",), "this is a file, not a folder"),
        ((folder, "--sort", "creatd"), "--sort creatd: no such column; did you mean created?"),
    ]:
        assert run("runs", *arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()[-1:]
        assert said in line


@pytest.mark.parametrize(
    "text",
    ["[]", "", "{}", '{"schema_version": 99}', '{"objective": {}, "metrics": 1}', "\0", '{"verdict": {"rules": 3}}'],
)
@pytest.mark.parametrize("name", ["best.json", "fingerprint.json"])
def test_no_damage_is_more_than_an_entry(folder: Path, name: str, text: str):
    (folder / "finished" / name).write_text(text)
    found = {one.name: one for one in list_runs(folder)}
    assert found["finished"].state == "damaged"
    assert found["finished"].fault
    assert "\n" not in found["finished"].fault
    assert found["stopped"].state == "unfinished"


def test_sections_that_hold_something_else_are_damage(folder: Path):
    best = json.loads((folder / "stopped" / "best.json").read_text())
    for key, value in (("objective", {}), ("metrics", {"validation": 3}), ("verdict", {"rules": 3}), ("verdict", 3)):
        (folder / "stopped" / "best.json").write_text(json.dumps({**best, key: value}))
        assert listed_run(folder / "stopped").state == "damaged", key


def test_a_walk_forward_begun_is_unfinished(tmp_path: Path):
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk" / "fingerprint.json").write_text(json.dumps({"walk_forward": {}, "fingerprint": {}}))
    (one,) = list_runs(tmp_path)
    assert (one.kind, one.state) == ("walk-forward", "unfinished")


def listed(name: str, metrics: tuple[str, ...], created: str, **more: Any) -> ListedRun:
    return ListedRun(Path("runs") / name, "tune", "finished", metrics, "mean", created=created, **more)


@pytest.mark.parametrize(
    ("n_folds", "state", "shown"), [(2, "finished", "not significant, 0 of 1"), (3, "unfinished", "unfinished")]
)
def test_a_walk_forward_has_the_means_of_its_folds(
    n_folds: int, state: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "200")
    write_json(tmp_path / "fingerprint.json", {"walk_forward": {}, "fingerprint": {}})
    write_json(tmp_path / "walk_forward.json", summary(n_folds=n_folds, created="2026-01-01T00:00:00Z"))
    found = listed_run(tmp_path)
    assert (found.kind, found.state, found.metrics, found.aggregate) == (
        "walk-forward", state, ("calmar",), "mean of 2 folds",
    )  # fmt: skip
    assert (found.objective, found.validation, found.outcome) == ((0.25,), 3.5, "not significant")
    lines = runs_text([found]).splitlines()
    assert lines[0] == "objective: calmar (mean of 2 folds)"
    assert shown in lines[3]
    assert lines[4].startswith("of a walk-forward: ")


RUNS = [
    listed("btc_eth_usdc-f4802adb", ("daily_log_sharpe",), "2026-01-02T00:00:00Z", objective=(1.0189,),
           validation=0.5, outcome="all met", rules_met=4, n_rules=4, trials=1000),
    listed("btc_eth_usdc-11111111", ("returns", "max_drawdown"), "2026-01-03T00:00:00Z", objective=(0.4, -0.2),
           trials=12000),
    replace(listed("walk", ("returns",), "2026-01-01T00:00:00Z", objective=(0.4,), validation=0.1, outcome="ahead",
                   rules_met=4, n_rules=4), kind="walk-forward"),
    ListedRun(Path("runs/begun"), "tune", "unfinished"),
]  # fmt: skip


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_word_is_broken_in_any_width(width: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "1000")
    words = set(runs_text(RUNS).split()) - {"─" * n for n in range(1000)}
    monkeypatch.setenv("COLUMNS", str(width))
    text = runs_text(RUNS)
    assert {word for word in text.split() if set(word) != {"─"}} == {word for word in words if set(word) != {"─"}}
    assert max(map(len, text.splitlines())) <= width


def test_orders():
    def names(column: str) -> list[str]:
        return [run.name for run in sorted_runs(RUNS, column)]

    assert names("created") == ["btc_eth_usdc-11111111", "btc_eth_usdc-f4802adb", "walk", "begun"]
    assert names("validation") == ["btc_eth_usdc-f4802adb", "walk", "begun", "btc_eth_usdc-11111111"]
    assert names("trials") == ["btc_eth_usdc-11111111", "btc_eth_usdc-f4802adb", "begun", "walk"]
    assert names("objective")[0] == "btc_eth_usdc-f4802adb"


def test_it_needs_no_jax(tmp_path: Path):
    script = f"""
import sys
from momentum_opt.cli.app import main
try: main(["runs", {str(tmp_path)!r}])
except SystemExit as done: assert not done.code
assert not [name for name in ("jax", "optuna") if name in sys.modules]
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=environment(), check=False
    )
    assert done.returncode == 0, done.stderr
