"""The page of the session's smoke run, read by an HTML parser; what a browser shows of it is in test_browser.py."""

import dataclasses
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from momentum_opt.errors import RunFolderError
from momentum_opt.fingerprint import override_fingerprint
from momentum_opt.results.files import write_json
from momentum_opt.results.holdout import note_look, recorded_holdout
from momentum_opt.results.records import read_best
from momentum_opt.results.report.content import Content, run_content, run_inputs
from momentum_opt.results.report.figures_search import search_plots
from momentum_opt.results.report.page import Page
from momentum_opt.results.report.run_page import run_page
from momentum_opt.results.report.tables import every_metric_table, fees_table, metric_table
from momentum_opt.results.report.verdict import verdict_box
from momentum_opt.results.report.write import is_current, write_page
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.vocabulary.metrics import METRICS
from tests.results.report.pages import Outline, outline
from tests.sample_runs import TOKENS, copy_of, tuned


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's run. Not to be changed."""
    return tuned(tmp_path_factory.getbasetemp())[1]


@pytest.fixture(scope="module")
def content(folder: Path) -> Content:
    return run_content(RunFolder(folder))


@pytest.fixture(scope="module")
def page(content: Content) -> Page:
    return run_page(content)


@pytest.fixture(scope="module")
def found(page: Page) -> Outline:
    return outline(page.html)


def test_it_is_one_sound_file(page: Page, found: Outline):
    assert found.wrong == []
    assert len(found.ids) == len(set(found.ids))
    inside = [link for link in found.links if link.startswith("#")]
    assert {link[1:] for link in inside} <= set(found.ids)
    assert [link for link in found.links if not link.startswith(("#", "data:"))] == []
    assert found.sources == []
    own = re.sub(r"<script>.*?</script>", "", page.html, flags=re.DOTALL)
    assert not re.search(r"@import|url\((?!#)", own)
    assert len(page.html) < 6 * 2**20


def test_every_section_can_be_reached(found: Outline):
    sections = {"verdict", "results", "path", "parameters", "luck", "search", "plateau", "data", "record"}
    assert {f"#{key}" for key in sections} <= set(found.links)
    assert found.tags.count("h1") == 1
    assert ("h1", " / ".join(TOKENS)) in found.headings


def test_every_figure_has_its_place_and_its_definition(page: Page, found: Outline):
    assert [plot.key for plot in page.plots] == [
        "equity", "ratio", "drawdown", "parts", "weights", "days", "flows", "unchosen", "history", "scatter",
        "plateau", "maps",
    ]  # fmt: skip
    assert {f"figure-{plot.key}" for plot in page.plots} == {key for key in found.ids if key.startswith("figure-")}
    assert found.tags.count("figure") == len(page.plots)
    (text,) = re.findall(r'<script type="application/json" id="plots">(.*?)</script>', page.html, re.DOTALL)
    specs = json.loads(text)
    assert {key: len(views) for key, views in specs.items()} == {plot.key: len(plot.views) for plot in page.plots}
    assert all(view["width"] == "container" for views in specs.values() for view in views)
    for plot in page.plots:
        assert plot.caption in found.text.replace("\N{NO-BREAK SPACE}", " ")


def test_it_says_what_best_json_says(folder: Path, found: Outline):
    best = json.loads((folder / "best.json").read_text())
    text = found.text.replace("−", "-")
    for period in ("train", "validation", "test"):
        assert f"{best['metrics'][period]['daily_log_sharpe']:,.3f}" in text
        assert f"{100 * best['baselines'][period]['hodl']['returns']:,.2f} %" in text
    for token in TOKENS:
        assert f"{best['readable']['lamb'][token]:.6f}" in text
    for file in best["data"]["files"]:
        assert file["sha256"] in text
        assert f"{file['rows']:,}" in text
    assert best["digest"] in text
    assert all(version in text for version in best["versions"].values())
    assert "Test period evaluated once." in text


