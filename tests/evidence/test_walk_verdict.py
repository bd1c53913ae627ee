"""Rules of a walk-forward on joined days made by hand, and the page of a run that looks good and is not."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from momentum_opt.api.walk_forward import summarise
from momentum_opt.cli.folds import fold_table, summary_lines
from momentum_opt.evidence.folds import folds_of
from momentum_opt.evidence.walk_forward import CURVES, FoldDays, curve_findings, random_spread
from momentum_opt.evidence.walk_verdict import AHEAD, INSIGNIFICANT, UNCONFIRMED, UNDECIDED, walk_verdict
from momentum_opt.results.files import write_json
from momentum_opt.results.report.walk_page import WalkFiles, walk_page
from momentum_opt.results.walk_forward import days_table
from momentum_opt.study.space import search_space
from tests.results.report.pages import outline
from tests.sample_runs import smoke

FOLDS, DAYS = 6, 92
T = FOLDS * DAYS


def standard(count: int, seed: int) -> np.ndarray:
    """Noise with mean 0 and std 1 exactly."""
    noise = np.random.default_rng(seed).standard_normal(count)
    return (noise - noise.mean()) / noise.std()


def joined(pool: np.ndarray, **baselines: np.ndarray) -> FoldDays:
    fold = np.repeat(np.arange(1, FOLDS + 1), DAYS)
    times = np.arange(T) * 86_400_000 + 1_640_995_200_000
    return FoldDays(times, fold, {"pool": pool, **baselines})


def ahead_of(edge: float, seed: int = 0) -> FoldDays:
    """Days whose excess over the constant-weight pool has a mean of `edge` of its standard deviations."""
    constant = 0.02 * standard(T, seed + 100)
    excess = 0.01 * (standard(T, seed) + edge)
    return joined(constant + excess, constant_weight=constant, hodl=constant, uniform_hodl=constant)


def judged(days: FoldDays, spread: float | None = 0.05, n_folds: int = FOLDS, draws: int = 4000):
    curves = {name: curve_findings(days, name, draws=50, seed=0) for name in CURVES}
    return walk_verdict(days, curves, spread, random_spread(FOLDS), n_folds=n_folds, draws=draws, seed=1)


def met(found) -> dict[str, bool | None]:
    return {rule.name: rule.met for rule in found.rules}


def test_all_four_rules():
    found = judged(ahead_of(0.2))
    assert met(found) == {"excess": True, "baselines": True, "folds": True, "spread": True}
    assert found.outcome == AHEAD
    assert found.words.startswith("ahead of the constant-weight pool; all four rules")
    assert [rule.threshold for rule in found.rules] == [0.95, 0.0, 0.6, 0.5]


def test_the_probability_is_that_of_a_normal_mean():
    """Independent days: the bootstrap's share is Φ(S √T) of the sampling distribution, up to its own noise."""
    for edge in (0.0, 0.03, 0.08):
        value = judged(ahead_of(edge)).rules[0].value
        assert value == pytest.approx(0.5 * (1 + math.erf(edge * math.sqrt(T) / math.sqrt(2))), abs=0.04)


def test_each_rule_can_fail_alone():
    good = ahead_of(0.2)
    pool, constant = good.returns["pool"], good.returns["constant_weight"]
    better = joined(pool, constant_weight=constant, uniform_hodl=constant, hodl=pool + 0.01 * np.abs(pool))
    assert met(judged(better)) == {"excess": True, "baselines": False, "folds": True, "spread": True}
    assert judged(better).outcome == UNCONFIRMED

    lucky = constant + 1e-3 * (standard(T, 7) - 0.3)  # behind by little in most folds, ahead by much in two
    lucky[: 2 * DAYS] += 0.01
    found = judged(joined(lucky, constant_weight=constant, hodl=constant, uniform_hodl=constant))
    assert met(found) == {"excess": True, "baselines": True, "folds": False, "spread": True}
    assert found.rules[2].value == pytest.approx(2 / 6)

    assert met(judged(good, spread=random_spread(FOLDS) / 2)) == {
        "excess": True, "baselines": True, "folds": True, "spread": False,
    }  # fmt: skip
    assert judged(good, spread=None).outcome == UNCONFIRMED
    assert met(judged(good, spread=None))["spread"] is None


