"""Plan a tune: fingerprint, run folder and study name of a configuration or a run folder."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from momentum_opt.errors import RunFolderError, UsageError
from momentum_opt.fingerprint import Fingerprint, override_fingerprint, read_configuration, replace_values
from momentum_opt.passwords import without_password
from momentum_opt.paths import is_folder
from momentum_opt.results.records import read_identity
from momentum_opt.results.run_folder import RunFolder, WarmStarts, default_folder, recorded_study

_LIKE_A_URL: Final = re.compile(r"[A-Za-z][\w+.-]+:")


@dataclass(frozen=True)
class Plan:
    """A run to begin or to go on with.

    Attributes:
        fingerprint: what to search and how.
        run_dir: its folder.
        config_text: the configuration as the user wrote it.
        study_name: of a new study; None takes the name of the folder.
        known: parameters to begin with; None takes those that the run began with.
    """

    fingerprint: Fingerprint
    run_dir: Path
    config_text: str
    study_name: str | None
    known: WarmStarts | None = None


def plan_of(
    config: Path, overrides: Sequence[str], run_dir: Path | None, known: Sequence[Path] = (), *, resume: bool
) -> Plan:
    """What to run.

    Args:
        config: a configuration, or with `resume` a run folder.
        overrides: `a.b=value` each.
        run_dir: None takes `runs/<name>-<digest>`; with `resume`, where that is not there, the newest run of the same
            configuration, so that what has changed in it can be told.
        known: params files to begin with.
        resume: resume an existing run, fail if there is none.

    Raises:
        ConfigError: mistakes of the configuration.
        RunFolderError: the folder is no run, or there is none to resume.
    """
    if is_folder(config):
        plan = _plan_of_folder(config, overrides, run_dir, resume=resume)
        return replace(plan, known=_read(known, plan.fingerprint))
    fingerprint, text = read_configuration(config, overrides)
    warm_start = _read(known, fingerprint)
    elsewhere = fingerprint.search.storage != "journal"
    folder = run_dir or default_folder(config, fingerprint, warm_start or ())
    if resume and not elsewhere and run_dir is None and not RunFolder(folder).fingerprint.exists():
        folder = _newest_run(config, folder)
    # In a storage for several machines the study is named after the configuration alone: one that differs on one of
    # them is refused there, instead of quietly making a study of its own.
    return Plan(fingerprint, folder, text, config.stem if elsewhere else None, warm_start)


def _read(files: Sequence[Path], fingerprint: Fingerprint) -> WarmStarts | None:
    if not files:
        return None
    from momentum_opt.api.warm_starting import read_warm_starts  # imports JAX

    return read_warm_starts(files, fingerprint)


def _newest_run(config: Path, folder: Path) -> Path:
    runs = sorted(
        folder.parent.glob(f"{config.stem}-*/{RunFolder(folder).fingerprint.name}"), key=lambda one: one.stat().st_mtime
    )
    if not runs:
        raise RunFolderError(f"{folder}: nothing to resume: no run of {config.name}; leave --resume out to begin")
    return runs[-1].parent


def _plan_of_folder(path: Path, overrides: Sequence[str], run_dir: Path | None, *, resume: bool) -> Plan:
    folder = RunFolder(path)
    if not resume:
        raise UsageError(f"{path}: a folder, not a configuration; give --resume to go on with the run in it")
    if run_dir is not None:
        raise UsageError(f"{path}: is the run folder already; leave --run-dir out")
    if not folder.fingerprint.exists():
        raise RunFolderError(f"{path}: nothing to resume: no run folder; give a configuration, or another folder")
    recorded, fingerprint = read_identity(folder)
    name = str(folder.fingerprint)
    fingerprint = replace_values(fingerprint, {"data.root": recorded["data"]["root"]}, name=name)
    fingerprint = override_fingerprint(fingerprint, overrides, name=name)
    return Plan(fingerprint, path, "", recorded_study(folder))


def storage_text(storage: str) -> str:
    """`--storage` as a configuration has it: a plain path is that of a journal.

    Raises:
        UsageError: it is neither a URL nor a plain path.
    """
    if storage == "journal" or "://" in storage:
        return storage
    where = without_password(storage)
    if where != storage or not storage.strip() or _LIKE_A_URL.match(storage):
        raise UsageError(
            f"--storage {where!r}: neither a URL nor a path; write postgresql://user@host/name, sqlite:///FILE, or the "
            "path of a journal (./FILE where it holds a colon)"
        )
    return f"journal://{Path(storage).absolute()}"
