"""Ranges in natural units, k per day and memory in days, and ranges that differ between tokens (SPEC §3 to §5)."""

import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint import Fingerprint, import_fingerprint, load_fingerprint, override_fingerprint
from momentum_opt.study.samplers import sobol_numbers
from momentum_opt.study.space import search_space
from tests.fingerprint.configs import BASE, SMALL, optuna, small, write

TOKENS = ("BTC", "ETH", "USDC")


def memory_of(logit: float, period: int) -> float:
    """SPEC §5 in numpy: 2·(P/1440)·cbrt(6λ/(1−λ)³)."""
    return float(2.0 * period / 1440 * np.cbrt(6.0 / (1.0 + np.exp(-logit)) * (1.0 + np.exp(logit)) ** 3))


def problems(folder: Path, *overrides: str, text: str = SMALL) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_fingerprint(write(folder, text), overrides)
    return list(caught.value.problems)


def ends(low: float, high: float) -> st.SearchStrategy[list[float]]:
    one = st.floats(math.log(low), math.log(high)).map(math.exp)
    return st.tuples(one, one).map(sorted).filter(lambda pair: pair[1] > 1.001 * pair[0]).map(list)


@settings(max_examples=40)
@given(
    k=ends(1e-20, 1e8) | st.dictionaries(st.sampled_from(TOKENS), ends(1e-3, 1e4)),
    memory=ends(0.01, 364.9) | st.dictionaries(st.sampled_from(TOKENS), ends(0.01, 364.9)),
    period=st.sampled_from([1, 60, 1440, 10080]),
)
def test_natural_ranges_are_the_same_run_as_internal_ones(k: object, memory: object, period: int):
    """Bounds against the formulas; then digest and first trials of a config in internal units, bit for bit."""
    natural = Fingerprint.from_dict({**BASE, "chunk_period": period, **given_ranges(k_per_day=k, memory_days=memory)})
    config = natural["optimisation_settings"]["optuna_settings"]["parameter_config"]
    assert set(config) <= {"log_k", "logit_lamb"}
    for name, given_range, unit in (
        ("log_k", k, lambda log_k: 2.0**log_k),
        ("logit_lamb", memory, lambda logit: memory_of(logit, period)),
    ):
        wanted = given_range if isinstance(given_range, dict) else dict.fromkeys(TOKENS, given_range)
        for token in TOKENS:
            for place, end in enumerate(("low", "high")):
                found = config.get(name, {}).get(end)
                found = found.get(token) if hasattr(found, "get") else found
                assert (found is None) == (token not in wanted)
                if found is not None:
                    assert unit(found) == pytest.approx(wanted[token][place], rel=1e-11)
    internal = Fingerprint.from_dict(
        {**BASE, "chunk_period": period, **given_ranges(**{name: dict(one) for name, one in config.items()})}
    )
    assert internal == natural
    assert internal.digest == natural.digest
    assert internal.canonical_json() == natural.canonical_json()
    first, again = (sobol_numbers(0, 0, 8, search_space(one).ranges) for one in (natural, internal))
    np.testing.assert_array_equal(first, again)


def given_ranges(**parameters: object) -> dict[str, object]:
    return optuna(parameter_config=parameters)


def test_powers_of_two_are_exact(tmp_path: Path):
    natural = small(tmp_path, "search.parameters.k_per_day=[1, 512]")
    assert natural.digest == small(tmp_path, "search.parameters.log_k={low: 0, high: 9}").digest


def test_written_in_a_file_for_all_tokens_or_for_some(tmp_path: Path):
    text = SMALL + "search:\n  parameters:\n    k_per_day: [1, 512]\n    memory_days:\n      ETH: [2, 60]\n"
    fingerprint = load_fingerprint(write(tmp_path, text))
    ranges = search_space(fingerprint).ranges
    assert {(one.low, one.high) for key, one in ranges.items() if key.startswith("log_k")} == {(0.0, 9.0)}
    eth, btc = ranges["logit_lamb_ETH"], ranges["logit_lamb_BTC"]
    assert (memory_of(eth.low, 1440), memory_of(eth.high, 1440)) == pytest.approx((2.0, 60.0), rel=1e-12)
    assert (btc.low, memory_of(btc.high, 1440)) == (-4.0, pytest.approx(365.0, rel=1e-9))
    assert load_fingerprint(write(tmp_path, text), ["search.parameters.memory_days.ETH=[3, 60]"]) != fingerprint


