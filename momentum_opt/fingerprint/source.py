"""Configuration text: YAML in, plain values and the place of each of them out. A key may stand only once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Protocol

import yaml

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint.mistakes import Mistake, OptionSetting, Path, dotted, shortened
from momentum_opt.fingerprint.yaml_text import MOST_VALUES, TAG, compose, construct, read_yaml_text
from momentum_opt.passwords import remember

_MERGE = TAG + "merge"


class Places(Protocol):
    """Knows where a value was written."""

    def prefix(self, path: Path, reads: Sequence[Path] = ()) -> str:
        """What a message about `path` starts with, the path itself included; the mistake also read `reads`."""
        ...

    def order(self, path: Path, reads: Sequence[Path] = ()) -> tuple[int, int]:
        """Sorts messages as the values were written."""
        ...


@dataclass(frozen=True)
class NamedPlaces:
    """The places of values that no file holds: all of them are called `name`."""

    name: str

    def prefix(self, path: Path, reads: Sequence[Path] = ()) -> str:  # noqa: ARG002  # as `Places` has it
        """`name: path`."""
        return f"{self.name}: {dotted(path)}"

    def order(self, path: Path, reads: Sequence[Path] = ()) -> tuple[int, int]:  # noqa: ARG002  # as above
        """As they are found."""
        return (0, 0)


@dataclass
class Source:
    """Plain values of a configuration with its overrides, and where each was written.

    Attributes:
        name: the file as the user wrote it.
        tree: nested dicts, lists and scalars; keys are text.
        lines: line of each value's key, from 1.
        settings: the `--set` argument that gave a value, and its number.
        mistakes: what was wrong with the text itself.
        base: knows the places of what no override gave; None: they are lines of the file `name`.
        count: values so far, those of aliases written out.
    """

    name: str
    tree: dict[str, Any] = field(default_factory=dict[str, Any])
    lines: dict[Path, int] = field(default_factory=dict[Path, int])
    settings: dict[Path, tuple[int, str]] = field(default_factory=dict[Path, tuple[int, str]])
    mistakes: list[Mistake] = field(default_factory=list[Mistake])
    base: Places | None = None
    count: int = 0

    def prefix(self, path: Path, reads: Sequence[Path] = ()) -> str:
        """`file:line: path`, or `--set path=value` where an override gave the value, or one that it does not fit."""
        setting = self._setting(path, reads)
        if setting:
            at, (_, argument) = setting
            if isinstance(argument, OptionSetting):
                return f"{argument.option}: {dotted(path)}"
            shown = f"--set {shortened(argument)}"
            return shown if at == path else f"{shown}: {dotted(path)}"
        if self.base is not None:
            return self.base.prefix(path)
        return ": ".join(part for part in (f"{self.name}:{self._line(path)}", dotted(path)) if part)

    def order(self, path: Path, reads: Sequence[Path] = ()) -> tuple[int, int]:
        """File lines first, then overrides as given."""
        setting = self._setting(path, reads)
        if setting:
            return (1, setting[1][0])
        return (0, self._line(path)) if self.base is None else self.base.order(path)

    def _line(self, path: Path) -> int:
        """The key's own line, or for a missing key that of the section it belongs to."""
        return next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), 1)

    def _setting(self, path: Path, reads: Sequence[Path]) -> tuple[Path, tuple[int, str]] | None:
        """The override behind a mistake: of the value or of what holds it, of a part of it, or of what it must fit."""
        own = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self.settings), None)
        section = path[:-1]
        nearby = [section] if section and section not in self.lines and self.base is None else []
        own = own or self._last_touching([path]) or self._last_touching(reads) or self._last_touching(nearby)
        return None if own is None else (own, self.settings[own])

    def _last_touching(self, paths: Sequence[Path]) -> Path | None:
        """The last override of one of `paths`, of a part of it, or of a section that it is in."""
        given = [
            (place, at)
            for at, (place, _) in self.settings.items()
            if any(all(a == b for a, b in zip(at, path, strict=False)) for path in paths)
        ]
        return max(given)[1] if given else None


