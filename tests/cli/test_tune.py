import dataclasses
import json
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from momentum_opt.api import opening, verifying
from momentum_opt.cli.app import main
from momentum_opt.cli.stopping import stop_request
from momentum_opt.study.candidates import ParamSet
from momentum_opt.study.evaluation import BatchScores, Evaluator
from momentum_opt.study.minute_figures import MINUTE_FIGURES
from tests.sample_runs import SAMPLE, SMOKE, TOKENS, command, copy_of, ended_before, environment, run, smoke, tuned

Done = tuple[subprocess.CompletedProcess[str], Path]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The tuned run of this session: the process and its folder. Not to be changed."""
    return tuned(tmp_path_factory.getbasetemp())


def strict(text: str) -> Any:
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def code(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        main(command(*arguments)[3:])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@contextmanager
def shown_warnings() -> Iterator[None]:
    """Warnings as outside of pytest, where the program shows them and none is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def same_trials(one: Path, other: Path) -> None:
    assert_frame_equal(pd.read_parquet(one), pd.read_parquet(other), check_exact=True)


def begin_with(rows: pd.DataFrame, before: pd.DataFrame) -> None:
    """Trials stay as they were; the minutes of other ones may be looked at, as the best ones change."""
    looked_at = [f"train_{name}" for name in MINUTE_FIGURES]
    assert_frame_equal(rows[: len(before)].drop(columns=looked_at), before.drop(columns=looked_at), check_exact=True)


def test_the_folder(done: Done):
    process, folder = done
    assert process.returncode == 0, process.stderr
    assert folder.name == f"smoke-{smoke().digest[:8]}"
    expected = {
        "config.yaml", "fingerprint.json", "study.journal", "trials.parquet", "blocks.parquet", "best.json",
        "test_looks.jsonl", "log.txt",
    }  # fmt: skip
    assert expected <= set(contents(folder))
    assert (folder / "config.yaml").read_bytes() == SMOKE.read_bytes()
    assert not list(folder.glob("*.tmp"))
    for path in (folder / "best.json", folder / "fingerprint.json"):
        assert strict(path.read_text())["schema_version"] == 1
    (look,) = (strict(line) for line in (folder / "test_looks.jsonl").read_text().splitlines())
    assert look["command"].startswith("momentum-opt tune ")
    assert "16/16 trials" in (folder / "log.txt").read_text()


def test_stdout_is_one_document_and_the_rest_goes_to_stderr(done: Done):
    process, folder = done
    document = strict(process.stdout)
    assert document["best"] == strict((folder / "best.json").read_text())
    assert document["stopped"] == "finished"
    assert Path(document["run_dir"]).name == folder.name
    assert re.search(r"^16/16 trials, best \S+, \d+ trials/s, 0 failed, \d+ s elapsed, 0 s left$", process.stderr, re.M)
    assert "note: logit_lamb: searched up to 2.0284 instead of 8" in process.stderr
    assert "\nsearch range: k per day 0.01031 to 4096 (log_k -6.6 to 12)\n" in process.stderr
    assert re.search(
        r"^search range: memory 0.969\d to 30 days \(λ 0.01799 to 0.88\d+, logit_lamb -4 to 2.028\)$",
        process.stderr,
        re.M,
    )
    assert re.search(r"^batch of \d+ on \d+ cores? \([\d,]+ would fit\)$", process.stderr, re.M)
    assert "{" not in process.stderr


