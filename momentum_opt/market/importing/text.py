"""CSV, plain, gzipped or as a member of a zip, in; its times, closes and volumes with their line numbers out.

A file is read in blocks and only the columns that count are converted, so that memory follows the rows kept.
"""

import csv
import fnmatch
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from momentum_opt.errors import DataError
from momentum_opt.market.importing.layouts import Columns, Layout, is_number, recognise
from momentum_opt.market.importing.raw import Series, Source
from momentum_opt.market.importing.times import ArrowArray, TimesError, to_ms

_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 22
_CSV_ENDINGS: Final = (".csv", ".txt")
_UNREADABLE = (
    OSError, EOFError, zlib.error, zipfile.BadZipFile, pa.ArrowException, RuntimeError, NotImplementedError,
    UnicodeDecodeError,
)  # fmt: skip
"""What a damaged, encrypted or oddly compressed file raises; csv.Error is a name of its own."""


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file, or the member of a zip that holds one.

    Args:
        path: the file.
        member: its name in the zip; None for a file of its own.
    """

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """For messages."""
        return str(self.path) if self.member is None else f"{self.path}:{self.member}"

    @contextmanager
    def open(self) -> Generator[IO[bytes]]:
        """The uncompressed bytes."""
        if self.member is not None:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                yield stream
        elif self.path.suffix.lower() == ".gz":
            with gzip.open(self.path) as unpacked:
                yield cast("IO[bytes]", unpacked)
        else:
            with self.path.open("rb") as stream:
                yield stream


class _Block(NamedTuple):
    """Some rows as the CSV reader gives them."""

    time: ArrowArray
    close: ArrowArray
    volume: ArrowArray | None


def text_files(path: Path, member: str | None) -> list[TextFile]:
    """A plain file as it is; of a zip the one table in it, or those that the pattern `member` names.

    Raises:
        DataError: not a zip, no table in it, or several and no `member`.
    """
    if path.suffix.lower() != ".zip":
        return [TextFile(path)]
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a readable zip ({error}); download it again") from None
    tables = sorted(name for name in inside if name.lower().endswith(_CSV_ENDINGS))
    chosen = [name for name in tables if member is None or fnmatch.fnmatch(name, member)]
    if len(chosen) == 1 or (chosen and member is not None):
        return [TextFile(path, name) for name in chosen]
    shown = ", ".join((tables or inside)[:4]) + (f" and {len(tables) - 4} more" if len(tables) > 4 else "")
    if not tables:
        raise DataError(f"{path}: no .csv in it, but {shown or 'nothing'}; give a zip of CSV files")
    if chosen:
        raise DataError(f"{path}: {len(tables)} tables in it: {shown}; say which with --member NAME")
    raise DataError(f"{path}: nothing in it is called {member}; it has {shown}: mend --member")


def read_text(file: TextFile, *, wanted: str | None, columns: Columns | None, unit: str | None) -> Source:
    """Read a text file; its rows are not looked at beyond their times being times and their numbers numbers.

    Raises:
        DataError: it cannot be read, or its layout is not known.
    """
    with _readable(file.name):
        layout = recognise(_head(file), file.name, wanted=wanted, columns=columns)
        blocks = list(_converted(file, layout, unit))
    if not blocks:
        raise DataError(f"{file.name}: no rows; download it again or leave it out")
    unix, close, volume = (np.concatenate(column) for column in list(zip(*blocks, strict=True))[:3])
    units = frozenset[str]().union(*(block[3] for block in blocks))
    number = np.arange(len(unix)) + layout.skipped + 1
    return Source(Series(file.name, unix, close, volume), number, "line", layout.name, units)


def _head(file: TextFile) -> str:
    with file.open() as stream:
        start = stream.read(_HEAD_BYTES)
        whole = not stream.read(1)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start:
        raise DataError(f"{file.name}: not text in UTF-8; give CSV, parquet or feather")
    cut = start if whole else start[: start.rfind(b"\n") + 1]
    return cut.decode("utf-8-sig")


def _converted(
    file: TextFile, layout: Layout, unit: str | None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, frozenset[str]]]:
    """Times, closes, volumes and units, block by block."""
    row = 0
    for block in _blocks(file, layout):
        try:
            unix, units = to_ms(block.time, unit)
        except TimesError as error:
            line = layout.skipped + 1 + row + error.at
            raise DataError(f"{file.name}: line {line}: {error.what}; mend the line, or name the column with --columns "
                            "and its unit with --time-unit") from None  # fmt: skip
        close = block.close.to_numpy(zero_copy_only=False)
        no_volume = np.full(len(close), np.nan)
        yield unix, close, no_volume if block.volume is None else block.volume.to_numpy(zero_copy_only=False), units
        row += len(unix)


def _blocks(file: TextFile, layout: Layout) -> Iterator[_Block]:
    names = [str(place) for place in range(layout.width)]
    kept = {layout.time: _time_type(layout.first_time), layout.close: pa.float64()}
    if layout.volume is not None:
        kept[layout.volume] = pa.float64()
    ragged: list[Any] = []

    def note(row: Any) -> str:
        ragged.append(row)
        return "error"

    parsing = pc.ParseOptions(delimiter=layout.delimiter, invalid_row_handler=note, ignore_empty_lines=True)
    converting = pc.ConvertOptions(
        include_columns=[str(place) for place in kept],
        column_types={str(place): kind for place, kind in kept.items()},
        strings_can_be_null=True,
    )
    skipped = layout.skipped
    try:
        for lines in _whole_lines(file):
            reading = pc.ReadOptions(use_threads=False, block_size=len(lines), skip_rows=skipped, column_names=names)
            block = pc.read_csv(pa.BufferReader(lines), reading, parsing, converting)
            volume = None if layout.volume is None else block.column(str(layout.volume))
            yield _Block(block.column(str(layout.time)), block.column(str(layout.close)), volume)
            skipped = 0
    except pa.ArrowInvalid as error:
        if ragged:
            raise _ragged(file, layout) from None
        raise _unreadable_field(file, layout, error) from None


def _whole_lines(file: TextFile) -> Iterator[bytes]:
    """The file in blocks that end with a line.

    They are read here and not by Arrow, which reads ahead in a thread: one that is inside of a Python stream when the
    program ends takes the interpreter down with it.
    """
    with file.open() as stream:
        while start := stream.read(_BLOCK_BYTES):
            rest = b"" if start.endswith(b"\n") else stream.readline(_BLOCK_BYTES)
            if len(rest) == _BLOCK_BYTES and not rest.endswith(b"\n"):
                raise pa.ArrowInvalid(f"a line of more than {_BLOCK_BYTES} bytes")
            yield start + rest


def _time_type(first: str) -> Any:
    if first.isdecimal():
        return pa.int64()
    return pa.float64() if is_number(first) else pa.string()


def _ragged(file: TextFile, layout: Layout) -> DataError:
    for line, fields in _lines(file, layout):
        if len(fields) != layout.width:
            columns = f"{len(fields)} column{'s' * (len(fields) != 1)} instead of {layout.width}"
            return DataError(f"{file.name}: line {line}: {columns}; the line is torn: mend it or download it again")
    return DataError(f"{file.name}: a line has not {layout.width} columns; mend it or download it again")


def _unreadable_field(file: TextFile, layout: Layout, error: Exception) -> DataError:
    """Find the field that the CSV reader stumbled over; it does not say on which line that was."""
    wanted: dict[int, tuple[str, Callable[[str], bool]]] = {layout.close: ("close", _is_value)}
    if layout.volume is not None:
        wanted[layout.volume] = ("volume", _is_value)
    if pa.types.is_integer(_time_type(layout.first_time)):
        wanted[layout.time] = ("time", str.isdecimal)
    elif pa.types.is_floating(_time_type(layout.first_time)):
        wanted[layout.time] = ("time", is_number)
    for line, fields in _lines(file, layout):
        for place, (what, good) in wanted.items():
            if place < len(fields) and not good(fields[place].strip()):
                shown = fields[place].strip()[:40]
                return DataError(
                    f"{file.name}: line {line}: the {what} is {shown!r}, no number; mend or delete the line"
                )
    return DataError(f"{file.name}: not a readable table ({' '.join(str(error).split())}); download it again")


def _is_value(text: str) -> bool:
    return not text or is_number(text) or text.lower() in ("nan", "null", "na", "n/a", "inf", "-inf", "+inf")


def _lines(file: TextFile, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Every row with its line, the slow way; only to say where something is wrong."""
    with file.open() as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
        reader = csv.reader(text, delimiter=layout.delimiter)
        for fields in reader:
            if reader.line_num > layout.skipped and fields:
                yield reader.line_num, fields


@contextmanager
def _readable(name: str) -> Generator[None]:
    try:
        yield
    except DataError:
        raise
    except (*_UNREADABLE, csv.Error) as error:
        what = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{name}: cannot be read ({what}); download it again, or unpack it first") from None
