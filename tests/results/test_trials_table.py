"""The table of trials: points, starts and neighbours of records made by hand."""

import numpy as np
import pytest

from momentum_opt.results.tables import trials_table
from momentum_opt.study.space import search_space
from momentum_opt.study.trials import TrialRecord
from tests.sample_runs import TOKENS, smoke

FINGERPRINT = smoke()
SPACE = search_space(FINGERPRINT)
FIRST = SPACE.first_trial
START = {key: value - 0.5 for key, value in FIRST.items()}
RECORDS = [
    TrialRecord(0, FIRST, (1.0,), {}, {}, None),
    TrialRecord(1, FIRST, (2.0,), {}, {}, None, points=104, start=START),
    TrialRecord(2, FIRST, (3.0,), {}, {}, None, "neighbourhood", points=30, near=1, near_count=1),
    TrialRecord(3, FIRST, (), {}, {}, "objective is not finite (nan)"),
]


def test_points_starts_and_neighbours_have_columns():
    table = trials_table(RECORDS, SPACE, FINGERPRINT)
    assert table["points"].tolist() == [1, 104, 30, 1]
    assert table["source"].tolist() == ["sampler", "sampler", "neighbourhood", "sampler"]
    np.testing.assert_array_equal(table["near"], [np.nan, np.nan, 1.0, np.nan])
    for token in TOKENS:
        for name in ("log_k", "logit_lamb"):
            column = table[f"start_{name}_{token}"]
            assert column[1] == START[f"{name}_{token}"]
            assert column.isna().tolist() == [True, False, True, True]
        assert table[f"start_k_per_day_{token}"][1] == pytest.approx(2.0 ** START[f"log_k_{token}"])
        assert table[f"start_memory_days_{token}"][1] < table[f"memory_days_{token}"][1]
    assert not [name for name in table if name.startswith("start_initial")]  # they are not searched


def test_columns_that_no_trial_fills_are_left_out():
    table = trials_table([RECORDS[0], RECORDS[3]], SPACE, FINGERPRINT)
    assert not [name for name in table if name.startswith("start_") or name == "near"]
    assert table["points"].tolist() == [1, 1]
