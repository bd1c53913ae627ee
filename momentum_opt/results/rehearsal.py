"""A rehearsal's table and plot: both paths in, a parquet file and a PNG file out."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from momentum_opt.market import Market
from momentum_opt.onchain.rehearsal import Rehearsal
from momentum_opt.results.files import write_whole
from momentum_opt.results.report.palette import TOKENS, ink
from momentum_opt.results.report.plot import Plot
from momentum_opt.results.report.timeline import Axis, Curve, Timeline
from momentum_opt.results.report.vega import png, svg
from momentum_opt.results.tables import daily_bars

_DASHES: Final = (6.0, 3.0)
_SMALLEST: Final = 1e-9
"""Difference of weights that the logarithmic axis begins at."""


def rehearsal_table(rehearsal: Rehearsal, market: Market) -> pd.DataFrame:
    """Day by day and at the last bar: time, and value and weights of simulation and contract."""
    bars = daily_bars(market)
    table: dict[str, object] = {
        "time": pd.to_datetime(market.times_ms[market.start_row :][bars], unit="ms", utc=True),
        "simulated_value": rehearsal.simulated.value[bars],
        "contract_value": rehearsal.contract.value[bars],
    }
    for column, token in enumerate(market.tokens):
        table[f"simulated_weight_{token}"] = rehearsal.simulated.weights[bars, column]
        table[f"contract_weight_{token}"] = rehearsal.contract.weights[bars, column]
    return pd.DataFrame(table)


def write_rehearsal_plot(path: Path, table: pd.DataFrame, tokens: tuple[str, ...], tolerance: float) -> None:
    """Weights, their differences against the tolerance, and values, from `rehearsal_table`; a PNG file."""
    write_whole(path, png(svg(_plot(table, tokens, tolerance))))


def _plot(table: pd.DataFrame, tokens: tuple[str, ...], tolerance: float) -> Plot:
    paths = {path: (f"{path}_weight_", dashes) for path, dashes in (("simulated", ()), ("contract", _DASHES))}
    weights = [
        Curve(f"{token}, {path}", table[f"{column}{token}"].to_numpy(), TOKENS[place], dashes)
        for place, token in enumerate(tokens)
        for path, (column, dashes) in paths.items()
    ]
    apart = [
        Curve(token, np.maximum(np.abs(contract.values - simulated.values), _SMALLEST), TOKENS[place])
        for place, (token, simulated, contract) in enumerate(zip(tokens, weights[::2], weights[1::2], strict=True))
    ]
    values = [
        Curve("simulation", table["simulated_value"].to_numpy(), ink("ink")),
        Curve("contract", table["contract_value"].to_numpy(), ink("hodl"), _DASHES),
    ]
    time = table["time"]
    views = (
        Timeline("weights", time, weights, Axis(ticks=".0%", title="weight")),
        Timeline("apart", time, apart, Axis(ticks="~e", log=True, title="difference of weights"), level=tolerance),
        Timeline("value", time, values, Axis(ticks="~s", title="pool value")),
    )
    alt = "Weights and values of the simulation and of the contract, and how far the weights lie apart."
    return Plot("rehearsal", "Rehearsal", alt, "", tuple(view.view() for view in views))