def test_metrics_for_comparison_stand_apart(content: Content):
    """Every metric once; those that quantammsim alone reads under their heading, after the others."""
    usual, others = every_metric_table(content).groups
    assert others.heading == "Kept for comparison with quantammsim"
    odd = {row[0] for row in others.rows}
    assert {"daily_rovar", "weekly_raroc", "greatest_draw_down", "weekly_var_99%_trad"} <= odd
    assert not odd & {"max_drawdown", "calmar", "lvr", "returns", "ulcer", "cvar_95"}
    assert odd | {row[0] for row in usual.rows} == set(METRICS)
    assert len(odd) + len(usual.rows) == len(METRICS)


def test_figures_that_could_mean_nothing_are_not_shown(content: Content):
    train = {**content.document["metrics"]["train"], "monthly_rovar": 1e25, "calmar": 2e6}
    beyond = replace(content, document={**content.document, "metrics": {"train": train}})
    table = every_metric_table(beyond)
    cells = {row[0]: row[1] for group in table.groups for row in group.rows}
    assert (cells["monthly_rovar"], cells["calmar"]) == ("not meaningful", "not meaningful")
    assert "Not meaningful: of " in table.note
    assert "monthly_rovar" in table.note
    assert "e+25" not in str(table)


def test_baselines_that_coincide_share_a_heading(content: Content):
    """The sample's pool begins with equal weights, so both HODLs hold the same in train; later they differ."""
    headings = [group.heading for group in metric_table(content).groups]
    assert headings[1:3] == ["HODL from the period's start", "uniform HODL from the period's start"]
    baselines = {"train": content.document["baselines"]["train"]}
    document = {**content.document, "baselines": baselines, "metrics": {"train": content.document["metrics"]["train"]}}
    alone = [group.heading for group in metric_table(replace(content, document=document)).groups]
    assert alone[1] == "HODL from the period's start = uniform HODL from the period's start"
    assert len(alone) == len(headings) - 1


def test_the_verdict_is_that_of_evidence_json(folder: Path, content: Content, found: Outline):
    evidence = json.loads((folder / "evidence.json").read_text())["verdict"]
    box = verdict_box(content)
    assert box is not None
    assert f"{box.headline}; {box.words}".lower().startswith(evidence["words"].lower())
    marks = {True: "met", False: "not met", None: "not computed"}
    assert [rule.mark for rule in box.rules] == [marks[rule["met"]] for rule in evidence["rules"]]
    required = [rule.required for rule in box.rules]
    assert required == ["≥ 0.95", "≤ 0.20", "above the constant-weight pool", "≥ 50 %"]
    for rule in box.rules:
        assert rule.name in found.text
        assert rule.required in found.text
        assert rule.words in found.text
    assert "It is no advice to invest." in found.text


def test_no_verdict_without_evidence(folder: Path, tmp_path: Path):
    run = RunFolder(copy_of(folder, tmp_path))
    run.evidence.unlink()
    box = verdict_box(run_content(run))
    assert box is not None
    assert box.headline == "No verdict"
    assert box.rules == ()


def test_evidence_of_another_winner_is_not_shown(folder: Path, tmp_path: Path):
    run = RunFolder(copy_of(folder, tmp_path))
    evidence = json.loads(run.evidence.read_text())
    write_json(run.evidence, {**evidence, "trial": evidence["trial"] + 1})
    content = run_content(run)
    assert content.findings is None
    assert any("another winner" in line for line in content.missing)


def test_damaged_evidence_is_named_and_left_out(folder: Path, tmp_path: Path):
    run = RunFolder(copy_of(folder, tmp_path))
    run.evidence.write_text('{"trial": ')
    content = run_content(run)
    assert content.findings is None
    (line,) = content.missing
    assert "evidence.json: " in line
    assert line in outline(run_page(content).html).text


def test_a_folder_with_less_gives_a_page_with_less(folder: Path, tmp_path: Path):
    run = RunFolder(copy_of(folder, tmp_path))
    for path in (run.evidence, run.daily, run.trials, run.test_looks):
        path.unlink()
    page = run_page(run_content(run))
    assert page.plots == ()
    assert "vega" not in page.html.casefold()
    text = outline(page.html).text
    assert "daily.parquet is not in the run folder" in text
    assert "trials.parquet is not in the run folder" in text
    assert "Test period evaluated at least once" in text


