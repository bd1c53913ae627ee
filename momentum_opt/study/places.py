"""Say where a study is kept (SPEC §12): the text of `search.storage` in; the file that it names, checked, out."""

import stat
from hashlib import blake2b
from pathlib import Path
from typing import Final

from momentum_opt.errors import StorageError
from momentum_opt.passwords import HIDDEN, remember, without_password

JOURNAL_SCHEME: Final = "journal://"
LONGEST: Final = 200
"""Letters of a URL that a message shows."""


def storage_file(storage: str) -> Path | None:
    """The file that `search.storage` names; None of a server.

    Raises:
        StorageError: it is no URL, its password has been left out, or it names what cannot be a file of studies.
    """
    remember((storage,))
    where, masked = shown(storage), without_password(storage)
    if masked == storage and (f":{HIDDEN}@" in storage or f"={HIDDEN}" in storage):
        raise StorageError(
            f"storage {where}: its password was left out when it was written down; give the whole URL with --storage, "
            "or a URL without a password and that in PGPASSWORD or ~/.pgpass"
        )
    if storage.startswith(JOURNAL_SCHEME):
        path = storage.removeprefix(JOURNAL_SCHEME)
        if not path or masked != storage:
            raise StorageError(f"storage {where}: names no file; write {JOURNAL_SCHEME}/path/to/file")
        check_file(Path(path), where)
        return Path(path)
    from momentum_opt.study.relational import database_file, database_url  # as above

    file = database_file(database_url(storage))
    if file is not None:
        check_file(file, where)
    return file


def shown(storage: str) -> str:
    """A storage's name in messages: without its password, and not longer than a line."""
    masked = without_password(storage)
    return masked if len(masked) <= LONGEST else f"{masked[: LONGEST - 3]}..."


def check_file(file: Path, where: str) -> None:
    """Refuse what cannot be the file of a study, before anything is made of it; that it is not there yet is no fault.

    Raises:
        StorageError: it is a folder or no regular file, its folder is not there, or it may not be looked at.
    """
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        if not file.parent.is_dir():
            raise StorageError(f"storage {where}: there is no folder {file.parent}; make it, or name another") from None
    except (OSError, ValueError) as error:  # ValueError: a character that no name may hold
        reason = error.strerror if isinstance(error, OSError) else error
        raise StorageError(f"storage {where}: cannot be opened ({reason}); name another file") from None
    else:
        if stat.S_ISDIR(mode):
            raise StorageError(f"storage {where}: {file} is a folder; name a file in it")
        if not stat.S_ISREG(mode):
            raise StorageError(f"storage {where}: {file} is no regular file; name another one")


def lock_prefix(file: Path, name: str) -> Path:
    """Where the workers of the study `name` leave their lock files beside `file`."""
    return file.with_name(f".{file.name}.{short_digest(name).hex()}.worker")


def short_digest(text: str) -> bytes:
    """Four bytes that tell names apart."""
    return blake2b(text.encode(), digest_size=4).digest()
