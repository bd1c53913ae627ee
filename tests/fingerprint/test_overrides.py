"""What `--set` is read as, and which of several places an error names."""

from pathlib import Path
from typing import Any

import pytest

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint import Fingerprint, load_fingerprint, override_fingerprint, replace_values
from momentum_opt.fingerprint.overrides import lay_over
from momentum_opt.fingerprint.source import Source, read_source
from tests.fingerprint.configs import SMALL, small, write


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("60", 60),
        (" 60 ", 60),
        ("1_000", 1000),
        ("1e3", 1000.0),
        ("-7", -7),
        ("+5", 5),
        ("0.5", 0.5),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("[NO, ON, 1]", ["NO", "ON", 1]),
        ("{a: 1, b: [c]}", {"a": 1, "b": ["c"]}),
        ("[&a x, *a]", ["x", "x"]),
        ("yes", "yes"),
        ("2022-06-01", "2022-06-01"),
        ("1:30", "1:30"),
        ("010", "010"),
        ("1__0", "1__0"),
        ("1_", "1_"),
        ("0x10", "0x10"),
        ("a #b", "a #b"),
        ("5 #b", "5 #b"),
        ("a: b", "a: b"),
        ("*a", "*a"),
        ("&a b", "&a b"),
        ("!!str b", "!!str b"),
        ("- a", "- a"),
        ("<<", "<<"),
        ("'a #b'", "a #b"),
        ('"a"', "a"),
        ("'a' #b", "'a' #b"),
        ("'a", "'a"),
        ("x=y", "x=y"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_values(text: str, value: Any):
    found = lay_over(Source("config"), [f"a.b={text}"]).tree["a"]["b"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["[a] b", "[a] #b", "{a: 1} #", "[a", "{a: 1"])
def test_a_list_ends_with_its_bracket(text: str):
    with pytest.raises(ConfigError, match=r"^--set tokens=.*; (leave the rest out|mend this line)"):
        lay_over(Source("config"), [f"tokens={text}"])


RANGES = SMALL + "pool:\n  weight_interpolation_period: 1440\nsearch:\n  parameters:\n    log_k: {low: 3, high: 5}\n"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["pool.chunk_period=60"], "--set pool.chunk_period=60: pool.weight_interpolation_period: longer than"),
        (["search.parameters.log_k.high=1"], "--set search.parameters.log_k.high=1: search.parameters.log_k: not a"),
        (["window.end=2022-06-03"], "--set window.end=2022-06-03: window.validation_fraction: leaves 0 of 2 days"),
        (["pool.rule=constant_weight"], "--set pool.rule=constant_weight: search.parameters.log_k: no parameter of"),
        (["walk_forward.test_days=9"], "--set walk_forward.test_days=9: walk_forward.train_days: missing"),
        (["pool.chunk_period=60", "pool.weight_interpolation_period=90"],
         "--set pool.weight_interpolation_period=90: longer than pool.chunk_period (90)"),
        (["tokens=[A, B, C]", "search.initial.initial_k_per_day={A: 1}"], "--set search.initial.initial_k_per_day={A"),
    ],
)  # fmt: skip
def test_the_override_that_does_not_fit_is_named(tmp_path: Path, settings: list[str], said: str):
    with pytest.raises(ConfigError) as caught:
        load_fingerprint(write(tmp_path, RANGES), settings)
    assert caught.value.problems[0].startswith(said)


def test_mistakes_of_the_file_keep_their_lines(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"config\.yaml:7: pool\.weight_interpolation_period: longer than") as caught:
        load_fingerprint(write(tmp_path, RANGES.replace("1440", "1500")), ["search.seed=1"])
    assert len(caught.value.problems) == 1


def test_a_fingerprint_has_no_lines(tmp_path: Path):
    fingerprint = small(tmp_path)
    said = r"^--set pool\.chunk_period=60: pool\.weight_interpolation_period: longer than"
    with pytest.raises(ConfigError, match=said):
        override_fingerprint(fingerprint, ["pool.chunk_period=60"], name="best.json: fingerprint")
    with pytest.raises(ConfigError, match=r"^fold 1: window\.validation_fraction: leaves 0 of 2 days"):
        replace_values(fingerprint, {"window.end": "2022-06-03"}, name="fold 1")