def test_what_is_no_run_is_refused(tmp_path: Path, folder: Path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RunFolderError, match="not a run folder"):
            run_content(RunFolder(path))
    run = RunFolder(copy_of(folder, tmp_path))
    run.trials.write_bytes(b"no parquet")
    with pytest.raises(RunFolderError, match=r"trials\.parquet: cannot be read"):
        run_content(run)
    run.best.write_text("{}")
    with pytest.raises(RunFolderError, match=r"best\.json: is not as it was written"):
        run_content(run)
    run.best.unlink()
    with pytest.raises(RunFolderError, match=r"no best\.json yet"):
        run_content(run)


def test_a_page_is_current_until_a_file_changes(folder: Path, page: Page, tmp_path: Path):
    run = RunFolder(copy_of(folder, tmp_path))
    target = run.path / "report.html"
    best = read_best(run.best)
    assert not is_current(target, run_inputs(run, best))
    write_page(dataclasses.replace(page, plots=page.plots[:1]), target, run.path / "figures")
    assert is_current(target, run_inputs(run, best))
    assert {path.name for path in (run.path / "figures").iterdir()} == {"equity.svg", "equity.png"}
    other = copy_of(run.path, tmp_path / "runs").rename(tmp_path / "other")
    holdout = recorded_holdout(best)
    assert holdout is not None
    note_look(other, holdout, "backtest", {})  # another run evaluates the same test period
    assert not is_current(target, run_inputs(run, best))
    assert "Test period evaluated 2 times, with 2 parameter sets." in outline(run_page(run_content(run)).html).text


def test_names_cannot_inject_markup(content: Content):
    odd = dataclasses.replace(content, name="<b>&</b>", missing=("<script>x</script>",), trials=None, daily=None)
    odd = dataclasses.replace(odd, findings=None)
    html = run_page(odd).html
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in html
    assert "<script>x" not in html


def test_failed_trials_and_disasters_leave_the_figures_readable(content: Content):
    assert content.trials is not None
    rng = np.random.default_rng(0)
    objective = rng.normal(size=3000)
    objective[::7] = np.nan
    objective[1] = -1e12
    validation = rng.normal(size=3000)
    validation[2] = np.inf
    trials = pd.DataFrame(
        {
            "number": np.arange(3000),
            "objective": objective,
            "train_daily_log_sharpe": objective,
            "validation_daily_log_sharpe": validation,
        }
    )
    plots = search_plots(dataclasses.replace(content, trials=trials))
    assert [plot.key for plot in plots] == ["history", "scatter"]
    assert "lie below the axis" in plots[0].caption
    assert search_plots(dataclasses.replace(content, trials=trials.assign(objective=np.nan)))[0].key == "scatter"
    assert search_plots(dataclasses.replace(content, trials=trials[:0])) == []


def test_fees_are_shown_where_there_are_costs(content: Content):
    assert fees_table(content) is None
    charged = override_fingerprint(content.fingerprint, ["costs.fees=0.003"])
    earned = {"train": {"liquidity_providers": 1234.4, "protocol": 0.0}}
    table = fees_table(
        dataclasses.replace(content, fingerprint=charged, document={**content.document, "fees_earned": earned})
    )
    assert table is not None
    assert table.groups[0].rows == (("liquidity providers", "1,234"), ("protocol", "0"))


def test_a_page_says_once_how_often_its_test_was_evaluated(content: Content, found: Outline):
    assert found.text.casefold().count("test period evaluated") == 1
    backtest = {key: value for key, value in content.document.items() if key not in ("trial", "study")}
    page = run_page(dataclasses.replace(content, document=backtest, looks=None))
    assert outline(page.html).text.count("Evaluations of the test period: not counted") == 1
    shorter = {**content.document, "metrics": {"train": content.document["metrics"]["train"]}}
    assert dataclasses.replace(content, document=shorter).looks_words() == ""
