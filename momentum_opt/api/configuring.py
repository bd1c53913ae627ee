"""Begin a configuration: choose tokens, window and memory by what a folder of price files covers. Imports no JAX."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from momentum_opt.api.prices import telling_options
from momentum_opt.errors import DataError, UsageError, listing
from momentum_opt.fingerprint import Fingerprint, OptionSetting, check_bar
from momentum_opt.fingerprint.build import build_config
from momentum_opt.fingerprint.fields import FEWEST_TOKENS, MOST_TOKENS
from momentum_opt.fingerprint.new_config import commented_config
from momentum_opt.fingerprint.overrides import lay_over
from momentum_opt.fingerprint.periods import validation_days
from momentum_opt.fingerprint.sections import Objective, Pool
from momentum_opt.fingerprint.sections import Window as WindowSection
from momentum_opt.fingerprint.source import Source
from momentum_opt.market.load import survey_market
from momentum_opt.market.newest import Coverage, covered_days
from momentum_opt.market.price_file import check_folder, tokens_in
from momentum_opt.units import counted
from momentum_opt.vocabulary.metrics import fewest_days

HISTORY_SHARE: Final = 4
"""One day in so many goes before the start, where that is less than the default of max_memory_days."""

TEST_SHARE: Final = 5
"""One day in so many of the others is tested on."""

SHORT_MEMORY: Final = 30.0
"""Days that max_memory_days has at least, however little history there is."""


@dataclass(frozen=True)
class NewConfig:
    """A configuration file's text, and one line for each thing that was chosen."""

    text: str
    notes: tuple[str, ...]


def new_config(
    root: Path, tokens: Sequence[str] | None = None, window: Sequence[date] | None = None, *, file: Path | None = None
) -> NewConfig:
    """A commented configuration that a run on the price files of `root` can use.

    Args:
        root: folder of `<TOKEN>_USD.parquet` files.
        tokens: 2 to 8; None takes all of the folder.
        window: start, end, and where there is a test its end; None chooses them from the days that all files cover: a
            quarter of them, at most the default of max_memory_days, as history, then four fifths and a test.
        file: where the text will be; a relative `root` is then written relative to its folder.

    Raises:
        UsageError: tokens or a window that no configuration could have.
        DataError: the folder or a file cannot be used, or does not cover the window.
    """
    with telling_options(settings=False):
        check_folder(root)
    names = _chosen_tokens(root) if tokens is None else _counted_tokens(list(tokens))
    covered = covered_days(root, names)
    days = _chosen_days(root, covered) if window is None else _inside(window, covered, names)
    fingerprint = _fingerprint(_written(root, file), names, days, covered, given=window is not None)
    check_bar(fingerprint, covered.bar_minutes)
    _check_prices(root, fingerprint)
    suggested = None if len(days) > 2 or (covered.end - days[1]).days < fewest_days(_METRIC) else str(covered.end)
    text = commented_config(fingerprint, _head(fingerprint, covered, file), test_end=suggested)
    return NewConfig(text, tuple(_notes(fingerprint, covered, chosen=window is None)))


_METRIC: Final[str] = Objective.model_fields["metric"].default
_VALIDATION: Final[float] = WindowSection.model_fields["validation_fraction"].default
_MEMORY: Final[float] = Pool.model_fields["max_memory_days"].default


def _chosen_tokens(root: Path) -> list[str]:
    there = sorted(tokens_in(root))
    if len(there) < FEWEST_TOKENS:
        raise UsageError(f"{root}: prices of {there[0]} alone, and a pool holds {_RANGE}; import another token")
    if len(there) > MOST_TOKENS:
        raise UsageError(
            f"{root}: prices of {len(there):,} tokens ({listing(there)}), and a pool holds {_RANGE}; choose some with "
            "--tokens A,B"
        )
    return there


_RANGE: Final = f"{FEWEST_TOKENS} to {MOST_TOKENS}"


def _counted_tokens(tokens: list[str]) -> list[str]:
    if not FEWEST_TOKENS <= len(tokens) <= MOST_TOKENS:
        raise UsageError(f"--tokens {','.join(tokens)}: {counted(len(tokens), 'token')} given; list {_RANGE}")
    return sorted(tokens)


