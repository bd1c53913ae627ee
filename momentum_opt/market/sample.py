"""A folder and a recipe in, a folder of synthetic price files with a README that says so out.

Files are made in full in memory, compared with what is there, and only then written through a temporary name.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from momentum_opt.errors import DataError, UsageError
from momentum_opt.market.damage import UNREADABLE
from momentum_opt.market.price_file import SUFFIX
from momentum_opt.market.synthetic import (
    FEWEST_TOKENS,
    MOST_TOKENS,
    REGIMES,
    Minutes,
    Recipe,
    decimals,
    synthetic_closes,
)
from momentum_opt.units import MINUTES_PER_DAY, MS_PER_MINUTE

GENERATOR_VERSION: Final = 1
"""Goes up whenever the same recipe would give other closes."""

FIRST_MS: Final = 1_672_531_200_000
"""Time of the first bar: 2023-01-01 00:00 UTC."""

_METADATA_KEY = b"momentum_opt_sample"
_README_MARK = "# SYNTHETIC prices made by momentum-opt"
# Dictionary pages suit rounded closes best, and groups of some weeks keep a short window cheap to read.
_ROW_GROUP_DAYS = 50
_ENCODING: Final[Mapping[str, Any]] = {
    "compression": "zstd",
    "compression_level": 9,
    "use_dictionary": ["close"],
    "column_encoding": {"unix": "DELTA_BINARY_PACKED"},
}
_ABOUT = {
    "SYNA": "a risky token that trends for weeks at a time",
    "SYNB": "a riskier one that moves with it and has trends of its own",
    "SYNC": "a volatile one with trends of its own",
    "SYND": "another volatile one",
    "SYNE": "a calmer one that moves with the market",
    "SYNF": "the wildest, and the cheapest",
    "SYNG": "one that hardly moves with the others",
    "SYNUSD": "a stablecoin",
}
_OPTIONS = {
    "tokens": "--tokens", "bar_minutes": "--bar", "volatility": "--volatility", "regimes": "--regimes",
    "regime_days": "--regime-days",
}  # fmt: skip
_MAX_DAYS = 3650
_MAX_VOLATILITY = 10.0
_LONGEST = 60


def write_sample(folder: Path, recipe: Recipe | None = None, *, force: bool = False) -> tuple[Path, ...]:
    """Write a synthetic sample: `SYNA`, `SYNB`, … and `SYNUSD`, closes from 2023-01-01 UTC, and a README.

    The same recipe gives the same bytes (with the same pyarrow). Files of an earlier sample are replaced; a file that
    is not one is left alone unless `force`.

    Args:
        folder: made if it is not there.
        recipe: seed, length, tokens, bar and character; None takes the defaults, which give the bundled sample.
        force: replace files that this function did not write.

    Returns:
        The paths of all files of the sample, in alphabetical order.

    Raises:
        UsageError: a value of the recipe is out of range.
        DataError: a file of the same name is there that is not part of a sample, or the folder cannot be written.
    """
    recipe = recipe or Recipe()
    _check(recipe)
    contents = {f"{token}{SUFFIX}": _parquet(close, recipe) for token, close in synthetic_closes(recipe).items()}
    contents["README.md"] = _readme(recipe).encode()
    try:
        return _write_all(folder, contents, force)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror or error}); name another folder") from error


def _check(recipe: Recipe) -> None:
    divides = recipe.bar_minutes >= 1 and MINUTES_PER_DAY % recipe.bar_minutes == 0
    known = bool(recipe.regimes) and set(recipe.regimes) <= set(REGIMES)
    limits = (
        ("seed", recipe.seed, "seed >= 0", recipe.seed >= 0),
        ("days", recipe.days, f"1 <= days <= {_MAX_DAYS}", 1 <= recipe.days <= _MAX_DAYS),
        ("tokens", recipe.tokens, f"{FEWEST_TOKENS} <= tokens <= {MOST_TOKENS}",
         FEWEST_TOKENS <= recipe.tokens <= MOST_TOKENS),
        ("bar", recipe.bar_minutes, f"bar divides {MINUTES_PER_DAY} minutes", divides),
        ("volatility", recipe.volatility, f"0 < volatility <= {_MAX_VOLATILITY:g}",
         0 < recipe.volatility <= _MAX_VOLATILITY),
        ("regimes", ",".join(recipe.regimes), f"regimes out of {', '.join(REGIMES)}", known),
        ("regime-days", recipe.regime_days, "regime_days >= 1", 1 <= recipe.regime_days < float("inf")),
    )  # fmt: skip
    problems = [
        f"--{name} {str(value)[:_LONGEST]}: out of range; give what meets {rule}"
        for name, value, rule, holds in limits
        if not holds
    ]
    if problems:
        raise UsageError(problems)


def _parquet(close: Minutes, recipe: Recipe) -> bytes:
    about = {"synthetic": True, "generator_version": GENERATOR_VERSION, "seed": recipe.seed, "days": recipe.days}
    schema = pa.schema(
        [pa.field("unix", pa.int64(), nullable=False), pa.field("close", pa.float64(), nullable=False)],
        metadata={_METADATA_KEY: json.dumps(about | recipe.not_default()).encode()},
    )
    bar = recipe.bar_minutes
    unix = FIRST_MS + bar * MS_PER_MINUTE * np.arange(len(close) // bar, dtype=np.int64)
    sink = pa.BufferOutputStream()
    rows = _ROW_GROUP_DAYS * MINUTES_PER_DAY // bar
    pq.write_table(pa.table([unix, close[bar - 1 :: bar]], schema=schema), sink, row_group_size=rows, **_ENCODING)
    return sink.getvalue().to_pybytes()


def _readme(recipe: Recipe) -> str:
    tokens = "\n".join(
        f"- `{token}{SUFFIX}`: {_ABOUT[token]}, in steps of {10.0 ** -decimals(token):g}" for token in recipe.names
    )
    bars = "One-minute closes" if recipe.bar_minutes == 1 else f"Closes of {recipe.bar_minutes} minutes"
    return f"""{_README_MARK}

