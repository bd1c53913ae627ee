"""Eight real processes on one study (SPEC §12): nothing lost, nothing twice, whoever dies."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.trial import FrozenTrial

from momentum_opt.results.files import read_json
from momentum_opt.study.storage import JournalStore, Store, open_store
from momentum_opt.study.trials import was_sampled
from tests.postgres import needs_postgres, server
from tests.sample_runs import SMOKE, command, environment, run, tuned

WORKERS, BATCHES, BATCH = 8, 20, 8
N_TRIALS = WORKERS * BATCHES * BATCH

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One tune before, so that eight processes do not compile the same."""
    tuned(tmp_path_factory.getbasetemp())


def finished(store: Store) -> list[FrozenTrial]:
    found = store.find_study("crew")
    return [] if found is None else found.finished()


def go(tmp_path: Path, storage: str, folders: list[Path], *, kill: int) -> list[subprocess.CompletedProcess[str]]:
    """Start eight, let them begin at once, kill some midway, and wait for the rest."""
    overrides = [f"search.storage={storage}", f"search.n_trials={N_TRIALS}", "search.sampler=random"]
    ready, start = [tmp_path / f"ready{number}" for number in range(WORKERS)], tmp_path / "go"
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.crew_member", *overrides, str(folder), str(mark), str(start)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
        )
        for mark, folder in zip(ready, folders, strict=True)
    ]  # fmt: skip
    try:
        while not all(mark.exists() for mark in ready):
            assert not [process.communicate() for process in processes if process.poll() is not None]
            time.sleep(0.05)
        start.touch()
        if kill:
            place = storage if storage != "journal" else f"journal://{folders[0]}/study.journal"
            store = open_store(place, tmp_path)
            study = store.find_study("crew")
            assert study is not None
            while len(study.finished()) < N_TRIALS // 3:
                time.sleep(0.01)
            for process in processes[:kill]:
                process.kill()
            store.close()
        done = []
        for process in processes:
            output, errors = process.communicate(timeout=240)
            done.append(subprocess.CompletedProcess(process.args, process.returncode, output, errors))
        return done
    finally:
        for process in processes:
            process.kill()
            process.wait()


def check(trials: list[FrozenTrial], done: list[subprocess.CompletedProcess[str]], *, killed: int) -> None:
    for process in done[killed:]:
        assert process.returncode == 0, process.stderr
        assert process.stdout.startswith("finished ")
        assert "Traceback" not in process.stderr
        assert "lock" not in process.stderr
    assert all(process.returncode == -9 for process in done[:killed])
    assert [trial.number for trial in trials] == list(range(len(trials)))
    asked = of_the_sampler(trials)
    assert N_TRIALS <= len(asked) <= N_TRIALS + WORKERS * BATCH
    assert len({tuple(trial.params.values()) for trial in asked}) == len(asked)
    batches = Counter((one.user_attrs["worker"], one.user_attrs["batch_start"]) for one in asked)
    sizes = {(one.user_attrs["worker"], one.user_attrs["batch_start"]): one.user_attrs["batch_size"] for one in asked}
    assert batches == sizes
    assert {worker for worker, _ in batches} == set(range(WORKERS))
    for trial in asked:
        assert trial.user_attrs["batch_start"] <= trial.number