def test_whatever_else_is_met_a_chance_excess_is_not_significant():
    found = judged(ahead_of(0.02))
    assert met(found)["excess"] is False
    assert found.outcome == INSIGNIFICANT


def test_folds_that_are_missing_leave_it_undecided():
    found = judged(ahead_of(0.2), n_folds=FOLDS + 1)
    assert (found.outcome, found.words) == (UNDECIDED, "not decided; 6 of 7 folds are done")


def test_the_spread_of_random_winners():
    """√((n − 1)/(12 n)) against draws."""
    rng = np.random.default_rng(0)
    for count in (2, 5, 20):
        drawn = rng.uniform(0.0, 1.0, (200_000, count)).std(axis=1)
        assert random_spread(count) == pytest.approx(math.sqrt((drawn**2).mean()), rel=5e-3)


def of_sharpe(annual: float, noise: np.ndarray, scale: float) -> np.ndarray:
    return scale * (noise + annual / math.sqrt(365))


@pytest.fixture
def looks_good(tmp_path) -> tuple[WalkFiles, dict]:
    """The run of issue 18: Sharpe 1.34 against 1.58, 1.64 and 1.66, more return, 58 % sure, winners as random ones.

    The pool's returns are those of the constant-weight pool and orthogonal noise, of which mean and scale are solved
    for both numbers.
    """
    base = standard(T, 11)
    constant = of_sharpe(1.66, base, 0.025)
    apart = standard(T, 12)
    apart = apart - (apart @ base) / T * base
    apart = (apart - apart.mean()) / apart.std()
    excess = 0.2019 / math.sqrt(T)  # Φ(0.2019) = 0.58

    def sharpe_with(scale: float) -> float:
        pool = constant + scale * (apart + excess)
        return math.sqrt(365) * pool.mean() / pool.std() - 1.34

    scale = brentq(sharpe_with, 0.001, 0.1)
    days = joined(
        constant + scale * (apart + excess),
        constant_weight=constant,
        hodl=of_sharpe(1.58, standard(T, 13), 0.03),
        uniform_hodl=of_sharpe(1.64, standard(T, 14), 0.03),
    )
    fingerprint = smoke(
        "window.start=2021-01-01", "window.end=2023-07-01", "window.test_end=null",
        "walk_forward.train_days=350", "walk_forward.test_days=92",
    )  # fmt: skip
    space, rng = search_space(fingerprint), np.random.default_rng(3)
    done = [fold_document(number, space, rng, fingerprint.tokens) for number in range(1, FOLDS + 1)]
    folds = folds_of(fingerprint)
    assert len(folds) == FOLDS
    file = {
        "token": "SYNA", "file": "SYNA_USD.parquet", "sha256": "cd" * 32, "first": "2020-12-02T00:00:00Z",
        "last": "2023-06-30T23:59:00Z", "rows": 1_354_321, "filled_minutes": 7,
    }  # fmt: skip
    data = {"root": "prices", "bar_minutes": 1, "burn_in_days": 30, "files": [file]}
    summary = summarise(fingerprint, folds, done, days, "finished", data)
    files = WalkFiles(tmp_path)
    write_json(files.summary, summary)
    days_table(days, 1e6).to_parquet(files.days)
    return files, summary


def fold_document(number: int, space, rng, tokens) -> dict:
    """A fold whose winner lies anywhere in the ranges; the third one's in-sample metric is next to nothing."""
    numbers = {key: rng.uniform(one.low, one.high) for key, one in space.ranges.items()}
    params = {one.name: dict(zip(tokens, (numbers[key] for key in one.keys), strict=True)) for one in space.sampled}
    forms = dict.fromkeys(tokens, 1.0)
    inside, outside = (0.01, 1.67) if number == 3 else (4.0, 1.3)
    return {
        "fold": number, "train_start": "2021-01-01", "test_start": "2022-01-01", "test_end": "2022-04-01",
        "in_sample": {"daily_log_sharpe": inside}, "in_sample_error": 1.02,
        "out_of_sample": {"daily_log_sharpe": outside, "returns": 0.1}, "efficiency": None, "params": params,
        "baselines": {"constant_weight": {"returns": 0.05, "daily_log_sharpe": 1.0}}, "converged": number != 3,
        "readable": {"k_per_day": forms, "memory_days": forms}, "data": {"files": []},
    }  # fmt: skip


