"""Read columns that say whose prices a row holds, so that those of another coin are not imported without a word."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from momentum_opt.errors import DataError

NAMES_TOKEN: Final = frozenset({
    "symbol", "symbols", "sym", "pair", "pairs", "ticker", "tickers", "tic", "asset", "assets", "base", "market",
    "markets", "instrument", "coin", "coins", "token", "currency", "crypto", "cryptocurrency", "security", "contract",
    "product", "name", "slug",
})  # fmt: skip
"""Words of a column's name, or with one of `_ENDINGS` behind them, that say which token a row is of."""

NAMES_OTHER: Final = frozenset({
    "quote", "quote_asset", "quote_currency", "quote_symbol", "counter_currency", "exchange", "exchange_name",
    "exchange_id", "venue", "interval", "timeframe", "time_frame", "granularity", "resolution", "frequency",
})  # fmt: skip
"""Columns that say in what, where, or over how long a row is a price."""

_ENDINGS: Final = ("", "_name", "_id", "_symbol", "_code", "_ticker", "_pair", "_asset", "_currency", "_coin", "_token")
_BEGINNINGS: Final = ("base_", "trading_", "currency_", "coin_", "crypto_", "market_", "asset_", "inst_")
_MORE: Final = frozenset({"instid", "inst_id", "productid", "coinid", "symbolid", "s"})

_QUOTES: Final = (
    "USD", "USDT", "USDC", "BUSD", "FDUSD", "TUSD", "USDP", "USDD", "USDE", "DAI", "UST", "EUR", "GBP", "JPY", "AUD",
    "CAD", "CHF", "KRW", "TRY", "BRL", "BTC", "XBT", "ETH", "BNB", "PERP", "SWAP",
)  # fmt: skip
_ALIASES: Final[Mapping[str, str]] = MappingProxyType({"XBT": "BTC", "XDG": "DOGE"})
_MOST_VALUES: Final = 10_000


def plain(field: str) -> str:
    """A name of a header in lower case, with _ for blanks and without quotes and angle brackets."""
    return "_".join(field.strip().strip('"<>').lower().replace("_", " ").split())


def is_identity(column: str) -> bool:
    """Whether a column, by its name in lower case with _ for blanks, tells rows of different prices apart."""
    return column in NAMES_OTHER or names_token(column)


def names_token(column: str) -> bool:
    """Whether a column says which token a row is of."""
    if column in NAMES_TOKEN or column in _MORE:
        return True
    ends = any(column.removesuffix(ending) in NAMES_TOKEN for ending in _ENDINGS if column.endswith(ending))
    return ends or any(column.removeprefix(start) in NAMES_TOKEN for start in _BEGINNINGS if column.startswith(start))


def bases(symbol: str) -> list[str]:
    """What a symbol may be the price of: BTC of BTCUSDT, BTC/USD, XBTUSD, BINANCE:BTCUSDT; the likeliest first."""
    found: list[str] = []
    for part in symbol.split(":"):
        pieces = [piece for piece in re.split(r"[-/_\s.]+", part) if piece]
        found += [pieces[at] for at, piece in enumerate(pieces[1:]) if piece.upper() in _QUOTES]
        found += [base for piece in pieces for base in _without_quote(piece)]
    return list(dict.fromkeys(_known_as(base.upper()) for base in found)) or [_known_as(symbol.strip().upper())]


def fits(symbol: str, token: str) -> bool:
    """Whether prices of `symbol` can be those of `token`."""
    wanted, plain = _known_as(token.upper()), symbol.strip().upper()
    found = bases(symbol)
    # Of a symbol of another make it is asked that it begins with the token.
    return wanted in found or plain == wanted or (found == [plain] and plain.startswith(wanted))


