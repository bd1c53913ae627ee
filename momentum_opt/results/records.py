"""Read the documents of a run folder, and refuse those that are damaged or were changed, with what helps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from momentum_opt.errors import RunFolderError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.checksums import CHECKSUMS
from momentum_opt.results.files import read_record
from momentum_opt.results.run_folder import RunFolder

Document = dict[str, Any]

_SECTIONS: Final = ("params", "readable", "objective", "metrics", "baselines", "fingerprint", "data", "study")
_REMADE: Final = "delete it and give the tune's command again: it is made anew from the trials"
_RESTORE: Final = "restore it from a copy, or tune again in another --run-dir"


def read_best(path: Path) -> Document:
    """The best.json of a run folder.

    Raises:
        MissingFileError: there is none.
        RunFolderError: it is damaged, or was changed since it was written.
    """
    document = read_record(path, "best.json", _REMADE)
    lacking = [name for name in _SECTIONS if not isinstance(document.get(name), Mapping)]
    lacking += [name for name in ("trial", "digest", "created") if name not in document]
    lacking += [f"study.{name}" for name in ("name", "n_trials") if name not in document.get("study", {})]
    if lacking:
        raise RunFolderError(f"{path}: is not as it was written, without {', '.join(lacking)}; {_REMADE}")
    return document


def read_identity(folder: RunFolder) -> tuple[Document, Fingerprint]:
    """A run folder's fingerprint.json as it was written, and the fingerprint in it.

    Raises:
        MissingFileError: there is none.
        RunFolderError: it is damaged, or was changed since it was written.
        ConfigError: its fingerprint is none of this version.
    """
    path = folder.fingerprint
    recorded = read_record(path, "a run folder's fingerprint.json", _RESTORE)
    data = recorded.get("data")
    if "fingerprint" not in recorded or not isinstance(data, Mapping) or "root" not in data:
        raise RunFolderError(f"{path}: is not as it was written; {_RESTORE}")
    fingerprint = Fingerprint.from_dict(recorded["fingerprint"], name=f"{path}: fingerprint")
    if recorded.get("digest", fingerprint.digest) != fingerprint.digest:
        raise RunFolderError(f"{path}: its fingerprint is not the one that its digest was made of; {_RESTORE}")
    return recorded, fingerprint


def read_fold_record(path: Path, remedy: str) -> Document:
    """A fold's out_of_sample.json, without its checksums: it becomes part of another document.

    Raises:
        RunFolderError: it is damaged, or was changed since it was written.
    """
    document = read_record(path, "a fold's out_of_sample.json", remedy)
    sections = ("in_sample", "out_of_sample", "baselines", "params", "readable", "data")
    lacking = [name for name in sections if not isinstance(document.get(name), Mapping)]
    if lacking:
        raise RunFolderError(f"{path}: is not as it was written, without {', '.join(lacking)}; {remedy}")
    document.pop(CHECKSUMS, None)
    return document
