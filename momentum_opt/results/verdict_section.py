"""Carry a verdict from evidence.json into best.json, and from there to whatever is made of the parameters."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from momentum_opt.errors import MomentumOptError
from momentum_opt.evidence.effort import quick_words
from momentum_opt.evidence.findings import Findings
from momentum_opt.results.evidence import read_evidence
from momentum_opt.results.look_lines import is_run
from momentum_opt.results.parquet import REMADE, read_parquet
from momentum_opt.results.price_notes import repaired
from momentum_opt.results.report.wording import limits_words
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.study.limits import keeps
from momentum_opt.units import DAYS_PER_YEAR, counted

VERDICT: Final = "verdict"
"""Its key in best.json, deployment.json and what `weights` prints; null where there is none."""

LINES: Final = "lines"
"""Key of what a verdict says besides its rules: name, met or None, words."""

Document = Mapping[str, Any]


def further_lines(document: Document) -> list[dict[str, Any]]:
    """What is said of a result beside the rules of its verdict, where it applies.

    `limits`: whether the winner keeps the limits of the objective on train; the test is told of as well. `data`: how
    much of the prices was repaired. `convergence`: of the search. None of them changes the verdict's outcome.
    """
    lines = [*_limits(document), *_data(document["data"])]
    measured = document.get("convergence")
    if measured is not None:
        lines.append(_line("convergence", f"search {measured['words']}", met=measured["converged"]))
    return lines


def _effort(findings: Findings) -> list[dict[str, Any]]:
    settings = findings.settings
    if not settings.get("quick"):
        return []
    return [_line("evidence", quick_words(findings.non_adaptive.source, findings.non_adaptive.drawn), met=None)]


def sweep_lines(findings: Findings) -> list[dict[str, Any]]:
    """`sweep`: how many of the candidates are of other combinations of settings; nothing of a search alone."""
    others = findings.candidates.others
    if not others:
        return []
    own = counted(findings.candidates.own, "candidate")
    return [_line("sweep", f"of a sweep: {own} of this search and {others:,} of its other combinations", met=None)]


def _limits(document: Document) -> list[dict[str, Any]]:
    limits = document.get("limits")
    if not limits:
        return []
    words = f"limits on train {limits_words(limits)}"
    test = document["metrics"].get("test")
    if test is not None:
        seen = {
            name: {**one, "value": test[name], "kept": _kept(test, name, one)}
            for name, one in limits.items()
            if name in test
        }
        words = f"{words}; on test {limits_words(seen)}" if seen else words
    return [_line("limits", words, met=all(one["kept"] for one in limits.values()))]


def _data(data: Document) -> list[dict[str, Any]]:
    words = repaired(data)
    return [] if words is None else [_line("data", words, met=None)]


def walk_lines(
    folds: Sequence[Document], limits: Mapping[str, Mapping[str, float]], data: Document
) -> list[dict[str, Any]]:
    """The same of a walk-forward: the limits and the searches of its folds, and the prices of all of them.

    Args:
        folds: out_of_sample.json of each finished fold.
        limits: metric → its `min`, `max` or both.
        data: record of the prices of all folds.
    """
    lines: list[dict[str, Any]] = []
    if limits:
        inside, outside = (
            sum(all(_kept(fold[period], name, one) for name, one in limits.items()) for fold in folds)
            for period in ("in_sample", "out_of_sample")
        )
        of = counted(len(folds), "fold")
        words = f"limits on train kept in {inside} of {of}; out of sample in {outside}"
        lines.append(_line("limits", words, met=inside == len(folds)))
    lines += _data(data)
    known = [fold.get("converged") for fold in folds]
    if any(one is not None for one in known):
        of = counted(len(folds), "fold")
        words = f"search converged in {known.count(True)} of {of}"
        lines.append(_line("convergence", words, met=known.count(True) == len(folds)))
    return lines


def _kept(metrics: Document, name: str, limit: Mapping[str, float]) -> bool:
    value = metrics.get(name)
    return value is not None and keeps(value, limit)


def _line(name: str, words: str, *, met: bool | None) -> dict[str, Any]:
    return {"name": name, "met": met, "words": words}


def verdict_section(findings: Findings | None, document: Document) -> dict[str, Any] | None:
    """Outcome, words, rules and further lines, the candidates, and what could be found, as JSON gives them back.

    Args:
        findings: of the evidence; None without it.
        document: the best.json of the same winner.
    """
    if findings is None:
        return None
    found = {
        **asdict(findings.verdict),
        LINES: [*_effort(findings), *sweep_lines(findings), *further_lines(document)],
        "candidates": findings.candidates.distinct,
        "detectable": None if findings.detectable is None else asdict(findings.detectable),
    }
    return json.loads(json.dumps(found))


def recorded_verdict(document: Document, path: Path) -> dict[str, Any] | None:
    """The verdict on a best.json; of one that an older version wrote, that of the evidence.json beside it.

    None where there is none: params alone, a trial that is not its study's winner, an interrupted study, or one without
    evidence.
    """
    if VERDICT in document or "trial" not in document or not is_run(path.parent):
        return document.get(VERDICT)
    try:
        findings = read_evidence(RunFolder(path.parent).evidence)
    except (MomentumOptError, OSError):
        return None
    return verdict_section(findings, document) if findings.trial == document["trial"] else None


def why_not_accepted(document: Document, verdict: Document | None) -> str | None:
    """Why a result must not be used before its verdict was read and accepted; None where every rule is met.

    Limits that the winner breaks on train count as a rule: they are the user's own.
    Params alone come from no search that this program knows of: there is nothing to accept.
    """
    if verdict is None:
        return None if "trial" not in document else "there is no verdict on this result"
    unmet = [rule["words"] for rule in verdict["rules"] if not rule["met"]]
    unmet += [line["words"] for line in verdict.get(LINES, ()) if line["name"] == "limits" and line["met"] is False]
    return f"{verdict['words']}. Not met: {'; '.join(unmet)}" if unmet else None


def recorded_turnover(document: Document, path: Path) -> dict[str, Any] | None:
    """Weight turnover per year: ½ Σ |Δw| over the last period that a result has it of as a metric.

    Of a result without that metric, from the weights at the start of each day of the replay beside it: exact where the
    weights of a token move one way within a day, as with chunks of whole days; else from below. None where neither is
    there.
    """
    for period, metrics in reversed(document.get("metrics", {}).items()):
        if metrics.get("weight_turnover") is not None:
            return {"per_year": metrics["weight_turnover"], "period": period}
    folder = RunFolder(path.parent)
    if not is_run(folder.path) or path.name != folder.best.name or not folder.daily.is_file():
        return None
    table = read_parquet(folder.daily, REMADE)
    weights = table[[name for name in table if str(name).startswith("weight_")]].to_numpy(np.float64)
    days = (table["time"].iloc[-1] - table["time"].iloc[0]) / pd.Timedelta(days=1)
    if not days > 0.0:
        return None
    moved = 0.5 * float(np.abs(np.diff(weights, axis=0)).sum())
    period = f"{table['time'].iloc[0]:%Y-%m-%d} to {table['time'].iloc[-1]:%Y-%m-%d}, from daily weights"
    return {"per_year": moved * DAYS_PER_YEAR / days, "period": period}
