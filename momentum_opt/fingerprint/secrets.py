"""Keep passwords out of files (SPEC §12): fingerprints and configuration texts as they may be written to a file."""

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint.yaml_text import compose
from momentum_opt.passwords import without_password, without_passwords


def recordable(fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """A fingerprint's dict as it may be written to a file."""
    return {key: _without(value) for key, value in fingerprint.items()}


def recordable_text(config: str) -> str:
    """The text of a configuration as it may be written to a file: the same, but for passwords in values and comments.

    A value is rewritten as a whole, in double quotes, so that no way of writing it matters; every other one stays.
    """
    try:
        scalars = _scalars(compose(config, "configuration"))
    except ConfigError:  # a notebook may keep any text with a run
        return without_passwords(config)
    parts: list[str] = []
    end = 0
    for node in scalars:
        value = str(node.value)
        masked = without_password(value)
        parts.append(without_passwords(config[end : node.start_mark.index]))
        written = config[node.start_mark.index : node.end_mark.index]
        parts.append(written if masked == value else _rewritten(written, masked))
        end = node.end_mark.index
    return "".join([*parts, without_passwords(config[end:])])


def _rewritten(written: str, value: str) -> str:
    """A value in the place of `written`, with its anchor and tag, and the end of its line where it held that."""
    marks = re.match(r"(?:[&!]\S*\s+)*", written)
    return f"{marks.group() if marks else ''}{json.dumps(value)}{chr(10) if written.endswith(chr(10)) else ''}"


def _scalars(root: yaml.Node | None) -> list[yaml.ScalarNode]:
    """All scalars of a document in the order of the text, each once, however many aliases it has."""
    found: dict[int, yaml.ScalarNode] = {}
    seen: set[int] = set()
    left: list[Any] = [root]
    while left:
        node = left.pop()
        if isinstance(node, yaml.ScalarNode):
            found[node.start_mark.index] = node
        elif isinstance(node, tuple | list):  # an entry of a mapping, or all entries of a node
            left += node
        elif isinstance(node, yaml.CollectionNode) and id(node) not in seen:
            seen.add(id(node))
            left.append(node.value)
    return [found[index] for index in sorted(found)]


def _without(value: Any) -> Any:
    if isinstance(value, str):
        return without_password(value)
    if isinstance(value, Mapping):
        return {key: _without(entry) for key, entry in value.items()}
    return [_without(entry) for entry in value] if isinstance(value, list | tuple) else value
