"""Load the prices of a fingerprint, or cut those at hand to its days."""

import math
from collections.abc import Generator
from contextlib import contextmanager

from momentum_opt.errors import DataError, MissingFileError, MissingFolderError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market, load_market, with_external
from momentum_opt.market.frame import cut
from momentum_opt.market.load import utc_ms
from momentum_opt.paths import AnyPath

NO_FOLDER = "data.root: no folder of price files is named; set data.root, or give --data FOLDER"
"""What is said where neither a configuration nor a result names one."""


@contextmanager
def telling_options(*, settings: bool = True) -> Generator[None]:
    """Have an error about a folder that has been moved name the options that say where it is now.

    Args:
        settings: whether the command has `--set` beside `--data`.

    Raises:
        MissingFolderError: the one raised inside.
    """
    try:
        yield
    except MissingFolderError as error:
        options = f"--data FOLDER{' or --set data.root=FOLDER' * settings}"
        raise MissingFolderError([f"{problem} with {options}" for problem in error.problems]) from None


def market_of(
    fingerprint: Fingerprint,
    *,
    root: AnyPath | None = None,
    burn_in_days: int | None = None,
    settings: bool = True,
) -> Market:
    """Load the prices of a fingerprint, with as much history as its memory asks for, and the files of its costs.

    Args:
        fingerprint: tokens, window and gap limit.
        root: folder of the price files; None takes `data.root`.
        burn_in_days: days of history; None takes max_memory_days, rounded up.
        settings: whether the command has `--set`, for messages.

    Raises:
        DataError: the prices or a file of costs cannot be used, or no folder is known.
    """
    folder = root or fingerprint.data.root
    if folder is None:
        raise DataError(NO_FOLDER)
    with telling_options(settings=settings):
        market = load_market(
            folder,
            fingerprint.tokens,
            start=fingerprint.window.start,
            end=fingerprint.last_day,
            burn_in_days=math.ceil(fingerprint.pool.max_memory_days) if burn_in_days is None else burn_in_days,
            max_gap_minutes=fingerprint.data.max_gap_minutes,
        )
    try:
        return with_external(market, fingerprint.costs.files)
    except MissingFileError as error:
        option = " with --set costs.NAME=FILE" if settings else ""
        raise MissingFileError([f"{problem}{option}" for problem in error.problems]) from None


def fitting(fingerprint: Fingerprint, market: Market) -> Market:
    """The days of a market that a fingerprint asks for, with at most as much history as its memory does.

    Raises:
        DataError: the market is of other tokens, or does not reach that far.
    """
    if market.tokens != fingerprint.tokens:
        raise DataError(
            f"market: holds {', '.join(market.tokens)}, but the configuration's tokens are "
            f"{', '.join(fingerprint.tokens)}; give prices of exactly these"
        )
    history = math.ceil(fingerprint.pool.max_memory_days)
    days = (utc_ms(fingerprint.window.start), utc_ms(fingerprint.last_day))
    if (market.start_ms, market.end_ms) == days and market.burn_in_days <= history:
        return market
    return cut(market, fingerprint.window.start, fingerprint.last_day, history)
