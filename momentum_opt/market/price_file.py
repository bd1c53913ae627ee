"""One parquet file in, its time span and the rows of a time range out (SPEC §2).

Rows are numbered from 0 in file order. Only row groups that reach into the range are read, in batches, so memory
follows the range. Everything that can be wrong with a file as such is refused here.
"""

import difflib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float64, Int64

from momentum_opt.errors import DataError, MissingFileError, MissingFolderError, listing
from momentum_opt.market.damage import UNREADABLE, reason_of
from momentum_opt.market.identity import Seen, check_identity, names_token, plain
from momentum_opt.market.limits import MOST_ROWS
from momentum_opt.market.wording import other_time_unit
from momentum_opt.paths import file_fault, folder_fault, is_hidden, os_fault

SUFFIX = "_USD.parquet"
_BATCH_ROWS = 1 << 17
_COLUMN_TYPES = {"unix": pa.int64(), "close": pa.float64()}
_TIME_MEANING = "UTC milliseconds of the bar start"


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows `first_row`, `first_row` + 1, … of a file, with their smallest and largest time (UTC ms)."""

    number: int
    first_row: int
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class PriceFile:
    """A price file whose columns and time unit are right.

    Args:
        token: name of the token.
        path: the file.
        groups: its row groups that hold rows.
        index: the times, where pandas kept an evenly spaced index named `unix` as three numbers and no column.
    """

    token: str
    path: Path
    groups: tuple[RowGroup, ...]
    index: range | None

    @property
    def first_ms(self) -> int:
        """Smallest time in the file, UTC ms."""
        return min(group.first_ms for group in self.groups)

    @property
    def last_ms(self) -> int:
        """Largest time in the file, UTC ms."""
        return max(group.last_ms for group in self.groups)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows of one file in file order: their row numbers, times (UTC ms) and closes (NaN where the file has null).

    Args:
        path: the file.
        number: from 0 in a price file, or the lines of a text file from 1.
        unix: UTC ms.
        close: numeraire per token.
        counted_in: what `number` counts, for messages.
    """

    path: Path | str
    number: Int64[np.ndarray, "row"]
    unix: Int64[np.ndarray, "row"]
    close: Float64[np.ndarray, "row"]
    counted_in: str = "row"

    def __len__(self) -> int:
        return len(self.unix)

    def place(self, at: int) -> str:
        """Where the row at position `at` stands, for messages."""
        return f"{self.path}: {self.counted_in} {self.number[at]}"

    def since(self, first: int) -> "Rows":
        """All rows from position `first` on."""
        return Rows(self.path, self.number[first:], self.unix[first:], self.close[first:], self.counted_in)


def open_price_file(root: Path, token: str) -> PriceFile:
    """Look at the token's file without reading prices.

    Raises:
        MissingFileError: there is no such file.
        DataError: not parquet, no rows, a column missing or of another type, a null time, or times that are not ms.
    """
    path = _find(root, token)
    with _reading(path) as parquet:
        if parquet.metadata.num_rows > MOST_ROWS:
            raise DataError(
                f"{path}: {parquet.metadata.num_rows:,} rows, more than {MOST_ROWS:,}, the most that a price file may "
                "have; export it again with longer bars or fewer days"
            )
        index = range_index(parquet)
        if problems := _column_problems(path, parquet, index):
            raise DataError(problems)
        _check_token(path, parquet, token)
        file = PriceFile(token, path, tuple(_row_groups(path, parquet, index)), index)
    if not file.groups:
        raise DataError(f"{path}: the file has no rows; export it again or leave {token} out")
    _check_time_unit(file)
    return file


def read_rows(file: PriceFile, first_ms: int, end_ms: int) -> Rows:
    """The rows with `first_ms <= unix < end_ms`, unchecked, in file order.

    Raises:
        DataError: the file is damaged.
    """
    parts = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    with _reading(file.path) as parquet:
        for group in file.groups:
            if group.first_ms < end_ms and group.last_ms >= first_ms:
                for batch in _batches(parquet, group, file.index, ("close",)):
                    inside = np.flatnonzero((batch.unix >= first_ms) & (batch.unix < end_ms))
                    parts.append((inside + batch.first_row, batch.unix[inside], batch.close[inside]))
    number, unix, close = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Rows(file.path, number, unix, close)


