"""Configuration text: a YAML file and `--set` overrides in, plain values and the place of each of them out.

Read stricter than YAML 1.1: `3e-4` is a number, `yes`, `no`, `on` and `off` are words, a date is text, `1:30` and `010`
are no numbers, and a key may stand only once. `to_yaml_text` writes such text.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final, Protocol

import yaml

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint.mistakes import Mistake, Path, dotted
from momentum_opt.paths import file_fault

_TAG: Final = "tag:yaml.org,2002:"
_SCALARS: Final = {
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(?:0|[1-9][0-9_]*)", "-+0123456789"),
    "float": (
        r"[-+]?(?:[0-9][0-9_]*)?\.[0-9_]+(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*\.?(?:[eE][-+]?[0-9]+)"
        r"|[-+]?[0-9][0-9_]*\.|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "merge": (r"<<", "<"),
}


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2 in place of those of 1.1."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  # PyYAML's own class attribute, replaced on purpose


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads: no quotes around dates, lists on one line."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  # as above


for _name, (_pattern, _first) in _SCALARS.items():
    for _user in (_Loader, _Dumper):
        _user.add_implicit_resolver(
            _TAG + _name, re.compile(f"^(?:{_pattern})$"), ["" if first == "\0" else first for first in _first]
        )

_Dumper.add_representer(list, lambda dumper, value: dumper.represent_sequence(_TAG + "seq", value, flow_style=True))


def to_yaml_text(tree: Mapping[str, Any]) -> str:
    """The YAML text of nested plain values, in their order."""
    return yaml.dump(dict(tree), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class Places(Protocol):
    """Knows where a value was written."""

    def prefix(self, path: Path) -> str:
        """What a message about `path` starts with, the path itself included."""
        ...

    def order(self, path: Path) -> tuple[int, int]:
        """Sorts messages as the values were written."""
        ...


@dataclass
class Source:
    """Plain values of a configuration file with its overrides, and where each was written.

    Attributes:
        name: the file as the user wrote it.
        tree: nested dicts, lists and scalars; keys are text.
        lines: line of each value's key, from 1.
        settings: the `--set` argument that gave a value, and its number.
        mistakes: what was wrong with the text itself.
    """

    name: str
    tree: dict[str, Any] = field(default_factory=dict[str, Any])
    lines: dict[Path, int] = field(default_factory=dict[Path, int])
    settings: dict[Path, tuple[int, str]] = field(default_factory=dict[Path, tuple[int, str]])
    mistakes: list[Mistake] = field(default_factory=list[Mistake])

    def prefix(self, path: Path) -> str:
        """`file:line: path`, or `--set path=value` for what an override gave."""
        setting = self._setting(path)
        if setting:
            at, (_, argument) = setting
            return f"--set {argument}" if at == path else f"--set {argument}: {dotted(path)}"
        return ": ".join(part for part in (f"{self.name}:{self._line(path)}", dotted(path)) if part)

    def order(self, path: Path) -> tuple[int, int]:
        """File lines first, then overrides as given."""
        setting = self._setting(path)
        return (1, setting[1][0]) if setting else (0, self._line(path))

    def _line(self, path: Path) -> int:
        """The key's own line, or for a missing key that of the section it belongs to."""
        return next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 1)

    def _setting(self, path: Path) -> tuple[Path, tuple[int, str]] | None:
        ways = (path[:n] for n in range(len(path), 0, -1))
        return next(((way, self.settings[way]) for way in ways if way in self.settings), None)


def read_source(file: FilePath, overrides: Sequence[str] = (), *, what: str = "a configuration file") -> Source:
    """Read `file` and lay the overrides `a.b=value` over it.

    Raises:
        ConfigError: the file cannot be read or is no YAML mapping, or an override is no `a.b=value`.
    """
    return parse_source(_read_text(file, what), str(file), overrides)


