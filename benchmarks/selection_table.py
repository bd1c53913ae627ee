"""Lines of `make bench-selection` in; its table with bootstrap intervals, and its picture, out."""

from collections.abc import Sequence
from typing import Final

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks import REPOSITORY
from benchmarks.lines import Row
from momentum_opt.units import counted

STRATEGIES: Final = (
    "best of 64",
    "best of 512",
    "screening",
    "smoothed",
    "worst of windows",
    "penalised",
    "memetic",
    "gated",
    "gated by all rules",
)
REFERENCE: Final = "memetic"
DRAWS: Final = 10_000
MEAN_BLOCK: Final = 2.0
"""Calendar quarters."""
KINDS: Final = {"free": "without costs", "charged": "fee 0.3 %"}
PAGE: Final = REPOSITORY / "docs" / "deciding.md"
PICTURE: Final = REPOSITORY / "docs" / "pictures" / "selection.svg"
BEGIN, END = "<!-- bench-selection: begin -->", "<!-- bench-selection: end -->"

Values = NDArray[np.float64]


def table(rows: Sequence[Row]) -> str:
    """Markdown: mean excess log return of a quarter in percent, and the paired difference from memetic."""
    if not rows:
        return "no windows yet"
    quarters = sorted({_quarter(row) for row in rows})
    sets = sorted({row["set"] for row in rows})
    found = sum(row["found"] for row in rows)
    lines = [
        f"{counted(len(rows), 'window')} of {counted(len(sets), 'set')} of tokens, tests in "
        f"{counted(len(quarters), 'calendar quarter')} from {quarters[0]} to {quarters[-1]}; the first rule was met in "
        f"{found}.",
        "",
        "| strategy | excess per quarter, without costs | ahead in | excess less memetic's | with a fee of 0.3 % |",
        "|---|---|---|---|---|",
    ]
    reference = _values(rows, "free", REFERENCE)
    for name in STRATEGIES:
        own = _values(rows, "free", name)
        apart = "–" if name == REFERENCE else shown(own - reference, rows)
        ahead = f"{int((own > 0.0).sum())} of {len(rows)}"
        lines.append(
            f"| {name} | {shown(own, rows)} | {ahead} | {apart} | {shown(_values(rows, 'charged', name), rows)} |"
        )
    return "\n".join(lines)


def shown(values: Values, rows: Sequence[Row]) -> str:
    """Mean and 95 % interval, in percent; no interval of a single quarter."""
    quarters = [_quarter(row) for row in rows]
    low, high = interval(values, quarters)
    ends = f" ({100 * low:+.2f} to {100 * high:+.2f})" if len({*quarters}) > 1 else ""
    return f"{100 * values.mean():+.2f} %{ends}".replace("-", "−")


def interval(values: Values, quarters: Sequence[str]) -> tuple[float, float]:
    """95 % of the mean, by the stationary bootstrap over quarters (Politis & Romano, JASA 89, 1994).

    A drawn quarter brings all its values; the mean is over all values that were drawn.

    Args:
        values: one per window.
        quarters: of each.
    """
    names, place = np.unique(quarters, return_inverse=True)
    sums, counts = (np.bincount(place, weights, len(names)) for weights in (values, np.ones(len(values))))
    drawn = stationary_draws(len(names), MEAN_BLOCK, DRAWS, np.random.default_rng(0))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def stationary_draws(count: int, mean_block: float, draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(draw, place) indices: blocks from random places on, of geometric lengths, on a circle."""
    anew = rng.random((draws, count)) < 1.0 / mean_block
    anew[:, 0] = True
    starts = rng.integers(0, count, (draws, count))
    at = np.arange(count)
    since = np.maximum.accumulate(np.where(anew, at, 0), axis=1)
    return (np.take_along_axis(starts, since, axis=1) + at - since) % count


def _values(rows: Sequence[Row], kind: str, name: str) -> Values:
    return np.array([row[kind][name] for row in rows])


def _quarter(row: Row) -> str:
    """The calendar quarter of the middle of the test days."""
    return str((pd.Timestamp(row["test_start"]) + pd.Timedelta(days=45)).to_period("Q"))


def write(rows: Sequence[Row]) -> None:
    """Put the table into docs/deciding.md between its marks, and draw the picture."""
    text = PAGE.read_text()
    head, rest = text[: text.index(BEGIN)], text[text.index(END) :]
    PAGE.write_text(f"{head}{BEGIN}\n\n{table(rows)}\n\n{rest}")
    draw(rows)


def draw(rows: Sequence[Row]) -> None:
    """Draw means and intervals, strategy by strategy; the same bytes for the same lines."""
    with mpl.rc_context({"svg.hashsalt": "selection", "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(7.2, 3.0), layout="constrained")
        axes = figure.subplots()
        at = np.arange(len(STRATEGIES))
        for step, (kind, label) in enumerate(KINDS.items()):
            columns = [_values(rows, kind, name) for name in STRATEGIES]
            means = 100 * np.array([column.mean() for column in columns])
            ends = 100 * np.array([interval(column, [_quarter(row) for row in rows]) for column in columns])
            errors = np.abs(ends.T - means)
            style = {"marker": "o", "ms": 4, "lw": 0.0, "elinewidth": 1.3, "capsize": 2, "color": f"C{step}"}
            axes.errorbar(means, at + 0.24 * step - 0.12, xerr=errors, label=label, **style)
        axes.axvline(0.0, color="0.4", lw=0.8)
        axes.set_yticks(at, STRATEGIES)
        axes.invert_yaxis()
        axes.set_xlabel("mean log return of a quarter in excess of the constant-weight pool, percent")
        axes.grid(visible=True, axis="x", lw=0.3)
        axes.legend(frameon=False)
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(PICTURE, format="svg", metadata={"Date": None, "Creator": None})