def read_batches(file: PriceFile) -> Iterator["Batch"]:
    """All rows of a file, unchecked, some thousands at a time, with their volumes where there are any.

    Raises:
        DataError: the file is damaged.
    """
    with _reading(file.path) as parquet:
        has_volume = "volume" in parquet.schema_arrow.names
        numeric = has_volume and pa.types.is_floating(parquet.schema_arrow.field("volume").type)
        columns = ("close", "volume") if numeric else ("close",)
        for group in file.groups:
            yield from _batches(parquet, group, file.index, columns)


def _find(root: Path, token: str) -> Path:
    path = root / f"{token}{SUFFIX}"
    if (fault := file_fault(path)) is not None:
        raise DataError(f"{path}: {fault[0]}; {fault[1]}")
    if path.exists():
        return path
    there = tokens_in(root)
    if not there:
        raise MissingFileError(
            f"{path}: no such file, and {root} holds no price file at all; price files are named <TOKEN>{SUFFIX}"
        )
    by_key = {name.casefold(): name for name in sorted(there)}
    near = difflib.get_close_matches(token.casefold(), by_key, n=1, cutoff=0.5)
    hint = (
        f"did you mean {by_key[near[0]]}?"
        if near
        else f"there are {listing(sorted(there))}: import it, or name one of them"
    )
    raise MissingFileError(f"{path}: no such file; {hint}")


def tokens_in(root: Path) -> set[str]:
    """The tokens that a folder has price files of; what a system put there for itself is not one of these."""
    return {path.name.removesuffix(SUFFIX) for path in root.glob(f"*{SUFFIX}") if not is_hidden(path.name)}


def check_folder(root: Path) -> None:
    """Refuse what is no folder that can be read, or holds no price file at all.

    Raises:
        MissingFolderError: so it is.
    """
    asked = "name the folder that holds the price files"
    if (fault := folder_fault(root)) is not None:
        what, remedy = fault
        raise MissingFolderError(f"{root}: {what}; {asked if remedy.startswith('name a folder') else remedy}")
    if not tokens_in(root):
        found = f"holds no price file at all, that is none named <TOKEN>{SUFFIX}"
        raise MissingFolderError(f"{root}: {found}; {asked}")


@contextmanager
def _reading(path: Path) -> Generator[pq.ParquetFile, None, None]:
    try:
        with pq.ParquetFile(path) as parquet:
            yield parquet
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:
            what, remedy = os_fault(error)
            raise DataError(f"{path}: {what}; {remedy}") from error
        raise DataError(
            f"{path}: not a readable parquet file ({reason_of(error)}); export or download it again"
        ) from error


def range_index(parquet: pq.ParquetFile) -> range | None:
    """The times, where pandas kept an evenly spaced index named `unix` as three numbers and no column."""
    metadata: dict[str, Any] = parquet.schema_arrow.pandas_metadata or {}
    for index in metadata.get("index_columns", ()):
        if isinstance(index, dict) and index.get("kind") == "range" and index.get("name") == "unix":
            start, stop, step = (index.get(key) for key in ("start", "stop", "step"))
            if isinstance(start, int) and isinstance(stop, int) and isinstance(step, int) and step != 0:
                times = range(start, stop, step)
                return times if len(times) == parquet.metadata.num_rows else None
    return None


