"""Read text and JSON files within bounds: UTF-8, or UTF-16 and UTF-32 that say so by their mark; no key twice."""

import codecs
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

MOST_JSON_BYTES: Final = 1 << 24
MOST_JSON_VALUES: Final = 250_000
MOST_JSON_LEVELS: Final = 100

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class UnreadableError(ValueError):
    """Content that is not what it should be; the text is the reason alone, for a message that names the file.

    Attributes:
        line: where, from 1; None where no line is known.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        self.line = line
        super().__init__(reason)


def read_text(path: Path, most_bytes: int) -> str:
    """The text of a file of at most `most_bytes`; line ends become newlines.

    Raises:
        OSError: it cannot be opened.
        UnreadableError: it is larger, or no text.
    """
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)  # no more, whatever the file is: a device has no end
    if len(content) > most_bytes:
        raise UnreadableError(f"larger than {_size(most_bytes)}")
    return decode(content)


def decode(content: bytes) -> str:
    """The text of bytes in UTF-8, or in what their byte order mark says; line ends become newlines.

    Raises:
        UnreadableError: they are no such text.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in content:
        raise UnreadableError("holds zero bytes, as UTF-16 without a byte order mark and binary files do")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        at = f"byte 0x{content[error.start]:02x} in line {line}" if encoding == "utf-8" else error.reason
        raise UnreadableError(f"not {encoding.removesuffix('-sig').upper()}: {at}", line) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json_file(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        OSError: it cannot be opened.
        UnreadableError: as `parse_json`, or the file is too large or no text.
    """
    return parse_json(read_text(path, MOST_JSON_BYTES))


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text in which no object names a key twice.

    Raises:
        UnreadableError: it is no such text, or holds too much.
    """
    text = decode(text) if isinstance(text, bytes) else text
    if text.count(",") + text.count("[") + text.count("{") > MOST_JSON_VALUES:
        raise UnreadableError(f"holds more than {MOST_JSON_VALUES:,} values")
    repeats: list[tuple[dict[str, Any], str]] = []

    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            repeats.append((found, _first_repeated([key for key, _ in pairs])))
        return found

    try:
        value = json.loads(text, object_pairs_hook=checked)
    except RecursionError:
        raise UnreadableError(f"nested too deep: more than {MOST_JSON_LEVELS} levels") from None
    except json.JSONDecodeError as error:
        raise UnreadableError(str(error), error.lineno) from None
    except ValueError:  # Python's own limit, which its message calls by the name of a function
        raise UnreadableError("a whole number of more than 4,300 digits") from None
    if _is_deeper(value, MOST_JSON_LEVELS):
        raise UnreadableError(f"nested too deep: more than {MOST_JSON_LEVELS} levels")
    if repeats:
        raise UnreadableError(f"{_name_of(value, *repeats[0])} is given twice: keep one of them")
    return value


def _size(n_bytes: int) -> str:
    return f"{n_bytes >> 20} MiB" if n_bytes >= 1 << 20 else f"{n_bytes >> 10} KiB"


def _first_repeated(keys: list[str]) -> str:
    seen: set[str] = set()
    return next(key for key in keys if key in seen or seen.add(key))


def _is_deeper(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        containers = [one for one in level if isinstance(one, dict | list)]
        if not containers:
            return False
        level = [child for one in containers for child in (one.values() if isinstance(one, dict) else one)]
    return any(isinstance(one, dict | list) for one in level)


def _name_of(value: Any, owner: Mapping[str, Any], key: str) -> str:
    """`params.k_per_day`: where in a document the object `owner` stands, and its key."""
    ways: list[tuple[Any, tuple[str, ...]]] = [(value, ())]
    while ways:
        one, path = ways.pop()
        if one is owner:
            return ".".join((*path, key))[:200]
        children = one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ()
        ways += [(child, (*path, str(name))) for name, child in children]
    return key[:200]  # its owner is itself the first of two of one name
