"""Paths: one given on the command line starts where the command is given, one in a file at that file."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from momentum_opt.cli.app import app, main
from momentum_opt.errors import DataError
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.market.table_file import read_table_file
from tests.cli.damage import CONFIG, Site
from tests.cli.test_damaged_inputs import site, sound

__all__ = ["site", "sound"]

REPOSITORY = Path(__file__).resolve().parents[2]

NAMES = (
    "p #2", "a: b", "'q'", '"q"', " lead", "trail ", "null", "yes", "NO", "true", "2024-01-01", "123", "010",
    "1e3", "[x]", "{y}", "*a", "&a b", "!!str c", "- d", "#e", "f=g", "k: [", "%h", "@i", "`j`", "é", "a\tb",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_taken_whole(site: Site, name: str):
    for command in ("set", "data"):
        option = ("--set", f"data.root={name}") if command == "set" else ("--data", name)
        assert shown_root(site.config, *option) == str(site.folder / name)


def shown_root(config: Path, *options: str) -> str:
    done = CliRunner().invoke(app, ["config", "show", str(config), "--json", *options])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["config"]["data"]["root"]


@pytest.mark.parametrize("name", ["p #2", "a: b", "'q'", "null"])
def test_costs_and_storage_are_taken_whole(site: Site, name: str):
    (site.folder / f"{name}.csv").write_text("unix,value\n")
    overrides = [f"costs.fees={name}.csv", f"costs.trades={name}.csv", f"search.storage=sqlite:///{name}.db"]
    fingerprint = load_fingerprint(site.config, overrides)
    assert fingerprint.costs.fees == fingerprint.costs.trades == site.folder / f"{name}.csv"
    assert fingerprint.search.storage == f"sqlite:///{site.folder}/{name}.db"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024", "2024"),
        ("a #b", "a #b"),
        ("a: b", "a: b"),
        ("'2024'", "2024"),
        ("yes", "yes"),
        ("*a", "*a"),
        ("null", None),
    ],
)
def test_names_are_taken_whole(site: Site, text: str, value: str):
    assert load_fingerprint(site.config, [f"search.study_name={text}"]).search.study_name == value


def test_null_stands_for_the_default(site: Site):
    given = ["search.study_name=a", "search.study_name=null", "costs.trades=null", "costs.fees=", "window.test_end=~"]
    fingerprint = load_fingerprint(site.config, given)
    assert (fingerprint.search.study_name, fingerprint.costs.trades, fingerprint.costs.fees) == (None, None, 0.0)
    assert fingerprint.window.test_end is None


def test_relative_paths_start_where_they_are_written(site: Site, monkeypatch: pytest.MonkeyPatch):
    (site.folder / "configs").mkdir()
    config = site.folder / "configs" / "config.yaml"
    fees = "costs: {fees: fees.csv}\nsearch: {storage: 'sqlite:///study.db'}\n"
    config.write_text(CONFIG.replace("search:\n  n_trials: 8\n  batch_size: 8\n  sampler: nsga2\n", fees))
    for folder in (site.folder, site.folder / "configs"):
        (folder / "fees.csv").write_text("unix,value\n")
    here = site.folder / "here"
    here.mkdir()
    (here / "fees.csv").write_text("unix,value\n")
    monkeypatch.chdir(here)
    written = load_fingerprint(config)
    assert written.data.root == site.folder / "configs" / "prices"
    assert written.costs.fees == site.folder / "configs" / "fees.csv"
    assert written.search.storage == f"sqlite:///{site.folder}/configs/study.db"
    given = load_fingerprint(
        config, ["data.root=../prices", "costs={fees: fees.csv}", "search.storage=journal://study.journal"]
    )
    assert given.data.root == site.folder / "prices"
    assert given.costs.fees == here / "fees.csv"
    assert given.search.storage == f"journal://{here}/study.journal"
    assert given.digest == written.digest


def test_every_command_takes_data_from_where_it_is_given(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (site.folder / "prices").rename(site.folder / "moved #1")
    here = site.folder / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for command in (["data", "check", "--config", "../config.yaml"], ["config", "check", "../config.yaml"]):
        with pytest.raises(SystemExit) as caught:
            main([*command, "--data", "../moved #1"])
        assert caught.value.code == 0, capsys.readouterr().err
    assert shown_root(Path("../config.yaml"), "--data", "../moved #1") == str(site.folder / "moved #1")


@pytest.mark.usefixtures("site")
def test_data_check_takes_one_folder(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(["data", "check", "prices", "--data", "prices"])
    assert caught.value.code == 2
    assert "two folders; give one of them" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("command", ["tune", "walk-forward"])
def test_a_search_takes_data_from_where_it_is_given(
    site: Site, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (site.folder / "prices").rename(site.folder / "moved #1")
    here = site.folder / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    folds = ["--set", "walk_forward={train_days: 10, test_days: 3}"] if command == "walk-forward" else []
    options = ["--data", "../moved #1", "--set", "evidence.enabled=false", "--no-report", "--run-dir", "run"]
    with pytest.raises(SystemExit) as caught:
        main([command, "../config.yaml", *options, *folds])
    assert caught.value.code == 0, capsys.readouterr().err
    assert any((here / "run").rglob("best.json"))


@pytest.mark.parametrize("config", sorted((REPOSITORY / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configurations_name_no_folder_that_a_clone_lacks(config: Path):
    root = load_fingerprint(config).data.root
    assert root is None or (root.is_dir() and root.is_relative_to(REPOSITORY))


def test_a_shipped_configuration_without_a_folder_says_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["tune", str(REPOSITORY / "configs" / "btc_eth_usdc.yaml")])
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith("set data.root, or give --data FOLDER\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--trials", "0"], "error: --trials 0: search.n_trials: out of range (0)"),
        (["--set", "search.n_trials=0"], "error: --set search.n_trials=0: out of range (0)"),
    ],
)
def test_an_option_is_named_as_it_was_given(
    site: Site, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as caught:
        main(["tune", str(site.config), *options])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(said)


def test_paths_of_an_imported_fingerprint_start_at_its_file(site: Site, capsys: pytest.CaptureFixture[str]):
    (site.folder / "other").mkdir()
    days = {"startDateString": "2022-01-01 00:00:00", "endDateString": "2022-06-01 00:00:00"}
    content = {"tokens": ["A", "B"], **days, "fees": "fees.csv", "data": {"root": "prices"}}
    file = site.folder / "other" / "incumbent.json"
    file.write_text(json.dumps(content))
    with pytest.raises(SystemExit):
        main(["config", "import", str(file)])
    written = capsys.readouterr().out
    assert f"root: {site.folder}/other/prices\n" in written
    assert f"fees: {site.folder}/other/fees.csv\n" in written


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_files_of_costs_may_have_a_mark(tmp_path: Path, encoding: str):
    file = tmp_path / "fees.csv"
    file.write_bytes("unix,value\n1672790400000,0.001\n1672876800000,0.002\n".encode(encoding))
    assert read_table_file(file, None).columns["value"].tolist() == [0.001, 0.002]


def test_a_file_of_costs_in_utf_16_without_a_mark_is_named_so(tmp_path: Path):
    file = tmp_path / "fees.csv"
    file.write_bytes("unix,value\n1672790400000,0.001\n".encode("utf-16-le"))
    with pytest.raises(DataError, match=r"holds zero bytes, as UTF-16 .*; save it as UTF-8"):
        read_table_file(file, None)
