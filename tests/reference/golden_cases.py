"""The cases of the shared golden simulation file as inputs of the oracle: prices, start row, parameters, settings."""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tests.reference.minute_loop import Path, Pool, simulate
from tests.shared_data import golden, minute_prices

Floats = NDArray[np.float64]
CASES: dict[str, Mapping[str, Any]] = {entry["case"]["name"]: entry for entry in golden("simulation.json")}
"""Name → {case, expected}; empty in a clone without the shared folder."""


class LoadedCase(NamedTuple):
    """A case ready for `simulate`; columns and parameters in the order of its expected lists."""

    prices: Floats
    start_row: int
    params: dict[str, Floats]
    pool: Pool


@cache
def closes(token: str) -> "pd.Series[float]":
    """All closes of a token in the shared minute data by UTC time, straight from its file."""
    frame = pd.read_parquet(minute_prices() / f"{token}_USD.parquet", columns=["unix", "close"])
    if "unix" in frame:
        frame = frame.set_index("unix")
    return pd.Series(frame["close"].to_numpy(), index=pd.to_datetime(frame.index.to_numpy(), unit="ms"))


def minute_grid(tokens: tuple[str, ...], first: pd.Timestamp, end: pd.Timestamp) -> Floats:
    """Prices (time, asset) at every minute from `first`, before `end`; gaps hold the last close before them."""
    grid = pd.date_range(first, end, freq="min", inclusive="left")
    columns = [closes(token).reindex(grid, method="ffill").to_numpy() for token in tokens]
    prices = np.column_stack(columns).astype(np.float64)
    assert np.isfinite(prices).all(), (tokens, first)
    prices.setflags(write=False)
    return prices


@cache
def load(name: str) -> LoadedCase:
    """The named case; kept, so every test of a run shares its (read-only) prices."""
    case, expected = CASES[name]["case"], CASES[name]["expected"]
    order = tuple(expected["order"])
    start = pd.Timestamp(case["start"])
    days = case["burn_in_days"]
    prices = minute_grid(order, start - pd.Timedelta(days=days), pd.Timestamp(case["end"]))
    params = {key: np.array([float(value[token]) for token in order]) for key, value in case["params"].items()}
    settings = {field.name: case[field.name] for field in fields(Pool) if field.name in case}
    if "wip" in case:
        settings["weight_interpolation_period"] = case["wip"]
    return LoadedCase(prices, days * 1440, params, Pool(**settings))


def load_case(case: Mapping[str, Any]) -> LoadedCase:
    """Prices, start row, parameter arrays and `Pool` of a `case` mapping of the golden file."""
    return load(case["name"])


@cache
def reference_path(name: str) -> Path:
    """The oracle's path of the named case; kept for the run."""
    return simulate(*load(name))
