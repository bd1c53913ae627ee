"""Damaged, edited and newer files of a run: what is wrong with them, what helps, and that it does help."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from momentum_opt.cli.app import main
from momentum_opt.errors import RunFolderError
from momentum_opt.results.checksums import changed_sections, section_checksums
from momentum_opt.results.files import write_json
from momentum_opt.results.records import read_fold_record
from momentum_opt.results.report.page import MARK
from momentum_opt.results.report.write import is_current
from momentum_opt.results.tables import read_screened
from momentum_opt.results.walk_forward import FOLD_REMADE, read_days
from momentum_opt.study.block_sums import column_names
from momentum_opt.study.space import search_space
from tests.cli.damage import Damage, Site, cut, document, removed, written
from tests.cli.test_damaged_inputs import Row, assert_refused, each
from tests.sample_runs import SMOKE, copy_of, smoke, tuned

DELETE = r"; delete it and give the tune's command again: it is made anew"


@pytest.fixture(scope="module")
def sound_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tuned(tmp_path_factory.getbasetemp())[1]


@pytest.fixture
def run(sound_run: Path, tmp_path: Path) -> Path:
    return copy_of(sound_run, tmp_path)


def timeless(path: Path) -> dict[str, Any]:
    """A document without what differs from one writing to the next."""
    found = json.loads(path.read_text())
    return {name: value for name, value in found.items() if name not in ("created", "seconds", "checksums")}


def column(name: str, value: object) -> Damage:
    """A parquet file with one column replaced."""

    def damage(path: Path) -> None:
        pd.read_parquet(path).assign(**{name: value}).to_parquet(path)

    return damage


BEST = [
    Row("empty", written(""), r"best\.json: not valid JSON .*" + DELETE),
    Row("torn", cut(0.7), r"best\.json: not valid JSON .*" + DELETE),
    Row("a list", written("[1, 2]"), r"best\.json: not a JSON object" + DELETE),
    Row("binary", written(b"\x80\x81\x82"), r"best\.json: not valid JSON .*" + DELETE),
    Row("nested too deep", written('{"params":' + "[" * 100_000 + "]" * 100_000 + "}"), r"too deep.*" + DELETE),
    Row("another document", written("{}"), r"is not as it was written, without params, .*study\.n_trials" + DELETE),
    Row("no study", document(lambda d: (d.pop("study"), d.pop("checksums"))), r"without study, .*" + DELETE),
    Row("a study of text", document(lambda d: d.update(study="x")), r"changed since .*: study.*" + DELETE),
    Row("edited params", document(lambda d: d["params"]["log_k"].update(SYNA=3)),
        r"best\.json: changed since it was written: params\.log_k" + DELETE),
    Row("edited metrics", document(lambda d: d["metrics"]["test"].update(returns=9.0)),
        r"changed since it was written: metrics\.test" + DELETE),
    Row("newer", document(lambda d: d.update(schema_version=2)),
        r"schema_version: 2 was written by a newer momentum-opt, this one reads up to 1; use"),
    Row("no version", document(lambda d: d.update(schema_version="one")), r"schema_version: 'one' is no version; give"),
]  # fmt: skip


@each(BEST)
def test_a_winner_of_a_run_that_goes_on(run: Path, row: Row, capsys: pytest.CaptureFixture[str]):
    row.damage(run / "best.json")
    assert_refused(Site(run), "best.json", row.said, capsys, "tune", run, "--resume", "--no-report")
    assert_refused(Site(run), "best.json", row.said, capsys, "report", run)


EDITED = [
    Row("params", document(lambda d: d["params"]["log_k"].update(SYNA=3)), r"params\.log_k"),
    Row("the fingerprint", document(lambda d: d["fingerprint"].update(maximum_change=1e-4)),
        r"fingerprint\.maximum_change"),
    Row("the fingerprint, without checksums",
        document(lambda d: (d.pop("checksums"), d["fingerprint"].update(maximum_change=1e-4))),
        r"fingerprint \(it is not the one that the digest was made of\)"),
    Row("the objective", document(lambda d: d["objective"].update(value=3.0)), r"objective\.value"),
    Row("the burn-in", document(lambda d: d["data"].update(burn_in_days=3)), r"data\.burn_in_days"),
    Row("the prices are gone", document(lambda d: d.pop("data")), r"data\.\w+"),
]  # fmt: skip


@each(EDITED)
def test_an_edited_result(run: Path, row: Row, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    row.damage(run / "best.json")
    addresses = tmp_path / "addresses.yaml"
    addresses.write_text("SYNA: '0x01'\n")
    said = rf"changed since it was written: {row.said}.*; give the file as it was written and changes of the config"
    for command in (("backtest",), ("weights",), ("export", "--addresses", addresses), ("rehearse",)):
        assert_refused(Site(run), "best.json", said, capsys, command[0], "--params", run / "best.json", *command[1:])


def test_a_newer_result_is_refused(run: Path, capsys: pytest.CaptureFixture[str]):
    document(lambda d: d.update(schema_version=2))(run / "best.json")
    said = r"schema_version: 2 was written by a newer momentum-opt, this one reads up to 1; use the momentum-opt"
    for command in ("backtest", "weights", "rehearse"):
        assert_refused(Site(run), "best.json", said, capsys, command, "--params", run / "best.json")


FINGERPRINTS = [
    Row("torn", cut(0.5), r"not valid JSON .*; restore it from a copy, or tune again in another --run-dir"),
    Row("emptied", written("{}"), r"is not as it was written; restore it from a copy"),
    Row("no prices", document(lambda d: (d.update(data=None), d.pop("checksums"))), r"is not as it was .*; restore"),
    Row("edited", document(lambda d: d["fingerprint"].update(maximum_change=1e-4)),
        r"changed since it was written: fingerprint\.maximum_change; restore"),
    Row("edited, without checksums",
        document(lambda d: (d.pop("checksums"), d["fingerprint"].update(maximum_change=1e-4))),
        r"its fingerprint is not the one that its digest was made of; restore"),
    Row("newer", document(lambda d: d.update(schema_version=7)), r"schema_version: 7 was written by a newer.*; use"),
]  # fmt: skip


@each(FINGERPRINTS)
def test_fingerprints_of_a_run(run: Path, row: Row, capsys: pytest.CaptureFixture[str]):
    row.damage(run / "fingerprint.json")
    assert_refused(Site(run), "fingerprint.json", row.said, capsys, "tune", run, "--resume")
    assert_refused(Site(run), "fingerprint.json", row.said, capsys, "trials", run)
    assert_refused(Site(run), "fingerprint.json", row.said, capsys, "trials", run, "export", 0, "--out", run / "x.json")


TABLES = [
    Row("empty", written(""), r"cannot be read \(.*\)" + DELETE),
    Row("torn", cut(0.5), r"cannot be read \(.*\)" + DELETE),
    Row("text", written("number,state\n1,COMPLETE\n"), r"cannot be read \(.*\)" + DELETE),
    Row("another table", lambda path: pd.DataFrame({"a": [1.0]}).to_parquet(path), r"no numbers in number.*" + DELETE),
    Row("text for an objective", column("objective", "high"), r"has no numbers in objective" + DELETE),
]  # fmt: skip


@each(TABLES)
def test_tables_of_trials(run: Path, row: Row, capsys: pytest.CaptureFixture[str]):
    row.damage(run / "trials.parquet")
    assert_refused(Site(run), "trials.parquet", row.said, capsys, "trials", run)
    assert_refused(Site(run), "trials.parquet", row.said, capsys, "trials", run, "show", 0)


@each(
    [
        *TABLES[:3],
        Row(
            "no numbers",
            lambda path: pd.DataFrame({"number": ["x"]}).to_parquet(path),
            r"has no numbers in \w+.*" + DELETE,
        ),
    ]
)
@pytest.mark.parametrize("name", ["daily.parquet", "trials.parquet"])
def test_tables_of_a_report(run: Path, row: Row, name: str, capsys: pytest.CaptureFixture[str]):
    row.damage(run / name)
    assert_refused(Site(run), name, row.said, capsys, "report", run)


def test_a_trial_without_its_parameters(run: Path, capsys: pytest.CaptureFixture[str]):
    column("log_k_SYNA", "x")(run / "trials.parquet")
    said = r"has no numbers in log_k_SYNA" + DELETE
    assert_refused(Site(run), "trials.parquet", said, capsys, "trials", run, "export", 0, "--out", run / "x.json")


@pytest.mark.parametrize("name", ["best.json", "daily.parquet", "trials.parquet", "evidence.json"])
def test_deleting_helps(run: Path, name: str, sound_run: Path, capsys: pytest.CaptureFixture[str]):
    (run / name).unlink()
    with pytest.raises(SystemExit) as caught:
        main(["tune", str(SMOKE), "--run-dir", str(run), "--resume", "--no-report", "--json"])
    captured = capsys.readouterr()
    assert caught.value.code == 0, captured.err
    if name.endswith(".json"):
        assert timeless(run / name) == timeless(sound_run / name)
    else:
        pd.testing.assert_frame_equal(pd.read_parquet(run / name), pd.read_parquet(sound_run / name))


def test_damaged_evidence_is_made_anew(run: Path, sound_run: Path):
    cut(0.5)(run / "evidence.json")
    with pytest.raises(SystemExit) as caught:
        main(["tune", str(SMOKE), "--run-dir", str(run), "--resume", "--no-report", "--json"])
    assert caught.value.code == 0
    assert timeless(run / "evidence.json") == timeless(sound_run / "evidence.json")


def _screen_of_text(path: Path) -> None:
    pd.DataFrame({name: ["x"] for name in column_names(smoke().evidence.blocks)}).to_parquet(path)


@pytest.mark.parametrize("damage", [written(b"PAR1 torn"), written(""), _screen_of_text])
def test_a_damaged_screening(tmp_path: Path, damage: Damage):
    fingerprint = smoke()
    damage(tmp_path / "screen.parquet")
    with pytest.raises(RunFolderError, match=r"screen\.parquet: .*; delete it and give .*: the evidence is then drawn"):
        read_screened(tmp_path / "screen.parquet", search_space(fingerprint), fingerprint)


def test_damaged_files_of_a_fold(tmp_path: Path):
    record, days = tmp_path / "out_of_sample.json", tmp_path / "out_of_sample.parquet"
    for content in ("", "[1]", '{"trial": 1}'):
        record.write_text(content)
        with pytest.raises(RunFolderError, match=rf"out_of_sample\.json: .*; {FOLD_REMADE}"):
            read_fold_record(record, FOLD_REMADE)
    sections = ("in_sample", "out_of_sample", "baselines", "params", "readable", "data")
    write_json(record, {name: {"returns": 1.0} for name in sections})
    assert read_fold_record(record, FOLD_REMADE)["in_sample"] == {"returns": 1.0}
    document(lambda d: d["out_of_sample"].update(returns=2.0))(record)
    with pytest.raises(RunFolderError, match=r"changed since it was written: out_of_sample\.returns; delete"):
        read_fold_record(record, FOLD_REMADE)
    for frame in (pd.DataFrame({"a": [1]}), pd.DataFrame({"fold": [1], "log_return": ["x"]})):
        frame.to_parquet(days)
        with pytest.raises(RunFolderError, match=rf"out_of_sample\.parquet: has no .*; {FOLD_REMADE}"):
            read_days(days)
    days.write_bytes(b"PAR1")
    with pytest.raises(RunFolderError, match=rf"cannot be read \(.*\); {FOLD_REMADE}"):
        read_days(days)


def test_a_page_that_was_cut_is_made_anew(tmp_path: Path):
    page = tmp_path / "report.html"
    whole = f'<html>{MARK}abc"></html>\n'
    page.write_text(whole)
    assert is_current(page, "abc")
    page.write_text(whole[:-9])
    assert not is_current(page, "abc")
    removed(page)
    assert not is_current(page, "abc")


def test_checksums_name_what_changed_and_bear_other_programs():
    made = {"schema_version": 1, "a": {"x": 1.0, "y": [1, 2]}, "b": "text", "data": {"root": "/p", "n": 3}, "c": None}
    sealed = {**made, "checksums": section_checksums(made)}
    assert changed_sections(sealed) == []
    assert changed_sections({**sealed, "a": {"y": [1.0, 2], "x": 1}, "note": "mine"}) == []
    assert changed_sections({**sealed, "data": {"root": "/elsewhere", "n": 3}}) == []
    assert changed_sections({**sealed, "a": {"x": 1.0, "y": [1, 3], "z": 0}, "c": 0}) == ["a.y", "c", "a.z"]
    assert changed_sections({name: value for name, value in sealed.items() if name != "b"}) == ["b"]
    assert changed_sections({**sealed, "a": 1}) == ["a.x", "a.y", "a"]
    assert changed_sections({**made, "checksums": 3}) == ["checksums"]
    assert changed_sections(made) == []
