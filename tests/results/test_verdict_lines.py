"""What a verdict says beside its rules: limits, repaired prices, convergence, on documents made by hand and a run."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from momentum_opt.cli.render import verdict_lines
from momentum_opt.results.report.content import run_content
from momentum_opt.results.report.verdict import verdict_box
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.results.verdict_section import further_lines, walk_lines, why_not_accepted
from tests.sample_runs import tuned

WHOLE = {"bar_minutes": 1, "files": [{"token": "A", "rows": 1000, "filled_minutes": 0}]}


def limited(train: float, test: float | None, *, least: float = -0.25) -> dict[str, Any]:
    limit = {"min": least, "value": train, "kept": train >= least}
    metrics = {"train": {"max_drawdown": train}} | ({} if test is None else {"test": {"max_drawdown": test}})
    return {"limits": {"max_drawdown": limit}, "metrics": metrics, "data": WHOLE}


def test_nothing_is_said_where_nothing_applies():
    assert further_lines({"data": WHOLE, "metrics": {}}) == []


def test_limits_are_told_of_on_train_and_on_test():
    (line,) = further_lines(limited(-0.2, -0.3))
    assert (line["name"], line["met"]) == ("limits", True)
    assert line["words"] == (
        "limits on train kept; max_drawdown -0.2 (at least -0.25); "
        "on test not kept; max_drawdown -0.3 (at least -0.25: broken)"
    )
    (line,) = further_lines(limited(-0.3, -0.25))
    assert line["met"] is False
    assert line["words"].endswith("on test kept; max_drawdown -0.25 (at least -0.25)")
    (line,) = further_lines(limited(-0.2, None))
    assert "test" not in line["words"]


def test_the_share_of_filled_minutes():
    """Hours of A: 95 rows stand for 5,700 minutes, 300 are filled; of B none are."""
    files = [
        {"token": "A", "rows": 95, "filled_minutes": 300},
        {"token": "B", "rows": 100, "filled_minutes": 0},
    ]
    (line,) = further_lines({"metrics": {}, "data": {"bar_minutes": 60, "files": files}})
    assert line == {
        "name": "data", "met": None,
        "words": "data repaired: 2.5 % of the minutes hold an earlier close (A 5.0 %)",
    }  # fmt: skip


def test_folds_are_counted():
    def fold(inside: float, outside: float, converged: bool | None) -> dict[str, Any]:
        return {
            "in_sample": {"returns": inside}, "out_of_sample": {"returns": outside}, "converged": converged,
        }  # fmt: skip

    folds = [fold(0.3, 0.1, True), fold(0.2, -0.1, False), fold(-0.1, -0.2, None)]
    limits, searches = walk_lines(folds, {"returns": {"min": 0.0}}, WHOLE)
    assert limits == {
        "name": "limits", "met": False, "words": "limits on train kept in 2 of 3 folds; out of sample in 1",
    }  # fmt: skip
    assert searches == {"name": "convergence", "met": False, "words": "search converged in 1 of 3 folds"}
    older = [{key: value for key, value in one.items() if key != "converged"} for one in folds]
    assert walk_lines(older, {}, WHOLE) == []


def test_broken_limits_have_to_be_accepted_and_other_lines_have_not():
    rules = [{"name": "plateau", "met": True, "words": "robust"}]
    broken = {"name": "limits", "met": False, "words": "limits on train not kept; returns -1 (at least 0: broken)"}
    unconverged = {"name": "convergence", "met": False, "words": "search not converged"}
    verdict = {"words": "evidence of skill", "rules": rules, "lines": [unconverged]}
    assert why_not_accepted({"trial": 1}, verdict) is None
    why = why_not_accepted({"trial": 1}, {**verdict, "lines": [broken, unconverged]})
    assert why == "evidence of skill. Not met: limits on train not kept; returns -1 (at least 0: broken)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session's run. Not to be changed."""
    return tuned(tmp_path_factory.getbasetemp())[1]


def test_a_run_has_them_in_best_json_terminal_and_page(folder: Path):
    best = json.loads((folder / "best.json").read_text())
    (line,) = best["verdict"]["lines"]
    assert (line["name"], line["met"]) == ("convergence", best["convergence"]["converged"])
    assert line["words"] == f"search {best['convergence']['words']}"

    content = run_content(RunFolder(folder))
    data = {**best["data"], "files": [{**file, "filled_minutes": file["rows"]} for file in best["data"]["files"]]}
    document = {**best, **limited(-0.2, -0.3), "data": data}
    lines = further_lines(document)
    shown = verdict_lines({**best["verdict"], "lines": lines}, None, apart=("convergence",))
    assert shown[-2:] == [f"  {one['words']}" for one in lines[:2]]
    assert "data repaired: 50.0 % of the minutes" in shown[-1]
    box = verdict_box(replace(content, document=document))
    assert box is not None
    said = " ".join(box.notes).lower()
    assert all(one["words"].lower() in said for one in lines)
