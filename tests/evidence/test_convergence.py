"""Convergence of hand-made searches: plain loops, an exact power law, and the words (SPEC §12)."""

from dataclasses import replace

import numpy as np
import pytest

from momentum_opt.evidence.convergence import (
    FEWEST_TIMES,
    MOST_TIMES,
    STILL,
    Met,
    Search,
    convergence,
    gains,
    last_quarter,
    times_met,
    trials_needed,
)
from momentum_opt.evidence.range_ends import END_SHARE, range_ends
from momentum_opt.study.known import require_known
from momentum_opt.study.space import search_space
from tests.reference import estimator
from tests.sample_runs import TOKENS, smoke

RISING = [1.0, 4.0, 2.0, 5.0, 6.0, 3.0, 7.0, 9.0]


def search(objectives: list[float], counts: list[bool] | None = None) -> Search:
    n = len(objectives)
    units = np.linspace(0.1, 0.9, n)[:, None]
    return Search(
        objectives=np.array(objectives),
        counts=np.ones(n, np.bool_) if counts is None else np.array(counts),
        batch=np.full(n, -1),
        units=units,
        starts=np.full_like(units, np.nan),
    )


def settled(n: int = 40) -> Search:
    """Rises at once, and half of its last quarter lie within 1 % of the best."""
    values = [0.0, 10.0] + [9.95 if place % 2 else 3.0 for place in range(n - 2)]
    return search(values)


def plainly(objectives: list[float], counts: list[bool], baseline: float) -> list[float]:
    found, best, seen = [], baseline, 0
    for value, counting in zip(objectives, counts, strict=True):
        if counting:
            found.append(best - baseline)
            seen += 1
        best = max(best, value)
    return [*found, best - baseline]


def test_gains_are_those_of_a_loop_over_the_trials():
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = rng.normal(size=20).tolist()
        values[int(rng.integers(20))] = -np.inf
        counts = (rng.random(20) < 0.7).tolist()
        np.testing.assert_allclose(gains(np.array(values), np.array(counts), 0.3), plainly(values, counts, 0.3))


def test_the_last_quarter_by_hand():
    """G(6) = 5 and G(8) = 8 over a pool of 1: the last two of eight trials added 3 of 8."""
    gained = gains(np.array(RISING), np.ones(8, np.bool_), 1.0)
    assert gained[[6, 8]].tolist() == [5.0, 8.0]
    assert last_quarter(gained) == 3 / 8
    assert last_quarter(gained[:4]) is None  # three trials have no quarter
    assert last_quarter(np.zeros(9)) is None  # no gain


def test_screened_trials_and_neighbours_count_where_they_stand():
    """A screened 6 comes before all trials; a neighbour's 20 after the last one belongs to the last quarter."""
    counts = [False] + [True] * 8 + [False]
    gained = gains(np.array([6.0, *RISING, 20.0]), np.array(counts), 0.0)
    assert gained[0] == 6.0
    assert last_quarter(gained) == (20 - 6) / 20
    assert last_quarter(gains(np.array([6.0, *RISING]), np.array(counts[:-1]), 0.0)) == 3 / 9


