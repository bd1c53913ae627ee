"""Tunes whose winner is beaten by its own neighbourhood: the better points enter, and the search goes on from them."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from momentum_opt.api import neighbours as looking
from momentum_opt.api import settling
from momentum_opt.api.neighbours import Scorer
from momentum_opt.api.opening import open_run
from momentum_opt.api.prices import market_of
from momentum_opt.api.tuning import TuneResult, tune
from momentum_opt.cli.render import convergence_lines
from momentum_opt.evidence.neighbourhood import score_neighbourhood
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.evidence import read_evidence
from momentum_opt.results.files import write_json
from momentum_opt.results.records import read_best
from momentum_opt.results.report.content import run_content
from momentum_opt.results.report.verdict import verdict_box
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.study.replay import replay
from momentum_opt.study.space import search_space
from momentum_opt.study.trials import best_record
from tests.sample_runs import SMOKE, run, smoke

SMALL = (
    "evidence.plateau_draws=4", "evidence.heat_map=5", "evidence.random_baselines=16", "evidence.bootstrap_draws=50",
    "search.sampler=random",
)  # fmt: skip
PLAIN = smoke(*SMALL)


def table(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "trials.parquet")


def document(folder: Path) -> dict:
    return json.loads((folder / "best.json").read_text())


def best_neighbour(fingerprint: Fingerprint, folder: Path) -> tuple[float, float, float]:
    """The best of the winner's clouds and maps, the winner and the constant-weight pool, from a run on disk."""
    run = open_run(fingerprint, folder, "", folder.name, resume=True)
    scorer = Scorer(run)
    winner = best_record(run.study.records())
    assert winner is not None
    found = score_neighbourhood(scorer.evaluator, scorer.space, winner)
    assert found is not None
    run.study.close()
    return float(np.nanmax(found.objectives[1:])), winner.objectives[0], scorer.baseline


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[TuneResult, Path]:
    """A tune of 16 random trials. Not to be changed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return tune(PLAIN, folder), folder


def test_no_point_that_the_evidence_knows_beats_the_winner(whole: tuple[TuneResult, Path]):
    result, folder = whole
    rows = table(folder)
    near = rows[rows["source"] == "neighbourhood"]
    assert rows["source"].tolist() == ["sampler"] * 16 + ["neighbourhood"] * len(near)
    assert near["near"].nunique() > 1  # one look was not enough
    best, winner, baseline = best_neighbour(PLAIN, folder)
    assert best <= winner + 0.01 * abs(winner - baseline)
    maps = read_evidence(folder / "evidence.json").plateau.heat_maps
    shown = [value for one in maps for row in one.objective for value in row if value is not None]
    assert max(shown) <= winner + 0.01 * abs(winner - baseline)
    assert result.best["trial"] == int(rows["number"][rows["objective"].idxmax()])
    assert result.best["source"] == "neighbourhood"


def test_every_neighbour_beats_the_trial_that_it_lies_near_and_is_scored_as_a_replay_scores_it(
    whole: tuple[TuneResult, Path],
):
    rows = table(whole[1]).set_index("number")
    baseline = document(whole[1])["convergence"]["baseline"]
    near = rows[rows["source"] == "neighbourhood"]
    centre = rows.loc[near["near"].astype(int), "objective"].to_numpy()
    assert (near["objective"].to_numpy() > centre + 0.01 * np.abs(centre - baseline)).all()
    space, market = search_space(PLAIN), market_of(PLAIN)
    for number in (near.index[0], near.index[-1]):
        params = space.params({key: rows.loc[number, key] for key in space.ranges})
        assert replay(PLAIN, market, params).objectives[0] == pytest.approx(rows.loc[number, "objective"], rel=1e-9)


def test_trials_and_points_are_counted_apart(whole: tuple[TuneResult, Path]):
    """N is all candidates scored: 16 trials and each neighbourhood that led to another winner."""
    result, folder = whole
    rows, study = table(folder), document(folder)["study"]
    looks = rows[rows["source"] == "neighbourhood"].groupby("near")["points"].sum()
    size = 4 * (6 + 4) * 3 + 5 * 5 * 3
    assert ((looks > 0.9 * size) & (looks <= size)).all()  # a map may hold a point twice
    assert (study["n_trials"], study["n_neighbours"]) == (16, (rows["source"] == "neighbourhood").sum())
    assert study["n_points"] == rows["points"].sum() == 16 + looks.sum()
    assert result.findings is not None
    assert result.findings.candidates.trials == 16
    assert result.findings.candidates.distinct == study["n_points"]


def test_convergence_stands_in_best_json_and_tells_of_it(whole: tuple[TuneResult, Path]):
    found = document(whole[1])["convergence"]
    assert found["converged"] is False
    assert (found["trials"], found["last_quarter"] > 0.01) == (16, True)
    assert "the last quarter of 16 trials and points near its winner added" in found["words"]


def test_terminal_and_page_say_it_and_an_older_best_json_still_serves(whole: tuple[TuneResult, Path], tmp_path: Path):
    folder = shutil.copytree(whole[1], tmp_path / "run")
    best = read_best(folder / "best.json")
    assert convergence_lines(best)[0].startswith("search: ")
    assert len(convergence_lines(best)) == 1 + len(best["convergence"]["facts"])
    box = verdict_box(run_content(RunFolder(folder)))
    assert box is not None
    assert any(best["convergence"]["facts"][0] in note for note in box.notes)
    counts = ("n_neighbours", "n_points")
    study = {key: value for key, value in best["study"].items() if key not in counts}
    older = {key: value for key, value in best.items() if key not in ("convergence", "checksums")}
    write_json(folder / "best.json", {**older, "study": study})
    assert convergence_lines(read_best(folder / "best.json")) == []
    box = verdict_box(run_content(RunFolder(folder)))
    assert box is not None
    assert not any("onverged" in note for note in box.notes)
    assert tune(PLAIN, folder).best["trial"] == best["trial"]


def same_results(one: Path, other: Path) -> None:
    assert_frame_equal(table(one), table(other), check_exact=True)
    ours, theirs = (
        {**document(folder), "created": "", "versions": "", "study": {**document(folder)["study"], "name": ""}}
        for folder in (one, other)
    )
    for either in (ours, theirs):
        either.pop("checksums")
    assert ours == theirs


def test_the_same_command_again_adds_nothing(whole: tuple[TuneResult, Path], tmp_path: Path):
    folder = shutil.copytree(whole[1], tmp_path / "run")
    tune(PLAIN, folder)
    same_results(folder, whole[1])
    (folder / "evidence.json").unlink()
    (folder / "best.json").unlink()
    tune(PLAIN, folder)
    same_results(folder, whole[1])


def after_lines(count: int) -> tuple[Callable[[str], None], Callable[[], bool]]:
    """Asks to stop once so many neighbourhoods have been told of."""
    said: list[str] = []
    return lambda line: said.append(line) if "near trial" in line else None, lambda: len(said) >= count


@pytest.mark.parametrize("count", [1, 2])
def test_stopped_between_two_neighbourhoods_it_ends_as_if_it_had_not_been(
    count: int, whole: tuple[TuneResult, Path], tmp_path: Path
):
    say, asked = after_lines(count)
    stopped = tune(PLAIN, tmp_path / "run", on_message=say, should_stop=asked)
    assert (stopped.outcome.stopped, stopped.findings) == ("interrupted", None)
    rows = table(tmp_path / "run")
    assert rows["near"].nunique() == count
    assert stopped.best["trial"] == int(rows["number"][rows["objective"].idxmax()])
    tune(PLAIN, tmp_path / "run")
    same_results(tmp_path / "run", whole[1])


@pytest.mark.parametrize("left", [1, 5])
def test_an_append_of_neighbours_that_was_cut_short_is_completed(
    left: int, whole: tuple[TuneResult, Path], tmp_path: Path
):
    """The journal ends inside the second neighbourhood."""
    folder = shutil.copytree(whole[1], tmp_path / "run")
    near = table(folder)["near"]
    second = int(np.flatnonzero(near == near.dropna().unique()[1])[0])
    lines = (folder / "study.journal").read_bytes().splitlines(keepends=True)
    head = len(lines) - len(near)
    (folder / "study.journal").write_bytes(b"".join(lines[: head + second + left]))
    for name in ("best.json", "evidence.json", "trials.parquet"):
        (folder / name).unlink()
    tune(PLAIN, folder)
    same_results(folder, whole[1])


def test_the_search_goes_on_from_them_while_it_has_trials_left(tmp_path: Path):
    fingerprint = smoke(*SMALL, "search.n_trials=400", "search.early_stopping={patience: 8}")
    result = tune(fingerprint, tmp_path / "run")
    rows = table(tmp_path / "run")
    sampled = rows["source"] == "sampler"
    first = int(np.flatnonzero(~sampled)[0])
    assert sampled[first:].any()
    assert result.outcome.stopped == "early stopping"
    assert sampled[np.flatnonzero(~sampled)[-1] :].sum() >= 8  # its patience again after the last ones
    best, winner, baseline = best_neighbour(fingerprint, tmp_path / "run")
    assert best <= winner + 0.01 * abs(winner - baseline)
    stop, resumed = iter([False] * 6), tmp_path / "resumed"
    tune(fingerprint, resumed, should_stop=lambda: next(stop, True))
    tune(fingerprint, resumed)
    same_results(resumed, tmp_path / "run")


def test_without_time_left_the_better_point_still_enters(tmp_path: Path):
    fingerprint = smoke(*SMALL, "search.n_trials=100000", "search.timeout=2")
    result = tune(fingerprint, tmp_path / "run", on_batch=lambda _: time.sleep(2.1))
    rows = table(tmp_path / "run")
    assert result.outcome.stopped == "timeout"
    assert rows["source"][:8].tolist() == ["sampler"] * 8
    assert set(rows["source"][8:]) == {"neighbourhood"}
    assert "raise search.timeout" in result.best["convergence"]["words"]


@pytest.mark.slow
def test_a_winner_of_several_objectives_is_not_dominated_by_a_neighbour(tmp_path: Path):
    fingerprint = smoke(*SMALL, "objective.multi_objective=true", "objective.windows=2")
    result = tune(fingerprint, tmp_path / "run")
    assert "neighbourhood" in set(table(tmp_path / "run")["source"])
    run = open_run(fingerprint, tmp_path / "run", "", "run", resume=True)
    scorer, winner = Scorer(run), best_record(run.study.records())
    assert winner is not None
    found = score_neighbourhood(scorer.evaluator, scorer.space, winner)
    assert found is not None
    scores, own = found.without_winner.objectives, np.array(winner.objectives)
    beaten = (scores >= own).all(axis=1) & (scores[:, 0] > own[0] + 0.01 * abs(own[0] - scorer.baseline))
    assert not beaten.any()
    assert result.best["convergence"]["converged"] is None
    assert "not measured: several objectives" in result.best["convergence"]["words"]


def test_the_rounds_are_bounded_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for module in (looking, settling):
        monkeypatch.setattr(module, "MOST_ROUNDS", 1)
    said: list[str] = []
    result = tune(PLAIN, tmp_path / "run", on_message=said.append)
    assert table(tmp_path / "run")["near"].nunique() == 1
    assert any("1 times in a row: its neighbourhood is left as it is" in line for line in said)
    assert "points near the best may still score better" in result.best["convergence"]["words"]


def test_where_no_neighbours_are_asked_for_none_enter(tmp_path: Path):
    for place, off in enumerate(("evidence.enabled=false", "evidence={plateau_draws: 0, heat_map: 0}")):
        folder = tmp_path / str(place)
        tune(smoke("search.sampler=random", off), folder)
        assert set(table(folder)["source"]) == {"sampler"}
        assert document(folder)["convergence"]["trials"] == 16


@pytest.mark.slow
def test_with_costs_and_two_workers_the_winner_is_not_beaten_either(tmp_path: Path):
    settings = (*SMALL, "costs.fees=0.003", "search.sampler=memetic", "search.screen=0", "search.generations=10")
    options = [word for setting in settings for word in ("--set", setting)]
    done = run("tune", SMOKE, "--run-dir", tmp_path / "run", "--workers", "2", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    fingerprint = smoke(*settings)
    best, winner, baseline = best_neighbour(fingerprint, tmp_path / "run")
    assert best <= winner + 0.01 * abs(winner - baseline)
