"""Tables of a run: trial records and replays in, parquet files out. Everything is keyed by token name."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.results.files import write_whole
from momentum_opt.results.parameters import internal_form, readable_form
from momentum_opt.study.replay import Replay
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.trials import TrialRecord

MULTI_OBJECTIVE_COLUMNS = ("objective_mean", "objective_worst", "objective_steadiness")


def trials_table(records: Sequence[TrialRecord], space: SearchSpace, fingerprint: Fingerprint) -> pd.DataFrame:
    """One row per finished trial, by number (SPEC §15).

    Columns: `number`, `state`, `objective` (or three of them), every parameter per token in internal form and as
    `k_per_day_T`, `memory_days_T`, `lamb_T`, `initial_weights_T`, `train_<metric>`, `validation_<metric>`,
    `fail_reason`.
    """
    return pd.DataFrame([_row(record, space, fingerprint) for record in records])


def _row(record: TrialRecord, space: SearchSpace, fingerprint: Fingerprint) -> dict[str, Any]:
    params = space.params(record.numbers)
    forms = {**internal_form(params, fingerprint.tokens), **readable_form(params, fingerprint)}
    columns = MULTI_OBJECTIVE_COLUMNS if fingerprint.objective.multi_objective else ("objective",)
    values = record.objectives or (float("nan"),) * len(columns)
    return {
        "number": record.number,
        "state": "FAIL" if record.failed else "COMPLETE",
        **dict(zip(columns, values, strict=True)),
        **{f"{name}_{token}": value for name, table in forms.items() for token, value in table.items()},
        **{f"train_{name}": value for name, value in record.train.items()},
        **{f"validation_{name}": value for name, value in record.validation.items()},
        "fail_reason": record.fail_reason,
    }


def replay_table(replay: Replay, market: Market, bars: np.ndarray) -> pd.DataFrame:
    """The chosen bars of a replay: time, values of pool and baselines, and price, weight and reserves per token.

    `value` and `reserves_T` are those of the whole pool; where its supply changes, `lp_supply` (1 at the start) and
    `first_lp_value`, the worth of the pool tokens of the start, stand beside them.
    """
    prices = market.prices[market.start_row :]
    table: dict[str, Any] = {
        "time": pd.to_datetime(market.times_ms[market.start_row :][bars], unit="ms", utc=True),
        "value": replay.value[bars],
        **_supply_columns(replay, bars),
        **{f"{name}_value": values[bars] for name, values in replay.baselines.items()},
    }
    for column, token in enumerate(market.tokens):
        table[f"price_{token}"] = prices[bars, column]
        table[f"weight_{token}"] = replay.weights[bars, column]
        table[f"reserves_{token}"] = replay.reserves[bars, column]
    return pd.DataFrame(table)


def _supply_columns(replay: Replay, bars: np.ndarray) -> dict[str, np.ndarray]:
    if replay.lp_supply is None:
        return {}
    return {"lp_supply": replay.lp_supply[bars], "first_lp_value": replay.value_of_first_tokens[bars]}


def daily_bars(market: Market) -> np.ndarray:
    """Bars from start at every whole day, and the last bar."""
    n_bars = len(market.prices) - market.start_row
    return np.append(np.arange(0, n_bars, market.bars_per_day), n_bars - 1)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a parquet file whole, under a temporary name first."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    write_whole(path, buffer.getvalue())
