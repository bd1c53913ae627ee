"""Evidence of a real tune with a screening, against statistics of the days that each candidate's own replay shows."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from momentum_opt.api.prices import market_of
from momentum_opt.api.tuning import tune
from momentum_opt.evidence.findings import SharpeFindings
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.replay import replay
from momentum_opt.study.space import search_space
from tests.evidence.test_overfitting import plainly
from tests.sample_runs import smoke

BLOCKS, SCREENED, KEPT, TRIALS = 8, 24, 5, 6
FINGERPRINT = smoke(
    "window.end=2023-05-30", "window.test_end=null", f"search.screen={SCREENED}", f"search.screen_keep={KEPT}",
    f"search.n_trials={TRIALS}", "search.sampler=random", "search.batch_size=32", f"evidence.blocks={BLOCKS}",
    "evidence.plateau_draws=0", "evidence.heat_map=0", "evidence.bootstrap_draws=100",
    "search.parameters.initial_weights_logits={low: -4, high: 4}",  # some are moved to the floor
)  # fmt: skip

Row = tuple[float, ...]


class Days:
    """Daily log returns of train by candidate, (day, candidate), each candidate replayed alone.

    In excess of one pool for all candidates: that of the configuration's initial weights, three equal ones, with k = 0.
    """

    def __init__(self) -> None:
        self._market, self._space = market_of(FINGERPRINT), search_space(FINGERPRINT)
        self._found: dict[Row, np.ndarray] = {}
        still = {"k": np.zeros(3), "initial_weights": np.full(3, 1 / 3)}
        self._constant = self._returns({"logit_lamb": self._space.start["logit_lamb"], **still})

    def of(self, rows: list[Row], *, excess: bool) -> np.ndarray:
        for row in rows:
            if row not in self._found:
                params = self._space.params(dict(zip(self._space.ranges, row, strict=True)))
                self._found[row] = self._returns(params)
        returns = np.stack([self._found[row] for row in rows], axis=1)
        return returns - self._constant[:, None] if excess else returns

    def _returns(self, params: ParamSet) -> np.ndarray:
        first, end = (day * 1440 for day in FINGERPRINT.periods.train)
        return np.diff(np.log(replay(FINGERPRINT, self._market, params).value[first:end:1440]))


@pytest.fixture(scope="module")
def days() -> Days:
    return Days()


def rows_of(table: pd.DataFrame) -> list[Row]:
    return [*map(tuple, table[list(search_space(FINGERPRINT).ranges)].to_numpy().tolist())]


def sharpe(returns: np.ndarray) -> np.ndarray:
    return returns.mean(axis=0) / returns.std(axis=0)


@pytest.mark.slow
@pytest.mark.parametrize("most", [20_000, 9])
def test_it_counts_and_compares_with_every_screened_candidate(
    most: int, days: Days, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """All of them make N; the ratios of the first `most`, whose sums are kept, make V and join the trials for PBO."""
    monkeypatch.setattr("momentum_opt.results.tables.MOST_SCREENED_BLOCKS", most)
    found = tune(FINGERPRINT, tmp_path / "run").findings
    assert found is not None
    screen, trials = (pd.read_parquet(tmp_path / "run" / f"{name}.parquet") for name in ("screen", "trials"))
    assert len(screen) == SCREENED
    sound = screen["state"] == "COMPLETE"
    assert sound.all()
    complete = trials[trials["state"] == "COMPLETE"]
    assert (complete["source"] == "screen").sum() == KEPT
    distinct = {*rows_of(screen[sound]), *rows_of(complete)}
    n = len(distinct)
    assert n == sound.sum() + len(complete) - KEPT  # each that was kept is in both tables, and counts once
    assert found.candidates.trials == TRIALS
    assert found.candidates.failed == (trials["state"] == "FAIL").sum() == 0
    assert found.candidates.screened == SCREENED
    assert found.candidates.distinct == n
    assert found.non_adaptive.source == "screened"
    assert (found.non_adaptive.drawn, found.non_adaptive.scored) == (SCREENED, sound.sum())

    unchosen = rows_of(screen[:most][sound[:most]])
    winner = json.loads((tmp_path / "run" / "best.json").read_text())["trial"]
    best = rows_of(trials[trials["number"] == winner])
    compared = [*dict.fromkeys([*rows_of(complete), *unchosen])]
    for excess, findings in ((True, found.excess), (False, found.absolute)):
        one, many, others = (days.of(rows, excess=excess) for rows in (best, compared, unchosen))
        assert_deflated(findings, one[:, 0], float(sharpe(others).var()), n)
        overfitting = findings.overfitting
        assert overfitting is not None
        halves = plainly(many, BLOCKS)
        assert overfitting.n_candidates == len(compared)
        assert overfitting.n_halves == len(halves["logit"])
        assert overfitting.probability == pytest.approx((halves["logit"] <= 0).mean(), abs=1e-12)
        assert overfitting.loss_probability == pytest.approx((halves["outside"] < 0).mean(), abs=1e-12)
        slope = stats.linregress(halves["inside"], halves["outside"]).slope
        assert overfitting.slope == pytest.approx(slope, rel=1e-6)


def assert_deflated(findings: SharpeFindings, returns: np.ndarray, variance: float, n: int) -> None:
    """SPEC §13 in scipy's words."""
    upper = (1 - np.euler_gamma) * stats.norm.ppf(1 - 1 / n) + np.euler_gamma * stats.norm.ppf(1 - 1 / (n * math.e))
    threshold = math.sqrt(variance) * upper
    ratio, skewness, kurtosis = sharpe(returns), stats.skew(returns), stats.kurtosis(returns, fisher=False)
    spread = math.sqrt(1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2)
    assert findings.sharpe == pytest.approx(ratio, rel=1e-7)
    assert findings.variance == pytest.approx(variance, rel=1e-7)
    assert findings.expected_maximum == pytest.approx(threshold, rel=1e-7)
    wanted = stats.norm.cdf((ratio - threshold) * math.sqrt(len(returns) - 1) / spread)
    assert findings.deflated_sharpe == pytest.approx(wanted, rel=1e-7)
