"""Configuration file → fingerprint."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from momentum_opt.fingerprint.build import build_config
from momentum_opt.fingerprint.natural import drop_replaced_ranges
from momentum_opt.fingerprint.overrides import lay_over, put_value
from momentum_opt.fingerprint.run_fingerprint import Fingerprint, MappingPlaces
from momentum_opt.fingerprint.source import NamedPlaces, Source, parse_source
from momentum_opt.fingerprint.yaml_text import read_yaml_text
from momentum_opt.paths import AnyPath


def load_fingerprint(path: AnyPath, overrides: Sequence[str] = ()) -> Fingerprint:
    """Read, validate and freeze a configuration.

    Args:
        path: a YAML file; relative paths in it are relative to its folder.
        overrides: `a.b=value` each; later ones win. The value is taken as it stands, unless it is a list, a mapping, a
            number or a switch. Relative paths in them start at the current folder.

    Raises:
        ConfigError: all mistakes at once, one line each: `file:line: path: what is wrong (value); what to do`.
    """
    return read_configuration(path, overrides)[0]


def read_configuration(path: AnyPath, overrides: Sequence[str] = ()) -> tuple[Fingerprint, str]:
    """The same, and the text of the file, which is read once: it may be a pipe.

    Raises:
        ConfigError: as `load_fingerprint`.
    """
    path = Path(path)
    text = read_yaml_text(path)
    source = lay_over(parse_source(text, str(path)), overrides)
    return Fingerprint(build_config(source.tree, source, folder=path.parent, found=source.mistakes)), text


def override_fingerprint(
    fingerprint: Fingerprint, overrides: Sequence[str], *, name: str = "fingerprint"
) -> Fingerprint:
    """A fingerprint with some values replaced, each given as `a.b=value` as in `load_fingerprint`.

    Every other value stays as it was resolved, so a default that follows from a replaced one does not follow it.

    Args:
        fingerprint: the one to change.
        overrides: what to change in it.
        name: where it came from, for messages.

    Raises:
        ConfigError: all mistakes at once.
    """
    source = lay_over(Source(name, fingerprint.to_yaml_form(), base=MappingPlaces(name)), overrides)
    drop_replaced_ranges(source.tree, source.settings.keys())
    return Fingerprint(build_config(source.tree, source, found=source.mistakes))


def replace_values(fingerprint: Fingerprint, values: Mapping[str, Any], *, name: str) -> Fingerprint:
    """The same for plain values of the program's own, by their dotted keys.

    Raises:
        ConfigError: all mistakes at once.
    """
    source = Source(name, fingerprint.to_yaml_form(), base=NamedPlaces(name))
    for key, value in values.items():
        put_value(source, tuple(key.split(".")), value)
    return Fingerprint(build_config(source.tree, source, found=source.mistakes))
