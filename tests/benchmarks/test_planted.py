"""Markets with a planted trend against closed forms, and the results file that a run may be killed over."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from benchmarks.evidence_table import interval, table
from benchmarks.lines import Lines, share
from benchmarks.planted import VOLATILITY, closes, growth_optimal_drift, noise_covariance

DAYS = 300


def test_a_trend_adds_its_drift_and_nothing_else():
    with_trend, without = (np.log(closes(amplitude, 3, DAYS)) for amplitude in (4.0, 0.0))
    daily = np.diff((with_trend - without)[1439::1440], axis=0)
    assert np.abs(daily) == pytest.approx(np.broadcast_to(4.0 * VOLATILITY / 365, daily.shape), abs=1e-12)
    for token in (0, 1):  # spells of 20 days on average: 15 turns, give or take four standard deviations
        assert 0 < np.count_nonzero(np.diff(np.sign(daily[:, token]))) < 31


def test_the_noise_is_correlated_and_as_large_as_said():
    returns = np.diff(np.log(closes(0.0, 5, DAYS)[:, :2]), axis=0)
    covariance = np.cov(returns.T) * 525_600
    assert np.corrcoef(returns.T)[0, 1] == pytest.approx(0.7, abs=0.02)
    assert np.sqrt(covariance[1, 1] / covariance[0, 0]) == pytest.approx(0.8 / 0.6, rel=0.02)
    assert covariance[0, 0] == pytest.approx(noise_covariance()[0, 0], rel=0.3)  # a slow factor scales all of it


def test_no_weights_grow_faster_than_equal_ones_without_a_trend():
    covariance = noise_covariance()
    gain = growth_optimal_drift() + 0.5 * np.diag(covariance)  # per year, of the prices themselves
    rng = np.random.default_rng(0)
    others = rng.dirichlet(np.ones(3), 1000)
    growth = others @ gain - 0.5 * np.einsum("ij,jk,ik->i", others, covariance, others)
    equal = np.full(3, 1 / 3)
    assert growth.max() <= equal @ gain - 0.5 * equal @ covariance @ equal + 1e-12
    assert growth.min() < equal @ gain - 0.5 * equal @ covariance @ equal - 0.01


def test_equal_seeds_give_equal_markets_and_others_do_not():
    assert np.array_equal(closes(2.0, 1, 3), closes(2.0, 1, 3))
    assert not np.array_equal(closes(2.0, 1, 3), closes(2.0, 2, 3))


def test_what_is_in_the_file_is_not_run_again(tmp_path):
    lines = Lines(tmp_path / "results" / "found.jsonl", "version 1", ("kind", "seed"))
    wanted = [{"kind": "tune", "seed": seed} for seed in range(3)]
    assert lines.missing(wanted) == wanted
    lines.append({**wanted[0], "value": 1.5})
    lines.append({**wanted[2], "value": 2.5})
    assert lines.missing(wanted) == [wanted[1]]
    assert [row["value"] for row in lines.rows()] == [1.5, 2.5]


@pytest.mark.parametrize("left", [1, 10, 30])
def test_a_line_that_a_kill_cut_off_is_written_again(tmp_path, left: int):
    lines = Lines(tmp_path / "found.jsonl", "version 1", ("seed",))
    lines.append({"seed": 0, "value": 1.0})
    whole = lines.path.read_bytes()
    lines.path.write_bytes(whole + whole[:left])
    assert lines.missing([{"seed": 0}, {"seed": 1}]) == [{"seed": 1}]
    lines.append({"seed": 1, "value": 2.0})
    assert [json.loads(line)["seed"] for line in lines.path.read_text().splitlines()] == [0, 1]


def test_lines_of_another_version_and_damaged_ones_are_refused(tmp_path):
    path = tmp_path / "found.jsonl"
    Lines(path, "version 1", ("seed",)).append({"seed": 0})
    with pytest.raises(SystemExit, match="line 1 is of another version; give --results another file"):
        Lines(path, "version 2", ("seed",)).rows()
    path.write_text("no JSON\n")
    with pytest.raises(SystemExit, match="line 1 is damaged; remove it"):
        Lines(path, "version 1", ("seed",)).rows()


def test_a_share_of_the_markets():
    assert share("20:40") == range(20, 40)
    assert share("7") == range(7)


@pytest.mark.parametrize(("found", "count"), [(0, 200), (3, 200), (100, 100), (17, 20)])
def test_the_interval_is_scipys_exact_one(found: int, count: int):
    exact = binomtest(found, count).proportion_ci(0.95, method="exact")
    assert interval(found, count) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_the_table_counts_tunes_and_walk_forwards():
    def tuned(seed: int, *, found: bool, fresh: float) -> dict:
        return {
            "kind": "tune", "strength": 3.0, "seed": seed, "found": found, "all_met": False, "train_excess": 4.0,
            "test_excess": fresh, "deflated_sharpe": 0.5, "detectable": None, "candidates": 1000, "seconds": 2.0,
        }  # fmt: skip

    def walked(seed: int, *, ahead: bool) -> dict:
        rules = {"excess": ahead}
        return {"kind": "walk", "strength": 0.0, "seed": seed, "ahead": ahead, "rules": rules, "seconds": 9.0}

    tunes = [tuned(seed, found=seed < 2, fresh=2.0 + seed) for seed in range(4)]
    text = table([*tunes, walked(0, ahead=False), walked(1, ahead=True)])
    row = next(line for line in text.splitlines() if line.startswith("| 3 |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:2] == ["3", "4"]
    assert cells[2].startswith("50.0% (")
    assert cells[3].startswith("0.0% (")
    assert cells[4] == "2.50 ± 0.50"  # of 2 and 3: a standard deviation of 0.71 over √2
    assert cells[5] == "4.50 ± 0.50"
    assert cells[8] == "–"
    assert "ahead 50.0% (" in text
