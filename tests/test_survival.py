"""Real tunes that are really killed (SPEC §12): what is finished stays finished, and the numbers agree afterwards."""

import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from momentum_opt.api import tuning
from momentum_opt.cli.app import main
from momentum_opt.vocabulary.names import SAMPLERS
from tests.sample_runs import LITTLE_EVIDENCE, NO_NEIGHBOURS, SMOKE, command, environment, run, smoke, tuned

BATCH = 8
KILLS = 50
SLOWER_SECONDS = 5.0
CMAES = ("--set", "search.sampler=cmaes", "--set", "evidence.blocks=4")  # 16 blocks: 12870 ways to halve a study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One tune before, so that the compiled code is in the cache."""
    tuned(tmp_path_factory.getbasetemp())


def begin(*arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("tune", SMOKE, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )


def kept(journal: Path) -> int:
    """Whole trials in a journal."""
    whole = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
    return sum(json.loads(line)["op_code"] == 4 for line in whole)


def reported(log: Path) -> int:
    """Trials that the run has said are finished."""
    said = re.findall(r"(\d+)/\d+ trials", log.read_text()) if log.exists() else []
    return int(said[-1]) if said else 0


def result(folder: Path) -> dict[str, Any]:
    return {**json.loads((folder / "best.json").read_text()), "created": None}


def same(one: Path, other: Path) -> None:
    """Trials and best.json, bit for bit apart from the time."""
    assert_frame_equal(
        pd.read_parquet(one / "trials.parquet"), pd.read_parquet(other / "trials.parquet"), check_exact=True
    )
    assert result(one) == result(other)


LOADED = [__name__, "momentum_opt.cli.tune", "momentum_opt.cli.progress", "momentum_opt.api.searching"]
"""What a tune imports before it opens its study; XLA is not started by it, which would not survive a fork."""


def tune_to(errors: Connection, arguments: list[str], variables: dict[str, str]) -> None:
    """The command in a process of its own, its standard error sent to `errors`."""
    os.environ.clear()
    os.environ.update(variables)
    os.dup2(errors.fileno(), 2)
    main(arguments)


class Tunes:
    """Starts tunes from a process that has their imports behind it, more than half of the way to a first batch."""

    def __init__(self, *settings: str | Path) -> None:
        self.settings = settings
        self.context = get_context("forkserver")
        self.context.set_forkserver_preload(LOADED)

    def kill(self, folder: Path, chance: random.Random, within: float | None = None) -> float:
        """Start one and kill it at a random moment; the seconds until its first batch, or until the kill.

        Args:
            folder: its run folder.
            chance: draws the moment.
            within: the moment is in these first seconds; None takes one just after the first batch.
        """
        receiver, sender = self.context.Pipe(duplex=False)
        arguments = command("tune", SMOKE, "--run-dir", folder, "--trials", "100000", *self.settings)[3:]
        process = self.context.Process(target=tune_to, args=(sender, arguments, environment()))
        launched = time.monotonic()
        process.start()
        sender.close()
        with receiver, open(receiver.fileno(), closefd=False) as errors:
            if within is not None:
                time.sleep(chance.uniform(0, within))
            else:
                for line in errors:
                    assert not line.startswith("error"), line
                    if " trials, best " in line:
                        break
            spent = time.monotonic() - launched
            if within is None:
                time.sleep(chance.uniform(0, 0.1))
            process.kill()
            process.join()
        assert process.exitcode == -signal.SIGKILL
        assert reported(folder / "log.txt") <= kept(folder / "study.journal")
        return spent


def test_fifty_kills(tmp_path: Path):
    """Resumes are compared with fresh starts made in between, so that other work on the machine slows both."""
    chance = random.Random(4)
    folder, whole = tmp_path / "run", tmp_path / "whole" / "run"
    tunes = Tunes(*CMAES)
    fresh, resumes = [tunes.kill(folder, chance)], []
    for number in range(1, KILLS):
        if number % 3 == 2:  # somewhere on the way to the first batch
            tunes.kill(folder, chance, within=min(fresh + resumes))
        else:
            resumes.append(tunes.kill(folder, chance))
        if number % 10 == 0:
            fresh.append(tunes.kill(tmp_path / f"fresh-{number}", chance))
    assert np.quantile(resumes, 0.9) <= np.median(fresh) + SLOWER_SECONDS
    total = kept(folder / "study.journal") + 12
    for place in (folder, whole):
        settings = (*CMAES, *LITTLE_EVIDENCE, *(word for one in NO_NEIGHBOURS for word in ("--set", one)))
        done = run("tune", SMOKE, "--run-dir", place, "--trials", str(total), *settings, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert pd.read_parquet(folder / "trials.parquet")["number"].tolist() == list(range(total))
    same(folder, whole)


def after(batches: int) -> Callable[[], bool]:
    asked = iter([False] * batches)
    return lambda: next(asked, True)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_interrupted_at_every_batch_boundary(sampler: str, tmp_path: Path):
    fingerprint = smoke(f"search.sampler={sampler}", f"search.n_trials={10 * BATCH}", "search.screen=0", *NO_NEIGHBOURS)
    whole, folder = tmp_path / "whole" / "run", tmp_path / "run"
    tuning.tune(fingerprint, whole)
    for batch in range(1, 11):
        outcome = tuning.tune(fingerprint, folder, should_stop=after(1)).outcome
        assert len(outcome.records) == batch * BATCH
        assert outcome.stopped == ("interrupted" if batch < 10 else "finished")
    same(folder, whole)


def test_a_signal_writes_the_results(tmp_path: Path):
    """SIGINT and SIGTERM: the results are there within ten seconds, and the study can be gone on with."""
    folder = tmp_path / "run"
    for number in (signal.SIGINT, signal.SIGTERM):
        with begin("--run-dir", folder, "--trials", "100000") as process:
            assert process.stderr is not None
            assert any(" trials, best " in line for line in process.stderr)
            asked = time.monotonic()
            process.send_signal(number)
            output, errors = process.communicate(timeout=60)
            assert time.monotonic() - asked < 10
        assert process.returncode == 130
        assert "(interrupted)" in output
        assert "Traceback" not in errors
        assert result(folder)["study"]["n_trials"] == kept(folder / "study.journal")


def test_a_batch_that_takes_long_is_dropped(tmp_path: Path):
    """A minute loop over sixteen thousand candidates: far longer than anyone who pressed Ctrl-C waits."""
    slow = ("--set", "costs.fees=0.003", "--set", "search.batch_size=16384", "--trials", "32768")
    with begin("--run-dir", tmp_path / "run", *slow) as process:
        assert process.stderr is not None
        assert any(line.startswith("batch of ") for line in process.stderr)
        time.sleep(1)
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        assert time.monotonic() - asked < 10
    assert process.returncode == 130, errors
    assert output == ""
    assert "stopped (interrupted) before its first batch; run the command again" in errors


def test_the_second_signal_ends_it_at_once(tmp_path: Path):
    slow = ("--set", "costs.fees=0.003", "--set", "search.batch_size=16384", "--trials", "32768")
    with begin("--run-dir", tmp_path / "run", *slow) as process:
        assert process.stderr is not None
        assert any(line.startswith("batch of ") for line in process.stderr)  # the search has begun
        process.send_signal(signal.SIGINT)
        assert any("press Ctrl-C again to quit now" in line for line in process.stderr)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130
        assert time.monotonic() - asked < 2


def test_a_finished_study_returns_without_jax(tmp_path: Path):
    done = run("tune", SMOKE, "--run-dir", tmp_path / "run", *LITTLE_EVIDENCE, cwd=tmp_path)
    assert done.returncode == 0
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    script = f"""
import sys
from momentum_opt.cli.app import main
try:
    main(["tune", {str(SMOKE)!r}, "--run-dir", {str(tmp_path / "run")!r}, "--no-report", *{LITTLE_EVIDENCE!r}])
finally:
    sys.stderr.write("JAX" if "jax" in sys.modules else "light")
"""
    again = subprocess.run(
        [*command()[:1], "-c", script], capture_output=True, text=True, env=environment(), timeout=120, check=False
    )
    assert again.returncode == 0
    assert again.stdout == done.stdout
    assert again.stderr == "light"
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 300 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.parametrize("storage", ["journal", "sqlite"])
def test_a_full_disk(storage: str, small_disk: Path, tmp_path: Path):
    folder = small_disk / "run"
    database = ("--storage", f"sqlite:///{small_disk}/study.db") if storage == "sqlite" else ()
    done = run("tune", SMOKE, "--run-dir", folder, "--trials", "100000", *database, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    (error,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert re.search(r"last batch (cannot be written .*; the trials before it|.*; earlier trials) are safe", error)
    assert "Traceback" not in done.stderr
    said = [int(number) for number in re.findall(r"(\d+)/100000 trials", (folder / "log.txt").read_text())]
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    total = said[-1] + 3 * BATCH
    more = run("tune", SMOKE, "--run-dir", folder, "--trials", str(total), *database, *LITTLE_EVIDENCE, cwd=tmp_path)
    assert more.returncode == 0, more.stderr
    assert "warning" not in more.stderr
    whole = tmp_path / "whole" / "run"
    assert (
        run("tune", SMOKE, "--run-dir", whole, "--trials", str(total), *LITTLE_EVIDENCE, cwd=tmp_path).returncode == 0
    )
    assert_frame_equal(
        pd.read_parquet(folder / "trials.parquet"), pd.read_parquet(whole / "trials.parquet"), check_exact=True
    )
