"""Parquet and feather files of OHLCV in, as trading frameworks store them; times, closes and volumes out.

The time is a timestamp or number column (`date`, `timestamp`, `unix`, …) or the index that pandas kept.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from momentum_opt.errors import DataError, listing, nearest
from momentum_opt.market.damage import UNREADABLE
from momentum_opt.market.identity import plain
from momentum_opt.market.importing.gather import Block, Gatherer
from momentum_opt.market.importing.raw import Source
from momentum_opt.market.importing.reading import (
    TIME_COLUMNS,
    Key,
    Reading,
    find_column,
    key_columns,
    time_places,
)
from momentum_opt.paths import os_fault

# pyarrow ships no types.
_Schema = Any
_File = Any
_Batch = Any
_Batches = Callable[[list[str]], Iterator[_Batch]]

_MAGIC = {b"PAR1": "parquet", b"ARRO": "feather"}
_BATCH_ROWS = 1 << 17
_compute: Any = pc


def table_format(path: Path) -> str | None:
    """`parquet` or `feather` by the first bytes; None for any other file."""
    with path.open("rb") as file:
        return _MAGIC.get(file.read(4))


def read_table(path: Path, name: str, reading: Reading) -> Source:
    """Read the time, close and volume columns, and those that name a symbol.

    Args:
        path: the file.
        name: its format.
        reading: what the user said.

    Raises:
        DataError: it cannot be read, has no such columns, or too many rows.
    """
    try:
        with pa.OSFile(str(path)) as file:
            schema, batches = _parquet(file) if name == "parquet" else _feather(file)
            return _read(path, name, _kept_columns(path, schema, reading), batches, reading)
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:
            what, remedy = os_fault(error)
            raise DataError(f"{path}: {what}; {remedy}") from None
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: not a readable {name} file ({reason}); export or download it again") from None


def _parquet(file: _File) -> tuple[_Schema, _Batches]:
    parquet = pq.ParquetFile(file)
    return parquet.schema_arrow, lambda columns: parquet.iter_batches(_BATCH_ROWS, columns=columns)


def _feather(file: _File) -> tuple[_Schema, _Batches]:
    schema = pa.ipc.open_file(file).schema

    def batches(columns: list[str]) -> Iterator[_Batch]:
        # Only the columns that count are unpacked.
        fields = [schema.get_field_index(column) for column in columns]
        reader = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=fields))
        for number in range(reader.num_record_batches):
            whole = reader.get_batch(number)
            for row in range(0, whole.num_rows, _BATCH_ROWS):
                yield whole.slice(row, _BATCH_ROWS)

    return schema, batches


class _Kept(NamedTuple):
    """Names of the columns that are read."""

    times: tuple[str, ...]
    close: str
    volume: str | None
    keys: tuple[tuple[str, Key], ...]

    @property
    def all(self) -> list[str]:
        volume = [] if self.volume is None else [self.volume]
        return list(dict.fromkeys([*self.times, self.close, *volume, *(name for name, _ in self.keys)]))


def _kept_columns(path: Path, schema: _Schema, reading: Reading) -> _Kept:
    names: list[str] = schema.names
    about = f"{path}: its columns are {listing(names) or 'none'}"
    header = [plain(name) for name in names]

    def find(given: str, option: str) -> int:
        if names.count(given) == 1:
            return names.index(given)
        if names.count(given) > 1:
            raise DataError(f"{about}: more than one column {given}; mend {option}")
        try:
            return find_column(str(path), header, len(names), given, option)
        except DataError:
            close = nearest(given, names)
            hint = f", did you mean {close}?" if close else ""
            raise DataError(f"{about}: no column {given}; mend {option}{hint}") from None

    if reading.columns is not None:
        times = time_places(reading.columns.time, find)
        close = find(reading.columns.close, "--columns")
        volume = None if reading.columns.volume is None else find(reading.columns.volume, "--columns")
    else:
        times, close, volume = _known_columns(about, schema, header)
    fractions = [place for place, field in enumerate(schema) if _names_nothing(field.type)]
    keys = key_columns(header, reading, find, (*times, close, volume), fractions)
    chosen = [*times, close, *(() if volume is None else (volume,)), *(key.place for key in keys)]
    for name in (names[place] for place in chosen):
        if names.count(name) > 1:
            raise DataError(f"{about}: more than one column {name}; keep one")
    of_keys = tuple((names[key.place], key) for key in keys)
    return _Kept(
        tuple(names[place] for place in times), names[close], None if volume is None else names[volume], of_keys
    )


def _known_columns(about: str, schema: _Schema, header: list[str]) -> tuple[tuple[int, ...], int, int | None]:
    """Positions of the time, close and volume columns by their names."""
    advice = "give for example --columns time=NAME,close=NAME"
    times = [place for place, name in enumerate(header) if name in TIME_COLUMNS] or _timestamp_index(schema)
    closes = [place for place, name in enumerate(header) if name == "close"]
    if len(times) == 2 and {header[place] for place in times} == {"date", "time"}:
        times = [header.index("date"), header.index("time")]
        kinds = [schema.field(place).type for place in times]
        joined = pa.types.is_time(kinds[1]) or all(pa.types.is_string(k) or pa.types.is_large_string(k) for k in kinds)
    else:
        joined = False
    if len(times) != 1 and not joined:
        shown = " and ".join(schema.names[place] for place in times)
        what = f"{shown} could both be the time" if times else "none of them is known as the time"
        raise DataError(f"{about}: {what}; {advice}")
    if len(closes) != 1:
        what = "more than one is named close" if closes else "none of them is named close"
        raise DataError(f"{about}: {what}; {advice}")
    volumes = [place for place, name in enumerate(header) if name == "volume"]
    return tuple(times), closes[0], volumes[0] if len(volumes) == 1 else None


def _names_nothing(kind: Any) -> bool:
    """Whether a column of this type cannot hold names: only texts and whole numbers do."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return not (pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_integer(inner))


