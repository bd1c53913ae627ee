"""Optuna's dashboard opened on the journal of a run, in a real browser: names, flat numbers, no blobs."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path

import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser import chromium, needs_browser
from tests.sample_runs import TOKENS, tuned

SECONDS = 60


def test_attributes_are_flat_numbers(tmp_path_factory: pytest.TempPathFactory):
    _, folder = tuned(tmp_path_factory.getbasetemp())
    best = json.loads((folder / "best.json").read_text())
    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    (study,) = storage.get_all_studies()
    assert storage.get_study_system_attrs(study._study_id)["study:metric_names"] == ["daily_log_sharpe"]
    trials = storage.get_all_trials(study._study_id)
    words = {"source", "fingerprint_digest", "content_checksum"}
    for trial in trials:
        assert all(isinstance(value, int | float) or value is None for key, value in trial.user_attrs.items()
                   if key not in words)  # fmt: skip
        assert all(len(str(value)) <= 64 for value in trial.user_attrs.values())
    winner = trials[best["trial"]].user_attrs
    assert winner["train_returns"] == pytest.approx(best["metrics"]["train"]["returns"], rel=1e-9)
    assert winner["validation_returns"] == pytest.approx(best["metrics"]["validation"]["returns"], rel=1e-9)
    for token in TOKENS:
        for name in ("k_per_day", "memory_days", "lamb", "initial_weights"):
            assert winner[f"{name}_{token}"] == pytest.approx(best["readable"][name][token], rel=1e-12)


@pytest.fixture
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The address of a dashboard of a run."""
    pytest.importorskip("optuna_dashboard")
    _, folder = tuned(tmp_path_factory.getbasetemp())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = "from optuna_dashboard._cli import main; main()"
    line = [sys.executable, "-c", script, str(folder / "study.journal"), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + SECONDS
        while True:
            try:
                urllib.request.urlopen(f"{address}/api/studies", timeout=5).read()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(SECONDS)


@pytest.mark.slow
@needs_browser
def test_the_dashboard_shows_a_run(dashboard: str, tmp_path: Path):
    with chromium(tmp_path / "profile") as driver:
        driver.set_window_size(2400, 1400)
        driver.get(f"{dashboard}/dashboard/studies/0/trials")
        wait = WebDriverWait(driver, SECONDS)
        wait.until(lambda page: "train_returns" in page.find_element(By.TAG_NAME, "body").text)
        text = driver.find_element(By.TAG_NAME, "body").text
        assert "train_daily_log_sharpe" in text
        assert f"k_per_day_{TOKENS[0]}" in text
        assert "block" not in text
        driver.get(f"{dashboard}/dashboard/studies/0")
        wait.until(lambda page: "y Axis\ndaily_log_sharpe" in page.find_element(By.TAG_NAME, "body").text)
        text = driver.find_element(By.TAG_NAME, "body").text
        assert "identity" not in text
        assert not [one for one in driver.get_log("browser") if one["level"] == "SEVERE" and "favicon" not in str(one)]
