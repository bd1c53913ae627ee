"""A parquet or CSV file of times and values in, its rows out; everything wrong with the file as such is refused here.

Rows are numbered from 0 in file order, a CSV file's from below its header.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from momentum_opt.errors import DataError, MissingFileError, listing
from momentum_opt.market.damage import UNREADABLE, reason_of
from momentum_opt.market.limits import MOST_ROWS
from momentum_opt.market.price_file import range_index
from momentum_opt.market.wording import other_time_unit, utc
from momentum_opt.paths import exists, file_fault, os_fault
from momentum_opt.reading import UnreadableError, read_text

Kind = Literal["number", "token"]

MOST_WIDE_BYTES: Final = 1 << 28
"""A CSV file that is not in UTF-8 is held as a whole."""

_TIME_MEANING: Final = "UTC milliseconds"
_PANDAS_INDEX: Final = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True, eq=False)
class TableRows:
    """Rows of one file in file order.

    Args:
        path: the file.
        number: row numbers.
        unix: times, UTC ms.
        columns: name → numbers (NaN where the file has null) or texts (None where it has null).
    """

    path: Path
    number: Int64[np.ndarray, "row"]
    unix: Int64[np.ndarray, "row"]
    columns: Mapping[str, NDArray[np.generic]]

    def __len__(self) -> int:
        return len(self.unix)

    def within(self, first: int, end: int) -> "TableRows":
        """The rows at positions [first, end)."""
        part = slice(first, end)
        cut = {name: column[part] for name, column in self.columns.items()}
        return TableRows(self.path, self.number[part], self.unix[part], cut)

    def where(self, at: int) -> str:
        """`file: row 7 (2023-01-01 00:07 UTC)`."""
        return f"{self.path}: row {self.number[at]} ({utc(int(self.unix[at]))})"


def read_table_file(path: Path, columns: Mapping[str, Kind] | None) -> TableRows:
    """Read the times and the columns of a file.

    Args:
        path: `.parquet` or `.csv`.
        columns: what to read besides `unix`; others are left alone. None: the one column of numbers that is there.

    Raises:
        MissingFileError: there is no such file.
        DataError: it cannot be read, has no rows, lacks a column or has one too many, holds times that are not ms or
            not sorted, or a column of another kind.
    """
    table = _read(path)
    names = [name for name in table.column_names if not _PANDAS_INDEX.fullmatch(name)]
    _check_header(path, names, columns)
    wanted = _value_column(path, names) if columns is None else columns
    _check_columns(path, names, wanted)
    if not table.num_rows:
        raise DataError(f"{path}: the file has no rows; export it again")
    unix = _times(path, table)
    kinds = {"number": _numbers, "token": _tokens}
    content = {name: kinds[kind](path, name, table.column(name)) for name, kind in wanted.items()}
    return TableRows(path, np.arange(len(unix)), unix, content)


def check_not_falling(rows: TableRows, *, repeats: bool) -> None:
    """Times must not fall from row to row, nor stay where `repeats` is False.

    Raises:
        DataError: they do.
    """
    steps = np.diff(rows.unix)
    wrong = np.flatnonzero(steps < 0 if repeats else steps <= 0)
    if len(wrong):
        at = int(wrong[0])
        after = f"after {utc(int(rows.unix[at]))} in row {rows.number[at]}{_more(len(wrong))}"
        if steps[at] == 0:
            raise DataError(f"{rows.where(at + 1)}: duplicate time, {after}; keep one row per time")
        raise DataError(f"{rows.where(at + 1)}: times are not sorted, {after}; sort the file by `unix`")


def check_numbers(rows: TableRows, name: str, good: NDArray[np.bool_], asked: str) -> None:
    """The numbers of a column must be `good`.

    Raises:
        DataError: one is not, with `asked` as what they must be.
    """
    values = rows.columns[name].astype(np.float64)
    wrong = np.flatnonzero(~good)
    if len(wrong):
        at = int(wrong[0])
        found = "null or NaN" if np.isnan(values[at]) else f"{values[at]:g}"
        raise DataError(f"{rows.where(at)}: `{name}` is {found}{_more(len(wrong))}; it must be {asked}: mend the row")


def _read(path: Path) -> Any:
    if (fault := file_fault(path)) is not None:
        raise DataError(f"{path}: {fault[0]}; {fault[1]}")
    if not exists(path):
        raise MissingFileError(f"{path}: no such file; give the path of a .parquet or .csv file")
    try:
        if path.suffix.lower() == ".csv":
            _check_kind(path)
            return _read_csv(path)
        with pq.ParquetFile(path) as parquet:
            _check_size(path, parquet.metadata.num_rows)
            table = parquet.read()
            index = range_index(parquet)
        return table if index is None else table.append_column("unix", pa.array(index, pa.int64()))
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None:
            what, remedy = os_fault(error)
            raise DataError(f"{path}: {what}; {remedy}") from error
        kind = path.suffix.removeprefix(".")
        raise DataError(f"{path}: not a readable {kind} file ({reason_of(error)}); export it again") from error


def _check_kind(path: Path) -> None:
    """Refuse a file that is called .csv and is none."""
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"PAR1"):
        raise DataError(f"{path}: a parquet file; name it .parquet")
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf")):
        raise DataError(f"{path}: a compressed file; unpack it first")


def _check_size(path: Path, rows: int) -> None:
    if rows > MOST_ROWS:
        raise DataError(f"{path}: {rows:,} rows, more than {MOST_ROWS:,}, the most that is read; give its part")


def _check_header(path: Path, names: Sequence[str], wanted: Mapping[str, Kind] | None) -> None:
    """Refuse a CSV file that begins with its first row, or whose columns are separated by another sign.

    Its first line has been taken for names, so whatever is said of these would mislead.
    """
    if path.suffix.lower() != ".csv" or "unix" in names:
        return
    header = ",".join(["unix", *(("value",) if wanted is None else wanted)])
    if any(_is_number(name) for name in names):
        first = ",".join(names)
        raise DataError(
            f"{path}: no header, its first line is {first[:60]!r}; put a line with the names of the columns above it, "
            f"such as {header}"
        )
    sign = next((sign for sign in (";", "\t", "|") if len(names) == 1 and sign in names[0]), None)
    if sign is not None:
        raise DataError(f"{path}: its columns are separated by {sign!r}; separate them by commas, such as {header}")


def _read_csv(path: Path) -> Any:
    """The table of a CSV file in UTF-8, or in UTF-16 with its mark, as Windows writes it."""
    with path.open("rb") as file:
        head = file.read(4096)
    if b"\0" not in head:
        return pyarrow.csv.read_csv(path)
    try:
        text = read_text(path, MOST_WIDE_BYTES)
    except UnreadableError as error:
        raise DataError(f"{path}: not a readable csv file ({error}); save it as UTF-8") from None
    return pyarrow.csv.read_csv(BytesIO(text.encode()))


def _value_column(path: Path, names: Sequence[str]) -> Mapping[str, Kind]:
    others = [name for name in names if name != "unix"]
    if "unix" not in names:
        _check_columns(path, names, {})
    if not others:
        raise DataError(f"{path}: there must be one column of values beside `unix`, but the file has none; add one")
    if len(others) != 1:
        found = f"has {len(others)} of them ({listing(others)})"
        raise DataError(f"{path}: there must be one column of values beside `unix`, but the file {found}; keep one")
    return {others[0]: "number"}


def _check_columns(path: Path, names: Sequence[str], wanted: Mapping[str, Kind]) -> None:
    problems: list[str] = []
    for name in ("unix", *wanted):
        if name not in names:
            what = f" ({_TIME_MEANING})" if name == "unix" else ""
            found = listing(names) or "no column"
            problems.append(f"{path}: no column `{name}`{what}; it has {found}; rename or add the column")
        elif names.count(name) > 1:
            problems.append(f"{path}: {names.count(name)} columns are named `{name}`; keep one")
    if problems:
        raise DataError(problems)


def _times(path: Path, table: Any) -> Int64[np.ndarray, "row"]:
    column = table.column("unix")
    if not pa.types.is_integer(column.type):
        raise DataError(
            f"{path}: column `unix` is {column.type}, not whole numbers ({_TIME_MEANING}); convert the column"
        )
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise DataError(f"{path}: row {row}: `unix` is null; every row needs a time: mend or delete the row")
    unix = column.to_numpy().astype(np.int64)
    for time in (int(unix.min()), int(unix.max())):
        if unit := other_time_unit(time):
            raise DataError(f"{path}: `unix` holds {time}, which looks like {unit}; convert it to {_TIME_MEANING}")
    return unix


def _numbers(path: Path, name: str, column: Any) -> Float64[np.ndarray, "row"]:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64()).to_numpy().astype(np.float64)
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        for row, text in enumerate(column.to_pylist()):
            if text is not None and not _is_number(text):
                raise DataError(f"{path}: row {row}: `{name}` is {text!r}, not a number; mend the row")
    raise DataError(f"{path}: column `{name}` is {kind}, not numbers; convert the column")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _tokens(path: Path, name: str, column: Any) -> NDArray[np.object_]:
    try:
        return np.array(column.cast(pa.string()).to_pylist(), dtype=object)
    except pa.ArrowException:
        raise DataError(f"{path}: column `{name}` is {column.type}, not token names; convert the column") from None


def _more(count: int) -> str:
    return f" (and {count - 1:,} more such rows)" if count > 1 else ""