These prices are SYNTHETIC. The tokens do not exist, and nothing here says anything about a real market. They are here
so that every command can be tried without data of your own.

{tokens}

{bars} of {recipe.days} days from 2023-01-01 00:00 UTC, without gaps: `unix` (UTC milliseconds of the bar's start)
and `close`. Generator version {GENERATOR_VERSION}, seed {recipe.seed}. Made by, and made again with:

    momentum-opt data sample --seed {recipe.seed} --days {recipe.days}{_options(recipe)} --out FOLDER
"""


def _options(recipe: Recipe) -> str:
    values = {
        name: ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in recipe.not_default().items()
    }
    return "".join(f" {_OPTIONS[name]} {value}" for name, value in values.items())


def _write_all(folder: Path, contents: Mapping[str, bytes], force: bool) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    targets = {folder / name: content for name, content in sorted(contents.items())}
    changed = {path: content for path, content in targets.items() if not _holds(path, content)}
    foreign = [str(path) for path in changed if path.exists() and not _is_ours(path)]
    if foreign and not force:
        raise DataError(
            f"{', '.join(foreign)}: already there and not part of a synthetic sample; name another folder, or use "
            "--force to replace"
        )
    for path, content in changed.items():
        _replace(path, content)
    return tuple(targets)


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def _is_ours(path: Path) -> bool:
    """Whether a file is one that an earlier `write_sample` made."""
    if path.suffix == ".md":
        with path.open("rb") as file:
            return file.readline().rstrip() == _README_MARK.encode()
    try:
        return _METADATA_KEY in (pq.read_schema(path).metadata or {})
    except UNREADABLE:
        return False


def _replace(path: Path, content: bytes) -> None:
    """Write through a temporary name in the same folder, so that no reader ever sees half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
