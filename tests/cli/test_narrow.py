"""Tables in narrow terminals: no word is broken, no number or time cut; and what is counted reads well."""

import fcntl
import os
import pty
import re
import string
import struct
import subprocess
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from momentum_opt.cli.data.check import _counted, _line  # pyright: ignore[reportPrivateUsage]
from momentum_opt.cli.folds import curve_table, fold_table, stability_table
from momentum_opt.cli.progress import describe
from momentum_opt.cli.render import data_lines, metric_table, parameter_table, row_table, rows_table
from momentum_opt.cli.render_onchain import deployment_lines, rehearsal_lines, weights_lines
from momentum_opt.cli.text_table import TextTable, filled, width_of_output
from momentum_opt.market.audit import Tally
from momentum_opt.study.loop import Progress
from momentum_opt.units import counted
from tests.cli.test_folds import summary
from tests.cli.test_render import document
from tests.sample_runs import SAMPLE, command, environment, smoke, tuned

TOKENS = ("AAA", "BBB", "CCC")
NAMED = smoke("tokens=[AAA, BBB, CCC]")
ROW = {
    "number": 7, "state": "COMPLETE", "source": "warm_start", "objective": -1.23456789, "validation_calmar": None,
    **{f"{name}_{token}": 12345.678 for name in ("k_per_day", "memory_days", "initial_weights") for token in TOKENS},
    "fail_reason": "initial weights below minimum_weight", "started": "2023-01-09T04:00:00Z",
}  # fmt: skip


def by_token(value: Any) -> dict[str, Any]:
    return dict.fromkeys(TOKENS, value)


DEPLOYMENT = {
    "verdict": None, "turnover": {"per_year": 13.2433, "period": "train"},
    "readable": {
        "address": by_token("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"), "k_per_day": by_token(1234.5),
        "memory_days": by_token(365.0), "lambda": by_token(0.123456789), "kappa": by_token(1e6),
        "initial_weights": by_token(1 / 3),
    },
    "contract": {"epsilonMax": "1", "absoluteWeightGuardRail": "1", "maxTradeSizeRatio": "1", "updateInterval": 86400},
    "tokens": TOKENS, "first_update": "2024-02-05T00:00:00Z", "rules": [],
    "state": {"chunk_prices": 1, "last_price": "2024-02-04T00:00:00Z"},
}  # fmt: skip
GAP = dict.fromkeys(("largest_weight", "mean_weight", "largest_value", "final_value"), 1.234e-05)
REHEARSAL = {
    "tokens": TOKENS, "window": {"start": "2023-03-01T00:00:00Z", "end": "2023-03-03T00:00:00Z"},
    "updates": {"done": 1, "missed": ["x"], "frozen_at_a_rail": [], "delay_seconds": 0, "seed": 0},
    "initial_state": "as exported", "shares": dict.fromkeys(("arithmetic", "nine_decimals", "rails"), GAP), "gap": GAP,
    "resolution": {"smallest_step": 1e-9}, "warnings": [],
    "verdict": {"holds": True, "largest_weight_difference": 1e-9, "tolerance": 1e-6},
}  # fmt: skip
DAYS = [
    {"time": time, "simulated_value": 1234567.0, "contract_value": 1234567.0,
     **{f"{kind}_weight_{token}": 0.3333 for kind in ("simulated", "contract") for token in TOKENS}}
    for time in ("2023-03-01T00:00:00Z", "2023-03-02T00:00:00Z", "2023-03-02T23:59:00Z")
]  # fmt: skip
MULTIPLIERS = ("multiplier_per_minute", "multiplier_per_second")
WEIGHTS = {
    "verdict": None,
    "time": "2024-02-04T00:00:00Z", "moving_until": "2024-02-05T00:00:00Z", "next_update": "2024-02-05T00:00:00Z",
    "weights": {name: by_token(0.123456789) for name in ("start", "end", "target", *MULTIPLIERS)},
}  # fmt: skip

TABLES: dict[str, Callable[[], Any]] = {
    "parameters": lambda: [parameter_table(document())],
    "metrics": lambda: [metric_table(document())],
    "folds": lambda: [fold_table(summary())],
    "curves": lambda: [curve_table(summary())],
    "stability": lambda: [stability_table(summary())],
    "trials": lambda: [rows_table([ROW, ROW], list(ROW), NAMED)],
    "trial": lambda: [row_table(ROW, NAMED)],
    "deployment": lambda: deployment_lines(DEPLOYMENT),
    "rehearsal": lambda: rehearsal_lines(REHEARSAL, DAYS),
    "weights": lambda: weights_lines(WEIGHTS),
}


def lines(name: str) -> list[str]:
    return [line for part in TABLES[name]() for line in part.splitlines()]


