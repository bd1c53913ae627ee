import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.study.space import search_space
from momentum_opt.vocabulary.schema import MOMENTUM_PARAM_SCHEMA

KEYS = ["log_k_AAA", "log_k_BBB", "logit_lamb_AAA", "logit_lamb_BBB"]


def fingerprint(parameters: Mapping[str, Any] | None = None, force_scalar: bool = False, **keys: Any) -> Fingerprint:
    settings = {"force_scalar": force_scalar, "optuna_settings": {"parameter_config": dict(parameters or {})}}
    window = {"startDateString": "2022-06-01", "endDateString": "2023-06-01"}
    return Fingerprint.from_dict({"tokens": ["AAA", "BBB"], **window, "optimisation_settings": settings, **keys})


def memory_days(logit: float) -> float:
    """SPEC §5 at a chunk period of a day."""
    lamb = 1 / (1 + math.exp(-logit))
    return 2 * math.cbrt(6 * lamb / (1 - lamb) ** 3)


def test_one_number_per_token_in_a_stable_order():
    space = search_space(fingerprint())
    assert list(space.distributions) == KEYS
    log_k = MOMENTUM_PARAM_SCHEMA["log_k"].optuna
    assert log_k is not None
    assert space.distributions["log_k_BBB"] == FloatDistribution(log_k.low, log_k.high)
    numbers = dict(zip(KEYS, [1.0, 2.0, 3.0, 4.0], strict=True))
    params = space.params(numbers)
    assert {name: values.tolist() for name, values in params.items()} == {
        "log_k": [1.0, 2.0],
        "logit_lamb": [3.0, 4.0],
        "initial_weights_logits": [1.0, 1.0],
    }


def test_a_scalar_is_one_number_for_every_token():
    space = search_space(fingerprint({"log_k": {"scalar": True}}))
    assert list(space.distributions) == ["log_k", "logit_lamb_AAA", "logit_lamb_BBB"]
    params = space.params({"log_k": 5.0, "logit_lamb_AAA": 1.0, "logit_lamb_BBB": 2.0})
    assert params["log_k"].tolist() == [5.0, 5.0]


def test_force_scalar_makes_all_of_them_scalars():
    space = search_space(fingerprint(force_scalar=True))
    assert list(space.distributions) == ["log_k", "logit_lamb"]
    assert set(space.first_trial) == {"log_k", "logit_lamb"}


def test_the_clip_to_effective_values():
    space = search_space(fingerprint())
    high = space.sampled[1].whole[0].high
    assert high == pytest.approx(4.60, abs=5e-3)
    assert memory_days(high) == pytest.approx(365, rel=1e-9)
    assert space.distributions["logit_lamb_AAA"] == FloatDistribution(-4.0, high)
    assert space.notes == (
        "logit_lamb: searched up to 4.6028 instead of 8: memory is capped at 365 days (max_memory_days)",
    )


def test_the_clip_can_be_switched_off_and_needs_a_reason():
    off = search_space(fingerprint(search={"clip_to_effective": False}))
    assert off.sampled[1].whole[0].high == 8.0
    assert off.notes == ()
    below = search_space(fingerprint({"logit_lamb": {"high": 3.0}}))
    assert below.sampled[1].whole[0].high == 3.0
    assert below.notes == ()


def test_a_range_wholly_above_the_cap_is_kept_and_named():
    space = search_space(fingerprint({"logit_lamb": {"low": 6.0, "high": 7.0}}))
    assert (space.sampled[1].whole[0].low, space.sampled[1].whole[0].high) == (6.0, 7.0)
    (note,) = space.notes
    assert "its whole range [6, 7] acts the same" in note


