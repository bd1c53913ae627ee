import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from momentum_opt.cli.app import main
from tests.sample_runs import LITTLE_EVIDENCE, SMOKE, copy_of, environment, tuned


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of this session. Not to be changed."""
    return tuned(tmp_path_factory.getbasetemp())[1]


@pytest.fixture(scope="module")
def rows(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "trials.parquet")


def code(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["trials", *map(str, arguments)])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def listed(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[dict[str, Any]]:
    assert code(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)["trials"]


def test_the_best_come_first(folder: Path, rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]):
    found = listed(capsys, folder)
    best = rows.sort_values("objective", ascending=False)
    assert [row["number"] for row in found] == best["number"].tolist()
    assert [row["objective"] for row in found] == best["objective"].tolist()
    assert found[0]["k_per_day_SYNA"] == best["k_per_day_SYNA"].iloc[0]
    assert listed(capsys, "list", folder) == found


def test_sorting_filtering_and_columns(folder: Path, rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]):
    middle = float(rows["objective"].median())
    where = ("--where", f"objective >= {middle!r}", "--where", "number<12", "--where", "source = sampler")
    found = listed(capsys, folder, *where, "--sort", "number", "--columns", "number,train_returns")
    kept = rows[(rows["objective"] >= middle) & (rows["number"] < 12)]
    assert found == kept[["number", "train_returns"]].to_dict("records")
    falling = listed(capsys, folder, "--sort", "train_returns", "--limit", "3")
    assert [row["number"] for row in falling] == rows.nlargest(3, "train_returns")["number"].tolist()
    rising = listed(capsys, folder, "--sort", "train_returns", "--reverse", "--limit", "3")
    assert [row["number"] for row in rising] == rows.nsmallest(3, "train_returns")["number"].tolist()
    assert listed(capsys, folder, "--state", "fail") == []
    assert set(listed(capsys, folder, "--columns", "all", "--limit", "1")[0]) == set(rows)


def test_figures_that_could_mean_nothing_are_not_shown(
    folder: Path, rows: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = copy_of(folder, tmp_path)
    rows = rows.copy()
    rows.loc[3, ["objective", "validation_daily_log_sharpe", "train_annualised_returns"]] = 3e25, -2e7, 1.5e12
    rows.loc[3, "train_returns"] = 2e9  # as a token may have risen
    rows.to_parquet(run / "trials.parquet", index=False)
    names = ("number", "objective", "validation_daily_log_sharpe", "train_annualised_returns", "train_returns")
    chosen = (run, "--columns", ",".join(names), "--limit", "2")
    assert code(*chosen) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.split(r"\s{3,}", lines[2].strip()) == ["3", *["not meaningful"] * 3, "2e+09"]
    assert "not meaningful" not in lines[3]
    note = (
        "not meaningful: of daily_log_sharpe what it is divided by is almost zero; of annualised_returns returns of a "
        "short time are compounded to a year"
    )
    assert lines[4:] == [note]
    assert code(run, "show", "3") == 0
    text = capsys.readouterr().out
    assert len(re.findall(r"^ \S+ +not meaningful$", text, re.MULTILINE)) == 3
    assert text.endswith(f"\n{note}\n")
    assert code(*chosen, "--csv") == 0
    back = pd.read_csv(io.StringIO(capsys.readouterr().out)).iloc[0]
    assert tuple(back) == (3, 3e25, -2e7, 1.5e12, 2e9)
    assert listed(capsys, *chosen)[0]["objective"] == 3e25


def test_csv_keeps_every_digit(folder: Path, rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]):
    assert code(folder, "--csv", "--sort", "number", "--columns", "number,objective") == 0
    back = pd.read_csv(io.StringIO(capsys.readouterr().out))
    pd.testing.assert_frame_equal(back, rows[["number", "objective"]], check_exact=True)


def test_the_table_and_one_trial(folder: Path, rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]):
    assert code(folder, "--limit", "2") == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert len(lines) == 4
    assert "k_per_day SYNA / SYNB / SYNUSD" in lines[0]
    best = rows.loc[rows["objective"].idxmax()]
    assert lines[2].split()[:2] == [str(best["number"]), "COMPLETE"]
    assert captured.err == f"{len(rows)} trials, the first 2 are shown; --limit N shows more\n"
    for arguments in ((folder, "show", "3"), ("show", folder, "3")):
        assert code(*arguments) == 0
        assert f"{rows['objective'][3]:.5g}" in capsys.readouterr().out
    assert code(folder, "show", "3", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["objective"] == rows["objective"][3]
    assert document["fail_reason"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sort", "objektive"), "error: --sort: unknown column (objektive); did you mean objective?"),
        (("--columns", "number,memory_days_SYNAA"), "did you mean memory_days_SYNA?"),
        (("--where", "train_return > 1"), "error: --where: unknown column (train_return); did you mean train_returns?"),
        (("--where", "objective"), "not a condition (objective); write for example"),
        (("--where", "objective > much"), "error: --where: much is no number (objective > much)"),
        (("--where", "state > COMPLETE"), "state holds words (state > COMPLETE); compare it with = or !="),
        (("--state", "COMPLET"), "error: --state: unknown state (COMPLET); did you mean COMPLETE?"),
        (("--json", "--csv"), "error: --json and --csv: one output only"),
        (("--pareto",), "has one objective; a front needs objective.metrics or objective.multi_objective"),
        (("show", "999"), "error: no trial 999 in "),
        (("export", "999", "--out", "x.json"), "it holds 0 to "),
    ],
)
def test_bad_requests(arguments: tuple[str, ...], said: str, folder: Path, capsys: pytest.CaptureFixture[str]):
    assert code(folder, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert captured.err.count("\n") == 1


def test_folders_that_are_no_run(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert code(tmp_path) == 2
    assert "not a run folder; give the folder that a tune has named" in capsys.readouterr().err
    run = copy_of(folder, tmp_path)
    (run / "trials.parquet").unlink()
    assert code(run) == 2
    assert "no trials.parquet yet: it is written when a tune ends" in capsys.readouterr().err
    (run / "trials.parquet").write_bytes(b"PAR1 torn")
    assert code(run) == 2
    assert re.search(r"trials\.parquet: cannot be read \(.*\); delete it and give the tune", capsys.readouterr().err)


def test_listing_imports_neither_jax_nor_optuna(folder: Path):
    script = (
        "import sys\nfrom momentum_opt.cli.app import main\n"
        f"try:\n    main(['trials', {str(folder)!r}, '--limit', '1'])\nexcept SystemExit as ended:\n"
        "    assert ended.code == 0\nassert not {'jax', 'optuna'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env=environment(), capture_output=True)


def test_any_trial_can_be_exported_and_replayed(
    folder: Path, rows: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = copy_of(folder, tmp_path)
    out = tmp_path / "new" / "worst.json"
    number = int(rows["objective"].idxmin())
    assert code(run, "export", str(number), "--out", out) == 0
    assert f"written: {out}" in capsys.readouterr().out
    document, best = json.loads(out.read_text()), json.loads((folder / "best.json").read_text())
    assert document["trial"] == number
    assert document["objective"]["value"] == rows["objective"][number]
    assert document["params"]["log_k"] == {
        token: rows[f"log_k_{token}"][number] for token in document["params"]["log_k"]
    }
    for key in ("fingerprint", "digest", "study", "data"):
        assert document[key] == best[key], key
    assert set(document) == set(best) - {"convergence"}
    looks = [json.loads(line) for line in (run / "test_looks.jsonl").read_text().splitlines()]
    assert len(looks) == 2
    assert looks[1]["params"] != looks[0]["params"]
    assert code(run, "export", str(number), "--out", out) == 2
    assert "exists already; give another --out" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["backtest", "--params", str(out), "--json"])
    assert ended.value.code == 0
    replayed = json.loads(capsys.readouterr().out)
    np.testing.assert_allclose(replayed["objective"]["value"], rows["objective"][number], rtol=1e-9)
    for period in ("train", "validation"):
        np.testing.assert_allclose(
            replayed["metrics"][period]["returns"], rows[f"{period}_returns"][number], rtol=1e-6, atol=1e-9
        )


@pytest.mark.slow
def test_the_front_of_several_objectives(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run = tmp_path / "run"
    several = ("--set", "objective.multi_objective=true", "--set", "objective.windows=3")
    with pytest.raises(SystemExit) as ended:
        main(["tune", str(SMOKE), "--run-dir", str(run), "--json", *several, *LITTLE_EVIDENCE])
    assert ended.value.code == 0
    tuned_document = json.loads(capsys.readouterr().out)
    found = listed(capsys, run, "--pareto")
    assert tuned_document["pareto"] == found
    names = ["objective_mean", "objective_worst", "objective_steadiness"]
    every = pd.read_parquet(run / "trials.parquet").set_index("number")[names]
    front = [
        number
        for number, mine in every.iterrows()
        if not ((every >= mine).all(axis=1) & (every > mine).any(axis=1)).any()
    ]
    assert {row["number"] for row in found} == set(front)
    assert [row["objective_mean"] for row in found] == sorted((row["objective_mean"] for row in found), reverse=True)
    picks = {name: row for row in found for name in row["pick"].split(", ") if name}
    assert set(picks) == {"balanced", "knee", "best mean", "best worst", "steadiest"}
    assert picks["balanced"]["number"] == tuned_document["best"]["trial"]
    for pick, name in zip(("best mean", "best worst", "steadiest"), names, strict=True):
        assert picks[pick][name] == every[name].max()
    assert code(run, "export", str(picks["knee"]["number"]), "--out", tmp_path / "knee.json") == 0
    assert json.loads((tmp_path / "knee.json").read_text())["objective"]["value"] == [
        picks["knee"][name] for name in names
    ]
