"""Plain values → validated configuration: a nested dict in, a `RunConfig` out, or all mistakes at once."""

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from pydantic import ValidationError

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint.defaults import fill_defaults
from momentum_opt.fingerprint.keys import LEAF_AT, LEAVES
from momentum_opt.fingerprint.mistakes import (
    MOST_MISTAKES,
    Mistake,
    Path,
    RefusedError,
    choose_among,
    dotted,
    first_of,
    nearest,
)
from momentum_opt.fingerprint.natural import PARAMETERS, rules_of, take_natural_ranges, with_natural_ranges
from momentum_opt.fingerprint.rules import LIMITS, broken_rules
from momentum_opt.fingerprint.sections import MetricLimit, RangeOverride, RunConfig
from momentum_opt.fingerprint.source import Places
from momentum_opt.vocabulary.rules import NATURAL_NAMES, RULES

_PARAMETER_NAMES: Final = tuple(
    dict.fromkeys([*(name for rule in RULES.values() for name in rule.schema), *NATURAL_NAMES])
)
_MOST_PASSES: Final = 8  # one per nesting level is enough: each pass mends everything the one before found


def build_config(
    tree: Mapping[str, Any], places: Places, *, folder: FilePath | None = None, found: Iterable[Mistake] = ()
) -> RunConfig:
    """Validate `tree`, fill in every default, and apply the rules between values.

    Args:
        tree: the YAML form; None counts as left out.
        places: where each value was written, for messages.
        folder: what relative paths are relative to; None keeps paths as they are and does not look for files.
        found: mistakes already known, reported with the others.

    Raises:
        ConfigError: every mistake, in the order in which the values were written.
    """
    tree = _without_nulls(tree)
    natural, mistakes = take_natural_ranges(tree)
    config, wrong = _validate(tree, folder)
    mistakes += wrong
    mistakes += broken_rules(config, {mistake.at for mistake in mistakes}, rules_of(natural))
    mistakes += found
    if mistakes:
        mistakes.sort(key=lambda mistake: places.order(mistake.at, mistake.reads))
        raise ConfigError(first_of([f"{places.prefix(one.at, one.reads)}: {one.text()}" for one in mistakes]))
    return with_natural_ranges(config, natural)


def _validate(tree: dict[str, Any], folder: FilePath | None) -> tuple[RunConfig, list[Mistake]]:
    """The typed values, and the mistakes: each is replaced by something sound, so that the others show as well."""
    context = None if folder is None else {"folder": folder}
    mistakes: list[Mistake] = []
    mended: set[Path] = set()
    for _ in range(_MOST_PASSES):
        whole = copy.deepcopy(tree)
        derived = fill_defaults(whole)
        try:
            return RunConfig.model_validate(whole, context=context), mistakes
        except ValidationError as error:
            errors = {tuple(str(part) for part in details["loc"]): details for details in error.errors()}
            for path, details in errors.items():
                if path not in derived and not _below(path, mended) and not _misspelt(path, errors):
                    mistakes += _mistakes_of(details, path, suggest=len(mistakes) < MOST_MISTAKES)
            for path in errors:
                _mend(tree, path)
            mended |= errors.keys()
    raise AssertionError(f"validation does not settle: {mistakes}")


def _below(path: Path, others: set[Path]) -> bool:
    return any(path[: len(other)] == other for other in others)


def _misspelt(path: Path, errors: Mapping[Path, Any]) -> bool:
    """Whether the value missing at `path` stands beside it under a name that looks like it, which is told anyway."""
    if errors[path]["type"] != "missing":
        return False
    unknown = [
        at[-1] for at, details in errors.items() if details["type"] == "extra_forbidden" and at[:-1] == path[:-1]
    ]
    return any(nearest(name, [path[-1]]) for name in unknown)


def _mistakes_of(details: Any, path: Path, *, suggest: bool) -> list[Mistake]:
    """The mistakes behind one of pydantic's errors; looking for the nearest of all keys takes a while."""
    kind = details["type"]
    if kind == "extra_forbidden":
        return [Mistake("unknown key", _known_key(path) if suggest else "remove it", at=path)]
    if kind == "missing":
        return [Mistake("missing", f"give a value{_example(path)}", at=path)]
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, RefusedError):
        return [Mistake(m.what, m.fix, m.value, (*path, *m.at)) for m in cause.mistakes]
    if path[:-1] == LIMITS:
        return [Mistake("not a limit", "write {min: NUMBER}, {max: NUMBER} or both", details["input"], path)]
    if path[:-1] == PARAMETERS and path[-1] not in _PARAMETER_NAMES:
        return [Mistake("unknown parameter", choose_among(path[-1], _PARAMETER_NAMES), at=path)]
    return [Mistake("not a section", "write its keys below it, indented", details["input"], path)]


def _known_key(path: Path) -> str:
    """The nearest known key: of the same section, else of any, else all of the section's."""
    *section, name = path
    depth = len(path)
    paths = [leaf.path for leaf in LEAVES]
    siblings = sorted(
        {known[depth - 1] for known in paths if known[: depth - 1] == tuple(section) and len(known) >= depth}
    )
    if path[:2] == PARAMETERS:
        siblings = list(RangeOverride.model_fields)
    if path[:2] == LIMITS:
        siblings = list(MetricLimit.model_fields)
    close = nearest(name, siblings)
    if close:
        return f"did you mean {close}?"
    leaves = {leaf.path[-1]: leaf.path for leaf in LEAVES} | {leaf.key[-1]: leaf.path for leaf in LEAVES}
    elsewhere = nearest(name, list(leaves))
    if elsewhere:
        return f"did you mean {dotted(leaves[elsewhere])}?"
    return f"known here: {', '.join(siblings)}"


def _example(path: Path) -> str:
    leaf = LEAF_AT.get(path)
    if leaf is None or leaf.example is None:
        return ""
    shown = f"[{', '.join(leaf.example)}]" if isinstance(leaf.example, list) else leaf.example
    return f", such as {shown}"


def _mend(tree: dict[str, Any], path: Path) -> None:
    """Drop the value at `path`, or give a missing one its example; nothing to do for what defaults filled in."""
    branch: Any = tree
    for part in path[:-1]:
        if not isinstance(branch, dict) or part not in branch:
            break
        branch = branch[part]
    else:
        if isinstance(branch, dict) and path[-1] in branch:
            del branch[path[-1]]
            return
    leaf = LEAF_AT.get(path)
    if leaf is None:  # missing inside an entry of a mapping: drop the entry
        _mend(tree, path[:-1])
    elif leaf.example is not None:
        for part in path[:-1]:
            tree = tree.setdefault(part, {})
        tree[path[-1]] = leaf.example


def _without_nulls(tree: Mapping[str, Any], path: Path = ()) -> dict[str, Any]:
    """A copy without the keys whose value is null, which then take their default.

    A parameter named with nothing behind it stays: naming it is what asks for it to be sampled. So does the metric of
    a limit, which is refused.
    """
    kept: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            kept[name] = _without_nulls(value, (*path, name))
        elif value is not None:
            kept[name] = value
        elif path in (PARAMETERS, LIMITS):
            kept[name] = {}
    return kept
