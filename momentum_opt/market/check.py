"""A folder of price files in, a description of each and what a run on them would say out (SPEC §2, `data check`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from momentum_opt.market.audit import FileAudit, audit_file
from momentum_opt.market.load import Survey, survey_market
from momentum_opt.market.price_file import check_folder as check_price_folder
from momentum_opt.market.price_file import tokens_in
from momentum_opt.market.wording import day, next_midnight
from momentum_opt.units import MS_PER_DAY, MS_PER_MINUTE

Days = tuple[date, date]
"""First day and the day after the last one, UTC."""


@dataclass(frozen=True, slots=True)
class FolderCheck:
    """What `data check` found.

    Attributes:
        files: one per token, in alphabetical order, broken ones included.
        common: the days that all readable files cover; None where there are none.
        window: the days that were tried, those asked for or the common ones; None where there were none to try.
        survey: what a run of that window would use or say.
        problems: why a run would be refused, one line each; empty where it would go ahead.
    """

    files: tuple[FileAudit, ...]
    common: Days | None
    window: Days | None
    survey: Survey | None
    problems: tuple[str, ...]


def check_folder(
    root: Path,
    tokens: Sequence[str] | None = None,
    *,
    window: Days | None = None,
    burn_in_days: int = 365,
    max_gap_minutes: int = 1440,
    on_file: Callable[[int, int, str], None] = lambda *_: None,
) -> FolderCheck:
    """Describe every file, and try the window as a run would.

    Args:
        root: folder of `<TOKEN>_USD.parquet` files.
        tokens: those to look at; None takes all of the folder.
        window: days to try; None takes the days that all readable files cover.
        burn_in_days: history before the window that a run would ask for.
        max_gap_minutes: longest gap that may be filled.
        on_file: called before each file with its number, how many there are, and the token.

    Raises:
        UsageError, MissingFileError: tokens or window that make no sense, no such folder, or no price files in it.
    """
    names = sorted(tokens or _tokens_in(root))
    files: list[FileAudit] = []
    for number, token in enumerate(names, start=1):
        on_file(number, len(names), token)
        files.append(audit_file(root, token))
    common = _common_days(files)
    tried = window or common
    if tried is None:
        return FolderCheck(tuple(files), None, None, None, _no_common_days(root, files))
    asked = {"burn_in_days": burn_in_days, "max_gap_minutes": max_gap_minutes}
    survey = survey_market(root, names, start=tried[0], end=tried[1], **asked)
    return FolderCheck(tuple(files), common, tried, survey, survey.problems)


def _tokens_in(root: Path) -> list[str]:
    check_price_folder(root)
    return sorted(tokens_in(root))


def _common_days(files: Sequence[FileAudit]) -> Days | None:
    stats = [file.stats for file in files if file.stats is not None]
    if not stats:
        return None
    first = max(next_midnight(one.first_ms) for one in stats)
    end = min((one.last_ms + (one.bar_minutes or 1) * MS_PER_MINUTE) // MS_PER_DAY * MS_PER_DAY for one in stats)
    return (_date(first), _date(end)) if first < end else None


def _date(ms: int) -> date:
    return date(1970, 1, 1) + timedelta(days=ms // MS_PER_DAY)


def _no_common_days(root: Path, files: Sequence[FileAudit]) -> tuple[str, ...]:
    readable = [(file.path, file.stats) for file in files if file.stats is not None]
    broken = tuple(line for file in files for line in file.problems)
    if not readable:
        return broken
    latest, starts = max(readable, key=lambda one: one[1].first_ms)
    earliest, ends = min(readable, key=lambda one: one[1].last_ms)
    return (
        *broken,
        f"{root}: no whole day that all files cover: {latest} begins on {day(starts.first_ms)}, {earliest} ends on "
        f"{day(ends.last_ms)}; choose among them with --tokens, or import more",
    )
