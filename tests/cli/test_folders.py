"""Where a best.json is asked for, the folder of its run serves; two pools where one is wanted are an error."""

import json
from pathlib import Path

import pytest

from momentum_opt.api.tuned_pool import tuned_pool
from momentum_opt.api.warm_starting import read_warm_starts
from momentum_opt.cli.app import main
from momentum_opt.errors import RunFolderError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.run_folder import result_file
from tests.sample_runs import copy_of, tuned


def run(*arguments: str | Path) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return caught.value.code


@pytest.fixture
def folder(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of(tuned(tmp_path_factory.getbasetemp())[1], tmp_path)


def test_a_backtest_of_a_folder_is_that_of_its_best_json(folder: Path, capsys: pytest.CaptureFixture[str]):
    shown: list[dict[str, object]] = []
    for params in (folder, folder / "best.json"):
        assert run("backtest", "--params", params, "--json") == 0
        shown.append(json.loads(capsys.readouterr().out))
    for document in shown:
        document.pop("created")
    # One more evaluation of the test period each, noted in the run's own ledger.
    assert [document.pop("test_looks") for document in shown] == [
        {"count": count, "parameter_sets": 1, "damaged": 0} for count in (2, 3)
    ]
    assert shown[0] == shown[1]
    assert len((folder / "test_looks.jsonl").read_text().splitlines()) == 3


def test_every_reader_takes_a_folder(folder: Path):
    best = folder / "best.json"
    assert tuned_pool(folder).source == tuned_pool(best).source == best
    fingerprint = Fingerprint.from_dict(json.loads(best.read_text())["fingerprint"])
    assert read_warm_starts([folder], fingerprint) == read_warm_starts([best], fingerprint)


def test_folders_without_a_result_say_so(folder: Path, tmp_path: Path):
    assert result_file(tmp_path) == tmp_path  # no run: whoever reads it says that it is no file
    assert result_file(tmp_path / "none.json") == tmp_path / "none.json"
    (folder / "best.json").unlink()
    with pytest.raises(RunFolderError, match=r"has no best\.json yet; let tune finish first"):
        result_file(folder)
    (tmp_path / "walk" / "fold-1").mkdir(parents=True)
    with pytest.raises(RunFolderError, match="a walk-forward, with a winner in each fold; give the folder of a fold"):
        result_file(tmp_path / "walk")


@pytest.mark.parametrize(
    "words", [("backtest",), ("weights",), ("rehearse",), ("export", "--addresses", "tokens.yaml")]
)
def test_two_pools_are_never_silently_one(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    assert run(*words, "--params", "one.json", "--params", "other run") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "error: --params: given 2 times, and one pool is wanted; momentum-opt compare one.json 'other run' puts them "
        "side by side"
    )
