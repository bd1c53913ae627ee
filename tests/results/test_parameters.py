import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from momentum_opt.errors import ParamsError
from momentum_opt.results.parameters import internal_form, parse_params, quiet_effects, readable_form
from momentum_opt.study.space import search_space
from tests.sample_runs import TOKENS, smoke

FINGERPRINT = smoke()
START = search_space(FINGERPRINT).start


def parse(given: dict[str, Any]) -> dict[str, np.ndarray]:
    return parse_params(given, START, FINGERPRINT, "p.json")


def test_internal_names_come_back_as_they_were():
    params = {**START, "log_k": np.array([1.0, 2, 3]), "logit_lamb": np.array([0.5, 1, 1.5])}
    form = internal_form(params, FINGERPRINT.tokens)
    assert form["log_k"] == dict(zip(TOKENS, (1.0, 2.0, 3.0), strict=True))
    back = parse(form)
    assert {name: values.tolist() for name, values in back.items()} == {k: v.tolist() for k, v in params.items()}


@settings(deadline=None)
@given(k=st.floats(0, 1000), memory=st.floats(0.05, 29.9))
def test_readable_names_mean_what_they_say(k: float, memory: float):
    params = parse({"k_per_day": k, "memory_days": memory})
    readable = readable_form(params, FINGERPRINT)
    lamb = 1 / (1 + np.exp(-params["logit_lamb"]))
    np.testing.assert_allclose(2 * np.cbrt(6 * lamb / (1 - lamb) ** 3), memory, rtol=1e-9)
    for token in TOKENS:
        assert readable["k_per_day"][token] == k
        assert readable["memory_days"][token] == pytest.approx(memory, rel=1e-9)
        assert readable["initial_weights"][token] == pytest.approx(1 / 3, rel=1e-15)


def test_what_is_shown_is_what_is_simulated():
    """λ is capped at max_memory_days, 30 here."""
    readable = readable_form({**START, "log_k": np.zeros(3), "logit_lamb": np.array([1.0, 5.0, 50.0])}, FINGERPRINT)
    assert readable["memory_days"]["SYNB"] == readable["memory_days"]["SYNUSD"] == pytest.approx(30, rel=1e-12)
    assert readable["lamb"]["SYNB"] == readable["lamb"]["SYNUSD"] < 1 / (1 + math.exp(-5))
    assert readable["lamb"]["SYNA"] == pytest.approx(1 / (1 + math.exp(-1)), rel=1e-14)


def test_absolute_k_is_shown_per_day():
    readable = readable_form(parse({"absolute_k": 60.0, "memory_days": 10.0}), FINGERPRINT)
    assert readable["k_per_day"]["SYNA"] == pytest.approx(6.0, rel=1e-9)


def test_order_of_tokens_does_not_matter():
    table = {"SYNUSD": 3.0, "SYNA": 1.0, "SYNB": 2}
    assert parse({"log_k": table, "logit_lamb": 1})["log_k"].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"log_kk": 1}, "p.json: unknown parameter log_kk; use k_per_day, memory_days, log_k"),
        (
            {"k_per_day": {"SYNA": 1}},
            "p.json: params.k_per_day: names the tokens SYNA, but the pool holds SYNA, SYNB, SYNUSD",
        ),
        ({"log_k": "1"}, "p.json: params.log_k: '1' is no number"),
        ({"log_k": True}, "True is no number"),
        ({"log_k": [1, 2, 3]}, r"\[1, 2, 3\] is no number"),
        ({"log_k": None}, "None is no number"),
        ({"memory_days": 0}, "params.memory_days must be finite and above 0"),
        ({"memory_days": math.nan}, "params.memory_days must be finite and above 0"),
        ({"memory_days": math.inf}, "params.memory_days must be finite and above 0"),
        ({"memory_days": 1, "logit_lamb": 1}, "both params.memory_days and params.logit_lamb; keep one"),
        ({"k_per_day": 1, "k": 1}, "both params.k_per_day and params.k; keep one"),
        ({"initial_weights": 1 / 3, "initial_weights_logits": 1}, "both params.initial_weights and"),
    ],
)
def test_refused(given: dict[str, Any], said: str):
    with pytest.raises(ParamsError, match=said):
        parse(given)


TREND = {"k_per_day": 1.0, "memory_days": 5.0}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            TREND | {"memory_days": 1e18},
            r"params\.memory_days must be from 1e-06 to 36500, but holds \[1e\+18, .*; give",
        ),
        (TREND | {"memory_days": 1e-300}, r"params\.memory_days must be from 1e-06 to 36500"),
        (TREND | {"k_per_day": 1e300}, r"params\.k_per_day must be from 0 to 1e\+09, but holds"),
        ({"log_k": 1e300, "memory_days": 5}, r"`params\.log_k` must be from -100 to 30, but holds \[1e\+300, .*; give"),
        ({"absolute_k": 1e300, "memory_days": 5}, r"`params\.absolute_k` must be from 0 to 1e\+12"),
        ({"log_k": 4.0, "logit_lamb": -1e300}, r"`params\.logit_lamb` must be from -100 to 100"),
        (TREND | {"initial_weights_logits": 1e300}, r"`params\.initial_weights_logits` must be from -100 to 100"),
    ],
)
def test_magnitudes_that_overflow_are_refused(given: dict[str, Any], said: str):
    with pytest.raises(ParamsError, match=said):
        parse(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (TREND, []),
        ({"log_k": 3.0, "logit_lamb": 100.0}, ["memory of SYNA"]),
        (
            {"k_per_day": 1.0, "memory_days": {"SYNA": 999, "SYNB": 30, "SYNUSD": 5}},
            ["memory of SYNA (999 days) is above pool.max_memory_days, so 30 days are simulated"],
        ),
        (TREND | {"k_per_day": {"SYNA": 0, "SYNB": 1, "SYNUSD": 0}}, ["k of SYNA, SYNUSD is 0: its weight follows no"]),
        (TREND | {"k_per_day": 0}, ["k of SYNA, SYNB, SYNUSD is 0: no weight follows a trend"]),
        (TREND | {"logit_delta_lamb": 1.0}, ["logit_delta_lamb acts with pool.use_alt_lamb: true alone"]),
    ],
)
def test_what_the_pool_does_not_do_is_told(given: dict[str, Any], said: list[str]):
    lines = quiet_effects(parse(given), FINGERPRINT)
    assert len(lines) == len(said)
    for line, part in zip(lines, said, strict=True):
        assert line.startswith(part)


def test_a_second_memory_beyond_the_cap_is_told():
    alt = smoke("pool.use_alt_lamb=true")
    params = parse_params({"k": 1.0, "logit_lamb": 1.0, "logit_delta_lamb": 9.0}, START, alt, "p.json")
    (line,) = quiet_effects(params, alt)
    assert line.startswith("second memory of SYNA (")
