"""Write a commented configuration file: a fingerprint in, the YAML text of the keys a user is likely to change out.

Comments are the help texts of the keys, values those that the run uses; keys that are not set stand as comments.
"""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

from momentum_opt.fingerprint.fields import Key
from momentum_opt.fingerprint.help_texts import help_texts
from momentum_opt.fingerprint.keys import LEAF_AT, look_up, section_of
from momentum_opt.fingerprint.mistakes import Path
from momentum_opt.fingerprint.natural import EXAMPLES, PARAMETERS
from momentum_opt.fingerprint.run_fingerprint import Fingerprint
from momentum_opt.fingerprint.sections import RunConfig, Section
from momentum_opt.fingerprint.yaml_text import to_yaml_text
from momentum_opt.vocabulary.metrics import fewest_days

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "data": ("root",),
    "tokens": (),
    "window": ("start", "end", "test_end", "validation_fraction"),
    "pool": ("rule", "chunk_period", "maximum_change", "minimum_weight", "max_memory_days"),
    "costs": ("fees", "gas_cost", "arb_fees", "arb_frequency"),
    "objective": ("metric", "aggregate", "windows"),
    "search": ("n_trials", "sampler", "seed", "screen"),
    "walk_forward": ("train_days", "test_days"),
}
"""Section → the keys that are written."""

_MOST_WORDS: Final = 6
_WIDTH: Final = 100


def commented_config(fingerprint: Fingerprint, head: str, *, test_end: str | None = None) -> str:
    """The text of a configuration file that means `fingerprint`.

    Args:
        fingerprint: what it is to mean.
        head: comment lines at the top, without `#`.
        test_end: an end of the test to suggest where there is no test; None suggests none.
    """
    values = fingerprint.to_yaml_form()
    suggested = {("window", "test_end"): test_end, **_fold_days(fingerprint)}
    blocks = ["\n".join(f"# {line}".rstrip() for line in head.splitlines())]
    for section, names in _KEYS.items():
        paths: list[Path] = [(section, name) for name in names] or [(section,)]
        lines = [
            line
            for path in paths
            for line in _entry(path, look_up(values, path), suggested.get(path), alone=values[section] is not None)
        ]
        if section == "search":
            lines += _natural(fingerprint)
        if values[section] is None:  # nothing of it is set, so it is a comment as a whole
            lines = [f"# {line}" for line in [f"{section}:", *lines]] if lines else []
        elif names:
            lines = [f"{section}:", *lines]
        blocks += ["\n".join(lines)] if lines else []
    return "\n\n".join(blocks) + "\n"


def _entry(path: Path, value: Any, suggested: Any, *, alone: bool) -> Iterator[str]:
    """The help text of a key and its line; `alone`: which is a comment where the key has no value.

    Nothing where there is nothing to suggest either.
    """
    shown = suggested if value is None else value
    if shown is None:
        return
    indent = "  " * (len(path) - 1)
    yield from _comment(_help(path), indent)
    mark = "# " * ((value is None and alone) or _follows(path))
    yield textwrap.indent(to_yaml_text({path[-1]: shown}).rstrip(), indent + mark)


def _help(path: Path) -> str:
    """The help text of a key, its unit where the text has it not, and the words that it may be where they are few."""
    model = _section(path)
    key = _key(path)
    text = help_texts(model)[path[-1]].rstrip(".")
    words = LEAF_AT[path].words
    listed = f" One of {', '.join(words)}." if 0 < len(words) <= _MOST_WORDS else ""
    told = not key.unit or key.unit.split()[0] in text.lower()
    return f"{text}{'' if told else f' ({key.unit})'}.{listed}"


def _follows(path: Path) -> bool:
    """Whether the default follows from other keys, so that it is left to them."""
    return _section(path).model_fields[path[-1]].is_required() and _key(path).example is None


def _section(path: Path) -> type[Section]:
    """The class of the section that a key stands in."""
    model: type[Section] = RunConfig
    for part in path[:-1]:
        model = section_of(model.model_fields[part]) or model
    return model


def _key(path: Path) -> Key:
    return next(entry for entry in _section(path).model_fields[path[-1]].metadata if isinstance(entry, Key))


def _comment(text: str, indent: str) -> Iterator[str]:
    yield from (f"{indent}# {line}" for line in textwrap.wrap(text, _WIDTH))


def _natural(fingerprint: Fingerprint) -> Iterator[str]:
    """The ranges in natural units, as comments: without them the schema's serve."""
    cap = fingerprint.pool.max_memory_days
    memory = f"[{min(1.0, cap / 10.0):g}, {min(60.0, cap):g}]"
    text = "Ranges of the search, for all tokens or as TOKEN: [low, high] for some; config show prints those in use."
    yield from _comment(text, "  ")
    yield f"  # {PARAMETERS[-1]}:"
    yield from (f"  #   {name}: {value}" for name, value in {**EXAMPLES, "memory_days": memory}.items())


def _fold_days(fingerprint: Fingerprint) -> dict[Path, int]:
    """Folds of a walk-forward that the window holds several of; none where it is too short."""
    total = fingerprint.periods.total_days
    train, test = total // 3, total // 9
    fewest = fewest_days(fingerprint.objective.metric)
    if test < fewest or round(train * fingerprint.window.validation_fraction) < fewest:
        return {}
    return {("walk_forward", "train_days"): train, ("walk_forward", "test_days"): test}
