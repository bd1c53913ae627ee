"""The run folder (SPEC §15): where a study keeps its files, and whether a run may go on in it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from momentum_opt.errors import RunFolderError
from momentum_opt.fingerprint import Fingerprint, fingerprint_differences, recordable
from momentum_opt.market import Market
from momentum_opt.results.files import SCHEMA_VERSION, read_json, write_json, write_whole


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def config(self) -> Path:
        """The configuration as given."""
        return self.path / "config.yaml"

    @property
    def fingerprint(self) -> Path:
        """The resolved fingerprint and the prices it ran on."""
        return self.path / "fingerprint.json"

    @property
    def journal(self) -> Path:
        """The study."""
        return self.path / "study.journal"

    @property
    def lock(self) -> Path:
        """Held while a tune is at work."""
        return self.path / "run.lock"

    @property
    def trials(self) -> Path:
        """One row per finished trial."""
        return self.path / "trials.parquet"

    @property
    def best(self) -> Path:
        """The winner."""
        return self.path / "best.json"

    @property
    def test_looks(self) -> Path:
        """One line per look at a test number."""
        return self.path / "test_looks.jsonl"

    @property
    def log(self) -> Path:
        """What happened when."""
        return self.path / "log.txt"


def default_folder(config: Path, fingerprint: Fingerprint) -> Path:
    """`runs/<stem of the configuration>-<first eight digits of the digest>`."""
    return Path("runs") / f"{config.stem}-{fingerprint.digest[:8]}"


def open_run_folder(path: Path, config_text: str, fingerprint: Fingerprint, market: Market) -> RunFolder:
    """Create the folder of a new run, or check that the run in it is this one.

    Raises:
        RunFolderError: the folder holds something else, another fingerprint (keys old → new), or other prices.
    """
    folder = RunFolder(path)
    identity = run_identity(fingerprint, market)
    if folder.fingerprint.exists():
        recorded = read_json(folder.fingerprint, "a run folder's fingerprint.json")
        check_same_run(str(path), recorded, identity, "give another --run-dir")
        return folder
    if path.exists() and not path.is_dir():
        raise RunFolderError(f"{path}: a file, not a folder; give another --run-dir")
    if path.exists() and any(path.iterdir()):
        raise RunFolderError(f"{path}: not empty and not a run folder; give another --run-dir")
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_whole(folder.config, config_text.encode())
        write_json(folder.fingerprint, identity)  # last: it marks the folder as a run
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be written ({error.strerror}); give another --run-dir") from error
    return folder


def run_identity(fingerprint: Fingerprint, market: Market) -> dict[str, Any]:
    """What makes a run this run: its fingerprint and the prices it uses."""
    return {
        "digest": fingerprint.digest,
        "fingerprint": recordable(fingerprint.to_dict()),
        "data": prices_record(market),
    }


def check_same_run(where: str, recorded: Mapping[str, Any], identity: Mapping[str, Any], remedy: str) -> None:
    """Refuse to go on with a run of another fingerprint or on other prices (keys old → new).

    Args:
        where: the folder or storage that holds the recorded run.
        recorded: its identity.
        identity: the one that is to go on.
        remedy: what to do instead.

    Raises:
        RunFolderError: they differ, or the recorded one cannot be read.
    """
    try:
        differing = [
            f"{key} {json.dumps(old, default=str)} → {json.dumps(new, default=str)}"
            for key, old, new in fingerprint_differences(recorded["fingerprint"], identity["fingerprint"])
        ] or _changed_files(recorded["data"], identity["data"])
    except (KeyError, TypeError, AttributeError):
        raise RunFolderError(f"{where}: what it was made with cannot be read; {remedy}") from None
    if differing:
        raise RunFolderError(
            f"{where}: holds a run of another configuration or other prices: {'; '.join(differing)}; "
            f"undo the change, or {remedy}"
        )


def _changed_files(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Price files and files of costs whose used rows are others: name, old digest → new one."""
    named = [("files", "token", "prices of "), ("costs", "name", "costs.")]
    return [
        f"{word}{file[key]} {old.get(file[key], 'none')[:12]} → {file['sha256'][:12]}"
        for section, key, word in named
        for old in [{file[key]: file["sha256"] for file in recorded.get(section, ())}]
        for file in now[section]
        if old.get(file[key]) != file["sha256"]
    ]


def prices_record(market: Market) -> dict[str, Any]:
    """What a result records of its data: root folder, bar, burn-in, and per file the digest of the used rows.

    `costs` lists the files of the `costs` section; their paths stand in the fingerprint.
    """
    return {
        "root": str(market.files[0].path.parent.resolve()),
        "bar_minutes": market.bar_minutes,
        "burn_in_days": market.burn_in_days,
        "files": [
            {
                "token": file.token,
                "file": file.path.name,
                "sha256": file.sha256,
                "first": utc_text(file.first_ms),
                "last": utc_text(file.last_ms),
                "rows": file.rows,
                "filled_minutes": file.filled_minutes,
            }
            for file in market.files
        ],
        "costs": [
            {
                "name": file.name,
                "file": str(file.path),
                "sha256": file.sha256,
                "from_ms": file.from_ms,
                "until_ms": file.until_ms,
                "rows": file.rows,
                "left_out": file.left_out,
            }
            for file in market.external.files
        ],
    }


def append_test_look(path: Path, command: str, params: Mapping[str, Any]) -> None:
    """Note that a test number has been looked at: time, command and digest of the parameters (SPEC §11)."""
    digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()
    look = {"schema_version": SCHEMA_VERSION, "time": now_text(), "command": command, "params": digest}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(look, allow_nan=False) + "\n")


def utc_text(time_ms: int) -> str:
    """A time in UTC milliseconds as ISO text."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_ms(text: str) -> int:
    """The inverse of `utc_text`."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def now_text() -> str:
    """This moment, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
