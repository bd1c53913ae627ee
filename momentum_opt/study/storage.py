"""Durable storage (SPEC §12): `journal`, the path of a journal or the URL of a database in, a place for studies out.

A store keeps Optuna studies that plain Optuna can open, adds a batch of finished trials as a whole, and numbers the
workers that are at work on a study, so that each draws from a random stream of its own.
"""

import socket
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from momentum_opt.errors import MomentumOptError, StorageError, StudyError
from momentum_opt.fingerprint import without_password
from momentum_opt.study import relational
from momentum_opt.study.journal import JournalFile, journal_storage
from momentum_opt.study.locks import file_lock, first_free
from momentum_opt.study.trials import TrialRecord, record_of, was_sampled

IDENTITY: Final = "identity"
"""Study attribute that says what the study searches, and on which prices."""

JOURNAL_SCHEME: Final = "journal://"
MOST_PER_MACHINE: Final = 256
"""Numbers of workers that a machine has to itself, where the store can not tell them apart from those of others."""

FINISHED: Final = (TrialState.COMPLETE, TrialState.FAIL)


class Store(ABC):
    """Where studies are kept.

    Attributes:
        storage: Optuna's view of it.
        where: its name in messages; holds no password.
    """

    storage: BaseStorage
    where: str

    def __init__(self) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # a line per study and trial would drown the progress

    @abstractmethod
    def exclusively(self) -> AbstractContextManager[None]:
        """Keep other processes from making or claiming a study."""

    @abstractmethod
    def append(self, study: optuna.Study, trials: Sequence[FrozenTrial], expected: int | None = None) -> bool:
        """Add a batch of finished trials to a study.

        Args:
            study: opened in this store.
            trials: the batch.
            expected: trials that the study must hold; None adds to any number.

        Returns:
            Whether they were added: not where the study holds another number than `expected`.

        Raises:
            StudyError: they cannot be saved.
        """

    @abstractmethod
    def worker(self, name: str) -> AbstractContextManager[int]:
        """The lowest number that no other living worker of the study `name` has, for as long as the context lasts."""

    def close(self) -> None:
        """Let go of connections; nothing can be read or written afterwards."""
        return

    def find_study(self, name: str) -> "DurableStudy | None":
        """The study, if it is there."""
        try:
            return DurableStudy(self, optuna.load_study(study_name=name, storage=self.storage))
        except KeyError:
            return None

    def open_study(self, name: str, n_objectives: int, identity: Mapping[str, Any]) -> "DurableStudy":
        """The study, made where it is not there, and then marked with what it searches.

        Args:
            name: of the study.
            n_objectives: all of them are maximised.
            identity: JSON-ready facts that tell this study from another one of the same name.
        """
        with self.exclusively():
            found = self.find_study(name)
            if found is None:
                directions = [StudyDirection.MAXIMIZE] * n_objectives
                study = optuna.create_study(storage=self.storage, study_name=name, directions=directions)
                found = DurableStudy(self, study)
            if found.identity is None and not found.study.get_trials(deepcopy=False):
                found.study.set_user_attr(IDENTITY, dict(identity))
        return found


class DurableStudy:
    """A study in its store.

    Attributes:
        study: Optuna's view of it.
        name: in the store.
    """

    def __init__(self, store: Store, study: optuna.Study) -> None:
        self._store = store
        self.study = study
        self.name = study.study_name

    @property
    def identity(self) -> Mapping[str, Any] | None:
        """The facts that it was made with; None of a study that this program did not make."""
        return self.study.user_attrs.get(IDENTITY)

    def finished(self) -> list[FrozenTrial]:
        """The finished trials, by number; only new ones are read from the store.

        Raises:
            StudyError: they cannot be read.
        """
        try:
            return self.study.get_trials(deepcopy=False, states=FINISHED)
        except (StorageInternalError, SQLAlchemyError) as error:
            raise StudyError(
                f"storage {self._store.where}: the trials cannot be read ({relational.reason_of(error)}); "
                "mend the storage, and run the command again"
            ) from error

    def records(self) -> list[TrialRecord]:
        """The finished trials as plain records, by number."""
        return [record_of(trial) for trial in self.finished()]

    def append(self, trials: Sequence[FrozenTrial], expected: int | None = None) -> bool:
        """`Store.append` to this study."""
        return self._store.append(self.study, trials, expected)

    def count_sampled(self) -> int:
        """How many finished trials count towards the study's total: all but the screened ones."""
        return sum(map(was_sampled, self.finished()))

    def worker(self) -> AbstractContextManager[int]:
        """`Store.worker` of this study."""
        return self._store.worker(self.name)

    @contextmanager
    def sole(self, task: str) -> Generator[bool]:
        """Whether this worker is to do a task that one alone should do; no other is, for as long as the context lasts.

        Where the store cannot number the workers of other machines, one of each machine is told so.
        """
        with self._store.worker(f"{self.name}, {task}") as number:
            yield number % MOST_PER_MACHINE == 0

    def close(self) -> None:
        """`Store.close`."""
        self._store.close()


