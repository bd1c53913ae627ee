"""Trials of a search, their checksums, and everything else that may stand in the same study (SPEC §12)."""

import json
import random
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from momentum_opt.errors import RunFolderError
from momentum_opt.study.relational import database_url
from momentum_opt.study.sealing import CHECKSUM, DIGEST, checksum, sealed
from momentum_opt.study.storage import DurableStudy, ForeignTrialsWarning, Store, open_store
from momentum_opt.study.trials import BATCH_START
from tests.postgres import needs_postgres, server

OURS = "0" * 64
SPACE = {"log_k_BTC": FloatDistribution(-6.6, 12.0), "logit_lamb_BTC": FloatDistribution(-3.0, 3.0)}


def trial(number: int) -> FrozenTrial:
    """One that holds whatever ours hold; every fourth has failed."""
    failed = number % 4 == 3
    attributes = {BATCH_START: 0, "worker": 0, "train": {"returns": number / 7, "calmar": None}, "blocks": "QUJD" * 9}
    return create_trial(
        state=TrialState.FAIL if failed else TrialState.COMPLETE,
        values=None if failed else [number / 3],
        params={"log_k_BTC": number / 3, "logit_lamb_BTC": -0.0},
        distributions=SPACE,
        user_attrs=attributes | ({"fail_reason": "é – none"} if failed else {}),
        system_attrs={"NSGAIISampler:generation": number // 4},
    )


_opened: list[DurableStudy] = []


def opened(url: str, folder: Path, digest: str = OURS) -> DurableStudy:
    study = open_store(url, folder).open_study("one", 1, {"digest": digest})
    _opened.append(study)
    return study


@pytest.fixture(autouse=True)
def _close_what_was_opened() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Callable[[], str]]:
    """Makes one empty database after the other on one server."""
    with server() as url:
        numbers = count()

        def another() -> str:
            name = f"test_{next(numbers)}"
            engine = sa.create_engine(database_url(url), isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(sa.text(f"CREATE DATABASE {name}"))
            engine.dispose()
            return f"{url.rpartition('/')[0]}/{name}"

        yield another


@pytest.fixture(params=["journal", "sqlite", pytest.param("postgresql", marks=[needs_postgres, pytest.mark.slow])])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("postgres")()
    return f"sqlite:///{tmp_path}/study.db" if request.param == "sqlite" else f"journal://{tmp_path}/study.journal"


def test_every_trial_is_sealed_and_read_back(url: str, tmp_path: Path):
    study = opened(url, tmp_path)
    study.append([trial(number) for number in range(8)])
    found = opened(url, tmp_path).finished()
    assert [one.number for one in found] == list(range(8))
    assert all(one.user_attrs[DIGEST] == OURS and one.user_attrs[CHECKSUM] == checksum(one) for one in found)
    assert [one.values for one in found] == [one.values for one in map(trial, range(8))]


def change(trial: FrozenTrial, name: str, value: Any) -> FrozenTrial:
    setattr(trial, name, value)
    return trial


@pytest.mark.parametrize(
    "changed",
    [
        lambda one: change(one, "values", [1.0000000000000002 * one.values[0]]),
        lambda one: change(one, "params", {**one.params, "log_k_BTC": 0.1}),
        lambda one: change(one, "distributions", {**SPACE, "log_k_BTC": FloatDistribution(-6.7, 12.0)}),
        lambda one: change(one, "system_attrs", {"NSGAIISampler:generation": 9}),
        lambda one: change(one, "user_attrs", {**one.user_attrs, "worker": 1}),
        lambda one: change(one, "user_attrs", {**one.user_attrs, "blocks": "QUJE" * 9}),
        lambda one: change(one, "user_attrs", {**one.user_attrs, "a new one": 1}),
        lambda one: change(one, "user_attrs", {**one.user_attrs, DIGEST: "1" * 64}),
        lambda one: change(one, "user_attrs", {key: value for key, value in one.user_attrs.items() if key != CHECKSUM}),
        lambda one: change(one, "user_attrs", {key: value for key, value in one.user_attrs.items() if key != DIGEST}),
    ],
    ids=["value", "parameter", "range", "generation", "worker", "blocks", "more", "digest", "no checksum", "no digest"],
)
def test_any_change_is_refused(changed: Callable[[FrozenTrial], FrozenTrial], url: str, tmp_path: Path):
    study = opened(url, tmp_path)
    study.append([trial(0)])
    study.study.add_trial(changed(sealed(trial(1), OURS)))
    study.append([trial(2)])
    with pytest.raises(RunFolderError, match=r"trial 1 of study one is not as it was written .*; restore") as caught:
        opened(url, tmp_path).finished()
    where = "study.journal:4: trial 1" if url.startswith("journal") else f"storage {url}: trial 1"
    assert where in str(caught.value)


def add_foreign(study: optuna.Study) -> None:
    """Trials that another program adds: by asking, whole, failed, pruned, and one that never ends."""
    study.enqueue_trial({"log_k_BTC": 1.0})
    study.ask(SPACE)
    study.tell(study.ask(SPACE), 1e9)
    study.tell(study.ask(SPACE), state=TrialState.FAIL)
    study.tell(study.ask(SPACE), state=TrialState.PRUNED)
    study.add_trial(create_trial(value=0.01, params=trial(0).params, distributions=SPACE))
    study.add_trial(create_trial(value=0.02, user_attrs=dict(trial(0).user_attrs)))


def test_trials_of_other_programs_and_searches_are_left_out(url: str, tmp_path: Path):
    study = opened(url, tmp_path)
    study.append([trial(0), trial(1)])
    add_foreign(study.study)
    study.study.add_trial(sealed(trial(5), "f" * 64))
    assert study.append([trial(2), trial(3)], expected=2)
    assert not study.append([trial(2), trial(3)], expected=2)
    again = opened(url, tmp_path)
    with pytest.warns(ForeignTrialsWarning, match=r"study one: 5 trials of another program .* left out of") as said:
        assert [one.params["log_k_BTC"] for one in again.finished()] == [0.0, 1 / 3, 2 / 3, 1.0]
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [record.number for record in again.records()] == [0, 1, 9, 10]
        assert again.count_sampled() == 4


def test_a_study_of_an_older_version_is_refused(url: str, tmp_path: Path):
    study = opened(url, tmp_path)
    study.study.add_trials([trial(0), trial(1)])
    with pytest.raises(RunFolderError, match=r"older momentum-opt and carry no checksums; begin anew with another"):
        opened(url, tmp_path).finished()


def contents(study: DurableStudy) -> list[Any]:
    names = ("number", "state", "values", "params", "distributions", "user_attrs", "system_attrs")
    return [[getattr(one, name) for name in names] for one in study.finished()]


def test_every_byte_of_a_journal_counts(tmp_path: Path):
    """A changed byte is refused by line, is cut off as a torn tail, or changes nothing that is read."""
    study = opened(f"journal://{tmp_path}/study.journal", tmp_path)
    study.append([trial(number) for number in range(4)])
    study.append([trial(number) for number in range(4, 6)])
    sound, path = contents(study), tmp_path / "damaged.journal"
    raw = (tmp_path / "study.journal").read_bytes()
    draw = random.Random(0)
    first = raw.index(b"\n") + 1  # whose study this is, is compared elsewhere
    refused = kept = 0
    for place in draw.sample(range(first, len(raw)), 300):
        other = draw.choice([one for one in b'0123456789abcdefxyz"{}[],:.-+ E' if one != raw[place]])
        path.write_bytes(raw[:place] + bytes([other]) + raw[place + 1 :])
        line = raw[:place].count(b"\n") + 1
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                found = contents(opened(f"journal://{path}", tmp_path))
        except RunFolderError as error:
            refused += line == 2 or f"damaged.journal:{line}: " in str(error)
            continue
        kept += 1
        assert found == sound or "torn" in str(said[0].message), (raw[place - 20 : place + 9], chr(other))
    assert refused > 200
    assert refused + kept == 300


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("UPDATE trial_values SET value = 9 WHERE trial_id = 3", 2),
        ("UPDATE trial_params SET param_value = 0.2 WHERE trial_id = 3 AND param_name = 'log_k_BTC'", 2),
        ("UPDATE trial_params SET distribution_json = '{' WHERE trial_id = 2", 1),
        ("UPDATE trial_system_attributes SET value_json = '\"*\"' WHERE trial_id = 3 AND key = 'blocks'", 2),
        ("UPDATE trial_system_attributes SET value_json = '\"QUJ' WHERE trial_id = 3 AND key = 'blocks'", 2),
        ("UPDATE trials SET state = 'RUNNING' WHERE trial_id = 2", 1),
        ("UPDATE trials SET state = 'NONE' WHERE trial_id = 2", 1),
        ("DELETE FROM trial_params WHERE trial_id = 1", 0),
    ],
)
def test_a_changed_row_of_a_database(statement: str, number: int, tmp_path: Path):
    url = f"sqlite:///{tmp_path}/study.db"
    opened(url, tmp_path).append([trial(number) for number in range(4)])
    with sqlite3.connect(tmp_path / "study.db") as connection:
        connection.execute(statement)
    connection.close()
    with pytest.raises(RunFolderError, match=rf"storage {url}: trial {number} of study one .*; restore the storage"):
        opened(url, tmp_path).finished()


