"""`objective.metrics`: several metrics as objectives, each in its direction, against plain numpy and brute force."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from momentum_opt.cli.app import main
from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.study.evaluation import Evaluator
from tests.reference.minute_loop import Pool
from tests.sample_runs import LITTLE_EVIDENCE, NO_NEIGHBOURS, SMOKE, smoke
from tests.simulation.cases import Case, random_params
from tests.study.slices_oracle import slice_metrics

METRICS = ("daily_log_sharpe", "max_drawdown", "weight_turnover")
SEVERAL = f"objective.metrics=[{', '.join(METRICS)}]"
COLUMNS = [f"objective_{name}" for name in METRICS]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("objective.metrics=[calmar]",), "one metric is one objective; give objective.metric: calmar instead"),
        (("objective.metrics=[returns, returns]",), "[1]: the same metric twice ('returns'); list every metric once"),
        (("objective.metrics=[returns, sharp]",), "[1]: unknown metric ('sharp'); did you mean sharpe?"),
        (("objective.metrics=[]",), "no metric in the list ([]); list two or more, or leave it out"),
        (("objective.metrics=returns",), "not a list of metrics ('returns'); write it as [daily_log_sharpe, "),
        ((SEVERAL, "objective.metric=returns"), "together with objective.metrics, of which it is not the first"),
        ((SEVERAL, "objective.multi_objective=true", "objective.windows=2"), "together with multi_objective, which"),
        ((SEVERAL, "search.sampler=cmaes"), "cannot search for several objectives ('cmaes'); take nsga2"),
        ((SEVERAL, "search.sampler=memetic"), "cannot search for several objectives ('memetic'); take nsga2"),
        (("objective.metrics=[returns, fee_yield]",), "is 0 for every pool where nothing is paid for a swap"),
        (("objective.metrics=[returns, ulcer]",), "and ulcer needs 30"),
    ],
)
def test_what_is_refused(settings: Sequence[str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        smoke(*settings)
    assert said in str(refused.value)


def test_what_follows_from_a_list_of_metrics() -> None:
    run = smoke(SEVERAL)
    aim = run.objective
    assert run.search.sampler == "nsga2"
    assert (aim.metric, aim.parts, aim.columns, aim.signs) == (METRICS[0], METRICS, tuple(COLUMNS), (1, 1, -1))
    assert Fingerprint.from_dict(run.to_dict()).digest == run.digest
    digests = {smoke(*settings).digest for settings in ((), (SEVERAL,), ("objective.metrics=[returns, calmar]",))}
    assert len(digests) == 3
    assert smoke("objective.metrics=null").digest == smoke().digest
    fixed = smoke("objective.multi_objective=true", "objective.windows=2", "objective.metric=weight_turnover")
    assert fixed.objective.columns == ("objective_mean", "objective_worst", "objective_steadiness")
    assert fixed.objective.signs == (-1, -1, 1)


@pytest.mark.parametrize("costs", [{}, {"fees": 0.003}], ids=["free", "with a fee"])
def test_each_objective_is_aggregated_alike(costs: dict[str, float]) -> None:
    """Mean less deviation over two windows, less a penalty for what train is ahead of validation; higher is better."""
    pool = Pool(chunk_period=240, weight_interpolation_period=180, max_memory_days=2.0, maximum_change=1e-4, **costs)
    case = Case.random(pool, 2, 12, seed=7)
    sets = [random_params(2, pool.floor(2), seed) for seed in range(3)]
    penalty = 0.25
    fingerprint = case.fingerprint(
        None, 0.5, return_val=METRICS[0],
        objective={"metrics": list(METRICS), "windows": 2, "aggregate": "mean_minus_std"},
        optimisation_settings={"optuna_settings": {"overfitting_penalty": penalty}},
    )  # fmt: skip
    found = Evaluator(fingerprint, case.market, batch_size=4).score(sets)
    assert found.objectives.shape == (3, 3)
    for row, params in enumerate(sets):
        path = case.reference(params)
        slices = [slice_metrics(case, path, days) for days in ((0, 3), (3, 6), (6, 12))]
        for column, (name, sign) in enumerate(zip(METRICS, (1, 1, -1), strict=True)):
            first, second, validation = (sign * one[name] for one in slices)
            reached = (first + second) / 2 - abs(first - second) / 2
            wanted = reached - penalty * max(0.0, reached - validation)
            np.testing.assert_allclose(found.objectives[row, column], wanted, rtol=1e-9, atol=1e-11, err_msg=name)


def told(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> dict:
    """What a command prints with --json."""
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments), "--json"])
    captured = capsys.readouterr()
    assert ended.value.code == code, captured.err
    return json.loads(captured.out)


@pytest.mark.slow
def test_a_tune_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Front and balanced point by brute force among the trials that keep a limit; a resume equals one long tune."""
    run, whole = tmp_path / "run", tmp_path / "whole"
    settings = ("--set", SEVERAL, "--set", "objective.limits.returns.min=-0.03", *LITTLE_EVIDENCE, "--no-report")
    settings += tuple(word for one in NO_NEIGHBOURS for word in ("--set", one))  # else those of 16 trials enter, too
    told(capsys, "tune", SMOKE, "--run-dir", run, "--trials", "16", *settings)
    document = told(capsys, "tune", SMOKE, "--run-dir", run, "--trials", "32", *settings)
    other = told(capsys, "tune", SMOKE, "--run-dir", whole, "--trials", "32", *settings)
    assert {row["number"] for row in document["pareto"]} == {row["number"] for row in other["pareto"]}
    rows = pd.read_parquet(run / "trials.parquet").set_index("number")
    pd.testing.assert_frame_equal(rows, pd.read_parquet(whole / "trials.parquet").set_index("number"))
    for name in METRICS:
        np.testing.assert_allclose(rows[f"objective_{name}"], rows[f"train_{name}"], rtol=1e-12)
    kept = rows[rows["feasible"]]
    assert 0 < len(kept) < len(rows)
    points = kept[COLUMNS].to_numpy() * np.array([1, 1, -1])
    front = [
        number
        for number, point in zip(kept.index, points, strict=True)
        if not ((points >= point).all(axis=1) & (points > point).any(axis=1)).any()
    ]
    front = kept.loc[front].drop_duplicates(COLUMNS).index  # trials that are alike stand once, the first
    assert {row["number"] for row in document["pareto"]} == set(front)
    on_front = points[[number in front for number in kept.index]]
    scaled = (on_front - on_front.min(axis=0)) / np.ptp(on_front, axis=0)
    balanced = kept.index[[number in front for number in kept.index]][np.argmin(np.linalg.norm(1 - scaled, axis=1))]
    best = document["best"]
    assert best["trial"] == balanced
    aim = best["objective"]
    assert (aim["metric"], aim["metrics"], aim["aggregate"]) == (METRICS[0], list(METRICS), "mean")
    assert aim["value"] == rows.loc[balanced, COLUMNS].tolist()
    picks = {name: row for row in document["pareto"] for name in row["pick"].split(", ") if name}
    assert set(picks) == {"balanced", "knee", *(f"best {name}" for name in METRICS)}
    assert picks["best weight_turnover"]["objective_weight_turnover"] == kept["objective_weight_turnover"].min()
    assert best["convergence"]["converged"] is None
    replayed = told(capsys, "backtest", "--params", run / "best.json")
    np.testing.assert_allclose(replayed["objective"]["value"], aim["value"], rtol=1e-9)
    exported = tmp_path / "calmest.json"
    calmest = picks["best max_drawdown"]["number"]
    told(capsys, "trials", run, "export", str(calmest), "--out", exported)
    assert json.loads(exported.read_text())["objective"]["value"] == rows.loc[calmest, COLUMNS].tolist()
    with pytest.raises(SystemExit):
        main(["tune", str(SMOKE), "--run-dir", str(run), "--trials", "32", *settings])
    text = capsys.readouterr().out
    assert "objectives (mean): daily_log_sharpe " in text
    assert "several objectives have no single gain" in text
    with pytest.raises(SystemExit):
        main(["report", str(run)])
    page = (run / "report.html").read_text()
    assert "objective daily_log_sharpe and max_drawdown and weight_turnover" in page


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "qmc", "random"])
def test_samplers_that_take_several_objectives(
    sampler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ("--set", "objective.metrics=[returns, weight_turnover]", "--set", f"search.sampler={sampler}")
    few = ("--trials", "16", "--set", "evidence.enabled=false", "--set", "search.screen=16", "--no-report")
    document = told(capsys, "tune", SMOKE, "--run-dir", tmp_path / "run", *settings, *few)
    assert len(document["best"]["objective"]["value"]) == 2
    assert document["best"]["study"]["n_trials"] == 16
