"""Write trial records and replays as parquet tables, keyed by token name."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from momentum_opt.errors import RunFolderError
from momentum_opt.evidence.scoring import ScoredRows
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market
from momentum_opt.results.files import write_whole
from momentum_opt.results.parameters import readable_columns
from momentum_opt.results.parquet import read_parquet
from momentum_opt.study.block_sums import ROWS, Sums, as_columns, column_names, decoded
from momentum_opt.study.replay import Replay
from momentum_opt.study.screening import Screened
from momentum_opt.study.space import SearchSpace
from momentum_opt.study.trials import SCREEN, START_OF, TrialRecord

MOST_SCREENED_BLOCKS = 20_000
"""Screened candidates whose sums per block are looked at: more say no more of luck, and would take 1.2 kB each."""

_WITHOUT_SCREEN: Final = (
    "delete it and give the tune's command again: the evidence is then drawn without the screened candidates"
)

Values = NDArray[np.float64]


@dataclass(frozen=True)
class TrialColumns:
    """Finished trials or screened candidates, column by column.

    Attributes:
        number: (row,).
        source: (row,) `sampler`, `screen`, `warm_start` or `neighbourhood`.
        numbers: (row, key) sampled numbers, in the order of the search space.
        objectives: (row, objective); NaN where the row failed.
        metrics: column name, such as `train_returns`, → (row,) numbers.
        fail_reason: (row,) text, or None for a complete row.
        blocks: sums per block of train days, NaN in rows without; None where no row has any.
        points: (row,) how many points were scored to find the row.
        starts: (row, key) numbers from which it was improved, NaN in rows that were not; None where none was.
        near: (row,) the trial near which it was found, NaN in other rows; None where none was.
        violation: (row,) of the limits (`study.limits`), NaN where the row failed.
    """

    number: NDArray[np.int64]
    source: Sequence[str]
    numbers: Values
    objectives: Values
    metrics: Mapping[str, Values]
    fail_reason: Sequence[str | None]
    blocks: Sums | None = None
    points: NDArray[np.int64] | None = None
    starts: Values | None = None
    near: Values | None = None
    violation: Values | None = None


def columns_of(records: Sequence[TrialRecord], space: SearchSpace) -> TrialColumns:
    """Trial records as columns; what a failed trial does not have is NaN."""
    keys = list(space.ranges)
    width = max([1, *(len(record.objectives) for record in records)])
    tables = {prefix: [getattr(record, prefix) for record in records] for prefix in ("train", "validation")}
    return TrialColumns(
        number=np.array([record.number for record in records], np.int64),
        source=[record.source for record in records],
        numbers=np.array([[record.numbers[key] for key in keys] for record in records], np.float64),
        objectives=np.array([record.objectives or (math.nan,) * width for record in records], np.float64),
        metrics={
            f"{prefix}_{name}": np.array([row.get(name, math.nan) for row in rows], np.float64)
            for prefix, rows in tables.items()
            for name in dict.fromkeys(name for row in rows for name in row)
        },
        fail_reason=[record.fail_reason for record in records],
        blocks=_decoded_blocks(records),
        points=np.array([record.points for record in records], np.int64),
        starts=_starts(records, keys),
        near=_near(records),
        violation=np.array([math.nan if record.failed else record.violation for record in records], np.float64),
    )


def _starts(records: Sequence[TrialRecord], keys: Sequence[str]) -> Values | None:
    if not any(record.start for record in records):
        return None
    return np.array([[record.start.get(key, math.nan) for key in keys] for record in records], np.float64)


def _near(records: Sequence[TrialRecord]) -> Values | None:
    if all(record.near is None for record in records):
        return None
    return np.array([math.nan if record.near is None else record.near for record in records], np.float64)


def _decoded_blocks(records: Sequence[TrialRecord]) -> Sums | None:
    """The sums of every trial, NaN where one has none or other blocks than most."""
    sums = {place: decoded(record.blocks) for place, record in enumerate(records) if record.blocks is not None}
    widest = max((one.shape[1] for one in sums.values()), default=0)
    fitting = {place: one for place, one in sums.items() if one.shape[1] == widest}
    if not fitting:
        return None
    every = np.full((len(records), *next(iter(fitting.values())).shape), np.nan)
    every[list(fitting)] = list(fitting.values())
    return every


def screen_table(screened: Screened, space: SearchSpace, fingerprint: Fingerprint) -> pd.DataFrame:
    """One row per screened candidate, by place in the sequence; the columns of `columns_table`, and `kept`."""
    count = len(screened.numbers)
    reasons = [screened.problems.get(place) for place in range(count)]
    sound = np.array([reason is None for reason in reasons])
    columns = TrialColumns(
        number=np.arange(count),
        source=[SCREEN] * count,
        numbers=screened.numbers,
        objectives=np.where(sound[:, None], screened.scores.objectives, math.nan),
        metrics={
            f"{prefix}_{name}": np.where(sound, values, math.nan)
            for prefix, table in (("train", screened.scores.train), ("validation", screened.scores.validation))
            for name, values in table.items()
        },
        fail_reason=reasons,
        blocks=_first_blocks(screened.scores.blocks, sound),
        violation=np.where(sound, screened.scores.violations, math.nan),
    )
    table = columns_table(columns, space, fingerprint)
    table["kept"] = np.isin(columns.number, screened.kept)
    return table


def read_screened(path: Path, space: SearchSpace, fingerprint: Fingerprint) -> ScoredRows | None:
    """The candidates of a screen.parquet; None where it is not there or holds no sums of the configured blocks.

    Raises:
        RunFolderError: it is damaged.
    """
    names = column_names(fingerprint.evidence.blocks)
    if not path.exists():
        return None
    table = read_parquet(path, _WITHOUT_SCREEN)
    if not set(names) <= set(table.columns):
        return None
    objective = fingerprint.objective.columns[0]
    validation = f"validation_{fingerprint.objective.metric}"
    keys = [
        f"{one.name}_{token}" for one in space.sampled for token, _ in zip(fingerprint.tokens, one.keys, strict=False)
    ]
    try:
        return ScoredRows(
            numbers=table[keys].to_numpy(np.float64),
            objectives=fingerprint.objective.signs[0] * table[objective].to_numpy(np.float64),
            validation=table[validation].to_numpy(np.float64) if validation in table else None,
            sums=table[names].to_numpy(np.float64).reshape(len(table), len(ROWS), -1),
        )
    except (KeyError, TypeError, ValueError):
        raise RunFolderError(f"{path}: not a table of screened candidates; {_WITHOUT_SCREEN}") from None


def _first_blocks(blocks: Sums | None, sound: NDArray[np.bool_]) -> Sums | None:
    """The sums of the first `MOST_SCREENED_BLOCKS` candidates, NaN elsewhere and where one failed.

    The first, because the beginning of a Sobol sequence fills the whole space evenly; every fourth point does not.
    The kept ones have theirs in the study, and would not be a choice without regard to results.
    """
    if blocks is None:
        return None
    shown = sound & (np.arange(len(blocks)) < MOST_SCREENED_BLOCKS)
    return np.where(shown[:, None, None], blocks, math.nan)


def trials_table(
    records: Sequence[TrialRecord],
    space: SearchSpace,
    fingerprint: Fingerprint,
    figures: Mapping[int, Mapping[str, float]] = MappingProxyType({}),
) -> pd.DataFrame:
    """One row per finished trial, by number (SPEC §15); the columns of `columns_table`, without the sums per block.

    Args:
        records: the trials.
        space: what was searched.
        fingerprint: of the run.
        figures: number of a trial → metric of train → what was measured besides; empty in other rows.
    """
    columns = replace(columns_of(records, space), blocks=None)
    more: dict[str, Values] = {}
    for name in dict.fromkeys(name for row in figures.values() for name in row):
        values = (figures.get(record.number, {}).get(name, math.nan) for record in records)
        more[f"train_{name}"] = np.fromiter(values, np.float64, len(records))
    return columns_table(replace(columns, metrics={**more, **columns.metrics}), space, fingerprint)


def blocks_table(records: Sequence[TrialRecord]) -> pd.DataFrame:
    """`number` of every finished trial, and its sums per block of train days, `block_n_0` … (`study.block_sums`)."""
    blocks = _decoded_blocks(records)
    numbers = np.array([record.number for record in records], np.int64)
    return pd.DataFrame({"number": numbers, **({} if blocks is None else as_columns(blocks))})


def columns_table(columns: TrialColumns, space: SearchSpace, fingerprint: Fingerprint) -> pd.DataFrame:
    """Columns as a table.

    `number`, `state`, `source`, `near` (where trials were found near another one), `points`, `objective` (or several
    of them), `feasible` and `violation` (where metrics have limits), every parameter per token in internal form and as
    `k_per_day_T`, `memory_days_T`, `lamb_T`, `initial_weights_T`, `train_<metric>`, `validation_<metric>`,
    `fail_reason`, `start_log_k_T`, `start_k_per_day_T`, … (where trials were improved: where that began), and the sums
    per block of train days, `block_n_0` … (`study.block_sums`).
    """
    params = space.columns(columns.numbers)
    forms = {**params, **readable_columns(params, fingerprint)}
    names = fingerprint.objective.columns
    objectives = columns.objectives * np.array(fingerprint.objective.signs)
    objectives = np.broadcast_to(objectives, (len(columns.number), len(names)))
    failed = np.array([reason is not None for reason in columns.fail_reason], bool)
    return pd.DataFrame(
        {
            "number": columns.number,
            "state": np.where(failed, "FAIL", "COMPLETE"),
            "source": columns.source,
            **({} if columns.near is None else {"near": columns.near}),
            **({} if columns.points is None else {"points": columns.points}),
            **dict(zip(names, objectives.T, strict=True)),
            **_limit_columns(columns, fingerprint),
            **{
                f"{name}_{token}": values
                for name, table in forms.items()
                for token, values in zip(fingerprint.tokens, table, strict=True)
            },
            **columns.metrics,
            "fail_reason": np.array(columns.fail_reason, dtype=object),
            **_start_columns(columns.starts, space, fingerprint),
            **({} if columns.blocks is None else as_columns(columns.blocks)),
        }
    )


def _limit_columns(columns: TrialColumns, fingerprint: Fingerprint) -> dict[str, NDArray[Any]]:
    """Whether each row keeps the limits, and how far it breaks them; nothing where no metric has a limit."""
    if not fingerprint.objective.limits or columns.violation is None:
        return {}
    return {"feasible": columns.violation == 0.0, "violation": columns.violation}


def _start_columns(starts: Values | None, space: SearchSpace, fingerprint: Fingerprint) -> dict[str, Values]:
    """The searched numbers of the starts per token, internal and readable, as the trials' own stand beside them."""
    if starts is None:
        return {}
    known = np.isfinite(starts.sum(axis=1))
    middle = np.array([one.low for one in space.ranges.values()])
    params = space.columns(np.where(known[:, None], starts, middle))
    searched = {one.name for one in space.sampled}
    still = {"lamb", *({"initial_weights"} if "initial_weights_logits" not in searched else set[str]())}
    forms = {name: params[name] for name in searched} | {
        name: table for name, table in readable_columns(params, fingerprint).items() if name not in still
    }
    return {
        f"{START_OF}{name}_{token}": np.where(known, values, math.nan)
        for name, table in forms.items()
        for token, values in zip(fingerprint.tokens, table, strict=True)
    }