def test_ranges_that_differ_between_tokens():
    low = {"AAA": 6.0}
    space = search_space(fingerprint({"log_k": {"low": {"BBB": 1.0}, "high": 5.0}, "logit_lamb": {"low": low}}))
    assert space.distributions["log_k_AAA"] == FloatDistribution(-6.6, 5.0)
    assert space.distributions["log_k_BBB"] == FloatDistribution(1.0, 5.0)
    assert space.distributions["logit_lamb_AAA"] == FloatDistribution(6.0, 8.0)
    high = space.ranges["logit_lamb_BBB"].high
    assert memory_days(high) == pytest.approx(365, rel=1e-9)
    reason = "memory is capped at 365 days (max_memory_days)"
    assert space.notes == (
        f"logit_lamb_AAA: {reason}, so its whole range [6, 8] acts the same",
        f"logit_lamb_BBB: searched up to 4.6028 instead of 8: {reason}",
    )
    assert space.first_trial["log_k_BBB"] == pytest.approx(math.log2(20.0))
    assert space.first_trial["logit_lamb_AAA"] == 6.0


def test_known_logits_move_together_into_ranges_that_differ():
    """Softmax sees differences alone: what lies outside moves by one number, as far as all can be inside."""
    ranges = {"initial_weights_logits": {"low": {"AAA": -1.0, "BBB": 1.0}, "high": {"AAA": 1.0, "BBB": 3.0}}}
    space = search_space(fingerprint(ranges), [known(initial_weights_logits=[5.0, 6.0])])
    first = space.first_trials[0]
    assert first["initial_weights_logits_BBB"] - first["initial_weights_logits_AAA"] == pytest.approx(1.0)
    assert space.notes[1:] == ()


def test_around_stays_inside_the_schemas_range_of_every_token():
    space = search_space(fingerprint({**AROUND, "logit_lamb": {"high": {"AAA": 1.5}}}), [known()])
    assert space.distributions["logit_lamb_AAA"] == FloatDistribution(-4.0, 1.5)
    assert space.distributions["log_k_BBB"] == FloatDistribution(2.5, 5.5)


def test_overrides_and_the_log_scale():
    space = search_space(fingerprint({"log_k": {"low": 0.5, "high": 2.0, "log_scale": True}}))
    assert space.distributions["log_k_AAA"] == FloatDistribution(0.5, 2.0, log=True)


@pytest.mark.parametrize("use_alt_lamb", [False, True])
def test_the_alternative_decay_only_where_it_acts(use_alt_lamb: bool):
    space = search_space(fingerprint(use_alt_lamb=use_alt_lamb))
    assert ("logit_delta_lamb_AAA" in space.distributions) == use_alt_lamb
    assert ("logit_delta_lamb" in space.start) == use_alt_lamb


def test_initial_weights_only_when_asked_for():
    assert not any("weights" in key for key in search_space(fingerprint()).distributions)
    asked = search_space(fingerprint({"initial_weights_logits": {"low": -1.0, "high": 2.0}}))
    assert asked.distributions["initial_weights_logits_BBB"] == FloatDistribution(-1.0, 2.0)


def test_the_first_trial_is_the_initial_values():
    first = search_space(fingerprint(initial_k_per_day={"AAA": 8.0, "BBB": 32.0})).first_trial
    assert first["log_k_AAA"] == pytest.approx(3.0, rel=1e-12)
    assert first["log_k_BBB"] == pytest.approx(5.0, rel=1e-12)
    assert memory_days(first["logit_lamb_AAA"]) == pytest.approx(10.0, rel=1e-9)


@given(low=st.floats(-6, 5), width=st.floats(0.1, 5))
def test_the_first_trial_lies_in_the_ranges(low: float, width: float):
    space = search_space(fingerprint({"log_k": {"low": low, "high": low + width}}))
    value = space.first_trial["log_k_AAA"]
    assert value == min(max(math.log2(20), low), low + width)
    assert all(kind._contains(space.first_trial[key]) for key, kind in space.distributions.items())


def test_a_range_around_nothing_is_refused():
    both = {"log_k": {"around": {"half_width": 1.0}}, "logit_lamb": {"around": {"half_width": 1.0}}}
    with pytest.raises(ConfigError, match="no known parameters to search around; give some with --from") as caught:
        search_space(fingerprint(both))
    assert len(caught.value.problems) == 2


AROUND = {"log_k": {"around": {"half_width": 1.5}}}


