"""Stores: journal, SQLite and PostgreSQL, each against what Optuna itself writes and reads."""

import math
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from momentum_opt.errors import StorageError, StudyError
from momentum_opt.study import relational
from momentum_opt.study.database import DatabaseStore
from momentum_opt.study.sealing import sealed
from momentum_opt.study.storage import ForeignTrialsWarning, Store, open_store
from tests.postgres import needs_postgres, server
from tests.sample_runs import environment

Open = Callable[[], Store]
KINDS = ["journal", "sqlite", pytest.param("postgresql", marks=[needs_postgres, pytest.mark.slow])]


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("postgres")
    return f"sqlite:///{tmp_path}/study.db" if request.param == "sqlite" else f"journal://{tmp_path}/study.journal"


@pytest.fixture
def open_it(url: str, tmp_path: Path) -> Iterator[Open]:
    opened: list[Store] = []

    def again() -> Store:
        opened.append(open_store(url, tmp_path))
        return opened[-1]

    yield again
    for store in opened:
        store.close()


def name_of(request: pytest.FixtureRequest) -> str:
    return request.node.name


def trials(count: int, seed: int = 0) -> list[FrozenTrial]:
    """Complete and failed trials with all that ours carry."""
    source = optuna.create_study(sampler=optuna.samplers.CmaEsSampler(popsize=4, seed=seed), direction="maximize")
    space = {"log_k": FloatDistribution(-6.6, 12.0), "rate": FloatDistribution(1e-3, 1.0, log=True)}
    for number in range(count):
        trial = source.ask(space)
        trial.set_user_attr("train", {"returns": number / 7, "calmar": None, "é": "–"})
        trial.set_user_attr("sums", [math.pi * place for place in range(80)])
        if number % 5 == 4:
            source.tell(trial, state=TrialState.FAIL)
        else:
            source.tell(trial, trial.params["log_k"] / 3)
    return source.trials


def contents(trial: FrozenTrial) -> dict[str, Any]:
    names = ("number", "state", "values", "params", "distributions", "user_attrs", "system_attrs")
    return {name: getattr(trial, name) for name in names} | {
        "start": trial.datetime_start, "complete": trial.datetime_complete, "order": list(trial.params)
    }  # fmt: skip


def test_a_batch_is_what_optuna_would_have_written(open_it: Open, request: pytest.FixtureRequest):
    name, store = name_of(request), open_it()
    batch = trials(12)
    study = store.open_study(name, 1, {"seed": 0, "digest": "a digest"})
    assert study.append(batch[:7])
    assert study.append(batch[7:])
    slow = optuna.create_study(storage=store.storage, study_name=f"{name}, Optuna's", direction="maximize")
    batch = [sealed(one, "a digest") for one in batch]
    slow.add_trials(batch)
    ours = optuna.load_study(study_name=name, storage=open_it().storage)
    assert [contents(one) for one in ours.trials] == [contents(one) for one in slow.trials]
    assert [contents(one) for one in ours.trials] == [contents(one) for one in batch]
    assert ours.best_trial.number == max(ours.trials, key=lambda one: one.value or -math.inf).number
    ours.add_trial(create_trial(value=1.0))  # and Optuna can go on with it
    with pytest.warns(ForeignTrialsWarning, match=r"1 trial of another program or search \(12\) left out"):
        assert [one.number for one in study.finished()] == list(range(12))
    assert study.append(batch[:2], expected=12)  # the other one does not count
    assert [one.number for one in study.finished()] == [*range(12), 13, 14]


def test_what_the_dashboard_shows_and_what_not(open_it: Open, request: pytest.FixtureRequest):
    study = open_it().open_study(name_of(request), 2, {}, ["returns", "minus turnover"])
    study.readable = lambda rows: [{"k_per_day_BTC": 2 * row["k"]} for row in rows]
    attributes = {"train_returns": 0.5, "blocks": "AAAA"}
    study.append([
        create_trial(values=[1.0, 2.0], params={"k": 3.0}, distributions={"k": FloatDistribution(0, 9)},
                     user_attrs=attributes, system_attrs={"generation": 4})
    ])  # fmt: skip
    again = open_it().open_study(name_of(request), 2, {}, ["returns", "minus turnover"])
    assert again.study.metric_names == ["returns", "minus turnover"]
    (trial,) = again.finished()
    assert {"train_returns": 0.5, "k_per_day_BTC": 6.0}.items() <= trial.user_attrs.items()
    assert "blocks" not in trial.user_attrs
    assert trial.system_attrs == {"generation": 4, "blocks": "AAAA"}
    (record,) = again.records()
    assert (record.blocks, record.train) == ("AAAA", {"returns": 0.5})


def test_several_objectives(open_it: Open, request: pytest.FixtureRequest):
    study = open_it().open_study(name_of(request), 3, {})
    study.append([create_trial(values=[1.0, 2.0, -3.0]), create_trial(state=TrialState.FAIL)])
    good, bad = open_it().open_study(name_of(request), 3, {}).study.trials
    assert good.values == [1.0, 2.0, -3.0]
    assert (bad.values, bad.state) == (None, TrialState.FAIL)


def test_nothing_is_added_to_another_number_of_trials(open_it: Open, request: pytest.FixtureRequest):
    study = open_it().open_study(name_of(request), 1, {})
    assert study.append(trials(4), expected=0)
    assert not study.append(trials(4), expected=0)
    assert study.append(trials(2), expected=4)
    assert len(study.finished()) == 6


