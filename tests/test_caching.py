"""What is kept for later processes comes back as it was, or not at all, and is the user's own."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from momentum_opt.caching import Cache, cache_folder, why_unusable

SOMEONE = 12345
"""Another user."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    one = Cache(tmp_path / "cache" / "kept", suffix="-kept")
    one.put("a", b"content")
    return one


def path_of(cache: Cache, key: str) -> Path:
    return cache.folder / f"{key}-kept"


def test_what_is_put_is_got(cache: Cache):
    assert cache.get("a") == b"content"
    assert cache.get("b") is None
    cache.put("a", b"")
    assert cache.get("a") == b""


def test_every_single_bit_counts(cache: Cache):
    path, sound = path_of(cache, "a"), path_of(cache, "a").read_bytes()
    for bit in range(8 * len(sound)):
        path.write_bytes(sound[: bit // 8] + bytes([sound[bit // 8] ^ 1 << bit % 8]) + sound[bit // 8 + 1 :])
        assert cache.get("a") is None
    for length in range(len(sound)):
        path.write_bytes(sound[:length])
        assert cache.get("a") is None
    path.write_bytes(sound)
    assert cache.get("a") == b"content"


def test_another_keys_content_is_none_of_ours(cache: Cache):
    cache.put("b", b"other")
    shutil.copyfile(path_of(cache, "b"), path_of(cache, "a"))
    assert cache.get("a") is None
    cache.put("a", b"content")
    assert cache.get("a") == b"content"


def test_key_and_content_are_told_apart(cache: Cache):
    cache.put("ab", b"c")
    shutil.copyfile(path_of(cache, "ab"), path_of(cache, "a"))
    assert cache.get("a") is None


def test_only_the_user_may_write_or_read(cache: Cache):
    for path in (cache.folder, *cache.folder.iterdir()):
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)


def test_a_file_that_others_may_have_written_is_made_anew(cache: Cache):
    path_of(cache, "a").chmod(0o666)
    assert cache.get("a") is None
    cache.put("a", b"content")
    assert cache.get("a") == b"content"


@as_root
def test_a_file_of_another_user_is_not_read(cache: Cache):
    os.chown(path_of(cache, "a"), SOMEONE, -1)
    assert cache.get("a") is None


@as_root
def test_a_folder_of_another_user_is_left_alone(cache: Cache):
    os.chown(cache.folder, SOMEONE, -1)
    assert cache.get("a") is None
    cache.put("b", b"other")
    assert [path.name for path in cache.folder.iterdir()] == ["a-kept"]
    assert why_unusable(cache.folder) == "another user's"


def test_a_folder_that_others_may_write_to_is_closed_to_them(cache: Cache):
    cache.folder.chmod(0o777)
    cache.put("b", b"other")
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("place", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/etc/hostname")])
def test_what_is_no_file_is_no_content(cache: Cache, place: Callable[[Path], None]):
    path_of(cache, "a").unlink()
    place(path_of(cache, "a"))
    assert cache.get("a") is None
    cache.put("a", b"content")  # no matter whether it can be


def test_a_file_in_place_of_the_folder(tmp_path: Path):
    (tmp_path / "kept").write_text("")
    cache = Cache(tmp_path / "kept")
    cache.put("a", b"content")
    assert cache.get("a") is None
    assert why_unusable(tmp_path / "kept") is not None


def test_nothing_is_left_of_what_could_not_be_written(cache: Cache, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    cache.put("b", b"other")
    assert [path.name for path in cache.folder.iterdir()] == ["a-kept"]


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({"XDG_CACHE_HOME": "/caches"}, "/caches/momentum-opt"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.cache/momentum-opt"),
        ({"HOME": "/home/me"}, "/home/me/.cache/momentum-opt"),
        ({"XDG_CACHE_HOME": "/caches/\udce9"}, None),
    ],
)
def test_where_it_is(environment: dict[str, str], found: str | None, monkeypatch: pytest.MonkeyPatch):
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == (None if found is None else Path(found))


def test_a_user_without_a_home_has_none(monkeypatch: pytest.MonkeyPatch):
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert cache_folder() is None


PROGRAMS = """
import warnings
warnings.simplefilter("error")
import jax
from momentum_opt import device
device.configure()
import jax.numpy as jnp
print(float(jnp.sum(jnp.arange(5.0) * 3.0)), float(jax.jit(lambda x: x * 2.0 + 1.0)(jnp.asarray(3.0))),
      float(jax.jit(lambda x: x * 5.0 - 1.0)(jnp.asarray(3.0))))
"""


def test_programs_of_jax_are_checked(tmp_path: Path):
    """A damaged one is compiled anew, without a word; JAX would complain of it for ever, or run a wrong one."""

    def printed() -> str:
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", PROGRAMS], env=environment, capture_output=True, text=True)
        assert done.stderr == ""
        return done.stdout

    assert printed() == "30.0 7.0 14.0\n"
    files = sorted((tmp_path / "momentum-opt" / "xla").glob("jit_*-cache"))
    sound = [path.read_bytes() for path in files]
    assert len(files) > 3
    for damaged in (
        [b""] * len(files),
        [content[:-7] for content in sound],
        [content[:90] + bytes([content[90] ^ 4]) + content[91:] for content in sound],
        [*sound[1:], sound[0]],
    ):
        for path, content in zip(files, damaged, strict=True):
            path.write_bytes(content)
        assert printed() == "30.0 7.0 14.0\n"
        assert [path.read_bytes() != content for path, content in zip(files, damaged, strict=True)] == [True] * len(
            files
        )