def test_the_same_range_for_every_token_is_one_range(tmp_path: Path):
    each = small(tmp_path, "search.parameters.k_per_day={BTC: [1, 512], ETH: [1, 512], USDC: [1, 512]}")
    assert each.digest == small(tmp_path, "search.parameters.log_k={low: 0, high: 9}").digest
    internal = "search.parameters.log_k={low: {BTC: 0, ETH: 0, USDC: 0}, high: 9}"
    assert small(tmp_path, internal).digest == each.digest


def test_nothing_said_is_nothing_changed(tmp_path: Path):
    plain = small(tmp_path).digest
    for value in ("{}", "null"):
        assert small(tmp_path, f"search.parameters.k_per_day={value}").digest == plain
        assert small(tmp_path, f"search.parameters.memory_days={value}").digest == plain


def test_tokens_in_both_units_and_a_shared_number(tmp_path: Path):
    """Different tokens in different units are no contradiction; nor is `scalar`, which is about no range."""
    mixed = small(tmp_path, "search.parameters={k_per_day: {BTC: [1, 512]}, log_k: {low: {ETH: 2}}}")
    found = {key: (one.low, one.high) for key, one in search_space(mixed).ranges.items() if "log_k" in key}
    assert found == {"log_k_BTC": (0.0, 9.0), "log_k_ETH": (2.0, 12.0), "log_k_USDC": (-6.6, 12.0)}
    for shared in ("search.parameters.log_k.scalar=true", "search.force_scalar=true"):
        space = search_space(small(tmp_path, "search.parameters.k_per_day=[1, 512]", shared))
        assert (space.ranges["log_k"].low, space.ranges["log_k"].high) == (0.0, 9.0)


def test_an_alternative_memory_keeps_its_own_range(tmp_path: Path):
    space = search_space(small(tmp_path, "search.parameters.memory_days=[2, 60]", "pool.use_alt_lamb=true"))
    delta, lamb = space.ranges["logit_delta_lamb_BTC"], space.ranges["logit_lamb_BTC"]
    assert (delta.low, delta.high) == (-5.0, 5.0)
    assert memory_of(lamb.high, 1440) == pytest.approx(60.0, rel=1e-12)