def test_best_json(done: Done):
    best = strict((done[1] / "best.json").read_text())
    assert set(best) >= {
        "schema_version", "params", "readable", "objective", "metrics", "fingerprint", "digest", "data", "trial",
        "study", "versions", "created",
    }  # fmt: skip
    assert set(best["params"]) == {"log_k", "logit_lamb", "initial_weights_logits"}
    assert set(best["readable"]) == {"k_per_day", "memory_days", "lamb", "initial_weights"}
    for table in (*best["params"].values(), *best["readable"].values()):
        assert tuple(table) == TOKENS
    assert list(best["metrics"]) == ["train", "validation", "test"]
    assert best["objective"]["metric"] == "daily_log_sharpe"
    assert best["objective"]["aggregate"] == "mean"
    assert best["objective"]["value"] == pytest.approx(best["metrics"]["train"]["daily_log_sharpe"], rel=1e-9)
    assert best["digest"] == smoke().digest
    name = done[1].name
    rows = pd.read_parquet(done[1] / "trials.parquet")
    near = int((rows["source"] == "neighbourhood").sum())
    facts = {"name": name, "sampler": "nsga2", "seed": 0, "n_trials": 16, "n_failed": 0, "n_screened": 0}
    assert best["study"] == {**facts, "n_neighbours": near, "n_points": rows["points"].sum()}
    assert best["source"] == rows["source"][best["trial"]] == "neighbourhood"
    assert [set(file) for file in best["data"]["files"]] == [
        {
            "token",
            "file",
            "sha256",
            "first",
            "last",
            "rows",
            "filled_minutes",
            "longest_gap_minutes",
            "jumps",
            "same_closes",
        }
    ] * 3
    for token in TOKENS:
        assert best["readable"]["k_per_day"][token] == pytest.approx(2 ** best["params"]["log_k"][token], rel=1e-12)


def test_trials_table(done: Done):
    rows = pd.read_parquet(done[1] / "trials.parquet")
    best = strict((done[1] / "best.json").read_text())
    assert rows["number"].tolist() == list(range(len(rows)))
    assert rows["source"].tolist() == ["sampler"] * 16 + ["neighbourhood"] * (len(rows) - 16)
    assert set(rows["state"]) == {"COMPLETE"}
    assert rows["fail_reason"].isna().all()
    names = (
        "log_k", "logit_lamb", "initial_weights_logits", "k_per_day", "memory_days", "lamb", "initial_weights",
    )  # fmt: skip
    assert {f"{name}_{token}" for name in names for token in TOKENS} <= set(rows)
    assert {"train_daily_log_sharpe", "validation_daily_log_sharpe", "train_returns", "validation_returns"} <= set(rows)
    assert not [name for name in rows if name.startswith("test")]
    top = rows.loc[rows["objective"].idxmax()]
    assert top["number"] == best["trial"]
    assert top["objective"] == best["objective"]["value"]
    for token in TOKENS:
        assert top[f"log_k_{token}"] == best["params"]["log_k"][token]
        assert rows[f"k_per_day_{token}"][0] == pytest.approx(20, rel=1e-12)
        assert rows[f"memory_days_{token}"][0] == pytest.approx(10, rel=1e-9)
    np.testing.assert_allclose(rows["k_per_day_SYNA"], 2 ** rows["log_k_SYNA"], rtol=1e-12)
    np.testing.assert_allclose(rows["lamb_SYNB"], 1 / (1 + np.exp(-rows["logit_lamb_SYNB"])), rtol=1e-12)


