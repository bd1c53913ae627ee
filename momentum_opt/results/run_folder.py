"""The run folder (SPEC §15): where a study keeps its files, and whether a run may go on in it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from momentum_opt.errors import MomentumOptError, RunFolderError
from momentum_opt.fingerprint import Fingerprint, fingerprint_differences, recordable, recordable_text, shortened
from momentum_opt.market import Market, Oddities
from momentum_opt.paths import exists, is_file, is_folder
from momentum_opt.results.files import (
    TEMPORARY,
    folder_in_the_way,
    read_json,
    write_json,
    write_whole,
)
from momentum_opt.study.locks import file_lock

WarmStarts = Sequence[Mapping[str, Mapping[str, float]]]
"""Known parameters as a record holds them: name → token → number."""

MOST_DIFFERENCES = 20
LONGEST_VALUE = 60
"""What a message shows of two runs that differ."""

WARM_START = "warm_start"
"""Key of a run's identity: known parameters that its search began with."""

_LOST: Final = "give another --run-dir, or restore the file from a copy"


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
        """Held by whoever writes one of the other files, the journal and the log apart."""
        return self.path / "run.lock"

    def held(self) -> AbstractContextManager[None]:
        """Wait until no other process writes here, and keep others out."""
        return file_lock(self.lock)

    @property
    def trials(self) -> Path:
        """One row per finished trial."""
        return self.path / "trials.parquet"

    @property
    def blocks(self) -> Path:
        """Sums per block of train days, one row per finished trial."""
        return self.path / "blocks.parquet"

    @property
    def screen(self) -> Path:
        """One row per screened candidate."""
        return self.path / "screen.parquet"

    @property
    def best(self) -> Path:
        """The winner."""
        return self.path / "best.json"

    @property
    def evidence(self) -> Path:
        """What is found about the winner, and the verdict."""
        return self.path / "evidence.json"

    @property
    def daily(self) -> Path:
        """The winner's replay and the baselines, day by day."""
        return self.path / "daily.parquet"

    @property
    def test_looks(self) -> Path:
        """One line per look at a test number."""
        return self.path / "test_looks.jsonl"

    @property
    def log(self) -> Path:
        """What happened when."""
        return self.path / "log.txt"


def result_file(path: Path) -> Path:
    """The file that is meant where a best.json or a params file is asked for: of a run folder, its best.json.

    Raises:
        RunFolderError: the folder is that of a run without a result, or of a walk-forward, which has several.
    """
    if not is_folder(path):
        return path
    folder = RunFolder(path)
    if is_file(path / "walk_forward.json") or any(path.glob("fold-*")):
        raise RunFolderError(f"{path}: a walk-forward, with a winner in each fold; give the folder of a fold in it")
    if is_file(folder.fingerprint) and not exists(folder.best):
        raise RunFolderError(f"{path}: has no best.json yet; let tune finish first")
    return folder.best if exists(folder.best) else path


def default_folder(config: Path, fingerprint: Fingerprint, known: WarmStarts = ()) -> Path:
    """`runs/<stem of the configuration>-<first eight digits of the digest>`; with a warm start also of its digest."""
    content = json.dumps(known, sort_keys=True)
    origin = f"-from-{hashlib.sha256(content.encode()).hexdigest()[:8]}" if known else ""
    return Path("runs") / f"{config.stem}-{fingerprint.digest[:8]}{origin}"


def open_run_folder(
    path: Path,
    config_text: str,
    fingerprint: Fingerprint,
    market: Market,
    study: str | None = None,
    known: WarmStarts = (),
) -> RunFolder:
    """Create the folder of a new run, or check that the run in it is this one.

    Any number of processes may do so at once, and be killed while they do.

    Args:
        path: the folder.
        config_text: the configuration as the user wrote it.
        fingerprint: of the run.
        market: its prices.
        study: name of the run's study, kept in a new folder; None takes that of the folder.
        known: parameters that its search begins with.

    Raises:
        RunFolderError: the folder holds something else, another fingerprint (keys old → new), or other prices.
    """
    folder = RunFolder(path)
    identity = run_identity(fingerprint, market, known)
    if exists(folder.fingerprint):
        _check_folder(folder, identity)
    elif path.exists() and not path.is_dir():
        raise RunFolderError(f"{path}: a file, not a folder; give another --run-dir")
    elif path.exists() and any(not _is_left_behind(one, folder) for one in path.iterdir()):
        raise RunFolderError(f"{path}: not empty and not a run folder; give another --run-dir")
    try:
        path.mkdir(parents=True, exist_ok=True)
        with folder.held():
            for one in path.glob(f".*{TEMPORARY}"):  # whoever wrote it held the lock, and is gone
                one.unlink()
            if folder.fingerprint.exists():
                _check_folder(folder, identity)
            else:
                write_json(folder.fingerprint, {**identity, "study": study or path.name})
            if not folder.config.exists():
                write_whole(folder.config, recordable_text(config_text).encode())
    except OSError as error:
        if isinstance(error, MomentumOptError):
            raise
        said = folder_in_the_way(error) or f"{path}: cannot be written ({error.strerror}); give another --run-dir"
        raise RunFolderError(said) from error
    return folder


