import math

import numpy as np

from momentum_opt.results.baselines import coinciding, joint_label
from momentum_opt.vocabulary.names import BASELINE_LABELS, PERIOD_LABELS


def test_what_coincides_stands_together():
    line = np.array([1.0, 2.0, 3.0])
    curves = {"hodl": line, "constant_weight": line + np.array([0, 0, 1e-6]), "uniform_hodl": line * (1 + 1e-12)}
    assert coinciding(curves) == [("hodl", "uniform_hodl"), ("constant_weight",)]
    assert coinciding({"a": [None, 0.0], "b": [math.nan, 0.0], "c": [0.0, 0.0]}) == [("a", "b"), ("c",)]
    assert coinciding({}) == []


def test_two_hodls_have_two_names():
    assert joint_label(("hodl", "uniform_hodl"), BASELINE_LABELS) == "HODL = uniform HODL"
    assert set(PERIOD_LABELS) == set(BASELINE_LABELS)
    renamed = {name for name, label in PERIOD_LABELS.items() if label != BASELINE_LABELS[name]}
    assert renamed == {"hodl", "uniform_hodl"}
