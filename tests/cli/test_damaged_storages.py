"""Damaged inputs, continued: places and URLs where a study cannot be kept, and studies with changed trials."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from momentum_opt.api import opening
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.results.run_folder import run_identity
from momentum_opt.study.storage import JournalStore, open_store
from tests.cli.damage import Site, replaced
from tests.cli.test_damaged_inputs import Row, assert_refused, each, site, sound  # noqa: F401  # fixtures
from tests.study.test_sealing import trial

Setup = Callable[[Path], object]

SERVERS = [
    ("a port that is a word", "postgresql://u@h:abc/db", r"its port is not a number; write postgresql://"),
    ("a port of many digits", f"postgresql://u@127.0.0.1:{'9' * 5000}/db", r"its port is not a number; write"),
    ("a port out of range", "postgresql://u@127.0.0.1:99999999/db", r"invalid port number.*; check the URL"),
    ("a negative port", "postgresql://u@127.0.0.1:-5/db", r"cannot be opened \(.*; check the URL"),
    ("an open bracket", "postgresql://u@[::1/db", r"its port is not a number; write"),
    ("IPv6, nobody there", "postgresql://u@[::1]:1/db", r"cannot be opened \(.*; check the URL and the server"),
    ("nobody there", "postgresql://u@127.0.0.1:1/db", r"cannot be opened \(.*; check the URL and the server"),
    ("an unknown option", "postgresql://u@127.0.0.1:1/db?nonsense=1", r"option \"nonsense\"\); check the URL"),
    ("no scheme", "://u@h/db", r"not a URL; write postgresql://user@host/name, or sqlite:///file"),
    ("an unknown database", "nonsense://u@h/db", r"unknown kind of database or driver: nonsense\); check the URL"),
    ("an unknown driver", "postgresql+nonsense://u@h/db", r"driver: postgresql\+nonsense\); check the URL"),
    ("a driver that is not there", "mysql+pymysql://u@h/db", r"its driver is not installed \(.*pymysql.*; install it"),
    ("an asynchronous driver", "postgresql+asyncpg://u@h/db", r"an asynchronous driver .* cannot serve; write"),
    ("a web page", "https://optuna.org/studies", r"unknown kind of database or driver: https\); check"),
    ("in memory", "sqlite://", r"an in-memory database does not outlive the process; write sqlite:///file"),
    ("a file on a host", "sqlite://host/file", r"cannot be opened \(Invalid SQLite URL.*; check the URL"),
    ("a password left out", "postgresql://u:***@h/db", r"its password was left out .*; give the whole URL with"),
    ("a password left out of a query", "postgresql://h/db?password=***", r"its password was left out .*; give the"),
    ("a journal without a name", "journal://", r"names no file; write journal:///path/to/file"),
    ("a journal on a host", "journal://u:x@h/file", r"storage journal://u:\*\*\*@h/file: names no file; write"),
]


@pytest.mark.parametrize(("url", "said"), [row[1:] for row in SERVERS], ids=[row[0] for row in SERVERS])
@pytest.mark.parametrize("command", ["tune", "walk-forward"])
def test_urls(command: str, url: str, said: str, site: Site, capsys: pytest.CaptureFixture[str]):  # noqa: F811
    folds = ["--set", "walk_forward={train_days: 6, test_days: 4}", "--set", "window.validation_fraction=0"]
    arguments = [command, site.config, "--storage", url, "--run-dir", site.folder / "new"]
    assert_refused(site, "storage", said, capsys, *arguments, *(folds if command == "walk-forward" else []))


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("", r"--storage '': neither a URL nor a path; write"),
        ("  ", r"neither a URL nor a path; write"),
        ("postgresql:/u@h/db", r"--storage 'postgresql:/u@h/db': neither a URL nor a path; write"),
        ("postgresql:u@h", r"neither a URL nor a path; write"),
        ("sqlite:file.db", r"neither a URL nor a path; write"),
        ("u:x@h/db", r"--storage 'u:\*\*\*@h/db': neither a URL nor a path; write"),
        ("host=h password=x", r"password=\*\*\*': neither a URL nor a path; write"),
    ],
)
def test_what_is_neither_url_nor_path(storage: str, said: str, site: Site, capsys: pytest.CaptureFixture[str]):  # noqa: F811
    assert_refused(site, "--storage", said, capsys, "tune", site.config, "--storage", storage)


def test_a_path_with_a_colon(site: Site):  # noqa: F811
    from momentum_opt.cli.plan import storage_text

    assert storage_text("./runs:1.journal") == f"journal://{site.folder}/runs:1.journal"
    assert storage_text("a b.journal") == f"journal://{site.folder}/a b.journal"


def _folder(place: Path) -> None:
    place.mkdir()


def _pipe(place: Path) -> None:
    os.mkfifo(place)


def _link(place: Path) -> None:
    place.symlink_to(place.parent / "nowhere" / "at all")


def _loop(place: Path) -> None:
    place.symlink_to(place)


def _text(place: Path) -> None:
    place.write_text("no study\n" * 99)


def _other_tables(place: Path) -> None:
    with sqlite3.connect(place) as connection:
        connection.execute("CREATE TABLE studies (a)")
    connection.close()


def _nothing(place: Path) -> None:
    del place


PLACES: list[tuple[str, Setup, str, str, str]] = [
    ("a folder", _folder, "place", r"is a folder; name a file in it", r"is a folder; name a file in it"),
    ("a pipe", _pipe, "place", r"is no regular file; name another", r"is no regular file; name another"),
    ("a dead link", _link, "place", r"cannot be .*; give another", r"cannot be opened .*; check"),
    ("a link to itself", _loop, "place", r"cannot be .*; (give|name) another", r"cannot be opened .*; (check|name)"),
    ("a text", _text, "place", r"no journal of a study; give", r"cannot be opened \(file is not a database\); check"),
    ("other tables", _other_tables, "place", r"no journal of a study; give", r"its studies cannot be read .*; mend it"),
    ("no such folder", _nothing, "none/place", r"there is no folder .*; make it", r"there is no folder .*; make it"),
    ("in a file", _text, "place/x", r"; (make it|name another)", r"; (make it|name another)"),
    ("a long name", _nothing, "x" * 300, r"File name too long\); name another", r"File name too long\); name another"),
    ("a device", _nothing, "/dev/null", r"is no regular file; name another", r"is no regular file; name another"),
]


@pytest.mark.parametrize("kind", ["path", "journal", "sqlite"])
@pytest.mark.parametrize("resume", [False, True], ids=["new", "resumed"])
@pytest.mark.parametrize("name", [row[0] for row in PLACES])
def test_places(name: str, kind: str, resume: bool, site: Site, capsys: pytest.CaptureFixture[str]):  # noqa: F811
    (_, setup, file, said_by_journal, said_by_database) = next(row for row in PLACES if row[0] == name)
    setup(site.folder / "place")
    place = site.folder / file
    storage = {"path": place, "journal": f"journal://{place}", "sqlite": f"sqlite:///{place}"}[kind]
    said = said_by_database if kind == "sqlite" else said_by_journal
    if resume:
        said = rf"({said}|nothing to resume: no such file; leave)"
    arguments = ["tune", site.config, "--run-dir", site.folder / "new", "--storage", storage]
    before = {path.name for path in site.folder.iterdir()}
    try:
        assert_refused(site, "", said, capsys, *arguments, *(["--resume"] * resume))
    except AssertionError:
        left = {path.name for path in site.folder.iterdir()} - before
        if not left or left - {".place.lock"}:  # SQLite's own files are looked at under a lock beside them
            raise


def _studied(site: Site, url: str) -> None:  # noqa: F811
    """A study of the site's configuration, with four sound trials."""
    fingerprint = load_fingerprint(site.config)
    market = opening.market_of(fingerprint)
    store = JournalStore(site.journal) if url == "journal" else open_store(url, site.run)
    study = store.open_study("config", 1, run_identity(fingerprint, market))
    study.append([trial(number) for number in range(3)])
    store.close()