def parse_source(text: str, name: str, overrides: Sequence[str] = ()) -> Source:
    """The same for text that is already there; `name` says where it came from.

    Raises:
        ConfigError: as `read_source`.
    """
    source = Source(name)
    node = _compose(text, name)
    if node is not None:
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError((f"{name}:{node.start_mark.line + 1}: not a mapping; write `section:` and keys below",))
        source.tree = _value(node, (), source, ())
    for place, argument in enumerate(overrides):
        _override(source, place, argument)
    return source


def _read_text(file: FilePath, what: str) -> str:
    if (fault := file_fault(file, pipe=True)) is not None:
        raise ConfigError((f"{file}: cannot be read as text ({fault[0]}); {fault[1]}: give the path of {what}",))
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError((f"{file}: no such file; give the path of {what}",)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError((f"{file}: cannot be read as text ({error}); give a YAML file in UTF-8",)) from None


def _compose(text: str, name: str) -> yaml.Node | None:
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except RecursionError:
        raise ConfigError((f"{name}: not valid YAML: nested too deep; give a configuration",)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError((f"{name}:{line}: not valid YAML: {what}; mend this line or the one above",)) from None
    except yaml.YAMLError as error:
        what = " ".join(str(error).split())
        raise ConfigError((f"{name}: not valid YAML: {what}; remove what is no plain text",)) from None


def _value(node: yaml.Node, path: Path, source: Source, inside: tuple[yaml.Node, ...]) -> Any:
    """The plain value of a node; marks lines, notes repeated keys and foreign tags as mistakes."""
    if any(node is outer for outer in inside):
        source.mistakes.append(Mistake("contains itself", "write the values out", at=path))
        return None
    inside = (*inside, node)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, source, inside)
    if isinstance(node, yaml.SequenceNode):
        for place, entry in enumerate(node.value):
            source.lines[(*path, str(place))] = entry.start_mark.line + 1
        return [_value(entry, (*path, str(place)), source, inside) for place, entry in enumerate(node.value)]
    return _scalar(node, path, source)


def _mapping(node: yaml.MappingNode, path: Path, source: Source, inside: tuple[yaml.Node, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        at = (*path, key)
        if key_node.tag == _TAG + "merge" and isinstance(value_node, yaml.MappingNode):
            merged.update(_mapping(value_node, path, source, (*inside, value_node)))
        elif key in values:
            line = key_node.start_mark.line + 1
            what = f"given twice, on lines {source.lines[at]} and {line}"
            source.mistakes.append(Mistake(what, "keep one of them", at=at))
        else:
            source.lines[at] = key_node.start_mark.line + 1
            values[key] = _value(value_node, at, source, inside)
    return {**merged, **values}


def _scalar(node: yaml.Node, path: Path, source: Source) -> Any:
    """The scalar by its tag; a constructor is made for it alone."""
    try:
        return _Loader("").construct_object(node)  # pyright: ignore[reportUnknownMemberType]
    except (yaml.YAMLError, ValueError):
        source.mistakes.append(
            Mistake(f"unreadable as {node.tag.removeprefix(_TAG)}", "write a plain value", node.value, path)
        )
        return None


def _override(source: Source, place: int, argument: str) -> None:
    """Lay one `a.b=value` over the tree; sections that are not there are made."""
    dotted_path, equals, text = argument.partition("=")
    path = tuple(part.strip() for part in dotted_path.split("."))
    if not equals or not all(path):
        raise ConfigError((f"--set {argument}: not a setting; write section.key=value",))
    node = _compose(text, f"--set {argument}")
    found = Source(f"--set {argument}")
    value = None if node is None else _value(node, path, found, ())
    source.mistakes += found.mistakes
    source.settings[path] = (place, argument)
    branch = source.tree
    for depth, part in enumerate(path[:-1]):
        if branch.get(part) is None:
            branch[part] = {}
        if not isinstance(branch[part], dict):
            what = f"{dotted(path[: depth + 1])} has no keys"
            source.mistakes.append(Mistake(what, "set it as a whole", branch[part], path))
            return
        branch = branch[part]
    branch[path[-1]] = value
