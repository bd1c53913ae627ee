"""Worst drawdown and fee yield of the best trials, against the plain minute loop; what a tune's table holds of them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentum_opt.cli.app import main
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.results.trial_list import TrialList, choose_rows, condition_columns, partly_known
from momentum_opt.simulation import worst_fall
from momentum_opt.simulation.worst_fall import BlockPaths, worst_falls
from momentum_opt.study.candidates import as_columns
from momentum_opt.study.minute_figures import MINUTE_FIGURES, minute_figures
from momentum_opt.study.trials import TrialRecord, leading
from tests.reference.metrics import drawdowns_of
from tests.reference.minute_loop import Pool
from tests.sample_runs import LITTLE_EVIDENCE, SMOKE, smoke, tuned
from tests.simulation.cases import Case, random_params
from tests.study.slices_oracle import slice_metrics

TRAIN = 3
QUICK = Pool(chunk_period=240, weight_interpolation_period=180, max_memory_days=2.0, maximum_change=1e-4)
CASES = {
    "closed form, three tokens": (QUICK, 3),
    "closed form, eight tokens of hourly bars": (
        Pool(bar_minutes=60, chunk_period=480, max_memory_days=2.0, maximum_change=5e-6, minimum_weight=0.01),
        8,
    ),
    "chunks of two days": (replace(QUICK, chunk_period=2880, weight_interpolation_period=2000), 3),
    "in chunk": (Pool(chunk_period=60, max_memory_days=2.0, maximum_change=1e-3), 2),
    "arbitrage every 15 minutes": (replace(QUICK, arb_frequency=15), 2),
    "with costs": (replace(QUICK, fees=0.003, noise_trader_ratio=1.0, protocol_fee_split=0.25), 2),
}


@pytest.mark.parametrize("name", CASES)
def test_against_the_minute_loop(name: str) -> None:
    case = Case.random(*CASES[name], TRAIN + 3, seed=5)
    sets = [random_params(case.n, case.pool.floor(case.n), seed) for seed in range(3)]
    found = minute_figures(case.fingerprint(None, 0.5, return_val="returns"), case.market, as_columns(sets))
    for place, params in enumerate(sets):
        wanted = slice_metrics(case, case.reference(params), (0, TRAIN))
        for metric in MINUTE_FIGURES:
            np.testing.assert_allclose(found[metric][place], wanted[metric], rtol=1e-9, atol=1e-13, err_msg=metric)


ROUGH = st.sampled_from([0.0, 1e-6, 1e-3, 3e-2])


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), ROUGH, ROUGH)
def test_no_block_that_matters_is_left_out(seed: int, blocks: int, volatility: float, jumps: float) -> None:
    """Every bar of every block in a plain loop over minutes; most of the blocks are never looked at bar by bar."""
    generator = np.random.default_rng(seed)
    bars, assets, candidates = 12, 3, 4
    walk = generator.normal(0.0, volatility, (blocks * bars + 1, assets))
    walk[::bars] += generator.normal(0.0, jumps, walk[::bars].shape)
    log_prices = np.cumsum(walk, axis=0)
    moving = generator.integers(1, bars + 1, blocks).astype(float)
    starts, step = np.empty((2, blocks, assets, candidates))
    log_value = np.empty((blocks, candidates))
    weight, value, values = generator.dirichlet(np.full(assets, 20.0), candidates).T, np.zeros(candidates), []
    for block in range(blocks):
        move = generator.normal(0.0, 0.002, (assets, candidates))
        starts[block], step[block], log_value[block] = weight, (move - move.mean(axis=0)) / moving[block], value
        for bar in range(bars):
            values.append(np.exp(value))
            ratio = log_prices[block * bars + bar + 1] - log_prices[block * bars + bar]
            after = starts[block] + step[block] * min(bar + 1, moving[block])
            value = value + (weight * ratio[:, None] - after * np.log(after / weight)).sum(axis=0)
            weight = after
    paths = BlockPaths(starts, step, log_value, moving)
    found = worst_falls(paths, log_prices[:-1].reshape(blocks, bars, assets))
    np.testing.assert_allclose(found, drawdowns_of(np.array(values).T).min(axis=1), rtol=1e-9, atol=1e-12)


def test_few_blocks_are_looked_at_bar_by_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case.random(QUICK, 3, 40, seed=1)
    seen: list[np.ndarray] = []
    real = worst_fall._exact_falls
    monkeypatch.setattr(worst_fall, "_exact_falls", lambda *arguments: seen.append(arguments[-1]) or real(*arguments))
    sets = [random_params(case.n, case.pool.floor(case.n), seed) for seed in range(3)]
    minute_figures(case.fingerprint(None, 0.0, return_val="returns"), case.market, as_columns(sets))
    assert 0 < seen[0].mean() < 0.1


def trial(number: int, *objectives: float, violation: float = 0.0) -> TrialRecord:
    return TrialRecord(number, {}, objectives, {}, {}, None if objectives else "broken", violation=violation)


def test_the_leading_trials() -> None:
    """Those that keep the limits first; of several objectives those that none beats."""
    single = [trial(0, 1.0), trial(1), trial(2, 3.0), trial(3, 9.0, violation=0.1), trial(4, 3.0)]
    assert [one.number for one in leading(single, 4)] == [2, 4, 0, 3]
    assert [one.number for one in leading(single, 2)] == [2, 4]
    several = [trial(0, 5.0, 0.0), trial(1, 4.0, -1.0), trial(2, 1.0, 9.0), trial(3, 9.0, 9.0, violation=1.0)]
    assert [one.number for one in leading(several, 9)] == [0, 2, 1, 3]


def test_a_tune_shows_them_of_its_best_trials(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    """The winner's are those of its replay at every bar."""
    folder = tuned(tmp_path_factory.getbasetemp())[1]
    rows = pd.read_parquet(folder / "trials.parquet").set_index("number")
    best = json.loads((folder / "best.json").read_text())
    for metric in (*MINUTE_FIGURES, "weight_turnover"):
        np.testing.assert_allclose(rows[f"train_{metric}"][best["trial"]], best["metrics"]["train"][metric], rtol=1e-9)
    known = rows["train_max_drawdown"].notna()
    assert known.sum() == min(64, len(rows))
    assert not (rows["objective"][~known] > rows["objective"][known].min()).any()
    with pytest.raises(SystemExit):
        main(["trials", str(folder), "--where", "train_max_drawdown < -0.05", "--sort", "train_max_drawdown", "--json"])
    captured = capsys.readouterr()
    found = json.loads(captured.out)["trials"]
    wanted = rows[rows["train_max_drawdown"] < -0.05].sort_values("train_max_drawdown", ascending=False)
    assert [row["number"] for row in found] == wanted.index.tolist()
    assert {f"train_{name}" for name in (*MINUTE_FIGURES, "weight_turnover")} <= set(found[0])