def read_source(file: FilePath, *, what: str = "a configuration file") -> Source:
    """Read `file`.

    Raises:
        ConfigError: the file cannot be read or is no YAML mapping.
    """
    return parse_source(read_yaml_text(file, what), str(file))


def parse_source(text: str, name: str) -> Source:
    """The same for text that is already there; `name` says where it came from.

    Raises:
        ConfigError: as `read_source`.
    """
    source = Source(name)
    node = compose(text, name)
    if node is not None:
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError((f"{name}:{node.start_mark.line + 1}: not a mapping; write `section:` and keys below",))
        source.tree = value_of(node, (), source)
    return source


def value_of(node: yaml.Node, path: Path, source: Source, inside: tuple[yaml.Node, ...] = ()) -> Any:
    """The plain value of a node; marks lines, notes repeated keys and foreign tags as mistakes.

    Raises:
        ConfigError: its aliases, written out, are more values than are read.
    """
    source.count += 1
    if source.count > MOST_VALUES:
        what = f"more than {MOST_VALUES:,} values once its aliases are written out; give fewer"
        raise ConfigError((f"{source.name}: {what}",))
    if any(node is outer for outer in inside):
        source.mistakes.append(Mistake("contains itself", "write the values out", at=path))
        return None
    inside = (*inside, node)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, source, inside)
    if isinstance(node, yaml.SequenceNode):
        for place, entry in enumerate(node.value):
            source.lines[(*path, str(place))] = entry.start_mark.line + 1
        return [value_of(entry, (*path, str(place)), source, inside) for place, entry in enumerate(node.value)]
    return _scalar(node, path, source)


def _mapping(node: yaml.MappingNode, path: Path, source: Source, inside: tuple[yaml.Node, ...]) -> dict[str, Any]:
    """The node's own keys, and those of the mappings that it merges where it has none of the name itself."""
    own: dict[str, int] = {}
    values: dict[str, Any] = {}
    merges: list[yaml.Node] = []
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        remember((key,))
        is_merge = key_node.tag == _MERGE
        if key in own:
            what = f"given twice, on lines {own[key]} and {line}"
            fix = "write <<: [*a, *b]" if is_merge else "keep one of them"
            source.mistakes.append(Mistake(what, fix, at=(*path, key)))
            continue
        own[key] = line
        if is_merge:
            merges = _merged(value_node, path, source, line)
        else:
            source.lines[(*path, key)] = line
            values[key] = value_of(value_node, (*path, key), source, inside)
    for merged in merges:
        values = _with_merged(values, merged, path, source, inside)
    return values


def _with_merged(
    values: dict[str, Any], node: yaml.Node, path: Path, source: Source, inside: tuple[yaml.Node, ...]
) -> dict[str, Any]:
    """`values`, with what the merged mapping adds to them."""
    aside = Source(source.name, count=source.count)
    found = value_of(node, path, aside, inside)
    source.count = aside.count
    depth, added = len(path), {} if found is None else {key: one for key, one in found.items() if key not in values}
    source.lines |= {at: line for at, line in aside.lines.items() if at[depth] in added}
    source.mistakes += [one for one in aside.mistakes if len(one.at) == depth or one.at[depth] in {*added, "<<"}]
    return {**added, **values}


def _merged(node: yaml.Node, path: Path, source: Source, line: int) -> list[yaml.Node]:
    """The mappings that `<<` names, the first of which wins; anything else is noted."""
    nodes: list[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else [node]
    if all(isinstance(one, yaml.MappingNode) for one in nodes):
        return nodes
    source.lines[(*path, "<<")] = line
    what, fix = "merges what is no mapping", "name mappings, as <<: *a or <<: [*a, *b]"
    source.mistakes.append(Mistake(what, fix, at=(*path, "<<")))
    return []


def _scalar(node: yaml.Node, path: Path, source: Source) -> Any:
    """The scalar by its tag; a constructor is made for it alone."""
    assert isinstance(node, yaml.ScalarNode)
    remember((node.value, f'{path[-1] if path else ""}="{node.value}"'))
    try:
        return construct(node)
    except (yaml.YAMLError, ValueError):
        what = f"unreadable as {node.tag.removeprefix(TAG)}"
        source.mistakes.append(Mistake(what, "write a plain value", node.value, path))
        return None
