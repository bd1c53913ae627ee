"""Names of source files in; nothing, or a refusal where they name two pairs out."""

import re
from collections.abc import Sequence

from momentum_opt.errors import DataError

# How archives name their files: BTCUSDT-1m-2021-03.zip (Binance), XBTUSD_1.csv (Kraken), ETH_USDT-1m.feather
# (freqtrade), Binance_BTCUSDT_2021_minute.csv (CryptoDataDownload).
_PATTERNS = (
    re.compile(r"(?P<pair>[A-Z0-9]+)-\d+[smhd]-\d{4}(-\d\d)*\.\w+"),
    re.compile(r"(?P<pair>[A-Z0-9]+)_\d+\.csv"),
    re.compile(r"(?P<pair>[A-Z0-9]+_[A-Z0-9]+)-\d+[mhd]\.\w+"),
    re.compile(r"[A-Za-z]+_(?P<pair>[A-Z0-9]+)_(\d{4}_)?(minute|1h|d)\.csv"),
)


def check_one_pair(names: Sequence[str]) -> None:
    """Refuse sources whose names say that they are of different pairs: they would be mixed into one token.

    Raises:
        DataError: two of the names name two pairs.
    """
    first: dict[str, str] = {}
    for name in names:
        plain = name.rsplit("/", 1)[-1]
        match = next((found for pattern in _PATTERNS if (found := pattern.fullmatch(plain))), None)
        if match is not None:
            first.setdefault(match["pair"], name)
    if len(first) > 1:
        (one, file), (other, other_file) = list(first.items())[:2]
        raise DataError(
            f"sources of two pairs, {one} ({file}) and {other} ({other_file}); give those of one token only"
        )
