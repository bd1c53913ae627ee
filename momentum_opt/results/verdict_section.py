"""Carry a verdict from evidence.json into best.json, and from there to whatever is made of the parameters."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from momentum_opt.errors import MomentumOptError
from momentum_opt.evidence.findings import Findings
from momentum_opt.results.evidence import read_evidence
from momentum_opt.results.look_lines import is_run
from momentum_opt.results.parquet import REMADE, read_parquet
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.units import DAYS_PER_YEAR

VERDICT: Final = "verdict"
"""Its key in best.json, deployment.json and what `weights` prints; null where there is none."""

Document = Mapping[str, Any]


def verdict_section(findings: Findings | None) -> dict[str, Any] | None:
    """Outcome, words and rules, the candidates, and what could be found, as JSON gives them back."""
    if findings is None:
        return None
    found = {
        **asdict(findings.verdict),
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
    return verdict_section(findings) if findings.trial == document["trial"] else None


def why_not_accepted(document: Document, verdict: Document | None) -> str | None:
    """Why a result must not be used before its verdict was read and accepted; None where every rule is met.

    Params alone come from no search that this program knows of: there is nothing to accept.
    """
    if verdict is None:
        return None if "trial" not in document else "there is no verdict on this result"
    unmet = [rule["words"] for rule in verdict["rules"] if not rule["met"]]
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
