"""`sweep`: a run per combination, taken up where it stopped, each with evidence that counts the candidates of all."""

import hashlib
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from momentum_opt.api.sweeping import MOST_COMBINATIONS, Combination, combinations_of, share_evidence
from momentum_opt.cli.app import main
from momentum_opt.evidence.sharpe import deflated_sharpe_ratio
from tests.sample_runs import LITTLE_EVIDENCE, SMOKE, command, copy_of, environment, run, smoke, tuned
from tests.shared_data import minute_prices, needs_shared

WINDOW = ("--set", "window.end=2023-06-15", "--set", "window.test_end=2023-06-25")
"""Eighty-five days to train on: PBO takes 64."""
SWEEP = (
    "sweep", SMOKE, "--over", "pool.chunk_period=720,1440", "--trials", "8", *WINDOW, *LITTLE_EVIDENCE,
)  # fmt: skip


def code(*arguments: str | Path) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def candidates(folder: Path) -> dict[str, int]:
    return read(folder / "evidence.json")["candidates"]


def digests(folder: Path) -> dict[str, str]:
    """Of all files but those that a look leaves: ledgers and logs."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "log.txt"
    }


def assert_all_are_counted(folders: list[Path]) -> None:
    """N of every run is the sum over all, its DSR follows from it, and best.json says the same."""
    own = {folder: candidates(folder)["distinct"] - candidates(folder)["others"] for folder in folders}
    total = sum(own.values())
    for folder in folders:
        found, best = read(folder / "evidence.json"), read(folder / "best.json")
        assert found["candidates"]["distinct"] == total
        excess = found["excess"]
        expected = deflated_sharpe_ratio(
            excess["sharpe"],
            excess["skewness"],
            excess["kurtosis"],
            excess["n_observations"],
            total,
            excess["variance"],
        )
        assert excess["deflated_sharpe"] == pytest.approx(float(expected), rel=1e-9)
        verdict = best["verdict"]
        assert verdict["candidates"] == total
        assert verdict["outcome"] == found["verdict"]["outcome"]
        assert f"selection among {total:,} candidates" in verdict["words"]
        assert verdict["lines"][0]["words"] == (
            f"of a sweep: {own[folder]:,} candidates of this search and {total - own[folder]:,} of its other "
            "combinations"
        )


@pytest.mark.parametrize(
    ("over", "said"),
    [
        (
            ["pool.chunk_perod=60,1440"],
            "--over pool.chunk_perod=60: pool.chunk_perod: unknown key; did you mean chunk_period?",
        ),
        (
            ["pool.chunk_period="],
            "--over pool.chunk_period=: a value is missing; write pool.chunk_period=VALUE,VALUE,…",
        ),
        (["pool.chunk_period=60,,1440"], "a value is missing"),
        (["pool.chunk_period=60,60"], "--over pool.chunk_period=60,60: 60 stands twice; leave one out"),
        (["pool.chunk_period=7,60"], "--over pool.chunk_period=7: pool.chunk_period: neither divides a day"),
        (["pool.chunk_period=60"], "one combination alone; give two values or more, or use tune --set"),
        (["pool.chunk_period"], "--over pool.chunk_period: no list of values; write section.key=VALUE,VALUE,…"),
        (
            ["costs.fees=0,0.01", "costs.fees=0.02,0.03"],
            "--over costs.fees: given twice; give all of its values in one list",
        ),
        (
            ["search.n_trials=8,16"],
            "n_trials=8 and n_trials=16 are one run, since nothing that changes a trial differs",
        ),
        (["search.seed=1,2", "pool.chunk_period=1440,1440.0"], "are one run"),
        (
            ["search.seed=1,2", "search.study_name=mine,yours"],
            "search.study_name: mine is one study, and every combination",
        ),
        (
            [f"search.seed={','.join(map(str, range(MOST_COMBINATIONS + 1)))}"],
            "201 combinations, and a sweep has 200 at most",
        ),
    ],
)
def test_mistakes_are_one_line_before_anything_is_written(
    over: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert code("sweep", SMOKE, *(part for one in over for part in ("--over", one))) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not list(tmp_path.iterdir())


def test_combinations_are_the_runs_that_tune_would_make(tmp_path: Path):
    over = ["pool.chunk_period=720,1440", "search.parameters.memory_days=[1, 20],[1, 30]", "pool.rule='momentum'"]
    found = combinations_of(SMOKE, ["search.seed=3"], over, tmp_path)
    assert [one.name for one in found] == [
        f"chunk_period={period}, memory_days=[1, {days}], rule='momentum'"
        for period in (720, 1440)
        for days in (20, 30)
    ]
    assert {one.fingerprint.search.seed for one in found} == {3}
    assert [one.fingerprint.pool.chunk_period for one in found] == [720, 720, 1440, 1440]
    assert all(one.run_dir == tmp_path / f"smoke-{one.fingerprint.digest[:8]}" for one in found)
    assert all(one.study_name is None for one in found)
    elsewhere = combinations_of(SMOKE, ["search.storage=sqlite:///x.db"], over[:1])
    assert [one.study_name for one in elsewhere] == [one.run_dir.name for one in elsewhere]


def test_candidates_that_were_tried_stay_counted(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory):
    source = tuned(tmp_path_factory.getbasetemp())[1]
    names = ("one", "two", "three")
    folders = [copy_of(source, tmp_path / name).rename(tmp_path / f"run-{name}") for name in names]
    runs = [Combination(name, smoke(), "", folder) for name, folder in zip(names, folders, strict=True)]
    own = candidates(folders[0])["distinct"]
    share_evidence(runs[:1])
    assert candidates(folders[0]) == candidates(folders[2])
    share_evidence(runs)
    assert_all_are_counted(folders)
    assert candidates(folders[0])["distinct"] == 3 * own
    before = digests(tmp_path)
    share_evidence(runs)
    share_evidence(runs[:2])
    assert digests(tmp_path) == before
    (folders[2] / "evidence.json").unlink()
    share_evidence(runs)
    assert candidates(folders[0])["distinct"] == 3 * own


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    cwd = tmp_path_factory.mktemp("swept")
    done = run(*SWEEP, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done, cwd


def test_every_run_counts_the_candidates_of_all(swept: tuple[subprocess.CompletedProcess[str], Path]):
    done, cwd = swept
    found = json.loads(done.stdout)
    assert [pool["name"] for pool in found["pools"]] == ["chunk_period=720", "chunk_period=1440"]
    folders = [cwd / pool["path"] for pool in found["pools"]]
    assert sorted(folders) == sorted(path for path in (cwd / "runs").iterdir() if path.is_dir())
    assert_all_are_counted(folders)
    # One probability of overfitting, over the candidates of both.
    overfitting = [read(folder / "evidence.json")["excess"]["overfitting"] for folder in folders]
    assert overfitting[0] == overfitting[1]
    rows = [len(pd.read_parquet(folder / "trials.parquet").query("state == 'COMPLETE'")) for folder in folders]
    assert rows[0] < overfitting[0]["n_candidates"] <= sum(rows)
    settings = next(group for group in found["groups"] if group["heading"] == "settings that differ")
    assert ["720", "1440"] in [row["values"] for row in settings["rows"]]
    page = cwd / found["page"]
    assert page.parent == cwd / "runs"
    assert "chunk_period=720" in page.read_text()
    total = candidates(folders[0])["distinct"]
    for folder in folders:
        assert f"{total:,} distinct candidates" in (folder / "report.html").read_text()


def test_a_sweep_that_is_finished_returns_at_once_and_changes_nothing(
    swept: tuple[subprocess.CompletedProcess[str], Path],
):
    done, cwd = swept
    before = digests(cwd)
    script = (
        "import sys; from momentum_opt.cli.app import main\n"
        f"try: main({[*map(str, SWEEP), '--json']!r})\n"
        "except SystemExit as done: assert not done.code\n"
        "assert 'jax' not in sys.modules"
    )
    again = subprocess.run(
        [command()[0], "-c", script],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(),
        check=False,
        timeout=300,
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout == done.stdout
    assert digests(cwd) == before


def test_a_report_and_a_tune_of_one_run_keep_the_count(swept: tuple[subprocess.CompletedProcess[str], Path]):
    done, cwd = swept
    folder = cwd / json.loads(done.stdout)["pools"][0]["path"]
    before = candidates(folder)
    out = folder.parent / "again.html"
    assert run("report", folder, "--out", out, cwd=cwd).returncode == 0
    assert f"{before['distinct']:,} distinct candidates" in out.read_text()
    more = run("tune", folder, "--resume", "--trials", "16", cwd=cwd)
    assert more.returncode == 0, more.stderr
    after = candidates(folder)
    assert after["others"] == before["others"]
    assert after["distinct"] - after["others"] > before["distinct"] - before["others"]
    # The sweep, given again with as many trials, tells the other run of them.
    assert run(*SWEEP, "--trials", "16", cwd=cwd).returncode == 0
    assert_all_are_counted(sorted(path for path in (cwd / "runs").iterdir() if path.is_dir()))


@pytest.mark.slow
def test_ctrl_c_ends_the_tune_and_the_sweep_and_the_same_command_goes_on(tmp_path: Path):
    words = command(*SWEEP, "--trials", "2000")
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd=tmp_path
    )
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        journals = list(tmp_path.glob("runs/*/study.journal"))
        if journals and journals[0].stat().st_size > 20_000:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=120)
    assert process.returncode == 130, told
    assert out == ""
    assert told.splitlines()[-1].startswith("0 of 2 combinations are done; to go on: momentum-opt sweep ")
    assert len(list((tmp_path / "runs").glob("smoke-*"))) == 1
    kept = json.loads(run("runs", "--json", cwd=tmp_path).stdout)["runs"]
    assert [one["state"] for one in kept] == ["unfinished"]
    done = run(*SWEEP, cwd=tmp_path)  # fewer trials: those that are there are enough
    assert done.returncode == 0, done.stderr
    folders = sorted(path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    assert_all_are_counted(folders)


@needs_shared
@pytest.mark.slow
def test_on_real_prices_with_workers(tmp_path: Path):
    config = SMOKE.with_name("btc_eth_usdc.yaml")
    settings = [
        f"data.root={minute_prices()}", "window.start=2022-01-01", "window.end=2022-07-01",
        "window.test_end=2022-08-01",
        "evidence.random_baselines=16", "evidence.plateau_draws=1", "evidence.heat_map=2",
    ]  # fmt: skip
    arguments = [part for setting in settings for part in ("--set", setting)]
    done = run(
        "sweep", config, "--over", "pool.chunk_period=720,1440", "--over", "pool.maximum_change=0.0003,0.001",
        *arguments, "--trials", "16", "--workers", "2", "--no-report", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folders = sorted(path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    assert len(folders) == 4
    assert_all_are_counted(folders)
    assert "chunk_period=720, maximum_change=0.001" in done.stdout
    assert not list(tmp_path.glob("runs/*.html"))
