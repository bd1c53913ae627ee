"""Value paths for the metric tests: made-up ones, and the oracle's numbers for them."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from momentum_opt.metrics.path import Flows, SlicePath
from tests.reference.metrics import all_metrics, flow_metrics

RESERVES = np.array([3.0, 40.0])
FIRST_PRICES = np.array([1000.0, 50.0])
LAST_PRICES = np.array([1100.0, 47.0])


def random_values(days: int, bars_per_day: int, batch: tuple[int, ...] = (), seed: int = 0) -> np.ndarray:
    """(time, *batch) random walks around one million with about 2 % a day."""
    steps = np.random.default_rng(seed).normal(size=(days * bars_per_day, *batch)) * 0.02 / np.sqrt(bars_per_day)
    return 1e6 * np.exp(np.cumsum(steps, axis=0))


@partial(jax.jit, static_argnums=1)
def slice_path(values: np.ndarray, bars_per_day: int, first_reserves=RESERVES, first=FIRST_PRICES, last=LAST_PRICES):
    """The whole path of a slice from its values (time, *batch), as an engine would give it."""
    minute = jnp.asarray(values)
    held = jnp.full(minute.shape[1:], (first_reserves * last).sum())
    uniform = minute[0] * (last / first).mean()
    days = slice(bars_per_day - 1, None, bars_per_day)
    made = made_up(len(values))
    ratio = made.prices[1:] / made.prices[:-1]
    daily, logs = minute[::bars_per_day], jnp.log(made.constant_weight[::bars_per_day])

    def alike(number: float) -> jnp.ndarray:
        return jnp.full(minute.shape[1:], number)

    return SlicePath(
        daily, minute[-1], minute[days], minute, held, uniform,
        constant_weight=jnp.broadcast_to(logs.reshape(logs.shape + (1,) * (minute.ndim - 1)), daily.shape),
        weights_moved=alike(0.5 * np.abs(np.diff(made.weights, axis=0)).sum()),
        flows=Flows(
            mean_value=jnp.mean(minute, axis=0),
            traded=alike(0.5 * (np.abs(np.diff(made.reserves, axis=0)) * made.prices[1:]).sum()),
            fees=alike(made.fees.sum()),
            rebalanced=alike(np.log((made.weights[:-1] * ratio).sum(axis=1)).sum()),
        ),
    )  # fmt: skip


class MadeUp(NamedTuple):
    """Everything of a pool but its value, bar by bar; nothing of it fits together."""

    weights: np.ndarray
    reserves: np.ndarray
    prices: np.ndarray
    fees: np.ndarray
    constant_weight: np.ndarray


def made_up(bars: int) -> MadeUp:
    """Random paths of two tokens."""
    generator = np.random.default_rng(5)
    first = generator.uniform(0.2, 0.8, bars)
    prices = FIRST_PRICES * np.exp(np.cumsum(generator.normal(0.0, 1e-3, (bars, 2)), axis=0))
    reserves = RESERVES * generator.uniform(0.9, 1.1, (bars, 2))
    return MadeUp(
        np.stack([first, 1.0 - first], axis=1), reserves, prices, generator.uniform(0.0, 5.0, bars),
        1e6 * np.exp(np.cumsum(generator.normal(0.0, 1e-3, bars))),
    )  # fmt: skip


def oracle(values: np.ndarray, bars_per_day: int) -> dict[str, float]:
    """Every metric of one path (time,) from the plain numpy reference."""
    flows = flow_metrics(values, *made_up(len(values)), bars_per_day)
    return all_metrics(values, RESERVES, FIRST_PRICES, LAST_PRICES, bars_per_day) | flows
