"""A password reaches no file and no screen: every command, every way of giving it, every form of the URL (SPEC §12)."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import pytest
import sqlalchemy as sa
import yaml

from momentum_opt.api import opening, walk_forward
from momentum_opt.cli.app import main
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.study.relational import database_url
from momentum_opt.study.storage import JournalStore
from tests.cli.damage import CONFIG, Site
from tests.cli.test_damaged_inputs import site, sound  # noqa: F401  # fixtures
from tests.postgres import needs_postgres, server
from tests.sample_runs import SMOKE, command, environment, run

Case = TypeVar("Case")


SECRET = "hunt3r2Xk"
PARTS = (SECRET, "hunt3", "r2Xk")
"""None of these may be seen; some forms put a separator in the middle."""

SERVER = "127.0.0.1:1"
URLS = {
    "user part": f"postgresql://tuner:{SECRET}@{SERVER}/db",
    "no user": f"postgresql://:{SECRET}@{SERVER}/db",
    "query": f"postgresql://{SERVER}/db?user=tuner&password={SECRET}",
    "query first": f"postgresql://{SERVER}/db?password={SECRET}&user=tuner",
    "query and an unknown option": f"postgresql://{SERVER}/db?password={SECRET}&nonsense=1",
    "key encoded": f"postgresql://{SERVER}/db?user=tuner&%70assword={SECRET}",
    "password encoded": f"postgresql://tuner:{quote('hunt3@r2Xk')}@{SERVER}/db",
    "at sign": f"postgresql://tuner:hunt3@r2Xk@{SERVER}/db",
    "slash": f"postgresql://tuner:hunt3/r2Xk@{SERVER}/db",
    "colon": f"postgresql://tuner:hunt3:r2Xk@{SERVER}/db",
    "question mark": f"postgresql://tuner:hunt3?r2Xk@{SERVER}/db",
    "number sign": f"postgresql://tuner:hunt3#r2Xk@{SERVER}/db",
    "space": f"postgresql://tuner:hunt3 r2Xk@{SERVER}/db",
    "one slash": f"postgresql:/tuner:{SECRET}@h/s",
    "no slash": f"postgresql:tuner:{SECRET}@h/s",
    "no colon": f"postgresql//tuner:{SECRET}@h/s",
    "no scheme": f"tuner:{SECRET}@h/s",
    "three slashes": f"postgresql:///tuner:{SECRET}@h/s",
    "all encoded": quote(f"postgresql://tuner:{SECRET}@h/s", ""),
    "no host": f"postgresql://tuner:{SECRET}/db",
    "port": f"postgresql://tuner:{SECRET}@127.0.0.1:abc/db",
    "as a port": f"postgresql://tuner@127.0.0.1:{SECRET}/db",
    "unknown dialect": f"nonsense://tuner:{SECRET}@h/db",
    "unknown driver": f"postgresql+nonsense://tuner:{SECRET}@h/db",
    "missing driver": f"mysql+pymysql://tuner:{SECRET}@h/db",
    "words": f"host=h user=tuner password={SECRET} dbname=db",
    "file": f"sqlite:///tuner:{SECRET}@h/db",
    "file without folder": f"sqlite:///tuner:{SECRET}@h",
    "journal": f"journal://tuner:{SECRET}@h",
}


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """Exit code and everything on the screen of a command in this process."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, shown.out + shown.err


def assert_hidden(shown: str, folder: Path, parts: Sequence[str] = PARTS, given: Sequence[Path] = ()) -> None:
    """No part on the screen, in the name of a file, or in a file that was not `given` with it."""
    for part in parts:
        assert part not in shown, shown
        for path in folder.rglob("*"):
            assert part not in path.name
            if path.is_file() and path not in given:
                assert part.encode() not in path.read_bytes(), path


def ways(url: str, config: Path) -> list[list[str | Path]]:
    """Command lines that give the URL, most of them where it cannot be."""
    listed = json.dumps([url])
    return [
        ["tune", config, "--storage", url],
        ["tune", config, f"--storage={url}", "--debug"],
        ["tune", config, "--set", f"search.storage={json.dumps(url)}"],
        ["tune", config, "--set", f"search.storage={url}", "--debug"],
        ["tune", config, "--resume", "--storage", url],
        ["tune", config, "--set", f"search.storage={listed}"],
        ["tune", config, "--set", f"search.storage=[{url}]"],
        ["tune", config, "--set", f"search.storage=[{url}"],
        ["tune", config, "--set", f"search.storage={{url: x, password: {SECRET}}}"],
        ["tune", config, "--set", f"search.storag={url}"],
        ["tune", config, "--set", url],
        ["tune", config, "--set", f"search.n_trials={url}", "--debug"],
        ["tune", config, "--workers", url],
        ["tune", config, url],
        ["tune", url],
        ["tune", config, "--from", url],
        ["walk-forward", config, "--set", "walk_forward={train_days: 6, test_days: 3}", "--storage", url],
        ["config", "check", config, "--set", f"search.storage={json.dumps(url)}"],
        ["config", "show", config, "--set", f"search.storage={json.dumps(url)}"],
        ["config", "show", config, "--json", "--set", f"search.storage={json.dumps(url)}"],
        ["backtest", "--params", url],
        ["trials", url],
    ]


