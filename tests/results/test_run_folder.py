import json
from pathlib import Path

import pytest

from momentum_opt.api.prices import market_of
from momentum_opt.errors import RunFolderError
from momentum_opt.market import Market
from momentum_opt.results.run_folder import default_folder, open_run_folder, utc_ms, utc_text
from tests.sample_runs import TOKENS, changed_prices, smoke


@pytest.fixture(scope="module")
def market() -> Market:
    return market_of(smoke())


def test_the_default_name_holds_stem_and_digest():
    fingerprint = smoke()
    assert default_folder(Path("some/my.config.yaml"), fingerprint) == Path(f"runs/my.config-{fingerprint.digest[:8]}")


def test_a_new_folder_and_the_same_run_again(tmp_path: Path, market: Market):
    folder = open_run_folder(tmp_path / "a" / "run", "tokens: [é]\n", smoke(), market)
    assert folder.config.read_text(encoding="utf-8") == "tokens: [é]\n"
    recorded = json.loads(folder.fingerprint.read_text())
    assert recorded["schema_version"] == 1
    assert recorded["digest"] == smoke().digest
    assert [file["token"] for file in recorded["data"]["files"]] == list(TOKENS)
    assert recorded["data"]["burn_in_days"] == 30
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    again = smoke("search.n_trials=500", "search.timeout=9")
    assert open_run_folder(folder.path, "other text", again, market) == folder
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before


def test_another_configuration_is_refused_key_by_key(tmp_path: Path, market: Market):
    folder = open_run_folder(tmp_path / "run", "", smoke(), market)
    changed = smoke("search.seed=7", "pool.maximum_change=0.0002", "objective.metric=returns")
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    with pytest.raises(RunFolderError, match="holds a run of another configuration") as caught:
        open_run_folder(folder.path, "", changed, market)
    for difference in (
        "search.seed 0 → 7", "pool.maximum_change 0.0003 → 0.0002", 'objective.metric "daily_log_sharpe" → "returns"',
    ):  # fmt: skip
        assert difference in str(caught.value)
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before


def test_other_prices_are_refused(tmp_path: Path, market: Market):
    folder = open_run_folder(tmp_path / "run", "", smoke(), market)
    other = smoke(f"data.root={changed_prices(tmp_path / 'prices')}")
    with pytest.raises(RunFolderError, match=r"prices of SYNA [0-9a-f]{12} → [0-9a-f]{12}; undo the change"):
        open_run_folder(folder.path, "", other, market_of(other))


def test_a_folder_that_is_no_run(tmp_path: Path, market: Market):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="not empty and not a run folder; give another --run-dir"):
        open_run_folder(tmp_path, "", smoke(), market)
    with pytest.raises(RunFolderError, match="a file, not a folder; give another --run-dir"):
        open_run_folder(tmp_path / "notes.txt", "", smoke(), market)
    with pytest.raises(RunFolderError, match="cannot be written"):
        open_run_folder(tmp_path / "notes.txt" / "run", "", smoke(), market)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_times_there_and_back():
    assert utc_text(1_672_531_200_000) == "2023-01-01T00:00:00Z"
    assert utc_ms(utc_text(1_700_000_040_000)) == 1_700_000_040_000
