"""Read YAML text within bounds, and write it: the scalars of YAML 1.2, and no more nodes than a configuration needs.

`3e-4` is a number, `yes`, `no`, `on` and `off` are words, a date is text, `1:30` and `010` are no numbers.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from momentum_opt.errors import ConfigError
from momentum_opt.paths import file_fault
from momentum_opt.reading import UnreadableError, read_text

MOST_BYTES: Final = 1 << 18
MOST_VALUES: Final = 5_000
MOST_LEVELS: Final = 50

TAG: Final = "tag:yaml.org,2002:"
_SCALARS: Final = {
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)", "-+0123456789"),
    "float": (
        r"[-+]?(?:[0-9]+(?:_[0-9]+)*)?\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?[0-9]+(?:_[0-9]+)*\.?(?:[eE][-+]?[0-9]+)"
        r"|[-+]?[0-9]+(?:_[0-9]+)*\.|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "merge": (r"<<", "<"),
}


class TooMuchError(yaml.YAMLError):
    """The text has more nodes, or more levels, than are read."""


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2 in place of those of 1.1, and an end to its patience."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  # PyYAML's own class attribute, replaced on purpose

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = self._level = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Count while reading, so that what is too much is refused before all of it is read."""
        self._nodes, self._level = self._nodes + 1, self._level + 1
        if self._nodes > MOST_VALUES:
            raise TooMuchError(f"more than {MOST_VALUES:,} keys and values; give fewer")
        if self._level > MOST_LEVELS:
            raise TooMuchError(f"nested too deep; give at most {MOST_LEVELS} levels")
        try:
            return super().compose_node(parent, index)
        finally:
            self._level -= 1


class _Dumper(yaml.SafeDumper):
    """Writes what `Loader` reads: no quotes around dates, lists on one line."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  # as above


for _name, (_pattern, _first) in _SCALARS.items():
    for _user in (Loader, _Dumper):
        _user.add_implicit_resolver(
            TAG + _name, re.compile(f"^(?:{_pattern})$"), ["" if first == "\0" else first for first in _first]
        )

_Dumper.add_representer(list, lambda dumper, value: dumper.represent_sequence(TAG + "seq", value, flow_style=True))


def to_yaml_text(tree: Mapping[str, Any]) -> str:
    """The YAML text of nested plain values, in their order."""
    return yaml.dump(dict(tree), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def read_yaml_text(file: Path, what: str = "a configuration file") -> str:
    """The text of a YAML file.

    Args:
        file: its path.
        what: that should be there, for messages.

    Raises:
        ConfigError: there is no such file, or it is no text that a configuration could be.
    """
    if (fault := file_fault(file, pipe=True)) is not None:
        raise ConfigError((f"{file}: cannot be read as text ({fault[0]}); {fault[1]}: give the path of {what}",))
    try:
        return read_text(file, MOST_BYTES)
    except FileNotFoundError:
        raise ConfigError((f"{file}: no such file; give the path of {what}",)) from None
    except (OSError, UnreadableError) as error:
        raise ConfigError((f"{file}: cannot be read as text ({error}); give a YAML file in UTF-8",)) from None


def compose(text: str, name: str) -> yaml.Node | None:
    """The nodes of a text that comes from `name`; None of an empty one.

    Raises:
        ConfigError: it is no YAML, or too much of it.
    """
    try:
        loader = Loader(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except TooMuchError as error:
        raise ConfigError((f"{name}: not valid YAML: {error}",)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise ConfigError((f"{name}:{line}: not valid YAML: {what[:300]}; mend this line or the one above",)) from None
    except yaml.YAMLError as error:
        what = " ".join(str(error).split())
        raise ConfigError((f"{name}: not valid YAML: {what[:300]}; remove what is no plain text",)) from None


def plain_scalar(text: str) -> Any:
    """The number, switch or null that unquoted text stands for; any other text as it is."""
    tag = Loader("").resolve(yaml.ScalarNode, text, (True, False))
    try:
        return text if tag == f"{TAG}merge" else construct(yaml.ScalarNode(tag, text))
    except ValueError:  # a whole number of thousands of digits
        return text


def construct(node: yaml.ScalarNode) -> Any:
    """The value of a scalar node by its tag.

    Raises:
        YAMLError, ValueError: the tag is none of ours, or does not fit.
    """
    return Loader("").construct_object(node)  # pyright: ignore[reportUnknownMemberType]
