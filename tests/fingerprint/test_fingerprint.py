import copy
import hashlib
import json
import pickle
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint import DEFAULT_SAMPLER, Fingerprint, fingerprint_differences, load_fingerprint
from momentum_opt.fingerprint.keys import LEAVES, look_up
from momentum_opt.vocabulary.names import SAMPLERS
from momentum_opt.vocabulary.schema import MOMENTUM_PARAM_SCHEMA, get_optuna_range, get_param_value
from tests.fingerprint.configs import BASE, SMALL, mappings, optuna, small, write


def with_value(mapping: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(mapping)
    branch = changed
    *outer, last = key.split(".")
    for part in outer:
        branch = branch.setdefault(part, {})
    branch[last] = value
    return changed


def shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shuffled(entry) for key, entry in reversed(value.items())}
    return value


@given(mappings())
def test_from_dict_is_the_inverse_of_to_dict(mapping: dict[str, Any]):
    fingerprint = Fingerprint.from_dict(mapping)
    again = Fingerprint.from_dict(json.loads(json.dumps(fingerprint.to_dict(), allow_nan=False)))
    assert again == fingerprint
    assert again.to_dict() == fingerprint.to_dict()
    assert again.digest == fingerprint.digest
    assert hash(again) == hash(fingerprint)


@given(mappings(), st.randoms(use_true_random=False))
def test_digest_ignores_the_order_of_keys_and_tokens(mapping: dict[str, Any], random: Any):
    other = shuffled(mapping)
    random.shuffle(other["tokens"])
    assert Fingerprint.from_dict(other).digest == Fingerprint.from_dict(mapping).digest


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("optimisation_settings.optuna_settings.n_trials", 7),
        ("optimisation_settings.optuna_settings.timeout", 9.5),
        ("optimisation_settings.optuna_settings.early_stopping", {"patience": 3}),
        ("optimisation_settings.optuna_settings.storage", "postgresql://host/db"),
        ("optimisation_settings.optuna_settings.study_name", "mine"),
        ("data.root", "/elsewhere"),
        ("data.max_gap_minutes", 10),
        ("device.batch_limit", 8),
        ("evidence.blocks", 8),
        ("evidence.verdict.max_overfitting", 0.2),
        ("walk_forward", {"train_days": 100, "test_days": 20}),
        ("fees", 0),
        ("chunk_period", 1440.0),
        ("initial_memory_length_delta", -0.0),
    ],
)
def test_digest_stays(key: str, value: Any):
    assert Fingerprint.from_dict(with_value(BASE, key, value)).digest == Fingerprint.from_dict(BASE).digest


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tokens", ["BTC", "ETH"]),
        ("startDateString", "2022-06-02"),
        ("endTestDateString", "2023-09-01"),
        ("optimisation_settings.val_fraction", 0.3),
        ("chunk_period", 720),
        ("maximum_change", 1e-4),
        ("fees", 0.003),
        ("fees", "fees.csv"),
        ("return_val", "returns"),
        ("objective.windows", 2),
        ("device.precision", "float32"),
        ("search.clip_to_effective", False),
        ("initial_k_per_day", 21),
        ("optimisation_settings.optuna_settings.seed", 1),
        ("optimisation_settings.optuna_settings.sampler", "random" if DEFAULT_SAMPLER != "random" else "qmc"),
        ("optimisation_settings.optuna_settings.batch_size", 32),
        ("optimisation_settings.optuna_settings.screen", 100),
        ("optimisation_settings.optuna_settings.screen_keep", 10),
        ("optimisation_settings.optuna_settings.parameter_config", {"log_k": {"high": 8}}),
        ("optimisation_settings.optuna_settings.parameter_config", {"initial_weights_logits": {}}),
    ],
)
def test_digest_changes_and_the_difference_is_named(key: str, value: Any):
    old, new = Fingerprint.from_dict(BASE), Fingerprint.from_dict(with_value(BASE, key, value))
    assert new.digest != old.digest
    leaf = next(leaf for leaf in LEAVES if leaf.key == tuple(key.split(".")))
    differences = fingerprint_differences(old, new)
    assert any(name.startswith(".".join(leaf.path)) for name, _, _ in differences)
    # the same answer from what a run folder holds
    stored = json.loads(json.dumps(old.to_dict()))
    assert fingerprint_differences(stored, new) == differences


@given(mappings(), mappings())
def test_equal_digests_mean_no_differences(one: dict[str, Any], other: dict[str, Any]):
    left, right = Fingerprint.from_dict(one), Fingerprint.from_dict(other)
    assert (left.digest == right.digest) == (fingerprint_differences(left, right) == [])


