"""Pools for the tests of this folder: a random case as market, fingerprint and parameters, on the clock of its days."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.onchain.history import ChunkHistory, chunk_history
from tests.reference.minute_loop import Pool
from tests.simulation.cases import START, Case, random_params

START_MS = int(datetime(*START.timetuple()[:3], tzinfo=UTC).timestamp()) * 1000


class Given(NamedTuple):
    """A case with everything that is made of it."""

    case: Case
    market: Market
    fingerprint: Fingerprint
    params: dict[str, np.ndarray]

    def history(self, last_ms: int | None = None) -> ChunkHistory:
        """Chunk prices up to a time; None: the last chunk there is."""
        chunk_ms = self.case.pool.chunk_period * 60_000
        last_bar = self.market.end_ms - self.market.bar_minutes * 60_000
        newest = START_MS + (last_bar - START_MS) // chunk_ms * chunk_ms
        return chunk_history(self.market, self.case.pool.chunk_period, newest if last_ms is None else last_ms)


def given_pool(pool: Pool, n: int, days: int, *, history: int = 5, seed: int = 0, **params: Any) -> Given:
    """`days` simulated days after `history` days of burn-in; `params` on top of random ones."""
    case = Case.random(pool, n, days, history=history, seed=seed)
    market = replace(case.market, first_ms=START_MS - case.start_row * pool.bar_minutes * 60_000)
    drawn = random_params(n, pool.floor(n), seed, alt=pool.use_alt_lamb)
    for name, values in params.items():
        drawn[name] = np.broadcast_to(np.asarray(values, dtype=np.float64), (n,)).copy()
    return Given(case, market, case.fingerprint(), drawn)
