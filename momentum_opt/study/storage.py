"""Durable storage (SPEC §12): `journal`, the path of a journal or the URL of a database in, a place for studies out.

A store keeps Optuna studies that plain Optuna can open, adds a batch of finished trials as a whole, and numbers the
workers that are at work on a study, so that each draws from a random stream of its own.
"""

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from momentum_opt.errors import MomentumOptError, RunFolderError, StorageError, StudyError
from momentum_opt.study.journal import JournalFile, journal_storage
from momentum_opt.study.locks import first_free
from momentum_opt.study.places import JOURNAL_SCHEME, lock_prefix, storage_file
from momentum_opt.study.sealing import FINISHED, claims_a_search, is_as_written, is_of, sealed
from momentum_opt.study.trials import BATCH_START, BLOCKS, SOURCE, TrialRecord, record_of, was_sampled

IDENTITY: Final = "identity"
"""System attribute of a study that says what the study searches, and on which prices."""

ANEW: Final = "begin anew with another --run-dir or search.study_name"
RESTORE: Final = f"restore the storage from a copy, or {ANEW}"

DAMAGE: Final = (LookupError, TypeError, ValueError, AttributeError, AssertionError)
"""What Optuna raises where what it reads makes no sense."""

MOST_PER_MACHINE: Final = 256
"""Numbers of workers that a machine has to itself, where the store can not tell them apart from those of others."""


class ForeignTrialsWarning(UserWarning):
    """A study holds trials that are not of the search."""


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
        self._studies: dict[str, DurableStudy] = {}

    @abstractmethod
    def exclusively(self) -> AbstractContextManager[None]:
        """Keep other processes from making or claiming a study."""

    @abstractmethod
    def append(
        self, study: optuna.Study, trials: Sequence[FrozenTrial], digest: str, expected: int | None = None
    ) -> bool:
        """Add a batch of finished trials to a study.

        Args:
            study: opened in this store.
            trials: the batch, sealed.
            digest: of the fingerprint that is searched.
            expected: trials with this digest that the study must hold; None adds to any number.

        Returns:
            Whether they were added: not where the study holds another number than `expected`.

        Raises:
            StudyError: they cannot be saved.
        """

    @abstractmethod
    def worker(self, name: str) -> AbstractContextManager[int]:
        """The lowest number that no other living worker of the study `name` has, for as long as the context lasts."""

    def place_of(self, name: str, number: int) -> str:
        """Where a trial of the study `name` is kept, for messages."""
        del name, number
        return f"storage {self.where}"

    def place_of_damage(self, study: optuna.Study) -> str:
        """Where the first trial is kept that cannot be read, and its number."""
        name = study.study_name
        study_id = self.storage.get_study_id_from_name(name)
        for number in count():
            try:
                trial_id = self.storage.get_trial_id_from_study_id_trial_number(study_id, number)
            except KeyError:  # there are no more
                break
            except DAMAGE:
                return f"{self.place_of(name, number)}: trial {number}"
            try:
                self.storage.get_trial(trial_id)
            except DAMAGE:
                return f"{self.place_of(name, number)}: trial {number}"
        return f"storage {self.where}: a trial"

    def reason_of(self, error: Exception) -> str:
        """What a failure was about, in a line."""
        return str(error)

    def close(self) -> None:
        """Let go of connections; nothing can be read or written afterwards."""
        return

    def find_study(self, name: str) -> "DurableStudy | None":
        """The study, if it is there.

        Raises:
            StorageError: the studies cannot be read.
        """
        if name not in self._studies:
            try:
                study = optuna.load_study(study_name=name, storage=self.storage)
            except KeyError:
                return None
            except self.failures as error:
                raise self._unreadable(error) from None
            self._studies[name] = DurableStudy(self, study)
        return self._studies[name]

    def open_study(
        self, name: str, n_objectives: int, identity: Mapping[str, Any], metric_names: Sequence[str] = ()
    ) -> "DurableStudy":
        """Open the study, creating it and recording its identity if it does not exist.

        Args:
            name: of the study.
            n_objectives: all of them are maximised.
            identity: JSON-ready facts that tell this study from another one of the same name.
            metric_names: of the objectives, for Optuna's dashboard.

        Raises:
            StorageError: the studies cannot be read or written.
        """
        with self.exclusively():
            found = self.find_study(name)
            if found is None:
                directions = [StudyDirection.MAXIMIZE] * n_objectives
                try:
                    study = optuna.create_study(storage=self.storage, study_name=name, directions=directions)
                except self.failures as error:
                    raise self._unreadable(error) from None
                found = self._studies[name] = DurableStudy(self, study)
            if found.identity is None and not found.holds_trials():
                self._note_identity(name, identity)
                if metric_names:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                        found.study.set_metric_names(list(metric_names))
        found.digest = str(identity.get("digest", ""))
        return found

    def _note_identity(self, name: str, identity: Mapping[str, Any]) -> None:
        """As a system attribute, which Optuna's dashboard does not show: no person reads it."""
        self.storage.set_study_system_attr(self.storage.get_study_id_from_name(name), IDENTITY, dict(identity))

    def identity_of(self, name: str) -> Any:
        """What was noted of a study as its identity; a user attribute in those of an older version."""
        study = self.storage.get_study_id_from_name(name)
        found = self.storage.get_study_system_attrs(study).get(IDENTITY)
        return self.storage.get_study_user_attrs(study).get(IDENTITY) if found is None else found

    def _unreadable(self, error: Exception) -> StorageError:
        return StorageError(
            f"storage {self.where}: its studies cannot be read or written ({self.reason_of(error)}); mend it, or name "
            "another"
        )


