"""The pictures of the documentation: the bundled sample and the pool's own functions in, SVG files out.

`python -m docs.pictures.draw` writes them all; the same machine draws the same bytes.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import momentum_opt as mo
from docs.pictures.rooms import rooms
from momentum_opt import device
from momentum_opt.api.simulating import Simulation
from momentum_opt.pool.arbitrage import perfect_arbitrage_reserves
from momentum_opt.pool.estimator import estimator_constants, estimator_step, gradient, initial_state
from momentum_opt.pool.guard_rails import step_per_minute, target_weights
from momentum_opt.pool.memory import memory_days_to_lamb
from momentum_opt.results.report.palette import TOKENS, light

HERE = Path(__file__).resolve().parent
CONFIG = HERE.parents[1] / "configs" / "quickstart.yaml"
STYLE = {
    "svg.hashsalt": "momentum-opt",
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": light("muted"),
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": light("hairline"),
    "legend.frameon": False,
    "text.color": light("ink"),
    "lines.linewidth": 1.4,
}
PARAMS = {"k_per_day": 4.0, "memory_days": 15.0}
"""The pool that the pictures show: reasonable numbers, not tuned ones."""

CHUNK = 1440


def main() -> None:
    """Draw every picture."""
    device.configure()
    for name in PICTURES:
        draw(name, HERE / name)


def draw(name: str, path: Path) -> None:
    """Draw one picture and write it as SVG, without date or random names."""
    with mpl.rc_context(STYLE):
        PICTURES[name]().savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _simulation(params: Mapping[str, Any] = PARAMS, *overrides: str) -> Simulation:
    fingerprint = mo.load_fingerprint(CONFIG, overrides)
    (found,) = mo.simulate(fingerprint, mo.market_of(fingerprint), [params])
    return found


def _panels(count: int, height: float, **options: Any) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7.2, height), layout="constrained")
    return figure, figure.subplots(count, 1, **options)


def pool() -> Figure:
    """Weights of the three tokens day by day, and the pool's value beside the same pool that never moves."""
    moving, still = _simulation(), _simulation({**PARAMS, "k_per_day": 0.0})
    days = moving.times[::CHUNK]
    figure, (top, below) = _panels(2, 4.4, sharex=True)
    top.stackplot(days, moving.weights[::CHUNK].T, colors=TOKENS[:3], labels=moving.tokens)
    top.set(title="Weight: each token's share of the value", ylim=(0, 1))
    top.grid(visible=False)
    top.legend(loc="upper center", ncols=3, bbox_to_anchor=(0.5, -0.02), fontsize=8)
    below.plot(days, moving.value[::CHUNK] / 1e6, color=light("pool"), label="momentum pool")
    below.plot(days, still.value[::CHUNK] / 1e6, color=light("constant"), label="the same pool, weights kept still")
    below.set(title="Value, million")
    below.legend(fontsize=8)
    return figure


def rule() -> Figure:
    """Price, average, signal and weight of one token, update by update."""
    fingerprint = mo.load_fingerprint(CONFIG)
    market = mo.market_of(fingerprint)
    first = market.start_row % CHUNK
    prices = jnp.asarray(market.prices[first::CHUNK])
    constants = estimator_constants(memory_days_to_lamb(PARAMS["memory_days"], CHUNK))
    state, averages, signals = initial_state(prices[0]), [], []
    for price in prices[1:]:
        state = estimator_step(state, price, constants)
        averages.append(np.asarray(state.ewma))
        signals.append(np.asarray(gradient(state, constants)))
    found = _simulation()
    begin = market.start_row // CHUNK - 1  # the reading of minute 0
    days = found.times[::CHUNK]
    figure, (top, middle, below) = _panels(3, 5.2, sharex=True)
    top.plot(days, prices[1:][begin:][: len(days), 0], color=light("ink"), label="price of SYNA at each update")
    top.plot(days, np.array(averages)[begin:][: len(days), 0], color=light("hodl"), label="its average e")
    top.set(title="Price")
    middle.axhline(0, color=light("muted"), linewidth=0.8)
    for column, token in enumerate(found.tokens):
        signal = np.array(signals)[begin:][: len(days), column]
        middle.plot(days, 100 * signal, color=TOKENS[column], label=token)
    middle.set(title="Signal g: smoothed slope of the price, % per update")
    below.plot(days, found.weights[::CHUNK, 0], color=TOKENS[0], label="weight of SYNA")
    below.axhline(fingerprint.pool.minimum_weight, color=light("muted"), linestyle="--", linewidth=0.9)
    below.set(title="Weight: pushed up where the token's signal is above the others'", ylim=(0, 1))
    for axes in (top, middle, below):
        axes.legend(fontsize=8, loc="upper left", ncols=3)
    return figure


