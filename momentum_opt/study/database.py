"""Studies in a database (SPEC §12): a URL in, a store of any SQL database that Optuna knows out."""

import socket
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial
from sqlalchemy.exc import SQLAlchemyError

from momentum_opt.errors import MomentumOptError, StorageError, StudyError
from momentum_opt.study import relational
from momentum_opt.study.locks import file_lock, first_free
from momentum_opt.study.places import lock_prefix, short_digest, shown
from momentum_opt.study.storage import MOST_PER_MACHINE, Store, count_of


class DatabaseStore(Store):
    """Studies in a database.

    Args:
        text: its URL.
        folder: where a worker leaves its lock file if the database can neither number workers nor is a file.

    Raises:
        StorageError: it cannot be opened.
    """

    failures = (StorageInternalError, SQLAlchemyError)

    def __init__(self, text: str, folder: Path) -> None:
        super().__init__()
        self.where = shown(text)
        self._url = relational.database_url(text)
        self._has_server_locks = self._url.get_backend_name() == relational.POSTGRESQL
        self._file = relational.database_file(self._url)
        self._folder = folder
        try:
            self._engine = relational.connect(self._url)
            with self.exclusively():  # Optuna makes its tables here, which two processes must not do at once
                self.storage = self._optuna = relational.optuna_storage(self._url)
            known = self._optuna.get_current_version() == relational.REVISION
            self._tables = relational.read_tables(self._engine) if known else None
        except MomentumOptError:
            raise
        except ImportError as error:
            raise StorageError(
                f"storage {self.where}: its driver is not installed ({relational.reason_of(error)}); install it, or "
                "write postgresql://user@host/name"
            ) from None
        except Exception as error:  # whatever the driver of the URL raises; its own texts may quote the URL
            raise StorageError(
                f"storage {self.where}: cannot be opened ({relational.reason_of(error)}); check the URL and the server"
            ) from None

    def reason_of(self, error: Exception) -> str:
        """Without the statement and its parameters."""
        return relational.reason_of(error)

    def exclusively(self) -> AbstractContextManager[None]:
        """A lock of the server, or a lock file beside the file."""
        if self._has_server_locks:
            return relational.advisory_lock(self._engine, "setup")
        return nullcontext() if self._file is None else file_lock(self._file.with_name(f".{self._file.name}.lock"))

    def append(
        self, study: optuna.Study, trials: Sequence[FrozenTrial], digest: str, expected: int | None = None
    ) -> bool:
        """One transaction for the batch."""
        try:
            if self._tables is None:
                if expected is not None and count_of(study, digest) != expected:
                    return False
                study.add_trials(trials)
                return True
            study_id = self.storage.get_study_id_from_name(study.study_name)
            return relational.append_rows(self._engine, self._tables, study_id, trials, digest, expected)
        except self.failures as error:
            raise StudyError(
                f"storage {self.where}: could not save the last batch ({relational.reason_of(error)}); "
                "earlier trials are safe. Fix the storage and rerun"
            ) from error

    def close(self) -> None:
        """Close the connections, ours and Optuna's."""
        self._engine.dispose()
        self._optuna.remove_session()
        self._optuna.engine.dispose()

    def worker(self, name: str) -> AbstractContextManager[int]:
        """By locks of the server or lock files beside the file; else by lock files here, apart from other machines'."""
        if self._has_server_locks:
            return relational.first_free_number(self._engine, f"worker of {name}")
        if self._file is not None:
            return first_free(lock_prefix(self._file, name))
        return self._worker_of_this_machine(name)

    @contextmanager
    def _worker_of_this_machine(self, name: str) -> Generator[int]:
        here = f"{socket.gethostname()}:{self._folder.resolve()}"
        self._folder.mkdir(parents=True, exist_ok=True)
        with first_free(lock_prefix(self._folder / "worker", name)) as number:
            yield int.from_bytes(short_digest(here)[:3], "big") * MOST_PER_MACHINE + number