def test_difference_has_old_and_new_value(tmp_path: Path):
    old = small(tmp_path)
    new = small(tmp_path, "pool.chunk_period=60", "search.parameters.log_k.high=8", "search.n_trials=5")
    assert fingerprint_differences(old, new) == [
        ("pool.chunk_period", 1440, 60),
        ("pool.weight_interpolation_period", 1440, 60),
        ("search.parameters.log_k.high", None, 8.0),
    ]


def test_digest_is_the_sha256_of_the_canonical_json(tmp_path: Path):
    fingerprint = small(tmp_path, "data.root=prices")
    text = fingerprint.canonical_json()
    assert hashlib.sha256(text.encode()).hexdigest() == fingerprint.digest
    assert json.loads(text)["schema_version"] == 1
    assert "prices" not in text
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_digest_is_known():
    # A change here makes every run folder foreign to its own config: raise SCHEMA_VERSION and say so.
    given = {**BASE, **optuna(sampler="tpe")}
    known = "4b24927d09f343a45cb736d025de68b2282a8092fa2416e24b07bf550c4cab57"
    assert Fingerprint.from_dict(given).digest == known


def test_mapping_has_the_incumbents_keys(tmp_path: Path):
    fingerprint = small(tmp_path, "search.initial.initial_k_per_day={BTC: 1, ETH: 2, USDC: 3}")
    assert fingerprint["tokens"] == ("BTC", "ETH", "USDC")
    assert fingerprint["startDateString"] == "2022-06-01 00:00:00"
    assert fingerprint["endDateString"] == "2023-06-01 00:00:00"
    assert fingerprint["endTestDateString"] == "2023-09-01 00:00:00"
    assert fingerprint["optimisation_settings"]["val_fraction"] == 0.2
    assert fingerprint["optimisation_settings"]["force_scalar"] is False
    assert fingerprint["optimisation_settings"]["optuna_settings"]["n_trials"] == 1000
    assert fingerprint["return_val"] == "daily_log_sharpe"
    assert fingerprint["minimum_weight"] == pytest.approx(0.1 / 3)
    assert fingerprint["n_assets"] == fingerprint.n_assets == 3
    days = (date(2023, 9, 1) - date(2022, 6, 1)).days
    assert fingerprint["bout_length"] == fingerprint.bout_length == days * 1440 + 1
    assert fingerprint["initial_k_per_day"]["ETH"] == 2.0
    assert "pool" not in fingerprint
    assert set(fingerprint) == set(fingerprint.to_dict())
    assert len(fingerprint) == len(fingerprint.to_dict())


def test_no_two_values_share_a_key():
    assert len({leaf.key for leaf in LEAVES}) == len(LEAVES)
    mapping = Fingerprint.from_dict({**BASE, **optuna(early_stopping={"patience": 1})}).to_dict()
    assert all(
        look_up(mapping, leaf.key[:1]) is not None or leaf.key[0] == "walk_forward"
        for leaf in LEAVES
        if leaf.key != ("endTestDateString",)
    )


def test_vocabulary_reads_it(tmp_path: Path):
    fingerprint = small(tmp_path, "search.parameters.log_k={high: 8, scalar: true}")
    chosen = get_optuna_range("log_k", fingerprint, MOMENTUM_PARAM_SCHEMA)
    assert chosen is not None
    assert (chosen.low, chosen.high, chosen.scalar) == (-6.6, 8.0, True)
    assert get_param_value("weights_logits", {}, fingerprint, MOMENTUM_PARAM_SCHEMA) == 1.0


def test_defaults(tmp_path: Path):
    fingerprint = small(tmp_path)
    assert fingerprint.pool.weight_interpolation_period == fingerprint.pool.chunk_period == 1440
    assert fingerprint.pool.minimum_weight == pytest.approx(0.1 / 3)
    assert fingerprint.search.sampler == DEFAULT_SAMPLER
    assert DEFAULT_SAMPLER in SAMPLERS
    assert fingerprint.search.early_stopping is None
    assert fingerprint.walk_forward is None
    assert fingerprint.last_day == date(2023, 9, 1)
    assert small(tmp_path, "window.test_end=null").last_day == date(2023, 6, 1)
    assert small(tmp_path, "pool.chunk_period=60").pool.weight_interpolation_period == 60


