"""What a tune shows as it goes: its phases, the winner before its verdict, and how to go on."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from momentum_opt.api import settling
from momentum_opt.cli.progress import Reporter
from tests.cli.test_tune import code
from tests.sample_runs import LITTLE_EVIDENCE, SMOKE, command, copy_of, ended_before, environment, tuned

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def test_plain_lines_name_what_takes_long(capsys: pytest.CaptureFixture[str]):
    with Reporter() as report:
        for name in ("prices", "compile", "search", "replay", "evidence"):
            report.enter(name)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["replaying the winner minute by minute …", "gathering evidence …"]


def test_the_winner_is_printed_before_its_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    ended_before(monkeypatch, settling, "find_evidence")
    folder = tmp_path / "a run"
    assert code("tune", SMOKE, "--run-dir", folder, "--set", "search.n_trials=8", *LITTLE_EVIDENCE) == 130
    captured = capsys.readouterr()
    assert "k per day" in captured.out
    assert "constant-weight pool: returns" in captured.out
    assert "verdict" not in captured.out
    wanted = f"kept in {folder}; go on with: momentum-opt tune '{folder}' --resume"
    assert captured.err.splitlines()[-1].endswith(wanted)
    monkeypatch.undo()
    assert code("tune", folder, "--resume") == 0
    captured = capsys.readouterr()
    assert captured.out.index("k per day") < captured.out.index("verdict: ")
    assert re.search(r"^resuming: 8 of 8 trials finished, best trial \d+: objective -?\d", captured.err, re.M)


def test_what_was_found_is_told_when_a_run_goes_on(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    _, folder = tuned(tmp_path_factory.getbasetemp())
    run = copy_of(folder, tmp_path)
    assert code("tune", run, "--resume", "--trials", "24", *LITTLE_EVIDENCE) == 0
    assert "resuming: 16 of 24 trials finished, best trial 56: objective -0.342029\n" in capsys.readouterr().err


@pytest.mark.slow
def test_a_terminal_of_sixty_columns(tmp_path: Path):
    ours, theirs = pty.openpty()
    told = {**environment(), "COLUMNS": "60", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [*command("tune", SMOKE, "--run-dir", "run"), *LITTLE_EVIDENCE],
        stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env=told, cwd=tmp_path,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        seen += part
    os.close(ours)
    assert process.wait(60) == 0
    text = seen.decode()
    for words in ("reading prices", "compiling the search", "replaying the winner", "gathering evidence"):
        assert re.search(rf"{words}.*: \d+\.\d s", ESCAPE.sub("", text)), words
    assert "\x1b[31mnot met\x1b[0m" in text
    shown = ESCAPE.sub("", text[text.index("k per day   ") :]).replace("\r", "\n")
    long = [line for line in shown.splitlines() if len(line) > 60 and "/" not in line]
    assert not long
