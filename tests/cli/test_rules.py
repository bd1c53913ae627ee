"""The other rules from the command line, end to end: tuned, replayed, listed, shown; and what is refused of them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import load_market
from tests.cli.test_onchain import ADDRESSES
from tests.cli.test_report import code as with_page
from tests.cli.test_tune import code
from tests.results.report.pages import outline
from tests.sample_runs import LITTLE_EVIDENCE, SAMPLE, SMOKE, TOKENS

LITTLE = ("--trials", "8", *LITTLE_EVIDENCE)


def tuned_with(rule: str, folder: Path, *arguments: str) -> dict:
    """best.json of a short tune with `rule`, which `backtest` then repeats."""
    run = folder / "run"
    words = ("tune", SMOKE, "--set", f"pool.rule={rule}", *LITTLE, "--run-dir", run, *arguments)
    assert (with_page if "--report" in arguments else code)(*(word for word in words if word != "--report")) == 0
    assert code("backtest", "--params", run / "best.json", "--out", folder / "replay") == 0
    best = json.loads((run / "best.json").read_text())
    summary = json.loads((folder / "replay" / "summary.json").read_text())
    assert summary["metrics"]["test"] == best["metrics"]["test"]
    assert json.loads((run / "evidence.json").read_text())["verdict"]["rules"]
    return best


@pytest.mark.slow
def test_anti_momentum(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    best = tuned_with("anti_momentum", tmp_path)
    assert list(best["readable"]) == ["k_per_day", "memory_days", "lamb", "initial_weights"]
    shown = capsys.readouterr().out
    assert "replay check passed: minute-by-minute replay reproduces the tuned objective" in shown
    weights = pd.read_parquet(tmp_path / "replay" / "daily.parquet")[[f"weight_{token}" for token in TOKENS]]
    assert np.ptp(weights.to_numpy(), axis=0).max() > 1e-3


@pytest.mark.slow
def test_constant_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    best = tuned_with("constant_weight", tmp_path, "--report")
    run, shown = tmp_path / "run", capsys.readouterr().out
    assert list(best["params"]) == ["initial_weights_logits"]
    assert list(best["readable"]) == ["initial_weights"]
    assert "token    initial weight" in shown
    assert "k per day" not in shown
    html = (run / "report.html").read_text()
    assert '"initial weight, SYNA"' in html  # of a figure, whose definition is no text of the page
    assert "memory (days)" not in outline(html).text
    baselines = best["baselines"]["train"]
    equal = baselines["constant_weight"]["returns"]  # not the winner itself: the weights of the configuration
    fingerprint = Fingerprint.from_dict(best["fingerprint"])
    window = fingerprint.window
    market = load_market(SAMPLE, TOKENS, start=window.start, end=window.end, burn_in_days=30)
    prices = market.prices[market.start_row :][: fingerprint.periods.train[1] * 1440]
    growth = np.log(prices[-1] / prices[0])
    assert equal == pytest.approx(np.expm1(growth.mean()), abs=1e-9)
    kept = np.array([best["readable"]["initial_weights"][token] for token in TOKENS])
    assert best["metrics"]["train"]["returns"] == pytest.approx(np.expm1(growth @ kept), abs=1e-9)

    assert code("trials", run) == 0
    assert "initial_weights SYNA / SYNB / SYNUSD" in capsys.readouterr().out
    state = tmp_path / "state.json"
    assert code("weights", "--params", run / "best.json", "--state", state) == 0
    capsys.readouterr()
    assert code("weights", "--params", run / "best.json", "--state", state, "--json") == 0
    target = json.loads(capsys.readouterr().out)["weights"]["target"]
    assert [target[token] for token in TOKENS] == pytest.approx(kept, abs=1e-12)


@pytest.mark.slow
def test_constant_weights_walk_forward(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folds = ("window.test_end=null", "walk_forward.train_days=20", "walk_forward.test_days=10")
    settings = [word for fold in folds for word in ("--set", fold)]
    words = ("walk-forward", SMOKE, "--set", "pool.rule=constant_weight", *settings, *LITTLE)
    assert with_page(*words, "--run-dir", tmp_path / "walk") == 0
    assert "initial weight SYNA" in capsys.readouterr().out
    assert "initial weight, SYNA" in outline((tmp_path / "walk" / "report.html").read_text()).text


REMEDIES = {"anti_momentum": "tune with pool.rule: momentum", "constant_weight": "create a weighted pool"}


@pytest.mark.parametrize("rule", REMEDIES)
def test_what_no_contract_can_do_is_refused(rule: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = tmp_path / "config.yaml"
    config.write_text(SMOKE.read_text().replace("../data/sample", str(SAMPLE)) + f"\npool: {{rule: {rule}}}\n")
    config.write_text(config.read_text().replace("pool:\n  max_memory_days: 30\n", ""))
    names = {"initial_weights": 1 / 3} | ({"log_k": 4, "memory_days": 5} if rule == "anti_momentum" else {})
    params = tmp_path / "params.json"
    params.write_text(json.dumps({"params": names}))
    addresses = tmp_path / "addresses.yaml"
    addresses.write_text("".join(f'{token}: "{address}"\n' for token, address in ADDRESSES.items()))
    for words in (("export", "--addresses", addresses), ("rehearse", "--out", tmp_path / "out")):
        assert code(*words, "--params", params, "--config", config) == 2
        said = capsys.readouterr().err.strip()
        assert said.count("\n") == 0
        assert f"pool.rule: {rule}; what is deployed and rehearsed is the contract's momentum rule" in said
        assert REMEDIES[rule] in said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            ("search.parameters.log_k.low=1",),
            "no parameter of the constant_weight rule; choose one of initial_weights_logits",
        ),
        (("search.force_scalar=true",), "search.force_scalar=true: leaves the constant_weight rule nothing to search"),
        (
            ("search.parameters.initial_weights_logits.scalar=true",),
            "initial_weights_logits.scalar=true: leaves the constant_weight rule nothing to search",
        ),
        (("pool.use_alt_lamb=true",), "pool.use_alt_lamb=true: the constant_weight rule has no second memory"),
    ],
)
def test_settings_that_mean_nothing_to_constant_weights(
    settings: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
):
    words = [word for setting in ("pool.rule=constant_weight", *settings) for word in ("--set", setting)]
    assert code("config", "check", SMOKE, *words) == 2
    found = capsys.readouterr().err.strip()
    assert said in found
    assert len([line for line in found.splitlines() if "--set" in line or "pool" in line or "search" in line]) == 1


def test_idle_settings_are_said(capsys: pytest.CaptureFixture[str]):
    words = ("pool.rule=constant_weight", "search.initial.initial_k_per_day=3")
    assert code("config", "show", SMOKE, *(word for one in words for word in ("--set", one))) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "pool.max_memory_days: the constant_weight rule has no memory" in shown
    assert "the constant_weight rule reads initial_weights_logits alone" in shown


def test_parameters_of_another_rule_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    params = tmp_path / "params.json"
    params.write_text(json.dumps({"params": {"k_per_day": 20, "memory_days": 10}}))
    words = ("backtest", "--params", params, "--config", SMOKE, "--out", tmp_path / "out")
    assert code(*words, "--set", "pool.rule=constant_weight") == 2
    wanted = "unknown parameter k_per_day, memory_days of the constant_weight rule; use initial_weights_logits"
    assert wanted in capsys.readouterr().err
