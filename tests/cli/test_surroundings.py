"""Streams that are closed or full, names that are not UTF-8, no home, no caches, no such device: one line or none."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.sample_runs import LITTLE_EVIDENCE, SAMPLE, SMOKE, command, environment

CHECK = ("config", "check", SMOKE)
QUICK = ("tune", SMOKE, "--trials", "8", "--set", "evidence.enabled=false")
NO_ROOM = "error: standard output: No space left on device; make room, and run the command again\n"
CAFE = os.fsdecode(b"caf\xe9")


def in_shell(streams: str, *arguments: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command as a shell with such redirections starts it."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {streams}', "sh", *command(*arguments)],
        env={**environment(), **variables}, cwd=cwd, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def alone(*arguments: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command with hardly any variable set, and of a user who has no entry and no home."""
    kept = {name: environment()[name] for name in ("PATH", "PYTHONPATH", "XLA_FLAGS") if name in environment()}
    code = "import pwd; pwd.getpwuid = {}.__getitem__; from momentum_opt.cli.app import main; main()"
    return subprocess.run(
        [command()[0], "-c", code, *command(*arguments)[3:]],
        env={**kept, **variables}, cwd=cwd, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.mark.parametrize("streams", ["2>&-", "<&-", "2>&- <&-", "2>/dev/full"])
@pytest.mark.parametrize("arguments", [CHECK, ("data", "check", SAMPLE, "--json"), ("config", "show", SMOKE, "--json")])
def test_without_a_place_for_progress_the_result_is_the_same(streams: str, arguments: tuple[str, ...], tmp_path: Path):
    done, usual = (in_shell(one, *arguments, cwd=tmp_path) for one in (streams, ""))
    assert (done.returncode, done.stdout) == (0, usual.stdout)


@pytest.mark.parametrize("streams", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_without_a_place_for_the_result_the_exit_code_is_the_same(streams: str, tmp_path: Path):
    assert in_shell(streams, *CHECK, cwd=tmp_path).returncode == 0
    assert in_shell(streams, "config", "check", "missing.yaml", cwd=tmp_path).returncode == 2


def test_a_run_with_all_streams_closed_is_whole(tmp_path: Path):
    """Its files must not get the numbers of the streams, or what is meant for the screen would land in them."""
    done, usual = (
        in_shell(one, *QUICK, "--run-dir", f"{name}/run", cwd=tmp_path)
        for one, name in (("<&- >&- 2>&-", "closed"), ("", "open"))
    )
    assert (done.returncode, usual.returncode) == (0, 0), usual.stderr
    one, other = (json.loads((tmp_path / name / "run" / "best.json").read_text()) for name in ("closed", "open"))
    assert {**one, "created": None} == {**other, "created": None}
    names = [{path.name for path in (tmp_path / name / "run").iterdir()} for name in ("closed", "open")]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    "arguments",
    [CHECK, ("config", "show", SMOKE, "--json"), ("--version",), ("--help",), ("data", "check", SAMPLE, "--json")],
)
def test_a_full_device_is_one_line(arguments: tuple[str, ...], tmp_path: Path):
    done = in_shell(">/dev/full", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, NO_ROOM)


def test_a_reader_that_has_read_enough_is_no_mistake(tmp_path: Path):
    done = in_shell("| head -0", "config", "show", SMOKE, cwd=tmp_path)
    assert done.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("tune", f"{CAFE}/config.yaml"),
        ("tune", SMOKE, "--run-dir", f"{CAFE}/run"),
        ("walk-forward", SMOKE, "--run-dir", CAFE),
        ("backtest", "--params", f"{CAFE}/best.json"),
        ("backtest", "--params", "best.json", "--out", CAFE),
        ("data", "check", CAFE),
        ("data", "import", f"{CAFE}/x.csv", "--token", "A"),
        ("data", "sample", "--out", CAFE),
        ("config", "check", SMOKE, "--set", f"data.root={CAFE}"),
        ("report", CAFE),
        ("trials", CAFE),
    ],
)
def test_a_name_that_is_not_utf8_is_one_line(arguments: tuple[str, ...], tmp_path: Path):
    done = in_shell("", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "caf\\xe9" in done.stderr
    assert done.stderr.endswith(
        ": this name is not UTF-8; rename it, or set LC_ALL=C.UTF-8 where your terminal is set otherwise\n"
    )
    assert not [*tmp_path.iterdir()]


def test_a_working_folder_with_such_a_name_or_none(tmp_path: Path):
    odd = tmp_path / CAFE
    odd.mkdir()
    assert "caf\\xe9: this name is not UTF-8" in in_shell("", *CHECK, cwd=odd).stderr
    done = subprocess.run(
        ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", *command(*CHECK)], cwd=odd, env=environment(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "error: the working folder is gone; go to one that exists\n")


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_signs_that_the_encoding_lacks_are_written_out(variables: Mapping[str, str], tmp_path: Path):
    for arguments in (CHECK, ("config", "show", SMOKE), ("config", "check", "ξ.yaml"), ("trials", "--help")):
        done = in_shell("", *arguments, cwd=tmp_path, **variables)
        assert done.returncode == (2 if "ξ.yaml" in arguments else 0)
        assert len(done.stderr.splitlines()) == (1 if "ξ.yaml" in arguments else 0)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("JAX_PLATFORMS", "cuda", "error: JAX_PLATFORMS=cuda: no device of this kind can be used here ("),
        ("JAX_PLATFORMS", "nonsense", "error: JAX_PLATFORMS=nonsense: no device of this kind can be used here ("),
        ("JAX_ENABLE_X64", "perhaps", "error: JAX_ENABLE_X64: invalid truth value 'perhaps'; unset it"),
    ],
)
def test_a_device_that_is_not_there_is_one_line(name: str, value: str, said: str, tmp_path: Path):
    done = in_shell("", *QUICK, "--run-dir", "run", cwd=tmp_path, **{name: value})
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_without_home_and_entry_it_runs_and_says_so_once(tmp_path: Path):
    done = alone(*QUICK, "--run-dir", "run", "--report", "--set", "costs.fees=0.003", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    warned = [line for line in done.stderr.splitlines() if "warning" in line.lower() or "cache" in line.lower()]
    assert warned == [
        "warning: CacheWarning: no home folder, so every process compiles anew; "
        "give XDG_CACHE_HOME=FOLDER, a folder of your own"
    ]
    assert (tmp_path / "run" / "report.html").exists()
    assert alone("config", "check", "~/x.yaml", cwd=tmp_path).stderr.startswith("error: ~/x.yaml: no such file; ")


@pytest.mark.slow
def test_caches_that_cannot_be_written_to_are_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("in the place of a folder")
    nowhere = str(tmp_path / "file")
    done = in_shell(
        "", *QUICK, "--run-dir", "run", "--report", "--workers", "2", *LITTLE_EVIDENCE, cwd=tmp_path,
        XDG_CACHE_HOME=nowhere, TMPDIR=nowhere,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    warned = [line for line in done.stderr.splitlines() if "warning" in line.lower() or "cache" in line.lower()]
    assert len(warned) == 1
    assert warned[0].startswith(f"warning: CacheWarning: {nowhere}/momentum-opt: ")