def of_the_sampler(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    """Without the points near a winner, which no worker asks for."""
    return [trial for trial in trials if was_sampled(trial)]


@pytest.mark.parametrize("kill", [0, 2])
def test_on_a_journal_in_one_run_folder(kill: int, tmp_path: Path):
    folder = tmp_path / "run"
    done = go(tmp_path, "journal", [folder] * WORKERS, kill=kill)
    trials = finished(open_store(f"journal://{folder}/study.journal", tmp_path))
    check(trials, done, killed=kill)
    best = read_json(folder / "best.json", "best.json")
    assert best["study"]["n_trials"] == len(of_the_sampler(trials))
    assert best["objective"]["value"] == max(trial.value for trial in trials if trial.value is not None)
    assert len(pd.read_parquet(folder / "trials.parquet")) == len(trials)
    looks = (folder / "test_looks.jsonl").read_text().splitlines()
    assert len(looks) == len(set(looks)) <= WORKERS
    assert not list(folder.glob(".*.tmp"))


@needs_postgres
def test_on_postgresql_from_two_machines(tmp_path: Path):
    with server() as url:
        folders = [tmp_path / f"machine{number // 4}" for number in range(WORKERS)]
        done = go(tmp_path, url, folders, kill=2)
        store = open_store(url, tmp_path)
        trials = finished(store)
        check(trials, done, killed=2)
        plain = optuna.load_study(study_name="crew", storage=url.replace("postgresql:", "postgresql+psycopg:"))
        assert plain.best_value == max(trial.value for trial in trials if trial.value is not None)
        totals = [read_json(folder / "best.json", "best.json")["study"]["n_trials"] for folder in set(folders)]
        assert max(totals) == len(of_the_sampler(trials))
        store.close()
        plain._storage._backend.engine.dispose()  # optuna has no way to close it


def start_crew(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`tune --workers 2` in a process of its own."""
    return subprocess.Popen(
        command("tune", SMOKE, "--run-dir", folder, "--workers", "2", "--set", "search.sampler=random", *arguments),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip


def members(process: subprocess.Popen[str]) -> list[int]:
    """The worker processes."""
    return [int(word) for word in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def wait_for(line: str, process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    assert any(line in one for one in process.stderr)


def test_a_crew_of_two(tmp_path: Path):
    done = run("tune", SMOKE, "--run-dir", tmp_path / "run", "--workers", "2", "--trials", "160", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    best = read_json(tmp_path / "run" / "best.json", "best.json")
    trials = of_the_sampler(JournalStore(tmp_path / "run" / "study.journal").find_study("run").finished())
    assert 160 <= best["study"]["n_trials"] == len(trials) <= 160 + 2 * BATCH
    assert {trial.user_attrs["worker"] for trial in trials} <= {0, 1}
    first = done.stdout.splitlines()[0]
    assert first.startswith(f"best of {len(trials)} trials")
    assert re.search(rf": trial {best['trial']}\b.* \(finished\)$", first)
    assert len((tmp_path / "run" / "test_looks.jsonl").read_text().splitlines()) == 1
    assert "2 worker processes" in done.stderr
    assert re.search(rf"^{len(trials)}/160 trials, best ", done.stderr, re.M)


def test_the_death_of_one_of_a_crew_does_not_disturb_the_other(tmp_path: Path):
    with start_crew(tmp_path / "run", "--trials", "1000") as process:
        wait_for(" trials, best ", process)
        os.kill(members(process)[0], signal.SIGKILL)
        output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert re.search(r"^worker \d was killed by signal 9; the others go on$", errors, re.M)
    trials = of_the_sampler(JournalStore(tmp_path / "run" / "study.journal").find_study("run").finished())
    assert 1000 <= len(trials) <= 1000 + BATCH
    assert output.startswith(f"best of {len(trials):,} trials")


def test_a_signal_to_a_crew(tmp_path: Path):
    with start_crew(tmp_path / "run", "--trials", "1000000") as process:
        wait_for(" trials, best ", process)
        crew, asked = members(process), time.monotonic()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=300)
        assert time.monotonic() - asked < 10
    assert process.returncode == 130, errors
    assert "(interrupted)" in output
    assert not any(map(is_alive, crew))
    best = read_json(tmp_path / "run" / "best.json", "best.json")
    trials = JournalStore(tmp_path / "run" / "study.journal").find_study("run").finished()
    assert best["study"]["n_trials"] == len(trials)


def test_a_crew_ends_with_its_head(tmp_path: Path):
    with start_crew(tmp_path / "run", "--trials", "1000000") as process:
        wait_for(" trials, best ", process)
        crew = members(process)
        process.kill()
    deadline = time.monotonic() + 60
    while any(map(is_alive, crew)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_crew_that_is_dead_is_an_error(tmp_path: Path):
    with start_crew(tmp_path / "run", "--trials", "1000000") as process:
        wait_for(" trials, best ", process)
        for pid in members(process):
            os.kill(pid, signal.SIGKILL)
        output, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert output == ""
    assert re.search(
        r"^error: all 2 workers ended before the study was finished, with \d+ of 1000000 trials", errors, re.M
    )
