"""A run folder that cannot be written to serves for everything that reads (SPEC §15)."""

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from momentum_opt.cli.app import main
from momentum_opt.results import files
from momentum_opt.results.holdout import ledger_of
from tests.cli.damage import build, document, snapshot
from tests.sample_runs import SAMPLE, copy_of, tuned

SAID = (
    r"test_looks\.jsonl: this evaluation of the test period could not be noted \(Read-only file system\); make it writ"
)


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder into which nothing can be written; root may write anywhere, so opening for writing is refused.

    Nor can the ledger beside it.
    """
    folder = copy_of(tuned(tmp_path_factory.getbasetemp())[1], tmp_path)
    real_open, real_access = Path.open, os.access

    def refused(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if (path.is_relative_to(folder) or path == ledger_of(folder)) and set(mode) & set("wax+"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real_open(path, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", refused)

    def access(path: Any, how: int, **options: Any) -> bool:
        return real_access(path, how, **options) and not (how & os.W_OK and Path(path).is_relative_to(folder))

    monkeypatch.setattr(files.os, "access", access)
    return folder


def code(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        main([*map(str, arguments)])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.filterwarnings("always")
def test_a_backtest_gives_its_result_and_a_warning(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    before = snapshot(run)
    assert code("backtest", "--params", run / "best.json", "--out", tmp_path / "out", "--json") == 0
    captured = capsys.readouterr()
    assert re.search(rf"^warning: UncountedLookWarning: \S+{SAID}.*\n", captured.err, re.M)
    found = json.loads(captured.out)
    assert "test" in found["metrics"]
    assert found["test_looks"]["count"] == 1  # that of the tune
    names = {Path(one).name for one in found["written"]}
    assert names == {"summary.json", "daily.parquet", "tear_sheet", "report.html"}
    assert snapshot(run) == before


def test_a_ledger_beside_a_read_only_folder_counts(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The run's own list takes no line: it is a folder here, as root may write into any file."""
    folder = copy_of(tuned(tmp_path_factory.getbasetemp())[1], tmp_path)
    own = folder / "test_looks.jsonl"
    ledger_of(folder).write_bytes(own.read_bytes())
    own.unlink()
    own.mkdir()
    assert code("backtest", "--params", folder / "best.json", "--json") == 0
    assert "UncountedLook" not in capsys.readouterr().err
    assert len(ledger_of(folder).read_text().splitlines()) == 2


@pytest.mark.filterwarnings("always")
def test_a_trial_is_exported_with_a_warning(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    before = snapshot(run)
    assert code("trials", run, "export", 0, "--out", tmp_path / "trial.json") == 0
    captured = capsys.readouterr()
    assert re.search(SAID, captured.err)
    assert f"written: {tmp_path / 'trial.json'}" in captured.out
    assert snapshot(run) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("trials", "RUN"), ("trials", "RUN", "show", "0"), ("weights", "--params", "RUN/best.json"),
        ("rehearse", "--params", "RUN/best.json", "--tolerance", "1"), ("report", "RUN", "--out", "OUT/page.html"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)  # fmt: skip
def test_what_only_reads(run: Path, tmp_path: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    before = snapshot(run)
    assert code(*(one.replace("RUN", str(run)).replace("OUT", str(tmp_path)) for one in arguments)) == 0
    captured = capsys.readouterr()
    assert captured.out
    assert "could not" not in captured.err
    assert snapshot(run) == before


def test_what_cannot_be_written_is_refused_before_it_is_computed(run: Path, capsys: pytest.CaptureFixture[str]):
    before = snapshot(run)
    for command in ("backtest", "rehearse"):
        assert code(command, "--params", run / "best.json", "--out", run / "out") == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        said = r"error: \S+/out: cannot be written \(Permission denied\); give another --out\n"
        assert re.fullmatch(said, captured.err)
    assert code("report", run) == 2
    assert re.search(r"cannot be written \(Read-only file system\); give another --out", capsys.readouterr().err)
    assert snapshot(run) == before


def test_prices_in_a_read_only_folder(capsys: pytest.CaptureFixture[str]):
    assert code("data", "check", SAMPLE) == 0
    assert "can go ahead" in capsys.readouterr().out


def test_a_result_outside_a_run_folder_is_not_counted(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    copied = tmp_path / "elsewhere" / "best.json"
    copied.parent.mkdir()
    copied.write_bytes((run / "best.json").read_bytes())
    assert code("backtest", "--params", copied, "--out", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "evaluations of the test period: not counted (the parameters lie outside a run folder)" in shown
    assert "not counted" in (tmp_path / "out" / "report.html").read_text()
    assert [path.name for path in copied.parent.iterdir()] == ["best.json"]
    assert code("backtest", "--params", copied, "--json") == 0
    assert json.loads(capsys.readouterr().out)["test_looks"] is None


def test_a_result_without_digests_of_prices_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    site = build(tmp_path)
    document(lambda d: d.pop("data"))(site.best)
    assert code("backtest", "--params", site.best, "--json") == 0
    captured = capsys.readouterr()
    assert re.search(r"^note: \S+best\.json: records no digests of prices, so these cannot be ", captured.err, re.M)
