"""Durable storage (SPEC §12): `journal`, the path of a journal or the URL of a database in, a place for studies out.

A store keeps Optuna studies that plain Optuna can open, adds a batch of finished trials as a whole, and numbers the
workers that are at work on a study, so that each draws from a random stream of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from momentum_opt.errors import StorageError, StudyError
from momentum_opt.study.journal import JournalFile, journal_storage
from momentum_opt.study.locks import first_free
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
        failures: what reading may raise.
    """

    storage: BaseStorage
    where: str
    failures: tuple[type[Exception], ...] = (StorageInternalError,)

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

    def reason_of(self, error: Exception) -> str:
        """What a failure was about, in a line."""
        return str(error)

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
        except self._store.failures as error:
            raise StudyError(
                f"storage {self._store.where}: the trials cannot be read ({self._store.reason_of(error)}); "
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
        return first_free(lock_prefix(self._file.path, name))


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
    from momentum_opt.study.database import DatabaseStore  # imports SQLAlchemy, which a journal can do without

    return DatabaseStore(storage, folder)


def storage_file(storage: str) -> Path | None:
    """The file that `search.storage` names; None of a server."""
    if storage.startswith(JOURNAL_SCHEME):
        return Path(storage.removeprefix(JOURNAL_SCHEME))
    from momentum_opt.study.relational import database_file, database_url  # as above

    return database_file(database_url(storage))


def lock_prefix(file: Path, name: str) -> Path:
    """Where the workers of the study `name` leave their lock files beside `file`."""
    return file.with_name(f".{file.name}.{short_digest(name).hex()}.worker")


def short_digest(text: str) -> bytes:
    """Four bytes that tell names apart."""
    return blake2b(text.encode(), digest_size=4).digest()
