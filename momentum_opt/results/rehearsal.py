"""A rehearsal's table and plot: both paths in, a parquet file and a PNG file out."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from momentum_opt.market import Market
from momentum_opt.onchain.rehearsal import Rehearsal
from momentum_opt.results.files import write_whole
from momentum_opt.results.tables import daily_bars

_INCHES = (10.0, 9.0)
_DOTS_PER_INCH = 110


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
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, layout="constrained")
    weights, differences, values = figure.subplots(3, 1, sharex=True)
    time = table["time"].dt.tz_localize(None).to_numpy()
    for number, token in enumerate(tokens):
        colour = f"C{number}"
        simulated = table[f"simulated_weight_{token}"].to_numpy()
        contract = table[f"contract_weight_{token}"].to_numpy()
        weights.plot(time, simulated, color=colour, linewidth=1, label=token)
        weights.plot(time, contract, color=colour, linewidth=1, linestyle="--")
        differences.semilogy(time, np.maximum(np.abs(contract - simulated), 1e-9), color=colour, linewidth=1)
    differences.axhline(tolerance, color="black", linewidth=0.8, linestyle=":")
    values.plot(time, table["simulated_value"].to_numpy(), color="black", linewidth=1, label="simulation")
    values.plot(time, table["contract_value"].to_numpy(), color="C3", linewidth=1, linestyle="--", label="contract")
    weights.set(ylabel="weight", title="simulation (solid) and contract (dashed)")
    differences.set(ylabel="difference of weights")
    values.set(ylabel="pool value")
    for axes in (weights, values):
        axes.legend(loc="upper left", ncols=len(tokens), frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    write_whole(path, buffer.getvalue())
