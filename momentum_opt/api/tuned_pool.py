"""Read the pool of a params file, for the commands that use newer prices than the recorded ones."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from momentum_opt.api.backtesting import fingerprint_of
from momentum_opt.api.prices import NO_FOLDER, telling_options
from momentum_opt.errors import ConfigError, DataError, UsageError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.market import Market, NewestBar, load_market, newest_bar
from momentum_opt.market.wording import age, utc
from momentum_opt.onchain.live import start_ms
from momentum_opt.results.best import read_params_file, recorded_result
from momentum_opt.results.parameters import parse_params, quiet_effects
from momentum_opt.results.run_folder import result_file
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.space import start_params
from momentum_opt.units import MS_PER_MINUTE, counted


@dataclass(frozen=True, eq=False)
class TunedPool:
    """A pool with its parameters and where its prices are; their hashes are not compared (SPEC §15).

    Attributes:
        source: the file it came from.
        document: its content.
        fingerprint: its settings.
        params: its parameters.
        root: folder of the price files.
        burn_in_days: days of history before the start.
        settings: whether the command that asks has `--set`, for messages.
    """

    source: Path
    document: Mapping[str, Any]
    fingerprint: Fingerprint
    params: ParamSet
    root: Path
    burn_in_days: int
    settings: bool = False

    @property
    def chunk_ms(self) -> int:
        """P in milliseconds."""
        return self.fingerprint.pool.chunk_period * MS_PER_MINUTE

    def tell(self, on_note: Callable[[str], None]) -> None:
        """Tell what the parameters say and the pool does not do, a line each."""
        for line in quiet_effects(self.params, self.fingerprint):
            on_note(line)

    def newest(self) -> NewestBar:
        """The last bar that all price files have.

        Raises:
            ConfigError: the pool's periods are no multiples of the bar.
            DataError: the prices cannot be used.
        """
        with telling_options(settings=self.settings):
            newest = newest_bar(self.root, self.fingerprint.tokens)
        if self.fingerprint.pool.chunk_period % newest.bar_minutes:
            raise ConfigError(
                [
                    f"pool.chunk_period: {self.fingerprint.pool.chunk_period} minutes are no multiple of the prices' "
                    f"bar of {newest.bar_minutes}; give finer prices with --data"
                ]
            )
        return newest

    def prices(self, start: date, end_ms: int, burn_in_days: int) -> Market:
        """Prices from `burn_in_days` before `start` to before `end_ms`.

        Raises:
            DataError: they cannot be used.
        """
        end = datetime.fromtimestamp(end_ms / 1000, UTC)
        gap = self.fingerprint.data.max_gap_minutes
        tokens = self.fingerprint.tokens
        with telling_options(settings=self.settings):
            return load_market(self.root, tokens, start=start, end=end, burn_in_days=burn_in_days, max_gap_minutes=gap)

    def history_to(self, bar: NewestBar) -> Market:
        """Prices from the first that the simulation read up to `bar`.

        Raises:
            DataError: they cannot be used, or end before the simulation began.
        """
        if bar.time_ms < start_ms(self.fingerprint):
            raise DataError(
                f"{self.root}: prices end {utc(bar.time_ms)}, before the pool starts on "
                f"{self.fingerprint.window.start}; give newer ones with --data"
            )
        return self.prices(self.fingerprint.window.start, bar.end_ms, self.burn_in_days)


def tuned_pool(
    params_file: Path, *, config: Path | None = None, overrides: Sequence[str] = (), data: Path | None = None
) -> TunedPool:
    """Read a best.json, or any `params` with a configuration.

    Args:
        params_file: best.json, the folder of its run, or a document with `params`.
        config: configuration; None takes the fingerprint in the params file.
        overrides: `a.b=value` on top of it.
        data: folder of price files; None looks where best.json or the configuration says.

    Raises:
        ParamsError: the file has no usable params, or names no fingerprint and no `config` is given.
        DataError: no folder of prices is known.
    """
    params_file = result_file(params_file)
    document = read_params_file(params_file)
    fingerprint = fingerprint_of(document, params_file, config, overrides)
    recorded = recorded_result(document, params_file) if config is None else None
    params = parse_params(document["params"], start_params(fingerprint), fingerprint, str(params_file))
    root = data or (recorded.root if recorded and not overrides else None) or fingerprint.data.root
    root = root or (recorded.root if recorded else None)
    if root is None:
        raise DataError(NO_FOLDER)
    burn_in = recorded.burn_in_days if recorded else math.ceil(fingerprint.pool.max_memory_days)
    return TunedPool(params_file, document, fingerprint, params, root, burn_in)


def newest_note(newest: NewestBar, chunk_ms: int) -> str:
    """The time and age of the newest price, and how many updates have been due since."""
    since = max(0, round(time.time() * 1000) - newest.time_ms)
    missed = since // chunk_ms
    due = f"; {counted(missed, 'update')} due since then: give newer prices with --data" if missed else ""
    return f"newest price {utc(newest.time_ms)}, {age(since)} old{due}"


def moment(text: str, option: str) -> datetime:
    """A date (its midnight) or a time of a date, UTC where it names no zone.

    Raises:
        UsageError: it is neither.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option}: {text!r} is no date; write 2024-06-25 or 2024-06-25T12:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
