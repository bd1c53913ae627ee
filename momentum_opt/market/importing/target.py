"""`<TOKEN>_USD.parquet`: new bars in, the file with them added out. Whatever else the file holds stays in it."""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from momentum_opt.errors import DataError
from momentum_opt.market.importing.raw import Series
from momentum_opt.market.limits import MOST_ROWS
from momentum_opt.market.price_file import SUFFIX, open_price_file, read_batches, read_rows
from momentum_opt.market.row_checks import bar_length, check_closes, check_order
from momentum_opt.market.wording import other_time_unit, utc
from momentum_opt.paths import NO_FOLDER, file_fault, folder_fault
from momentum_opt.units import MINUTES_PER_DAY

_ROW_GROUP = 50 * MINUTES_PER_DAY  # some weeks of minutes, so that a short window is cheap to read
_ENCODING: Final[Mapping[str, Any]] = {"compression": "zstd", "column_encoding": {"unix": "DELTA_BINARY_PACKED"}}


@dataclass(frozen=True, slots=True)
class Target:
    """A price file that is to be written.

    Attributes:
        path: where.
        existing: the bars already in it; None where there is no file.
        stamp: of the file as it was read.
    """

    path: Path
    existing: Series | None
    stamp: tuple[int, int] | None


def check_loadable(name: str, series: Series) -> None:
    """Refuse bars that no run could load from the price file: what is written is held to the rules of the loader.

    Args:
        name: where the bars come from, for messages.
        series: the whole content of the price file.

    Raises:
        DataError: a time that is not of our era, a close that is no price, or times that make no bar.
    """
    for time in (int(series.unix[0]), int(series.unix[-1])):
        if other_time_unit(time) is not None:
            raise DataError(f"{name}: {utc(time)} lies outside of 1973-03-03 to 5138; give days between them")
    rows = replace(series, name=name).rows()
    check_closes(rows)
    if len(series) > 1:
        bar_length(rows)
    if len(series) > MOST_ROWS:
        raise DataError(f"{name}: {len(series):,} bars, but a price file has at most {MOST_ROWS:,}; give fewer days")


def open_target(folder: Path, token: str) -> Target:
    """Look at what is there.

    Raises:
        DataError: there is a file, and it is no sound price file; or the folder is a file.
    """
    path = folder / f"{token}{SUFFIX}"
    fault = folder_fault(folder)
    if fault is not None and fault[0] != NO_FOLDER:
        what = fault[0].replace("this is a file", "a file")
        raise DataError(f"{folder}: {what}; name another one with --out")
    if (fault := file_fault(path)) is not None:
        raise DataError(f"{path}: {fault[0]}; {fault[1]}, or another folder with --out")
    if not path.exists():
        return Target(path, None, None)
    stamp = _stamp(path)
    file = open_price_file(folder, token)
    rows = read_rows(file, file.first_ms, file.last_ms + 1)
    check_order(rows)
    check_closes(rows)
    volumes = [
        np.full(len(batch.unix), np.nan) if batch.volume is None else batch.volume for batch in read_batches(file)
    ]
    return Target(path, Series(str(path), rows.unix, rows.close, np.concatenate(volumes)), stamp)


def write_target(target: Target, series: Series) -> bool:
    """Write the bars of `series` under a temporary name and rename it; the file keeps its other columns.

    Returns:
        Whether anything had to be written.

    Raises:
        DataError: the folder cannot be written, or the file was changed by somebody else in the meantime.
    """
    old = target.existing
    if old is not None and np.array_equal(old.unix, series.unix) and np.array_equal(old.close, series.close):
        return False
    path = target.path
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            table = _table(target, series)
            others = [name for name in table.column_names if name not in _ENCODING["column_encoding"]]
            options: dict[str, Any] = {**_ENCODING, "use_dictionary": others, "row_group_size": _ROW_GROUP}
            pq.write_table(table, file, **options)
            file.flush()
            os.fsync(file.fileno())
        if target.stamp != (_stamp(path) if path.exists() else None):
            raise DataError(f"{path}: changed by another program while this import ran; run it again")
        temporary.replace(path)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror or error}); name another folder with --out"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return True


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _table(target: Target, series: Series) -> Any:
    """`unix`, `close`, `volume` where any is known, and the other columns of the file as it was, null in new rows."""
    columns: dict[str, Any] = {
        "unix": pa.array(series.unix),
        "close": pa.array(series.close),
        "volume": pa.array(series.volume, from_pandas=True),
    }
    if np.isnan(series.volume).all():
        del columns["volume"]
    if target.existing is not None:
        before = pq.read_table(target.path)
        if "volume" in before.column_names and not pa.types.is_floating(before.schema.field("volume").type):
            columns.pop("volume", None)  # it was not read as numbers, so it stays as it is
        row = np.searchsorted(target.existing.unix, series.unix)
        known = np.append(target.existing.unix, -1)[row] == series.unix
        rows = pa.array(np.where(known, row, 0), mask=~known)
        columns |= {
            name: before.column(name).take(rows) for name in before.column_names if name not in ("unix", *columns)
        }
    required = {"unix", "close"}
    schema = pa.schema([pa.field(name, values.type, name not in required) for name, values in columns.items()])
    return pa.table(list(columns.values()), schema=schema)