def known(**values: list[float]) -> dict[str, np.ndarray]:
    default = {"log_k": [3.0, 4.0], "logit_lamb": [1.0, 2.0], "initial_weights_logits": [0.0, 0.0]}
    return {name: np.array(numbers) for name, numbers in {**default, **values}.items()}


def test_known_parameters_come_first_and_the_initial_values_after_them():
    space = search_space(fingerprint(), [known(), known(log_k=[5.0, 6.0])])
    assert [[trial[key] for key in KEYS] for trial in space.first_trials[:2]] == [[3, 4, 1, 2], [5, 6, 1, 2]]
    assert space.first_trials[2] == search_space(fingerprint()).first_trial
    assert len(space.first_trials) == 3
    assert space.distributions == search_space(fingerprint()).distributions


def test_ranges_around_known_parameters_are_cut_off_at_the_schemas():
    space = search_space(fingerprint(AROUND), [known(log_k=[3.0, 11.5])])
    assert space.distributions["log_k_AAA"] == FloatDistribution(1.5, 4.5)
    assert space.distributions["log_k_BBB"] == FloatDistribution(10.0, 12.0)
    assert space.distributions["logit_lamb_AAA"] == search_space(fingerprint()).distributions["logit_lamb_AAA"]
    several = search_space(fingerprint(AROUND), [known(), known(log_k=[5.0, 4.0])])
    assert several.distributions["log_k_AAA"] == FloatDistribution(1.5, 6.5)


def test_known_values_outside_are_moved_and_named():
    space = search_space(fingerprint(AROUND), [known(log_k=[20.0, 4.0], logit_lamb=[9.0, 2.0])])
    first = space.first_trials[0]
    assert first["log_k_AAA"] == 12.0
    assert first["logit_lamb_AAA"] == pytest.approx(4.6028, abs=1e-4)
    assert space.distributions["log_k_AAA"] == FloatDistribution(10.5, 12.0)
    assert "known parameters 1: log_k_AAA moved from 20 to 12, the end of its range" in space.notes
    assert any("logit_lamb_AAA moved from 9 to 4.6028" in note for note in space.notes)


def test_one_number_for_all_tokens_begins_at_their_mean():
    space = search_space(fingerprint({"log_k": {"scalar": True, "around": {"half_width": 1.0}}}), [known()])
    assert space.first_trials[0]["log_k"] == 3.5
    assert space.distributions["log_k"] == FloatDistribution(2.5, 4.5)
    assert any("begins at their mean" in note for note in space.notes)


@settings(max_examples=20)
@given(st.lists(st.lists(st.floats(-4, 4), min_size=4, max_size=4), min_size=1, max_size=5))
def test_many_trials_at_once_are_the_trials_one_by_one(rows: list[list[float]]):
    for overrides in ({}, {"log_k": {"scalar": True}}):
        space = search_space(fingerprint(overrides))
        numbers = np.array(rows)[:, : len(space.ranges)]
        columns = space.columns(numbers)
        for place, row in enumerate(numbers.tolist()):
            for name, values in space.params(dict(zip(space.ranges, row, strict=True))).items():
                assert columns[name][:, place].tolist() == values.tolist()


def test_constant_weights_are_searched_without_asking_and_known_ones_keep_their_weights():
    """Softmax sees differences alone, so logits outside the range are moved together before they are cut off."""
    weights = np.array([0.06, 0.94])
    chosen = fingerprint(rule="constant_weight", initial_weights_logits={"AAA": 4.0, "BBB": 2.0})
    space = search_space(chosen, [{"initial_weights_logits": np.log(weights)}])
    assert list(space.ranges) == ["initial_weights_logits_AAA", "initial_weights_logits_BBB"]
    assert space.notes == ()
    for numbers, wanted in zip(space.first_trials, (weights, np.array([1.0, math.exp(-2.0)])), strict=True):
        found = np.exp(list(numbers.values()))
        np.testing.assert_allclose(found / found.sum(), wanted / wanted.sum(), rtol=1e-12)
