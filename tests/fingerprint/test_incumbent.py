from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint import Fingerprint, import_fingerprint, load_fingerprint
from tests.fingerprint.configs import BASE, mappings, write

INCUMBENT: dict[str, Any] = {
    **BASE,
    "endTestDateString": "2023-09-01 00:00:00",
    "rule": "momentum",
    "chunk_period": 1440,
    "bout_length": 525600,
    "n_assets": 3,
    "maximum_change": 0.0003,
    "return_val": "sharpe",
    "fees": 0.0,
    "do_trades": False,
    "initial_k_per_day": 20,
    "initial_raw_width": [1.0, 2.0, 3.0],
    "initial_memory_length": [10.0, 20.0, 30.0],
    "subsidary_pools": [],
    "optimisation_settings": {
        "base_lr": 0.01,
        "val_fraction": 0.25,
        "force_scalar": False,
        "optuna_settings": {
            "n_trials": 500,
            "n_jobs": 4,
            "study_name": None,
            "storage": {"type": "sqlite", "url": None},
            "early_stopping": {"enabled": False, "patience": 100, "min_improvement": 0.001},
            "parameter_config": {
                "log_k": {"low": -2, "high": 8, "log_scale": False, "scalar": False, "step": 1},
                "memory_length": {"low": 1, "high": 200, "log_scale": True},
            },
        },
    },
}


def test_import(tmp_path: Path):
    text, ignored = import_fingerprint(INCUMBENT)
    assert ignored == [
        "do_trades",
        "initial_memory_length",
        "initial_raw_width",
        "optimisation_settings.base_lr",
        "optimisation_settings.optuna_settings.early_stopping",
        "optimisation_settings.optuna_settings.n_jobs",
        "optimisation_settings.optuna_settings.parameter_config.log_k.step",
        "optimisation_settings.optuna_settings.parameter_config.memory_length",
        "optimisation_settings.optuna_settings.storage",
        "subsidary_pools",
    ]
    fingerprint = load_fingerprint(write(tmp_path, text))
    assert fingerprint.tokens == ("BTC", "ETH", "USDC")
    assert fingerprint.objective.metric == "sharpe"
    assert fingerprint.window.validation_fraction == 0.25
    assert fingerprint.search.n_trials == 500
    assert fingerprint.search.parameters["log_k"].high == 8.0
    assert fingerprint.search.early_stopping is None
    assert "start: 2022-06-01\n" in text


@given(mappings())
def test_import_keeps_the_meaning(tmp_path_factory: pytest.TempPathFactory, mapping: dict[str, Any]):
    folder = tmp_path_factory.getbasetemp()
    (folder / "fees.csv").touch()
    text, ignored = import_fingerprint(mapping)
    assert ignored == []
    assert load_fingerprint(write(folder, text)).digest == Fingerprint.from_dict(mapping).digest


def test_import_refuses_another_pool():
    with pytest.raises(ConfigError) as caught:
        import_fingerprint({**INCUMBENT, "rule": "mean_reversion_channel", "fees": -1}, name="old.json")
    assert [problem.split(" (")[0] for problem in caught.value.problems] == [
        "old.json: rule: unknown value",
        "old.json: fees: out of range",
    ]
