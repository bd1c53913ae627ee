"""`init_base_parameters` (SPEC §3, §4): shapes, noise, seeds and refusals."""

from datetime import date

import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.errors import ParamsError
from momentum_opt.pool import MomentumPool
from momentum_opt.vocabulary.names import NOISES
from momentum_opt.vocabulary.schema import MOMENTUM_PARAM_SCHEMA
from tests.reference import estimator
from tests.reference.minute_loop import Pool
from tests.simulation_case import pool_fingerprint

POOL = MomentumPool()
N = 3
INITIAL = {
    "initial_k_per_day": 20.0,
    "initial_memory_length": 10.0,
    "initial_memory_length_delta": 5.0,
    "initial_weights_logits": 1.0,
}
NAMES = ("log_k", "logit_lamb", "logit_delta_lamb", "initial_weights_logits")
SAMPLED = NAMES[:3]


def fingerprint(seed: int = 0, *, force_scalar: bool = False, **ranges):
    optuna = {"seed": seed, "parameter_config": ranges}
    optimisation = {"force_scalar": force_scalar, "optuna_settings": optuna}
    return pool_fingerprint(
        Pool(), ("A", "B", "C"), date(2022, 1, 1), date(2022, 2, 1), optimisation_settings=optimisation
    )


def start(n_sets: int = 1, noise: str = "gaussian", *, initial=INITIAL, **options):
    return POOL.init_base_parameters(initial, fingerprint(**options), N, n_sets, noise)


def test_one_set_holds_the_initial_values():
    params = start()
    assert params.pop("subsidary_params") == []
    assert sorted(params) == sorted(NAMES)
    assert all(values.shape == (1, N) and values.dtype == jnp.float64 for values in params.values())
    np.testing.assert_allclose(params["log_k"], np.log2(20.0))
    logit, longer = (np.log(lamb / (1 - lamb)) for lamb in (estimator.decay(days, 1440) for days in (10.0, 15.0)))
    np.testing.assert_allclose(params["logit_lamb"], logit, rtol=1e-12)
    np.testing.assert_allclose(params["logit_delta_lamb"], longer - logit, rtol=1e-11)
    np.testing.assert_allclose(params["initial_weights_logits"], 1.0)


def test_values_per_token_and_per_set():
    params = start(initial=INITIAL | {"initial_k_per_day": [1.0, 2.0, 4.0], "initial_memory_length": [1.0, 5.0, 9.0]})
    np.testing.assert_allclose(params["log_k"], [[0.0, 1.0, 2.0]], atol=1e-15)
    assert len(set(params["logit_lamb"][0].tolist())) == N
    table = np.exp2(np.arange(6.0).reshape(2, N))
    tabled = start(2, initial=INITIAL | {"initial_k_per_day": table})
    np.testing.assert_allclose(tabled["log_k"][0], np.arange(3.0), atol=1e-15)


@pytest.mark.parametrize("noise", NOISES)
def test_the_first_set_is_without_noise_and_the_others_stay_in_range(noise):
    alone, params = start(), start(33, noise)
    for name in NAMES:
        assert params[name].shape == (33, N)
        np.testing.assert_array_equal(params[name][0], alone[name][0])
    for name in SAMPLED:
        bounds = MOMENTUM_PARAM_SCHEMA[name].optuna
        others = np.asarray(params[name][1:])
        assert len(np.unique(others)) > 90 - 40 * (noise == "gaussian")
        assert ((others >= bounds.low) & (others <= bounds.high)).all()
    # Not trainable: no noise on the weights.
    np.testing.assert_array_equal(params["initial_weights_logits"], 1.0)


@pytest.mark.parametrize("noise", ["sobol", "lhs"])
def test_space_filling_noise_fills_the_ranges(noise):
    drawn = np.asarray(start(33, noise)["log_k"][1:])
    bounds = MOMENTUM_PARAM_SCHEMA["log_k"].optuna
    eighth = np.floor((drawn - bounds.low) / (bounds.high - bounds.low) * 8).astype(int)
    for column in range(N):
        np.testing.assert_array_equal(np.bincount(eighth[:, column], minlength=8), 4)