def words(text: list[str]) -> set[str]:
    return {word for line in text for word in line.split() if set(word) != {"─"}}


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("name", TABLES)
def test_every_table_fits(name: str, width: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "1000")
    whole = lines(name)
    monkeypatch.setenv("COLUMNS", str(width))
    narrow = lines(name)
    prose = re.compile(r"^(epsilonMax|days on which|state:|2023-03-01T|update at|smallest|verdict)")
    assert [line for line in narrow if len(line) > width and not prose.match(line)] == []
    assert "…" not in "".join(narrow)
    assert words(narrow) == words(whole), "every word and number stands whole"


def test_dates_of_a_rehearsal_are_told_apart():
    shown = "\n".join(rehearsal_lines(REHEARSAL, DAYS))
    assert len(re.findall(r"^ 2023-03-02 {2,}", shown, re.M)) == 1
    assert len(re.findall(r"^ 2023-03-02 23:59 {2,}", shown, re.M)) == 1
    assert "1 update; initial" in shown
    assert "1 update missed (seed 0)" in shown


CELL = st.text(string.ascii_letters + string.digits + "-:.%/ ", max_size=24).map(lambda text: " ".join(text.split()))


@given(data=st.data(), width=st.integers(10, 120))
def test_no_cell_is_cut_at_any_width(data: st.DataObject, width: int):
    count = data.draw(st.integers(1, 8))
    cells = st.lists(CELL, min_size=count, max_size=count)
    titles, rows = data.draw(cells), data.draw(st.lists(cells, max_size=5))
    left = frozenset(data.draw(st.sets(st.integers(0, count - 1))))
    shown = TextTable(titles, left, [tuple(row) for row in rows]).text(width)
    for row in rows:
        for place, cell in enumerate(row):
            if place not in left:
                assert cell in shown
            assert {*cell.split()} <= {*shown.split()}
    needed = max((len(cell) for row in rows for cell in row), default=0)
    needed = max(needed, *(len(title) for title in titles))
    if width >= 2 * needed + 4:
        assert all(len(line) <= width for line in shown.splitlines())


def test_an_empty_table_and_sections():
    table = TextTable(("a", "b"))
    assert table.text() == " a   b\n ─────"
    table.add_row("x", "1")
    table.add_section()
    table.add_row("y", "22")
    assert table.text() == " a    b\n ──────\n x    1\n y   22"


def test_the_width_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "61")
    assert width_of_output() == 61
    for odd in ("", "0", "wide", "-3"):
        monkeypatch.setenv("COLUMNS", odd)
        assert width_of_output() == 100
    assert filled("a " * 200) == "a " * 200
    monkeypatch.setenv("COLUMNS", "20")
    assert filled("one two three four five", "  ") == "one two three four\n  five"
    assert _line("first", "2023-01-01 00:00").splitlines() == ["  first", f"{'':18}2023-01-01", f"{'':18}00:00"]


def in_terminal(columns: int, *arguments: str | Path) -> str:
    """What a command shows in a terminal of some columns."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "wb") as end:
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        settings = {name: value for name, value in environment().items() if name != "COLUMNS"}
        process = subprocess.Popen(command(*arguments), stdout=end, stderr=subprocess.DEVNULL, env=settings)
    shown = b"".join(_chunks(ours))
    assert process.wait() == 0
    return shown.decode().replace("\r\n", "\n")


def _chunks(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:  # the other end is closed
            os.close(descriptor)
            return
        yield chunk


@pytest.mark.parametrize("columns", [60, 80])
def test_in_a_terminal(columns: int, tmp_path_factory: pytest.TempPathFactory):
    folder = tuned(tmp_path_factory.getbasetemp())[1]
    for arguments in (("trials", folder), ("trials", folder, "show", "0"), ("data", "check", SAMPLE)):
        shown = in_terminal(columns, *arguments).splitlines()
        wide = [line for line in shown if len(line) > columns and not re.search(r"[0-9a-f]{64}|/", line)]
        assert wide == []
    assert not re.search(r"2023-\d?\d?-?$|20\d\d-…", "\n".join(shown), re.M)


def test_what_is_counted():
    assert [counted(number, "trial") for number in (0, 1, 2, 1234)] == [
        "0 trials",
        "1 trial",
        "2 trials",
        "1,234 trials",
    ]
    assert [_counted(Tally(number), "run of equal closes") for number in (0, 1, 2)] == [
        "none", "1 run of equal closes", "2 runs of equal closes",
    ]  # fmt: skip
    found = document()
    found["data"] = {
        "burn_in_days": 1, "files": [{"token": "A", "rows": 1, "first": "a", "last": "b", "filled_minutes": 1}]
    }  # fmt: skip
    assert data_lines(found) == [
        "prices A: 1 bar, a to b, 1 minute filled",
        "burn-in: 1 day of history before the start",
    ]


def test_no_time_is_negative():
    assert describe(Progress(17, 16, 0, None, 17, 4.0)).endswith("4 s elapsed, 0 s left")
    assert describe(Progress(16, 16, 0, None, 0, 0.0)).endswith("0 s elapsed, 0 s left")
    assert describe(Progress(16, 16, 0, None, 16, -0.4)).endswith("0 s elapsed, 0 s left")
