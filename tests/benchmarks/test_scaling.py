"""The model of many workers against closed forms."""

import dataclasses

import pytest

from benchmarks.fleet import WARM_UP, Costs, Fleet, Line, simulate

FREE = Costs(ask=Line(0.0), look=Line(0.0), take=0.0, write=Line(0.0), serve_batch=0.0, serve_trial=0.0)
BATCH = 64


def costs(**changed: Line | float) -> Costs:
    return dataclasses.replace(FREE, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [1, 7, 300])
def test_without_contention_every_worker_counts_fully(workers: int):
    found = simulate(costs(ask=Line(0.2), look=Line(0.1), write=Line(1e-9)), Fleet(workers, score=0.7))
    assert found.throughput == pytest.approx(workers * BATCH / 1.0, rel=0.15 if workers > 1 else 1e-6)
    assert found.staleness == pytest.approx(workers - 1, rel=0.2, abs=1e-9)


def test_a_saturated_lock_lets_one_batch_through_per_append():
    found = simulate(costs(write=Line(0.05)), Fleet(100, score=1.0))
    assert found.throughput == pytest.approx(BATCH / 0.05, rel=1e-6)
    assert found.lock_busy == pytest.approx(1.0)
    assert found.lock_wait == pytest.approx(100 * 0.05 - 1.0 - 0.05, rel=1e-6)  # the cycle of a full line
    assert found.staleness == pytest.approx(99)


def test_costs_that_grow_with_the_study():
    slope = costs(write=Line(0.01, 1e-6))
    found = simulate(slope, Fleet(100, score=0.1, trials=90_000))
    assert found.throughput == pytest.approx(BATCH / 0.1, rel=1e-6)


@pytest.mark.parametrize("workers", [1, 10, 200])
def test_reading_the_others_bounds_every_worker(workers: int):
    """A cycle takes A + take W B seconds, for W B trials: throughput ends at 1/take, whatever there is of workers."""
    found = simulate(costs(take=1e-3), Fleet(workers, score=2.0))
    assert found.throughput == pytest.approx(workers * BATCH / (2.0 + 1e-3 * workers * BATCH), rel=0.15)
    assert found.throughput < 1000


@pytest.mark.parametrize("workers", [50, 100])
def test_a_storage_that_is_busy_with_readers_serves_less_the_more_there_are(workers: int):
    found = simulate(costs(serve_trial=1e-3), Fleet(workers, score=0.5, cores=4))
    assert found.throughput == pytest.approx(4 / (workers * 1e-3), rel=0.1)
    assert found.storage_busy == pytest.approx(1.0, abs=0.05)


def test_waiting_stays_below_that_of_random_arrivals():
    """Workers of one pace fall into step, and so wait less than the ρ s / 2(1 - ρ) of an M/D/1 queue."""
    service, workers = 0.01, 80
    found = simulate(costs(write=Line(service)), Fleet(workers, score=1.0))
    busy = found.lock_busy
    assert busy == pytest.approx(workers * service / (1.0 + service), rel=0.05)
    assert 0 <= found.lock_wait < busy * service / (2 * (1 - busy))


def test_studies_of_their_own_do_not_read_each_other():
    one = simulate(costs(serve_trial=1e-3), Fleet(100, score=0.5, cores=4))
    ten = simulate(costs(serve_trial=1e-3), Fleet(100, score=0.5, cores=4, studies=10))
    assert ten.throughput == pytest.approx(10 * one.throughput, rel=0.1)
    assert ten.staleness == pytest.approx(9, abs=1)


def test_workers_that_share_the_storages_cores():
    found = simulate(costs(ask=Line(0.1)), Fleet(8, score=0.01, cores=2, alone=False))
    assert found.throughput == pytest.approx(2 * BATCH / 0.1, rel=0.05)


def test_the_same_seed_gives_the_same():
    fleet = Fleet(30, score=0.3)
    noisy = costs(ask=Line(0.01), write=Line(0.02), serve_batch=0.01, serve_trial=1e-4, take=1e-4)
    assert simulate(noisy, fleet) == simulate(noisy, fleet)
    assert WARM_UP > 0
