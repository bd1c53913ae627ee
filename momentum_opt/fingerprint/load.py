"""Configuration file → fingerprint."""

from collections.abc import Sequence
from pathlib import Path

from momentum_opt.fingerprint.build import build_config
from momentum_opt.fingerprint.run_fingerprint import Fingerprint
from momentum_opt.fingerprint.source import parse_source, read_source, to_yaml_text
from momentum_opt.paths import AnyPath


def load_fingerprint(path: AnyPath, overrides: Sequence[str] = ()) -> Fingerprint:
    """Read, validate and freeze a configuration.

    Args:
        path: a YAML file; relative paths in it are relative to its folder.
        overrides: `a.b=value` each, the value read as YAML; later ones win. Paths in them are relative to the
            file's folder as well.

    Raises:
        ConfigError: all mistakes at once, one line each: `file:line: path: what is wrong (value); what to do`.
    """
    path = Path(path)
    source = read_source(path, overrides)
    return Fingerprint(build_config(source.tree, source, folder=path.parent, found=source.mistakes))


def override_fingerprint(fingerprint: Fingerprint, overrides: Sequence[str]) -> Fingerprint:
    """A fingerprint with some values replaced, each given as `a.b=value` and read as YAML.

    Every other value stays as it was resolved, so a default that follows from a replaced one does not follow it.

    Raises:
        ConfigError: all mistakes at once.
    """
    source = parse_source(to_yaml_text(fingerprint.to_yaml_form()), "fingerprint", overrides)
    return Fingerprint(build_config(source.tree, source, found=source.mistakes))
