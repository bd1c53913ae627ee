"""JSON of candles in: `[[ms, o, h, l, c, v], …]` as freqtrade keeps them, objects, lines, answers; a source out."""

import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any, Final

import numpy as np
import pyarrow as pa

from momentum_opt.errors import DataError
from momentum_opt.market.identity import is_identity, plain
from momentum_opt.market.importing.gather import Block, Gatherer
from momentum_opt.market.importing.json_values import Row, json_rows, no_table
from momentum_opt.market.importing.layouts import Head, Layout, is_number, recognise
from momentum_opt.market.importing.packed import TextFile
from momentum_opt.market.importing.raw import Source
from momentum_opt.market.importing.reading import Key, Reading

_BLOCK_ROWS: Final = 1 << 16
_HEAD_ROWS: Final = 500
_PLAIN: Final = frozenset({int, float, str, type(None)})


def read_json(file: TextFile, reading: Reading) -> Source:
    """Read the rows of a JSON file.

    Raises:
        DataError: it is no JSON, its rows are no candles, or its layout is not known.
    """
    with file.open() as stream, io.TextIOWrapper(stream, encoding="utf-8-sig") as text:
        found = json_rows(text, file.name)
        first = list(islice(found.rows, _HEAD_ROWS))
        names = _names(first[0], found.header, file.name)
        beside = {key: value for key, value in found.beside.items() if is_identity(plain(key))}
        header = None if names is None else [plain(name) for name in names]
        table = _Table(file.name, names, header, beside, is_of_objects=isinstance(first[0], dict))
        head = Head(file.name, ",", ".", [], table.header, [table.as_text(row, at) for at, row in enumerate(first)])
        chosen = {plain(column): value for column, value in reading.where}
        besides = [Key(plain(name), -1, chosen.get(plain(name))) for name in beside]
        in_rows = [one for one in reading.where if plain(one[0]) not in {key.column for key in besides}]
        layout = recognise(head, replace(reading, where=tuple(in_rows)))
        keys = (*layout.keys, *besides)
        gatherer = Gatherer(file.name, "row", keys, reading)
        rows = chain(first, found.rows)
        row = 0
        while block := list(islice(rows, _BLOCK_ROWS)):
            gatherer.add(table.block(block, row, layout, reading))
            row += len(block)
    return gatherer.source(f"JSON ({layout.name})")


def _names(first: Row, header: list[str] | None, name: str) -> list[str] | None:
    names = list(first) if isinstance(first, dict) else header
    if len(first) < 2:
        raise DataError(no_table(name))
    return names


class _Table:
    """Rows of JSON as columns.

    Args:
        name: the file, for messages.
        names: keys of an object, or names of columns; None where there are none.
        header: the same as `plain` makes them.
        beside: what stands beside all rows.
        is_of_objects: whether the rows are objects, not arrays.
    """

    def __init__(
        self,
        name: str,
        names: list[str] | None,
        header: list[str] | None,
        beside: dict[str, Any],
        *,
        is_of_objects: bool,
    ) -> None:
        self._name = name
        self._names = names
        self.header = header
        self._beside = beside
        self._width: int | None = None
        self._is_of_objects = is_of_objects

    def as_text(self, row: Row, number: int) -> list[str]:
        """A row as the layouts look at it."""
        if isinstance(row, dict) and self._width is None:
            values: Sequence[Any] = [row.get(name) for name in self._names or ()]
        else:
            values = self._checked(row, number)
        return ["" if value is None else str(value) for value in values]

    def _checked(self, row: Row, number: int) -> Sequence[Any]:
        if self._width is None:
            self._width = len(row)
        if not isinstance(row, list) or len(row) != self._width or self._is_of_objects:
            found = f"{len(row)} value{'s' * (len(row) != 1)} instead of {self._width}"
            if self._is_of_objects or not isinstance(row, list):
                found = "an array among objects" if self._is_of_objects else "an object among arrays"
            raise DataError(f"{self._name}: row {number}: {found}; mend it or download it again")
        return row

    def block(self, rows: Sequence[Row], first: int, layout: Layout, reading: Reading) -> Block:
        """Some rows, the first of which has the number `first`."""
        as_text = reading.times.form is not None or len(layout.times) > 1
        parts = [self._column(rows, place, first) for place in layout.times]
        time = self._time(
            [" ".join(map(str, moments)) for moments in zip(*parts, strict=True)] if as_text else parts[0]
        )
        close = self._floats(rows, layout.close, first, "close")
        volume = None if layout.volume is None else self._floats(rows, layout.volume, first, "volume")
        keys = [_as_words(self._column(rows, key.place, first)) for key in layout.keys]
        keys += [_as_words([value] * len(rows)) for value in self._beside.values()]
        return Block(np.arange(first, first + len(rows)), time, close, volume, keys)

    def _column(self, rows: Sequence[Row], place: int, first: int) -> list[Any]:
        """The values of one column; each is plain."""
        if self._width is None:
            assert self._names is not None
            name = self._names[place]
            values: list[Any] = [row.get(name) if isinstance(row, dict) else row for row in rows]
        else:
            values = [self._checked(row, first + at)[place] for at, row in enumerate(rows)]
        if not set(map(type, values)) <= _PLAIN:
            at = next(at for at, value in enumerate(values) if type(value) not in _PLAIN)
            shown = str(values[at])[:40]
            raise DataError(f"{self._name}: row {first + at}: {shown!r} is no plain value; mend the row")
        return values

    def _floats(self, rows: Sequence[Row], place: int, first: int, what: str) -> np.ndarray:
        values = self._column(rows, place, first)
        try:
            return np.array([np.nan if value is None else float(value) for value in values])
        except (ValueError, OverflowError):
            at = next(at for at, value in enumerate(values) if not _is_float(value))
            shown = str(values[at])[:40]
            raise DataError(
                f"{self._name}: row {first + at}: the {what} is {shown!r}, no number; mend or delete the row"
            ) from None

    def _time(self, values: list[Any]) -> Any:
        """Times as numbers where all are, else as text."""
        if all(isinstance(value, str) and is_number(value) for value in values):
            values = [int(value) if value.strip().isdecimal() else float(value) for value in values]
        try:
            if any(isinstance(value, str) for value in values):
                return pa.array([None if value is None else str(value) for value in values], pa.string())
            whole = all(isinstance(value, int) for value in values if value is not None)
            return pa.array(values, pa.int64() if whole else pa.float64())
        except (pa.ArrowInvalid, OverflowError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise DataError(f"{self._name}: a time that is no number of our era ({reason[:80]}); mend it") from None


def _is_float(value: Any) -> bool:
    try:
        return value is None or bool(np.isreal(float(value)))
    except (ValueError, OverflowError):
        return False


def _as_words(values: list[Any]) -> Any:
    return pa.array([None if value is None else str(value).strip() for value in values], pa.string())
