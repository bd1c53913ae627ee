"""The folder of a walk-forward (SPEC §13): where its files are, whether one may go on in it, and its table of days."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from momentum_opt.errors import RunFolderError
from momentum_opt.evidence.walk_forward import CURVES, FoldDays
from momentum_opt.fingerprint import Fingerprint, recordable, recordable_text
from momentum_opt.paths import exists
from momentum_opt.results.files import read_json, write_json, write_whole
from momentum_opt.results.parquet import read_parquet

FOLD_REMADE: Final = "delete it and give the walk-forward's command again: the fold is evaluated anew"


@dataclass(frozen=True)
class WalkForwardFolder:
    """The files of one walk-forward; every fold has a run folder of its own in it."""

    path: Path

    @property
    def config(self) -> Path:
        """The configuration as given."""
        return self.path / "config.yaml"

    @property
    def identity(self) -> Path:
        """The fingerprint and the folds, which mark the folder as this walk-forward's."""
        return self.path / "fingerprint.json"

    @property
    def summary(self) -> Path:
        """What was found, fold by fold and joined."""
        return self.path / "walk_forward.json"

    @property
    def days(self) -> Path:
        """The joined out-of-sample days."""
        return self.path / "walk_forward.parquet"

    @property
    def test_looks(self) -> Path:
        """One line per look at a fold's test."""
        return self.path / "test_looks.jsonl"

    @property
    def log(self) -> Path:
        """What happened when."""
        return self.path / "log.txt"

    def fold(self, name: str) -> Path:
        """The run folder of a fold."""
        return self.path / name


def default_walk_forward(config: Path, fingerprint: Fingerprint) -> Path:
    """`runs/<stem of the configuration>-walk-forward-<eight digits over the digest and the folds>`."""
    text = json.dumps([fingerprint.digest, _folds(fingerprint)], sort_keys=True)
    return Path("runs") / f"{config.stem}-walk-forward-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def open_walk_forward(path: Path, config_text: str, fingerprint: Fingerprint) -> WalkForwardFolder:
    """Make the folder of a new walk-forward, or check that the one in it is this one; folds check their own prices.

    Raises:
        RunFolderError: the folder holds something else, another configuration or other folds.
    """
    folder = WalkForwardFolder(path)
    identity = {"digest": fingerprint.digest, "walk_forward": _folds(fingerprint)}
    if exists(folder.identity):
        recorded = read_json(
            folder.identity, "a walk-forward's fingerprint.json", "give another --run-dir, or restore the file"
        )
        if any(recorded.get(key) != value for key, value in identity.items()):
            raise RunFolderError(f"{path}: holds a run of another configuration or other folds; give another --run-dir")
        return folder
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunFolderError(f"{path}: not an empty folder and not a walk-forward; give another --run-dir")
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_whole(folder.config, recordable_text(config_text).encode())
        # Last: it marks the folder as a walk-forward.
        write_json(folder.identity, {**identity, "fingerprint": recordable(fingerprint.to_dict())})
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be written ({error.strerror}); give another --run-dir") from error
    return folder


def days_table(days: FoldDays, first_value: float) -> pd.DataFrame:
    """One row per out-of-sample day: `time` (its start, UTC), `fold`, and of pool and baselines log return and value.

    The value is that at the day's end; all start with `first_value` in the numeraire.
    """
    table: dict[str, object] = {"time": pd.to_datetime(days.time_ms, unit="ms", utc=True), "fold": days.fold}
    for name in CURVES:
        prefix = "" if name == CURVES[0] else f"{name}_"
        table[f"{prefix}log_return"] = days.returns[name]
        table[f"{prefix}value"] = first_value * np.exp(np.cumsum(days.returns[name]))
    return pd.DataFrame(table)


def read_joined(path: Path) -> pd.DataFrame:
    """A table that `days_table` made.

    Raises:
        RunFolderError: it is damaged.
    """
    columns = [f"{'' if name == CURVES[0] else f'{name}_'}log_return" for name in CURVES]
    table = read_parquet(path, FOLD_REMADE, numbers=("fold", *columns))
    if "time" not in table or not pd.api.types.is_datetime64_any_dtype(table["time"]):
        raise RunFolderError(f"{path}: has no times; {FOLD_REMADE}")
    return table


def read_days(path: Path) -> FoldDays:
    """The days of a table that `days_table` made.

    Raises:
        RunFolderError: it is damaged.
    """
    table = read_joined(path)
    return FoldDays(
        time_ms=table["time"].to_numpy("datetime64[ms]").astype(np.int64),
        fold=table["fold"].to_numpy(np.int64),
        returns={
            name: table[f"{'' if name == CURVES[0] else f'{name}_'}log_return"].to_numpy(np.float64) for name in CURVES
        },
    )


def _folds(fingerprint: Fingerprint) -> dict[str, int | bool]:
    asked = fingerprint.walk_forward
    return {} if asked is None else asked.model_dump()