def test_a_run_that_looks_good_says_not_significant_and_why(looks_good):
    files, summary = looks_good
    curves = summary["out_of_sample"]
    assert [round(curves[name]["annual_sharpe"], 2) for name in CURVES] == [1.34, 1.58, 1.64, 1.66]
    assert curves["pool"]["total_return"] > curves["constant_weight"]["total_return"]  # so "ahead", once
    assert summary["verdict"]["outcome"] == INSIGNIFICANT
    assert summary["verdict"]["rules"][0]["value"] == pytest.approx(0.58, abs=0.03)
    assert met_of(summary) == {"excess": False, "baselines": False, "folds": met_of(summary)["folds"], "spread": False}

    found = outline(walk_page(files).html)
    assert ("h2", "Not significant") in found.headings
    assert not [words for _, words in found.headings if "ahead" in words.lower()]
    for words in (
        "The excess over the constant-weight pool can be chance.",
        "probability of a positive excess Sharpe ratio 0.",
        "annual Sharpe ratio 1.34; HODL from the period's start 1.58, uniform HODL from the period's start 1.64, "
        "constant-weight pool 1.66",
        "of random winners 0.264",
        "Efficiency undefined: in sample, fold 3 cannot be told from zero",
        "1,354,321", "2020-12-02 00:00",  # the prices of all folds
        "Data repaired: less than 0.1 % of the minutes hold an earlier close (SYNA less than 0.1 %).",
        "Search converged in 5 of 6 folds.",
    ):  # fmt: skip
        assert words in found.text, words
    assert " sure" not in found.text

    lines = summary_lines({**summary, "folds": [{**fold, "data": {}} for fold in summary["folds"]]})
    assert lines[0] == "verdict: not significant; the excess over the constant-weight pool can be chance"
    assert lines[1].startswith("  not met  probability of a positive excess Sharpe ratio 0.")
    assert lines[1].endswith("bootstrap over 552 joined days (required ≥ 0.95)")
    assert lines[-2] == "  search converged in 5 of 6 folds"
    assert "167" not in fold_table(summary)


def test_there_is_no_efficiency_of_a_cost():
    """What is left out of sample of a turnover is no success."""
    fingerprint = smoke(
        "window.test_end=null", "walk_forward.train_days=20", "walk_forward.test_days=10",
        "objective.metric=weight_turnover",
    )  # fmt: skip
    space, rng = search_space(fingerprint), np.random.default_rng(0)
    done = [fold_document(number, space, rng, fingerprint.tokens) for number in (1, 2)]
    for fold in done:
        fold |= {"in_sample": {"weight_turnover": 4.0}, "out_of_sample": {"weight_turnover": 9.0, "returns": 0.1}}
    summary = summarise(fingerprint, folds_of(fingerprint), done, ahead_of(0.2), "finished", {"files": []})
    assert summary["efficiency"] is None
    assert summary["efficiency_reason"] == "lower is better of weight_turnover"


def met_of(summary) -> dict[str, bool | None]:
    return {rule["name"]: rule["met"] for rule in summary["verdict"]["rules"]}


def test_a_summary_of_an_older_version_is_not_judged(looks_good):
    files, summary = looks_good
    older = {key: value for key, value in summary.items() if key not in ("verdict", "random_spread", "data")}
    file = {
        "token": "SYNA", "file": "a.parquet", "sha256": "ab", "first": "2021-01-01T00:00:00Z",
        "last": "2021-02-01T00:00:00Z", "rows": 1, "filled_minutes": 0,
    }  # fmt: skip
    data = {"root": "prices", "bar_minutes": 1, "burn_in_days": 30, "files": [file]}
    write_json(files.summary, {**older, "folds": [{**fold, "data": data} for fold in older["folds"]]})
    found = outline(walk_page(files).html)
    assert ("h2", "Not assessed") in found.headings
    assert found.text.count("a.parquet") == FOLDS


def test_noise_is_ahead_no_more_often_than_by_chance():
    """200 walk-forwards without skill, whose winners agree: at most the first rule's 5 %, and sampling error."""
    ahead = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        constant, excess = rng.normal(0.0, 0.02, T), rng.normal(0.0, 0.01, T)
        ahead += judged(joined(constant + excess, **dict.fromkeys(CURVES[1:], constant)), draws=200).outcome == AHEAD
    assert 0 < ahead <= 18  # 99 % of binomial(200, 0.05)
