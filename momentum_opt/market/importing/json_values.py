"""Take rows out of JSON of any length: an array of rows, one row per line, or rows inside of an exchange's answer."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final

from momentum_opt.errors import DataError, listing
from momentum_opt.market.limits import MOST_IN_ONE_VALUE

Row = list[Any] | dict[str, Any]

_CHUNK: Final = 1 << 20
_BLANK: Final = " \t\r\n"
_CANDLES: Final = "[[time, open, high, low, close, volume], …]"


@dataclass(slots=True)
class Rows:
    """Rows of a JSON file.

    Args:
        rows: arrays or objects, one after the other.
        header: names of the columns, where the rows are arrays and something beside them names these.
        beside: plain values that stand beside the rows, such as a symbol.
    """

    rows: Iterator[Row]
    header: list[str] | None = None
    beside: dict[str, Any] = field(default_factory=dict[str, Any])


class _Text:
    """The characters of a stream, of which only those not yet read are held."""

    def __init__(self, stream: IO[str], name: str) -> None:
        self._stream = stream
        self._name = name
        self._text = ""
        self._at = 0
        self._ended = False
        self._one_by_one = False
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise DataError(f"{self._name}: {twice!r} stands twice in one JSON object; keep one")
        return found

    def _more(self, count: int = 0) -> bool:
        """Read on; False at the end."""
        new = self._stream.read(max(count, _CHUNK))
        self._ended |= not new
        self._text = self._text[self._at :] + new
        self._at = 0
        self._one_by_one = False
        return bool(new)

    def peek(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _BLANK:
                    return self._text[self._at]
                self._at += 1
            if self._ended or not self._more():
                return ""

    def skip(self) -> None:
        """Leave the character that `peek` gave behind."""
        self._at += 1

    def put_back(self, sign: str) -> None:
        """Put a character before what is not yet read."""
        self._text = sign + self._text[self._at :]
        self._at = 0

    def values(self) -> list[Any]:
        """Many values of an array at once, those that are whole in the text held; none where that fails.

        Up to a bracket and a comma the text is either a list of values, and then just these, or no JSON by itself.
        """
        end = max(self._text.rfind("],"), self._text.rfind("},")) + 1
        if end <= self._at or self._one_by_one:
            return []
        self._one_by_one = True  # until there is more text: it is not to be tried for each value
        try:
            found: list[Any] = self._decoder.decode(f"[{self._text[self._at : end]}]")
        except (ValueError, RecursionError):
            return []
        self._at = end
        return found

    def value(self, row: int) -> Any:
        """The next value, an array or object.

        Args:
            row: its number, for messages.
        """
        self.peek()
        while True:
            try:
                found, end = self._decoder.raw_decode(self._text, self._at)
            except DataError:
                raise
            except RecursionError:
                raise DataError(f"{self._name}: row {row}: nested too deep; give rows such as {_CANDLES}") from None
            except ValueError as error:
                if self._ended or not self._more(3 * (len(self._text) - self._at)):
                    raise DataError(f"{self._name}: row {row}: not valid JSON ({error}); download it again") from None
                if len(self._text) > MOST_IN_ONE_VALUE:
                    raise DataError(
                        f"{self._name}: row {row}: one JSON value, or damage, of more than "
                        f"{MOST_IN_ONE_VALUE >> 20} million characters, the most that is read; give the rows alone"
                    ) from None
                continue
            self._at = end
            return found


def no_table(name: str) -> str:
    """What is said of JSON that holds no rows."""
    return f"{name}: JSON, not a table; give CSV, parquet, feather or JSON rows such as {_CANDLES}"


def json_rows(stream: IO[str], name: str) -> Rows:
    """The rows of a JSON text.

    Args:
        stream: the text.
        name: the file, for messages.

    Raises:
        DataError: it is no JSON, or there are no rows in it; some of it while the rows are read.
    """
    text = _Text(stream, name)
    opened = text.peek()
    if opened == "[":
        text.skip()
        inside = text.peek()
        if inside in ("[", "{"):
            return Rows(_array(text, name))
        if inside == "]":
            raise DataError(f"{name}: an empty JSON array; download it again or leave it out")
        text.put_back("[")  # one row per line: the bracket is that of the first row
        return Rows(_lines(text, name, []))
    first = text.value(0)
    if text.peek():
        return Rows(_lines(text, name, [first]))
    return _answer(first, name)


def _array(text: _Text, name: str) -> Iterator[Row]:
    row = 0
    while True:
        if text.peek() not in ("[", "{"):
            raise DataError(f"{name}: row {row}: neither an array nor an object; give rows such as {_CANDLES}")
        for value in text.values() or [text.value(row)]:
            if not isinstance(value, list | dict):
                raise DataError(f"{name}: row {row}: neither an array nor an object; give rows such as {_CANDLES}")
            yield value
            row += 1
        sign = text.peek()
        text.skip()
        if sign == "]":
            break
        if sign != ",":
            what = f"{sign!r} after it" if sign else "the file ends there"
            raise DataError(f"{name}: row {row - 1}: not valid JSON ({what}); download it again")
    if text.peek():
        raise DataError(f"{name}: more behind the array of its {row:,} rows; give one array only")


def _lines(text: _Text, name: str, rows: list[Row]) -> Iterator[Row]:
    yield from rows
    row = len(rows)
    while (sign := text.peek()) != "":
        if sign not in ("[", "{"):
            raise DataError(f"{name}: row {row}: neither an array nor an object; give rows such as {_CANDLES}")
        yield text.value(row)
        row += 1


def _answer(document: Mapping[str, Any], name: str) -> Rows:
    """The rows in an object: the one array of rows, columns of equal length, or the object itself."""
    if _is_columns(document):
        columns = list(document.values())
        return Rows(iter([list(row) for row in zip(*columns, strict=True)]), list(document))
    found = list(_arrays(document, (), {}))
    if len(found) > 1:
        names = listing([".".join(path) for path, _, _ in found], 4)
        raise DataError(f"{name}: JSON with {len(found)} arrays of rows, {names}; give one of them alone")
    if found:
        path, rows, beside = found[0]
        header = _names_of(document, path, rows)
        if header is not None and isinstance(document.get("index"), list):
            index: list[Any] = document["index"]
            rows = [[at, *row] for at, row in zip(index, rows, strict=False)]
            header = ["index", *header]
        return Rows(iter(rows), header, beside)
    if document and all(_is_plain(value) for value in document.values()) and len(document) > 1:
        return Rows(iter([dict(document)]))
    raise DataError(no_table(name))


def _arrays(
    part: Mapping[str, Any], path: tuple[str, ...], beside: dict[str, Any]
) -> Iterator[tuple[tuple[str, ...], list[Row], dict[str, Any]]]:
    """Arrays of rows with their paths, and the plain values that stand beside them on the way."""
    beside = beside | {key: value for key, value in part.items() if isinstance(value, str | int)}
    for key, value in part.items():
        if isinstance(value, dict):
            inside: dict[str, Any] = value
            yield from _arrays(inside, (*path, key), beside)
        elif isinstance(value, list):
            items: list[Any] = value
            if items and isinstance(items[0], list | dict) and key != "fields":
                yield (*path, key), items, beside


def _names_of(document: Mapping[str, Any], path: tuple[str, ...], rows: list[Row]) -> list[str] | None:
    """Names of columns that stand beside the rows, as pandas writes them."""
    names = document.get("columns") if len(path) == 1 else None
    if not isinstance(names, list) or not isinstance(rows[0], list):
        return None
    columns: list[Any] = names
    return [str(one) for one in columns] if len(columns) == len(rows[0]) else None


def _is_columns(document: Mapping[str, Any]) -> bool:
    """Whether an object holds columns: arrays of plain values of one length."""
    columns = list(document.values())
    if len(columns) < 2 or not all(isinstance(column, list) for column in columns):
        return False
    lengths = {len(column) for column in columns}
    return (
        len(lengths) == 1 and lengths != {0} and all(map(_is_plain, (value for column in columns for value in column)))
    )


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)
