"""`--set a.b=value`: arguments of the command line and plain values in, the values with the arguments laid over out.

What stands after `=` is taken whole, unless it is a list, a mapping, a number or a switch; a path or a URL always is.
Relative paths start where the command is given.
"""

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any, Final

import yaml

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint.fields import is_number_in_quotes, is_table, placed_path, placed_storage
from momentum_opt.fingerprint.keys import LEAF_AT, LEAVES, Leaf, look_up
from momentum_opt.fingerprint.mistakes import Mistake, Path, RefusedError, dotted, shortened
from momentum_opt.fingerprint.source import Source, value_of
from momentum_opt.fingerprint.yaml_text import compose, plain_scalar
from momentum_opt.passwords import remember

_OPENING: Final = ("[", "{")
_QUOTES: Final = ("'", '"')


def lay_over(source: Source, arguments: Sequence[str]) -> Source:
    """Lay the overrides over the values of `source`, later ones over earlier ones.

    Raises:
        ConfigError: one of them is no `a.b=value`, or a list or mapping that is no YAML.
    """
    remember(arguments)
    for number, argument in enumerate(arguments):
        path, text = _split(argument)
        source.settings[path] = (number, argument)
        put_value(source, path, _read(source, path, text, argument))
        place_paths(source, path, FilePath.cwd())
    return source


def put_value(source: Source, path: Path, value: Any) -> None:
    """Set one value; sections that are not there are made."""
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


def _split(argument: str) -> tuple[Path, str]:
    names, equals, text = argument.partition("=")
    path = tuple(part.strip() for part in names.split("."))
    if not equals or not all(path):
        raise ConfigError((f"--set {shortened(argument)}: not a setting; write section.key=value",))
    return path, text


def _read(source: Source, path: Path, text: str, argument: str) -> Any:
    """The value that the text stands for at its place."""
    leaf, stripped = LEAF_AT.get(path), text.strip()
    value, quoted = plain_scalar(stripped), _unquoted(stripped)
    if leaf is None or leaf.taken is None:
        if stripped.startswith(_OPENING):
            return _read_flow(source, path, stripped, f"--set {shortened(argument)}")
        return value if quoted is None else quoted
    if value is None and (leaf.file or leaf.taken == "text"):  # nothing that could be the name of a file
        return None
    if leaf.taken == "cost" and (is_number_in_quotes(quoted) or _is_number(value)):
        return value if quoted is None else quoted
    return text if quoted is None or leaf.taken != "text" else quoted


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read_flow(source: Source, path: Path, text: str, name: str) -> Any:
    """A list or mapping in brackets."""
    node = compose(text, name)
    aside = Source(name)
    if node is None or node.end_mark.index != len(text):
        raise ConfigError((f"{name}: goes on after its last bracket; leave the rest out",))
    value = value_of(node, path, aside)
    source.mistakes += aside.mistakes
    return value


def _unquoted(text: str) -> str | None:
    """What stands in quotes, where all of the text does."""
    if text[:1] not in _QUOTES:
        return None
    try:
        node = compose(text, "")
    except ConfigError:
        return None
    return node.value if isinstance(node, yaml.ScalarNode) and node.end_mark.index == len(text) else None


def place_paths(source: Source, path: Path, base: FilePath) -> None:
    """Make the paths that stand at `path` or below it absolute: relative ones start at `base`."""
    for leaf in LEAVES:
        if leaf.taken in ("path", "cost", "url") and leaf.path[: len(path)] == path:
            value = look_up(source.tree, leaf.path)
            if isinstance(value, str) and value.strip():
                _put_placed(source, leaf, value, base)


def _put_placed(source: Source, leaf: Leaf, value: str, base: FilePath) -> None:
    try:
        if leaf.taken == "url":
            put_value(source, leaf.path, placed_storage(value, base))
        elif not leaf.file or is_table(value):  # other text is refused as the user wrote it
            put_value(source, leaf.path, str(placed_path(value, base)))
    except RefusedError:
        return  # said again, with its place, where the value is checked
