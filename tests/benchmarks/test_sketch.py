"""The engine without costs beside a bare sketch of it: the same numbers, and hardly slower for all that it adds."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.measuring import random_columns
from benchmarks.sketch import sketch
from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.study.evaluation import Evaluator
from momentum_opt.study.space import search_space
from tests.shared_data import minute_prices, needs_shared

REPOSITORY = Path(__file__).resolve().parents[2]
ATTEMPTS = 4
"""Medians of a shared machine wobble by a tenth."""


@needs_shared
@pytest.mark.golden
def test_the_sketch_finds_the_same_objectives():
    fingerprint = load_fingerprint(REPOSITORY / "configs" / "btc_eth_usdc.yaml", [f"data.root={minute_prices()}"])
    market, columns = market_of(fingerprint), random_columns(search_space(fingerprint), 64)
    found = Evaluator(fingerprint, market, batch_size=64).score_columns(columns).objectives[:, 0]
    bare = sketch(fingerprint, market)(columns["logit_lamb"], columns["log_k"])
    np.testing.assert_allclose(found, bare, rtol=1e-9, atol=1e-11)


@needs_shared
@pytest.mark.golden
def test_the_engine_keeps_nine_tenths_of_the_sketchs_speed():
    """Each at its best batch, in turn, in a process of its own, where nothing checks shapes at every call."""
    ratios = []
    while len(ratios) < ATTEMPTS and max(ratios, default=0.0) < 0.9:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.engine"], check=True, capture_output=True, text=True, cwd=REPOSITORY
        )
        rates = [(int(batch) / ours, int(batch) / bare) for batch, (ours, bare) in json.loads(done.stdout).items()]
        ratios.append(max(ours for ours, _ in rates) / max(bare for _, bare in rates))
    assert max(ratios) >= 0.9, ratios