def test_the_first_identity_is_kept(open_it: Open, request: pytest.FixtureRequest):
    name = name_of(request)
    assert open_it().find_study(name) is None
    assert open_it().open_study(name, 1, {"seed": 0}).identity == {"seed": 0}
    assert open_it().open_study(name, 1, {"seed": 1}).identity == {"seed": 0}
    optuna.create_study(storage=open_it().storage, study_name=f"{name}, foreign").add_trial(create_trial(value=1.0))
    assert open_it().open_study(f"{name}, foreign", 1, {"seed": 1}).identity is None


def test_workers_are_numbered(open_it: Open, request: pytest.FixtureRequest):
    one, other = (open_it().open_study(name_of(request), 1, {}) for _ in range(2))
    with one.worker() as first:
        with other.worker() as second, one.worker() as third:
            assert [first, second, third] == [0, 1, 2]
        with other.worker() as again:
            assert again == 1
    with other.worker() as alone, open_it().open_study("another", 1, {}).worker() as elsewhere:
        assert (alone, elsewhere) == (0, 0)


HOLD = """
import sys
from pathlib import Path
from momentum_opt.study.storage import open_store
with open_store(sys.argv[1], Path(sys.argv[2])).open_study(sys.argv[3], 1, {}).worker() as number:
    print(number, flush=True)
    sys.stdin.read()
"""


def test_the_number_of_a_killed_worker_is_free_at_once(
    url: str, open_it: Open, request: pytest.FixtureRequest, tmp_path: Path
):
    command = [sys.executable, "-c", HOLD, url, str(tmp_path), name_of(request)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "0\n"
        study = open_it().open_study(name_of(request), 1, {})
        with study.worker() as number:
            assert number == 1
        holder.kill()
    deadline = time.monotonic() + 5
    while True:
        with study.worker() as number:
            if number == 0 or time.monotonic() > deadline:
                break
    assert number == 0


def test_batches_of_many_at_once_do_not_mix(open_it: Open, request: pytest.FixtureRequest):
    name = name_of(request)
    open_it().open_study(name, 1, {})
    batch = [create_trial(value=float(value)) for value in range(5)]

    def work() -> None:
        study = open_it().open_study(name, 1, {})
        for _ in range(6):
            study.append(batch)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = open_it().open_study(name, 1, {}).finished()
    assert [one.number for one in found] == list(range(120))
    assert [one.value for one in found] == [0.0, 1.0, 2.0, 3.0, 4.0] * 24


@needs_postgres
@pytest.mark.slow
def test_a_server_that_goes_away(tmp_path: Path):
    with server() as url:
        store = open_store(url, tmp_path)
        study = store.open_study("one", 1, {})
        claim = study.worker()
        claim.__enter__()
        study.append(trials(2))
    with pytest.raises(StudyError, match=r"could not save the last batch \(.*; earlier trials are safe"):
        study.append(trials(2))
    with pytest.raises(StudyError, match=r"the trials cannot be read \(.*; fix the storage"):
        study.finished()
    claim.__exit__(None, None, None)
    store.close()


def test_tables_of_another_revision_are_left_to_optuna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(relational, "REVISION", "v99")
    store = open_store(f"sqlite:///{tmp_path}/study.db", tmp_path)
    study = store.open_study("one", 1, {})
    monkeypatch.setattr(relational, "append_rows", None)
    assert study.append(trials(2), expected=0)
    assert not study.append(trials(2), expected=0)
    assert len(study.finished()) == 2
    store.close()


def test_a_machine_of_its_own_where_the_database_has_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = open_store(f"sqlite:///{tmp_path}/study.db", tmp_path / "run")
    monkeypatch.setattr(store, "_file", None)
    with store.worker("one") as first, store.worker("one") as second:
        assert second == first + 1
    assert first > 0
    store.close()


def test_a_database_that_is_locked_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(relational, "BUSY_SECONDS", 0.1)
    store = open_store(f"sqlite:///{tmp_path}/study.db", tmp_path)
    study = store.open_study("one", 1, {})
    study.append(trials(2))
    other = sqlite3.connect(tmp_path / "study.db")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StudyError, match=r"could not save the last batch \(database is locked\); earlier trials"):
        study.append(trials(2))
    other.close()
    assert len(study.finished()) == 2
    store.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense://nowhere", r"storage nonsense://nowhere: cannot be opened .*; check the URL"),
        (
            "postgresql://me:secret@127.0.0.1:1/x",
            r"postgresql://me:\*\*\*@127\.0\.0\.1:1/x: cannot be opened \(connect",
        ),
        ("sqlite:////nowhere/at/all.db", "there is no folder /nowhere/at; make it"),
        ("sqlite://", "does not outlive the process"),
        ("sqlite:///:memory:", "does not outlive the process"),
        ("sqlite:////proc/mine.db", "cannot be opened"),
        ("journal://", "names no file"),
    ],
)
def test_a_storage_that_cannot_be_opened(url: str, said: str, tmp_path: Path):
    with pytest.raises(StorageError, match=said) as caught:
        open_store(url, tmp_path)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StorageError, match=r"pip install 'momentum-opt\[postgres\]'"):
        DatabaseStore("postgresql://nowhere/x", tmp_path)