def all_or_some(cases: Sequence[Case], form: str, every: bool) -> Sequence[Case]:
    """All cases, or a few: other ones for each form, so that each is tried with several."""
    return cases if every else cases[list(URLS).index(form) % STRIDE :: STRIDE]


EVERY = pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["some", "all"])
STRIDE = 7


@EVERY
@pytest.mark.parametrize("form", URLS)
def test_no_form_is_shown(form: str, every: bool, site: Site, capsys: pytest.CaptureFixture[str]):  # noqa: F811
    for arguments in all_or_some(ways(URLS[form], site.config), form, every):
        code, shown = outcome(capsys, *arguments)
        assert code in (0, 2), (arguments, shown)
        assert "error: unexpected" not in shown, shown
        assert_hidden(shown, site.folder)


WRITTEN: list[Callable[[str], str]] = [
    lambda url: CONFIG + f"  storage: {json.dumps(url)}\n",
    lambda url: CONFIG + f"  storage: [x, {json.dumps(url)}]\n",
    lambda url: CONFIG + f"  storage: {{x: {json.dumps(url)}}}\n",
    lambda url: CONFIG + f"  {json.dumps(url)}: 3\n",
    lambda url: CONFIG + f"  storage: {url}\n",
    lambda url: CONFIG + f"  n_trails: {json.dumps(url)}\n",
    lambda url: url,
]


@EVERY
@pytest.mark.parametrize("form", URLS)
def test_no_configuration_is_quoted(form: str, every: bool, site: Site, capsys: pytest.CaptureFixture[str]):  # noqa: F811
    for written in all_or_some(WRITTEN, form, every):
        site.config.write_text(written(URLS[form]))
        for words in (["tune", "--debug"], ["config", "check"], ["config", "show"]):
            code, shown = outcome(capsys, *words, site.config)
            assert code in (0, 2), shown
            assert "error: unexpected" not in shown, shown
            assert_hidden(shown, site.folder, given=[site.config])


def test_an_imported_fingerprint(site: Site, capsys: pytest.CaptureFixture[str]):  # noqa: F811
    mapping = load_fingerprint(site.config).to_dict()
    mapping["optimisation_settings"]["optuna_settings"]["storage"] = URLS["query"]
    source, out = site.folder / "theirs.json", site.folder / "ours.yaml"
    source.write_text(json.dumps(mapping))
    for arguments in ([], ["--out", out]):
        code, shown = outcome(capsys, "config", "import", source, *arguments)
        assert code == 0, shown
        assert_hidden(shown, site.folder, given=[source])
    assert yaml.safe_load(out.read_text())["search"]["storage"] == f"postgresql://{SERVER}/db?user=tuner&password=***"
    code, shown = outcome(capsys, "tune", out)
    assert code == 2
    assert "its password was left out when it was written down; give the whole URL with --storage" in shown


