"""Scoring of batches: objective and metrics against plain numpy, batches against singles, count of compilations."""

from dataclasses import replace

import numpy as np
import pytest

from momentum_opt.study import evaluation
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.replay import replay
from momentum_opt.study.scoring import RECORDED
from momentum_opt.study.sharding import compiled_for
from momentum_opt.vocabulary.metrics import Cadence
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case, random_params
from tests.study.slices_oracle import plain_objective, slice_metrics, slice_turnover, windows_of

DAYS, TRAIN = 30, 22
CASE = Case.random(Pool(chunk_period=720, weight_interpolation_period=500, max_memory_days=3.0), 3, DAYS, history=4)
SETS = [random_params(3, CASE.pool.floor(3), seed) for seed in range(3)]
PATHS = [CASE.reference(params) for params in SETS]


def evaluator(case: Case = CASE, batch_size: int = 4, *, own_weights: bool = False, **keys) -> Evaluator:
    """With 22 days of train and 8 of validation; objective keys by their short names."""
    own = {name: keys.pop(name) for name in ("aggregate", "windows") if name in keys}
    optuna = {name: keys.pop(name) for name in ("overfitting_penalty", "multi_objective") if name in keys}
    settings = {"objective": own, "optimisation_settings": {"optuna_settings": optuna}}
    fingerprint = case.fingerprint(None, 0.27, **settings, **keys)
    assert fingerprint.periods.train == (0, TRAIN)
    return Evaluator(fingerprint, case.market, batch_size=batch_size, own_weights=own_weights)


def assert_close(found, wanted, **options):
    np.testing.assert_allclose(found, wanted, **{"rtol": 1e-9, "atol": 1e-12, **options})


def test_recorded_metrics_need_no_minute_values():
    scoring = evaluator().scoring
    assert scoring.names == RECORDED
    assert scoring.cadence == Cadence.LAST_MINUTE


def test_train_and_validation_metrics_are_the_oracles():
    scores = evaluator().score(SETS)
    for place, path in enumerate(PATHS):
        for found, days in ((scores.train, (0, TRAIN)), (scores.validation, (TRAIN, DAYS))):
            wanted = slice_metrics(CASE, path, days)
            assert set(found) == set(RECORDED)
            for name in RECORDED:
                assert_close(found[name][place], wanted[name], err_msg=name)
    assert_close(scores.objectives[:, 0], scores.train["daily_log_sharpe"], rtol=1e-12)


def test_evaluators_with_and_without_block_sums_take_turns():
    plain = evaluator()
    summing = Evaluator(plain.fingerprint, CASE.market, batch_size=4, constant_weight=np.zeros(DAYS))
    first = summing.score(SETS)
    assert plain.score(SETS).blocks is None
    again = summing.score(SETS)
    assert first.blocks is not None
    assert again.blocks is not None
    np.testing.assert_array_equal(again.blocks, first.blocks)
    np.testing.assert_array_equal(again.objectives, first.objectives)