def test_a_filter_says_of_how_many_trials_a_figure_is_known() -> None:
    rows = pd.DataFrame(
        {
            "state": ["COMPLETE", "COMPLETE", "COMPLETE", "FAIL"],
            "train_max_drawdown": [-0.1, np.nan, -0.2, np.nan],
            "train_returns": [0.1, 0.2, 0.3, np.nan],
            "near": [np.nan, 0.0, np.nan, np.nan],
        }
    )
    trials = TrialList(rows, smoke(), RunFolder(Path("run")))
    named = [*condition_columns(["train_max_drawdown > -0.3", "near = 0", "nonsense"]), "train_returns"]
    assert partly_known(trials, named) == ["train_max_drawdown is known of 2 trials, the best when the tune ended"]
    assert choose_rows(trials, where=["train_max_drawdown > -0.15"], sort="train_returns").rows.index.tolist() == [0]


@pytest.mark.slow
def test_with_costs_they_are_those_of_the_replay(tmp_path: Path) -> None:
    run = tmp_path / "run"
    costs = ("--set", "costs.fees=0.003", "--trials", "16", *LITTLE_EVIDENCE)
    with pytest.raises(SystemExit):
        main(["tune", str(SMOKE), "--run-dir", str(run), "--json", "--no-report", *costs])
    rows = pd.read_parquet(run / "trials.parquet").set_index("number")
    best = json.loads((run / "best.json").read_text())
    assert best["metrics"]["train"]["fee_yield"] > 0
    for metric in MINUTE_FIGURES:
        np.testing.assert_allclose(rows[f"train_{metric}"][best["trial"]], best["metrics"]["train"][metric], rtol=1e-9)
