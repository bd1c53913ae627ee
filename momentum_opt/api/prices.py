"""A fingerprint in, its prices out."""

import math

from momentum_opt.errors import DataError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market, load_market, with_external
from momentum_opt.paths import AnyPath


def market_of(fingerprint: Fingerprint, *, root: AnyPath | None = None, burn_in_days: int | None = None) -> Market:
    """Load the prices of a fingerprint, with as much history as its memory asks for, and the files of its costs.

    Args:
        fingerprint: tokens, window and gap limit.
        root: folder of the price files; None takes `data.root`.
        burn_in_days: days of history; None takes max_memory_days, rounded up.

    Raises:
        DataError: the prices or a file of costs cannot be used, or no folder is known.
    """
    folder = root or fingerprint.data.root
    if folder is None:
        raise DataError("data.root: no folder of price files is named; set data.root, or give --data")
    market = load_market(
        folder,
        fingerprint.tokens,
        start=fingerprint.window.start,
        end=fingerprint.last_day,
        burn_in_days=math.ceil(fingerprint.pool.max_memory_days) if burn_in_days is None else burn_in_days,
        max_gap_minutes=fingerprint.data.max_gap_minutes,
    )
    return with_external(market, fingerprint.costs.files)