def _timestamp_index(schema: _Schema) -> list[int]:
    """The index that pandas kept as a column, if it holds timestamps."""
    metadata: dict[str, Any] = schema.pandas_metadata or {}
    kept = [name for name in metadata.get("index_columns", ()) if isinstance(name, str) and name in schema.names]
    return [schema.names.index(name) for name in kept if pa.types.is_timestamp(schema.field(name).type)]


def _read(path: Path, name: str, kept: _Kept, batches: _Batches, reading: Reading) -> Source:
    gatherer = Gatherer(str(path), "row", [key for _, key in kept.keys], reading)
    row = 0
    for batch in batches(kept.all):
        number = np.arange(row, row + batch.num_rows)
        row += batch.num_rows
        volume = None if kept.volume is None else _floats(path, batch, kept.volume)
        keys = [_words(path, batch, column) for column, _ in kept.keys]
        gatherer.add(Block(number, _time(batch, kept.times), _floats(path, batch, kept.close), volume, keys))
    return gatherer.source(name)


def _time(batch: _Batch, times: tuple[str, ...]) -> Any:
    if len(times) == 1:
        return batch.column(times[0])
    parts = [batch.column(name).cast(pa.string()) for name in times]
    return _compute.binary_join_element_wise(*parts, " ")


def _words(path: Path, batch: _Batch, column: str) -> Any:
    try:
        return _compute.utf8_trim_whitespace(batch.column(column).cast(pa.string()))
    except pa.ArrowException:
        kind = batch.column(column).type
        raise DataError(f"{path}: column {column} is {kind}, no text; choose rows by another column") from None


def _floats(path: Path, batch: _Batch, column: str) -> np.ndarray:
    values = batch.column(column)
    kind = values.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        raise DataError(f"{path}: column {column} is {kind}, no number; convert the column")
    return values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
