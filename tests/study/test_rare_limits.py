"""Limits of the drawdown on real prices that few sets of parameters keep: a study finds one wherever 4,096 hold one."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import Fingerprint, load_fingerprint
from momentum_opt.market import Market
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.loop import Study
from momentum_opt.study.space import search_space
from momentum_opt.study.storage import JournalStore
from momentum_opt.study.trials import best_record
from tests.sample_runs import ROOT
from tests.shared_data import minute_prices, needs_shared

RANDOM_SETS = 4096


def limited(least: float) -> Fingerprint:
    """BTC, ETH and USDC over a year, as a user asks for them."""
    overrides = [f"data.root={minute_prices()}", f"objective.limits.max_drawdown.min={least}"]
    return load_fingerprint(ROOT / "configs" / "btc_eth_usdc.yaml", overrides)


@cache
def market() -> Market:
    return market_of(limited(-0.2))


@cache
def random_drawdowns() -> np.ndarray:
    """Of train, of sets drawn evenly from the ranges; their seed is none that a study has."""
    fingerprint = limited(-0.2)
    space, generator = search_space(fingerprint), np.random.default_rng(2026)
    bounds = [(one.low, one.high) for one in space.ranges.values()]
    numbers = np.stack([generator.uniform(*pair, RANDOM_SETS) for pair in bounds], axis=1)
    return Evaluator(fingerprint, market(), batch_size=256).score_columns(space.columns(numbers)).train["max_drawdown"]


@needs_shared
@pytest.mark.slow
@pytest.mark.parametrize("rarity", ["the limit of a user", "one in a thousand", "the best of all"])
def test_a_study_finds_what_random_sets_hold(rarity: str, tmp_path: Path):
    ranked = np.sort(random_drawdowns())[::-1]
    least = {"the limit of a user": -0.2, "one in a thousand": ranked[3], "the best of all": ranked[0]}[rarity]
    kept = int((ranked >= least).sum())
    assert kept >= 1
    fingerprint = limited(round(float(least), 6) - 1e-6)
    evaluator = Evaluator(fingerprint, market(), batch_size=fingerprint.search.batch_size)
    durable = JournalStore(tmp_path / "study.journal").open_study("rare", 1, {})
    outcome = Study(fingerprint, search_space(fingerprint), evaluator, durable, evaluator).run(192)
    best = best_record(outcome.records)
    assert best is not None
    assert best.violation == 0.0, f"{kept} of {RANDOM_SETS} random sets keep {least:.4f}"
    assert best.train["max_drawdown"] >= least - 2e-6
