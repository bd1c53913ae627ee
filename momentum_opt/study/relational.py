"""Studies in a database (SPEC §12): a batch of finished trials in, rows of Optuna's own tables out.

Optuna adds trials one by one, in a transaction of its own and a dozen queries each (17 ms on PostgreSQL); here a batch
is one transaction, so it is there as a whole or not at all. The tables are taken from the database as they are; where
they are not of the revision this was written for, Optuna adds the trials itself.
"""

import json
import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import blake2b
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from momentum_opt.errors import StorageError
from momentum_opt.passwords import without_password
from momentum_opt.study.places import shown
from momentum_opt.study.sealing import DIGEST

REVISION: Final = "v3.2.0.a"
"""Of the tables that `append_rows` knows: Optuna 3.2 to 5.0."""

DETAILS: Final = ("trial_values", "trial_params", "trial_user_attributes", "trial_system_attributes")
TABLES: Final = ("studies", "trials", *DETAILS)
POSTGRESQL: Final = "postgresql"
BUSY_SECONDS: Final = 60
"""How long a writer of an SQLite file waits for the others."""


def database_url(text: str) -> URL:
    """The URL of a database, with psycopg 3 for PostgreSQL where the URL names no driver.

    Raises:
        StorageError: it is no URL, its driver is not installed, or it names a database that does not last.
    """
    where, masked = shown(text), without_password(text)
    try:
        url = make_url(text)
    except ArgumentError:
        raise StorageError(
            f"storage {where}: not a URL; write postgresql://user@host/name, or sqlite:///file"
        ) from None
    except ValueError:
        raise StorageError(
            f"storage {where}: its port is not a number; write postgresql://user@host:5432/name"
        ) from None
    _check_dialect(url, where)
    if url.drivername in ("postgres", POSTGRESQL):
        url = url.set(drivername=f"{POSTGRESQL}+psycopg")
        try:
            import_module("psycopg")
        except ImportError:
            raise StorageError(
                "storage: the driver of PostgreSQL is not installed; pip install 'momentum-opt[postgres]'"
            ) from None
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise StorageError(f"storage {where}: an in-memory database does not outlive the process; write sqlite:///file")
    if (
        url.get_backend_name() == "sqlite"
        and url.password is None
        and masked.partition("?")[0] != text.partition("?")[0]
    ):
        raise StorageError(f"storage {where}: names a file as a user and a password; write postgresql://, or rename it")
    return url


def _check_dialect(url: URL, where: str) -> None:
    kind = url.get_backend_name()
    if kind == "postgres":  # what others call it; SQLAlchemy does not know it
        return
    try:
        asynchronous = url.get_dialect().is_async
    except (NoSuchModuleError, ImportError):
        raise StorageError(
            f"storage {where}: cannot be opened (unknown kind of database or driver: {url.drivername}); check the URL: "
            "postgresql://user@host/name, or sqlite:///file"
        ) from None
    if asynchronous:
        raise StorageError(f"storage {where}: an asynchronous driver ({url.drivername}) cannot serve; write {kind}://")


def engine_options(url: URL) -> dict[str, Any]:
    """How to connect: patiently to a file, and checking a connection that has been idle before it is used."""
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY_SECONDS}}
    return {"pool_pre_ping": True}


def optuna_storage(url: URL) -> RDBStorage:
    """Optuna's storage in the database; its tables are made where they are not there."""
    return RDBStorage(url.render_as_string(hide_password=False), engine_kwargs=engine_options(url))


def connect(url: URL) -> Engine:
    """Connections of our own to the database."""
    return sa.create_engine(url, **engine_options(url))


def read_tables(engine: Engine) -> sa.MetaData:
    """Optuna's tables, as they are in the database."""
    tables = sa.MetaData()
    tables.reflect(engine, only=TABLES)
    return tables


def append_rows(
    engine: Engine,
    tables: sa.MetaData,
    study_id: int,
    batch: Sequence[FrozenTrial],
    digest: str,
    expected: int | None,
) -> bool:
    """Add finished trials in one transaction, numbered on from those that are there.

    Args:
        engine: of the database.
        tables: from `read_tables`.
        study_id: of the study.
        batch: the trials, sealed.
        digest: of the fingerprint that is searched.
        expected: trials with this digest that the study must hold; None adds to any number.

    Returns:
        Whether they were added: not where the study holds another number than `expected`.
    """
    studies, trials = tables.tables["studies"], tables.tables["trials"]
    of_study = trials.c.study_id == study_id
    with engine.begin() as connection:
        # Changes nothing, and keeps all other writers of this study out until the end of the transaction.
        connection.execute(
            sa.update(studies).where(studies.c.study_id == study_id).values(study_name=studies.c.study_name)
        )
        there = connection.scalar(sa.select(sa.func.count()).select_from(trials).where(of_study)) or 0
        if expected is not None and _count_of(connection, tables, of_study, digest) != expected:
            return False
        _insert(connection, trials, [_trial_row(trial, study_id, there + i) for i, trial in enumerate(batch)])
        new = sa.select(trials.c.trial_id).where(of_study, trials.c.number >= there).order_by(trials.c.number)
        details = [_detail_rows(*one) for one in zip(batch, connection.scalars(new).all(), strict=True)]
        for name in DETAILS:
            _insert(connection, tables.tables[name], [row for rows in details for row in rows[name]])
    return True