def test_gaussian_noise_stays_near_the_initial_values():
    drawn = np.asarray(start(400)["log_k"][1:])
    width = 12.0 + 6.6
    assert abs(drawn.mean() - np.log2(20.0)) < 0.02 * width
    assert 0.08 * width < drawn.std() < 0.12 * width


def test_noise_follows_the_ranges_of_the_fingerprint():
    drawn = start(65, "sobol", log_k={"low": 2.0, "high": 3.0})["log_k"][1:]
    assert 2.0 <= float(drawn.min()) < 2.1
    assert 2.9 < float(drawn.max()) <= 3.0


@pytest.mark.parametrize("noise", NOISES)
def test_noise_follows_the_range_of_each_token(noise):
    """Tokens that the fingerprint does not name keep the schema's range, and their noise to the last bit."""
    plain, own = start(33, noise), start(33, noise, log_k={"low": {"B": 4.0}, "high": {"B": 5.0}})
    drawn = np.asarray(own["log_k"][1:, 1])
    assert 4.0 <= drawn.min() < 4.3
    assert 4.4 < drawn.max() <= 5.0
    np.testing.assert_array_equal(own["log_k"][:, ::2], plain["log_k"][:, ::2])
    np.testing.assert_array_equal(own["logit_lamb"], plain["logit_lamb"])


@pytest.mark.parametrize("noise", NOISES)
def test_the_seed_decides_and_numpys_global_generator_is_left_alone(noise):
    before = np.random.get_state()
    first, again, other = start(9, noise), start(9, noise), start(9, noise, seed=1)
    after = np.random.get_state()
    for name in SAMPLED:
        np.testing.assert_array_equal(first[name], again[name])
        assert (np.asarray(first[name])[1:] != np.asarray(other[name])[1:]).any()
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("noise", NOISES)
def test_one_value_for_all_tokens(noise):
    """As in the seed: (set,) for a log_k given as a plain number, (set, 1) for what is computed."""
    params = start(5, noise, force_scalar=True)
    shapes = {name: params[name].shape for name in NAMES}
    assert shapes == {
        "log_k": (5,),
        "logit_lamb": (5, 1),
        "logit_delta_lamb": (5, 1),
        "initial_weights_logits": (5, N),
    }
    assert start(2, initial=INITIAL | {"initial_k_per_day": [20.0]}, force_scalar=True)["log_k"].shape == (2, 1)


@pytest.mark.parametrize("name", INITIAL)
def test_a_missing_value_is_refused(name):
    left = {key: value for key, value in INITIAL.items() if key != name}
    with pytest.raises(ParamsError, match=f"the initial values must contain `{name}`, but hold initial_"):
        start(initial=left)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"initial_k_per_day": 0.0}, r"`initial_k_per_day` must be positive, but got 0\.0"),
        ({"initial_k_per_day": [1.0, 2.0]}, r"`initial_k_per_day` must be one number, 3 of them, .* shape \(2,\)"),
        ({"initial_weights_logits": np.ones((3, 3))}, "table of 2 sets by 3 tokens"),
        ({"initial_memory_length": 0.0}, r"must be above 0 days"),
        ({"initial_memory_length_delta": -10.0}, r"must be above 0 days"),
        ({"initial_memory_length": [1.0, 2.0]}, "`initial_memory_length` must be one number or 3 of them, but has 2"),
    ],
)
def test_values_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ParamsError, match=message):
        start(2, initial=INITIAL | change)


def test_unknown_noise_and_no_set_at_all_are_refused():
    with pytest.raises(ParamsError, match="`noise` must be one of gaussian, sobol, lhs, but got 'pink'"):
        start(2, "pink")
    with pytest.raises(ParamsError, match="`n_parameter_sets` must be at least 1, but got 0"):
        start(0)


def test_the_pool_can_run_with_them():
    params = start(4, "sobol")
    prices = jnp.asarray(100.0 * np.exp(np.random.default_rng(0).normal(0, 1e-3, (33 * 1440, N)).cumsum(axis=0)))
    weights = POOL.calculate_weights({name: params[name][3] for name in NAMES}, fingerprint(), prices, (1440, 0))
    assert weights.shape == (31 * 1440, N)
    assert jnp.isfinite(weights).all()
