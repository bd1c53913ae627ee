"""A program that is kept is that of the function, traced once for all processes that share a cache folder."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from momentum_opt.caching import Cache
from momentum_opt.study import programs, replay
from momentum_opt.study.programs import compiled, keepable, shapes_of
from tests.reference.minute_loop import Pool
from tests.simulation.cases import Case, random_params

find_folder = programs._folder
"""What no test of this process uses; see `conftest.py`."""

ARGUMENTS = {"x": jnp.arange(4.0)}, jnp.asarray(3.0)


@keepable
class Found(NamedTuple):
    values: dict[str, Any]
    nothing: Any


class Scaled:
    """x → factor · x · y + 1, and how often it was traced."""

    def __init__(self, factor: float) -> None:
        self.identity = f"scaled by {factor}"
        self.traced = 0
        self._factor = factor

    def __call__(self, tree: dict[str, Any], y: Any) -> Found:
        self.traced += 1
        return Found({"x": self._factor * tree["x"] * y + 1.0}, None)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(programs, "_folder", lambda: tmp_path / "lowered")
    return tmp_path / "lowered"


def run(function: Scaled, arguments: Any = ARGUMENTS) -> np.ndarray:
    found = compiled(function, *shapes_of(arguments), ())(*arguments)
    assert type(found) is Found
    assert found.nothing is None
    return np.asarray(found.values["x"])


def traced_again(factor: float = 2.0, arguments: Any = ARGUMENTS) -> bool:
    """Whether a new process would trace it; what it computes is checked."""
    function = Scaled(factor)
    wanted = factor * np.asarray(arguments[0]["x"]) * np.asarray(arguments[1]) + 1.0
    np.testing.assert_array_equal(run(function, arguments), wanted)
    return function.traced > 0


def test_it_is_traced_once():
    assert traced_again()
    assert not traced_again()


def test_what_it_depends_on_is_told_apart(monkeypatch: pytest.MonkeyPatch):
    assert traced_again()
    assert traced_again(factor=3.0)
    assert traced_again(arguments=({"x": jnp.arange(5.0)}, jnp.asarray(3.0)))
    assert traced_again(arguments=({"x": jnp.arange(4, dtype=jnp.float32)}, jnp.asarray(3.0)))
    monkeypatch.setattr(programs, "_source_digest", lambda: "another")
    assert traced_again()
    monkeypatch.setattr(jax, "__version__", "another")
    assert traced_again()
    assert not traced_again()


def test_the_source_code_is_all_of_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    package = tmp_path / "package"
    (package / "study").mkdir(parents=True)
    monkeypatch.setattr(programs, "__file__", str(package / "study" / "programs.py"))
    seen: set[str] = set()
    for name, text in (("pool.py", "a"), ("pool.py", "b"), ("rule.py", "b"), ("rule.txt", "b")):
        (package / name).write_text(text)
        programs._source_digest.cache_clear()
        seen.add(programs._source_digest())
    programs._source_digest.cache_clear()
    assert len(seen) == 3  # a text file is no source code


def test_a_damaged_file_is_made_anew(folder: Path):
    assert traced_again()
    (path,) = folder.iterdir()
    sound = path.read_bytes()
    flipped = [sound[:at] + bytes([sound[at] ^ 1 << at % 8]) + sound[at + 1 :] for at in range(0, len(sound), 97)]
    for damaged in (b"", b"nothing that is known", sound[:-1], sound[: len(sound) // 2], sound + b"x", *flipped):
        path.write_bytes(damaged)
        assert Cache(folder).get(path.name) is None
    assert traced_again()
    assert not traced_again()


def test_programs_that_are_swapped_are_made_anew(folder: Path):
    assert traced_again(2.0)
    assert traced_again(3.0)
    one, other = folder.iterdir()
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert traced_again(2.0)
    assert traced_again(3.0)
    assert not traced_again(2.0)


def test_a_folder_that_cannot_be_is_done_without(folder: Path):
    folder.write_text("a file is in its place")
    assert traced_again()
    assert traced_again()


def test_nothing_is_kept_where_nothing_is_to_be(monkeypatch: pytest.MonkeyPatch, folder: Path):
    monkeypatch.setattr(programs, "_folder", lambda: None)
    assert traced_again()
    assert traced_again()
    assert not folder.exists()


def test_those_not_used_for_longest_are_forgotten(monkeypatch: pytest.MonkeyPatch, folder: Path):
    monkeypatch.setattr(programs, "MOST_KEPT", 2)
    assert traced_again(factor=1.0)
    assert traced_again(factor=2.0)
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    assert not traced_again(factor=1.0)
    assert traced_again(factor=3.0)
    assert len(list(folder.iterdir())) == 2
    assert not traced_again(factor=1.0)
    assert traced_again(factor=2.0)


def test_it_lies_beside_the_programs_of_jax(monkeypatch: pytest.MonkeyPatch):
    values = {"jax_compilation_cache_dir": "/cache/xla", "jax_enable_compilation_cache": True}
    monkeypatch.setattr(type(jax.config), "values", values)
    assert find_folder() == Path("/cache/xla/lowered")
    monkeypatch.setattr(type(jax.config), "values", {**values, "jax_enable_compilation_cache": False})
    assert find_folder() is None
    monkeypatch.setattr(type(jax.config), "values", {**values, "jax_compilation_cache_dir": None})
    assert find_folder() is None
    monkeypatch.setattr(type(jax.config), "values", values)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert find_folder() is None


def test_a_replay_from_a_kept_program_is_the_same_bit_for_bit(monkeypatch: pytest.MonkeyPatch):
    case = Case.random(Pool(chunk_period=1440, max_memory_days=5.0), 2, 8)
    params = random_params(2, case.pool.floor(2), 0)

    def replayed() -> Any:
        replay._compiled.cache_clear()
        replay._replaying.cache_clear()
        return replay.replay(case.fingerprint(val_fraction=0.3), case.market, params)

    first = replayed()
    monkeypatch.setattr(replay, "_outputs", None)  # it is not traced
    again = replayed()
    for name in ("value", "weights", "reserves"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
    assert again.objectives == first.objectives
    np.testing.assert_equal(again.metrics, first.metrics)
    np.testing.assert_equal(again.baseline_metrics, first.baseline_metrics)
