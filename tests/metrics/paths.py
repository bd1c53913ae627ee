"""Value paths for the metric tests: made-up ones, and the oracle's numbers for them."""

import jax.numpy as jnp
import numpy as np

from momentum_opt.metrics.path import SlicePath
from tests.reference.metrics import all_metrics

RESERVES = np.array([3.0, 40.0])
FIRST_PRICES = np.array([1000.0, 50.0])
LAST_PRICES = np.array([1100.0, 47.0])


def random_values(days: int, bars_per_day: int, batch: tuple[int, ...] = (), seed: int = 0) -> np.ndarray:
    """(time, *batch) random walks around one million with about 2 % a day."""
    steps = np.random.default_rng(seed).normal(size=(days * bars_per_day, *batch)) * 0.02 / np.sqrt(bars_per_day)
    return 1e6 * np.exp(np.cumsum(steps, axis=0))


def slice_path(values: np.ndarray, bars_per_day: int, first_reserves=RESERVES, first=FIRST_PRICES, last=LAST_PRICES):
    """The whole path of a slice from its values (time, *batch), as an engine would give it."""
    minute = jnp.asarray(values)
    held = jnp.full(minute.shape[1:], (first_reserves * last).sum())
    uniform = minute[0] * (last / first).mean()
    days = slice(bars_per_day - 1, None, bars_per_day)
    return SlicePath(minute[::bars_per_day], minute[-1], minute[days], minute, held, uniform)


def oracle(values: np.ndarray, bars_per_day: int) -> dict[str, float]:
    """Every metric of one path (time,) from the plain numpy reference."""
    return all_metrics(values, RESERVES, FIRST_PRICES, LAST_PRICES, bars_per_day)
