"""Figures of several objectives, of the trials of a run that are made to have several."""

import dataclasses
import io
import json
from pathlib import Path

import altair
import jsonschema
import numpy as np
import pandas as pd
import pytest

from momentum_opt.fingerprint import Fingerprint, override_fingerprint
from momentum_opt.results.report.content import Content, run_content
from momentum_opt.results.report.figures_front import front_parts
from momentum_opt.results.report.plot import Plot, for_file, for_page
from momentum_opt.results.report.run_page import run_page
from momentum_opt.results.report.wording import objective_labels
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.results.trial_list import front_rows
from tests.results.report.pages import outline
from tests.sample_runs import smoke, tuned

METRICS = ("daily_log_sharpe", "returns", "weight_turnover")
SIGNS = np.array([1, 1, -1])


def with_several(content: Content) -> Content:
    """The same run as if it had been tuned for three metrics, with the winner told twice."""
    assert content.trials is not None
    settings = [f"objective.metrics=[{', '.join(METRICS)}]", "search.sampler=nsga2"]
    fingerprint = override_fingerprint(content.fingerprint, settings, name="the run's fingerprint")
    trials = content.trials.copy()
    trials = pd.concat([trials, trials.iloc[-1:].assign(number=trials["number"].max() + 1)], ignore_index=True)
    for name in METRICS:
        trials[f"objective_{name}"] = trials[f"train_{name}"]
    front = front_rows(trials, fingerprint.objective)
    balanced = front.loc[front["pick"].str.startswith("balanced"), "number"].item()
    return dataclasses.replace(
        content, fingerprint=fingerprint, trials=trials, document={**content.document, "trial": balanced}
    )


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Content:
    return with_several(run_content(RunFolder(tuned(tmp_path_factory.getbasetemp())[1])))


def rows_of(data: dict) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(data["values"]))


def test_the_front_is_drawn_by_pairs_each_point_once(content: Content):
    fronts, picks, parallel = front_parts(content)
    assert isinstance(fronts, Plot)
    assert isinstance(parallel, Plot)
    assert len(fronts.views) == 3  # of three objectives
    trials = content.trials
    assert trials is not None
    columns = [f"objective_{name}" for name in METRICS]
    once = trials[trials["state"] == "COMPLETE"].drop_duplicates(columns)
    assert len(once) < (trials["state"] == "COMPLETE").sum()
    points = once[columns].to_numpy() * SIGNS
    front = {
        number
        for number, point in zip(once["number"], points, strict=True)
        if not ((points >= point).all(axis=1) & (points > point).any(axis=1)).any()
    }
    for view, (across, up) in zip(fronts.views, ((0, 1), (0, 2), (1, 2)), strict=True):
        everything, on_front, picked = (
            rows_of(data) for data in (view["data"], *(one["data"] for one in view["layer"][1:3]))
        )
        assert everything["number"].astype(int).tolist() == once["number"].tolist()
        assert set(on_front["number"].astype(int)) == front
        assert set(", ".join(picked["what"]).split(", ")) == {"balanced", "knee", *(f"best {name}" for name in METRICS)}
        titles = [view["layer"][0]["encoding"][axis]["title"] for axis in ("x", "y")]
        assert titles == [METRICS[across], METRICS[up]]
    assert "the objectives of an earlier one" in fronts.caption
    assert {row[0] for row in picks.groups[0].rows} == set(picked["what"])
    lines = rows_of(parallel.views[0]["data"])
    assert lines["what"].tolist().count("balanced") == 1
    turnover = [name for name in lines if name.startswith("n")][-1]  # lower is better: its axis is turned over
    best = lines[turnover].astype(float).idxmax()
    assert lines["o2"].astype(float)[best] == lines["o2"].astype(float).min()


def test_they_are_vega_lite_and_on_the_page(content: Content):
    path = Path(altair.__file__).parent / "vegalite" / "v6" / "schema" / "vega-lite-schema.json"
    schema = jsonschema.Draft7Validator(json.loads(path.read_text()))
    for plot in (part for part in front_parts(content) if isinstance(part, Plot)):
        for spec in (*map(for_page, plot.views), for_file(plot)):
            assert list(schema.iter_errors(spec)) == [], plot.key
    page = run_page(content)
    assert {"fronts", "parallel"} <= {plot.key for plot in page.plots}
    assert "Picks of the front" in outline(page.html).text


def test_one_objective_has_no_front(tmp_path_factory: pytest.TempPathFactory):
    assert front_parts(run_content(RunFolder(tuned(tmp_path_factory.getbasetemp())[1]))) == ()


@pytest.mark.parametrize(
    ("overrides", "labels"),
    [
        ((), ("daily_log_sharpe",)),
        (("objective.windows=3",), ("mean of daily_log_sharpe",)),
        (("objective.windows=3", "objective.aggregate=worst"), ("worst of daily_log_sharpe",)),
        (("objective.windows=3", "objective.aggregate=mean_minus_std"), ("mean − std of daily_log_sharpe",)),
        (("objective.windows=2", "objective.metrics=[calmar, returns]"), ("mean of calmar", "mean of returns")),
        (
            ("objective.windows=2", "objective.multi_objective=true"),
            tuple(f"{part} of daily_log_sharpe" for part in ("mean", "worst", "steadiness")),
        ),
    ],
)
def test_axes_are_named_after_the_aggregate(overrides: tuple[str, ...], labels: tuple[str, ...]):
    fingerprint: Fingerprint = smoke(*overrides)
    assert objective_labels(fingerprint.objective) == labels
