"""The files of the `costs` section and a window in, their rows out (SPEC §9): used as they are, or refused.

A time inside a bar counts as the bar's start, for a change of a cost or of the supply as for a trade: the bar's close,
where everything happens, is not before it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from momentum_opt.errors import DataError, MissingFileError
from momentum_opt.market.external import External, ExternalFile, HeldSeries, Trades
from momentum_opt.market.model import Market
from momentum_opt.market.table_file import Kind, TableRows, check_not_falling, check_numbers, read_table_file
from momentum_opt.market.wording import day, utc
from momentum_opt.units import MS_PER_DAY, MS_PER_MINUTE

_TRADE_COLUMNS: Final[Mapping[str, Kind]] = MappingProxyType(
    {"token_in": "token", "token_out": "token", "amount_in": "number"}
)
_Good = Callable[[NDArray[np.float64]], NDArray[np.bool_]]
_SHARE: Final[tuple[_Good, str]] = (lambda x: (x >= 0) & (x < 1), "a number >= 0 and < 1")
_COUNT: Final[tuple[_Good, str]] = (lambda x: (x >= 0) & (x < np.inf), "a finite number >= 0")
_POSITIVE: Final[tuple[_Good, str]] = (lambda x: (x > 0) & (x < np.inf), "a finite number > 0")
_MAGNITUDE: Final[tuple[_Good, str]] = (lambda x: (x == 0) | ((x >= 1e-30) & (x <= 1e30)), "0 or from 1e-30 to 1e30")
"""Of any number, so that no product of them overflows."""
_ASKED: Final[Mapping[str, tuple[_Good, str]]] = MappingProxyType(
    {"fees": _SHARE, "gas_cost": _COUNT, "arb_fees": _SHARE, "lp_supply": _POSITIVE}
)


def with_external(market: Market, paths: Mapping[str, Path]) -> Market:
    """The market with the rows of the named files for its window, from its start to its end.

    Args:
        market: tokens, bar and window.
        paths: of `EXTERNAL`, the files that a run names.

    Raises:
        MissingFileError: files are missing, and nothing else is wrong.
        DataError: files that cannot be used, one line per problem, all files at once.
    """
    loaded: dict[str, tuple[HeldSeries | Trades, ExternalFile]] = {}
    problems: list[DataError] = []
    for name, path in paths.items():
        try:
            loaded[name] = _trades(path, market) if name == "trades" else _held(name, path, market)
        except DataError as error:
            problems.append(error)
    if problems:
        kind = MissingFileError if all(isinstance(problem, MissingFileError) for problem in problems) else DataError
        raise kind([f"costs.{_key_of(problem, paths)}{line}" for problem in problems for line in problem.problems])
    content = {name: one for name, (one, _) in loaded.items()}
    trades, supply = content.pop("trades", None), content.pop("lp_supply", None)
    assert trades is None or isinstance(trades, Trades)
    assert supply is None or isinstance(supply, HeldSeries)
    costs = {name: one for name, one in content.items() if isinstance(one, HeldSeries)}
    files = tuple(file for _, file in loaded.values())
    return replace(market, external=External(MappingProxyType(costs), trades, supply, files))


def hash_external(name: str, path: Path, from_ms: int, until_ms: int) -> str:
    """SHA-256 of the rows with `from_ms <= unix < until_ms`, as `ExternalFile.sha256` defines it.

    Raises:
        MissingFileError: no such file.
        DataError: a file that is not such a table.
    """
    rows = read_table_file(path, _TRADE_COLUMNS if name == "trades" else None)
    inside = np.flatnonzero((rows.unix >= from_ms) & (rows.unix < until_ms))
    return _digest(rows.within(int(inside[0]), int(inside[-1]) + 1) if len(inside) else rows.within(0, 0))


def _key_of(problem: DataError, paths: Mapping[str, Path]) -> str:
    """`fees: ` for the file that a problem begins with."""
    return next((f"{name}: " for name, path in paths.items() if str(problem).startswith(f"{path}:")), "")


def _held(name: str, path: Path, market: Market) -> tuple[HeldSeries, ExternalFile]:
    rows = read_table_file(path, None)
    check_not_falling(rows, repeats=False)
    (column,) = rows.columns
    unix = _bar_of(rows.unix, market)
    _check_cover(name, rows, unix, market)
    first = int(unix.searchsorted(market.start_ms, side="right")) - 1
    end = int(unix.searchsorted(market.end_ms))
    used, unix = rows.within(first, end), unix[first:end]
    values = used.columns[column].astype(np.float64)
    for good, asked in (_ASKED[name], _MAGNITUDE):
        check_numbers(used, column, good(values), asked)
    return HeldSeries(unix, values), _describe(name, used, int(used.unix[0]), market)


def _trades(path: Path, market: Market) -> tuple[Trades, ExternalFile]:
    rows = read_table_file(path, _TRADE_COLUMNS)
    check_not_falling(rows, repeats=True)
    first, end = (int(place) for place in rows.unix.searchsorted([market.start_ms, market.end_ms]))
    used = rows.within(first, end)
    numbers = {name: _token_numbers(used, name, market.tokens) for name in ("token_in", "token_out")}
    same = np.flatnonzero(numbers["token_in"] == numbers["token_out"])
    if len(same):
        at = int(same[0])
        token = market.tokens[numbers["token_in"][at]]
        raise DataError(f"{used.where(at)}: token_in and token_out are both {token}; mend or delete the row")
    amount = used.columns["amount_in"].astype(np.float64)
    for good, asked in (_POSITIVE, _MAGNITUDE):
        check_numbers(used, "amount_in", good(amount), asked)
    trades = Trades(_bar_of(used.unix, market), numbers["token_in"], numbers["token_out"], amount)
    return trades, replace(_describe("trades", used, market.start_ms, market), left_out=len(rows) - len(used))


def _token_numbers(rows: TableRows, name: str, tokens: Sequence[str]) -> NDArray[np.int64]:
    number = {token: place for place, token in enumerate(tokens)}
    found = [number.get(token, -1) for token in rows.columns[name].tolist()]
    if -1 in found:
        at = found.index(-1)
        known = ", ".join(tokens)
        given = rows.columns[name][at]
        raise DataError(f"{rows.where(at)}: `{name}` is {given!r}; the pool holds {known}: mend or delete the row")
    return np.array(found, dtype=np.int64)


def _bar_of(unix: NDArray[np.int64], market: Market) -> NDArray[np.int64]:
    """The start of the bar in which each time lies."""
    return unix - unix % (market.bar_minutes * MS_PER_MINUTE)


def _check_cover(name: str, rows: TableRows, unix: NDArray[np.int64], market: Market) -> None:
    """A row must hold at the window's start, and one must lie on its last day or later."""
    last_day = market.end_ms - MS_PER_DAY
    if unix[0] <= market.start_ms and unix[-1] >= last_day:
        return
    lacking = [f"at or before {utc(market.start_ms)}"] * bool(unix[0] > market.start_ms)
    lacking += [f"on {day(last_day)} or later"] * bool(unix[-1] < last_day)
    raise DataError(
        f"{rows.path}: the window runs from {utc(market.start_ms)} to {utc(market.end_ms)}, but the file has rows from "
        f"{utc(int(rows.unix[0]))} to {utc(int(rows.unix[-1]))} only; add a row {' and one '.join(lacking)} "
        f"(it may repeat the value of {name}), or choose another window"
    )


def _describe(name: str, used: TableRows, from_ms: int, market: Market) -> ExternalFile:
    return ExternalFile(name, used.path, _digest(used), from_ms, market.end_ms, len(used), 0)


def _digest(rows: TableRows) -> str:
    digest = hashlib.sha256(rows.unix.astype("<i8", copy=False).tobytes())
    for column in rows.columns.values():
        tokens = column.dtype == object
        digest.update("\n".join(map(str, column)).encode() if tokens else column.astype("<f8", copy=False).tobytes())
    return digest.hexdigest()
