"""Configuration file → fingerprint."""

from collections.abc import Sequence
from pathlib import Path

from momentum_opt.fingerprint.build import build_config
from momentum_opt.fingerprint.run_fingerprint import Fingerprint
from momentum_opt.fingerprint.source import read_source


def load_fingerprint(path: Path, overrides: Sequence[str] = ()) -> Fingerprint:
    """Read, validate and freeze a configuration.

    Args:
        path: a YAML file; relative paths in it are relative to its folder.
        overrides: `a.b=value` each, the value read as YAML; later ones win. Paths in them are relative to the
            file's folder as well.

    Raises:
        ConfigError: all mistakes at once, one line each: `file:line: path: what is wrong (value); what to do`.
    """
    source = read_source(path, overrides)
    return Fingerprint(build_config(source.tree, source, folder=path.parent, found=source.mistakes))
