"""What `data import` can be told of its sources: formats, units of times, which of two closes. Light: help shows it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TIME, OPEN, HIGH, LOW, CLOSE, VOLUME = "time", "open", "high", "low", "close", "volume"

HEADERLESS: Final[Mapping[str, tuple[int, tuple[str, ...]]]] = MappingProxyType(
    {
        "binance": (12, (TIME, OPEN, HIGH, LOW, CLOSE, VOLUME)),
        "kraken": (7, (TIME, OPEN, HIGH, LOW, CLOSE, VOLUME)),
        "coinbase": (6, (TIME, LOW, HIGH, OPEN, CLOSE, VOLUME)),
        "ohlcv": (6, (TIME, OPEN, HIGH, LOW, CLOSE, VOLUME)),
    }
)
"""Formats of text files without a header: how many columns there are, and the first of them from the left."""

TEXT_FORMATS: Final = (*HEADERLESS, "cryptodatadownload")
"""Names that a user may give; files of columns under other names are read with `Columns`."""

TIME_UNITS: Final = ("s", "ms", "us", "ns", "iso")
"""Units of numbers, or ISO 8601 text."""

PREFERENCES: Final = ("first", "last")
"""Which of two differing closes of the same time is kept: that of the source given earlier, or later."""
