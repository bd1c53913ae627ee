"""The table of SPEC §3, read off the sections: for every value its place in the YAML form and in the fingerprint.

Both forms, the canonical form behind the digest and the list of known keys are derived from `LEAVES`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path as FilePath
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, PlainValidator
from pydantic.fields import FieldInfo

from momentum_opt.fingerprint.fields import AsItStands, Key, Taken, Word
from momentum_opt.fingerprint.mistakes import Path
from momentum_opt.fingerprint.sections import RunConfig, Section


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a configuration.

    Attributes:
        path: where it stands in the YAML form.
        key: where it stands in the fingerprint.
        in_digest: whether it can change a trial's numbers.
        file: whether it may be a path.
        example: a value that would do, for keys without a default.
        words: what it may be, where that is a closed list.
        taken: what `--set` takes it as, where that is not YAML.
        tacit: a value at which the digest leaves it out, in a tuple; empty where there is none.
    """

    path: Path
    key: Path
    in_digest: bool
    file: bool
    example: Any
    words: tuple[str, ...] = ()
    taken: Taken | None = None
    tacit: tuple[Any, ...] = ()


def section_of(field: FieldInfo) -> type[Section] | None:
    """The section class that a field holds, None for a plain value."""
    options = get_args(field.annotation) if get_origin(field.annotation) in (Union, UnionType) else (field.annotation,)
    return next((kind for kind in options if isinstance(kind, type) and issubclass(kind, Section)), None)


def plain(value: Any, *, as_time: bool = True) -> Any:
    """The JSON value of a typed one; dates with 00:00:00 as the incumbent writes them."""
    if isinstance(value, date):
        return f"{value} 00:00:00" if as_time else str(value)
    if isinstance(value, FilePath):
        return str(value)
    if isinstance(value, BaseModel):
        entries = ((name, getattr(value, name)) for name in type(value).model_fields)
        return {name: plain(entry) for name, entry in entries if entry is not None}
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _leaves(model: type[Section], path: Path) -> Iterator[Leaf]:
    for name, field in model.model_fields.items():
        at = (*path, name)
        inner = section_of(field)
        if inner is not None:
            yield from _leaves(inner, at)
            continue
        key = next(entry for entry in field.metadata if isinstance(entry, Key))
        check = next((entry.func for entry in field.metadata if isinstance(entry, PlainValidator)), None)
        words = check.choices if isinstance(check, Word) else ()
        taken = check.taken if isinstance(check, AsItStands) else None
        place = tuple(key.name.split(".")) if key.name else at
        tacit = (plain(field.get_default(call_default_factory=True)),) if key.added else ()
        yield Leaf(at, place, key.in_digest, key.file, key.example, words, taken, tacit)


LEAVES: Final[tuple[Leaf, ...]] = tuple(_leaves(RunConfig, ()))
LEAF_AT: Final[Mapping[Path, Leaf]] = {leaf.path: leaf for leaf in LEAVES}


def to_yaml_form(config: RunConfig) -> dict[str, Any]:
    """All values, nested by section; plain values only."""
    return _nested((leaf.path, *_value_of(config, leaf, as_time=False)) for leaf in LEAVES)


def to_mapping_form(config: RunConfig) -> dict[str, Any]:
    """All values under quantammsim's keys; plain values only."""
    return _nested((leaf.key, *_value_of(config, leaf, as_time=True)) for leaf in LEAVES)


def _nested(entries: Iterable[tuple[Path, Any, bool]]) -> dict[str, Any]:
    """Nested dicts from (path, value, present); a section that is not there becomes one None."""
    tree: dict[str, Any] = {}
    for path, value, present in entries:
        where = path if present else path[:-1]
        branch = tree
        for part in where[:-1]:
            branch = branch.setdefault(part, {})
        branch[where[-1]] = value
    return tree


def _value_of(config: RunConfig, leaf: Leaf, *, as_time: bool) -> tuple[Any, bool]:
    """The leaf's plain value, and whether its section is there."""
    value: Any = config
    for part in leaf.path:
        if value is None:
            return None, False
        value = getattr(value, part)
    return plain(value, as_time=as_time), True


def from_mapping_form(mapping: Mapping[str, Any]) -> tuple[dict[str, Any], list[Path]]:
    """The YAML form of a fingerprint, and the keys that are not known."""
    tree: dict[str, Any] = {}
    for leaf in LEAVES:
        value = look_up(mapping, leaf.key)
        if value is not None:
            branch = tree
            for part in leaf.path[:-1]:
                branch = branch.setdefault(part, {})
            branch[leaf.path[-1]] = value
    return tree, list(_strangers(mapping, ()))


def look_up(tree: Any, path: Path) -> Any:
    """The value at a nested path, None where there is none."""
    for part in path:
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


_KEYS: Final = frozenset(leaf.key for leaf in LEAVES)
_KEY_BRANCHES: Final = frozenset(leaf.key[:n] for leaf in LEAVES for n in range(1, len(leaf.key)))


def _strangers(branch: Mapping[str, Any], path: Path) -> Iterator[Path]:
    for name, value in branch.items():
        at = (*path, str(name))
        if at in _KEYS or (at in _KEY_BRANCHES and value is None):
            continue
        if at in _KEY_BRANCHES and isinstance(value, Mapping):
            yield from _strangers(value, at)
        else:
            yield at


def digested(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """What a fingerprint's digest covers, under quantammsim's keys; of a path only that it is one."""
    values = ((leaf, _digest_value(leaf, mapping)) for leaf in LEAVES if leaf.in_digest)
    return _nested((leaf.key, value, True) for leaf, value in values if value not in leaf.tacit)


def digested_by_path(mapping: Mapping[str, Any]) -> dict[Path, Any]:
    """The same, flat, under the keys of the YAML form."""
    flat: dict[Path, Any] = {}
    for leaf in LEAVES:
        value = _digest_value(leaf, mapping) if leaf.in_digest else {}
        if value != {} and value not in leaf.tacit:
            _flatten(value, leaf.path, flat.__setitem__)
    return flat


def _digest_value(leaf: Leaf, mapping: Mapping[str, Any]) -> Any:
    value = look_up(mapping, leaf.key)
    return "file" if leaf.file and isinstance(value, str) else plain(value)


def _flatten(value: Any, path: Path, put: Callable[[Path, Any], None]) -> None:
    if isinstance(value, Mapping) and value:
        for name, entry in value.items():
            _flatten(entry, (*path, name), put)
    else:
        put(path, value)
