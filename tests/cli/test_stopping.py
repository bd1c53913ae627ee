"""Ctrl-C in a phase ends that phase, keeps what is done, and says so (SPEC §16)."""

import importlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from momentum_opt.cli.app import main
from momentum_opt.study.loop import Study
from tests.sample_runs import SAMPLE, SMOKE, copy_of, ended_before, environment, tuned


@pytest.fixture
def run_folder(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    return copy_of(tuned(tmp_path_factory.getbasetemp())[1], tmp_path)


def code(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        main([*map(str, arguments)])
    assert isinstance(caught.value.code, int)
    return caught.value.code


TUNE = ("tune", SMOKE, "--run-dir", "RUN")
BACKTEST = ("backtest", "--params", "RUN/best.json")
API = "momentum_opt.api"
ALL_KEPT, RESULTS_KEPT = "all trials are kept in RUN", "the trials and best.json are kept in RUN"
GO_ON, NOTHING = "run the command again to go on", "nothing was written; run the command again"
WHOLE = "files in RUN/out are whole; remove them, and run the command again"
IMPORT = ("data", "import", SAMPLE / "SYNA_USD.parquet", "--token", "A", "--out", "RUN/prices")
PHASES: list[tuple[tuple[str | Path, ...], str, str, list[str]]] = [
    (
        (*TUNE, "--no-report"), f"{API}.settling.verified_document",
        f"the winner was replayed; {ALL_KEPT}; {GO_ON}", ["best.json"],
    ),
    (
        (*TUNE, "--no-report"), f"{API}.settling.find_evidence",
        f"evidence was gathered; {RESULTS_KEPT}; {GO_ON}", ["evidence.json"],
    ),
    (
        TUNE, f"{API}.reporting.current_report",
        "the report was drawn; all results are kept in RUN; momentum-opt report RUN draws it", [],
    ),
    (BACKTEST, f"{API}.backtesting.backtest", f"the pool was replayed; {NOTHING}", []),
    ((*BACKTEST, "--out", "RUN/out"), f"{API}.backtesting.write_backtest", f"the results were written; {WHOLE}", []),
    (
        ("rehearse", "--params", "RUN/best.json"), f"{API}.rehearsing.rehearse",
        f"the contract was rehearsed; {NOTHING}", [],
    ),
    (
        ("report", "RUN"), f"{API}.reporting.report",
        "the page was drawn; the run's results are as they were; run the command again", [],
    ),
    (
        IMPORT, "momentum_opt.market.importing.import_prices",
        "prices were imported; the price file is as it was; run the command again", [],
    ),
]  # fmt: skip
"""Command, where the signal comes, what is said, and what is missing before, so that it is made anew."""


@pytest.mark.parametrize(("arguments", "place", "said", "missing"), PHASES)
def test_a_signal_ends_the_phase(
    arguments: tuple[str | Path, ...], place: str, said: str, missing: list[str],
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    for one in missing:
        (run_folder / one).unlink()
    kept = {path.name for path in run_folder.iterdir()}
    module, _, name = place.rpartition(".")
    ended_before(monkeypatch, importlib.import_module(module), name)
    words = [str(one).replace("RUN", str(run_folder)) for one in arguments]
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert code(*words) == 130
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1] == f"error: interrupted while {said.replace('RUN', str(run_folder))}"
    assert "Traceback" not in captured.err
    assert {path.name for path in run_folder.iterdir()} >= kept
    assert not set(missing) & {path.name for path in run_folder.iterdir()}
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    if missing:
        monkeypatch.undo()
        assert code(*words) == 0
        assert {path.name for path in run_folder.iterdir()} >= set(missing)


def test_a_signal_after_the_last_batch_ends_the_replay(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The search does not ask any more, and its results are not waited for."""
    real = Study.run

    def late(self: Study, *arguments: Any, **named: Any) -> Any:
        outcome = real(self, *arguments, **named)
        signal.raise_signal(signal.SIGINT)
        return outcome

    monkeypatch.setattr(Study, "run", late)
    (run_folder / "best.json").unlink()
    assert code("tune", SMOKE, "--run-dir", run_folder, "--no-report") == 130
    assert "error: interrupted while the winner was replayed" in capsys.readouterr().err
    assert not (run_folder / "best.json").exists()


def test_any_other_command_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    ended_before(monkeypatch, importlib.import_module("momentum_opt.fingerprint"), "load_fingerprint")
    assert code("config", "check", SMOKE) == 130
    assert capsys.readouterr().err == "error: interrupted; run the command again\n"


BUSY = """
import hashlib, sys
from momentum_opt.cli import stopping
with stopping.stop_request(stopping.Phase("numbers were crunched", "run it again")):
    print("busy", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # minutes in which Python looks at no signal
"""


@pytest.mark.parametrize("signals", [1, 2])
def test_compiled_code_is_not_waited_for(signals: int):
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "busy\n"
        time.sleep(0.5)  # until it crunches
        asked = time.monotonic()
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        _, errors = process.communicate(timeout=60)
        assert time.monotonic() - asked < (10 if signals == 1 else 2)
    assert process.returncode == 130
    assert errors == ("error: interrupted while numbers were crunched; run it again\n" if signals == 1 else "")
