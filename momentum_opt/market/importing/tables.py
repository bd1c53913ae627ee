"""Parquet and feather files of OHLCV in, as trading frameworks store them; times, closes and volumes out.

The time is a timestamp or number column (`date`, `timestamp`, `unix`, …) or the index that pandas kept.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from momentum_opt.errors import DataError
from momentum_opt.market.damage import UNREADABLE
from momentum_opt.market.importing.layouts import TIME_COLUMNS, Columns
from momentum_opt.market.importing.raw import Series, Source
from momentum_opt.market.importing.times import TimesError, to_ms

# pyarrow ships no types.
_Schema = Any
_File = Any
_Batch = Any
_Batches = Callable[[list[str]], Iterator[_Batch]]

_MAGIC = {b"PAR1": "parquet", b"ARRO": "feather"}
_BATCH_ROWS = 1 << 17


def table_format(path: Path) -> str | None:
    """`parquet` or `feather` by the first bytes; None for any other file."""
    with path.open("rb") as file:
        return _MAGIC.get(file.read(4))


def read_table(path: Path, name: str, *, columns: Columns | None, unit: str | None) -> Source:
    """Read the time, close and volume columns.

    Args:
        path: the file.
        name: its format.
        columns: where the user said which column is which.
        unit: of the times, where the user said.

    Raises:
        DataError: it cannot be read, or has no such columns.
    """
    try:
        with pa.OSFile(str(path)) as file:
            schema, batches = _parquet(file) if name == "parquet" else _feather(file)
            kept = _kept_columns(path, schema, columns)
            return _read(path, name, kept, batches, unit)
    except UNREADABLE as error:
        what = " ".join(str(error).split())
        raise DataError(f"{path}: not a readable {name} file ({what}); export or download it again") from None


def _parquet(file: _File) -> tuple[_Schema, _Batches]:
    parquet = pq.ParquetFile(file)
    return parquet.schema_arrow, lambda columns: parquet.iter_batches(_BATCH_ROWS, columns=columns)


def _feather(file: _File) -> tuple[_Schema, _Batches]:
    reader = pa.ipc.open_file(file)

    def batches(columns: list[str]) -> Iterator[_Batch]:
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number).select(columns)

    return reader.schema, batches


def _kept_columns(path: Path, schema: _Schema, columns: Columns | None) -> tuple[str, str, str | None]:
    """Names of the time, close and volume columns."""
    names: list[str] = schema.names
    about = f"{path}: its columns are {', '.join(names) or 'none'}"
    if columns is not None:
        for given in (columns.time, columns.close, columns.volume):
            if given is not None and names.count(given) != 1:
                what = "no column" if given not in names else "more than one column"
                raise DataError(f"{about}: {what} {given}; mend --columns")
        return columns.time, columns.close, columns.volume
    advice = "give for example --columns time=NAME,close=NAME"
    plain = [name.strip().lower().replace(" ", "_") for name in names]
    times = [names[place] for place, name in enumerate(plain) if name in TIME_COLUMNS] or _timestamp_index(schema)
    closes = [names[place] for place, name in enumerate(plain) if name == "close"]
    if len(times) != 1:
        what = f"{' and '.join(times)} could both be the time" if times else "none of them is known as the time"
        raise DataError(f"{about}: {what}; {advice}")
    if len(closes) != 1:
        what = "more than one is named close" if closes else "none of them is named close"
        raise DataError(f"{about}: {what}; {advice}")
    volumes = [names[place] for place, name in enumerate(plain) if name == "volume"]
    return times[0], closes[0], volumes[0] if len(volumes) == 1 else None


def _timestamp_index(schema: _Schema) -> list[str]:
    """The index that pandas kept as a column, if it holds timestamps."""
    metadata: dict[str, Any] = schema.pandas_metadata or {}
    kept = [name for name in metadata.get("index_columns", ()) if isinstance(name, str) and name in schema.names]
    return [name for name in kept if pa.types.is_timestamp(schema.field(name).type)]


def _read(path: Path, name: str, kept: tuple[str, str, str | None], batches: _Batches, unit: str | None) -> Source:
    time, close, volume = kept
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    units: set[str] = set()
    row = 0
    for batch in batches([column for column in kept if column is not None]):
        try:
            unix, found = to_ms(batch.column(time), unit)
        except TimesError as error:
            raise DataError(
                f"{path}: row {row + error.at}: {error.what} (column {time}); mend or delete the row"
            ) from None
        numbers = _floats(path, batch, close)
        units |= found
        parts.append((unix, numbers, np.full(len(unix), np.nan) if volume is None else _floats(path, batch, volume)))
        row += len(unix)
    if not row:
        raise DataError(f"{path}: no rows; export it again or leave it out")
    unix, closes, volumes = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Source(Series(str(path), unix, closes, volumes), np.arange(row), "row", name, frozenset(units))


def _floats(path: Path, batch: _Batch, column: str) -> np.ndarray:
    values = batch.column(column)
    kind = values.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        raise DataError(f"{path}: column {column} is {kind}, no number; convert the column")
    return values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
