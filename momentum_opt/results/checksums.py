"""Record a checksum of every section of a JSON document, and name the sections that were changed afterwards."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

CHECKSUMS: Final = "checksums"
"""Key of the checksums in a document."""

_DIGITS: Final = 12
_MOVED: Final = frozenset({"data.root", "source.data"})
"""Not compared: a folder of prices may be moved, and what replaces it is compared row by row."""
_UNSEALED: Final = frozenset({CHECKSUMS, "schema_version", "created", "seconds"})
"""No results: equal runs have equal checksums, whenever they were made."""

Sums = dict[str, "str | dict[str, str]"]


def section_checksums(document: Mapping[str, Any]) -> Sums:
    """Checksums of a document's sections: one per value, or one per key of a section that is a mapping."""
    return {
        name: {str(key): _checksum(one) for key, one in value.items()}
        if isinstance(value, Mapping)
        else _checksum(value)
        for name, value in document.items()
        if name not in _UNSEALED
    }


def changed_sections(document: Mapping[str, Any]) -> list[str]:
    """The sections that no longer have their recorded checksum, as `section` or `section.key`; empty without any."""
    recorded = document.get(CHECKSUMS)
    if recorded is None:
        return []
    if not isinstance(recorded, Mapping):
        return [CHECKSUMS]
    before = _flat({name: value for name, value in recorded.items() if name not in _UNSEALED})
    after = _flat({name: value for name, value in section_checksums(document).items() if name in recorded})
    names = dict.fromkeys([*before, *after])
    return [name for name in names if before.get(name) != after.get(name) and name not in _MOVED]


def _flat(sums: Mapping[str, Any]) -> dict[str, Any]:
    """`section` or `section.key` → checksum; an empty section stands by its own name."""
    flat: dict[str, Any] = {}
    for name, value in sums.items():
        if isinstance(value, Mapping) and value:
            flat |= {f"{name}.{key}": one for key, one in value.items()}
        else:
            flat[name] = value
    return flat


def _checksum(value: Any) -> str:
    text = json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _canonical(value: Any) -> Any:
    """The value with every number as a float, so that another program may write 1.0 as 1."""
    if isinstance(value, Mapping):
        return {str(key): _canonical(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(one) for one in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) < 2**53 else value
    return value