def test_another_trial_number_is_no_damage(tmp_path: Path):
    """Trials of several workers are numbered when they are written."""
    url = f"journal://{tmp_path}/study.journal"
    one, other = opened(url, tmp_path), opened(url, tmp_path)
    one.append([trial(0)])
    other.append([trial(1)])
    one.append([trial(2)])
    assert [found.number for found in other.finished()] == [0, 1, 2]


def test_a_checksum_costs_little():
    one = sealed(trial(0), OURS)
    one.user_attrs["blocks"] = "Q" * 1200
    began = time.process_time()
    for _ in range(1000):
        checksum(one)
    assert time.process_time() - began < 0.4  # 0.05 s where nothing else runs


def test_attributes_are_plain():
    """Anybody's JSON gives the same checksum: nothing in it depends on Python's order of keys."""
    one = sealed(trial(2), OURS)
    turned = sealed(trial(2), OURS)
    turned.user_attrs = dict(reversed(one.user_attrs.items()))
    assert checksum(turned) == one.user_attrs[CHECKSUM]
    turned.user_attrs = json.loads(json.dumps(one.user_attrs))
    assert checksum(turned) == one.user_attrs[CHECKSUM]


def test_a_store_of_several_studies(tmp_path: Path):
    store: Store = open_store(f"journal://{tmp_path}/study.journal", tmp_path)
    one, other = (store.open_study(name, 1, {"digest": OURS}) for name in ("one", "other"))
    other.append([trial(0), trial(1)])
    one.append([trial(0), trial(1)])
    text = (tmp_path / "study.journal").read_text().splitlines(keepends=True)
    text[-1] = text[-1].replace('"worker":0', '"worker":1')
    (tmp_path / "study.journal").write_text("".join(text))
    with pytest.raises(RunFolderError, match=r"study\.journal:8: trial 1 of study one is not as it was written"):
        opened(f"journal://{tmp_path}/study.journal", tmp_path).finished()