CHANGES = [
    Row("a digit of a value", replaced('"value":0.3333333333333333', '"value":0.8333333333333333'), r":4: trial 1 "),
    Row("a digit of a parameter", replaced('"log_k_BTC":0.3333333333333333', '"log_k_BTC":0.3'), r":4: trial 1 of st"),
    Row("a metric", replaced('"returns":0.14285714285714285', '"returns":9.14285714285714285'), r":4: trial 1 of st"),
    Row("a block statistic", replaced('"blocks":"QUJD', '"blocks":"*UJD'), r":3: trial 0 of study config is not as it"),
    Row("another block", replaced('"blocks":"QUJD', '"blocks":"QUJE'), r":3: trial 0 of study config is not as it was"),
    Row("the checksum", replaced('"content_checksum":"', '"content_checksum":"0'), r":3: trial 0 of study config is n"),
    Row("no checksum", replaced('"content_checksum"', '"content_checksun"'), r":3: trial 0 of study config is not as"),
    Row("no digest", replaced('"fingerprint_digest"', '"fingerprint_digesd"'), r":3: trial 0 of study config is not"),
    Row("a worker", replaced('"worker":0', '"worker":1'), r":3: trial 0 of study config is not as it was written"),
    Row("the state", replaced('"state":1', '"state":0'), r":3: trial 0 of study config is not as it was written"),
    Row("failed", replaced('"state":1', '"state":3'), r":3: trial 0 "),
    Row("a range", replaced('-6.6', '-7.6'), r":3: trial 0 of study config is not as it was written"),
    Row("the name of a range", replaced("FloatDistribution", "FloatDistributiom"), r":3: trial 0 cannot be understood"),
    Row("its attributes", replaced('"user_attrs"', '"user_attr5"'), r":3: trial 0 is not as it was written"),
    Row("its study", replaced('"study_id":0,"datetime', '"study_id":7,"datetime'), r":3: trial of no study is not as"),
    Row("its kind", replaced('{"op_code":4', '{"op_code":1'), r":3: trial 0 is not as it was written"),
    Row("the name of the study", replaced('"study_name":"config"', '"study_name":"confug"'), r"holds no study config,"),
    Row("the digest of the study", replaced('{"identity":{"digest":"', '{"identity":{"digest":"0'), r"digest \w+ → "),
]  # fmt: skip


