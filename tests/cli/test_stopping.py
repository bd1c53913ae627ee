"""Ctrl-C in a phase ends that phase, keeps what is done, and says so (SPEC §16)."""

import importlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from momentum_opt.api.tuning import tune
from momentum_opt.cli.app import main
from momentum_opt.results.holdout import count_looks, recorded_holdout
from momentum_opt.results.report.content import run_content
from momentum_opt.results.report.run_page import run_page
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.study.ledger import Progress
from momentum_opt.study.loop import Study
from tests.results.report.pages import outline
from tests.sample_runs import SAMPLE, SMOKE, copy_of, ended_before, environment, smoke, tuned


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
GO_ON, NOTHING = "go on with: momentum-opt tune RUN --resume", "nothing was written; run the command again"
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


def test_an_interrupted_tune_shows_no_test(tmp_path: Path):
    """Neither figures nor days nor a look; when it goes on to its end, it has all of them, and one look."""
    folder, settings = tmp_path / "run", smoke("search.batch_size=8", "evidence.enabled=false")
    batches: list[Progress] = []
    stopped = tune(settings, folder, on_batch=batches.append, should_stop=lambda: bool(batches))
    assert stopped.outcome.stopped == "interrupted"
    assert set(stopped.best["metrics"]) == set(stopped.best["baselines"]) == {"train", "validation"}
    assert set(stopped.best["fees_earned"]) == {"train", "validation"}
    assert not list(tmp_path.rglob("test_looks.jsonl"))
    days = pd.read_parquet(folder / "daily.parquet")["time"]
    assert days.max() == pd.Timestamp("2023-04-11 23:59", tz="UTC")  # test begins on 12 April
    page = outline(run_page(run_content(RunFolder(folder))).html)
    assert page.wrong == []
    assert "evaluated" not in page.text
    assert "test, 14 days" not in page.text

    finished = tune(settings, folder)
    assert finished.outcome.stopped == "finished"
    assert set(finished.best["metrics"]) == {"train", "validation", "test"}
    assert count_looks(folder, recorded_holdout(finished.best)).count == 1
    assert len(pd.read_parquet(folder / "daily.parquet")) == 57
    again = tune(settings, folder)
    assert again.best == finished.best
    assert count_looks(folder, recorded_holdout(finished.best)).count == 1
    # Another run on the same prices and test period counts on.
    other = tune(smoke("search.batch_size=8", "evidence.enabled=false", "search.seed=5"), tmp_path / "other")
    assert count_looks(tmp_path / "other", recorded_holdout(other.best)).count == 2
    assert code("report", folder) == 0
    assert "Test period evaluated 2 times, with 2 parameter sets." in outline((folder / "report.html").read_text()).text
