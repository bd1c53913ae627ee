"""Params files under the names that a search samples, without a tune; see tests/cli/test_warm_start.py for those."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from momentum_opt.api.warm_starting import SMALLEST_K, read_warm_starts
from momentum_opt.errors import ParamsError
from momentum_opt.fingerprint import recordable
from tests.reference import estimator
from tests.sample_runs import TOKENS, smoke

LOGITS = dict(zip(TOKENS, (-1.0, 0.5, 2.0), strict=True))
HOURLY = smoke("pool.chunk_period=60")
PERIOD = smoke().pool.chunk_period


def memory_days(logit: float) -> float:
    return float(estimator.memory_days(sigmoid(logit), PERIOD))


def sigmoid(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def read(folder: Path, document: dict[str, Any], fingerprint=HOURLY) -> dict[str, dict[str, float]]:
    file = folder / "known.json"
    file.write_text(json.dumps(document))
    (found,) = read_warm_starts([file], fingerprint)
    return found


def test_another_chunk_period_keeps_the_memory_in_days(tmp_path: Path):
    params = {"log_k": 3.0, "logit_lamb": LOGITS}
    found = read(tmp_path, {"params": params, "fingerprint": recordable(smoke().to_dict())})
    for token in TOKENS:
        lamb = sigmoid(found["logit_lamb"][token])
        assert lamb == pytest.approx(estimator.decay(memory_days(LOGITS[token]), 60), rel=1e-9)
        assert lamb > sigmoid(LOGITS[token])
    assert found["log_k"] == dict.fromkeys(TOKENS, 3.0)


@pytest.mark.parametrize(
    "recorded",
    [
        pytest.param({}, id="no fingerprint"),
        pytest.param({"fingerprint": recordable(HOURLY.to_dict())}, id="the same period"),
        pytest.param({"fingerprint": "mended by hand"}, id="no table"),
    ],
)
def test_otherwise_the_decay_is_taken_as_it_is(tmp_path: Path, recorded: dict[str, Any]):
    found = read(tmp_path, {"params": {"log_k": 3.0, "logit_lamb": LOGITS}, **recorded})
    assert found["logit_lamb"] == LOGITS


def test_every_form_of_k_becomes_its_logarithm_per_day(tmp_path: Path):
    capped = [min(memory_days(LOGITS[token]), 30.0) for token in TOKENS]
    whole = [1.5, 2.5, 0.0]
    forms = {
        "k": dict(zip(TOKENS, (8.0, 0.5, 0.0), strict=True)),
        "absolute_k": dict(zip(TOKENS, whole, strict=True)),
    }
    plain = read(tmp_path, {"params": {"k": forms["k"], "logit_lamb": LOGITS}}, smoke())["log_k"]
    assert plain == pytest.approx({TOKENS[0]: 3.0, TOKENS[1]: -1.0, TOKENS[2]: np.log2(SMALLEST_K)}, rel=1e-12)
    found = read(tmp_path, {"params": {"absolute_k": forms["absolute_k"], "logit_lamb": LOGITS}}, smoke())["log_k"]
    for token, k, memory in zip(TOKENS[:2], whole, capped, strict=False):
        assert found[token] == pytest.approx(np.log2(k / memory), rel=1e-9)
    assert found[TOKENS[2]] == np.log2(SMALLEST_K)


def test_a_k_of_the_capped_memory(tmp_path: Path):
    """A logit beyond the cap acts as the cap, so k per day is `absolute_k` over the cap's thirty days."""
    found = read(tmp_path, {"params": {"absolute_k": 60.0, "logit_lamb": 9.0}}, smoke("pool.max_memory_days=30"))
    assert found["log_k"] == pytest.approx(dict.fromkeys(TOKENS, 1.0), rel=1e-9)


def test_a_second_memory_is_there_exactly_where_the_pool_has_one(tmp_path: Path):
    params = {"log_k": 3.0, "logit_lamb": LOGITS, "logit_delta_lamb": 0.25}
    assert "logit_delta_lamb" not in read(tmp_path, {"params": params}, smoke())
    double = smoke("pool.use_alt_lamb=true")
    assert read(tmp_path, {"params": params}, double)["logit_delta_lamb"] == dict.fromkeys(TOKENS, 0.25)
    del params["logit_delta_lamb"]
    with pytest.raises(ParamsError, match=r"known\.json: `params` is missing logit_delta_lamb .*; add it"):
        read(tmp_path, {"params": params}, double)


def test_initial_weights_are_logits_of_the_same_weights(tmp_path: Path):
    weights = dict(zip(TOKENS, (0.5, 0.3, 0.2), strict=True))
    found = read(tmp_path, {"params": {"log_k": 3.0, "logit_lamb": 1.0, "initial_weights": weights}}, smoke())
    logits = np.array([found["initial_weights_logits"][token] for token in TOKENS])
    np.testing.assert_allclose(np.exp(logits) / np.exp(logits).sum(), list(weights.values()), rtol=1e-12)


@pytest.mark.parametrize("logit", [8.0, 36.0, 40.0])
def test_a_memory_beyond_the_cap_becomes_the_cap_of_another_chunk_period(tmp_path: Path, logit: float):
    """Per minute, the decay of the longest of these is one to all digits, and has no logit."""
    minutely = smoke("pool.chunk_period=1", "pool.max_memory_days=30")
    document = {"params": {"log_k": 3.0, "logit_lamb": logit}, "fingerprint": recordable(smoke().to_dict())}
    found = read(tmp_path, document, minutely)["logit_lamb"]
    lamb = estimator.decay(30.0, 1)
    assert found == pytest.approx(dict.fromkeys(TOKENS, np.log(lamb / (1 - lamb))), rel=1e-9)


def test_a_decay_of_nothing_is_beyond_the_limits(tmp_path: Path):
    """It would have no logit in another chunk period."""
    document = {"params": {"log_k": 3.0, "logit_lamb": -800.0}, "fingerprint": recordable(smoke().to_dict())}
    said = r"known\.json: `params\.logit_lamb` must be from -100 to 100, but holds \[-800"
    with pytest.raises(ParamsError, match=said):
        read(tmp_path, document)
