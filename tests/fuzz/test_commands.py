"""Whole commands in odd surroundings on damaged sites: they end with a known code, and say why in lines of their own.

Most run in this process, because one of its own takes seconds; those that need closed streams, variables that are read
as a process starts, or a user without the right to write get one. `make fuzz` goes on by the clock (see
`test_damaged_files`).
"""

import itertools
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from momentum_opt.cli.app import main
from tests.cli.damage import CONFIG, FIRST_MS, HOUR_MS, PARAMS, TOKENS, build, export_bars, snapshot
from tests.fuzz import command_lines
from tests.fuzz.command_lines import Fault, Surroundings, Words, contents, copy_of
from tests.market.importing.sources import binance, write_zip
from tests.sample_runs import command, environment

SECONDS = float(os.environ.get("MOMENTUM_OPT_FUZZ_SECONDS", "0"))
ROUNDS = {"here": 40, "alone": 4}
"""Commands tried in this process and in processes of their own, whatever the time."""

PATIENCE = 45.0
"""Seconds after which a command is interrupted, as with Ctrl-C."""

Case = tuple[Words, Surroundings, Fault | None]
CODES = (0, 1, 2, 130)
DAY_MS = 24 * HOUR_MS
BOUND = """\
import ctypes, os, sys
for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Starts a command to which the rights of files apply, for root as well."""


# The site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A site with one of every file that a command reads; `kept` beside it is its copy."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "home").mkdir()
    (folder / "site").mkdir()
    furnish(folder / "site")
    copy_of(folder / "site", folder / "kept")
    with mock.patch.dict(os.environ, HOME=str(folder / "home")):
        yield folder / "site"


def furnish(folder: Path) -> None:
    """Build the site, and let the program add what it writes itself."""
    build(folder)
    first = FIRST_MS + 3 * DAY_MS
    costs = "unix,value\n" + "".join(f"{first + day * DAY_MS},0.001\n" for day in range(13))
    trades = "".join(f"{first + hour * HOUR_MS},AAA,BBB,1.5\n" for hour in range(20))
    bars = export_bars()
    texts = {
        "fees.csv": costs,
        "trades.csv": f"unix,token_in,token_out,amount_in\n{trades}",
        "costs.yaml": CONFIG + "costs:\n  fees: fees.csv\n  trades: trades.csv\n",
        "params.json": json.dumps({"params": PARAMS}),
        "tokens.yaml": "".join(f"{token}: 0x{number:040x}\n" for number, token in enumerate(TOKENS, start=1)),
        "candles.json": json.dumps([[time_ms, *map(float, prices)] for time_ms, *prices in bars.rows()]),
        "incumbent.json": json.dumps({"tokens": list(TOKENS), "startDateString": "2023-01-04 00:00:00",
                                      "endDateString": "2023-01-17 00:00:00"}),
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text)
    write_zip(folder / "export.zip", **{"XBTUSDT-1h.csv": binance(bars, bar_ms=HOUR_MS)})
    pq.write_table(pa.table({"unix": bars.unix, "close": bars.close}), folder / "table.parquet")
    params = ("--params", folder / "best.json")
    for arguments in (
        ("tune", folder / "config.yaml", "--run-dir", folder / "tuned", "--no-report"),
        ("export", *params, "--addresses", folder / "tokens.yaml", "--out", folder / "deployment.json"),
        ("weights", *params, "--state", folder / "state.json"),
    ):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        assert ended.value.code == 0, arguments


def renewed(site: Path, fault: Fault | None) -> dict[str, bytes]:
    """Put the site back as it was, damage it, and say what it holds."""
    shutil.rmtree(site)
    shutil.copytree(site.with_name("kept"), site)
    if fault is not None:
        fault.apply(site)
    return snapshot(site)


# What must hold


def assert_told(line: Words, code: int, out: str, err: str, before: dict[str, bytes], site: Path) -> None:
    """A known code; what went wrong in lines that name a remedy; nothing written where the input was refused."""
    assert code in CODES, (code, err)
    assert "Traceback" not in out + err, err
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert not [line for line in errors if line.startswith("error: unexpected")], err
    assert all("; " in line for line in errors), f"no remedy: {err}"
    assert code or not errors, err
    assert "np.float64(" not in out + err, err
    if code == 2:
        assert out == "" or line[:2] == ("data", "check"), out  # which describes the files first
        assert snapshot(site) == before, "written to although refused"


@pytest.mark.slow
def test_in_this_process(site: Path, capfd: pytest.CaptureFixture[str]):
    def check(case: Case) -> None:
        line, around, fault = case
        before = renewed(site, fault)
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("default")  # as for a user; pytest makes errors of them
            patch.chdir(site / around.folder if (site / around.folder).is_dir() else site)
            for name, value in around.placed(site):
                patch.delenv(name, raising=False) if value is None else patch.setenv(name, value)
            capfd.readouterr()
            code = ended_with(line)
        told = capfd.readouterr()
        assert_told(line, code, told.out, told.err, before, site)

    _rounds(check, site, alone=False, share=0.75)


@pytest.mark.slow
def test_in_processes_of_their_own(site: Path):
    def check(case: Case) -> None:
        line, around, fault = case
        before = renewed(site, fault)
        done = in_a_process(line, around, site)
        assert_told(line, done.returncode, done.stdout, done.stderr, before, site)

    _rounds(check, site, alone=True, share=0.25)


def _rounds(check: Callable[[Case], None], site: Path, *, alone: bool, share: float) -> None:
    files = contents(site.with_name("kept"))
    drawn = given(command_lines.tried(files, alone=alone))
    once = settings(
        max_examples=ROUNDS["alone" if alone else "here"], database=None, phases=[Phase.generate], print_blob=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    end = time.monotonic() + SECONDS * share
    first = int(os.environ.get("MOMENTUM_OPT_FUZZ_SEED", "0"))
    for turn in itertools.count(first):
        seed(turn)(once(drawn(check)))()
        if time.monotonic() >= end:
            return


def ended_with(line: Words) -> int:
    """The exit code; a command that takes too long is interrupted."""
    timer = threading.Timer(PATIENCE, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(SystemExit) as ended:
            main(line)
    finally:
        timer.cancel()
    return int(ended.value.code or 0)


def in_a_process(line: Words, around: Surroundings, site: Path) -> subprocess.CompletedProcess[str]:
    """The command as a shell starts it, by a user who may not write where that is locked."""
    changed = {**environment(), **dict(around.placed(site))}
    variables = {name: value for name, value in changed.items() if value is not None}
    folder = site / around.folder if (site / around.folder).is_dir() else site
    modes = {site / name: (site / name).stat().st_mode for name in around.locked if (site / name).is_dir()}
    try:
        for place in modes:
            place.chmod(0o555)
        return subprocess.run(
            [*command()[:1], "-c", BOUND, "sh", "-c", f'exec "$@" {around.streams}', "sh", *command()[:3], *line],
            env=variables, cwd=folder, capture_output=True, text=True, errors="replace", check=False, timeout=300,
        )  # fmt: skip
    finally:
        for place, mode in modes.items():
            if place.is_dir():
                place.chmod(mode)