OBJECTIVES = {
    "less is better": {"how": "worst", "windows": 3, "overfitting": 0.7, "metric": "weight_turnover"},
    "worst": {"how": "worst", "windows": 3},
    "mean_minus_std_overfitting": {"how": "mean_minus_std", "windows": 4, "overfitting": 0.7},
    "all_penalties": {"how": "mean", "windows": 3, "overfitting": 0.5, "turnover": 1e4},
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_are_the_plain_computation(name):
    asked = OBJECTIVES[name]
    keys = {"aggregate": asked["how"], "windows": asked["windows"]}
    keys |= {"overfitting_penalty": asked.get("overfitting", 0.0), "turnover_penalty": asked.get("turnover", 0.0)}
    metric = asked.get("metric", "returns")
    asked = {name: value for name, value in asked.items() if name != "metric"}
    found = evaluator(return_val=metric, **keys).score(SETS).objectives
    wanted = [plain_objective(CASE, path, metric, TRAIN, DAYS, **asked) for path in PATHS]
    assert_close(found[:, 0], wanted)
    plain = [plain_objective(CASE, path, metric, TRAIN, DAYS) for path in PATHS]
    assert (np.abs(found[:, 0] - plain) > 1e-6).all()  # what was asked for makes a difference


def test_several_objectives_are_mean_worst_and_steadiness():
    found = evaluator(multi_objective=True, windows=3, turnover_penalty=100.0).score(SETS).objectives
    for place, path in enumerate(PATHS):
        values = np.array(
            [
                slice_metrics(CASE, path, days)["daily_log_sharpe"] - 100.0 * slice_turnover(CASE, path, days)
                for days in windows_of(TRAIN, 3)
            ]
        )
        assert_close(found[place], [values.mean(), values.min(), -values.std()])


def test_turnover_between_rare_arbitrages_is_the_value_shares():
    """With q > 1 the shares drift with the prices in between: the penalty asks for minutes, and equals the replay."""
    case = replace(CASE, pool=replace(CASE.pool, arb_frequency=7))
    held = evaluator(case, turnover_penalty=50.0, overfitting_penalty=1.0)
    assert held.scoring.cadence == Cadence.MINUTE
    scores = held.score(SETS[:2])
    for place, params in enumerate(SETS[:2]):
        path = case.reference(params)
        wanted = plain_objective(case, path, "daily_log_sharpe", TRAIN, DAYS, overfitting=1.0, turnover=50.0)
        assert_close(scores.objectives[place, 0], wanted)
    assert evaluator(case).scoring.cadence == Cadence.LAST_MINUTE


def test_the_turnover_of_the_daily_path_is_that_of_the_reserves():
    """Summed per block where every bar arbitrages, in a train that ends inside no chunk and in long chunks."""
    for pool in (
        replace(CASE.pool, chunk_period=2880),
        replace(CASE.pool, weight_interpolation_method="approx_optimal"),
    ):
        case = replace(CASE, pool=pool)
        found = evaluator(case, return_val="returns", turnover_penalty=1e6, windows=3).score(SETS[:1]).objectives
        wanted = plain_objective(case, case.reference(SETS[0]), "returns", TRAIN, DAYS, windows=3, turnover=1e6)
        assert_close(found[0, 0], wanted)


@pytest.mark.slow
@pytest.mark.parametrize("walks", [False, True], ids=["XLA", "kernel"])
def test_a_minute_metric_equals_the_replay(walks: bool, monkeypatch: pytest.MonkeyPatch):
    """XLA rebuilds the minutes of a group at a time, where no kernel walks them."""
    keys = {"return_val": "calmar", "windows": 2, "overfitting_penalty": 0.5}
    monkeypatch.setattr(evaluation, "MINUTE_GROUP", 8)
    if not walks:
        monkeypatch.setattr(evaluation, "free_kernel_works", lambda *_: False)
    scored = evaluator(batch_size=10, own_weights=True, **keys)
    assert scored.width == (10 if walks else 16)
    sets = [random_params(3, CASE.pool.floor(3), seed) for seed in range(10)]
    scores = scored.score(sets)
    assert scores.objectives.shape == (10, 1)
    for place in (0, 9):
        alone = replay(scored.fingerprint, CASE.market, sets[place])
        assert_close(scores.objectives[place], alone.objectives)
        for name, values in scores.train.items():
            assert_close(values[place], alone.metrics["train"][name], err_msg=name)
        for name, values in scores.validation.items():
            assert_close(values[place], alone.metrics["validation"][name], err_msg=name)
    wanted = plain_objective(CASE, PATHS[1], "calmar", TRAIN, DAYS, windows=2, overfitting=0.5)
    assert_close(scores.objectives[1, 0], wanted)


def test_a_weekly_risk_is_the_oracles():
    scores = evaluator(return_val="weekly_var_95%", batch_size=3).score(SETS)
    wanted = [slice_metrics(CASE, path, (0, TRAIN))["weekly_var_95%"] for path in PATHS]
    assert_close(scores.objectives[:, 0], wanted)


def test_a_day_end_metric_needs_no_minutes():
    scored = evaluator(return_val="daily_var_95%_trad")
    assert scored.scoring.cadence == Cadence.DAY_END
    wanted = [slice_metrics(CASE, path, (0, TRAIN))["daily_var_95%_trad"] for path in PATHS]
    assert_close(scored.score(SETS).objectives[:, 0], wanted)


SMALL = Case.random(Pool(chunk_period=360, max_memory_days=3.0), 3, DAYS, history=4)
MANY = [random_params(3, SMALL.pool.floor(3), seed) for seed in range(64)]


def test_a_batch_of_64_is_64_singles():
    together, single = evaluator(SMALL, 64).score(MANY), evaluator(SMALL, 1)
    for place, params in enumerate(MANY):
        alone = single.score([params])
        assert_close(alone.objectives[0], together.objectives[place], rtol=1e-12)
        for one, other in ((alone.train, together.train), (alone.validation, together.validation)):
            for name, values in one.items():
                assert_close(values[0], other[name][place], rtol=1e-12, atol=1e-14, err_msg=name)


def test_more_sets_than_the_width_go_in_pieces():
    narrow = evaluator(SMALL, 4)
    for one, other in zip(narrow.score(MANY[:10]), narrow.score(MANY[4:10]), strict=True):
        if isinstance(one, dict):
            for name, values in one.items():
                np.testing.assert_array_equal(values[4:], other[name])
        elif one is not None:  # no block sums were asked for
            np.testing.assert_array_equal(one[4:], other)


def test_a_candidate_that_goes_wrong_leaves_the_others_untouched():
    wide = evaluator(SMALL, 4)
    spoilt = [MANY[0], MANY[1] | {"log_k": np.full(3, np.nan)}, MANY[2]]
    clean, found = wide.score(MANY[:3]), wide.score(spoilt)
    np.testing.assert_array_equal(found.objectives[[0, 2]], clean.objectives[[0, 2]])
    assert np.isnan(found.objectives[1]).all()
    for name, values in clean.train.items():
        np.testing.assert_array_equal(found.train[name][[0, 2]], values[[0, 2]])
        assert not np.isfinite(found.train[name][1]), name


def test_one_compilation_serves_a_study_and_what_may_be_swept():
    """Short batches are padded; values, penalties, speed limits within one engine, and prices are traced."""
    before = compiled_for.cache_info().misses
    sized = evaluator(SMALL, 5, aggregate="worst", windows=2)
    for count in (5, 5, 3, 1, 5, 12):
        assert sized.score(MANY[:count]).objectives.shape == (count, 1)
    assert compiled_for.cache_info().misses == before + 1

    swept = []
    fast = replace(SMALL, pool=replace(SMALL.pool, maximum_change=1e-4))
    rich = replace(SMALL, pool=replace(SMALL.pool, initial_pool_value=5.0))
    floor = replace(SMALL, pool=replace(SMALL.pool, minimum_weight=0.02))
    other = SMALL.with_prices(SMALL.prices[::-1].copy())
    for case in (fast, rich, floor, other):
        swept.append(evaluator(case, 5, aggregate="worst", windows=2))
    for case, penalties in ((other, {"overfitting_penalty": 0.5}), (SMALL, {"turnover_penalty": 3.0})):
        swept.append(evaluator(case, 5, aggregate="worst", windows=2, **penalties))
    first = sized.score(MANY[:5]).objectives
    changed = [float(np.abs(one.score(MANY[:5]).objectives - first).max()) > 1e-6 for one in swept]
    assert compiled_for.cache_info().misses == before + 1
    assert changed == [True, False, True, True, True, True]  # the value drops out of a Sharpe ratio, nothing else does


def test_single_precision_is_close():
    exact = evaluator(SMALL, 4).score(MANY[:4])
    fingerprint = evaluator(SMALL, 4).fingerprint
    rough = Evaluator(fingerprint, SMALL.market, batch_size=4, precision="float32").score(MANY[:4])
    assert rough.objectives.dtype == np.float64
    assert_close(rough.objectives, exact.objectives, rtol=0.02, atol=0.02)