def _chosen_days(root: Path, covered: Coverage) -> list[date]:
    """Start, end and end of the test."""
    history = min(math.ceil(_MEMORY), covered.days // HISTORY_SHARE)
    test = round((covered.days - history) / TEST_SHARE)
    tuned = covered.days - history - test
    validation = validation_days(tuned, _VALIDATION)
    if min(test, validation, tuned - validation) < fewest_days(_METRIC):
        raise DataError(
            f"{root}: {counted(covered.days, 'whole day')} that all files cover, too few to choose a window from; "
            "import more, or give --window START:END"
        )
    start = covered.first + timedelta(days=history)
    return [start, covered.end - timedelta(days=test), covered.end]


def _inside(window: Sequence[date], covered: Coverage, tokens: Sequence[str]) -> list[date]:
    if window[0] < covered.first or max(window) > covered.end:
        raise DataError(
            f"--window {_text(window)}: outside the prices, which {', '.join(tokens)} all have from {covered.first} to "
            f"{covered.end} (exclusive; {covered.begins} begins last, {covered.ends} ends first); choose days in there"
        )
    return list(window)


def _text(days: Sequence[date]) -> str:
    return ":".join(map(str, days))


def _written(root: Path, file: Path | None) -> str:
    """The folder as the configuration names it."""
    if file is None or root.is_absolute():
        return str(root)
    return os.path.relpath(root, file.parent)


def _fingerprint(root: str, tokens: list[str], days: Sequence[date], covered: Coverage, *, given: bool) -> Fingerprint:
    option = f"--window {_text(days)}" if given else "the window chosen"
    history = (days[0] - covered.first).days
    settings = {
        "pool.max_memory_days": (min(_MEMORY, max(history, SHORT_MEMORY)), "max_memory_days chosen"),
        "tokens": (json.dumps(tokens, ensure_ascii=False), f"--tokens {','.join(tokens)}"),
        **{f"window.{key}": (day, option) for key, day in zip(("start", "end", "test_end"), days, strict=False)},
    }
    if covered.bar_minutes > 1:
        settings["costs.arb_frequency"] = (covered.bar_minutes, "the bar of the prices")
    arguments = [OptionSetting(f"{key}={value}", named) for key, (value, named) in settings.items()]
    source = lay_over(Source("new configuration"), arguments)
    source.tree["data"] = {"root": root}
    return Fingerprint(build_config(source.tree, source))


def _check_prices(root: Path, fingerprint: Fingerprint) -> None:
    """Refuse what a run of the configuration would refuse."""
    survey = survey_market(
        root,
        fingerprint.tokens,
        start=fingerprint.window.start,
        end=fingerprint.last_day,
        burn_in_days=math.ceil(fingerprint.pool.max_memory_days),
        max_gap_minutes=fingerprint.data.max_gap_minutes,
    )
    if survey.problems:
        raise DataError(survey.problems)


def _head(fingerprint: Fingerprint, covered: Coverage, file: Path | None) -> str:
    name = "CONFIG" if file is None else str(file)
    return "\n".join(
        (
            f"{', '.join(fingerprint.tokens)}: {_covered(covered)}.",
            f"  momentum-opt config show {name}    every setting, and which engine will run",
            f"  momentum-opt tune {name}",
            "Keys behind a # have the default that their text names; other keys are in the reference of the docs.",
        )
    )


def _covered(covered: Coverage) -> str:
    bars = f"bars of {counted(covered.bar_minutes, 'minute')}"
    return f"{bars}, all tokens from {covered.first} to {covered.end} (exclusive)"


def _notes(fingerprint: Fingerprint, covered: Coverage, *, chosen: bool) -> list[str]:
    window, periods = fingerprint.window, fingerprint.periods
    history = (window.start - covered.first).days
    train, validation = (last - first for first, last in (periods.train, periods.validation))
    test = "no test" if periods.test is None else f"test to {window.test_end}"
    how = "window chosen" if chosen else "window"
    notes = [
        f"tokens {', '.join(fingerprint.tokens)}; {_covered(covered)}",
        f"{how}: {window.start} to {window.end} ({train} days train, {validation} validate), {test}",
        f"max_memory_days {fingerprint.pool.max_memory_days:g}: {counted(history, 'day')} of prices before the start",
    ]
    if periods.test is None:
        notes.append("no test: give --window START:END:TEST_END for one")
    return notes
