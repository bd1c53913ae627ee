"""A JSON fingerprint of the incumbent simulator in, a configuration file's text out (`config import`)."""

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from momentum_opt.fingerprint.build import build_config
from momentum_opt.fingerprint.keys import from_mapping_form, look_up
from momentum_opt.fingerprint.mistakes import Path, dotted
from momentum_opt.fingerprint.overrides import place_paths
from momentum_opt.fingerprint.run_fingerprint import MappingPlaces
from momentum_opt.fingerprint.secrets import recordable
from momentum_opt.fingerprint.sections import RangeOverride
from momentum_opt.fingerprint.source import Source
from momentum_opt.fingerprint.yaml_text import to_yaml_text
from momentum_opt.vocabulary.rules import RULES

_DERIVED: Final = frozenset({("schema_version",), ("n_assets",), ("bout_length",)})
_OPTUNA: Final[Path] = ("optimisation_settings", "optuna_settings")
_PARAMETERS: Final[Path] = (*_OPTUNA, "parameter_config")
_EARLY: Final[Path] = (*_OPTUNA, "early_stopping")
_STORAGE: Final[Path] = (*_OPTUNA, "storage")


def import_fingerprint(
    mapping: Mapping[str, Any], *, name: str = "fingerprint", folder: FilePath | None = None
) -> tuple[str, list[str]]:
    """The configuration that means the same as the quantammsim fingerprint `mapping`.

    Only keys that `mapping` gives are written, passwords hidden; the others keep their defaults. Ignored are keys that
    do not concern a momentum pool, early stopping that is switched off, storage that is not one URL, and per-asset
    lists, which do not say which number belongs to which token.

    Args:
        mapping: the fingerprint.
        name: where it came from, for messages.
        folder: where relative paths in it start; None leaves them as they are.

    Returns:
        The YAML text, and the dotted keys that were ignored, sorted.

    Raises:
        ConfigError: a value that this pool cannot run with, or a broken rule; all of them.
    """
    kept, ignored = _concerning_the_pool(mapping)
    tree, strangers = from_mapping_form(kept)
    if folder is not None:
        place_paths(Source(name, tree), (), folder)
    build_config(tree, MappingPlaces(name))
    ignored += [path for path in strangers if path not in _DERIVED]
    return to_yaml_text(recordable(_with_dates(tree))), sorted(dotted(path) for path in ignored)


def _concerning_the_pool(mapping: Mapping[str, Any]) -> tuple[dict[str, Any], list[Path]]:
    """A copy without what is known to mean nothing here, and the paths left out."""
    ignored: list[Path] = []

    def copied(branch: Mapping[str, Any], path: Path) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, value in branch.items():
            at = (*path, key)
            if _means_nothing(at, value):
                ignored.append(at)
            else:
                kept[key] = copied(value, at) if isinstance(value, Mapping) else value
        return kept

    return copied(mapping, ()), ignored


def _means_nothing(at: Path, value: Any) -> bool:
    if at[:-1] == _PARAMETERS:
        return all(at[-1] not in info.schema for info in RULES.values())
    if at[:-2] == _PARAMETERS:
        return at[-1] not in RangeOverride.model_fields
    if at == _EARLY:
        return look_up(value, ("enabled",)) is False
    if at == _STORAGE:
        return not (isinstance(value, str) and (value == "journal" or "://" in value))
    return at[-1].startswith("initial_") and isinstance(value, list)


def _with_dates(tree: dict[str, Any]) -> dict[str, Any]:
    """Dates as a configuration writes them, without the midnight."""
    window = {key: value[:10] if isinstance(value, str) else value for key, value in tree.get("window", {}).items()}
    return {**tree, **({"window": window} if window else {})}
