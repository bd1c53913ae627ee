"""Strict JSON files: plain values in, a file that is either whole or not there out."""

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from momentum_opt.errors import MissingFileError, RunFolderError
from momentum_opt.paths import file_fault
from momentum_opt.reading import UnreadableError, read_json_file

SCHEMA_VERSION: Final = 1
"""Version of every JSON document that momentum-opt writes."""

TEMPORARY: Final = ".tmp"
"""How the name of a file ends that is being written."""


def to_json(document: Mapping[str, Any]) -> str:
    """A strict JSON document with its schema version; numbers that are not finite become null."""
    content = {"schema_version": SCHEMA_VERSION, **document}
    return json.dumps(_strict(content), indent=2, allow_nan=False) + "\n"


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document under a temporary name and rename it."""
    write_whole(path, to_json(document).encode())


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


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        MissingFileError: there is no such file.
        RunFolderError: it is not a JSON object, or one of its objects names a key twice.
    """
    if (fault := file_fault(path, pipe=True)) is not None:
        raise MissingFileError(f"{path}: {fault[0]}; {fault[1]}: give the path of {what}")
    try:
        content = read_json_file(path)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file; give the path of {what}") from None
    except OSError as error:
        raise MissingFileError(f"{path}: cannot be read ({error.strerror}); give the path of {what}") from None
    except UnreadableError as error:
        raise RunFolderError(f"{path}: not valid JSON ({error}); give {what}") from None
    if not isinstance(content, dict):
        raise RunFolderError(f"{path}: not a JSON object; give {what}")
    return content


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
