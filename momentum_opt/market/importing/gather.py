"""Gather the rows of one source block by block: those the user chose, of one symbol, with times in UTC milliseconds."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from momentum_opt.errors import DataError, choose_among
from momentum_opt.market.identity import Seen, check_identity, names_token
from momentum_opt.market.importing.raw import Series, Source
from momentum_opt.market.importing.reading import Key, Reading
from momentum_opt.market.importing.times import ZONELESS, ArrowArray, TimesError, to_ms
from momentum_opt.market.limits import MOST_ROWS

_MOST_NEW_VALUES = 1000
_compute: Any = pc


class Block(NamedTuple):
    """Some rows of a source.

    Args:
        number: of each row in the file.
        time: numbers, timestamps or text.
        close: NaN where there is none.
        volume: likewise; None where there is no column.
        keys: of each key column, as text.
    """

    number: np.ndarray
    time: ArrowArray
    close: np.ndarray
    volume: np.ndarray | None
    keys: Sequence[ArrowArray]

    def take(self, which: np.ndarray) -> "Block":
        """The rows of a mask."""
        keep = pa.array(which)
        volume = None if self.volume is None else self.volume[which]
        keys = [column.filter(keep) for column in self.keys]
        return Block(self.number[which], self.time.filter(keep), self.close[which], volume, keys)


class Gatherer:
    """The rows of one source so far.

    Args:
        name: the source, for messages.
        counted_in: what its rows are counted in.
        keys: its columns that tell rows of different prices apart.
        reading: what the user said.
    """

    def __init__(self, name: str, counted_in: str, keys: Sequence[Key], reading: Reading) -> None:
        self._name = name
        self._counted_in = counted_in
        self._keys = keys
        self._reading = reading
        self._seen = [Seen(key.column, {}) for key in keys]
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
        self._units: set[str] = set()
        self._zoneless: set[bool] = set()
        self._rows = 0
        self._any = False

    def add(self, block: Block) -> None:
        """Take the rows of a block that the user chose.

        Raises:
            DataError: a time that cannot be read, or too many rows.
        """
        self._any |= len(block.number) > 0
        block = self._chosen(block)
        if not len(block.number):
            return
        for key, seen, values in zip(self._keys, self._seen, block.keys, strict=True):
            if key.wanted is None:
                seen.add(_first_rows(values, block.number))
        unix = self._times(block)
        volume = np.full(len(unix), np.nan) if block.volume is None else block.volume
        self._parts.append((block.number, unix, block.close, volume))
        self._rows += len(unix)
        if self._rows > MOST_ROWS:
            self._identity()
            raise DataError(
                f"{self._name}: more than {MOST_ROWS:,} rows, the most that is read of one source; give its part that "
                "is needed, in several files if it has to be all"
            )

    def source(self, form: str) -> Source:
        """All that was taken.

        Raises:
            DataError: no row, or rows of different prices.
        """
        if not self._rows:
            raise DataError(self._no_rows())
        identity = self._identity()
        number, unix, close, volume = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        series = Series(self._name, unix, close, volume)
        return Source(series, number, self._counted_in, form, frozenset(self._units), identity)

    def _chosen(self, block: Block) -> Block:
        keep = np.ones(len(block.number), bool)
        for key, seen, values in zip(self._keys, self._seen, block.keys, strict=True):
            if key.wanted is not None:
                same = _compute.fill_null(_compute.equal(values, key.wanted), False)
                if not same.to_numpy(zero_copy_only=False).any():
                    seen.add(_first_rows(values, block.number))
                keep &= same.to_numpy(zero_copy_only=False)
        return block if keep.all() else block.take(keep)

    def _times(self, block: Block) -> np.ndarray:
        try:
            unix, units = to_ms(block.time, self._reading.times)
        except TimesError as error:
            where = f"{self._name}: {self._counted_in} {block.number[error.at]}"
            other = f", or {error.remedy}" if error.remedy else ""
            raise DataError(f"{where}: {error.what}; mend or delete the {self._counted_in}{other}") from None
        self._units |= units
        if units & {"iso", "format"}:
            self._zoneless.add(ZONELESS in units)
            if len(self._zoneless) > 1:
                raise DataError(
                    f"{self._name}: some of its times have a time zone and others have none; write all of them in UTC"
                )
        return unix

    def _identity(self) -> tuple[tuple[str, str], ...]:
        chosen = tuple((key.column, key.wanted) for key in self._keys if key.wanted is not None)
        other = [seen for key, seen in zip(self._keys, self._seen, strict=True) if key.wanted is None]
        # A token that the user chose rows by is the user's own word.
        told = any(names_token(column) or column.isdecimal() for column, _ in chosen)
        token = None if told else self._reading.token
        return (*chosen, *check_identity(self._name, self._counted_in, other, token))

    def _no_rows(self) -> str:
        for key, seen in zip(self._keys, self._seen, strict=True):
            if key.wanted is not None and self._any:
                hint = choose_among(key.wanted, tuple(seen.first))
                return f"{self._name}: no row has {key.wanted!r} in its column {key.column}; {hint}"
        return f"{self._name}: no rows; download it again or leave it out"


def _first_rows(values: ArrowArray, number: np.ndarray) -> list[tuple[str, int]]:
    """Each value of a column, with the number of its first row."""
    found: list[tuple[str, int]] = []
    for value in _compute.unique(values)[:_MOST_NEW_VALUES].to_pylist():
        at = 0 if value is None else _compute.index(values, value).as_py()
        if value is None:
            at = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
        found.append((value or "", int(number[at])))
    return found