def _column_problems(path: Path, parquet: pq.ParquetFile, index: range | None) -> list[str]:
    schema = parquet.schema_arrow
    problems: list[str] = []
    for name, wanted in _COLUMN_TYPES.items():
        count = schema.names.count(name)
        if count == 0 and not (name == "unix" and index is not None):
            found = listing(schema.names) or "no column"
            what = f"`unix` ({_TIME_MEANING})" if name == "unix" else "`close`"
            problems.append(f"{path}: no column {what}; it has {found}; rename or add the column")
        elif count > 1:
            problems.append(f"{path}: {count} columns are named `{name}`; keep one")
        elif count == 1 and schema.field(name).type != wanted:
            what = f"{wanted} ({_TIME_MEANING})" if name == "unix" else "float64"
            problems.append(f"{path}: column `{name}` is {schema.field(name).type}, not {what}; convert the column")
    return problems


def _check_token(path: Path, parquet: pq.ParquetFile, token: str) -> None:
    """Refuse a file with a column that names other tokens, as far as the statistics of its row groups tell."""
    seen: list[Seen] = []
    for place, field in enumerate(parquet.schema_arrow):
        if not (
            names_token(plain(field.name)) and (pa.types.is_string(field.type) or pa.types.is_large_string(field.type))
        ):
            continue
        one, row = Seen(plain(field.name), {}), 0
        for number in range(parquet.metadata.num_row_groups):
            group = parquet.metadata.row_group(number)
            stats = group.column(place).statistics if group.num_columns == len(parquet.schema_arrow) else None
            if group.num_rows and stats is not None and stats.has_min_max:
                one.add((str(value), row) for value in (stats.min, stats.max))
            row += group.num_rows
        seen.append(one)
    check_identity(str(path), "row", seen, token, importing=False)


def _row_groups(path: Path, parquet: pq.ParquetFile, index: range | None) -> Iterator[RowGroup]:
    row = 0
    for number in range(parquet.metadata.num_row_groups):
        rows = parquet.metadata.row_group(number).num_rows
        if rows > 0:
            first, last = _span(path, parquet, number, row, index)
            yield RowGroup(number, row, first, last)
        row += rows


def _span(path: Path, parquet: pq.ParquetFile, number: int, row: int, index: range | None) -> tuple[int, int]:
    """Smallest and largest time of a row group, from its statistics or, where they are absent, from its rows."""
    group = parquet.metadata.row_group(number)
    if index is not None:
        ends = index[row], index[row + group.num_rows - 1]
        return min(ends), max(ends)
    columns = map(group.column, range(group.num_columns))
    stats = next((column.statistics for column in columns if column.path_in_schema == "unix"), None)
    if stats is not None and stats.has_min_max and stats.has_null_count and stats.null_count == 0:
        return stats.min, stats.max
    unix = parquet.read_row_group(number, columns=["unix"]).column("unix")
    if unix.null_count:
        null = int(np.flatnonzero(unix.is_null().to_numpy())[0]) + row
        raise DataError(f"{path}: row {null}: `unix` is null; every row needs a time: mend or delete the row")
    times = unix.to_numpy()
    return int(times.min()), int(times.max())


def _check_time_unit(file: PriceFile) -> None:
    for time in (file.first_ms, file.last_ms):
        if unit := other_time_unit(time):
            raise DataError(f"{file.path}: `unix` holds {time}, which looks like {unit}; convert it to {_TIME_MEANING}")


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some rows of a file in file order: number of the first one, times (UTC ms), closes and volumes (NaN for null)."""

    first_row: int
    unix: Int64[np.ndarray, "row"]
    close: Float64[np.ndarray, "row"]
    volume: Float64[np.ndarray, "row"] | None


def _batches(
    parquet: pq.ParquetFile, group: RowGroup, index: range | None, columns: tuple[str, ...]
) -> Iterator[Batch]:
    """A row group in batches."""
    row = group.first_row
    names = [*columns, *(["unix"] if index is None else [])]
    for batch in parquet.iter_batches(_BATCH_ROWS, row_groups=[group.number], columns=names):
        rows = np.arange(row, row + batch.num_rows)
        unix = batch.column("unix").to_numpy() if index is None else index.start + index.step * rows
        close, *volume = (batch.column(name).to_numpy(zero_copy_only=False) for name in columns)
        yield Batch(row, unix, close, volume[0] if volume else None)
        row += batch.num_rows