def test_values_of_a_fingerprint_are_named_as_it_names_them(tmp_path: Path):
    mapping = {**small(tmp_path).to_dict(), "maximum_change": -1}
    with pytest.raises(ConfigError, match=r"^best\.json: fingerprint: maximum_change: out of range"):
        Fingerprint.from_dict(mapping, name="best.json: fingerprint")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("serch.n_trials=3", "did you mean search?"),
        ("search.n_trial=3", "did you mean n_trials?"),
        ("n_trials=3", "did you mean search.n_trials?"),
        ("search.early_stoping.patience=3", "did you mean early_stopping?"),
        ("search.early_stopping.patiense=3", "did you mean patience?"),
        ("search.parameters.logk.low=1", "did you mean log_k?"),
        ("search.parameters.log_k.lo=1", "did you mean low?"),
        ("search.initial.initial_k=3", "did you mean initial_k_per_day?"),
        ("data.rooot=x", "did you mean root?"),
    ],
)
def test_the_nearest_key_is_named(tmp_path: Path, setting: str, said: str):
    with pytest.raises(ConfigError) as caught:
        load_fingerprint(write(tmp_path), [setting])
    (problem,) = [one for one in caught.value.problems if said in one]
    assert problem.startswith(f"--set {setting}: ")


def test_many_mistakes_are_counted(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        load_fingerprint(write(tmp_path, SMALL + "".join(f"k{i}: 1\n" for i in range(2000))))
    assert len(caught.value.problems) == 51
    assert caught.value.problems[-1] == "and 1,950 more mistakes; mend these first"


MERGING = """\
base: &a {low: 1, high: 2}
more: &b
  high: 3
  log_scale: true
one:
  <<: [*a, *b]
two:
  high: 9
  <<: [*b, *a]
"""


def test_merge_lists(tmp_path: Path):
    source = read_source(write(tmp_path, MERGING))
    assert source.tree["one"] == {"low": 1, "high": 2, "log_scale": True}
    assert source.tree["two"] == {"high": 9, "log_scale": True, "low": 1}
    lines = {name: source.lines["two", name] for name in ("high", "log_scale", "low")}
    assert lines == {"high": 8, "log_scale": 4, "low": 1}
    assert source.lines["one", "high"] == 1
    assert source.mistakes == []


def test_errors_of_merged_values_name_the_line_that_counts(tmp_path: Path):
    text = "pool: &a\n  chunk_period: 0\nsearch:\n  <<: *a\n  chunk_period: 3\n" + SMALL
    with pytest.raises(ConfigError) as caught:
        load_fingerprint(write(tmp_path, text))
    said = ["config.yaml:2: pool.chunk_period: out of range", "config.yaml:5: search.chunk_period: unknown key"]
    assert [one.split(" (")[0].split(";")[0].split("/")[-1] for one in caught.value.problems] == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n", r"b\.<<: given twice, on lines 3 and 4; write <<: \[\*a, \*b\]"),
        ("b:\n  <<: 3\n", r":2: b\.<<: merges what is no mapping \(.*\)|:2: b\.<<: merges what is no mapping; name"),
        ("b:\n  <<: [{x: 1}, 2]\n", r":2: b\.<<: merges what is no mapping; name mappings"),
        ("b: &b\n  <<: *b\n", r":1: b: contains itself"),
        ("b: &b\n  c: 1\n  <<: [{d: *b}]\n", r"b\.d: contains itself"),
    ],
)
def test_merges_that_are_refused(tmp_path: Path, text: str, said: str):
    with pytest.raises(ConfigError, match=said):
        load_fingerprint(write(tmp_path, text))


def test_a_quoted_merge_key_is_a_key(tmp_path: Path):
    assert read_source(write(tmp_path, 'b:\n  "<<": 3\n')).tree == {"b": {"<<": 3}}