def replay_table(replay: Replay, market: Market, bars: np.ndarray) -> pd.DataFrame:
    """The chosen bars of a replay: time, values of pool and baselines, and price, weight and reserves per token.

    `turnover` (½ Σ |Δw| of the weights), `volume` and `fees_earned` of liquidity providers (in the numeraire) are sums
    since the row before.

    `value` and `reserves_T` are those of the whole pool; where its supply changes, `lp_supply` (1 at the start) and
    `first_lp_value`, the worth of the pool tokens of the start, stand beside them.
    """
    prices = market.prices[market.start_row :]
    table: dict[str, Any] = {
        "time": pd.to_datetime(market.times_ms[market.start_row :][bars], unit="ms", utc=True),
        "value": replay.value[bars],
        **_supply_columns(replay, bars),
        **{f"{name}_value": values[bars] for name, values in replay.baselines.items()},
        **{name: _since_row_before(values, bars) for name, values in replay.flows.items()},
    }
    for column, token in enumerate(market.tokens):
        table[f"price_{token}"] = prices[bars, column]
        table[f"weight_{token}"] = replay.weights[bars, column]
        table[f"reserves_{token}"] = replay.reserves[bars, column]
    return pd.DataFrame(table)


def _since_row_before(flow: Values, bars: np.ndarray) -> Values:
    """Sums of what flows at each bar, over the bars after the row before up to each row's."""
    return np.diff(np.cumsum(flow)[bars], prepend=0.0)


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
    words = [str(name) for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    table.to_parquet(buffer, index=False, compression="zstd", use_dictionary=words)  # numbers hardly ever repeat
    write_whole(path, buffer.getvalue())
