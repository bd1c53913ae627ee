"""evidence.json there and back, and when it is made anew."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from momentum_opt.errors import MissingFileError, RunFolderError
from momentum_opt.evidence.bootstrap import Interval
from momentum_opt.evidence.effort import settings_for
from momentum_opt.evidence.findings import (
    CandidateCounts,
    Cloud,
    Distribution,
    Findings,
    HeatMap,
    Histogram,
    NonAdaptiveFindings,
    OverfittingFindings,
    PlateauFindings,
    SharpeFindings,
)
from momentum_opt.evidence.verdict import verdict
from momentum_opt.fingerprint.sections import Verdict as Thresholds
from momentum_opt.results.evidence import read_evidence, recorded_evidence, write_evidence
from momentum_opt.study.trials import TrialRecord
from tests.sample_runs import smoke

HISTOGRAM = Histogram((0.0, 0.5, 1.0), (3, 4))
OVERFITTING = OverfittingFindings(0.1, None, 0.2, 100, 12870, HISTOGRAM)
EXCESS = SharpeFindings(
    300, 0.1, 1.9, 0.0, 3.0, 0.99, 0.002, 0.05, 0.97, Interval(0.0, 0.2, 0.01, 2.5, 2000), OVERFITTING, {}
)
ABSOLUTE = SharpeFindings(30, None, None, None, None, None, None, None, None, None, None, {"sharpe": "no reason"})
PLATEAU = PlateauFindings(
    1.0,
    0.2,
    0.05,
    0.6,
    None,
    (Cloud("log_k_SYNA", 0.05, 32, (0.1, 0.2, 0.3, 0.4, 0.5), 0.5), Cloud("joint", 0.05, 128, (), None)),
    (HeatMap("SYNA", (1.0, 2.0), (3.0, 4.0), ((0.1, None), (0.3, 0.4)), 1.5, 3.5),),
)
RECORDS = [TrialRecord(number, {"log_k": 1.0}, (1.0,), {}, {}, None) for number in range(4)]
FINDINGS = Findings(
    trial=2,
    settings=settings_for(smoke(), []).model_dump(),
    candidates=CandidateCounts(4, 0, 0, 4),
    excess=EXCESS,
    absolute=ABSOLUTE,
    non_adaptive=NonAdaptiveFindings("random", 10, 9, (Distribution("objective", (0.0,) * 7, HISTOGRAM, 1.0, 99.5),)),
    plateau=PLATEAU,
    verdict=verdict(EXCESS, PLATEAU, ("returns", 0.2, None), 4, Thresholds()),
    seconds=0.5,
)


def test_what_is_written_is_read_back(tmp_path: Path):
    path = tmp_path / "evidence.json"
    write_evidence(path, FINDINGS)
    assert read_evidence(path) == FINDINGS
    document = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert document["schema_version"] == 1
    assert document["excess"]["overfitting"]["probability"] == 0.1


def test_it_is_kept_for_the_same_winner_trials_and_settings_only(tmp_path: Path):
    path = tmp_path / "evidence.json"
    write_evidence(path, FINDINGS)
    assert recorded_evidence(path, smoke(), RECORDS, RECORDS[2]) == FINDINGS
    assert recorded_evidence(path, smoke(), RECORDS, RECORDS[1]) is None
    assert recorded_evidence(path, smoke(), RECORDS[:3], RECORDS[2]) is None
    assert recorded_evidence(path, smoke("evidence.verdict.min_plateau=0.6"), RECORDS, RECORDS[2]) is None
    assert recorded_evidence(tmp_path / "none.json", smoke(), RECORDS, RECORDS[2]) is None


def test_a_changed_file_is_one_clear_line(tmp_path: Path):
    path = tmp_path / "evidence.json"
    with pytest.raises(MissingFileError, match="no such file"):
        read_evidence(path)
    write_evidence(path, replace(FINDINGS, trial=2))
    document = json.loads(path.read_text())
    document["excess"]["overfitting"]["probability"] = "high"
    path.write_text(json.dumps(document))
    with pytest.raises(RunFolderError, match=r"evidence\.json: excess\.overfitting.*; remove the file") as caught:
        read_evidence(path)
    assert "\n" not in str(caught.value)
    assert recorded_evidence(path, smoke(), RECORDS, RECORDS[2]) is None