class JournalStore(Store):
    """Studies in a journal file.

    Args:
        path: the file.

    Raises:
        RunFolderError: the file is no journal, or damaged in the middle.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = JournalFile(path)
        self.storage = journal_storage(self._file)
        self.where = str(path)

    def exclusively(self) -> AbstractContextManager[None]:
        """What is written inside is written at once."""
        return self._file.together()

    def append(self, study: optuna.Study, trials: Sequence[FrozenTrial], expected: int | None = None) -> bool:
        """One write for the batch."""
        with self._file.together():
            if expected is not None and len(study.get_trials(deepcopy=False)) != expected:
                return False
            study.add_trials(trials)
        return True

    def worker(self, name: str) -> AbstractContextManager[int]:
        """By lock files beside the journal."""
        return first_free(_lock_prefix(self._file.path, name))


class DatabaseStore(Store):
    """Studies in a database.

    Args:
        text: its URL.
        folder: where a worker leaves its lock file if the database can neither number workers nor is a file.

    Raises:
        StorageError: it cannot be opened.
    """

    def __init__(self, text: str, folder: Path) -> None:
        super().__init__()
        self.where = without_password(text)
        self._url = relational.database_url(text)
        self._has_server_locks = self._url.get_backend_name() == relational.POSTGRESQL
        self._file = relational.database_file(self._url)
        self._folder = folder
        if self._file is not None and not self._file.parent.is_dir():
            raise StorageError(
                f"storage {self.where}: there is no folder {self._file.parent}; make it, or name another"
            )
        try:
            self._engine = relational.connect(self._url)
            with self.exclusively():  # Optuna makes its tables here, which two processes must not do at once
                self.storage = self._optuna = relational.optuna_storage(self._url)
            known = self._optuna.get_current_version() == relational.REVISION
            self._tables = relational.read_tables(self._engine) if known else None
        except MomentumOptError:
            raise
        except Exception as error:  # whatever the driver of the URL raises
            raise StorageError(
                f"storage {self.where}: cannot be opened ({relational.reason_of(error)}); check the URL and the server"
            ) from error

    def exclusively(self) -> AbstractContextManager[None]:
        """A lock of the server, or a lock file beside the file."""
        if self._has_server_locks:
            return relational.advisory_lock(self._engine, "setup")
        return nullcontext() if self._file is None else file_lock(self._file.with_name(f".{self._file.name}.lock"))

    def append(self, study: optuna.Study, trials: Sequence[FrozenTrial], expected: int | None = None) -> bool:
        """One transaction for the batch."""
        try:
            if self._tables is None:
                if expected is not None and len(study.get_trials(deepcopy=False)) != expected:
                    return False
                study.add_trials(trials)
                return True
            study_id = self.storage.get_study_id_from_name(study.study_name)
            return relational.append_rows(self._engine, self._tables, study_id, trials, expected)
        except (StorageInternalError, SQLAlchemyError) as error:
            raise StudyError(
                f"storage {self.where}: the last batch cannot be saved ({relational.reason_of(error)}); "
                "the trials before it are safe: mend the storage, and run the command again"
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
            return first_free(_lock_prefix(self._file, name))
        return self._worker_of_this_machine(name)

    @contextmanager
    def _worker_of_this_machine(self, name: str) -> Generator[int]:
        here = f"{socket.gethostname()}:{self._folder.resolve()}"
        self._folder.mkdir(parents=True, exist_ok=True)
        with first_free(_lock_prefix(self._folder / "worker", name)) as number:
            yield int.from_bytes(_digest(here)[:3], "big") * MOST_PER_MACHINE + number


def open_store(storage: str, folder: Path) -> Store:
    """The store that `search.storage` names, other than the journal of a run folder.

    Args:
        storage: `journal://` and the path of a journal, or the URL of a database.
        folder: the run folder.

    Raises:
        StorageError: it cannot be opened.
        RunFolderError: it is a journal and damaged.
    """
    if storage.startswith(JOURNAL_SCHEME):
        path = storage.removeprefix(JOURNAL_SCHEME)
        if not path:
            raise StorageError(f"storage {storage}: names no file; write {JOURNAL_SCHEME}/path/to/file")
        return JournalStore(Path(path))
    return DatabaseStore(storage, folder)


def storage_file(storage: str) -> Path | None:
    """The file that `search.storage` names; None of a server."""
    if storage.startswith(JOURNAL_SCHEME):
        return Path(storage.removeprefix(JOURNAL_SCHEME))
    return relational.database_file(relational.database_url(storage))


def _lock_prefix(file: Path, name: str) -> Path:
    return file.with_name(f".{file.name}.{_digest(name).hex()}.worker")


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=4).digest()
