"""Names of source files in; the pair that they name, or a refusal where they name two, out."""

import re
from collections.abc import Sequence

from momentum_opt.errors import DataError
from momentum_opt.market.identity import bases, fits

# How archives name their files: BTCUSDT-1m-2021-03.zip (Binance), XBTUSD_1.csv (Kraken), ETH_USDT-1m.feather,
# ETH_USDT-1h.json.gz, ETH_USDT_USDT-1h-futures.feather (freqtrade), Binance_BTCUSDT_2021_minute.csv
# (CryptoDataDownload).
_ENDING = r"(\.\w+){1,2}"
_PATTERNS = tuple(
    re.compile(pattern + _ENDING)
    for pattern in (
        r"(?P<pair>[A-Z0-9]+)-\d+[smhd]-\d{4}(-\d\d)*",
        r"(?P<pair>[A-Z0-9]+)_\d+",
        r"(?P<pair>[A-Z0-9]+(_[A-Z0-9]+){1,2})-\d+[mhdwM](-(futures|mark|spot))?",
        r"[A-Za-z]+_(?P<pair>[A-Z0-9]+)_(\d{4}_)?(minute|1h|d)",
    )
)


def pair_of(name: str) -> str | None:
    """The pair that a file's name holds; None where it holds none that is known."""
    plain = name.rsplit("/", 1)[-1]
    match = next((found for pattern in _PATTERNS if (found := pattern.fullmatch(plain))), None)
    return match["pair"] if match is not None and not match["pair"].isdecimal() else None


def check_one_pair(names: Sequence[str]) -> str | None:
    """The pair that the names of sources hold; None where they hold none.

    Raises:
        DataError: two of the names name two pairs, which would be mixed into one token.
    """
    first: dict[str, str] = {}
    for name in names:
        if (pair := pair_of(name)) is not None:
            first.setdefault(pair, name)
    if len(first) > 1:
        (one, file), (other, other_file) = list(first.items())[:2]
        raise DataError(
            f"sources of two pairs, {one} ({file}) and {other} ({other_file}); give those of one token only"
        )
    return next(iter(first), None)


def token_of(pair: str) -> str:
    """The token that a pair is the price of."""
    return bases(pair)[0]


def is_other(pair: str, token: str) -> bool:
    """Whether a pair that a file's name holds is surely not one of the token."""
    return bases(pair) != [pair] and not fits(pair, token)
