"""Work that one of several workers does while the others wait (SPEC §12): a storage and a task in, a claim out.

A claim is a small study of its own beside the real one: of two workers that create a study of the same name, every
storage turns one away. A claim whose worker has died is passed over, and all of them are removed when the work is done.
"""

import os
import socket
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection

STALE_SECONDS: Final = 300.0
"""How long a claim may go without a sign of life before it is taken for that of a dead worker."""

HOLDER = "holder"
BEATS = "beats"


@dataclass
class Claim:
    """A task that this worker has taken on; use it as a context."""

    storage: BaseStorage
    task: str
    study_id: int
    beats: int = 0

    def beat(self) -> None:
        """Give a sign of life."""
        self.beats += 1
        self.storage.set_study_user_attr(self.study_id, BEATS, self.beats)

    def __enter__(self) -> "Claim":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for study_id in claims_on(self.storage, self.task).values():
            self.storage.delete_study(study_id)


def claims_on(storage: BaseStorage, task: str) -> dict[str, int]:
    """Name → study of every claim on a task, the newest last."""
    names = sorted(study.study_name for study in storage.get_all_studies())
    return {name: storage.get_study_id_from_name(name) for name in names if name.startswith(f"{task}, claim ")}


class Claimant:
    """Tries to take on a task; remembers how long the present holder has been silent."""

    def __init__(self, storage: BaseStorage, task: str) -> None:
        self._storage = storage
        self._task = task
        self._seen: tuple[str, int] | None = None
        self._since = time.monotonic()

    def take(self) -> Claim | None:
        """The claim, or None while another worker holds it."""
        held = claims_on(self._storage, self._task)
        if held and not self._is_dead(*list(held.items())[-1]):
            return None
        try:
            study_id = self._storage.create_new_study([StudyDirection.MAXIMIZE], f"{self._task}, claim {len(held):06}")
        except DuplicatedStudyError:
            return None
        self._storage.set_study_user_attr(study_id, HOLDER, [socket.gethostname(), os.getpid()])
        return Claim(self._storage, self._task, study_id)

    def _is_dead(self, name: str, study_id: int) -> bool:
        try:
            attributes = self._storage.get_study_user_attrs(study_id)
        except KeyError:  # just removed: the work is done
            return False
        host, pid = attributes.get(HOLDER, (None, 0))
        if host == socket.gethostname() and not _is_alive(pid):
            return True
        sign = (name, attributes.get(BEATS, 0))
        if sign != self._seen:
            self._seen, self._since = sign, time.monotonic()
        return time.monotonic() - self._since > STALE_SECONDS


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