def _check_folder(folder: RunFolder, identity: Mapping[str, Any]) -> None:
    recorded = _recorded_identity(folder)
    check_same_run(str(folder.path), recorded, identity, "give another --run-dir")


def _is_left_behind(path: Path, folder: RunFolder) -> bool:
    """Whether the file may come from a start that was killed."""
    return path == folder.lock or (path.name.startswith(".") and path.name.endswith(TEMPORARY))


def recorded_study(folder: RunFolder) -> str:
    """The name of the study of a run folder; it stays where the folder is renamed."""
    return _recorded_identity(folder).get("study", folder.path.name)


def recorded_warm_start(folder: RunFolder) -> WarmStarts:
    """The parameters that the run in a folder began with; none where there is no run, or it began from nothing."""
    if not exists(folder.fingerprint):
        return ()
    return _recorded_identity(folder).get(WARM_START, ())


def _recorded_identity(folder: RunFolder) -> dict[str, Any]:
    """A run folder's fingerprint.json, whatever was changed in it."""
    return read_json(folder.fingerprint, "a run folder's fingerprint.json", _LOST)


def run_identity(fingerprint: Fingerprint, market: Market, known: WarmStarts = ()) -> dict[str, Any]:
    """What makes a run this run: its fingerprint, the prices it uses, and the known parameters it begins with."""
    return {
        "digest": fingerprint.digest,
        "fingerprint": recordable(fingerprint.to_dict()),
        "data": prices_record(market),
        **({WARM_START: list(known)} if known else {}),
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
            f"{shortened(key)} {_shown(old)} → {_shown(new)}"
            for key, old, new in fingerprint_differences({**recorded["fingerprint"]}, identity["fingerprint"])
        ]
        differing = differing or _changed_digest(recorded, identity) + _changed_files(
            recorded["data"], identity["data"]
        )
        differing += _changed_warm_start(recorded.get(WARM_START, []), identity.get(WARM_START, []))
    except (KeyError, TypeError, AttributeError):
        raise RunFolderError(f"{where}: what it was made with cannot be read; {remedy}") from None
    if differing:
        rest = [f"{len(differing) - MOST_DIFFERENCES} more"] if len(differing) > MOST_DIFFERENCES else []
        told = "; ".join([*differing[:MOST_DIFFERENCES], *rest])
        raise RunFolderError(
            f"{where}: holds a run of another configuration or other prices: {told}; undo the change, or {remedy}"
        )


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _changed_digest(recorded: Mapping[str, Any], identity: Mapping[str, Any]) -> list[str]:
    """The digest, where it is not that of the fingerprint beside it."""
    old, new = (str(one.get("digest")) for one in (recorded, identity))
    return [] if old == new else [f"digest {old[:12]} → {new[:12]}"]


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


def _changed_warm_start(recorded: WarmStarts, now: WarmStarts) -> list[str]:
    """`--from 1.log_k.BTC 3 → 4`, for what differs between the parameters that two runs began with."""
    if len(recorded) != len(now):
        return [f"--from {len(recorded)} known parameter sets → {len(now)}"]
    old, new = _flat(recorded), _flat(now)
    return [
        f"--from {key} {json.dumps(old.get(key))} → {json.dumps(new.get(key))}"
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    ]


def _flat(known: WarmStarts) -> dict[str, float]:
    return {
        f"{place + 1}.{name}.{token}": value
        for place, params in enumerate(known)
        for name, table in params.items()
        for token, value in table.items()
    }


def prices_record(market: Market) -> dict[str, Any]:
    """What a result records of its data: root folder, bar, burn-in, and per file the used rows and what is odd there.

    `costs` lists the files of the `costs` section; their paths stand in the fingerprint.
    """
    return {
        "root": None if market.root is None else str(market.root.resolve()),
        "bar_minutes": market.bar_minutes,
        "burn_in_days": market.burn_in_days,
        "files": [
            {
                "token": file.token,
                "file": None if file.path is None else file.path.name,
                "sha256": file.sha256,
                "first": utc_text(file.first_ms),
                "last": utc_text(file.last_ms),
                "rows": file.rows,
                "filled_minutes": file.filled_minutes,
                "longest_gap_minutes": file.longest_gap_minutes,
                "jumps": {
                    "count": odd.jumps,
                    "largest": odd.largest,
                    "time": utc_text(odd.at_ms) if odd.jumps else None,
                },
                "same_closes": list(odd.same_closes),
            }
            for file, odd in zip(market.files, market.oddities or [Oddities()] * len(market.files), strict=True)
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


def utc_text(time_ms: int) -> str:
    """A time in UTC milliseconds as ISO text."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_ms(text: str) -> int:
    """The inverse of `utc_text`."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def now_text() -> str:
    """This moment, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
