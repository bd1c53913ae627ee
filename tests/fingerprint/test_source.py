from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.fingerprint.overrides import lay_over
from momentum_opt.fingerprint.source import read_source
from momentum_opt.fingerprint.yaml_text import to_yaml_text
from tests.fingerprint.configs import SMALL, write


def tree(folder: Path, text: str) -> dict[str, Any]:
    return read_source(write(folder, text)).tree


def test_scalars_are_those_of_yaml_1_2(tmp_path: Path):
    text = """
    number: 3e-4
    also: 1E3
    plain: 0.5
    whole: 1_000
    negative: -7
    zero: 0
    octal: 010
    clock: 1:30
    words: [on, off, yes, no, y, n, ON]
    switches: [true, False, TRUE]
    nothing: [null, ~, ]
    day: 2022-06-01
    quoted: '2022-06-01'
    version: 1.2.3
    9: key
    """
    assert tree(tmp_path, text) == {
        "number": 3e-4,
        "also": 1000.0,
        "plain": 0.5,
        "whole": 1000,
        "negative": -7,
        "zero": 0,
        "octal": "010",
        "clock": "1:30",
        "words": ["on", "off", "yes", "no", "y", "n", "ON"],
        "switches": [True, False, True],
        "nothing": [None, None],
        "day": "2022-06-01",
        "quoted": "2022-06-01",
        "version": "1.2.3",
        "9": "key",
    }


def test_dates_with_or_without_quotes(tmp_path: Path):
    for written in ("2022-06-01", "'2022-06-01'", "2022-06-01 00:00:00", "2022-06-01T00:00:00Z"):
        path = write(tmp_path, SMALL.replace("start: 2022-06-01", f"start: {written}"))
        assert load_fingerprint(path).window.start == date(2022, 6, 1)


def test_a_token_may_be_called_like_a_switch(tmp_path: Path):
    assert load_fingerprint(write(tmp_path, SMALL.replace("BTC", "ON"))).tokens == ("ETH", "ON", "USDC")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tokens: [BTC, ETH\nwindow: 3\n", r":2: not valid YAML"),
        ("a: 1\n\tb: 2\n", r":2: not valid YAML: .*; mend this line"),
        ("a: 1\n---\nb: 2\n", r":2: not valid YAML"),
        ("- 1\n- 2\n", r":1: not a mapping; write `section:`"),
        ("a: \x07\n", r"not valid YAML"),
    ],
)
def test_syntax(tmp_path: Path, text: str, said: str):
    with pytest.raises(ConfigError, match=said):
        load_fingerprint(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SMALL + "tokens: [A, B]\n", r":1: tokens: given twice, on lines 1 and 6; keep one"),
        (SMALL + "pool:\n  rule: momentum\n  rule: momentum\n", r"pool.rule: given twice, on lines 7 and 8"),
        (SMALL + "data:\n  root: !!python/object/apply:os.getcwd []\n", r"data.root: not a folder"),
        (SMALL + "search:\n  study_name: !!python/name:os.getcwd ''\n", r"study_name: unreadable as .*python/name"),
        (SMALL + "data: &d\n  root: *d\n", r"data.root: contains itself"),
    ],
)
def test_mistakes_of_the_text(tmp_path: Path, text: str, said: str):
    with pytest.raises(ConfigError, match=said):
        load_fingerprint(write(tmp_path, text))


def test_files_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"nope\.yaml: no such file"):
        load_fingerprint(tmp_path / "nope.yaml")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        load_fingerprint(tmp_path)
    (tmp_path / "config.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        load_fingerprint(tmp_path / "config.yaml")


def test_anchors_and_merge_keys(tmp_path: Path):
    text = "base: &base {low: 1, high: 2}\nother:\n  <<: *base\n  high: 3\n"
    assert tree(tmp_path, text)["other"] == {"low": 1, "high": 3}


def test_overrides(tmp_path: Path):
    overrides = [
        "pool.chunk_period=60",
        "search.parameters.log_k={low: 1}",
        "search.parameters.log_k.high=3e0",
        "a.b=x=y",
    ]
    found = lay_over(read_source(write(tmp_path, SMALL + "pool: {rule: momentum}\n")), overrides).tree
    assert found["pool"] == {"rule": "momentum", "chunk_period": 60}
    assert found["search"] == {"parameters": {"log_k": {"low": 1, "high": 3.0}}}
    assert found["a"] == {"b": "x=y"}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["pool.chunk_period"], "--set pool.chunk_period: not a setting; write section.key=value"),
        (["pool..x=3"], "--set pool..x=3: not a setting"),
        (["=3"], "--set =3: not a setting"),
        (["tokens=[A"], "--set tokens=[A:1: not valid YAML"),
        (["tokens.0=A"], "--set tokens.0=A: tokens has no keys"),
        (["pool.chunk_perod=60"], "--set pool.chunk_perod=60: unknown key; did you mean chunk_period?"),
        (["pool={chunk_perod: 60}"], "--set pool={chunk_perod: 60}: pool.chunk_perod: unknown key"),
        (["pool.rule=a", "pool.rule=b"], "--set pool.rule=b: unknown value ('b')"),
    ],
)
def test_mistakes_of_overrides(tmp_path: Path, overrides: list[str], said: str):
    with pytest.raises(ConfigError) as caught:
        load_fingerprint(write(tmp_path), overrides)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(said)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["C"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), PLAIN, max_size=4))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]):
    path = tmp_path_factory.getbasetemp() / "plain.yaml"
    path.write_text(to_yaml_text(values), encoding="utf-8")
    assert read_source(path).tree == values