def test_the_same_command_again_changes_nothing(done: Done, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = copy_of(done[1], tmp_path)
    before = contents(folder)
    assert code("tune", SMOKE, "--run-dir", folder) == 0
    after = contents(folder)
    for name in ("best.json", "test_looks.jsonl", "config.yaml", "fingerprint.json"):
        assert after[name] == before[name], name
    assert after["study.journal"].startswith(before["study.journal"])
    same_trials(folder / "trials.parquet", done[1] / "trials.parquet")
    assert "best of 16 trials" in capsys.readouterr().out


def test_more_trials_go_on(done: Done, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = copy_of(done[1], tmp_path)
    assert code("tune", SMOKE, "--run-dir", folder, "--trials", "24") == 0
    rows = pd.read_parquet(folder / "trials.parquet")
    before = pd.read_parquet(done[1] / "trials.parquet")
    begin_with(rows, before)
    best = strict((folder / "best.json").read_text())
    assert best["study"]["n_trials"] == (rows["source"] == "sampler").sum() == 24
    assert best["objective"]["value"] == rows["objective"].max()
    output = capsys.readouterr().out
    assert "best of 24 trials" in output
    assert "memory (days)" in output
    assert "HODL from the period's start: returns" in output


def test_the_same_seed_gives_the_same_files(done: Done, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Once in a process of its own, once here."""
    folder = tmp_path / done[1].name
    assert code("tune", SMOKE, "--run-dir", folder) == 0
    del capsys
    same_trials(folder / "trials.parquet", done[1] / "trials.parquet")
    one, other = (strict((path / "best.json").read_text()) for path in (folder, done[1]))
    assert {**one, "created": None} == {**other, "created": None}
    assert (folder / "fingerprint.json").read_bytes() == (done[1] / "fingerprint.json").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "search.seed=1", "--set", "pool.maximum_change=0.001"], r"pool\.maximum_change 0\.0003 → 0\.001"),
        (["--set", "objective.metric=returns"], r'objective\.metric "daily_log_sharpe" → "returns"'),
    ],
)
def test_another_configuration_is_refused(
    done: Done, tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    folder = copy_of(done[1], tmp_path)
    before = contents(folder)
    assert code("tune", SMOKE, "--run-dir", folder, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert re.search(said, captured.err)
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "data.root=nowhere"], "nowhere"),
        (["--set", "window.test_end=2033-01-01"], "SYNA_USD.parquet"),
        (["--set", "window.start=2020-01-01"], "SYNA_USD.parquet"),
        (["--trials", "0"], "search.n_trials"),
        (["--storage", "nonsense://nowhere"], "cannot be opened"),
    ],
)
def test_wrong_inputs_write_nothing(
    tmp_path: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
):
    assert code("tune", SMOKE, "--run-dir", tmp_path / "run", *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert all(line.startswith("error: ") for line in captured.err.splitlines())
    assert list(tmp_path.iterdir()) == []


def test_all_candidates_failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    score = Evaluator.score

    def broken(self: Evaluator, sets: Sequence[ParamSet]) -> BatchScores:
        scores = score(self, sets)
        return scores._replace(objectives=np.full_like(scores.objectives, np.nan))

    monkeypatch.setattr(Evaluator, "score", broken)
    assert code("tune", SMOKE, "--run-dir", tmp_path / "run", "--trials", "8") == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    (error,) = (line for line in captured.err.splitlines() if line.startswith("error: "))
    assert error.startswith("error: all 8 candidates failed, most often because: objective is not finite (nan); ")
    rows = pd.read_parquet(tmp_path / "run" / "trials.parquet")
    assert set(rows["fail_reason"]) == {"objective is not finite (nan)"}
    assert not (tmp_path / "run" / "best.json").exists()


def test_a_replay_that_differs_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    real = verifying.replay

    def off(*arguments: Any) -> Any:
        replayed = real(*arguments)
        return dataclasses.replace(replayed, objectives=tuple(value * (1 + 3e-9) for value in replayed.objectives))

    monkeypatch.setattr(verifying, "replay", off)
    assert code("tune", SMOKE, "--run-dir", tmp_path / "run", "--trials", "8") == 1
    assert re.search(
        r"^error: trial \d+: tuned value \S+, replayed \S+; the result cannot", capsys.readouterr().err, re.M
    )
    assert not (tmp_path / "run" / "best.json").exists()


@pytest.mark.slow
def test_several_objectives(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    several = ("--set", "objective.multi_objective=true", "--set", "objective.windows=3")
    assert code("tune", SMOKE, "--run-dir", tmp_path / "run", *several) == 0
    assert re.search(
        r"^objective: daily_log_sharpe: mean \S+, worst \S+, steadiness \S+$", capsys.readouterr().out, re.M
    )
    best = strict((tmp_path / "run" / "best.json").read_text())
    rows = pd.read_parquet(tmp_path / "run" / "trials.parquet").set_index("number")
    columns = ["objective_mean", "objective_worst", "objective_steadiness"]
    assert best["objective"]["value"] == rows.loc[best["trial"], columns].tolist()
    assert code("backtest", "--params", tmp_path / "run" / "best.json", "--json") == 0
    value = strict(capsys.readouterr().out)["objective"]["value"]
    np.testing.assert_allclose(value, best["objective"]["value"], rtol=1e-9)


@pytest.mark.slow
def test_single_precision_can_be_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    single = ("--set", "device.precision=float32")
    assert code("tune", SMOKE, "--run-dir", tmp_path / "run", "--trials", "8", *single) == 0
    assert code("backtest", "--params", tmp_path / "run" / "best.json") == 0
    del capsys


def test_interrupted_and_gone_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ("tune", SMOKE, "--run-dir", tmp_path / "run")
    process = subprocess.Popen(
        command(*arguments, "--trials", "100000"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd=tmp_path,
    )  # fmt: skip
    with process:
        assert process.stderr is not None
        assert any(" trials, best " in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "finishing this batch" in errors
    assert "(interrupted)" in output
    done = strict((tmp_path / "run" / "best.json").read_text())["study"]["n_trials"]
    assert 0 < done < 100000
    assert done % 8 == 0
    total = str(done + 8)
    assert code(*arguments, "--trials", total) == 0
    assert code("tune", SMOKE, "--run-dir", tmp_path / "whole" / "run", "--trials", total) == 0
    same_trials(tmp_path / "run" / "trials.parquet", tmp_path / "whole" / "run" / "trials.parquet")
    one, other = (strict((tmp_path / path / "best.json").read_text()) for path in ("run", "whole/run"))
    assert {**one, "created": None} == {**other, "created": None}
    del capsys


def test_stopped_before_the_first_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    ended_before(monkeypatch, opening, "open_run_folder")
    before = signal.getsignal(signal.SIGINT)
    assert code("tune", SMOKE, "--run-dir", tmp_path / "run") == 130
    assert signal.getsignal(signal.SIGINT) == before
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: interrupted while prices were read; no batch was scored; run the command again\n"


def test_relative_paths_and_the_default_folder(done: Done, tmp_path: Path):
    """A file beside the configuration decides nothing; the folder is made where the command runs."""
    config = tmp_path / "mine.yaml"
    config.write_text(SMOKE.read_text().replace("../data/sample", "prices").replace("n_trials: 16", "n_trials: 8"))
    (tmp_path / "prices").symlink_to(SAMPLE)
    (tmp_path / "elsewhere").mkdir()
    process = run("tune", config, cwd=tmp_path / "elsewhere")
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith("best of 8 trials")
    digest = smoke().digest[:8]
    rows = pd.read_parquet(tmp_path / "elsewhere" / "runs" / f"mine-{digest}" / "trials.parquet")
    columns = ["number", "source", "objective", "log_k_SYNA", "logit_lamb_SYNB"]
    assert_frame_equal(rows[columns][:8], pd.read_parquet(done[1] / "trials.parquet")[columns][:8], check_exact=True)


def test_resume_goes_on_with_a_run(done: Done, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """By its configuration, or by its folder alone, wherever that has been moved to."""
    folder = copy_of(done[1], tmp_path).rename(tmp_path / "renamed")
    assert code("tune", SMOKE, "--run-dir", folder, "--resume") == 0
    assert code("tune", folder, "--resume", "--trials", "24") == 0
    rows = pd.read_parquet(folder / "trials.parquet")
    before = pd.read_parquet(done[1] / "trials.parquet")
    assert (rows["source"] == "sampler").sum() == 24
    begin_with(rows, before)
    assert strict((folder / "best.json").read_text())["study"]["name"] == done[1].name
    assert "best of 24 trials" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([SMOKE, "--resume"], r"runs/smoke-\w+: nothing to resume: no run of smoke\.yaml; leave --resume out"),
        ([SMOKE, "--resume", "--run-dir", "nowhere"], "nowhere: nothing to resume: no run folder; leave --resume out"),
        ([SMOKE, "--resume", "--storage", "sqlite:///new.db"], r"new\.db: nothing to resume: no such file; leave"),
        ([SMOKE, "--resume", "--storage", "new.journal"], r"new\.journal: nothing to resume: no such file; leave"),
        ([SMOKE, "--resume", "--storage", "sqlite:///old.db"], r"old\.db: nothing to resume: no study smoke; leave"),
        (["empty", "--resume"], "empty: nothing to resume: no run folder"),
        (["empty"], "empty: a folder, not a configuration; give --resume"),
    ],
)
def test_nothing_to_resume(
    tmp_path: Path, arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "old.db").touch()
    assert code("tune", *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(rf"error: .*{said}.*\n", captured.err)
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith(".old.db")} == {"empty", "old.db"}
    assert list((tmp_path / "empty").iterdir()) == []


def test_resume_tells_what_has_changed_in_the_configuration(
    done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The folder of the changed one has another name, so the newest run of the file is the one that is meant."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    copy_of(done[1], tmp_path / "runs")
    assert code("tune", SMOKE, "--resume", "--set", "search.seed=3") == 2
    assert re.search(r"runs/smoke-\w+: holds a run .*search\.seed 0 → 3; undo", capsys.readouterr().err)


@pytest.mark.slow
def test_a_path_is_a_journal_and_two_folders_share_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shared = ("--storage", tmp_path / "shared.journal", "--set", "evidence.enabled=false")
    assert code("tune", SMOKE, "--run-dir", tmp_path / "one", "--trials", "8", *shared) == 0
    assert code("tune", SMOKE, "--run-dir", tmp_path / "two", *shared) == 0
    rows = pd.read_parquet(tmp_path / "two" / "trials.parquet")
    assert len(rows) == 16
    assert_frame_equal(rows[:8], pd.read_parquet(tmp_path / "one" / "trials.parquet"), check_exact=True)
    assert not (tmp_path / "two" / "study.journal").exists()
    assert strict((tmp_path / "two" / "best.json").read_text())["study"]["name"] == "smoke"
    capsys.readouterr()
    assert code("tune", SMOKE, "--run-dir", tmp_path / "three", *shared, "--set", "search.seed=1") == 2
    assert re.search(r"study smoke: .*search\.seed 0 → 1; .*another search\.study_name", capsys.readouterr().err)
    assert not (tmp_path / "three").exists()


def test_trials_that_are_lost_are_told_of(done: Done, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = copy_of(done[1], tmp_path)
    (folder / "study.journal").unlink()
    with shown_warnings():
        assert code("tune", SMOKE, "--run-dir", folder) == 0
    told = r"^warning: LostTrialsWarning: \S+best\.json: tells of 16 trials, but the study holds 0; the others"
    assert re.search(told, capsys.readouterr().err, re.M)
    same_trials(folder / "trials.parquet", done[1] / "trials.parquet")


def test_a_damaged_journal_is_one_line(done: Done, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = copy_of(done[1], tmp_path)
    lines = (folder / "study.journal").read_bytes().splitlines(keepends=True)
    (folder / "study.journal").write_bytes(b"".join([*lines[:5], b"\0\0\n", *lines[6:]]))
    assert code("tune", SMOKE, "--run-dir", folder) == 2
    assert re.fullmatch(r"error: \S+study\.journal:6: damaged in the middle, .*\n", capsys.readouterr().err)
    (folder / "study.journal").write_bytes(b"".join(lines) + b"\xff\xfe garbage")
    with shown_warnings():
        assert code("tune", SMOKE, "--run-dir", folder) == 0
    captured = capsys.readouterr()
    assert re.search(rf"^warning: TornJournalWarning: .*{len(lines) - 3} trials are kept", captured.err, re.M)
    assert "best of 16 trials" in captured.out


def test_a_signal_never_enters_a_write_to_stderr(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Python refuses to enter a buffered write twice, and a signal may come in the middle of one."""

    class Busy:
        def write(self, text: str) -> int:
            raise RuntimeError(f"reentrant call with {text!r}")

    with stop_request() as stop:
        monkeypatch.setattr(sys, "stderr", Busy())
        signal.raise_signal(signal.SIGINT)
        monkeypatch.undo()
        assert stop.was_asked()
    assert "finishing this batch" in capfd.readouterr().err