def _without_quote(piece: str) -> list[str]:
    """What may stand before the quote currency that a piece ends in, the longest currency first; none where none."""
    if piece[:1] == "t" and piece[1:].isupper():
        piece = piece[1:]  # tBTCUSD, as Bitfinex writes it
    piece = piece.upper()
    quotes = sorted((quote for quote in _QUOTES if piece.endswith(quote) and len(piece) > len(quote)), key=len)
    found = [piece.removesuffix(quote) for quote in reversed(quotes)]
    if len(piece) == 8 and piece[0] == "X" and piece[4] == "Z":
        return [piece[1:4]]  # XETHZUSD, as Kraken writes it
    # USDTUSD ends in TUSD as well as in USD: a name that is known as a token goes first.
    return sorted(found, key=lambda base: base == "USD" or (base not in _QUOTES and base not in _ALIASES))


def _known_as(base: str) -> str:
    return _ALIASES.get(base, base)


@dataclass(frozen=True, slots=True)
class Seen:
    """The values of one identity column: each with the number of the first row that has it."""

    column: str
    first: dict[str, int]

    def add(self, values: Iterable[tuple[str, int]]) -> None:
        """Note values with the rows where a block has them first."""
        for value, row in values:
            if len(self.first) < _MOST_VALUES:
                self.first.setdefault(value, row)


def check_identity(
    name: str, counted_in: str, seen: Sequence[Seen], token: str | None, *, importing: bool = True
) -> tuple[tuple[str, str], ...]:
    """One value per column, and one of those that name a token must fit; the values are what the import says.

    Args:
        name: the source, for messages.
        counted_in: what its rows are counted in.
        seen: the columns that the user did not choose rows by.
        token: that is imported; None where any will do.
        importing: whether `--where` is at hand; else a price file is read.

    Raises:
        DataError: several values, or those of another token.
    """
    for one in seen:
        if len(one.first) > 1:
            example = shell_word(f"{one.column}={next(iter(one.first))}")
            remedy = f"say which with --where {example}" if importing else _anew(example)
            raise DataError(f"{name}: {_several(one, counted_in if importing else None)}; {remedy}")
    single = [(one.column, next(iter(one.first))) for one in seen if one.first]
    naming = [(column, value) for column, value in single if names_token(column)]
    if token is not None and naming and not any(fits(value, token) for _, value in naming):
        column, value = naming[0]
        example = shell_word(f"{column}={value}")
        told = f"give the right --token, or, if these are its prices all the same, --where {example}"
        remedy = told if importing else f"use prices of {token}, or drop the column if these are"
        raise DataError(f"{name}: its {column} is {value!r}, which is not {token}; {remedy}")
    return tuple(single)


def _several(one: Seen, counted_in: str | None) -> str:
    first = list(one.first.items())[:4]
    shown = ", ".join(f"{value!r} ({counted_in} {row})" if counted_in else repr(value) for value, row in first)
    more = f" and {len(one.first) - 4:,} more" if len(one.first) > 4 else ""
    return f"column {one.column} has {len(one.first):,} values: {shown}{more}"


def _anew(example: str) -> str:
    return f"make the price file anew from its source with `data import` and --where {example}"


def check_same_identity(sources: Sequence[tuple[str, Sequence[tuple[str, str]]]], chosen: Iterable[str]) -> None:
    """Sources must not name different prices in a column of the same name, unless the user chose by it.

    Raises:
        DataError: they do.
    """
    left_out = set(chosen)
    first: dict[str, tuple[str, str]] = {}
    for name, values in sources:
        for column, value in values:
            before, there = first.setdefault(column, (value, name))
            if column not in left_out and _plain(before) != _plain(value):
                raise DataError(
                    f"{name}: its {column} is {value!r}, that of {there} is {before!r}; give those of one only, or "
                    "import one after the other"
                )


def _plain(value: str) -> str:
    return re.sub(r"[-/_:\s]+", "", value).upper()


def shell_word(text: str) -> str:
    """The text as one word of a command line."""
    return text if re.fullmatch(r"[\w=./:@%+,-]+", text) else "'" + text.replace("'", "'\\''") + "'"