def chunk() -> Figure:
    """Four chunks minute by minute: rest, update, straight line, rest."""
    found = _simulation(PARAMS, "pool.weight_interpolation_period=720")
    first = 94 * CHUNK
    part = slice(first, first + 4 * CHUNK + 1)
    hours = np.arange(4 * CHUNK + 1) / 60
    figure, axes = _panels(1, 3.0)
    for column, token in enumerate(found.tokens):
        axes.plot(hours, found.weights[part, column], color=TOKENS[column], label=token)
    for number in range(4):
        axes.axvline(24 * number, color=light("muted"), linewidth=0.9, linestyle="--")
        axes.axvspan(24 * number, 24 * number + 12, color=light("hairline"), alpha=0.45, linewidth=0)
        axes.text(24 * number + 0.4, 0.98, "update", va="top", fontsize=8, transform=axes.get_xaxis_transform())
    axes.set(title="Weights, minute by minute; grey: the m minutes in which they move", xlabel="hours", xlim=(0, 96))
    axes.set_xticks(range(0, 97, 12))
    axes.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    return figure


def guard_rails() -> Figure:
    """One update taken apart: where the rule wants to go, what the rails leave, how far the speed limit lets it."""
    weights, change = jnp.array([0.50, 0.30, 0.20]), jnp.array([0.55, -0.10, -0.45])
    floor, limit = 0.1, 9e-5
    target = target_weights(weights, change, floor)
    reached = weights + step_per_minute(weights, target, float(CHUNK), limit) * CHUNK
    stages = {"now\nw": weights, "wanted\nw + u": weights + change, "inside the rails\nr": target,
              "after one chunk\nw + d·m": reached}  # fmt: skip
    figure, axes = _panels(1, 3.2)
    places = np.arange(len(stages))
    for column, token in enumerate("ABC"):
        heights = [float(stage[column]) for stage in stages.values()]
        bars = axes.bar(places + 0.26 * (column - 1), heights, 0.24, color=TOKENS[column], label=f"token {token}")
        axes.bar_label(bars, fmt="%.3f", fontsize=7, padding=2)
    axes.axhline(0, color=light("ink"), linewidth=0.9)
    for height, text in ((floor, "floor"), (1 - 2 * floor, "ceiling")):
        axes.axhline(height, color=light("muted"), linestyle="--", linewidth=0.9)
        axes.text(-0.6, height, text, va="bottom", ha="left", fontsize=8, color=light("muted"))
    axes.set_xticks(places, stages)
    axes.set(title="Weights of three tokens in one update", ylim=(-0.4, 1.2), xlim=(-0.6, 3.5))
    axes.legend(fontsize=8, ncols=3, loc="upper right")
    return figure


def arbitrage() -> Figure:
    """Left: one arbitrage on the curve of equal product. Right: what a change of weights costs, by number of steps."""
    figure = Figure(figsize=(7.2, 3.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    price = 1.44
    token = np.linspace(0.5, 1.6, 200)
    left.plot(token, 1 / token, color=light("muted"), label="R_A · R_B = 1")
    after = (price**-0.5, price**0.5)
    left.plot(1, 1, "o", color=light("hodl"), label="before: A is worth 1")
    left.plot(*after, "o", color=light("pool"), label=f"after: A is worth {price:g}")
    left.annotate("", after, (1, 1), arrowprops={"arrowstyle": "->", "color": light("ink"), "shrinkA": 5, "shrinkB": 5})
    left.plot(token, 2 * after[1] - price * token, color=light("pool"), linewidth=0.8, linestyle="--")
    left.set(title="An arbitrage", xlabel="reserve of A", ylabel="reserve of B", xlim=(0.5, 1.6), ylim=(0.5, 1.9))
    left.legend(fontsize=7.5)
    steps = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440])
    lost = [_cost_of_steps(int(count)) for count in steps]
    right.loglog(steps, lost, "o-", color=light("pool"), markersize=3.5)
    right.set(title="Weight of A from 0.5 to 0.7", xlabel="equal steps", ylabel="share of the value lost")
    return figure


def _cost_of_steps(count: int) -> float:
    """Share of the value that a pool of two tokens loses when its weights move in `count` equal steps."""
    first = np.linspace(0.5, 0.7, count + 1)
    weights = np.stack([first, 1 - first], axis=1)
    reserves = perfect_arbitrage_reserves(jnp.asarray(weights), jnp.ones_like(weights), 1.0)
    return float(1 - reserves[-1].sum())


def memory() -> Figure:
    """The signal's answer to a price that begins to rise by one percent per update, for three memories."""
    figure, axes = _panels(1, 2.8)
    prices = jnp.asarray(1.01 ** np.maximum(np.arange(-5, 90), 0.0))
    for days, colour in ((5, "pool"), (15, "uniform"), (40, "hodl")):
        constants = estimator_constants(memory_days_to_lamb(jnp.asarray(float(days)), CHUNK))
        state, signals = initial_state(prices[:1]), [0.0]
        for price in prices[1:]:
            state = estimator_step(state, price[None], constants)
            signals.append(float(gradient(state, constants)[0]))
        axes.plot(np.arange(-5, 90), 100 * np.array(signals), color=light(colour), label=f"memory {days} days")
    axes.set(title="Signal of a price that rises by 1 % per day from day 0", xlabel="days", ylabel="% per day")
    axes.legend(fontsize=8)
    return figure


PICTURES: Mapping[str, Callable[[], Figure]] = {
    "pool.svg": pool,
    "rule.svg": rule,
    "memory.svg": memory,
    "chunk.svg": chunk,
    "guard_rails.svg": guard_rails,
    "arbitrage.svg": arbitrage,
    "rooms.svg": rooms,
}

if __name__ == "__main__":
    main()
