"""The configuration's models → the page of all keys: type, unit, default, limits, meaning, fingerprint key."""

import inspect
from collections.abc import Iterator
from types import SimpleNamespace, UnionType
from typing import Union, get_args, get_origin

from pydantic import PlainValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docs.hooks.tables import table
from momentum_opt.fingerprint import sections
from momentum_opt.fingerprint.fields import Key
from momentum_opt.fingerprint.help_texts import help_texts
from momentum_opt.fingerprint.keys import LEAF_AT, section_of
from momentum_opt.fingerprint.mistakes import RefusedError
from momentum_opt.fingerprint.natural import EXAMPLES
from momentum_opt.fingerprint.sections import RangeOverride, RunConfig, Section
from momentum_opt.vocabulary.rules import NATURAL_NAMES, RULES

_INTRO = """\
# Configuration

Every key of a configuration file, made from the classes that read it (`momentum_opt/fingerprint/sections.py`), so this
page and the program cannot differ. Only `tokens`, `window.start` and `window.end` must be given (and `data.root`, or
prices named otherwise). Unknown keys are mistakes, and all mistakes are listed at once, with file, line and what to do.

```console
$ momentum-opt config new --data prices --out my.yaml  # a commented configuration for a folder of prices
$ momentum-opt config show configs/quickstart.yaml     # every value as it is used, the periods, the engine
$ momentum-opt config check configs/quickstart.yaml    # mistakes only
```

`--set section.key=VALUE` overrides one value in every command that reads a configuration. VALUE is taken as it
stands, unless it is a list (`[a, b]`), a mapping (`{a: 1}`), a number or a switch; a path or the URL of a storage
always is. Relative paths in it start at the current folder, those in a file at the file's folder. `--data FOLDER` is
short for `--set data.root=FOLDER`. `null` stands for the default. Dates are whole days in UTC. "Accepts" is what the
program asks for when a value is refused. "Fingerprint key" is the name in `fingerprint.json`, which is that of
quantammsim where it has one ([key by key](quantammsim.md)); a ● says that the value is part of the digest, because it
can change a trial's numbers.
"""

_RANGES = """\
### What `search.parameters` changes

One entry per parameter, such as `search.parameters.log_k.low`. What is left out keeps the pool's schema:
"""

_NATURAL = """\
Instead of `low` and `high`, `log_k` and `logit_lamb` may have their range in natural units, for all tokens
(`k_per_day: [1, 500]`) or for some (`memory_days: {BTC: [2, 60]}`). The fingerprint holds it in internal units.
"""

_Rows = list[tuple[str, ...]]


def page() -> str:
    """The page, in Markdown."""
    parts = [_INTRO, *_section(RunConfig, (), "Top level", skip_sections=True)]
    for name, field in RunConfig.model_fields.items():
        inner = section_of(field)
        if inner is not None:
            parts += _section(inner, (name,), f"`{name}`")
    return "\n\n".join(parts) + "\n"


def _section(model: type[Section], path: tuple[str, ...], title: str, *, skip_sections: bool = False) -> Iterator[str]:
    doc = "" if model is RunConfig else inspect.cleandoc(model.__doc__ or "")
    yield f"## {title}" if len(path) < 2 else f"### {title}"
    if doc:
        yield doc
    plain = {name: field for name, field in model.model_fields.items() if section_of(field) is None}
    yield _table([_row(model, (*path, name), field) for name, field in plain.items()])
    if skip_sections:
        return
    for name, field in model.model_fields.items():
        inner = section_of(field)
        if inner is not None:
            at = (*path, name)
            yield from _section(inner, at, f"`{'.'.join(at)}`" + (" (optional)" if field.default is None else ""))
        if name == "parameters":
            yield from _ranges()


def _ranges() -> Iterator[str]:
    yield _RANGES
    head = ("parameter", "rule", "low", "high", "first trial", "meaning")
    entries: _Rows = []
    for rule in RULES.values():
        for name, spec in rule.schema.items():
            low, high = ("", "") if spec.optuna is None else (f"{spec.optuna.low:g}", f"{spec.optuna.high:g}")
            sampled = "" if spec.trainable else "; sampled only where it is named here"
            entries.append((f"`{name}`", f"`{rule.name}`", low, high, "`search.initial`", spec.description + sampled))
    yield table(head, entries)
    path = ("search", "parameters", "<name>")
    plain = {name: field for name, field in RangeOverride.model_fields.items() if section_of(field) is None}
    rows = [_row(RangeOverride, (*path, name), field) for name, field in plain.items()]
    around = sections.Around.model_fields
    rows += [_row(sections.Around, (*path, "around", name), field) for name, field in around.items()]
    yield _table(rows)
    yield _NATURAL
    units = zip(NATURAL_NAMES.items(), ("per day", "days"), strict=True)
    natural = ((f"`search.parameters.{name}`", target, unit, EXAMPLES[name]) for (name, target), unit in units)
    yield _table(
        [
            (name, "range, or range per token", unit, "none", f"[low, high], such as {example}",
             f"`low` and `high` of `{target}`.", f"that of `{target}` ●")
            for name, target, unit, example in natural
        ]
    )  # fmt: skip


def _table(rows: _Rows) -> str:
    return table(("key", "type", "unit", "default", "accepts", "meaning", "fingerprint key"), rows)


def _row(model: type[Section], path: tuple[str, ...], field: FieldInfo) -> tuple[str, ...]:
    leaf = LEAF_AT.get(path)
    key = next((entry for entry in field.metadata if isinstance(entry, Key)), Key())
    named = "" if leaf is None else f"`{'.'.join(leaf.key)}`{' ●' if leaf.in_digest else ''}"
    help_text = help_texts(model)[path[-1]]
    return f"`{'.'.join(path)}`", _type(field), key.unit, _default(field, key), _accepts(field), help_text, named


def _type(field: FieldInfo) -> str:
    names = {"float": "number", "int": "whole number", "bool": "switch", "str": "text", "Path": "path"}
    kinds = get_args(field.annotation) if get_origin(field.annotation) in (Union, UnionType) else (field.annotation,)
    words: list[str] = []
    for kind in kinds:
        if kind is type(None):
            continue
        if get_origin(kind) is tuple:
            words.append("list of text")
        elif isinstance(kind, type) and not get_args(kind):
            words.append(names.get(kind.__name__, kind.__name__))
        elif "Literal" in str(kind):
            words.append("word")
        else:
            words.append("number per token" if "float" in str(kind) else "mapping")
    return " or ".join(dict.fromkeys(words))


def _default(field: FieldInfo, key: Key) -> str:
    if field.default is None:
        return "none"
    if field.default_factory is not None:
        return "empty"
    if field.default is PydanticUndefined:
        return "**required**" if key.example is not None else "see text"
    value = field.default
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`".replace("e+06", "e6") if isinstance(value, float) else f"`{value}`"


def _accepts(field: FieldInfo) -> str:
    """What the field asks for when it refuses something that is no value at all."""
    validator = next((entry.func for entry in field.metadata if isinstance(entry, PlainValidator)), None)
    if validator is None:
        return ""
    takes_info = len(inspect.signature(validator).parameters) == 2
    try:
        validator(object(), *([SimpleNamespace(context=None)] if takes_info else []))  # pyright: ignore
    except RefusedError as refused:
        return refused.mistakes[0].fix.removeprefix("give ").removeprefix("write it as ").removeprefix("write ")
    raise AssertionError("a field accepts anything")
