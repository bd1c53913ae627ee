"""A small sound site (prices, configuration, best.json, run folder, exports of an exchange), to be damaged by tests."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pyarrow as pa
import pyarrow.parquet as pq
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import create_trial

from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.results.files import to_json
from momentum_opt.results.run_folder import open_run_folder, prices_record
from tests.market.importing.sources import Bars, bars, kraken

HOUR_MS = 3_600_000
FIRST_MS = 1_672_531_200_000  # 2023-01-01 UTC
TOKENS = ("AAA", "BBB", "CCC")
CONFIG = """\
data:
  root: prices
tokens: [AAA, BBB, CCC]
window:
  start: 2023-01-04
  end: 2023-01-17
  validation_fraction: 0.3
pool:
  max_memory_days: 2
evidence:
  random_baselines: 32
  plateau_draws: 2
  heat_map: 3
search:
  n_trials: 8
  batch_size: 8
  sampler: nsga2
"""
PARAMS = {"log_k": dict.fromkeys(TOKENS, 4.0), "logit_lamb": dict.fromkeys(TOKENS, 1.0),
          "initial_weights_logits": dict.fromkeys(TOKENS, 1.0)}  # fmt: skip


@dataclass(frozen=True)
class Site:
    """The files of a user, all sound."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def best(self) -> Path:
        return self.folder / "best.json"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def journal(self) -> Path:
        return self.run / "study.journal"

    @property
    def export(self) -> Path:
        return self.folder / "XBTUSD_60.csv"

    def prices(self, token: str = "AAA") -> Path:
        return self.folder / "prices" / f"{token}_USD.parquet"


def build(folder: Path) -> Site:
    """Write a sound site into an empty folder; hourly prices, because they are small."""
    site = Site(folder)
    (folder / "prices").mkdir()
    unix = FIRST_MS + HOUR_MS * np.arange(20 * 24, dtype=np.int64)
    for seed, token in enumerate(TOKENS):
        close = 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 1e-2, len(unix))))
        pq.write_table(pa.table({"unix": unix, "close": close}), site.prices(token))
    site.config.write_text(CONFIG)
    site.export.write_text(kraken(export_bars()))
    fingerprint = load_fingerprint(site.config)
    market = market_of(fingerprint)
    document = {"params": PARAMS, "fingerprint": fingerprint.to_dict(), "digest": fingerprint.digest,
                "data": prices_record(market), "objective": {"metric": "daily_log_sharpe", "value": 1.0}}  # fmt: skip
    site.best.write_text(to_json(document))
    open_run_folder(site.run, CONFIG, fingerprint, market)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(site.journal)))
    study = optuna.create_study(storage=storage, study_name="run", direction="maximize")
    study.add_trials([create_trial(value=float(number)) for number in range(4)])
    (site.run / "run.lock").touch()
    return site


def export_bars() -> Bars:
    """The bars of the exchange's export, from the end of the price files on."""
    return bars(50, bar_minutes=60, first_ms=FIRST_MS + 20 * 24 * HOUR_MS)


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file with its content."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


# How to damage a file; each takes its path.

Damage = Callable[[Path], None]


def written(content: bytes | str) -> Damage:
    """Other content altogether."""
    return lambda path: path.write_bytes(content if isinstance(content, bytes) else content.encode()) and None


def replaced(old: str, new: str) -> Damage:
    """A piece of the text replaced."""

    def damage(path: Path) -> None:
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return damage


def renamed_in_latin_1(path: Path) -> None:
    """A parquet file whose column `close` has a name that is not UTF-8, which its format forbids."""
    content = path.read_bytes()
    assert b"close" in content
    path.write_bytes(content.replace(b"close", b"clos\xe9"))


def cut(share: float) -> Damage:
    """The first part of the file only."""
    return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)]) and None


def removed(path: Path) -> None:
    """The file is gone."""
    path.unlink()


def table(change: Callable[[dict[str, np.ndarray]], Any]) -> Damage:
    """A parquet file with its columns changed; `change` works on the arrays in place or returns other columns."""

    def damage(path: Path) -> None:
        before = pq.read_table(path)
        columns = {name: before.column(name).to_numpy().copy() for name in ("unix", "close")}
        found = change(columns)
        pq.write_table(pa.table(columns if found is None else found), path)

    return damage


def put(column: str, at: int | slice, value: Any) -> Damage:
    """One value of a parquet file replaced."""
    return table(lambda columns: columns[column].__setitem__(at, value))


def document(change: Callable[[dict[str, Any]], Any]) -> Damage:
    """A JSON file with its document changed in place."""

    def damage(path: Path) -> None:
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return damage


def line(number: int, text: str) -> Damage:
    """A line (from 1) replaced."""

    def damage(path: Path) -> None:
        lines = path.read_text().splitlines()
        lines[number - 1] = text
        path.write_text("\n".join(lines) + "\n")

    return damage