def test_several_objectives_take_nsga2(tmp_path: Path):
    fingerprint = small(tmp_path, "objective.multi_objective=true", "objective.windows=3")
    assert fingerprint.search.sampler == "nsga2"


def test_walk_forward_steps_by_its_test_days(tmp_path: Path):
    fingerprint = small(tmp_path, "walk_forward={train_days: 100, test_days: 20}")
    assert fingerprint.walk_forward is not None
    assert fingerprint.walk_forward.step_days == 20
    assert fingerprint["walk_forward"]["anchored"] is False


@pytest.mark.parametrize(
    ("settings", "has_costs"),
    [
        ([], False),
        (["costs.noise_trader_ratio=1.5", "costs.protocol_fee_split=0.25"], False),
        (["costs.fees=0.003"], True),
        (["costs.gas_cost=2"], True),
        (["costs.arb_fees=0.0005"], True),
        (["costs.fees=costs.csv"], True),
        (["costs.trades=costs.csv"], True),
        (["costs.lp_supply=costs.csv"], True),
    ],
)
def test_has_costs(tmp_path: Path, settings: list[str], has_costs: bool, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "costs.csv").touch()
    monkeypatch.chdir(tmp_path)
    assert small(tmp_path, *settings).costs.has_costs is has_costs


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "fees.parquet").touch()
    path = write(tmp_path / "configs", SMALL + "data: {root: ../prices}\ncosts: {fees: fees.parquet}\n")
    monkeypatch.chdir(tmp_path)
    for given_path in (path, path.relative_to(tmp_path)):
        fingerprint = load_fingerprint(given_path)
        assert fingerprint.data.root == tmp_path / "prices"
        assert fingerprint.costs.fees == tmp_path / "configs" / "fees.parquet"
    assert Fingerprint.from_dict(fingerprint.to_dict()).costs.fees == tmp_path / "configs" / "fees.parquet"


def test_nothing_can_be_changed(tmp_path: Path):
    fingerprint = small(
        tmp_path, "search.parameters.log_k.high=8", "search.initial.initial_k_per_day={BTC: 1, ETH: 2, USDC: 3}"
    )
    with pytest.raises(ValidationError, match="frozen"):
        fingerprint.pool.chunk_period = 1  # pyright: ignore
    with pytest.raises(AttributeError):
        fingerprint.tokens = ()  # pyright: ignore
    with pytest.raises(AttributeError):
        fingerprint.another = 1  # pyright: ignore
    frozen: list[Any] = [
        fingerprint,
        fingerprint["optimisation_settings"],
        fingerprint["optimisation_settings"]["optuna_settings"]["parameter_config"]["log_k"],
        fingerprint["initial_k_per_day"],
        fingerprint.search.parameters,
        fingerprint.search.initial.initial_k_per_day,
    ]
    for mapping in frozen:
        with pytest.raises(TypeError, match="item assignment"):
            mapping["low"] = 1
    fingerprint.to_dict()["tokens"].clear()
    assert len(fingerprint["tokens"]) == 3


def test_copies_are_equal(tmp_path: Path):
    fingerprint = small(tmp_path, "search.parameters.log_k.high=8")
    assert copy.deepcopy(fingerprint) == fingerprint
    assert pickle.loads(pickle.dumps(fingerprint)).digest == fingerprint.digest
    assert fingerprint.digest[:8] in repr(fingerprint)


def test_from_dict_is_strict():
    wrong = {**BASE, "fees": 2, "n_assets": 4, "foo": 1, **optuna(n_trials=0, foo={"bar": 1})}
    with pytest.raises(ConfigError) as caught:
        Fingerprint.from_dict(wrong, name="best.json")
    assert sorted(problem.split(";")[0] for problem in caught.value.problems) == [
        "best.json: fees: out of range (2)",
        "best.json: foo: unknown key",
        "best.json: optimisation_settings.optuna_settings.foo: unknown key",
        "best.json: optimisation_settings.optuna_settings.n_trials: out of range (0)",
    ]
    with pytest.raises(ConfigError, match=r"n_assets: does not follow from the other keys, which give 3 \(4\)"):
        Fingerprint.from_dict({**BASE, "n_assets": 4})
    with pytest.raises(ConfigError, match=r"schema_version: this version reads 1 only \(2\)"):
        Fingerprint.from_dict({**BASE, "schema_version": 2})
    with pytest.raises(ConfigError, match="startDateString: missing; give a value, such as"):
        Fingerprint.from_dict({"tokens": ["A", "B"], "endDateString": "2023-01-01"})
