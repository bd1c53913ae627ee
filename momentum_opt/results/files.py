"""Write strict JSON files that are either whole or not there."""

import errno
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from momentum_opt.errors import MissingFileError, RunFolderError
from momentum_opt.paths import file_fault
from momentum_opt.reading import UnreadableError, read_json_file
from momentum_opt.results.checksums import CHECKSUMS, changed_sections, section_checksums

SCHEMA_VERSION: Final = 1
"""Version of every JSON document that momentum-opt writes."""

_MOST_NAMED: Final = 8

TEMPORARY: Final = ".tmp"
"""How the name of a file ends that is being written."""


def to_json(document: Mapping[str, Any]) -> str:
    """A strict JSON document with its schema version; numbers that are not finite become null."""
    content = {"schema_version": SCHEMA_VERSION, **document}
    return json.dumps(_strict(content), indent=2, allow_nan=False) + "\n"


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document and the checksums of its sections under a temporary name and rename it."""
    content = _strict(document)
    write_whole(path, to_json({**content, CHECKSUMS: section_checksums(content)}).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk, and rename it over `path`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def folder_in_the_way(error: OSError) -> str | None:
    """A line about a folder in the place of a file that was to be written; None of every other failure."""
    if not isinstance(error, IsADirectoryError) or error.filename is None:
        return None
    return f"{error.filename2 or error.filename}: a folder, not a file; delete it, and run the command again"


def why_not_writable(folder: Path) -> str | None:
    """Why no file could be written into a folder that is there, or may have to be made; None where one could."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not there.is_dir():
        return os.strerror(errno.ENOTDIR)
    return None if os.access(there, os.W_OK | os.X_OK) else os.strerror(errno.EACCES)


def read_json(path: Path, what: str, remedy: str | None = None) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        path: the file.
        what: what it should be.
        remedy: what to do where it is damaged; None: give another file.

    Raises:
        MissingFileError: there is no such file.
        RunFolderError: it is not a JSON object, one of its objects names a key twice, or a newer version wrote it.
    """
    if remedy is not None and path.is_dir():  # of a run folder: another path would not help
        raise RunFolderError(f"{path}: a folder, not a file; {remedy}")
    remedy = remedy or f"give {what}"
    if (fault := file_fault(path, pipe=True)) is not None:
        raise MissingFileError(f"{path}: {fault[0]}; {fault[1]}: give the path of {what}")
    try:
        content = read_json_file(path)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file; give the path of {what}") from None
    except OSError as error:
        raise MissingFileError(f"{path}: cannot be read ({error.strerror}); give the path of {what}") from None
    except UnreadableError as error:
        raise RunFolderError(f"{path}: not valid JSON ({error}); {remedy}") from None
    if not isinstance(content, dict):
        raise RunFolderError(f"{path}: not a JSON object; {remedy}")
    _check_version(content, path)
    return content


def read_record(path: Path, what: str, remedy: str) -> dict[str, Any]:
    """Read a document that momentum-opt wrote for itself.

    Args:
        path: the file.
        what: what it should be.
        remedy: what to do where it is damaged or was changed.

    Raises:
        MissingFileError: there is no such file.
        RunFolderError: it is not a JSON object, a newer version wrote it, or a section was changed since.
    """
    content = read_json(path, what, remedy)
    refuse_changed(content, path, remedy)
    return content


def refuse_changed(document: Mapping[str, Any], path: Path, remedy: str) -> None:
    """Refuse a document of which a section was changed since it was written.

    Raises:
        RunFolderError: naming the sections.
    """
    changed = changed_sections(document)
    if changed:
        raise RunFolderError(f"{path}: {said_changed(changed)}; {remedy}")


def said_changed(sections: Sequence[str]) -> str:
    """What is said of sections that do not have their recorded checksum; at most eight are named."""
    names = [*sections[:_MOST_NAMED], *(["…"] if len(sections) > _MOST_NAMED else [])]
    return f"changed since it was written: {', '.join(names)}"


def _check_version(document: Mapping[str, Any], path: Path) -> None:
    version = document.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise RunFolderError(f"{path}: schema_version: {version!r} is no version; give the file as it was written")
    if version > SCHEMA_VERSION:
        raise RunFolderError(
            f"{path}: schema_version: {version} was written by a newer momentum-opt, this one reads up to "
            f"{SCHEMA_VERSION}; use the momentum-opt that wrote it"
        )


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _strict(one) for key, one in value.items()}
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, Iterable):
        return [_strict(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