class DurableStudy:
    """A study in its store.

    Attributes:
        study: Optuna's view of it.
        name: in the store.
        digest: of the fingerprint that is searched; trials with another one, or with none, are not of the search.
        readable: numbers of trials → what a person reads of them, noted beside (`k_per_day_BTC`); None: nothing.
    """

    def __init__(self, store: Store, study: optuna.Study) -> None:
        self._store = store
        self.study = study
        self.name = study.study_name
        self.digest = str((self.identity or {}).get("digest", ""))
        self.readable: Callable[[Sequence[Mapping[str, float]]], Sequence[Mapping[str, float]]] | None = None
        self._is_ours: dict[int, bool] = {}  # of the finished trials that have been looked at, by number

    @property
    def identity(self) -> Mapping[str, Any] | None:
        """The facts that it was made with; None of a study that this program did not make."""
        try:
            found = self._store.identity_of(self.name)
        except DAMAGE as error:
            raise RunFolderError(
                f"storage {self._store.where}: study {self.name} cannot be read ({error}); {RESTORE}"
            ) from None
        return found if isinstance(found, Mapping) else None

    def require_objectives(self, number: int) -> None:
        """Refuse a study that does not maximise this many objectives.

        Raises:
            RunFolderError: it was edited, or made by another program.
        """
        try:
            directions = self.study.directions
        except DAMAGE:
            directions = []
        if directions != [StudyDirection.MAXIMIZE] * number:
            raise RunFolderError(
                f"storage {self._store.where}: study {self.name} does not maximise "
                f"{'one objective' if number == 1 else f'{number} objectives'}, as its run does; {RESTORE}"
            )

    def holds_trials(self) -> bool:
        """Whether there is any trial, of whatever program."""
        return bool(self._every_trial())

    def finished(self) -> list[FrozenTrial]:
        """The finished trials of the search, by number; only new ones are read from the store, and checked.

        Raises:
            StudyError: they cannot be read.
            RunFolderError: one of them is not as it was written, or all are of a version that wrote no checksums.
        """
        every = self._every_trial()
        foreign = [trial for trial in every if trial.number not in self._is_ours and not self._look_at(trial)]
        ours = [trial for trial in every if self._is_ours.get(trial.number)]
        foreign = [trial for trial in foreign if trial.state in FINISHED]
        if foreign and not ours and all(_is_of_an_older_version(trial) for trial in foreign):
            raise RunFolderError(
                f"study {self.name}: its trials are of an older momentum-opt and carry no checksums; {ANEW}"
            )
        if foreign:
            warnings.warn(
                f"study {self.name}: {len(foreign)} trial{'s' * (len(foreign) != 1)} of another program or search "
                f"({_numbers(foreign)}) left out of count, sampler, winner and tables",
                ForeignTrialsWarning,
                stacklevel=2,
            )
        return ours

    def _look_at(self, trial: FrozenTrial) -> bool:
        """Whether a trial is of the search; checks one that claims to be."""
        if claims_a_search(trial) and not is_as_written(trial):
            raise RunFolderError(
                f"{self._store.place_of(self.name, trial.number)}: trial {trial.number} of study {self.name} is not as "
                f"it was written (its checksum differs); {RESTORE}"
            )
        ours = is_of(trial, self.digest)
        if trial.state in FINISHED:
            self._is_ours[trial.number] = ours
        return ours

    def _every_trial(self) -> list[FrozenTrial]:
        try:
            return self.study.get_trials(deepcopy=False)
        except self._store.failures as error:
            raise StudyError(
                f"storage {self._store.where}: the trials cannot be read ({self._store.reason_of(error)}); "
                "fix the storage and rerun"
            ) from error
        except DAMAGE as error:
            if isinstance(error, MomentumOptError):
                raise
            raise RunFolderError(
                f"{self._store.place_of_damage(self.study)} of study {self.name} cannot be understood "
                f"({type(error).__name__}: {error}); {RESTORE}"
            ) from error

    def records(self) -> list[TrialRecord]:
        """The finished trials as plain records, by number."""
        return [record_of(trial) for trial in self.finished()]

    def append(self, trials: Sequence[FrozenTrial], expected: int | None = None) -> bool:
        """`Store.append` to this study; `expected` counts the trials of the search."""
        kept = [sealed(one, self.digest) for one in self._as_kept(trials)] if trials else []
        return self._store.append(self.study, kept, self.digest, expected)

    def _as_kept(self, trials: Sequence[FrozenTrial]) -> Iterator[FrozenTrial]:
        """The trials with their readable parameters beside, and what no person reads among the system attributes."""
        told: Sequence[Mapping[str, float]] = (
            [{}] * len(trials) if self.readable is None else self.readable([one.params for one in trials])
        )
        for trial, forms in zip(trials, told, strict=True):
            kept = copy.copy(trial)
            hidden = {BLOCKS: trial.user_attrs[BLOCKS]} if BLOCKS in trial.user_attrs else {}
            kept.system_attrs = {**trial.system_attrs, **hidden}
            kept.user_attrs = {**{key: one for key, one in trial.user_attrs.items() if key not in hidden}, **forms}
            yield kept

    def count_sampled(self) -> int:
        """How many finished trials count towards the study's total: all but screened ones and neighbours."""
        return sum(map(was_sampled, self.finished()))

    def worker(self) -> AbstractContextManager[int]:
        """`Store.worker` of this study."""
        return self._store.worker(self.name)

    @contextmanager
    def sole(self, task: str) -> Generator[bool]:
        """Elect one worker for `task`; no other is elected for as long as the context lasts.

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

    def append(
        self, study: optuna.Study, trials: Sequence[FrozenTrial], digest: str, expected: int | None = None
    ) -> bool:
        """One write for the batch."""
        with self._file.together():
            if expected is not None and count_of(study, digest) != expected:
                return False
            study.add_trials(trials)
        return True

    def names(self) -> list[str]:
        """Of all studies in it."""
        return [study.study_name for study in self.storage.get_all_studies()]

    def place_of(self, name: str, number: int) -> str:
        """The file and the line in it."""
        line = self._file.line_of_trial(self.storage.get_study_id_from_name(name), number)
        return f"{self._file.path}:{line}"

    def place_of_damage(self, study: optuna.Study) -> str:
        """The file, and the line that was read last."""
        del study
        return self._file.place_of_last()

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
    file = storage_file(storage)
    if file is not None and storage.startswith(JOURNAL_SCHEME):
        return JournalStore(file)
    from momentum_opt.study.database import DatabaseStore  # imports SQLAlchemy, which a journal can do without

    return DatabaseStore(storage, folder)


def count_of(study: optuna.Study, digest: str) -> int:
    """How many trials of a study are of the search with this digest."""
    return sum(is_of(trial, digest) for trial in study.get_trials(deepcopy=False))


def _is_of_an_older_version(trial: FrozenTrial) -> bool:
    return BATCH_START in trial.user_attrs or SOURCE in trial.user_attrs


def _numbers(trials: Sequence[FrozenTrial]) -> str:
    """`3, 4, 7, …` for messages."""
    shown = [str(trial.number) for trial in trials[:3]]
    return ", ".join([*shown, *(["…"] if len(trials) > len(shown) else [])])
