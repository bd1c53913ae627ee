"""CSV, plain, compressed or as a member of a zip, in; its times, closes and volumes with their line numbers out.

A file is read in blocks and only the columns that count are converted, so that memory follows the rows kept.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from momentum_opt.errors import DataError
from momentum_opt.formats import CLOSE, TIME, VOLUME
from momentum_opt.market.importing.gather import Block, Gatherer
from momentum_opt.market.importing.json_rows import read_json
from momentum_opt.market.importing.kinds import refuse_foreign
from momentum_opt.market.importing.layouts import Layout, is_json, is_number, recognise, split_text
from momentum_opt.market.importing.packed import TextFile, readable
from momentum_opt.market.importing.raw import Source
from momentum_opt.market.importing.reading import Reading

_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 22
_compute: Any = pc


def read_text(file: TextFile, reading: Reading) -> Source:
    """Read a text file; its rows are not looked at beyond their times being times and their numbers numbers.

    Raises:
        DataError: it cannot be read, or its layout is not known.
    """
    with readable(file.name):
        head = _head(file)
        if is_json(head):
            return read_json(file, reading)
        layout = recognise(split_text(head, file.name), reading)
        gatherer = Gatherer(file.name, "line", layout.keys, reading)
        row = layout.skipped + 1
        for block in _blocks(file, layout, reading):
            number = np.arange(row, row + block.num_rows)
            row += block.num_rows
            gatherer.add(_of_columns(block, layout, number))
        return gatherer.source(layout.name)


def _head(file: TextFile) -> str:
    with file.open() as stream:
        start = stream.read(_HEAD_BYTES)
        whole = not stream.read(1)
    refuse_foreign(file.name, start, unpacked=file.packing())
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start:
        utf_16 = start.startswith((b"\xff\xfe", b"\xfe\xff"))
        found = ", but in UTF-16" if utf_16 else ""
        advice = "save it as UTF-8" if utf_16 else "give CSV, parquet or feather"
        raise DataError(f"{file.name}: not text in UTF-8{found}; {advice}")
    cut = start if whole or b"\n" not in start else start[: start.rfind(b"\n") + 1]
    # JSON may be one long line, which is cut anywhere.
    return cut.decode("utf-8-sig", errors="ignore" if cut.lstrip()[:1] in (b"[", b"{") else "strict")


def _of_columns(block: Any, layout: Layout, number: np.ndarray) -> Block:
    def column(place: int) -> Any:
        return block.column(str(place))

    def floats(place: int) -> np.ndarray:
        return column(place).to_numpy(zero_copy_only=False)

    time = column(layout.times[0])
    if len(layout.times) > 1:
        parts = [_compute.utf8_trim_whitespace(column(place)) for place in layout.times]
        time = _compute.binary_join_element_wise(*parts, " ")
    keys = [_compute.utf8_trim_whitespace(column(key.place)).combine_chunks() for key in layout.keys]
    volume = None if layout.volume is None else floats(layout.volume)
    return Block(number, time.combine_chunks(), floats(layout.close), volume, keys)


def _blocks(file: TextFile, layout: Layout, reading: Reading) -> Iterator[Any]:
    """The columns that count, under their positions as names, some thousand rows at a time."""
    names = [str(place) for place in range(layout.width)]
    types = _types(layout, reading)
    ragged: list[Any] = []

    def note(row: Any) -> str:
        ragged.append(row)
        return "error"

    parsing = pv.ParseOptions(delimiter=layout.delimiter, invalid_row_handler=note, ignore_empty_lines=True)
    converting = pv.ConvertOptions(
        include_columns=[str(place) for place in types],
        column_types={str(place): kind for place, kind in types.items()},
        strings_can_be_null=True,
        decimal_point=layout.decimal,
    )
    skipped = layout.skipped
    try:
        for lines in _whole_lines(file):
            options = pv.ReadOptions(use_threads=False, block_size=len(lines), skip_rows=skipped, column_names=names)
            yield pv.read_csv(pa.BufferReader(lines), options, parsing, converting)
            skipped = 0
    except pa.ArrowInvalid as error:
        if ragged:
            raise _ragged(file, layout) from None
        raise _unreadable_field(file, layout, types, error) from None


def _types(layout: Layout, reading: Reading) -> dict[int, Any]:
    """What each column that is read holds, by its position."""
    as_text = len(layout.times) > 1 or reading.times.form is not None
    time = pa.string() if as_text else _time_type(layout.first_time)
    kept = {place: time if what == TIME else pa.float64() for place, what in layout.kept.items()}
    return {key.place: pa.string() for key in layout.keys} | kept


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
            commas = len(fields) > layout.width and layout.delimiter == ","
            other = "; where commas stand inside of numbers, separate columns by ;" if commas else ""
            advice = f"the line is torn: mend it or download it again{other}"
            return DataError(f"{file.name}: line {line}: {columns}; {advice}")
    return DataError(f"{file.name}: a line has not {layout.width} columns; mend it or download it again")


def _unreadable_field(file: TextFile, layout: Layout, types: dict[int, Any], error: Exception) -> DataError:
    """Find the field that the CSV reader stumbled over; it does not say on which line that was."""
    wanted: dict[int, tuple[str, Callable[[str], bool]]] = {}
    for place, what in layout.kept.items():
        if what in (CLOSE, VOLUME):
            wanted[place] = (what, _is_comma_value if layout.decimal == "," else _is_value)
        elif not pa.types.is_string(types[place]):
            wanted[place] = (what, str.isdecimal if pa.types.is_integer(types[place]) else is_number)
    for line, fields in _lines(file, layout):
        for place, (what, good) in wanted.items():
            if place < len(fields) and not good(fields[place].strip()):
                shown = fields[place].strip()[:40]
                advice = "; mend or delete the line"
                if re.fullmatch(r"[-+]?[\d.,' ]*\d", shown):
                    advice = "; write numbers without signs between thousands, all with the same decimal sign"
                return DataError(f"{file.name}: line {line}: the {what} is {shown!r}, no number{advice}")
    return DataError(f"{file.name}: not a readable table ({' '.join(str(error).split())}); download it again")


def _is_comma_value(text: str) -> bool:
    return "." not in text and _is_value(text.replace(",", ".", 1))


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
