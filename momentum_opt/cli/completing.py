"""Complete values for the Tab key. Imports no JAX."""

from collections.abc import Iterator
from pathlib import Path


def complete_settings(incomplete: str) -> list[str]:
    """Keys of a configuration for `--set`, and after the `=` the words of a key that has a closed list."""
    from momentum_opt.fingerprint.keys import LEAF_AT, LEAVES
    from momentum_opt.vocabulary.rules import NATURAL_NAMES

    key, equals, value = incomplete.partition("=")
    if equals:
        leaf = LEAF_AT.get(tuple(key.split(".")))
        return [f"{key}={word}" for word in leaf.words if word.startswith(value)] if leaf else []
    keys = (*(".".join(leaf.path) for leaf in LEAVES), *(f"search.parameters.{name}" for name in NATURAL_NAMES))
    return [text for key in keys if (text := f"{key}=").startswith(incomplete)]


def complete_configs(incomplete: str) -> Iterator[str]:
    """Configuration files, and folders on the way to them."""
    yield from (_shown(path) for path in _matches(incomplete) if path.is_dir() or path.suffix in (".yaml", ".yml"))


def complete_runs(incomplete: str) -> Iterator[str]:
    """Run folders: those under `runs`, and folders on the way to others."""
    if not incomplete:
        yield from (str(path.parent) for path in sorted(Path("runs").glob("*/fingerprint.json")))
    yield from (_shown(path) for path in _matches(incomplete) if path.is_dir())


def _matches(incomplete: str) -> Iterator[Path]:
    start = Path(incomplete)
    folder, name = (start, "") if incomplete.endswith("/") or not incomplete else (start.parent, start.name)
    if folder.is_dir():
        yield from (path for path in sorted(folder.iterdir()) if path.name.startswith(name) and path.name[0] != ".")


def _shown(path: Path) -> str:
    return f"{path}/" if path.is_dir() else str(path)