@pytest.fixture
def any_server(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Whatever server a URL names, its studies are in a journal of this test."""
    for module in (opening, walk_forward):
        monkeypatch.setattr(module, "open_store", lambda *_: JournalStore(site.folder / "server.journal"))


QUICK = ("--set", "evidence.enabled=false")


@pytest.fixture
def done(site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:  # noqa: F811
    """Run a command that succeeds, as the command line of this process, and look everywhere after it."""

    def run_it(*arguments: str | Path) -> None:
        monkeypatch.setattr(sys, "argv", ["momentum-opt", *map(str, arguments)])
        code, shown = outcome(capsys, *arguments)
        assert code == 0, shown
        assert_hidden(shown, site.folder, given=[site.config])

    return run_it


def looks_in(folder: Path) -> list[str]:
    return [json.loads(line)["command"] for line in (folder / "test_looks.jsonl").read_text().splitlines()]


@pytest.mark.usefixtures("any_server")
def test_a_run_that_succeeds_keeps_none(
    site: Site,  # noqa: F811
    done: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
):
    tested = CONFIG.replace("  validation_fraction", "  test_end: 2023-01-20\n  validation_fraction")
    site.config.write_text(tested + f"  storage: {URLS['query']}  # or {URLS['user part']}\n")
    new = site.folder / "new"
    done("tune", site.config, "--run-dir", new, *QUICK, "--storage", URLS["user part"])
    done("backtest", "--params", new / "best.json", "--set", f"search.storage={URLS['at sign']}")
    first, second = looks_in(new)
    assert first.endswith(f"--storage postgresql://tuner:***@{SERVER}/db")
    assert second.endswith(f"--set search.storage=postgresql://tuner:***@{SERVER}/db")
    for file in (new / "config.yaml", new / "fingerprint.json", new / "best.json", site.folder / "server.journal"):
        assert "***" in file.read_text()
    code, shown = outcome(capsys, "tune", new, "--resume")
    assert code == 2
    assert "give the whole URL with --storage" in shown


@pytest.mark.slow
@pytest.mark.usefixtures("any_server")
def test_other_commands_keep_none(site: Site, done: Callable[..., None]):  # noqa: F811
    new, folds = site.folder / "new", site.folder / "folds"
    done("tune", site.config, "--run-dir", new, *QUICK, "--set", f"search.storage={URLS['query']}", "--report")
    done("backtest", "--params", new / "best.json", "--set", f"search.storage={URLS['at sign']}", "--out", "out")
    done("trials", "export", new, "3", "--out", site.folder / "trial.json", "--data", site.prices().parent, "--json")
    done("report", new)
    whole = ("--set", "walk_forward={train_days: 6, test_days: 4}", "--set", "window.validation_fraction=0")
    done("walk-forward", site.config, "--run-dir", folds, *whole, *QUICK, "--storage", URLS["password encoded"])
    assert "***" in looks_in(folds)[0]


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """A server that asks three roles for their passwords, each with a database of its own; `127.0.0.1:PORT`."""
    with server() as url:
        engine = sa.create_engine(database_url(url), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for role, password in ROLES.items():
                connection.execute(sa.text(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'"))
                connection.execute(sa.text(f"CREATE DATABASE {role} OWNER {role}"))
            rules = Path(str(connection.scalar(sa.text("SHOW hba_file"))))
            asked = "".join(f"host {role} {role} 127.0.0.1/32 scram-sha-256\n" for role in ROLES)
            rules.write_text(asked + rules.read_text())
            connection.execute(sa.text("SELECT pg_reload_conf()"))
        engine.dispose()
        yield url.rpartition("@")[2].partition("/")[0]


ROLES = {"plain": SECRET, "query": SECRET, "encoded": "hunt3@r2Xk"}
FORMS = {
    "plain": f"postgresql://plain:{SECRET}@HOST/plain",
    "query": f"postgresql://HOST/query?user=query&password={SECRET}",
    "encoded": f"postgresql://encoded:{quote('hunt3@r2Xk')}@HOST/encoded",
}


@needs_postgres
@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_on_a_server_that_asks_for_it(role: str, host: str, tmp_path: Path):
    """Real processes with two workers, whose command lines are looked at; then a password that is wrong.

    A worker that has been forked and not begun yet still has the command line that the user gave.
    """
    storage = FORMS[role].replace("HOST", host)
    few = ("--run-dir", "run", "--trials", "64", *QUICK)
    words = command("tune", SMOKE, *few, "--workers", "2", "--storage", storage, "--report")
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd=tmp_path
    ) as tune:
        seen = set[str]()
        while tune.poll() is None:
            seen |= {_command_line(child) for child in _children(tune.pid)} - {_command_line(tune.pid)}
            time.sleep(0.1)
        assert tune.stdout is not None
        assert tune.stderr is not None
        shown = tune.stdout.read() + tune.stderr.read()
    assert tune.returncode == 0, shown
    assert any("momentum_opt.api.worker" in line for line in seen)
    assert_hidden(shown + "".join(seen), tmp_path)
    done = run("backtest", "--params", "run/best.json", "--set", f"search.storage={storage}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert_hidden(done.stdout + done.stderr, tmp_path)
    done = run("tune", SMOKE, *few, "--storage", storage.replace("hunt3", "wr0ngHunt3"), "--debug", cwd=tmp_path)
    assert done.returncode == 2
    assert "password authentication failed" in done.stderr
    assert_hidden(done.stdout + done.stderr, tmp_path, ("wr0ng", "r2Xk"))
    engine = sa.create_engine(database_url(storage))
    with engine.connect() as connection:
        kept = " ".join(connection.scalars(sa.text("SELECT value_json FROM study_system_attributes")))
    engine.dispose()
    assert "***" in kept
    assert_hidden(kept, tmp_path)


def _children(parent: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    except OSError:
        return []


def _command_line(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