@pytest.mark.parametrize("exponent", [0.4, 0.7, 1.0, 1.6])
@pytest.mark.parametrize("n", [64, 1000])
def test_the_trials_needed_are_those_of_a_power_law(exponent: float, n: int):
    """The smallest number of trials whose last quarter adds 1 %, found by trying all of them."""

    def gain(after: np.ndarray) -> np.ndarray:
        return 1.0 - 0.9 * np.maximum(after, 1.0) ** -exponent

    tried = np.arange(4, 16 * n + 1, 4)
    shares = 1.0 - gain(tried - tried // 4) / gain(tried)
    wanted = tried[np.argmax(shares <= STILL)] if (shares <= STILL).any() else MOST_TIMES * n
    gained = np.concatenate([[0.0], gain(np.arange(1, n + 1))])
    assert trials_needed(gained) == pytest.approx(max(wanted, FEWEST_TIMES * n), rel=0.1)  # it is rounded up


def test_no_more_than_sixteen_times_the_trials_are_suggested():
    assert trials_needed(np.arange(101.0)) == MOST_TIMES * 100  # the record rises as fast as ever
    assert trials_needed(np.concatenate([np.zeros(100), [1.0]])) == MOST_TIMES * 100


def ascents() -> Search:
    """Six batches of two lanes in two numbers: reach, miss, began there, reach, began elsewhere, not improved."""
    best, other = (0.5, 0.5), (0.2, 0.8)
    lanes = [
        (10.0, best, (0.9, 0.1)), (4.0, other, (0.1, 0.1)),
        (5.0, other, (0.3, 0.3)), (4.0, other, (0.6, 0.6)),
        (10.0, best, (0.51, 0.49)), (9.99, best, (0.9, 0.9)),
        (9.95, best, (0.53, 0.5)), (1.0, other, (0.2, 0.2)),
        (9.0, other, (0.7, 0.1)), (8.0, other, (0.8, 0.1)),
    ]  # fmt: skip
    batch = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    values, units, starts = (list(column) for column in zip(*lanes, strict=True))
    nowhere = [(np.nan, np.nan)] * 2
    return Search(
        objectives=np.array([10.0, *values, 10.0]),
        counts=np.array([False] + [True] * 11),
        batch=np.array([-1, *batch, -1]),
        units=np.array([(0.9, 0.9), *units, best]),
        starts=np.array([nowhere[0], *starts, nowhere[1]]),
    )


def test_batches_of_memetic_that_found_the_best_anew():
    """The one that began within 2 % of what was found before is no chance; a start 3 % away is one.

    A screened candidate at (0.9, 0.9) scores as well as the best, so the third batch began at two known places.
    """
    assert times_met(ascents(), 0.0) == Met(2, 4, ascents=True)


def test_a_start_at_what_was_found_later_is_no_start_at_it():
    one = ascents()
    starts = one.starts.copy()
    starts[1] = (0.5, 0.5)  # where the first batch itself ends, and no trial before it
    assert times_met(replace(one, starts=starts), 0.0) == Met(2, 4, ascents=True)
    starts[4] = (0.5, 0.5)  # where the first batch ended before the second began
    assert times_met(replace(one, starts=starts), 0.0) == Met(2, 3, ascents=True)


def test_of_other_samplers_the_distinct_trials_of_the_last_quarter():
    found = settled(40)
    assert times_met(found, 0.0) == Met(5, 10, ascents=False)
    copies = found.units.copy()
    copies[-10:] = [[0.1], [0.2]] * 5
    assert times_met(replace(found, units=copies), 0.0) == Met(1, 2, ascents=False)


def said(one: Search, baseline: float = 0.0, *, n_trials: int = 40, stopped: str = "finished", **named: bool) -> str:
    found = convergence(one, baseline, (), n_trials=n_trials, stopped=stopped, **named)
    assert found.converged is (None if "not measured" in found.words else found.words.startswith("converged"))
    return found.words


def test_words_of_a_search_that_has_converged():
    assert said(settled()) == (
        "converged: the last quarter of 40 trials added 0 % of the gain; "
        "5 of 10 trials of the last quarter ended within 1 % of the best"
    )


def test_a_record_that_stands_still_alone_is_no_convergence():
    """Of random points the best one often comes early, and none comes near it again."""
    assert said(search([0.0, 10.0] + [3.0] * 38)) == (
        "not converged: the last quarter of 40 trials added 0 % of the gain; "
        "0 of 10 trials of the last quarter ended within 1 % of the best; raise search.n_trials to about 80"
    )


@pytest.mark.parametrize(
    ("stopped", "n_trials", "remedy"),
    [
        ("finished", 8, "raise search.n_trials to about 130"),
        ("interrupted", 8, "raise search.n_trials to about 130"),  # after its last trial
        ("timeout", 1000, "raise search.timeout (8 of 1,000 trials finished)"),
        ("timeout", 100, "raise search.timeout (8 of 100 trials finished), raise search.n_trials to about 130"),
        ("early stopping", 1000, "raise search.early_stopping.patience (8 of 1,000 trials finished)"),
        ("interrupted", 1000, "run the command again (8 of 1,000 trials finished)"),
    ],
)
def test_what_to_do_follows_from_how_the_search_ended(stopped: str, n_trials: int, remedy: str):
    words = said(search(RISING), n_trials=n_trials, stopped=stopped)
    assert words.startswith("not converged: the last quarter of 8 trials added 33.3 % of the gain; ")
    assert words.endswith(f"; {remedy}")


def test_points_near_the_best_that_still_score_better():
    assert "; points near the best may still score better; raise search.n_trials to about 80" in said(
        settled(), neighbours_left=True
    )
    beside = search([*settled().objectives.tolist(), 20.0], [True] * 40 + [False])
    assert "the last quarter of 40 trials and points near its winner added 50 % of the gain" in said(beside)


@pytest.mark.parametrize(
    ("one", "baseline", "named", "reason"),
    [
        (settled(), 0.0, {"several": True}, "several objectives have no single gain"),
        (settled(), np.nan, {}, "the constant-weight pool has no objective to gain over"),
        (settled(), -np.inf, {}, "the constant-weight pool has no objective to gain over"),
        (settled(), 10.0, {}, "no trial scores above the constant-weight pool"),
        (search(RISING[:3]), 0.0, {}, "3 trials of the sampler, fewer than 4"),
        (search(RISING[:1], [False]), 0.0, {}, "0 trials of the sampler, fewer than 4"),
    ],
)
def test_what_cannot_be_measured_says_why(one: Search, baseline: float, named: dict[str, bool], reason: str):
    assert said(one, baseline, **named) == f"not measured: {reason}"


def test_failed_trials_are_trials_without_a_gain():
    values = [-np.inf if place % 3 else value for place, value in enumerate(settled(60).objectives.tolist())]
    assert gains(np.array(values), np.ones(60, np.bool_), 0.0).tolist() == plainly(values, [True] * 60, 0.0)
    assert "of 60 trials" in said(search(values), n_trials=60)


def test_numbers_at_the_ends_of_their_ranges_in_natural_units():
    fingerprint = smoke()
    space = search_space(fingerprint)
    numbers = {key: (one.low + one.high) / 2 for key, one in space.ranges.items()}
    assert range_ends(numbers, space, fingerprint) == ()
    k, memory = space.ranges["log_k_SYNB"], space.ranges["logit_lamb_SYNA"]
    inside = 1.01 * END_SHARE
    numbers["log_k_SYNA"] = k.low + inside * (k.high - k.low)
    numbers["log_k_SYNB"] = k.low + 0.99 * END_SHARE * (k.high - k.low)
    numbers["logit_lamb_SYNA"] = memory.high
    low, high = range_ends(numbers, space, fingerprint)
    assert (low.name, low.token, low.end, low.widen) == ("log_k", "SYNB", "low", "search.parameters.k_per_day")
    assert low.natural_value == pytest.approx(2.0 ** numbers["log_k_SYNB"])
    assert low.natural_range == pytest.approx((2.0**k.low, 2.0**k.high))
    assert (high.name, high.token, high.end, high.widen) == ("logit_lamb", "SYNA", "high", "pool.max_memory_days")
    decay = estimator.logistic(np.array([memory.low]))[0]
    days = 2.0 * fingerprint.pool.chunk_period / 1440 * np.cbrt(6.0 * decay / (1.0 - decay) ** 3)
    assert high.natural_range == pytest.approx((days, fingerprint.pool.max_memory_days), rel=1e-9)
    assert "memory in days of SYNA at the upper end of its range (30 of 0.97 to 30; logit_lamb " in high.words
    found = convergence(settled(), 0.0, (low, high), n_trials=40, stopped="finished")
    assert found.converged is False
    assert found.suggested_trials is None
    assert found.remedies == ("widen search.parameters.k_per_day", "widen pool.max_memory_days")


def test_ends_of_shared_and_narrowed_ranges():
    shared = smoke("search.parameters.log_k.scalar=true", "search.parameters.logit_lamb={low: -2, high: 1}")
    space = search_space(shared)
    numbers = {key: one.high for key, one in space.ranges.items()}
    found = range_ends(numbers, space, shared)
    assert [(one.name, one.token) for one in found] == [("log_k", "all"), *(("logit_lamb", name) for name in TOKENS)]
    assert found[1].widen == "search.parameters.memory_days"  # it ends below the cap
    narrow = smoke("search.parameters.log_k.around={half_width: 1}")
    known = ({"log_k": np.full(3, 4.0), "logit_lamb": np.zeros(3), "initial_weights_logits": np.ones(3)},)
    require_known(narrow, known)
    space = search_space(narrow, known)
    middle = {key: (one.low + one.high) / 2 for key, one in space.ranges.items()}
    (one,) = range_ends({**middle, "log_k_SYNA": 5.0}, space, narrow)
    assert (one.range, one.widen) == ((3.0, 5.0), "search.parameters.log_k.around.half_width")