P = "search.parameters"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ((f"{P}.k_per_day=5",), "not a range (5); write [low, high], such as [1, 500]"),
        ((f"{P}.k_per_day=[1, 2, 3]",), "not a range ([1, 2, 3]); write [low, high]"),
        ((f"{P}.k_per_day=much",), "not a range ('much'); write [low, high]"),
        ((f"{P}.k_per_day=[500, 1]",), "low is not below high ([500, 1]); give two numbers, the smaller one first"),
        ((f"{P}.k_per_day=[2, 2]",), "low is not below high ([2, 2])"),
        ((f"{P}.k_per_day=[0, 5]",), "k_per_day[0]: out of range (0); give a number >= 1e-30"),
        ((f"{P}.k_per_day=[-1, 5]",), "k_per_day[0]: out of range (-1)"),
        ((f"{P}.k_per_day=[1, 1e300]",), "k_per_day[1]: out of range (1e+300)"),
        ((f"{P}.k_per_day=[1, x]",), "k_per_day[1]: not a number ('x')"),
        ((f"{P}.k_per_day=[true, 2]",), "k_per_day[0]: not a number (True)"),
        ((f"{P}.memory_days=[0, 5]",), "memory_days[0]: out of range (0); give a number >= 1e-06 and <= 36500"),
        ((f"{P}.memory_days=[2, 400]",), "memory_days[1]: above pool.max_memory_days (400.0); give at most 365, or a"),
        ((f"{P}.memory_days=[2, 60]", "pool.max_memory_days=30"), "above pool.max_memory_days (60.0); give at most 30"),
        ((f"{P}.memory_days.BTC=3",), "memory_days.BTC=3: not a range (3); write [low, high], such as [2, 60]"),
        ((f"{P}.memory_days.SOL=[2, 60]",), "not among the tokens; write [2, 60] for all tokens, or such a range for"),
        ((f"{P}.memory_days={{ETH: [2, 400]}}",), "memory_days.ETH[1]: above pool.max_memory_days"),
        ((f"{P}.k_per_day=[1, 5]", f"{P}.log_k.high=5"), "log_k gives the same range; keep one of the two"),
        (
            (f"{P}.k_per_day.BTC=[1, 5]", f"{P}.log_k.low=1"),
            "log_k gives the same range of BTC; keep one",
        ),
        ((f"{P}.memory_days=[2, 5]", f"{P}.logit_lamb.low=1"), "logit_lamb gives the same range; keep"),
        (
            (f"{P}.k_per_day=[1, 5]", f"{P}.log_k.around.half_width=1"),
            "stands beside log_k.around; keep one of the two",
        ),
        (
            (f"{P}.k_per_day=[1, 5]", f"{P}.log_k={{low: 1, log_scale: true}}"),
            "stands beside log_k.log_scale; keep one of the two",
        ),
        (
            (f"{P}.k_per_day={{BTC: [1, 5], ETH: [1, 6]}}", "search.force_scalar=true"),
            "a range per token, and one number serves all tokens; write one range for all tokens, such as "
            "[1, 500], or set search.force_scalar to false",
        ),
        (
            (f"{P}.memory_days.BTC=[1, 5]", f"{P}.logit_lamb.scalar=true"),
            "or set search.parameters.logit_lamb.scalar to false",
        ),
        (
            (f"{P}.k_per_day={{BTC: [1, 5], ETH: [1, 6]}}", "pool.rule=constant_weight"),
            "no parameter of the constant_weight rule; leave it out",
        ),
        ((f"{P}.memory_day=[2, 5]",), "unknown parameter; did you mean memory_days?"),
        ((f"{P}.k_per_days={{}}",), "unknown parameter; did you mean k_per_day?"),
        (
            (f"{P}.memory_days=[100, {math.nextafter(100.0, 101.0)!r}]",),
            "to all digits",
        ),
        ((f"{P}.log_k.low={{SOL: 1}}",), "names SOL; give numbers for some of BTC, ETH, USDC, or one number for all"),
        ((f"{P}.log_k.low={{BTC: x}}",), "log_k.low.BTC: not a number ('x')"),
        ((f"{P}.log_k.low={{BTC: 13}}",), "not a range of BTC after merging with the schema: `low < high` must hold"),
        ((f"{P}.log_k.low={{BTC: -101}}",), "log_k.low.BTC: out of range (-101.0); give a number from -100 to 30"),
        (
            (f"{P}.log_k.low={{BTC: 1}}", "search.force_scalar=true"),
            "a number per token, and one number serves all tokens; give one number, or set search.force_scalar",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_with_its_place_and_remedy(tmp_path: Path, settings: tuple[str, ...], said: str):
    (problem,) = problems(tmp_path, *settings)
    assert said in problem
    assert problem.startswith("--set search") or problem.startswith("--set pool")


def test_all_mistakes_at_once_by_line(tmp_path: Path):
    text = SMALL + "search:\n  n_trials: 0\n  parameters:\n    k_per_day: [5, 1]\n    memory_days:\n      ETH: 3\n"
    found = [problem.split("config.yaml:")[1] for problem in problems(tmp_path, text=text)]
    assert [one.split(": ")[0:2] for one in found] == [
        ["7", "search.n_trials"],
        ["9", "search.parameters.k_per_day"],
        ["11", "search.parameters.memory_days.ETH"],
    ]


def test_a_mistake_elsewhere_is_not_told_twice(tmp_path: Path):
    found = problems(tmp_path, f"{P}.memory_days=[2, 60]", "pool.max_memory_days=x", "pool.chunk_period=-1")
    assert [one.split(": ")[1].split(" ")[0] for one in found] == ["not", "out"]


def test_an_override_replaces_a_range_that_was_resolved(tmp_path: Path):
    """A recorded run has its ranges in internal units only; the same natural range again is the same run."""
    recorded = small(tmp_path, f"{P}.k_per_day=[1, 500]", f"{P}.memory_days=[2, 60]")
    assert override_fingerprint(recorded, [f"{P}.k_per_day=[1, 500]"]).digest == recorded.digest
    other = override_fingerprint(recorded, [f"{P}.k_per_day=[1, 512]"])
    assert other.search.parameters["log_k"].high == 9.0
    assert other.search.parameters["logit_lamb"] == recorded.search.parameters["logit_lamb"]
    with pytest.raises(ConfigError, match="log_k gives the same range"):
        override_fingerprint(recorded, [f"{P}.k_per_day=[1, 512]", f"{P}.log_k.low=1"])


def test_quantammsims_ranges_are_read_as_before():
    text, ignored = import_fingerprint({**BASE, **given_ranges(log_k={"low": 1.0, "high": 8.0}, k_per_day={"low": 1})})
    assert yaml.safe_load(text)["search"]["parameters"] == {"log_k": {"low": 1.0, "high": 8.0}}
    assert ignored == ["optimisation_settings.optuna_settings.parameter_config.k_per_day"]