@each(CHANGES)
def test_changed_trials_of_a_journal(row: Row, site: Site, capsys: pytest.CaptureFixture[str]):  # noqa: F811
    site.journal.unlink()
    _studied(site, "journal")
    text = (site.run / "fingerprint.json").read_text()
    (site.run / "fingerprint.json").write_text(text.replace('"study": "run"', '"study": "config"'))
    row.damage(site.journal)
    said = rf"study\.journal{row.said}" if row.said.startswith(":") else row.said
    assert_refused(site, "", said, capsys, "tune", site.config, "--run-dir", site.run)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE trial_values SET value = 9 WHERE trial_id = 2", r"trial 1 of study config is not as it was written"),
        (
            "UPDATE trial_user_attributes SET value_json = '\"*' WHERE trial_id = 1",
            r"trial 0 of study config cannot be",
        ),
        ("UPDATE trials SET state = 'RUNNING' WHERE trial_id = 3", r"trial 2 of study config is not as it was written"),
        ("UPDATE study_system_attributes SET value_json = '{'", r"study config cannot be read"),
        ("UPDATE study_system_attributes SET value_json = '3'", r"its trials are not of momentum-opt"),
    ],
)
def test_changed_trials_of_a_database(statement: str, said: str, site: Site, capsys: pytest.CaptureFixture[str]):  # noqa: F811
    file = site.folder / "studies.db"
    _studied(site, f"sqlite:///{file}")
    with sqlite3.connect(file) as connection:
        connection.execute(statement)
    connection.close()
    arguments = ["tune", site.config, "--run-dir", site.folder / "new", "--storage", f"sqlite:///{file}"]
    assert_refused(site, "config", said, capsys, *arguments)
