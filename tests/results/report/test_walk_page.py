"""The page of a walk-forward, from a summary as walk_forward.json holds it."""

import json
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from momentum_opt.errors import RunFolderError
from momentum_opt.results.holdout import note_look
from momentum_opt.results.look_lines import holdout_of_fold
from momentum_opt.results.report.walk_page import WalkFiles, walk_page
from tests.results.report.pages import outline
from tests.sample_runs import smoke

CURVES = ("pool", "hodl", "uniform_hodl", "constant_weight")


def fold(number: int, inside: float, outside: float) -> dict[str, Any]:
    tokens = {"SYNA": 1.5 * number, "SYNB": 2.0, "SYNUSD": 3.0}
    file = {
        "token": "SYNA", "file": "SYNA_USD.parquet", "sha256": "ab" * 32, "first": "2023-01-30T00:00:00Z",
        "last": "2023-04-05T23:59:00Z", "rows": 1000, "filled_minutes": 0,
    }  # fmt: skip
    start, end = (str(date(2023, 3, 13) + timedelta(days=8 * passed)) for passed in (number, number + 1))
    return {
        "fold": number, "train_start": f"2023-03-0{number}", "test_start": start, "test_end": end,
        "in_sample": {"daily_log_sharpe": inside}, "out_of_sample": {"daily_log_sharpe": outside, "returns": -0.0778},
        "efficiency": None, "baselines": {"constant_weight": {"returns": 0.01, "daily_log_sharpe": 0.5}},
        "readable": {"k_per_day": tokens, "memory_days": tokens},
        "data": {"root": "prices", "bar_minutes": 1, "burn_in_days": 30, "files": [file]},
    }  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> WalkFiles:
    fingerprint = smoke()
    curve = {
        "total_return": -0.0475, "annual_sharpe": -4.3, "max_drawdown": -0.0869, "probabilistic_sharpe": 0.18,
        "excess_probabilistic_sharpe": 0.0276, "interval": None,
    }  # fmt: skip
    constant = {**curve, "total_return": 0.0256, "excess_probabilistic_sharpe": None}
    summary = {
        "walk_forward": {"train_days": 20, "test_days": 8, "step_days": 8, "anchored": False}, "n_folds": 3,
        "metric": "daily_log_sharpe", "folds": [fold(1, -1.5, -13.6), fold(2, 1.9, 6.0)], "mean_in_sample": 0.2,
        "mean_out_of_sample": -3.8, "efficiency": None, "efficiency_reason": "the in-sample sum is not above zero",
        "verdict": {
            "outcome": "not significant", "words": "not significant; it can be chance",
            "rules": [{"name": "excess", "met": False, "value": 0.03, "threshold": 0.95, "words": "probability 0.03"}],
        }, "data": fold(1, 0.0, 0.0)["data"], "out_of_sample_days": 16,
        "out_of_sample": {"pool": curve, "hodl": curve, "uniform_hodl": curve, "constant_weight": constant},
        "stability": {"log_k_SYNA": {"spread": 0.23}}, "digest": fingerprint.digest,
        "fingerprint": fingerprint.to_dict(), "versions": {"jax": "0"}, "created": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    folder = tmp_path / "folds"
    folder.mkdir()
    found = WalkFiles(folder)
    found.summary.write_text(json.dumps(summary))
    returns = np.random.default_rng(0).normal(0.0, 0.01, (16, 4))
    table = pd.DataFrame({"time": pd.date_range("2023-03-21", periods=16, tz="UTC"), "fold": np.repeat([1, 2], 8)})
    for place, name in enumerate(CURVES):
        table[f"{'' if name == 'pool' else f'{name}_'}log_return"] = returns[:, place]
    table.to_parquet(found.days)
    for record, params in product(summary["folds"], ({"log_k": 1.0}, {"log_k": 2.0})):
        note_look(folder, holdout_of_fold(record, fingerprint.tokens), "momentum-opt walk-forward", params)
    return found


def test_it_says_what_the_folds_come_to(files: WalkFiles):
    page = walk_page(files)
    found = outline(page.html)
    assert found.wrong == []
    assert len(found.ids) == len(set(found.ids))
    assert [plot.key for plot in page.plots] == ["joined", "days", "folds"]
    assert ("h2", "Not significant") in found.headings
    for words in (
        "2 of 3 folds", "returned −4.75 %, the constant-weight pool 2.56 %", "−13.600",
        "Efficiency undefined: the in-sample sum is not above zero;",
        "Tear sheet", "Monthly returns",
        "k per day, SYNA 0.23", "Each test period evaluated 2 times.", "required: ≥ 0.95",
    ):  # fmt: skip
        assert words in found.text, words


def test_without_its_days_it_has_one_figure_less(files: WalkFiles):
    files.days.unlink()
    page = walk_page(files)
    assert [plot.key for plot in page.plots] == ["folds"]
    assert "walk_forward.parquet is not in the folder" in outline(page.html).text


def test_a_changed_summary_is_refused(files: WalkFiles):
    files.summary.write_text("{}")
    with pytest.raises(RunFolderError, match=r"walk_forward\.json: is not as it was written"):
        walk_page(files)