def _count_of(connection: Connection, tables: sa.MetaData, of_study: sa.ColumnElement[bool], digest: str) -> int:
    """How many trials of a study are of the search with this digest."""
    trials, attributes = tables.tables["trials"], tables.tables["trial_user_attributes"]
    is_ours = (attributes.c.key == DIGEST) & (attributes.c.value_json == json.dumps(digest))
    joined = trials.join(attributes, trials.c.trial_id == attributes.c.trial_id)
    return connection.scalar(sa.select(sa.func.count()).select_from(joined).where(of_study, is_ours)) or 0


def _insert(connection: Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def _trial_row(trial: FrozenTrial, study_id: int, number: int) -> dict[str, Any]:
    return {
        "number": number,
        "study_id": study_id,
        "state": trial.state.name,
        "datetime_start": _utc(trial.datetime_start),
        "datetime_complete": _utc(trial.datetime_complete),
    }


def _detail_rows(trial: FrozenTrial, trial_id: int) -> dict[str, list[dict[str, Any]]]:
    values = list(trial.values or ())
    if not all(map(math.isfinite, values)):
        raise ValueError(f"`values` of a complete trial must be finite, but are {values}")
    return {
        "trial_values": [
            {"trial_id": trial_id, "objective": place, "value": value, "value_type": "FINITE"}
            for place, value in enumerate(values)
        ],
        "trial_params": [
            {
                "trial_id": trial_id,
                "param_name": name,
                "param_value": trial.distributions[name].to_internal_repr(value),
                "distribution_json": distribution_to_json(trial.distributions[name]),
            }
            for name, value in trial.params.items()
        ],
        "trial_user_attributes": _attribute_rows(trial.user_attrs, trial_id),
        "trial_system_attributes": _attribute_rows(trial.system_attrs, trial_id),
    }


def _attribute_rows(attributes: dict[str, Any], trial_id: int) -> list[dict[str, Any]]:
    return [{"trial_id": trial_id, "key": key, "value_json": json.dumps(value)} for key, value in attributes.items()]


def _utc(time: datetime | None) -> datetime | None:
    """Local time without zone, as Optuna's trials have it, to UTC without zone, as its tables have it."""
    return None if time is None else time.astimezone(UTC).replace(tzinfo=None)


@contextmanager
def advisory_session(engine: Engine) -> Generator[Connection]:
    """A PostgreSQL connection for locks; where its machine dies, the server lets go of them within a minute."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for setting in ("tcp_keepalives_idle = 30", "tcp_keepalives_interval = 10", "tcp_keepalives_count = 3"):
            connection.execute(sa.text(f"SET {setting}"))
        yield connection


@contextmanager
def advisory_lock(engine: Engine, what: str) -> Generator[None]:
    """Wait until no other PostgreSQL session holds the lock named `what`, and hold it."""
    with advisory_session(engine) as session:
        session.execute(sa.select(sa.func.pg_advisory_lock(_key(what))))
        try:
            yield
        finally:
            _unlock(session, what)


@contextmanager
def first_free_number(engine: Engine, what: str) -> Generator[int]:
    """Hold the first of the locks `what` 0, 1, … that no other PostgreSQL session holds; its number."""
    with advisory_session(engine) as session:
        free = (i for i in count() if session.scalar(sa.select(sa.func.pg_try_advisory_lock(_key(f"{what} {i}")))))
        number = next(free)
        try:
            yield number
        finally:
            _unlock(session, f"{what} {number}")


def _unlock(session: Connection, what: str) -> None:
    with suppress(SQLAlchemyError):  # a connection that is gone holds no lock
        session.execute(sa.select(sa.func.pg_advisory_unlock(_key(what))))


def _key(what: str) -> int:
    return int.from_bytes(blake2b(f"momentum-opt: {what}".encode(), digest_size=8).digest(), "big", signed=True)


def reason_of(error: BaseException) -> str:
    """The first line of what went wrong underneath."""
    while isinstance(error.__cause__, SQLAlchemyError):
        error = error.__cause__
    origin = getattr(error, "orig", None) or error.__cause__ or error
    return (str(origin).splitlines() or [type(origin).__name__])[0]


def database_file(url: URL) -> Path | None:
    """The file of an SQLite database; None of any other."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
