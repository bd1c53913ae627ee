"""Price data as exchanges and archives write them, made from one series of bars, for the tests of the importers.

The layouts follow the publishers' own descriptions: Binance's public data repository, Coinbase's candles, Kraken's
OHLCVT archive, CryptoDataDownload's files and freqtrade's data folder. The prices are invented.
"""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather

MINUTE_MS = 60_000
FIRST_MS = 1_704_067_200_000  # 2024-01-01 UTC


@dataclass(frozen=True)
class Bars:
    """Bars with all four prices."""

    unix: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray

    def rows(self) -> Iterator[tuple[int, str, str, str, str, str]]:
        """Times in ms and prices as text with two decimals, as exchanges print them."""
        columns = (self.open, self.high, self.low, self.close, self.volume)
        for time, *prices in zip(self.unix.tolist(), *(column.tolist() for column in columns), strict=True):
            yield (time, *(f"{price:.2f}" for price in prices))

    def part(self, which: slice) -> "Bars":
        return Bars(*(column[which] for column in (self.unix, self.open, self.high, self.low, self.close, self.volume)))


def bars(count: int = 200, *, bar_minutes: int = 1, first_ms: int = FIRST_MS, seed: int = 0) -> Bars:
    """A random walk in cents, in which high and low enclose open and close."""
    rng = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(rng.normal(0, 1e-3, count))), 2)
    start = np.concatenate([[100.0], close[:-1]])
    spread = np.round(rng.uniform(0.01, 0.5, (2, count)), 2)
    unix = first_ms + bar_minutes * MINUTE_MS * np.arange(count, dtype=np.int64)
    high, low = np.maximum(start, close) + spread[0], np.minimum(start, close) - spread[1]
    return Bars(unix, start, np.round(high, 2), np.round(low, 2), close, np.round(rng.uniform(0, 9, count), 2))


def iso(ms: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime(form)


BINANCE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)


def binance(data: Bars, *, per_ms: int = 1, header: bool = False, bar_ms: int = MINUTE_MS) -> str:
    lines = [BINANCE_HEADER] if header else []
    for time, *prices in data.rows():
        close_time = (time + bar_ms) * per_ms - 1
        lines.append(f"{time * per_ms},{','.join(prices)},{close_time},1234.5,17,2.5,300.25,0")
    return "\n".join(lines) + "\n"


def coinbase(data: Bars, *, header: bool = True, as_iso: bool = False) -> str:
    lines = ["time,low,high,open,close,volume"] if header else []
    for time, start, high, low, close, volume in data.rows():
        when = iso(time, "%Y-%m-%dT%H:%M:%SZ") if as_iso else str(time // 1000)
        lines.append(f"{when},{low},{high},{start},{close},{volume}")
    return "\n".join(lines) + "\n"


def kraken(data: Bars) -> str:
    return "".join(f"{time // 1000},{','.join(prices)},12\n" for time, *prices in data.rows())


def cryptodatadownload(data: Bars, *, milliseconds: bool = False) -> str:
    lines = ["https://www.CryptoDataDownload.com", "unix,date,symbol,open,high,low,close,Volume BTC,Volume USD"]
    for time, *prices in reversed(list(data.rows())):
        unix = time if milliseconds else time // 1000
        lines.append(f"{unix},{iso(time)},BTC/USD,{','.join(prices)},99.5")
    return "\n".join(lines) + "\n"


def semicolons(data: Bars) -> str:
    lines = ["When;Last;Note"]
    lines += [f"{iso(time, '%Y-%m-%dT%H:%M:%S+02:00')};{close};x" for time, *_, close, _ in data.rows()]
    return "\n".join(lines) + "\n"


TEXTS: dict[str, Callable[[Bars], str]] = {
    "binance": binance,
    "binance with a header": lambda data: binance(data, header=True),
    "binance in microseconds": lambda data: binance(data, per_ms=1000),
    "coinbase": coinbase,
    "coinbase without a header": lambda data: coinbase(data, header=False),
    "coinbase in ISO 8601": lambda data: coinbase(data, as_iso=True),
    "kraken": kraken,
    "cryptodatadownload": cryptodatadownload,
    "cryptodatadownload in milliseconds": lambda data: cryptodatadownload(data, milliseconds=True),
}


def frame(data: Bars, zone: str | None = "UTC") -> pd.DataFrame:
    """OHLCV as freqtrade keeps it: a column `date` of timestamps."""
    columns = {"open": data.open, "high": data.high, "low": data.low, "close": data.close, "volume": data.volume}
    return pd.DataFrame({"date": pd.to_datetime(data.unix, unit="ms", utc=True).tz_convert(zone), **columns})


def tables(data: Bars, folder: Path) -> dict[str, Path]:
    """Parquet and feather files as pandas and freqtrade write them."""
    paths = {
        name: folder / f"{name.replace(' ', '_')}.{'feather' if 'feather' in name else 'parquet'}"
        for name in (
            "feather of freqtrade", "parquet with a date column", "parquet with a named index",
            "parquet with an unnamed index", "parquet in New York time", "parquet of ours",
        )
    }  # fmt: skip
    plain = frame(data)
    feather.write_feather(plain, str(paths["feather of freqtrade"]), compression="lz4")
    plain.to_parquet(paths["parquet with a date column"])
    plain.set_index("date").to_parquet(paths["parquet with a named index"])
    plain.set_index("date").rename_axis(None).to_parquet(paths["parquet with an unnamed index"])
    frame(data, "America/New_York").set_index("date").to_parquet(paths["parquet in New York time"])
    pa.parquet.write_table(pa.table({"unix": data.unix, "close": data.close}), paths["parquet of ours"])
    return paths


def write_zip(path: Path, **members: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path
